#!/usr/bin/env python3
"""Compiles a plan like a reference run and replays that run's steps: losses, gradient norms, tensors, logits.

The reference was computed by Transformers and PEFT (test/golden/README.md). The adapter's flags are taken from
the reference's own adapter_config.json.
"""
import json
import os
import sys
import adapter_file
import reference_checkpoint
import tool


MISSING_EMBEDDING_SEED = 1  # make_golden.py seeds every run with it just before it loads the model


def adapter_flag(config):
    targets = config["target_modules"]
    targets = "regex:" + targets if isinstance(targets, str) else ",".join(sorted(targets))
    if config["peft_type"] == "ADALORA":
        names = "init_r target_r tinit tfinal deltaT beta1 beta2 orth_reg_weight total_step".split()
        schedule = ",".join(f"{name}={config[name]}" for name in names)
        return f"--adapter=adalora:{schedule},alpha={config['lora_alpha']},targets={targets}"
    patterns = "".join(f",{pattern}.{key}={number}" for pattern in ("rank_pattern", "alpha_pattern")
                       for key, number in sorted(config[pattern].items()))
    return f"--adapter=lora:r={config['r']},alpha={config['lora_alpha']},targets={targets}{patterns}"


def check_saved(ours, theirs):
    """Two directories have the same tensors, within 1e-3 each, and AdaLoRA's the same masks."""
    far = adapter_file.farthest(adapter_file.read_tensors(ours), adapter_file.read_tensors(theirs))
    print(f"saved adapter: tensors within {far:.1e} of PEFT's")
    assert far <= 1e-3, far
    patterns = []
    for directory in (ours, theirs):
        with open(os.path.join(directory, "adapter_config.json"), encoding="utf-8") as f:
            patterns.append(json.load(f)["rank_pattern"])
    assert patterns[0] == patterns[1], patterns


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True, help="Hugging Face directory")
    p.add_argument("--golden", required=True, help="folder of trace.json")
    p.add_argument("--flags", default="", help="more flags of llamac")
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
                                                              trace["pad_token_id"], MISSING_EMBEDDING_SEED)
        plan = tool.compile_plan(args, model, directory, "--task=" + trace["task"], adapter_flag(config),
                                 f"--per-device-batch-size={rows}", "--max-seq-length=128", *args.flags.split())
        out = os.path.join(directory, "run")
        masks = ["masks          0 triplets differ"] if "kept" in trace["steps"][0] else []
        print(tool.run(args.llamarun, "replay", plan, "--weights", model, "--trace", trace_path,
                       "--output-dir", out, has=["replay: ok", "final tensors", "logits after", *masks]))
        # What it saved is what PEFT saved, and the plan loads either.
        check_saved(out, os.path.join(args.golden, "adapter"))
        for adapter in (out, os.path.join(args.golden, "adapter")):
            tool.run(args.llamarun, "replay", plan, "--weights", model, "--trace", trace_path, "--init-from",
                     adapter, "--loss-tolerance=1e9", "--grad-norm-tolerance=1e9", "--tensor-tolerance=1e9",
                     "--logit-tolerance=1e9", "--mask-tolerance=1000000", has=["replay: ok"])
        # And the comparison can fail.
        tool.run(args.llamarun, "replay", plan, "--weights", model, "--trace", trace_path,
                 "--loss-tolerance=0", "--grad-norm-tolerance=0", code=7)


if __name__ == "__main__":
    sys.exit(main())
