#!/usr/bin/env python3
"""Adapters that llamarun saves, in stock PEFT, and PEFT's in llamarun: the same logits, no key missing or left over.

    pip install torch transformers peft && scripts/peft_interop.py [--llamac build/bin/llamac --llamarun build/bin/llamarun]

On the demo model, for LoRA and AdaLoRA, classification and causal LM. Ours are trained here for a few steps; PEFT's are
those of test/golden. Ends with 77 where torch, transformers or peft are missing, with 1 if something differs.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import peft
    import torch
    import transformers
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
MODEL, DATA = os.path.join(ROOT, "examples/demo/model"), os.path.join(ROOT, "examples/demo/data")
TOLERANCE = 1e-4  # of a logit: absolute below 1, relative above
ADALORA = "init_r=5,target_r=2,tinit=1,tfinal=2,deltaT=2,alpha=8,targets=all-linear,total_step=12"
LORA = "r=4,alpha=8,targets=all-linear"
PLACED = f"{LORA},placement={ROOT}/test/golden/probe/sst2-lora.json,budget=0.5,rule=proportional"


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}exit code {done.returncode}")
    return done.stdout


def adapter_flag(config):
    """The flag of llamac that makes the adapter of an adapter_config.json."""
    targets = ",".join(sorted(config["target_modules"]))
    if config["peft_type"] == "LORA":
        patterns = "".join(f",{pattern}.{key}={number}" for pattern in ("rank_pattern", "alpha_pattern")
                           for key, number in config[pattern].items())
        return f"lora:r={config['r']},alpha={config['lora_alpha']},targets={targets}{patterns}"
    names = "init_r target_r tinit tfinal deltaT beta1 beta2 orth_reg_weight total_step".split()
    return ("adalora:" + ",".join(f"{name}={config[name]}" for name in names) +
            f",alpha={config['lora_alpha']},targets={targets}")


def peft_logits(adapter, rows):
    """Logits of each row's last token by stock PEFT, and what it did not find or could not use. Without labels: a
    reloaded AdaLoRA adapter cannot be called with them (PEFT issue 571)."""
    with open(os.path.join(adapter, "adapter_config.json"), encoding="utf-8") as file:
        causal = json.load(file)["task_type"] == "CAUSAL_LM"
    config = LlamaConfig.from_pretrained(MODEL)
    config.num_labels = 2
    kind = LlamaForCausalLM if causal else LlamaForSequenceClassification
    base = kind.from_pretrained(MODEL, config=config, dtype=torch.float32, attn_implementation="eager")
    results, load = [], peft.PeftModel.load_adapter

    def recording(self, *args, **kwargs):
        results.append(load(self, *args, **kwargs))
        return results[-1]

    peft.PeftModel.load_adapter = recording
    try:
        model = peft.PeftModel.from_pretrained(base, adapter).eval()
    finally:
        peft.PeftModel.load_adapter = load
    problems = [key for result in results for key in (*result.missing_keys, *result.unexpected_keys)]
    logits = []
    with torch.no_grad():
        for row in rows:
            out = model(input_ids=torch.tensor([row])).logits[0]
            logits.append((out[-1] if causal else out).tolist())
    assert results, "PEFT has loaded no adapter"
    return logits, problems


def our_logits_agree(args, adapter, rows, logits, directory):
    """Whether a plan with this adapter gives these logits: before a step, and after one with a learning rate of 0."""
    with open(os.path.join(adapter, "adapter_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    task = "lm" if config["task_type"] == "CAUSAL_LM" else "sst2"
    plan = os.path.join(directory, "check.fb")
    run(args.llamac, os.path.join(directory, "model.mlir"), "--target=cpu", "--task=" + task,
        "--adapter=" + adapter_flag(config), "--per-device-batch-size=8", "--max-seq-length=128", "-o", plan)
    trace, evaluation = os.path.join(directory, "trace.json"), os.path.join(directory, "eval.json")
    with open(trace, "w", encoding="utf-8") as file:
        json.dump({"pad_token_id": -1, "optimizer": dict(lr=0, betas=[0.9, 0.999], eps=1e-8, weight_decay=0, warmup=0,
                                                         total_steps=12, max_grad_norm=1),
                   "steps": [dict(input_ids=rows[:1], labels=[1], loss=1, grad_norm=1, lr=0)]}, file)
    with open(evaluation, "w", encoding="utf-8") as file:
        json.dump(dict(input_ids=rows, before=logits, after=logits), file)
    text = run(args.llamarun, "replay", plan, "--weights", MODEL, "--trace", trace, "--init-from", adapter, "--eval",
               evaluation, "--loss-tolerance=1e9", "--grad-norm-tolerance=1e9", f"--logit-tolerance={TOLERANCE}")
    return [line.split("largest error")[1].split(",")[0].strip() for line in text.splitlines()
            if line.startswith("logits")]


def sentences(count=12):
    with open(os.path.join(ROOT, "test/golden/train/sst2-lora/eval.json"), encoding="utf-8") as file:
        return json.load(file)["input_ids"][:count]


def train_ours(args, directory, task, method, options):
    name = f"{task}-{method}" + ("-placed" if "placement" in options else "")
    plan, out = os.path.join(directory, "plan.fb"), os.path.join(directory, name)
    data = DATA
    if task == "lm":
        data = os.path.join(directory, "text.txt")
        with open(os.path.join(DATA, "SST-2/train.tsv"), encoding="utf-8") as source, \
                open(data, "w", encoding="utf-8") as file:
            file.writelines(line.split("\t")[0] + "\n" for line in list(source)[1:200])
    run(args.llamac, os.path.join(directory, "model.mlir"), "--target=cpu", "--task=" + task,
        f"--adapter={method}:{options}", "--per-device-batch-size=8", "--max-seq-length=64", "-o", plan)
    run(args.llamarun, "train", plan, "--weights", MODEL, "--data", data, "--output-dir", out, "--max-steps=12",
        "--learning-rate=5e-3", "--eval-strategy=no")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llamac", default=os.path.join(ROOT, "build/bin/llamac"))
    parser.add_argument("--llamarun", default=os.path.join(ROOT, "build/bin/llamarun"))
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    rows, failed = sentences(), False
    with tempfile.TemporaryDirectory() as directory:
        run(args.llamac, "import", MODEL, "-o", os.path.join(directory, "model.mlir"))
        adapters = []
        for task in ("sst2", "lm"):
            for method, options in (("lora", LORA), ("adalora", ADALORA)):
                golden = os.path.join(ROOT, f"test/golden/train/{task}-{method}/adapter")
                adapters.append((f"PEFT's {task} {method}", golden))
                adapters.append((f"ours: {task} {method}", train_ours(args, directory, task, method, options)))
        golden = os.path.join(ROOT, "test/golden/train/sst2-lora-placed/adapter")
        adapters.append(("PEFT's sst2 placed", golden))
        adapters.append(("ours: sst2 placed", train_ours(args, directory, "sst2", "lora", PLACED)))
        for name, adapter in adapters:
            logits, problems = peft_logits(adapter, rows)
            errors = our_logits_agree(args, adapter, rows, logits, directory)
            failed |= bool(problems) or len(errors) != 2
            print(f"{name:22} logits within {', '.join(errors)} of PEFT {peft.__version__}; "
                  f"missing or unexpected keys: {problems or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
