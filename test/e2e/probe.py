#!/usr/bin/env python3
"""Probes: what hooks on Transformers and PEFT see (test/golden/probe), in every layout, the same bytes each time.

Then adapters placed by them: the same plan each time, ranks that the report explains, an adapter in PEFT's terms.
"""
import json
import math
import os
import sys

import tool

PARTS = ("input", "output", "output_gradient")
ADAPTER = "--adapter=lora:r=8,alpha=16,targets=all-linear"


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def close(ours, theirs, tolerance, floor=0.0):
    return abs(ours - theirs) <= tolerance * abs(theirs) + floor


def compare(name, ours, golden):
    """Statistics of tokens within 1e-5, gradients 1e-4. A mean that is a sum of both signs is held against the
    deviation; a share of zeros may be off by two elements at the threshold's edge."""
    assert (ours["tokens"], ours["samples"]) == (golden["tokens"], golden["rows"]), (name, ours["tokens"])
    assert close(ours["loss"], golden["loss"], 1e-5), (name, ours["loss"], golden["loss"])
    assert ours["modules"].keys() == golden["modules"].keys(), (name, ours["modules"].keys())
    worst = 0
    for module, theirs in golden["modules"].items():
        mine = ours["modules"][module]
        for part in PARTS:
            a, b = mine[part], theirs[part]
            tolerance = 1e-4 if part == "output_gradient" else 1e-5
            where = (name, module, part, a, b)
            assert a["count"] == b["count"], where
            assert close(a["mean"], b["mean"], 0, tolerance * b["std"]), where
            for key in ("std", "rms", "max_abs"):
                assert close(a[key], b[key], tolerance), where
                worst = max(worst, abs(a[key] / b[key] - 1))
            # Exact zeros of gradients are float64's where float32 rounds to almost zero.
            if part != "output_gradient":
                assert abs(a["sparsity"] - b["sparsity"]) * b["count"] <= 2.5, where
        assert mine["weight"]["shape"] == theirs["weight"]["shape"], (name, module)
        assert close(mine["weight"]["norm"], theirs["weight"]["norm"], 1e-5), (name, module)
        for key, value in theirs["weight_gradient"].items():
            assert close(mine["weight_gradient"][key], value, 1e-4), (name, module, key, mine["weight_gradient"], value)
            worst = max(worst, abs(mine["weight_gradient"][key] / value - 1))
    print(f"{name}: within {worst:.1e} of the reference")


def check_stream(path, whole, golden):
    """The lines of the batches add up to the file."""
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert [line["batch"] for line in lines] == list(range(len(golden["batch_losses"]))), lines
    assert [line["samples"] for line in lines] == [8, 8, 4]
    for line, loss in zip(lines, golden["batch_losses"]):
        assert close(line["loss"], loss, 1e-5), (line["loss"], loss)
    for module, sums in whole["modules"].items():
        for part in PARTS:
            of = [line["modules"][module][part] for line in lines]
            count = sum(x["count"] for x in of)
            rms = math.sqrt(sum(x["count"] * x["rms"] ** 2 for x in of) / count)
            assert count == sums[part]["count"] and close(rms, sums[part]["rms"], 1e-12), (module, part)
            assert max(x["max_abs"] for x in of) == sums[part]["max_abs"], (module, part)


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--golden", required=True, help="test/golden")
    args = p.parse_args()
    reference = os.path.join(args.golden, "probe", "sst2-lora.json")
    golden = read(reference)
    with tool.scratch() as directory:
        mlir, out = os.path.join(directory, "model.mlir"), os.path.join(directory, "probe.json")
        tool.run(args.llamac, "import", args.model, "-o", mlir)

        def probe_plan(*flags, batch=golden["batch"], task="sst2"):
            plan = os.path.join(directory, "probe.fb")
            tool.run(args.llamac, mlir, "--target=cpu", f"--task={task}", f"--per-device-batch-size={batch}",
                     "--max-seq-length=128", "--buckets=128,256,512", *flags, "-o", plan)
            return plan

        def probe(plan, *flags):
            tool.run(args.llamarun, "probe", plan, "--weights", args.model, "--data", args.data, "--max-samples",
                     golden["rows"], "--output", out, *flags, has=[f"{golden['rows']} samples"])
            with open(out, "rb") as f:
                return f.read()

        trained = ["--adapter", os.path.join(args.golden, "train/sst2-lora/adapter")]
        plan = probe_plan("--probe=activations", ADAPTER)
        stream = os.path.join(directory, "stream.jsonl")
        first = probe(plan, *trained, "--stream", stream, "--threads=1")
        compare("one device", json.loads(first), golden)
        check_stream(stream, json.loads(first), golden)
        assert probe(plan, *trained, "--threads=2") == first, "other threads, other bytes"
        # The comparison can fail: without the trained adapter it is another model.
        probe(plan)
        assert not close(read(out)["loss"], golden["loss"], 1e-3)

        for shard, batch in ("ddp2,tp2", 4), ("tp2 --sequence-parallel", 8):
            probe(probe_plan("--probe=activations", ADAPTER, *f"--shard={shard}".split(), batch=batch), *trained)
            compare(shard, read(out), golden)
        # Stored weights with their adapters folded in are looked at as they were.
        probe(probe_plan("--probe=activations", ADAPTER, "--fold-adapters=on"), *trained)
        compare("folded", read(out), golden)

        # Some layers, another threshold, no adapter; without a head, too.
        probe(probe_plan("--probe=activations:.*layers\\.1\\.mlp\\..*", "--probe-threshold=0"))
        few = read(out)["modules"]
        assert list(few) == [f"model.layers.1.mlp.{x}_proj" for x in ("gate", "up", "down")], list(few)
        assert few["model.layers.1.mlp.up_proj"]["input"]["sparsity"] == 0
        probe(probe_plan("--probe=activations", task="lm"))
        assert len(read(out)["modules"]) == len(golden["modules"])

        # What is no probe, or nothing to look at.
        tool.run(args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir",
                 os.path.join(directory, "no"), code=3, has=["has no program that trains"])
        plain = os.path.join(directory, "plain.fb")
        tool.run(args.llamac, mlir, "--target=cpu", "--buckets=128", "-o", plain)
        tool.run(args.llamarun, "probe", plain, "--weights", args.model, "--data", args.data, "--output", out, code=2,
                 has=["has no probes; compile it with llamac --probe=activations"])

        place(args, directory, mlir, reference)


