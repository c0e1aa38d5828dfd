#!/usr/bin/env python3
"""Makes test/golden: what Transformers and PEFT compute on the demo checkpoint, in float32 on the CPU.

    pip install torch transformers peft && scripts/make_goldens.py [--only NAME ...]

Layout and meaning of the files: test/golden/README.md. Nothing of llamac runs
here; the files are an independent reference for its tests.
"""
import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import tempfile

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification,
                          get_linear_schedule_with_warmup)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
MODEL, DATA, OUT = "examples/demo/model", "examples/demo/data/SST-2", "test/golden"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
STEPS, BATCH, EVAL_ROWS = 20, 8, 32
# Ranks in proportion to the gradient norms of test/golden/probe, half the parameters of rank 4 on all (docs/probes.md).
PLACED = {f"model.layers.{layer}.{name}": rank for layer, ranks in enumerate(("1133334", "0022112")) for name, rank in
          zip([f"self_attn.{x}" for x in ALL[:4]] + [f"mlp.{x}" for x in ALL[4:]], map(int, ranks)) if rank}
VERSIONS = dict(torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__)


@dataclasses.dataclass
class Run:
    """One golden training run. task: sst2 (2 classes), stsb (regression, pairs) or lm."""
    task: str
    adapter: peft.PeftConfig
    lr: float = 1e-3
    warmup: int = 0
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0


def lora(task, **options):
    return peft.LoraConfig(task_type="CAUSAL_LM" if task == "lm" else "SEQ_CLS", lora_dropout=0.0, **options)


def runs():
    return {
        "sst2-lora": Run("sst2", lora("sst2", r=8, lora_alpha=16, target_modules=ALL)),
        # Two kinds of linear only, a warmup and a tighter clip.
        "stsb-lora": Run("stsb", lora("stsb", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
                         lr=2e-3, warmup=5, max_grad_norm=0.5),
        "lm-lora": Run("lm", lora("lm", r=4, lora_alpha=16, target_modules=ALL)),
        # A regular expression that adapts the upper layer alone: nothing below it has a gradient.
        "sst2-lora-top": Run("sst2", lora("sst2", r=4, lora_alpha=4,
                                          target_modules=r"model\.layers\.1\.(self_attn\.[qo]_proj|mlp\.down_proj)"),
                             weight_decay=0.0),
        "sst2-lora-placed": Run("sst2", lora(
            "sst2", r=4, lora_alpha=8, target_modules=list(PLACED),
            rank_pattern={name: rank for name, rank in PLACED.items() if rank != 4},
            alpha_pattern={name: 2.0 * rank for name, rank in PLACED.items() if rank != 4})),
        "sst2-adalora": Run("sst2", peft.AdaLoraConfig(
            task_type="SEQ_CLS", target_modules=ALL, init_r=5, target_r=2, lora_alpha=8, lora_dropout=0.0, tinit=2,
            tfinal=6, deltaT=3, beta1=0.8, beta2=0.9, orth_reg_weight=0.3, total_step=STEPS), lr=5e-3),
        # No final phase: the last mask is that of step 18, and what it masked has grown again when it is saved.
        "lm-adalora": Run("lm", peft.AdaLoraConfig(
            task_type="CAUSAL_LM", target_modules=ALL, init_r=4, target_r=1, lora_alpha=12, lora_dropout=0.0, tinit=1,
            tfinal=0, deltaT=2, beta1=0.9, beta2=0.7, orth_reg_weight=0.1, total_step=STEPS), lr=3e-3, warmup=3),
    }


def sentences():
    """(texts, label) of the demo's training set, untouched: the trailing space stays."""
    with open(f"{DATA}/train.tsv", encoding="utf-8") as file:
        rows = [line.split("\t") for line in file.read().split("\n")[1:-1]]
    return [((text,), int(label)) for text, label in rows]


def pairs():
    """Regression rows of neighbouring sentences; the score is five times their share of common words."""
    rows = [text for (text,), _ in sentences()]
    out = []
    for i, first in enumerate(rows):
        second = rows[(i * 7 + 3) % len(rows)] if i % 2 else rows[(i + 1) % len(rows)]
        a, b = set(first.split()), set(second.split())
        out.append(((first, second), round(5.0 * len(a & b) / len(a | b), 3)))
    return out


def pad(rows, pad_id):
    width = max(map(len, rows))
    ids = torch.tensor([row + [pad_id] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])


def trainable(model):
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def dump(path, value):
    with open(path, "w", newline="\n") as out:
        json.dump(value, out)
        out.write("\n")


def save_adapter(model, folder):
    """As PEFT saves it, less its README; the config's order of targets is made repeatable."""
    model.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with open(f"{folder}/adapter_config.json") as file:
        config = json.load(file)
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    with open(f"{folder}/adapter_config.json", "w", newline="\n") as out:
        json.dump(config, out, indent=2, sort_keys=True)
        out.write("\n")
    return config


def build(run):
    torch.manual_seed(1)
    config = LlamaConfig.from_pretrained(MODEL)
    config.use_cache = False
    if run.task != "lm":
        config.num_labels = 1 if run.task == "stsb" else 2
    kind = LlamaForCausalLM if run.task == "lm" else LlamaForSequenceClassification
    model = kind.from_pretrained(MODEL, config=config, dtype=torch.float32, attn_implementation="eager")
    return peft.get_peft_model(model, run.adapter).float(), config.pad_token_id


def kept_ranks(model):
    return {name.replace("base_model.model.", "").replace(".lora_E.default", ""):
            [bool(x) for x in (p.flatten() != 0).tolist()] for name, p in model.named_parameters() if ".lora_E." in name}


def labels_of(run, ids, mask, values):
    if run.task == "lm":
        return ids.masked_fill(mask == 0, -100)
    return torch.tensor(values, dtype=torch.float32 if run.task == "stsb" else torch.long)


def trace(name, run):
    folder = f"{OUT}/train/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    tokenizer = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
    data = [(tokenizer.encode(*texts).ids, label) for texts, label in (pairs() if run.task == "stsb" else sentences())]
    model, pad_id = build(run)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=run.lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=run.weight_decay)
    schedule = get_linear_schedule_with_warmup(optimizer, run.warmup, STEPS)
    fixed = [data[(i * 131 + 7) % len(data)][0] for i in range(EVAL_ROWS)]

    def logits():
        model.eval()
        with torch.no_grad():
            ids, mask = pad(fixed, pad_id)
            out = model(input_ids=ids, attention_mask=mask).logits
        model.train()
        return [out[i, len(row) - 1, :8].tolist() for i, row in enumerate(fixed)] if run.task == "lm" else out.tolist()

    save_file(trainable(model), f"{folder}/init.safetensors", metadata={"format": "pt"})
    before, steps = logits(), []
    for i in range(STEPS):
        batch = [data[(i * BATCH + j) * 97 % len(data)] for j in range(BATCH)]
        ids, mask = pad([row for row, _ in batch], pad_id)
        labels = labels_of(run, ids, mask, [label for _, label in batch])
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, run.max_grad_norm)
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        adaptive = isinstance(run.adapter, peft.AdaLoraConfig)
        if adaptive:  # after the optimizer, before the gradients go: their product is the importance
            model.base_model.update_and_allocate(i)
        optimizer.zero_grad()
        steps.append(dict(step=i, input_ids=[row for row, _ in batch], labels=[label for _, label in batch],
                          loss=float(loss.detach()), grad_norm=float(norm.detach()), lr=rate,
                          **({"kept": kept_ranks(model)} if adaptive else {})))
    save_file(trainable(model), f"{folder}/final.safetensors", metadata={"format": "pt"})
    config = save_adapter(model, f"{folder}/adapter")
    dump(f"{folder}/trace.json", dict(
        task=run.task, method=config["peft_type"].lower(), model=MODEL, pad_token_id=pad_id,
        optimizer=dict(name="AdamW", lr=run.lr, betas=[0.9, 0.999], eps=1e-8, weight_decay=run.weight_decay,
                       schedule="linear", warmup=run.warmup, total_steps=STEPS, max_grad_norm=run.max_grad_norm),
        adapter=config, versions=VERSIONS, device="cpu", steps=steps))
    dump(f"{folder}/eval.json", dict(input_ids=fixed, before=before, after=logits()))
    print(f"{name}: loss {steps[0]['loss']:.5f} -> {steps[-1]['loss']:.5f}, norm {steps[0]['grad_norm']:.4f}")


