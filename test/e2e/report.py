#!/usr/bin/env python3
"""What `llamac --report` predicts is what the plan asks the device for, number by number.

That a session allocates exactly what the plan asks for is SessionTest's part.
"""
import json
import os
import re
import sys

import tool


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        mlir, plan = os.path.join(directory, "model.mlir"), os.path.join(directory, "plan.fb")
        tool.run(args.llamac, "import", args.model, "-o", mlir)
        report = tool.run(args.llamac, mlir, "--task=sst2", "--adapter=lora:r=8,alpha=16,targets=all-linear",
                          "--report", "-o", plan, has=["trainable parameters", "peak memory, bytes"])
        inspected = json.loads(tool.run(args.llamarun, "inspect", plan, "--json"))
        predicted = {name.replace("_", " "): int(number.replace(",", ""))
                     for name, number in re.findall(r"^  (\w+) +([\d,]+)$", report, re.M)}
        for name, number in inspected["memory"].items():
            assert predicted.get(name, 0) == number, (name, predicted, inspected["memory"])
        assert predicted["total"] > 1 << 20
        # Collectives: how many, how large and how long, of a plan for four and for GPUs.
        for flags in (("--target=cpu",), ("--target=cuda", "--arch=sm_90+", "--fold-adapters=off")):
            sharded = tool.run(args.llamac, mlir, *flags, "--task=lm", "--adapter=lora:r=8,alpha=16,targets=all-linear",
                               "--shard=ddp2,tp2", "--buckets=256", "--per-device-batch-size=2", "--report", "-o", plan)
            listed = [(name, axes, int(size.replace(",", "")), us) for name, count, axes, size, us in re.findall(
                r"^(\w+_256) +(\d+) \w+ +(dp|tp|dp,tp) +([\d,]+) +([\d.]+)  ", sharded, re.M) for _ in range(int(count))]
            ledger = json.loads(tool.run(args.llamarun, "inspect", plan, "--json"))["collectives"]
            known = [(e["program"], e["axes"], e["bytes"], f"{e['predicted_us']:.1f}") for e in ledger]
            assert len(known) > 10 and sorted(listed) == sorted(known), (sharded, ledger)
        # Parameters counted by hand: r * (in + out) of every adapter, and the head.
        with open(os.path.join(args.model, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        kv = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
        block = 2 * (hidden + hidden) + 2 * (hidden + kv) + 3 * (hidden + inner)
        trainable = config["num_hidden_layers"] * 8 * block + 2 * hidden
        counted = re.search(r"^trainable parameters +([\d,]+)", report, re.M).group(1)
        assert int(counted.replace(",", "")) == trainable, (counted, trainable)


if __name__ == "__main__":
    sys.exit(main())
