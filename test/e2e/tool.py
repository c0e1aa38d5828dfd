"""What the end-to-end tests share: running the two programs, and temporary directories."""
import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def parser(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--llamac", required=True)
    p.add_argument("--llamarun", required=True)
    return p


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


def run(*command, code=0, has=()):
    """Runs a command that must end with `code` and print all of `has`; on failure its output is shown. One that fails
    says why in one line, after warnings at most."""
    command = [str(c) for c in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", errors="replace")
    both = done.stdout + done.stderr
    problem = None
    if done.returncode != code:
        problem = f"exit code {done.returncode} instead of {code}"
    for text in has:
        if text not in both:
            problem = problem or f"the output lacks {text!r}"
    errors = [line for line in done.stderr.strip().splitlines() if not line.startswith("llamarun: warning: ")]
    if code != 0 and problem is None and len(errors) != 1:
        problem = "not one line on standard error"
    if problem:
        print("$", " ".join(command), both, problem, sep="\n")
        sys.exit(1)
    return done.stdout


@contextlib.contextmanager
def scratch(where=None):
    directory = tempfile.mkdtemp(prefix="llamac-e2e-", dir=where)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def compile_plan(args, model, directory, *flags):
    """Imports and compiles; returns the plan's path."""
    mlir, plan = os.path.join(directory, "model.mlir"), os.path.join(directory, "plan.fb")
    run(args.llamac, "import", model, "-o", mlir)
    run(args.llamac, mlir, "--target=cpu", *flags, "-o", plan)
    return plan
