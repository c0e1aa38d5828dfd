"""Reads saved adapters without any library, and compares them."""
import json
import os
import struct


def read_tensors(directory):
    """Float32 tensors of a PEFT directory, by name."""
    with open(os.path.join(directory, "adapter_model.safetensors"), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: struct.unpack(f"<{(e - b) // 4}f", data[b:e])
            for name, (b, e) in ((n, t["data_offsets"]) for n, t in header.items())}


def relative(a, b):
    """norm(a - b) / norm(b)"""
    difference = sum((x - y) ** 2 for x, y in zip(a, b)) ** 0.5
    return difference / max(1e-30, sum(y * y for y in b) ** 0.5)


def farthest(ours, theirs):
    """The largest relative() over the tensors of two adapters, which must have the same ones."""
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    return max(relative(ours[name], theirs[name]) for name in theirs)
