"""The base model a reference run really had.

A tied checkpoint may store the embedding under `lm_head.weight` only. Transformers' classification classes do not
read that name: they report `model.embed_tokens.weight` as missing and draw it anew, N(0, initializer_range), as the
first tensor after `torch.manual_seed(seed)`, and set the row of the padding token to zero. llamarun reads the tied tensor instead, which is what the checkpoint
means; to replay such a reference run, this makes a copy of the checkpoint with the embedding that Transformers drew.
Without torch: its CPU generator is MT19937, 24 bits a draw, and Box-Muller over blocks of 16
(aten/src/ATen/native/cpu/DistributionTemplates.h, normal_fill). Checked against torch 2.11: 4e-8 at most.
"""
import json
import math
import os
import random
import shutil
import struct


def torch_generator(seed):
    """Python's generator in the state that torch.manual_seed gives MT19937."""
    state = [seed & 0xFFFFFFFF]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
    generator = random.Random()
    generator.setstate((3, tuple(state) + (624,), None))
    return generator


def torch_normal(seed, count, std):
    """torch.manual_seed(seed); torch.empty(count).normal_(0, std), count a multiple of 16."""
    generator = torch_generator(seed)
    u = [(generator.getrandbits(32) & 0xFFFFFF) / 16777216.0 for _ in range(count)]
    for block in range(0, count, 16):
        for i in range(block, block + 8):
            radius, angle = math.sqrt(-2 * math.log(1 - u[i])) * std, 2 * math.pi * u[i + 8]
            u[i], u[i + 8] = radius * math.cos(angle), radius * math.sin(angle)
    return u


def read_header(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        return json.loads(f.read(size)), 8 + size


def as_reference_loaded(model, task, pad, directory, seed=1):
    """The folder to replay with: `model` itself, or the copy described above in `directory`."""
    weights = os.path.join(model, "model.safetensors")
    header, start = read_header(weights)
    if task == "lm" or "model.embed_tokens.weight" in header:
        return model
    with open(os.path.join(model, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    copy = os.path.join(directory, "reference-model")
    shutil.copytree(model, copy)
    shape = [config["vocab_size"], config["hidden_size"]]
    count = shape[0] * shape[1]
    with open(weights, "rb") as f:
        f.seek(start)
        data = f.read()
    table = torch_normal(seed, count, config.get("initializer_range", 0.02))
    if pad is not None:
        table[pad * shape[1]:(pad + 1) * shape[1]] = [0.0] * shape[1]
    data += struct.pack(f"<{count}f", *table)
    header["model.embed_tokens.weight"] = {"dtype": "F32", "shape": shape,
                                           "data_offsets": [len(data) - 4 * count, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target = os.path.join(copy, "model.safetensors")
    os.chmod(target, 0o644)
    with open(target, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    return copy
