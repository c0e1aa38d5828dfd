#!/usr/bin/env python3
"""Compares a causal-LM plan's logits with a reference's at many positions, within 1e-4."""
import os
import shutil
import sys

import tool


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True, help="Hugging Face directory")
    p.add_argument("--config", help="config.json to use instead of the model's own")
    p.add_argument("--logits", required=True, help="reference logits")
    args = p.parse_args()
    if not os.path.exists(args.logits) or not os.path.isdir(args.model):
        tool.skip("no reference logits here: " + args.logits)
    with tool.scratch() as directory:
        model = args.model
        if args.config:
            model = os.path.join(directory, "model")
            shutil.copytree(args.model, model)
            shutil.copy(args.config, os.path.join(model, "config.json"))
        plan = tool.compile_plan(args, model, directory, "--task=lm", "--adapter=lora:r=4,alpha=4",
                                 "--per-device-batch-size=4", "--max-seq-length=256")
        print(tool.run(args.llamarun, "replay", plan, "--weights", model, "--forward", args.logits,
                       has=["replay: ok", "forward:"]))
        tool.run(args.llamarun, "replay", plan, "--weights", model, "--forward", args.logits,
                 "--forward-tolerance=0", code=7)


if __name__ == "__main__":
    sys.exit(main())
