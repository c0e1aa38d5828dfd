#!/usr/bin/env python3
"""Plans for GPUs compile here, GPU or not, and llamarun reads them: in both precisions, for one architecture and for
all later ones. Without a GPU running one says so.
"""
import ctypes
import json
import os
import subprocess
import sys

import tool

NO_KERNELS = "built without nvcc"


def has_driver():
    try:
        return ctypes.CDLL("libcuda.so.1") is not None
    except OSError:
        return False


def compile_for(args, model, directory, *flags, task="sst2"):
    plan = os.path.join(directory, "plan.fb")
    command = [args.llamac, model, "--target=cuda", "--task=" + task, "--adapter=lora:r=16,targets=all-linear",
               *flags, "-o", plan]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    if NO_KERNELS in done.stdout:
        tool.skip("this llamac has no CUDA kernels")
    assert done.returncode == 0, (command, done.stdout)
    return plan, json.loads(tool.run(args.llamarun, "inspect", plan, "--json"))


def check(plan, dtype, ptx):
    """What inspect tells of one plan agrees with its flags and with itself."""
    assert plan["target"]["kind"] == "cuda" and plan["target"]["arch"] == "sm_90", plan["target"]
    compute = {"bfloat16": "bf16", "float32": "f32"}[dtype]
    assert plan["model"]["compute"] == compute, plan["model"]
    types = {(t["role"], t["dtype"]) for t in plan["tensors"] if t["role"] in ("weight", "parameter", "gradient")}
    assert types == {("weight", compute), ("parameter", "f32"), ("gradient", "f32")}, types
    # Every adapted weight is rows of a wider matrix, next to its factors.
    adapted = {module + ".weight" for module in plan["adapter"]["modules"]}
    apart = {t["name"] for t in plan["tensors"] if t["role"] == "weight" and t["pitch"] > t["local_shape"][-1]}
    assert apart == adapted, apart ^ adapted
    formats = [code["format"].lower() for code in plan["code_objects"]]
    assert set(formats) == {"ptx"} if ptx else "cubin" in formats, formats
    for program in plan["programs"]:
        train = program["kind"] == "train"
        assert program["streams"] == (2 if train else 1), program
        assert program["programmatic_launches"] > 0, program


def model_sizes(args, directory):
    """A published model's shapes: half the bytes in bf16, and the same plan twice."""
    sizes = {}
    for dtype in ("bfloat16", "float32"):
        for arch in ("sm_90", "sm_90+"):
            flags = ["--dtype=" + dtype, "--arch=" + arch]
            path, plan = compile_for(args, args.shapes, directory, *flags)
            check(plan, dtype, arch.endswith("+"))
            sizes[dtype] = plan["memory"]["weights"]
            with open(path, "rb") as f:
                first = f.read()
    with open(compile_for(args, args.shapes, directory, *flags)[0], "rb") as f:
        assert f.read() == first, "two compilations differ"
    assert 1.99 < sizes["float32"] / sizes["bfloat16"] < 2.01, sizes


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True, help="Hugging Face directory")
    p.add_argument("--data", required=True)
    p.add_argument("--shapes", required=True, help="model.mlir of a published model")
    args = p.parse_args()
    with tool.scratch() as directory:
        model = os.path.join(directory, "model.mlir")
        tool.run(args.llamac, "import", args.model, "-o", model)
        for dtype in ("float32", "bfloat16"):
            for arch in ("sm_90+", "sm_90"):
                path, plan = compile_for(args, model, directory, "--dtype=" + dtype, "--arch=" + arch)
                check(plan, dtype, arch.endswith("+"))
        # Bfloat16 for sm_90 is what cuda means, and folding can be left out.
        _, default = compile_for(args, model, directory)
        assert default["hash"] == plan["hash"], (default["flags"], plan["flags"])
        _, apart = compile_for(args, model, directory, "--fold-adapters=off")
        assert not any(t["pitch"] for t in apart["tensors"]), apart["flags"]
        for task in ("stsb", "lm"):
            compile_for(args, model, directory, "--gradient-accumulation-steps=2", task=task)
        if not has_driver():
            common = [path, "--weights", args.model, "--data", args.data]
            out = os.path.join(directory, "out")
            for command in (["train", *common, "--output-dir", out], ["bench", *common[:3]],
                            ["eval", *common, "--adapter", out]):
                tool.run(args.llamarun, *command, code=3, has=["llamarun: error: plan is for cuda, but "])
            assert not os.path.exists(out), "a run that cannot be left a folder"
        model_sizes(args, directory)


if __name__ == "__main__":
    sys.exit(main())
