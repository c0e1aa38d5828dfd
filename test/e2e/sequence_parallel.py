#!/usr/bin/env python3
"""Trains and evaluates with tokens split between the layers (--sequence-parallel) as on one device.

With dropout, which every layout draws alike; with several buckets, whose small ones keep what the forward pass gathered,
and with one, whose gradients of factors come by a reduce-scatter; with accumulation. The same run twice gives the same
bytes.
"""
import os
import sys

import sharded_train
import tool

LORA = "--adapter=lora:r=8,alpha=16,targets=all-linear"
ONE_BUCKET = "--buckets=512"  # the longest batch: 8 sentences of 64 tokens


def adapter_bytes(runs, name):
    with open(os.path.join(runs.directory, name, "adapter_model.safetensors"), "rb") as f:
        return f.read()


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        runs = sharded_train.Runs(args, directory)

        def train(name, *flags):
            plan = runs.plan(name, *flags)
            return plan, runs.train(name, plan)

        batch = "--per-device-batch-size=8"
        one, plain = train("one", LORA, batch)
        parallel = ("--shard=tp2", "--sequence-parallel")
        plan, run = train("parallel", LORA, batch, *parallel)
        sharded_train.compare("parallel", run, plain)
        sharded_train.check_evaluation(runs, {"one": one, "parallel": plan})
        halves = ("--per-device-batch-size=4", "--gradient-accumulation-steps=2")
        sharded_train.compare("accumulated", train("accumulated", LORA, *halves, *parallel)[1], plain)

        dropout = LORA + ",dropout=0.2"
        reference = train("dropout", dropout, batch)[1]
        sharded_train.compare("dropout, tp4", train("dropout-4", dropout, batch, "--shard=tp4", "--sequence-parallel")[1],
                              reference)
        plan, run = train("dropout-2", dropout, batch, ONE_BUCKET, *parallel)
        sharded_train.compare("dropout, one bucket", run, reference)
        runs.train("again", plan)
        assert adapter_bytes(runs, "again") == adapter_bytes(runs, "dropout-2"), "the same run gave other bytes"
        sharded_train.compare("dropout, folded", train("folded", dropout, batch, "--fold-adapters=on", ONE_BUCKET,
                                                       *parallel)[1], reference)


if __name__ == "__main__":
    sys.exit(main())
