#!/usr/bin/env python3
"""Trains, evaluates and predicts on several ranks as on one device.

Two replicas with batches of 4 take the steps of one device with batches of 8, or with two micro-batches of 4; the last
batch of an epoch is dealt as it is, so that a replica may get nothing. Rank 0 alone writes and prints. A signal to the
job stops all ranks after one step, with the adapter saved.
"""
import json
import os
import signal
import subprocess
import sys
import time

import adapter_file
import tool

SAMPLES = 50  # 6 batches of 8 and 2 examples: the second of two replicas has none of the last batch


class Runs:
    def __init__(self, args, directory):
        self.args, self.directory = args, directory

    def plan(self, name, *flags):
        folder = os.path.join(self.directory, "plan-" + name)
        os.mkdir(folder)
        return tool.compile_plan(self.args, self.args.model, folder, "--task=sst2", "--max-seq-length=64", *flags)

    def command(self, verb, plan, out, *flags):
        return [self.args.llamarun, verb, plan, "--weights", self.args.model, "--data", self.args.data, "--threads=1",
                "--output-dir", out, *flags]

    def train(self, name, plan, *flags):
        """The steps' and the evaluations' lines of metrics.jsonl, the adapter, and what was printed."""
        out = os.path.join(self.directory, name)
        text = tool.run(*self.command("train", plan, out, f"--max-train-samples={SAMPLES}", "--max-eval-samples=100",
                                      "--num-train-epochs=2", "--learning-rate=3e-3", "--logging-steps=1", *flags))
        with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        return lines, adapter_file.read_tensors(out), text


def compare(name, run, reference, tolerance=1e-5):
    lines, adapter, text = run
    expected, other, _ = reference
    assert [line.get("step") for line in lines] == [line.get("step") for line in expected], name
    worst = 0.0
    for ours, theirs in zip(lines, expected):
        assert ours.keys() == theirs.keys(), (name, ours, theirs)
        for key, value in theirs.items():
            if key == "seconds" or key.endswith("_per_second") or not isinstance(value, (int, float)):
                continue
            error = abs(ours[key] - value) / max(1e-30, abs(value))
            worst = max(worst, error if value else abs(ours[key]))
    far = adapter_file.farthest(adapter, other)
    print(f"{name}: metrics within {worst:.1e}, adapter within {far:.1e}")
    assert worst <= tolerance and far <= 1e-4, name
    assert text.count("adapter: ") == 1 and text.count("examples, 14 steps") == 1, text


def check_evaluation(runs, plans):
    texts = {}
    for name, plan in plans.items():
        adapter = os.path.join(runs.directory, "one")
        out = os.path.join(runs.directory, "eval-" + name)
        evaluated = tool.run(*runs.command("eval", plan, out, "--adapter", adapter))
        tool.run(*runs.command("predict", plan, out, "--adapter", adapter))
        with open(os.path.join(out, "SST-2.tsv"), encoding="utf-8") as f:
            texts[name] = (evaluated, f.read())
    for name, (evaluated, predicted) in texts.items():
        assert predicted == texts["one"][1], name
        ours, theirs = evaluated.split(), texts["one"][0].split()
        assert len(ours) == len(theirs), evaluated
        for a, b in zip(ours, theirs):
            assert a == b or abs(float(a) - float(b)) <= 1e-5 * abs(float(b)), (name, a, b)


def check_signal(runs, plan):
    out = os.path.join(runs.directory, "stopped")
    command = runs.command("train", plan, out, "--max-steps=1000000", "--logging-steps=1", "--eval-strategy=no")
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8") as job:
        for _ in range(600):
            time.sleep(0.05)
            path = os.path.join(out, "metrics.jsonl")
            if os.path.exists(path) and open(path, encoding="utf-8").read().count("\n") > 3:
                break
        job.send_signal(signal.SIGTERM)
        text = job.communicate(timeout=60)[0]
    assert job.returncode == 128 + signal.SIGTERM, (job.returncode, text[-2000:])
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        last = json.loads(f.readlines()[-1])
    assert last["signal"] == signal.SIGTERM and 3 < last["step"] < 1000000, last
    assert adapter_file.read_tensors(out)
    print("stopped after step", last["step"])


def check_bench(runs, plan):
    out = os.path.join(runs.directory, "bench.json")
    tool.run(runs.args.llamarun, "bench", plan, "--weights", "random", "--threads=1", "--steps=5", "--warmup=2",
             "--json", out, has=["ranks           p50 ms", "slowest: rank"])
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    assert report["ranks"] == len(report["rank_p50_ms"]) == 4, report
    assert abs(report["samples_per_second"] * report["wall_ms"] * 5 / 1e3 - 5 * 8) < 1e-6 * 40, report


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    lora = "--adapter=lora:r=8,alpha=16,targets=all-linear"
    dropout = lora + ",dropout=0.2"
    with tool.scratch() as directory:
        runs = Runs(args, directory)
        one = runs.plan("one", lora, "--per-device-batch-size=8")
        ddp = runs.plan("ddp", lora, "--shard=ddp2", "--per-device-batch-size=4")
        tp = runs.plan("tp", lora, "--shard=tp2", "--per-device-batch-size=8")
        both = runs.plan("both", lora, "--shard=ddp2,tp2", "--per-device-batch-size=4")
        reference = runs.train("one", one)
        for name, plan in (("ddp", ddp), ("tp", tp), ("both", both)):
            compare(name, runs.train(name, plan), reference)
        # From a saved adapter: every rank takes its part of it.
        start = os.path.join(directory, "one")
        compare("from an adapter", runs.train("both-2", both, "--init-from", start),
                runs.train("one-2", one, "--init-from", start))
        # Replica i draws what micro-batch i of one device draws; accumulated losses are the job's.
        halves = ("--per-device-batch-size=4", "--gradient-accumulation-steps=2")
        quarters = ("--per-device-batch-size=2", "--gradient-accumulation-steps=2")
        compare("dropout", runs.train("dropout-2", runs.plan("d2", dropout, "--shard=ddp2,tp2",
                                                             "--per-device-batch-size=4")),
                runs.train("dropout-1", runs.plan("d1", dropout, *halves)))
        compare("accumulated", runs.train("accumulated", runs.plan("a2", lora, "--shard=ddp2", *quarters)), reference)
        check_evaluation(runs, {"one": one, "ddp": ddp, "tp": tp, "both": both})
        check_bench(runs, both)
        check_signal(runs, ddp)


if __name__ == "__main__":
    sys.exit(main())
