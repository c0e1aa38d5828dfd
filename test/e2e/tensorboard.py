#!/usr/bin/env python3
"""TensorBoard's own reader finds in the event files of a run what metrics.jsonl has, under the names that Hugging Face's
Trainer gives, also after the run was resumed in the same folder or in another one."""
import json
import math
import os
import shutil
import subprocess
import sys

import tool

# What reading takes; the rest of TensorBoard's dependences is its server.
PACKAGES = ["tensorboard==2.21.0", "numpy", "protobuf", "packaging", "absl-py", "setuptools"]

READER = r"""
import json, sys
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util
events = EventAccumulator(sys.argv[1], tensor_size_guidance={k: 0 for k in ("scalars", "histograms", "text")})
events.Reload()
found = {"scalars": {}, "histograms": {}, "text": {}}
for tag in events.Tags()["tensors"]:
    plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
    for e in events.Tensors(tag):
        value = tensor_util.make_ndarray(e.tensor_proto)
        shown = value.item(0).decode() if plugin == "text" else value.item() if plugin == "scalars" else value.tolist()
        found[plugin].setdefault(tag, []).append([e.step, shown])
print(json.dumps(found))
"""


def python_with_tensorboard(folder):
    """The interpreter of a virtual environment, made once."""
    python, done = os.path.join(folder, "bin", "python"), os.path.join(folder, "complete")
    if os.path.exists(done):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in ([sys.executable, "-m", "venv", "--without-pip", folder],
                    [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile", "--no-deps"] + PACKAGES):
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            tool.skip("TensorBoard cannot be installed: " + (made.stderr.strip() or "no message").splitlines()[-1])
    open(done, "w").close()
    return python


def read(python, folder):
    return json.loads(tool.run(python, "-W", "ignore", "-c", READER, folder).splitlines()[-1])


def expected(path):
    """Tags and points by the rules of transformers' integration_utils.rewrite_logs, with the key names of its Trainer."""
    scalars, histograms = {}, {}
    with open(path, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            step = line.pop("step")
            if "ranks" in line:
                everything = []
                for column, ranks in line["ranks"].items():
                    ranks = [r for r in (ranks if isinstance(ranks, list) else [ranks]) if r is not None]
                    everything += ranks
                    scalars.setdefault(f"train/rank/{column}", []).append([step, sum(ranks)])
                scalars.setdefault("train/rank", []).append([step, sum(everything)])
                # Buckets that TensorBoard cuts to what there is: from, to, how many.
                counts = [float(everything.count(rank)) for rank in range(min(everything), max(everything) + 1)]
                histograms.setdefault("train/ranks", []).append([step, counts])
                continue
            if "split" in line:
                logs = {("eval_runtime" if k == "seconds" else k if k.startswith("eval_") else "eval_" + k): v
                        for k, v in line.items() if k not in ("split", "epoch")}
            else:
                logs = {"train_runtime" if k == "seconds" else "num_input_tokens_seen" if k == "tokens" else k: v
                        for k, v in line.items() if k != "seconds" or "train_loss" in line}
            for key, value in logs.items():
                tag = "eval/" + key[5:] if key.startswith("eval_") else "train/" + key
                scalars.setdefault(tag, []).append([step, value])
    return scalars, histograms


def compare(found, path, texts):
    scalars, histograms = expected(path)
    assert found["scalars"].keys() == scalars.keys(), found["scalars"].keys() ^ scalars.keys()
    for tag, points in scalars.items():
        shown = found["scalars"][tag]
        assert [s for s, _ in shown] == [s for s, _ in points], (tag, shown, points)
        for (step, value), (_, wanted) in zip(shown, points):
            assert math.isclose(value, wanted, rel_tol=1e-6, abs_tol=1e-30), (tag, step, value, wanted)
    shown = {tag: [[step, [count for _, _, count in buckets]] for step, buckets in points]
             for tag, points in found["histograms"].items()}
    assert shown == histograms, (shown, histograms)
    settings = found["text"]["args/text_summary"]
    assert len(settings) == texts, (texts, settings)
    assert "| learning\\-rate | 3e\\-3 |" in settings[0][1], settings


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--venv", required=True)
    args = p.parse_args()
    python = python_with_tensorboard(args.venv)
    with tool.scratch() as directory:
        plan = tool.compile_plan(args, args.model, directory, "--task=sst2", "--per-device-batch-size=8",
                                 "--adapter=adalora:init_r=4,target_r=2,tinit=2,tfinal=2,deltaT=3,total_step=12,"
                                 "alpha=8,targets=all-linear")
        out, board, other = (os.path.join(directory, name) for name in ("run", "board", "other"))
        train = [args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out,
                 "--max-steps=12", "--learning-rate=3e-3", "--logging-steps=2", "--max-train-samples=200",
                 "--max-eval-samples=16", "--eval-strategy=steps", "--eval-steps=4", "--save-strategy=steps", "--save-steps=4"]
        metrics = os.path.join(out, "metrics.jsonl")
        tool.run(*train, "--logging-dir", board)
        compare(read(python, board), metrics, 1)
        record = json.load(open(os.path.join(out, "run.json"), encoding="utf-8"))
        assert record["arguments"]["learning-rate"] == "3e-3" and record["arguments"]["weight-decay"] == "0", record
        assert record["steps"] == 12 and record["memory"]["total"] > 0, record
        # As if the run had died after it had logged step 12 and before it saved there.
        for folder in (board, other):
            for step in (8, 12):
                shutil.rmtree(os.path.join(out, f"checkpoint-{step}"))
            tool.run(*train, "--logging-dir", folder, "--resume")
            compare(read(python, folder), metrics, 2 if folder == board else 1)
        assert len(os.listdir(board)) == 2 and len(os.listdir(other)) == 1
        # Another run in a folder that had one.
        tool.run(*train, "--logging-dir", board, "--overwrite-output-dir")
        compare(read(python, board), metrics, 1)
        tool.run(*train, "--logging-dir", os.path.join(plan, "x"), "--overwrite-output-dir", code=6, has=["plan.fb"])
    print("ok")


if __name__ == "__main__":
    main()
