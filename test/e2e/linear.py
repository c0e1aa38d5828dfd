#!/usr/bin/env python3
"""models/linear.mlir in every layout: outputs and gradients are those of one device.

The model's sizes are made small; LinearPlan.cpp compares with loops in float64. `llamarun bench` runs the same plans.
"""
import json
import os
import sys

import tool

LAYOUTS = {"ddp1": 1, "ddp2": 2, "tp2": 2, "ddp2,tp2": 4}


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--check", required=True, help="the program made of LinearPlan.cpp")
    args = p.parse_args()
    with open(args.model, encoding="utf-8") as f:
        text = f.read()
    # Not square, so that no transpose goes unseen.
    for old, new in (("4096x4096", "48x72"), ("%x: tensor<32x4096", "%x: tensor<12x72"),
                     ("linear %x, %w : (tensor<32x4096", "linear %x, %w : (tensor<12x72"),
                     ("32x4096", "12x48"), ("= 32", "= 12")):
        assert old in text, old
        text = text.replace(old, new)
    with tool.scratch() as directory:
        model, plan = os.path.join(directory, "linear.mlir"), os.path.join(directory, "plan.fb")
        with open(model, "w", encoding="utf-8") as f:
            f.write(text)
        losses = {}
        for layout, ranks in LAYOUTS.items():
            tool.run(args.llamac, model, "--target=cpu", f"--shard={layout}", "-o", plan)
            print(layout, tool.run(args.check, plan, "1e-5"), sep="\n")
            result = os.path.join(directory, "bench.json")
            tool.run(args.llamarun, "bench", plan, "--weights=random", "--steps=3", "--warmup=1", "--json", result,
                     has=["samples/s", "memory"])
            with open(result, encoding="utf-8") as f:
                bench = json.load(f)
            assert bench["ranks"] == ranks and bench["batch"] == 12 and bench["steps"] == 3, bench
            losses[layout] = bench["last_loss"]
        # One batch, drawn alike in both layouts.
        assert abs(losses["tp2"] - losses["ddp1"]) < 1e-5 * abs(losses["ddp1"]), losses
        # Nothing else runs them: they are of no task.
        tool.run(args.llamac, model, "--target=cpu", "-o", plan)
        for command in ("train", "eval"):
            flags = ["--adapter", directory] if command == "eval" else ["--output-dir", os.path.join(directory, "run")]
            tool.run(args.llamarun, command, plan, "--weights", args.checkpoint, "--data", args.data, *flags, code=3,
                     has=["'none'"])


if __name__ == "__main__":
    sys.exit(main())
