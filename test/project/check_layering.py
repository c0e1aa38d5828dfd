#!/usr/bin/env python3
"""Which part may include which: docs/architecture.md's tree as a table."""
import os
import re

import tree

MLIR = ("mlir/", "mlir-c/", "llvm/", "llvm-c/")
# The two halves share the plan's schema, the header around it, what its collectives cost, and nothing else.
SCHEMA = ("runtime/plan/CollectiveCost.h", "runtime/plan/plan_generated.h", "runtime/plan/SchemaHash.h", "runtime/plan/Container.h", "runtime/plan/plan.fbs")

# part -> (own parts it may include, further single files, whether MLIR and LLVM are allowed). The longest prefix counts.
RULES = {
    "dialects/": (("dialects/",), (), True),
    "passes/": (("dialects/", "passes/", "compiler/kernels/"), (), True),
    "compiler/": (("dialects/", "passes/", "compiler/"), SCHEMA, True),
    "runtime/": (("runtime/",), (), False),
    "tools/llamac/": (("dialects/", "passes/", "compiler/", "tools/llamac/", "tools/reference/"), (), True),
    "tools/llama-opt/": (("dialects/", "passes/", "compiler/", "tools/llama-opt/", "tools/reference/"), (), True),
    "tools/llamarun/": (("runtime/", "tools/llamarun/", "tools/reference/"), (), False),
    "tools/reference/": (("tools/reference/",), (), False),
    "test/runtime/": (("runtime/", "test/runtime/"), (), False),
    "test/compiler/": (("dialects/", "passes/", "compiler/", "test/compiler/"), SCHEMA, True),
    "test/dialects/": (("dialects/", "test/dialects/"), (), True),
    "test/passes/": (("dialects/", "passes/", "test/passes/"), (), True),
}
TOPS = ("dialects/", "passes/", "compiler/", "runtime/", "tools/", "test/", "bench/")
_INCLUDE = re.compile(r'^[ \t]*#?[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
_LLVM_LINK = re.compile(r"\b(MLIR|LLVM)[A-Za-z0-9_]*\b")


def rule_of(path):
    fits = [prefix for prefix in RULES if path.startswith(prefix)]
    return max(fits, key=len) if fits else None


def complaints_about(path, text, headers):
    part = rule_of(path)
    if not part:
        return
    own, single, mlir = RULES[part]
    if path.endswith("CMakeLists.txt"):
        bare = re.sub(r"#.*", "", text)
        if not mlir and _LLVM_LINK.search(bare):
            yield f"{path}: {part} must not use {_LLVM_LINK.search(bare).group()}"
        return
    for match in _INCLUDE.finditer(text):
        style, what = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        if what.startswith(MLIR) and not mlir:
            yield f"{path}:{line}: {part} must not include {what}"
        elif what.startswith(TOPS) and not what.startswith(own) and what not in single:
            yield f"{path}:{line}: {part} must not include {what} (allowed: {', '.join(own + single)})"
        elif style == '"' and what.startswith("."):
            yield f"{path}:{line}: include {what} from the root of the tree, not relative to this file"
        elif style == '"' and what.rsplit("/", 1)[-1] in headers and not what.startswith(TOPS + MLIR):
            yield f"{path}:{line}: include {what} by its path from the root: {headers[what.rsplit('/', 1)[-1]]}"


def check(root):
    paths = tree.files(root)
    headers = {os.path.basename(p): p for p in paths if p.endswith((".h", ".td"))}
    out = []
    for path in paths:
        if path.endswith((".h", ".cpp", ".cu", ".cuh", ".td", ".h.in")) or os.path.basename(path) == "CMakeLists.txt":
            out += complaints_about(path, tree.read(root, path), headers)
    return out


if __name__ == "__main__":
    tree.main(check, tree.DEFAULT_ROOT)
