"""The checkpoint that a reference run of a classifier really had.

A checkpoint with tied embeddings may store them only as lm_head.weight. A causal LM of Transformers ties them back; a
sequence classifier has no lm_head, takes model.embed_tokens.weight for missing and draws it anew: N(0, 0.02) from the
generator of torch.manual_seed(), the row of the padding token zero (transformers/modeling_utils.py, "newly initialized").
llamarun uses the stored embedding instead, so to replay such a run its checkpoint must hold what the reference drew.
"""
import json
import math
import os
import random
import shutil
import struct

EMBEDDING, HEAD, WEIGHTS = "model.embed_tokens.weight", "lm_head.weight", "model.safetensors"


def torch_normal(count, std, seed):
    """The first `count` (a multiple of 16) of torch's CPU normal_() in float32 after manual_seed(seed).

    ATen fills with uniforms of 24 bits of MT19937 and transforms blocks of 16 after Box and Muller
    (aten/src/ATen/native/cpu/DistributionTemplates.h, normal_fill). Equal to it but for rounding.
    """
    state = [seed]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
    twister = random.Random()
    twister.setstate((3, tuple(state) + (624,), None))
    values = [(twister.getrandbits(32) & 0xFFFFFF) / (1 << 24) for _ in range(count)]
    for block in range(0, count, 16):
        for i in range(block, block + 8):
            radius = std * math.sqrt(-2 * math.log(1 - values[i]))
            angle = 2 * math.pi * values[i + 8]
            values[i], values[i + 8] = radius * math.cos(angle), radius * math.sin(angle)
    return values


def with_drawn_embedding(model, target, pad, seed):
    """Copies the checkpoint `model` to `target`, with the embedding drawn if it is missing. Returns the directory."""
    with open(os.path.join(model, WEIGHTS), "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    if EMBEDDING in header:
        return model
    rows, columns = header[HEAD]["shape"]
    values = torch_normal(rows * columns, 0.02, seed)
    values[pad * columns:(pad + 1) * columns] = [0.0] * columns
    drawn = struct.pack(f"<{len(values)}f", *values)
    header[EMBEDDING] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [len(data), len(data) + len(drawn)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    shutil.copytree(model, target)
    with open(os.path.join(target, WEIGHTS), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data + drawn)
    return target
