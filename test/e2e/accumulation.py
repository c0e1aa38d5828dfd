#!/usr/bin/env python3
"""Two micro-batches of 16 are one batch of 32: the same losses, norms and adapter; and dropout is drawn anew each step.

The same sentences in the same order, so that only the order of float32 sums differs.
"""
import json
import os
import sys

import adapter_file
import tool


def train(args, directory, name, adapter, *shape):
    plan = tool.compile_plan(args, args.model, directory, "--task=sst2", "--adapter=" + adapter,
                             "--max-seq-length=128", *shape)
    out = os.path.join(directory, name)
    tool.run(args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out,
             "--max-train-samples=500", "--num-train-epochs=1", "--learning-rate=3e-3", "--logging-steps=1",
             "--eval-strategy=no")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        steps = [json.loads(line) for line in f]
    return [s for s in steps if "grad_norm" in s], adapter_file.read_tensors(out)


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    lora = "lora:r=8,alpha=16,targets=all-linear"
    with tool.scratch() as directory:
        whole, adapter = train(args, directory, "whole", lora, "--per-device-batch-size=32")
        parts, other = train(args, directory, "parts", lora, "--per-device-batch-size=16",
                             "--gradient-accumulation-steps=2")
        # 500 = 15 * 32 + 20: the last group is not full either way.
        assert len(whole) == len(parts) == 16, (len(whole), len(parts))
        for a, b in zip(whole, parts):
            for key in ("loss", "grad_norm", "learning_rate"):
                assert abs(a[key] - b[key]) <= 1e-4 * abs(a[key]), (key, a, b)
        for name in adapter:
            error = adapter_file.relative(other[name], adapter[name])
            assert error < 1e-3, (name, error)
        dropped, _ = train(args, directory, "dropped", lora + ",dropout=0.3", "--per-device-batch-size=32")
        # B is zero before the first step: the first loss does not see the adapter, all later ones do.
        assert abs(dropped[0]["loss"] - whole[0]["loss"]) <= 1e-6 * whole[0]["loss"]
        assert dropped[0]["grad_norm"] != whole[0]["grad_norm"]
        assert all(a["loss"] != b["loss"] for a, b in zip(dropped[1:], whole[1:]))


if __name__ == "__main__":
    sys.exit(main())
