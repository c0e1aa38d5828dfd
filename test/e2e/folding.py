#!/usr/bin/env python3
"""Adapters folded into their weights train like adapters that are not: equal losses, norms and adapters.

With dropout, which both draw alike; for adapters on every layer, on some layers of a group, of unequal ranks and
scales, and with micro-batches. Only the order of float32 sums differs.
"""
import json
import os
import sys

import adapter_file
import tool

ADAPTERS = {
    "all": "targets=all-linear",
    # k_proj shares its input with both, but has no adapter of its own.
    "some": "targets=q_proj,v_proj",
    "unequal": "targets=all-linear,rank_pattern.q_proj=3,rank_pattern.down_proj=16,rank_pattern.layers.0.mlp.up_proj=1,"
               "alpha_pattern.v_proj=4,alpha_pattern.layers.1.mlp.gate_proj=40,use_rslora=true",
    "one": "targets=up_proj",
}


def train(args, directory, name, adapter, *flags):
    plan = tool.compile_plan(args, args.model, directory, "--task=sst2", "--adapter=lora:r=8,alpha=16," + adapter,
                             "--per-device-batch-size=8", "--max-seq-length=64", *flags)
    out = os.path.join(directory, name)
    tool.run(args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out,
             "--overwrite-output-dir", "--max-steps=8", "--learning-rate=3e-3", "--logging-steps=1",
             "--eval-strategy=steps", "--eval-steps=8", "--max-eval-samples=32")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    steps = [line for line in lines if "grad_norm" in line]
    evaluation, = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert len(steps) == 8, len(steps)
    return steps, evaluation, adapter_file.read_tensors(out)


def close(a, b, tolerance):
    return abs(a - b) <= tolerance * abs(a)


def compare(args, directory, adapter, *flags):
    apart, apart_evaluation, apart_tensors = train(args, directory, "apart", adapter, "--fold-adapters=off", *flags)
    folded, evaluation, tensors = train(args, directory, "folded", adapter, "--fold-adapters=on", *flags)
    for a, b in zip(apart, folded):
        assert close(a["loss"], b["loss"], 1e-5), (adapter, a, b)
        assert close(a["grad_norm"], b["grad_norm"], 1e-4), (adapter, a, b)
    assert close(apart_evaluation, evaluation, 1e-5), (adapter, apart_evaluation, evaluation)
    assert apart_tensors.keys() == tensors.keys()
    for name, reference in apart_tensors.items():
        error = adapter_file.relative(tensors[name], reference)
        assert error < 1e-3, (adapter, name, error)
    return folded


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        runs = {name: compare(args, directory, "dropout=0.1," + adapter) for name, adapter in ADAPTERS.items()}
        compare(args, directory, ADAPTERS["unequal"])
        compare(args, directory, "dropout=0.1," + ADAPTERS["some"], "--gradient-accumulation-steps=2")
        # The comparison means something: adapters and dropout change the losses by far more.
        plain = compare(args, directory, ADAPTERS["all"])
        for name, other in [*runs.items(), ("plain", plain)]:
            if name != "all":
                assert not close(runs["all"][-1]["loss"], other[-1]["loss"], 1e-3), name


if __name__ == "__main__":
    sys.exit(main())
