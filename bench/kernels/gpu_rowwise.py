#!/usr/bin/env python3
"""Writes the plan that bench/kernels/gpu_rowwise.cpp times.

One program per case: `launches` times the same kernel. The kernels are what the
passes make of llm ops (for the optimizer: of a model), so what is timed is what
a training step runs. A program is called <reference>-<columns>x<rows>; the
reference is a function of the runner.

    gpu_rowwise.py BIN_DIR OUT.fb [--arch sm_90] [--format cubin|ptx] [--only REGEX]
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIG = 256 << 20  # bytes of a large matrix: several times the L2
LAUNCHES = {"big": 8, "small": 100}  # in one graph


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{text}\n{done.stderr}")
    return done.stdout


def inline_maps(module):
    """A printed module with its aliases written out."""
    maps = dict(re.findall(r"^(#map\d*) = (.*)$", module, re.M))
    return re.sub(r"#map\d*\b", lambda m: maps[m.group()], module)


class Kernel:
    """An llm.rowwise as text: its tensors in order, each once."""

    def __init__(self, op):
        op = re.sub(r"%(\w+)#(\d+)", r"%v\1_\2", op)
        names, types = re.search(r"ins\(([^:]*) : ([^)]*)\)", op).groups()
        self.op = op
        self.inputs = dict(zip(names.split(", "), types.split(", ")))
        self.results = re.search(r"-> \(([^)]*)\) \{", op).group(1).split(", ")
        self.rows = int(re.search(r"rows\((\d+)\)", op).group(1))
        self.elements = [re.search(r"x([a-z]\w*)>", t).group(1) for t in self.inputs.values()]

    def text(self, symbol):
        arguments = ", ".join(f"{n}: {t}" for n, t in self.inputs.items())
        return (f'  plan.kernel @kernel_{symbol} "{symbol}" {{\n  ^bb0({arguments}):\n'
                f"    %out:{len(self.results)} = {self.op}\n  }}\n")


class Maker:
    def __init__(self, tools):
        self.opt, self.llamac = tools / "llama-opt", tools / "llamac"

    def fused(self, arguments, *calls, wanted=None):
        """The first rowwise op that the passes make of `calls`: (op, operands,
        types of its results[, attributes]). Operands a0... are the arguments,
        v0... the first result of a call. The function returns what the call
        numbered `wanted` gives, or all."""
        types = {f"a{i}": t for i, t in enumerate(arguments)}
        lines, returned = [], []
        for i, (op, operands, results, *attributes) in enumerate(calls):
            operands = operands.split()
            types[f"v{i}"] = results[0]
            lines.append(f'%v{i}:{len(results)} = "llm.{op}"({", ".join("%" + o for o in operands)})'
                         f" {{{', '.join(attributes)}}} : ({', '.join(types[o] for o in operands)})"
                         f" -> ({', '.join(results)})")
            if wanted in (None, i):
                returned += [(f"%v{i}#{j}", t) for j, t in enumerate(results)]
        heads = ", ".join(f"%a{i}: {t}" for i, t in enumerate(arguments))
        ends = ", ".join(t for _, t in returned)
        lines.append(f"return {', '.join(v for v, _ in returned)} : {ends}")
        text = f"func.func @f({heads}) -> ({ends}) {{\n" + "\n".join(lines) + "\n}\n"
        out = inline_maps(run(self.opt, "--fuse-lower-to-rowwise", "--fuse-rowwise", "-", text=text))
        return Kernel(re.search(r"^    (?:%\S+ = )?(llm\.rowwise .*?^    \}.*?)$", out,
                                re.M | re.S).group(1))

    def of_model(self, source, rows):
        """The kernel `source` of a small model, with other rows."""
        if not hasattr(self, "model"):
            with tempfile.NamedTemporaryFile(suffix=".mlir") as out:
                run(self.llamac, ROOT / "models/tiny.mlir", "--target=cpu", "--adapter=lora:r=4",
                    "--task=sst2", "--compile-to=fused", "-o", out.name)
                self.model = inline_maps(pathlib.Path(out.name).read_text())
        for match in re.finditer(r"^    (?:%\S+ = )?(llm\.rowwise .*?^    \}.*?)$", self.model,
                                 re.M | re.S):
            if f'llm.source = "{source}"' in match.group(1):
                break
        else:
            raise SystemExit(f"the model has no {source}")
        op = match.group(1)
        old = re.search(r"rows\((\d+)\)", op).group(1)
        op = op.replace(f"rows({old})", f"rows({rows})")
        return Kernel(re.sub(rf"tensor<{old}(x|>)", lambda m: f"tensor<{rows}{m.group(1)}", op))


def row_cases(make, cols, e):
    """Functions of the rows for columns of element type `e`, by reference."""
    def matrix(rows):
        return f"tensor<{rows}x{cols}x{e}>"

    vector = f"tensor<{cols}x{e}>"

    def indices(rows):
        return f"tensor<{rows}xi32>"

    def add_norm(rows):
        m = matrix(rows)
        return make.fused([m, m, vector], ("add", "a0 a1", [m]),
                          ("rms_norm", "v0 a2", [m], "eps = 1.0e-05 : f64"))

    def norm_grad_add(rows):
        # The norm's gradient is wanted in the sum only.
        m = matrix(rows)
        return make.fused([m, vector, m, m],
                          ("rms_norm_grad", "a0 a1 a2", [m], "eps = 1.0e-05 : f64"),
                          ("add", "v0 a3", [m]), wanted=1)

    def swiglu(rows):
        m = matrix(rows)
        return make.fused([m, m], ("swiglu", "a0 a1", [m]))

    def swiglu_grad(rows):
        m = matrix(rows)
        return make.fused([m, m, m], ("swiglu_grad", "a0 a1 a2", [m, m]))

    def gather(rows):
        m, i = matrix(rows), indices(rows)
        return make.fused([m, i, i], ("gather_rows", "a0 a1 a2", [m]))

    def scatter(rows):
        m, i = matrix(rows), indices(rows)
        return make.fused([m, i], ("scatter_rows", "a0 a1", [m]))

    def rope(rows):
        m, a = matrix(rows), f"tensor<{rows}x64xf32>"
        return make.fused([m, a, a], ("rope", "a0 a1 a2", [m]))

    return locals()


def rope_split(rows, heads=8, first=4096, width=6144):
    """Keys out of the product with the stacked q, k and v weights, turned."""
    x, a, y = (f"tensor<{rows}x{width}xbf16>", f"tensor<{rows}x64xf32>",
               f"tensor<{rows}x{heads * 128}xbf16>")

    def at(offset):
        return f"affine_map<(r, c) -> (r floordiv {heads}, (r mod {heads}) * 128 + c + {offset})>"

    angle = f"affine_map<(r, c) -> (r floordiv {heads}, c)>"
    return Kernel(f"""llm.rowwise rows({rows * heads}) cols(64) ins(%x, %x, %c, %s : {x}, {x}, {a}, {a})
      maps [{at(first)}, {at(first + 64)}, {angle}, {angle}] indexed_by [-1, -1, -1, -1]
      outs [0, 0] at [{at(0)}, {at(64)}] -> ({y}) {{
    ^bb0(%l: bf16, %h: bf16, %cos: f32, %sin: f32):
      %lo = arith.extf %l : bf16 to f32
      %hi = arith.extf %h : bf16 to f32
      %a = arith.mulf %lo, %cos : f32
      %b = arith.mulf %hi, %sin : f32
      %d = arith.mulf %hi, %cos : f32
      %e = arith.mulf %lo, %sin : f32
      %f = arith.subf %a, %b : f32
      %g = arith.addf %d, %e : f32
      %i = arith.truncf %f : f32 to bf16
      %j = arith.truncf %g : f32 to bf16
      llm.yield %i, %j : bf16, bf16
    }}""")


def total(count):
    v = f"tensor<{count}xf32>"
    return Kernel(f"""llm.rowwise rows(1) cols({count}) ins(%v : {v})
      maps [affine_map<(r, c) -> (c)>] indexed_by [-1] outs [0] at [affine_map<(r, c) -> (0)>] -> (tensor<1xf32>) {{
    ^bb0(%x: f32):
      %s = llm.row_reduce add %x : f32
      llm.yield %s : f32
    }}""")


def cases(make):
    """(reference, columns, rows, launches, kernel, which inputs the results
    overwrite). Those that overwrite come last: they change what others read."""
    def sizes(name, cols, text, big, small=(128,), inplace=()):
        for rows, launches in [(big, "big")] + [(r, "small") for r in small]:
            yield name, cols, rows, launches, text(rows), inplace

    names = ["add_norm", "norm_grad_add", "swiglu", "swiglu_grad", "gather", "scatter", "rope"]
    for cols in (4096, 14336):
        kernels = row_cases(make, cols, "bf16")
        for name in names:
            yield from sizes(name, cols, kernels[name], BIG // (2 * cols), (8, 128))
    for name in names[:4]:
        yield from sizes(f"{name}_f32", 4096, row_cases(make, 4096, "f32")[name], BIG // 16384)
    yield from sizes("rope_split", 1024, rope_split, BIG // (2 * 6144))

    def loss(rows, cols=128256, gradient=False):
        m, i, o = f"tensor<{rows}x{cols}xbf16>", f"tensor<{rows}xi32>", "tensor<1xf32>"
        if gradient:
            return make.fused([m, i, o, o], ("cross_entropy_grad", "a0 a1 a2 a3", [m]))
        return make.fused([m, i, o], ("cross_entropy", "a0 a1 a2", [o]))

    yield from sizes("cross_entropy", 128256, loss, 1040)
    yield from sizes("cross_entropy_grad", 128256, lambda r: loss(r, gradient=True), 1040)

    # What fuse-share-softmax makes of both.
    def shared(rows, cols=128256, gradient=False):
        m, i, o = f"tensor<{rows}x{cols}xbf16>", f"tensor<{rows}xi32>", "tensor<1xf32>"
        if gradient:
            return make.fused([m, f"tensor<{rows}x2xf32>", i, o, o],
                              ("cross_entropy_parts_grad", "a0 a1 a2 a2 a3 a4", [m]))
        return make.fused([m, i], ("softmax_stats", "a0 a1", [f"tensor<{rows}x3xf32>"]))

    yield from sizes("softmax_stats", 128256, shared, 1040)
    yield from sizes("cross_entropy_parts_grad", 128256, lambda r: shared(r, gradient=True), 1040)
    yield from sizes("grad_norm_rows", 1024, lambda r: make.of_model("grad_norm_rows", r),
                     BIG // 4096, (10240,))
    for count in (10240, 40960):
        yield "total", 1, count, "small", total(count), ()
    yield from sizes("rope_in_place", 4096, row_cases(make, 4096, "bf16")["rope"],
                     BIG // 8192, (), inplace=(0,))
    yield from sizes("adamw", 1024, lambda r: make.of_model("adamw", r), BIG // 4096, (),
                     inplace=(0, 2, 3))


HEADER = """module attributes {
  llm.level = "plan",
  llm.model = #llm.model<name = "bench", hidden = 64, intermediate = 64, layers = 1, heads = 4,
    kv_heads = 2, head_dim = 16, vocab = 128, max_positions = 64, tied_embeddings = true>,
  llm.task = #llm.task<name = "bench", head = classification, labels = 2, batch = 1, max_length = 64,
    accumulation = 1>,
  llm.adapter = #llm.adapter<kind = "none", rank = 0, alpha = 0.0 : f64, dropout = 0.0 : f64,
    use_rslora = false, targets = [], targets_is_regex = false, modules = [], rank_pattern = {},
    alpha_pattern = {}>,
  plan.grid = [], plan.target = #plan.target<kind = "cuda", arch = "ARCH", features = "">,
  plan.flags = "", plan.model_hash = "bench"
} {
  plan.allocation @inputs category(inputs) bytes(65536)
  plan.allocation @outputs category(outputs) bytes(256)
  plan.allocation @activations category(activations) bytes(POOL)
"""

# Inputs by element type and position, results apart: fixed places, so that what
# was uploaded for one case serves the next.
PLACES = {"bf16": 4, "f32": 5, "i32": 1, "out": 3}


def place(kind, index):
    kinds = list(PLACES)
    slot = sum(PLACES[k] for k in kinds[:kinds.index(kind)]) + index
    if index >= PLACES[kind]:
        raise SystemExit(f"no place {index} of {kind}")
    return slot * (BIG + (1 << 24))


def program(number, case):
    name, cols, rows, launches, kernel, inplace = case
    symbol = f"{name}_{cols}x{rows}"
    lines, offsets, count = [], [], {}
    for name_, type_, element in zip(kernel.inputs, kernel.inputs.values(), kernel.elements):
        index = count.get(element, 0)
        count[element] = index + 1
        offsets.append(place(element, index))
    results = [offsets[inplace[j]] if inplace else place("out", j)
               for j in range(len(kernel.results))]
    views = [(o, t) for o, t in zip(offsets + results, list(kernel.inputs.values()) + kernel.results)]
    for i, (offset, type_) in enumerate(views):
        lines.append(f"    %b{i} = plan.buffer in @activations at {offset} : {type_}")
    ins = ", ".join(f"%b{i}" for i in range(len(offsets)))
    outs = ", ".join(f"%b{i}" for i in range(len(offsets), len(views)))
    types = ", ".join(kernel.results)
    for _ in range(LAUNCHES[launches]):
        lines.append(f"    plan.launch @kernel_{symbol} reads({ins}) writes({outs}) grid [{kernel.rows}, 1, 1] "
                     f": ({', '.join(kernel.inputs.values())}) -> "
                     + (f"({types})" if len(kernel.results) > 1 else types))
    return kernel.text(symbol), wrap(number, symbol, lines)


def wrap(number, symbol, lines):
    return "\n".join([
        f'  plan.program @{symbol} kind(evaluate) tokens({number}) sequences(1) '
        f"activation_bytes(POOL) flops(1) bytes(1) {{",
        f"    %ids = plan.buffer in @inputs at 0 : tensor<{number}xi32>",
        f"    %positions = plan.buffer in @inputs at 4096 : tensor<{number}xi32>",
        "    %cu = plan.buffer in @inputs at 8192 : tensor<2xi32>",
        "    %logits = plan.buffer in @outputs at 0 : tensor<1x2xf32>",
        f'    plan.input "input_ids" %ids : tensor<{number}xi32>',
        f'    plan.input "positions" %positions : tensor<{number}xi32>',
        '    plan.input "cu_seqlens" %cu : tensor<2xi32>',
        *lines,
        '    plan.output "logits" %logits : tensor<1x2xf32>', "  }", ""])


def copy_program(number):
    t = f"tensor<{BIG // 2}xbf16>"
    return wrap(number, f"copy_1x{BIG // 2}", [
        f"    %from = plan.buffer in @activations at {place('bf16', 0)} : {t}",
        f"    %to = plan.buffer in @activations at {place('out', 0)} : {t}",
        *[f"    plan.copy %from to %to : {t}, {t}"] * LAUNCHES["big"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tools", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--arch", default="sm_90")
    parser.add_argument("--format", default="cubin")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    make = Maker(args.tools)
    kernels, programs = [], [copy_program(1)]
    for case in cases(make):
        if not re.search(args.only, f"{case[0]}_{case[1]}x{case[2]}"):
            continue
        kernel, text = program(len(programs) + 1, case)
        kernels.append(kernel)
        programs.append(text)
    pool = place("out", PLACES["out"] - 1) + BIG + (1 << 24)
    module = (HEADER + "".join(kernels) + "".join(programs) + "}\n")
    module = module.replace("POOL", str(pool)).replace("ARCH", args.arch)
    source = args.out.with_suffix(".mlir")
    source.write_text(module)
    compiled = args.out.with_suffix(".plan.mlir")
    run(args.tools / "llama-opt", source,
        f"--codegen-generate-gpu-kernels=arch={args.arch} format={args.format}", "-o", compiled)
    run(args.tools / "llamac", compiled, "-o", args.out)


if __name__ == "__main__":
    main()
