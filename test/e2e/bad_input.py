#!/usr/bin/env python3
"""Bad input ends with the documented code and one line that names the place."""
import json
import os
import shutil
import struct
import sys

import tool


class Case:
    """One plan, and copies of model and data to spoil."""

    def __init__(self, args, directory):
        self.args, self.directory = args, directory
        self.plan = tool.compile_plan(args, args.model, directory, "--task=sst2",
                                      "--adapter=lora:r=2,alpha=4,targets=q_proj", "--per-device-batch-size=4",
                                      "--max-seq-length=64")
        self.adapter = self.at("good")
        self.train(0, [], out=self.adapter)

    def at(self, name):
        return os.path.join(self.directory, name)

    def train(self, code, has, plan=None, model=None, data=None, out=None, flags=()):
        tool.run(self.args.llamarun, "train", plan or self.plan, "--weights", model or self.args.model, "--data",
                 data or self.args.data, "--output-dir", out or self.at("out"), "--eval-strategy=no",
                 "--overwrite-output-dir", *flags, *([] if any("max-steps" in f for f in flags) else ["--max-steps=1"]),
                 code=code, has=has)

    def eval(self, code, has, adapter):
        tool.run(self.args.llamarun, "eval", self.plan, "--weights", self.args.model, "--data", self.args.data,
                 "--adapter", adapter, "--max-eval-samples=8", code=code, has=has)

    def copy(self, source, name="copy"):
        target = self.at(name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        return target


def spoil(path, change):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    changed = change(data)
    with open(path, "wb") as f:
        f.write(data if changed is None else changed)


def rename_tensor(path, old, new):
    """Renames a tensor in a safetensors header; the data stay."""
    def change(data):
        size, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + size])
        header[new] = header.pop(old)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + size:]
    spoil(path, change)


def plans(case):
    bad = case.at("bad.fb")

    def flip(data, at):
        data[at] ^= 1
    size = os.path.getsize(case.plan)
    for what, change in (("truncated", lambda d: d[:size // 2]), ("empty", lambda d: bytearray(b"x")),
                         ("header", lambda d: flip(d, 9)), ("bit", lambda d: flip(d, size // 2)),
                         ("last", lambda d: flip(d, size - 1))):
        shutil.copy(case.plan, bad)
        spoil(bad, change)
        case.train(3, ["bad.fb"], plan=bad)
    case.train(3, ["missing.fb"], plan=case.at("missing.fb"))


def models(case):
    weights = "model.safetensors"
    model = case.copy(case.args.model)
    path = os.path.join(model, weights)
    rename_tensor(path, "model.norm.weight", "model.norm.other")
    case.train(3, [weights, "model.norm.weight", "missing"], model=model)
    for change in (lambda d: d[:len(d) // 2], lambda d: struct.pack("<Q", 1 << 40) + d[8:], lambda d: bytearray()):
        shutil.copy(os.path.join(case.args.model, weights), path)
        spoil(path, change)
        case.train(3, [weights], model=model)
    model = case.copy(case.args.model)
    for file in ("tokenizer.json", "config.json"):
        spoil(os.path.join(model, file), lambda d: d[:len(d) // 2])
        case.train(3, [file], model=model)
        shutil.copy(os.path.join(case.args.model, file), model)


def tables(case):
    data = case.copy(case.args.data)
    file = os.path.join(data, "SST-2", "train.tsv")
    for rows, has in (("sentence\tlabel\ngood\t1\nbad\n", "train.tsv:3"),
                      ("sentence\tlabel\ngood\t7\n", "train.tsv:2"),
                      ("sentence\tlabel\ngo\0od\t1\n", "train.tsv:2"),
                      (b"sentence\tlabel\ngo\xffod\t1\n", "train.tsv:2"),
                      ("text\tlabel\ngood\t1\n", "train.tsv:1"), ("", "train.tsv")):
        with open(file, "wb") as f:
            f.write(rows if isinstance(rows, bytes) else rows.encode())
        case.train(3, [has], data=data)
    os.remove(file)
    case.train(3, ["train.tsv"], data=data)


def adapters(case):
    adapter = case.copy(case.adapter)
    weights = os.path.join(adapter, "adapter_model.safetensors")
    name = "base_model.model.score.weight"
    rename_tensor(weights, name, "base_model.model.scores.weight")
    case.eval(3, ["adapter_model.safetensors"], adapter)
    adapter = case.copy(case.adapter)
    spoil(os.path.join(adapter, "adapter_config.json"), lambda d: d.replace(b'"lora_alpha": 4', b'"lora_alpha": 5'))
    case.eval(3, ["adapter_config.json", "q_proj"], adapter)
    case.eval(3, ["nowhere"], case.at("nowhere"))
    os.remove(os.path.join(adapter, "adapter_config.json"))
    case.eval(3, ["adapter_config.json"], adapter)


def places(case):
    blocked = case.at("blocked")
    with open(blocked, "w", encoding="utf-8"):
        pass
    case.train(6, [blocked], out=os.path.join(blocked, "run"))
    if os.path.exists("/dev/full"):
        # No room for metrics.jsonl: told once, and the run ends with its adapter, but not well.
        out = case.copy(case.adapter, "full")
        before = open(os.path.join(out, "adapter_model.safetensors"), "rb").read()
        os.remove(os.path.join(out, "metrics.jsonl"))
        os.symlink("/dev/full", os.path.join(out, "metrics.jsonl"))
        case.train(6, ["metrics.jsonl: No space left", "checkpoint of step 1 was not saved"], out=out,
                   flags=["--seed=7"])
        assert open(os.path.join(out, "adapter_model.safetensors"), "rb").read() != before


def usage(case):
    case.train(2, ["--frobnicate"], flags=["--frobnicate"])
    case.train(2, ["--learning-rate"], flags=["--learning-rate=fast"])
    case.train(2, ["--eval-strategy"], flags=["--eval-strategy=sometimes"])
    case.train(2, [], flags=["--max-train-samples=0"])
    case.train(4, ["--device-memory"], flags=["--device-memory=1kb"])
    case.train(7, ["step 2"], flags=["--learning-rate=1e300", "--max-steps=3"])
    tool.run(case.args.llamarun, code=2)
    tool.run(case.args.llamarun, "--version", has=["llamarun "])
    for command in ("train", "eval", "predict", "inspect", "replay"):
        tool.run(case.args.llamarun, command, "--help", has=["Usage", "plan"])


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        case = Case(args, directory)
        for check in (plans, models, tables, adapters, places, usage):
            check(case)


if __name__ == "__main__":
    sys.exit(main())
