#!/usr/bin/env python3
"""A checkpoint from layout to layout: the right bytes in the right files, back to the same bytes, and training goes on.

What a layout's files must hold is cut out of the one-device checkpoint here, by the table of docs/checkpoints.md.
"""
import json
import os
import shutil
import struct
import subprocess
import sys

import tool

# layout -> data-parallel ranks, tensor-parallel ranks
LAYOUTS = {"ddp1": (1, 1), "tp2": (1, 2), "tp4": (1, 4), "ddp2": (2, 1), "ddp2,tp2": (2, 2)}
GLOBAL_BATCH = 8


def files(directory):
    out = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as f:
            out[name] = f.read()
    return out


def tensors(data):
    """name -> (dtype, shape, bytes) of a safetensors file."""
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    header.pop("__metadata__", None)
    return {n: (t["dtype"], t["shape"], body[t["data_offsets"][0]:t["data_offsets"][1]]) for n, t in header.items()}


def split_dimension(name):
    module, factor = name.removesuffix(".weight").rsplit(".", 1)
    row_layer = module.endswith(("o_proj", "down_proj"))
    if factor == "lora_B" and not row_layer:
        return 0
    if factor == "lora_A" and row_layer:
        return 1
    return None


def cut(tensor, dimension, parts, index):
    dtype, (rows, columns), data = tensor
    if dimension == 0:
        rows //= parts
        return dtype, [rows, columns], data[index * rows * columns * 4:(index + 1) * rows * columns * 4]
    width = columns // parts
    pieces = [data[(r * columns + index * width) * 4:(r * columns + (index + 1) * width) * 4] for r in range(rows)]
    return dtype, [rows, width], b"".join(pieces)


def expected(whole, tp):
    """Files of a layout with that many tensor-parallel ranks."""
    out = [{} for _ in range(tp)]
    for key, tensor in whole.items():
        dimension = split_dimension(key) if tp > 1 and "lora_" in key else None
        if dimension is None:
            out[0][key] = tensor
        else:
            for i in range(tp):
                out[i][key] = cut(tensor, dimension, tp, i)
    return out


def losses(directory):
    with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return {s["step"]: s["loss"] for s in lines if "loss" in s}


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--adapter", default="lora:r=4,alpha=8,targets=all-linear")
    args = p.parse_args()
    adapter = "--adapter=" + args.adapter
    with tool.scratch() as directory:
        os.chdir(directory)
        tool.run(args.llamac, "import", args.model, "-o", "model.mlir")

        def plan(layout):
            name = f"train-{layout}.fb"
            tool.run(args.llamac, "model.mlir", adapter, "--shard=" + layout, "--max-seq-length=64",
                     f"--per-device-batch-size={GLOBAL_BATCH // LAYOUTS[layout][0]}", "-o", name)
            return name

        def reshard(source, target):
            name = f"reshard-{source}-{target}.fb"
            if not os.path.exists(name):
                # Other flags may differ: the plan is about what is trained.
                tool.run(args.llamac, "model.mlir", adapter, "--reshard-from=" + source, "--shard=" + target, "-o", name)
            return name

        def train(layout, out, *flags):
            tool.run(args.llamarun, "train", plan(layout), "--weights", args.model, "--data", args.data,
                     "--output-dir", out, "--max-train-samples=400", "--learning-rate=3e-3", "--logging-steps=1",
                     "--eval-strategy=no", *flags)
            return losses(out)

        def convert(source, target, into, out, **expect):
            return tool.run(args.llamarun, "convert", reshard(source, target), "--in", into, "--out", out, **expect)

        train("ddp1", "first", "--max-steps=3", "--save-checkpoint=c")
        before = files("c")
        assert set(before) == {"SHA256SUMS", "checkpoint.json", "rank-00000.safetensors"}, sorted(before)
        whole = tensors(before["rank-00000.safetensors"])
        assert struct.unpack("<q", whole["state/optimizer.step"][2])[0] == 3
        kinds = ["second_moment/"] + ["sensitivity/", "uncertainty/"] * args.adapter.startswith("adalora")
        for kind in kinds:
            assert any(any(t[2]) for n, t in whole.items() if n.startswith(kind)), kind

        for layout, (dp, tp) in LAYOUTS.items():
            convert("ddp1", layout, "c", "there", has=[f"ddp1 -> {layout}"])
            there = files("there")
            want = expected(whole, tp)
            assert len(there) == tp + 2, (layout, sorted(there))
            for rank, content in enumerate(want):
                assert tensors(there[f"rank-{rank:05}.safetensors"]) == content, (layout, rank)
            # In place, and back to the same bytes.
            convert(layout, "ddp1", "there", "there")
            assert files("there") == before, layout
        # Around without ever being whole.
        route = ["ddp1", "tp2", "tp4", "ddp2,tp2", "ddp2", "tp4", "ddp1"]
        shutil.copytree("c", "around")
        for source, target in zip(route, route[1:]):
            convert(source, target, "around", "around")
        assert files("around") == before

        # Training goes on in any layout.
        alone = train("ddp1", "alone", "--max-steps=6", "--resume=c")
        assert sorted(alone) == [4, 5, 6], alone
        for layout in ("tp2", "ddp2", "ddp2,tp2"):
            convert("ddp1", layout, "c", "there")
            other = train(layout, "other-" + layout, "--max-steps=6", "--resume=there", "--save-checkpoint=after")
            assert sorted(other) == [4, 5, 6], other
            for step in alone:
                assert abs(other[step] - alone[step]) <= 1e-5 * abs(alone[step]), (layout, step, other, alone)
            convert(layout, "ddp1", "after", "after")
            assert struct.unpack("<q", tensors(files("after")["rank-00000.safetensors"])["state/optimizer.step"][2]
                                 )[0] == 6
            # The same without converting first.
            direct = train(layout, "direct-" + layout, "--max-steps=6", "--resume=c", "--save-checkpoint=direct")
            convert(layout, "ddp1", "direct", "direct")
            assert direct == other and files("direct") == files("after"), layout
        # Bad input.
        convert("tp2", "ddp1", "c", "never", code=3, has=["is laid out for ddp1", "converts from tp2"])
        tool.run(args.llamarun, "convert", "train-ddp1.fb", "--in", "c", "--out", "never", code=3,
                 has=["is no plan that changes layouts"])
        damaged = bytearray(before["rank-00000.safetensors"])
        damaged[-9] ^= 1
        with open("c/rank-00000.safetensors", "wb") as f:
            f.write(damaged)
        convert("ddp1", "tp2", "c", "never", code=3, has=["rank-00000.safetensors", "tensor '", "is damaged"])
        with open("c/rank-00000.safetensors", "wb") as f:
            f.write(damaged[:-100])
        convert("ddp1", "tp2", "c", "never", code=3, has=["rank-00000.safetensors", "truncated"])
        assert not [n for n in os.listdir(".") if n.startswith("never")]
        uneven = subprocess.run([args.llamac, "model.mlir", adapter, "--reshard-from=ddp1", "--shard=tp3", "-o", "no.fb"],
                                capture_output=True, text=True)
        assert uneven.returncode == 2 and "has no 3 equal parts; tp can be 1, 2, 4" in uneven.stderr, uneven.stderr
        tool.run(args.llamac, "model.mlir", adapter, "--reshard-from=pp2", "--shard=tp2", "-o", "never.fb", code=2,
                 has=["--reshard-from: 'pp2' is not ddpN or tpN"])


if __name__ == "__main__":
    sys.exit(main())
