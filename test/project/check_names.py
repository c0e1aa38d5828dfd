#!/usr/bin/env python3
"""One chain of names from a pass to its tests, and from a runtime source to its own.

A file passes/<phase>/<Name>.cpp that defines passes (GEN_PASS_DEF_...) has `def <Name> : Pass<"<phase>-...">` (or
<Name>Pass) in passes/<phase>/Passes.td, and test/passes/<phase>/<kebab-name>.mlir and <kebab-name>-invalid.mlir, which
run that flag. A runtime/<folder>/<Name>.cpp with a header beside it has test/runtime/<folder>/<Name>Test.cpp, or a line
`<source>  <test that covers it>` in test/project/tested-elsewhere.txt, for parts of one thing tested as a whole.
"""
import re

import tree

_DEF = re.compile(r'^\s*def\s+(\w+)\s*:\s*(?:Interface)?Pass<\s*"([^"]+)"', re.M)
_USES = re.compile(r"^\s*#\s*define\s+GEN_PASS_DEF_\w+|\bPassWrapper<", re.M)
LIST = "test/project/tested-elsewhere.txt"


def kebab(name):
    """PropagateSharding -> propagate-sharding, LowerToLLVM -> lower-to-llvm."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def check_passes(root, paths):
    out, sources, tests = [], {}, set()
    for path in paths:
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == "passes" and path.endswith(".cpp") and _USES.search(tree.read(root, path)):
            sources[parts[1], parts[2][:-4]] = path
    passes = {}
    for path in paths:
        if path.startswith("passes/") and path.endswith("Passes.td"):
            phase = path.split("/")[1]
            for name, flag in _DEF.findall(tree.read(root, path)):
                passes[phase, re.sub(r"Pass$", "", name)] = (path, flag)
    for key, path in sources.items():
        if key not in passes:
            out.append(f"{path}: defines a pass, but passes/{key[0]}/Passes.td has no `def {key[1]}`")
    for (phase, name), (path, flag) in passes.items():
        if (phase, name) not in sources:
            out.append(f"{path}: {name} is declared, but passes/{phase}/{name}.cpp does not define it")
        if not re.fullmatch(re.escape(phase) + r"-[a-z0-9-]+", flag):
            out.append(f"{path}: the flag of {name} is '{flag}', not '{phase}-...'")
        for suffix in ("", "-invalid"):
            test = f"test/passes/{phase}/{kebab(name)}{suffix}.mlir"
            tests.add(test)
            if test not in paths:
                out.append(f"{test}: missing, the test of {name}")
                continue
            text = tree.read(root, test)
            if not re.search(r"RUN:.*[\s(,=]-{0,2}" + re.escape(flag) + r"(?![a-z0-9-])", text):
                out.append(f"{test}: no RUN line has --{flag}")
            if suffix and "expected-error" not in text:
                out.append(f"{test}: has no expected-error")
    for path in paths:
        if path.startswith("test/passes/") and path.endswith(".mlir") and "/Inputs/" not in path and path not in tests:
            phase, leaf = path.split("/")[2:4] if path.count("/") > 2 else ("", path)
            if not any(p == phase and leaf.startswith(kebab(n) + "-") for p, n in passes):
                out.append(f"{path}: no pass has this name")
    return out


def check_runtime(root, paths):
    out, elsewhere = [], {}
    if LIST in paths:
        for number, line in enumerate(tree.read(root, LIST).split("\n"), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or words[0] not in paths or words[1] not in paths:
                out.append(f"{LIST}:{number}: must be a source and the test that covers it, both present: {line.strip()}")
            elsewhere[words[0]] = words[-1]
    for path in paths:
        if not (path.startswith("runtime/") and path.endswith(".cpp") and path[:-3] + "h" in paths):
            continue
        test = f"test/{path[:-4]}Test.cpp"
        if test in paths and path in elsewhere:
            out.append(f"{LIST}: {path} has its own test; drop the line")
        elif test not in paths and path not in elsewhere:
            out.append(f"{path}: no {test}, and not in {LIST}")
    return out


def check(root):
    paths = set(tree.files(root))
    ordered = sorted(paths)
    return check_passes(root, ordered) + check_runtime(root, ordered)


if __name__ == "__main__":
    tree.main(check, tree.DEFAULT_ROOT)
