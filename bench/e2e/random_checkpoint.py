#!/usr/bin/env python3
"""Writes a Llama checkpoint of random bf16 weights as a Hugging Face directory.

    bench/e2e/random_checkpoint.py CONFIG.json DIR

Matrices are normal with deviation 0.02, norms one, drawn on the GPU where there is one; one shard a few layers, four
written at a time. Needs PyTorch. For benchmarks: how fast weights load does not depend on what they are.
"""
import concurrent.futures
import json
import os
import shutil
import struct
import sys
import time

import torch

LAYERS_A_SHARD = 4


def tensors(config):
    """Names and shapes, in shards."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    layer = {"self_attn.q_proj": [q, hidden], "self_attn.k_proj": [kv, hidden], "self_attn.v_proj": [kv, hidden],
             "self_attn.o_proj": [hidden, q], "mlp.gate_proj": [inner, hidden], "mlp.up_proj": [inner, hidden],
             "mlp.down_proj": [hidden, inner], "input_layernorm": [hidden], "post_attention_layernorm": [hidden]}
    layers = range(config["num_hidden_layers"])
    shards = [{f"model.layers.{i}.{name}.weight": shape for i in layers[first:first + LAYERS_A_SHARD]
               for name, shape in layer.items()} for first in layers[::LAYERS_A_SHARD]]
    ends = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    if not config.get("tie_word_embeddings"):
        ends["lm_head.weight"] = [config["vocab_size"], hidden]
    return shards + [ends]


def write_shard(path, shapes, device, seed):
    """Safetensors: the header's length, a JSON header, the tensors. Returns bytes."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator(device).manual_seed(seed)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            t = torch.ones(shape, dtype=torch.bfloat16) if len(shape) == 1 else torch.empty(
                shape, dtype=torch.bfloat16, device=device).normal_(0, 0.02, generator=generator).cpu()
            f.write(memoryview(t.view(torch.uint8).numpy()))
    return end


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as f:
        config = json.load(f)
    os.makedirs(target, exist_ok=True)
    shutil.copy(source, os.path.join(target, "config.json"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shards = tensors(config)
    names = [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(lambda i: write_shard(os.path.join(target, names[i]), shards[i], device, i),
                             range(len(shards))))
    index = {"metadata": {"total_size": total},
             "weight_map": {name: names[i] for i, shapes in enumerate(shards) for name in shapes}}
    # Last: a directory with an index is whole.
    with open(os.path.join(target, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        json.dump(index, f)
    print(f"{target}: {total / 1e9:.1f} GB in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
