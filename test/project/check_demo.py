#!/usr/bin/env python3
"""examples/demo is what scripts/make_demo.py makes of its seed, bit for bit."""
import hashlib
import os
import subprocess
import sys
import tempfile

import tree


def hashes(folder):
    out = {}
    for path in tree.files(folder):
        with open(os.path.join(folder, path), "rb") as file:
            out[path] = hashlib.sha256(file.read()).hexdigest()
    return out


def compare(committed, made):
    """Complaints about two dictionaries path -> sha256."""
    out = []
    for path in sorted(committed.keys() | made.keys()):
        if committed.get(path) != made.get(path):
            state = "is not committed" if path not in committed else "is not made by the script" if path not in made else "differs"
            out.append(f"examples/demo/{path}: {state} (committed {committed.get(path)}, made {made.get(path)})")
    return out


def check(root):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([sys.executable, os.path.join(root, "scripts", "make_demo.py"), "--out", out], check=True)
        return compare(hashes(os.path.join(root, "examples", "demo")), hashes(out))


if __name__ == "__main__":
    tree.main(check, tree.DEFAULT_ROOT)
