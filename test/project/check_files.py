#!/usr/bin/env python3
"""Files stay small, finished and well named: at most 500 lines, no `utils`, no stubs, no machine's own paths."""
import re

import tree

MAX_LINES = 500
CODE = (".cpp", ".h", ".td", ".py", ".cu", ".cuh", ".fbs", ".sh")
_NAMES = ("utils", "util", "misc")
_STUB = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|(?i:[\"'][^\"']*\b(?:not (?:yet )?implemented|unimplemented))")
# Written so that this file does not hold what it looks for.
_MACHINE = re.compile("/" + r"(work|home/\w+|root)/")


def check(root):
    out, here = [], "test/project/"
    for path in tree.files(root):
        for part in path.split("/"):
            if part.split(".")[0].lower() in _NAMES:
                out.append(f"{path}: say what is in it instead of '{part}'")
        text_file = path.endswith(CODE + (".txt", ".md", ".cmake", ".mlir", ".json")) and "/data/" not in path
        if not text_file:
            continue
        lines = tree.read(root, path).split("\n")
        if path.endswith(CODE) and len(lines) - 1 > MAX_LINES:
            out.append(f"{path}: {len(lines) - 1} lines, more than {MAX_LINES}: split it")
        for number, line in enumerate(lines, 1):
            if _MACHINE.search(line):
                out.append(f"{path}:{number}: names a path of one machine: {line.strip()[:80]}")
            if path.endswith(CODE) and not path.startswith(here) and _STUB.search(line):
                out.append(f"{path}:{number}: finish it, or write an issue: {line.strip()[:80]}")
    return out


if __name__ == "__main__":
    tree.main(check, tree.DEFAULT_ROOT)
