#!/usr/bin/env python3
"""Replays a reference run on several ranks: every layout takes the steps that one device takes.

For each layout a plan is compiled whose data-parallel ranks share the reference's batch, `llamarun replay` starts its
ranks and takes the same steps. Its losses are compared with those of one device, its final adapter with the one
device's, and both with the reference.
"""
import json
import os
import re
import sys

import adapter_file
import golden
import reference_checkpoint
import tool

LOSS_TOLERANCE = 1e-5  # relative to one device, each step
ADAPTER_TOLERANCE = 1e-4  # norm of the difference / norm, each tensor


def replicas(layout):
    """"ddp2,tp2" has 2."""
    found = re.search(r"ddp(\d+)", layout)
    return int(found.group(1)) if found else 1


def losses(text):
    """Column `loss` of the lines that replay prints a step."""
    rows = [line.split() for line in text.splitlines()]
    return [float(row[1]) for row in rows if len(row) == 9 and row[0].isdigit()]


def compare(name, text, adapter, one_text, one_adapter):
    ours, theirs = losses(text), losses(one_text)
    assert len(ours) == len(theirs) > 0, f"{name}: {len(ours)} steps instead of {len(theirs)}"
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    far = adapter_file.farthest(adapter_file.read_tensors(adapter), adapter_file.read_tensors(one_adapter))
    print(f"{name}: losses within {worst:.1e}, tensors within {far:.1e} of one device")
    assert worst <= LOSS_TOLERANCE and far <= ADAPTER_TOLERANCE, name


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True, help="Hugging Face directory")
    p.add_argument("--golden", required=True, help="folder of trace.json")
    p.add_argument("--layouts", default="ddp2 ddp4 tp2 tp4 ddp2,tp2", help="as --shard takes them, by spaces")
    p.add_argument("--flags", default="", help="more flags of llamac")
    p.add_argument("--layout-flags", default="", help="more flags of llamac, but not for the one device")
    args = p.parse_args()
    trace_path = os.path.join(args.golden, "trace.json")
    if not os.path.exists(trace_path) or not os.path.isdir(args.model):
        tool.skip("no reference run here: " + args.golden)
    with open(trace_path, encoding="utf-8") as f:
        trace = json.load(f)
    with open(os.path.join(args.golden, "adapter", "adapter_config.json"), encoding="utf-8") as f:
        config = json.load(f)
    rows = len(trace["steps"][0]["input_ids"])
    with tool.scratch() as directory:
        model = args.model
        if trace["task"] != "lm":
            model = reference_checkpoint.with_drawn_embedding(model, os.path.join(directory, "model"),
                                                              trace["pad_token_id"], golden.MISSING_EMBEDDING_SEED)

        def replay(name, *flags, batch, deal=None):
            plan = tool.compile_plan(args, model, directory, "--task=" + trace["task"], golden.adapter_flag(config),
                                     f"--per-device-batch-size={batch}", "--max-seq-length=128",
                                     *args.flags.split(), *flags)
            out = os.path.join(directory, name)
            more = [f"--deal={deal}"] if deal else []
            # AdaLoRA's masks are the reference's, so one device's, at every step; its losses may be farther from it.
            tolerance = 1e-4 if config["peft_type"] == "ADALORA" else LOSS_TOLERANCE
            return tool.run(args.llamarun, "replay", plan, "--weights", model, "--trace", trace_path, "--threads=1",
                            "--output-dir", out, f"--loss-tolerance={tolerance}",
                            f"--tensor-tolerance={ADAPTER_TOLERANCE}", *more,
                            has=["replay: ok", "final tensors", "logits after"]), out

        one = replay("one", batch=rows)
        for layout in args.layouts.split():
            many = replay(layout, "--shard=" + layout, *args.layout_flags.split(), batch=rows // replicas(layout))
            compare(layout, *many, *one)
            if layout != "ddp2":
                continue
            # Not the mean of means: one sentence here, all others there; and none at all.
            for deal in (f"1,{rows - 1}", f"{rows},0"):
                compare(f"ddp2 dealt {deal}", *replay("dealt", "--shard=ddp2", batch=rows, deal=deal), *one)


if __name__ == "__main__":
    sys.exit(main())
