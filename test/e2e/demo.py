#!/usr/bin/env python3
"""The life of an adapter on the demo: train twice with the same bytes, evaluate, predict, start again from it.

No accuracy is asserted (scripts/quickstart.sh is the place for that), only that everything fits together.
"""
import json
import os
import signal
import subprocess
import sys
import time

import tool


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def without_clock(text):
    lines = [json.loads(line) for line in text.decode().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds" and not k.endswith("_per_second")} for line in lines]


def check(condition, message):
    if not condition:
        print("FAILED:", message)
        sys.exit(1)


def interrupted(args, plan, out):
    """Ctrl-C finishes the step, saves the adapter and exits with 130."""
    process = subprocess.Popen(
        [args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out, "--epochs",
         "1000", "--logging-steps", "1", "--eval-strategy", "no"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = os.path.join(out, "metrics.jsonl")
    while process.poll() is None and not (os.path.exists(metrics) and os.path.getsize(metrics)):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    code = process.wait()
    check(code == 130, f"exit code {code} after SIGINT")
    last = without_clock(read(metrics))[-1]
    check(last["signal"] == signal.SIGINT, f"last entry {last}")
    check(os.path.exists(os.path.join(out, "adapter_model.safetensors")), "nothing saved after SIGINT")


def accumulates(args, directory, plan, common):
    """Four micro-batches of 2 are one batch of 8: the same losses but for rounding."""
    split = os.path.join(directory, "split")
    os.mkdir(split)
    small = tool.compile_plan(args, args.model, split, "--task=sst2", "--adapter=lora:r=8,alpha=16,targets=all-linear",
                              "--per-device-batch-size=2", "--gradient-accumulation-steps=4", "--max-seq-length=64")
    losses = []
    for name, which in (("whole", plan), ("parts", small)):
        out = os.path.join(directory, name)
        # 42 examples: the last batch has 2, the last group of micro-batches is one.
        tool.run(args.llamarun, "train", which, *common, "--output-dir", out, "--learning-rate=1e-3", "--epochs=2",
                 "--max-train-samples=42", "--logging-steps=1", "--eval-strategy=no")
        losses.append([(line["tokens"], line["loss"], line["grad_norm"]) for line in without_clock(
            read(out, "metrics.jsonl")) if "loss" in line])
    check(len(losses[0]) == len(losses[1]) == 12, f"{len(losses[0])} and {len(losses[1])} steps")
    for whole, parts in zip(*losses):
        check(all(abs(a - b) <= 1e-4 * abs(a) for a, b in zip(whole, parts)), f"{whole} and {parts}")


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        at = lambda name: os.path.join(directory, name)
        plan = tool.compile_plan(args, args.model, directory, "--task=sst2",
                                 "--adapter=lora:r=8,alpha=16,targets=all-linear", "--per-device-batch-size=8",
                                 "--max-seq-length=64")
        common = [plan, "--weights", args.model, "--data", args.data]
        train = [args.llamarun, "train", *common, "--max-steps=12", "--learning-rate=1e-3", "--logging-steps=4",
                 "--eval-strategy=steps", "--eval-steps=6", "--max-eval-samples=64"]
        for name, threads in (("first", 1), ("second", 2)):
            tool.run(*train, "--output-dir", at(name), "--threads", threads, has=["sst2 dev accuracy = "])
        for file in ("adapter_model.safetensors", "adapter_config.json"):
            check(read(at("first"), file) == read(at("second"), file), file + " differs between two runs")
        metrics = without_clock(read(at("first"), "metrics.jsonl"))
        check(metrics == without_clock(read(at("second"), "metrics.jsonl")), "metrics differ between two runs")
        steps = [line["step"] for line in metrics if "loss" in line]
        check(steps == [1, 4, 8, 12], f"logged steps {steps}")
        evaluations = [line for line in metrics if "eval_accuracy" in line]
        check([e["step"] for e in evaluations] == [6, 12], "evaluated steps")

        # The saved adapter gives what the trainer saw at the end.
        printed = tool.run(args.llamarun, "eval", *common, "--adapter", at("first"), "--max-eval-samples=64",
                           "--output-dir", at("evaluated"))
        again = json.loads(read(at("evaluated"), "eval.jsonl"))
        check(again["eval_loss"] == evaluations[-1]["eval_loss"], "loss after loading differs")
        check(f"sst2 dev accuracy = {again['eval_accuracy']:.6g}" in printed, printed)

        tool.run(args.llamarun, "predict", *common, "--adapter", at("first"), "--output-dir", at("predicted"),
                 "--logits-out", at("logits.json"), has=["SST-2.tsv"])
        rows = read(at("predicted"), "SST-2.tsv").decode().splitlines()
        with open(os.path.join(args.data, "SST-2", "test.tsv"), encoding="utf-8") as f:
            count = len(f.read().splitlines()) - 1
        check(rows[0] == "index\tprediction" and len(rows) == count + 1, f"{len(rows)} rows for {count}")
        logits = json.loads(read(at("logits.json")))["test"]
        check(all(int(row.split("\t")[1]) == (z[1] > z[0]) for row, z in zip(rows[1:], logits)),
              "predictions are not the largest logits")

        tool.run(*train, "--output-dir", at("third"), "--init-from", at("first"))
        check(read(at("third"), "adapter_model.safetensors") != read(at("first"), "adapter_model.safetensors"),
              "--init-from changes nothing")
        tool.run(*train, "--output-dir", at("first"), code=2, has=["--overwrite-output-dir"])
        tool.run(*train, "--output-dir", at("first"), "--overwrite-output-dir", "--seed=7")
        check(read(at("second"), "adapter_model.safetensors") != read(at("first"), "adapter_model.safetensors"),
              "--seed changes nothing")
        accumulates(args, directory, plan, common[1:])
        interrupted(args, plan, at("stopped"))
        for flags in ([], ["--json"]):
            tool.run(args.llamarun, "inspect", plan, *flags, has=["sst2"])


if __name__ == "__main__":
    sys.exit(main())
