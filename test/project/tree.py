"""Walks a source tree for the project checks: files that belong to it, as paths relative to the root."""
import os
import sys

# What .gitignore names at the top; anything built or fetched lies there.
_SKIP_TOP = ("install", "runs")


def files(root):
    """Sorted relative paths of all files, without build trees and hidden or generated folders."""
    out = []
    for folder, names, leaves in os.walk(root):
        top = os.path.samefile(folder, root)
        names[:] = [n for n in names if not n.startswith(".") or n == ".ci"]
        names[:] = [n for n in names if n != "__pycache__" and not (top and (n.startswith("build") or n in _SKIP_TOP))]
        out += [os.path.relpath(os.path.join(folder, leaf), root).replace(os.sep, "/") for leaf in leaves]
    return sorted(out)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def main(check, default_root):
    """Runs check(root), prints what it complains of, exits 1 if it does."""
    root = sys.argv[1] if len(sys.argv) > 1 else default_root
    complaints = check(root)
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{len(complaints)} complaint(s)")
    sys.exit(1 if complaints else 0)


DEFAULT_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