def place(args, directory, mlir, reference):
    """By the reference's probes: half the parameters, in proportion to gradient norms."""
    def compiled(name, placement, *flags):
        plan = os.path.join(directory, name)
        text = tool.run(args.llamac, mlir, "--target=cpu", "--task=sst2", "--per-device-batch-size=8",
                        "--max-seq-length=64", "--report", placement, *flags, "-o", plan)
        with open(plan, "rb") as f:
            return plan, f.read(), text

    proportional = f"--adapter=lora:r=4,alpha=8,targets=all-linear,placement={reference},budget=0.5,rule=proportional"
    plan, first, text = compiled("a.fb", proportional)
    assert compiled("b.fb", proportional)[1] == first, "another compile, other bytes"
    for line in ("placement by weight_gradient.norm, rule proportional: 8,064 of 8,192 parameters",
                 "model.layers.0.mlp.down_proj", "12 of 14 layers have an adapter"):
        assert line in text, text
    out = os.path.join(directory, "placed")
    tool.run(args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out,
             "--max-steps=3", "--eval-strategy=no")
    ours = read(os.path.join(out, "adapter_config.json"))
    # The ranks that scripts/make_goldens.py gave PEFT for test/golden/train/sst2-lora-placed.
    theirs = read(os.path.join(args.golden, "train/sst2-lora-placed/adapter/adapter_config.json"))
    for key in ("r", "lora_alpha", "rank_pattern", "alpha_pattern"):
        assert ours[key] == theirs[key], (key, ours[key], theirs[key])
    assert sorted(ours["target_modules"]) == theirs["target_modules"], ours["target_modules"]
    # ... and so it loads what PEFT trained with them.
    tool.run(args.llamarun, "eval", plan, "--weights", args.model, "--data", args.data, "--adapter",
             os.path.join(args.golden, "train/sst2-lora-placed/adapter"), "--max-eval-samples=16", has=["accuracy"])

    top = f"placement={reference},budget=0.5,statistic=weight_gradient.sensitivity"
    compiled("c.fb", f"--adapter=adalora:init_r=4,target_r=2,targets=all-linear,{top}")
    tool.run(args.llamac, mlir, f"--adapter=lora:placement={directory}/none.json", "-o", plan, code=2,
             has=["none.json: No such file"])
    tool.run(args.llamac, mlir, "--adapter=lora:budget=0.5", "-o", plan, code=2, has=["is of a placement=probe.json"])


if __name__ == "__main__":
    sys.exit(main())