def forward_configs():
    """Variants of the demo's config.json; all are over the demo's weights."""
    with open(f"{MODEL}/config.json") as file:
        demo = json.load(file)
    scaling = demo["rope_scaling"]
    old = {k: v for k, v in scaling.items() if k != "rope_type"} | {"type": "llama3"}
    flat = {k: v for k, v in demo.items() if k not in ("rope_scaling", "rope_theta", "torch_dtype")}
    return {
        "rope-llama3": demo,
        "rope-llama3-old-keys": demo | {"rope_scaling": old},
        "rope-llama3-parameters": flat | {"dtype": "float32",
                                          "rope_parameters": {"rope_theta": demo["rope_theta"], **scaling}},
        "rope-default": demo | {"rope_scaling": None},  # same theta: the difference is the scaling
        "tied": demo | {"tie_word_embeddings": True},
        "head-dim-32": demo | {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "rms_norm_eps": 1e-6},
    }


@contextlib.contextmanager
def checkpoint(config):
    """A folder with this config and the demo's weights, without lm_head where it is tied."""
    with tempfile.TemporaryDirectory() as folder:
        dump(f"{folder}/config.json", config)
        weights = load_file(f"{MODEL}/model.safetensors")
        if config["tie_word_embeddings"]:
            del weights["lm_head.weight"]
        save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
        yield folder


def forward(name, config):
    folder = f"{OUT}/forward/{name}"
    os.makedirs(folder, exist_ok=True)
    tokenizer = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
    rows = [tokenizer.encode(*texts).ids for texts, _ in sentences()[:3]]
    rows.append([752] + [(i * i * 13 + 5 * i) % 752 for i in range(159)])  # long enough for every frequency to act
    with checkpoint(config) as source:
        model = LlamaForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    out = []
    for row in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row])).logits[0].double()
        positions = [p for p in range(len(row)) if p % 8 == 0 or p == len(row) - 1]
        out.append(dict(input_ids=row, positions=[dict(
            pos=p, argmax=int(logits[p].argmax()), max_logit=float(logits[p].max()),
            logsumexp=float(logits[p].logsumexp(0)), logits_0_7=logits[p, :8].tolist()) for p in positions]))
    with open(f"{folder}/config.json", "w", newline="\n") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    dump(f"{folder}/logits.json", dict(model=MODEL, versions=VERSIONS, rows=out))
    print(f"{name}: last logits {[round(x, 4) for x in out[-1]['positions'][-1]['logits_0_7'][:4]]}")


def main():
    os.chdir(ROOT)
    torch.set_num_threads(1)  # one order of summation
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of train or forward goldens")
    only = parser.parse_args().only
    for name, config in forward_configs().items():
        if not only or name in only:
            forward(name, config)
    for name, run in runs().items():
        if not only or name in only:
            trace(name, run)


if __name__ == "__main__":
    main()
