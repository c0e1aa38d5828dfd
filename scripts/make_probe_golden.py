#!/usr/bin/env python3
"""Makes test/golden/probe: what hooks on Transformers and PEFT see, in float64 on the CPU.

    pip install torch transformers peft && scripts/make_probe_golden.py

The adapter of test/golden/train/sst2-lora on the demo checkpoint, over the first rows of the demo's training set in
batches. Of each linear layer: its input, its output (with the adapter), the gradient of that output and of the frozen
weight, both of the batch's mean loss. Nothing of llamac runs here; test/e2e/probe.py compares. The file is what llamac
takes as placement=.
"""
import os

import make_goldens as goldens
import torch
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForSequenceClassification

ADAPTER, OUT = "test/golden/train/sst2-lora/adapter", "test/golden/probe"
ROWS, BATCH, THRESHOLD = 20, 8, 0.01


def statistics(values, threshold):
    x = torch.cat(values)
    return dict(count=x.numel(), mean=float(x.mean()), std=float(x.std(correction=0)),
                rms=float(x.square().mean().sqrt()), max_abs=float(x.abs().max()),
                sparsity=float((x.abs() <= threshold).double().mean()))


def main():
    os.chdir(goldens.ROOT)
    torch.set_num_threads(1)
    config = LlamaConfig.from_pretrained(goldens.MODEL)
    config.use_cache, config.num_labels = False, 2
    base = LlamaForSequenceClassification.from_pretrained(goldens.MODEL, config=config, dtype=torch.float32,
                                                          attn_implementation="eager")
    model = PeftModel.from_pretrained(base, ADAPTER).double().eval()
    layers = {name.removeprefix("base_model.model."): module for name, module in model.named_modules()
              if hasattr(module, "lora_A")}
    seen = {}
    for name, layer in layers.items():
        layer.base_layer.weight.requires_grad_(True)

        def hook(_, inputs, output, name=name):
            output.retain_grad()
            seen[name] = (inputs[0], output)

        layer.register_forward_hook(hook)
    model.get_input_embeddings().weight.requires_grad_(True)  # so that the first layer's output has a gradient

    tokenizer = Tokenizer.from_file(f"{goldens.MODEL}/tokenizer.json")
    data = [(tokenizer.encode(*texts).ids, label) for texts, label in goldens.sentences()[:ROWS]]
    rows = {name: dict(input=[], output=[], output_gradient=[]) for name in layers}
    weights = {name: dict(norm=[], relative_norm=[], sensitivity=[]) for name in layers}
    losses, tokens = [], 0
    for first in range(0, ROWS, BATCH):
        batch = data[first:first + BATCH]
        ids, mask = goldens.pad([row for row, _ in batch], config.pad_token_id)
        model.zero_grad()
        loss = model(input_ids=ids, attention_mask=mask, labels=torch.tensor([label for _, label in batch])).loss
        loss.backward()
        losses.append(float(loss.detach()))
        tokens += int(mask.sum())
        real = mask.bool()
        for name, layer in layers.items():
            x, y = seen[name]
            for part, value in (("input", x), ("output", y), ("output_gradient", y.grad)):
                rows[name][part].append(value.detach()[real])
            w, g = layer.base_layer.weight.detach(), layer.base_layer.weight.grad
            weights[name]["norm"].append(float(g.norm()))
            weights[name]["relative_norm"].append(float(g.norm() / w.norm()))
            weights[name]["sensitivity"].append(float((w * g).abs().mean()))
    modules = {}
    for name, layer in layers.items():
        modules[name] = {part: statistics(values, 0.0 if part == "output_gradient" else THRESHOLD)
                         for part, values in rows[name].items()}
        w = layer.base_layer.weight
        modules[name]["weight"] = dict(shape=list(w.shape), norm=float(w.detach().norm()))
        modules[name]["weight_gradient"] = {k: sum(v) / len(v) for k, v in weights[name].items()}
    os.makedirs(OUT, exist_ok=True)
    goldens.dump(f"{OUT}/sst2-lora.json", dict(
        format="llamac-probe", version=1, model=goldens.MODEL, adapter=ADAPTER, rows=ROWS, batch=BATCH, threshold=THRESHOLD, tokens=tokens,
        loss=sum(losses) / len(losses), batch_losses=losses, versions=goldens.VERSIONS, modules=modules))
    print(f"{len(modules)} layers, {tokens} tokens, loss {sum(losses) / len(losses):.6f}")


if __name__ == "__main__":
    main()
