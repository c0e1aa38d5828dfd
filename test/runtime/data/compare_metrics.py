#!/usr/bin/env python3
"""Our metrics against scikit-learn's and SciPy's as they are installed here: equal to 1e-9 on random labels.

  compare_metrics.py --program llamarun_print_metrics --venv FOLDER [--seeds N]

Where scikit-learn is missing it is installed into FOLDER, a virtual environment; where that fails, for lack of a network,
ends with 77 (skipped): metrics.golden.json then shows the same of the cases of one seed.
"""
import argparse
import json
import os
import subprocess
import sys

import metric_cases

WANTED = ("scikit-learn==1.9.1", "scipy==1.17.1")
SKIPPED = 77


def have():
    try:
        import scipy.stats
        import sklearn.metrics
        return bool(scipy.stats and sklearn.metrics)
    except ImportError:
        return False


def install(venv):
    """The environment's Python with scikit-learn in it; None, and why not, without."""
    python = os.path.join(venv, "bin/python")
    done = subprocess.run([python, "-c", "import sklearn, scipy"], capture_output=True, check=False) \
        if os.path.exists(python) else None
    if done and done.returncode == 0:
        return python, ""
    for command in ([sys.executable, "-m", "venv", venv],
                    [python, "-m", "pip", "install", "-q", "--no-compile", "--only-binary", ":all:", "--retries", "1",
                     "--timeout", "10", "--disable-pip-version-check", *WANTED]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            return None, "installing it took too long"
        if done.returncode != 0:
            return None, (done.stderr + done.stdout).strip().splitlines()[-1:]
    return python, ""


def differences(theirs, ours, tolerance):
    out = []
    for kind in ("classes", "scores"):
        if len(theirs[kind]) != len(ours[kind]) or not theirs[kind]:
            return [f"{len(ours[kind])} results for {len(theirs[kind])} {kind}"]
        for want, got in zip(theirs[kind], ours[kind]):
            for metric in ("accuracy", "f1", "matthews", "pearson", "spearman"):
                if metric not in want:
                    continue
                a, b = want[metric], got[metric]
                if (a is None) != (b is None) or (a is not None and not abs(a - b) <= tolerance):
                    out.append(f"{want['name']}: {metric} is {b}, theirs {a}")
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--program", required=True)
    p.add_argument("--venv", required=True)
    p.add_argument("--seeds", type=int, default=2)
    args = p.parse_args()
    if not have():
        python, why = install(args.venv)
        if not python:
            print("skipped: no scikit-learn here, and it cannot be installed:", why)
            return SKIPPED
        if os.path.realpath(sys.prefix) == os.path.realpath(args.venv):
            print("skipped: scikit-learn is installed but cannot be imported")
            return SKIPPED
        return subprocess.run([python, "-B", os.path.abspath(__file__), *sys.argv[1:]], check=False).returncode
    count, worst = 0, []
    for seed in range(2, 2 + args.seeds):
        cases = metric_cases.cases(seed, large=seed == 2)  # one of them, once
        asked = {kind: [{k: c[k] for k in ("predictions", "labels", "generate") if k in c} for c in cases[kind]]
                 for kind in cases}
        done = subprocess.run([args.program], input=json.dumps(asked), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stderr)
            return 1
        worst += differences(cases, json.loads(done.stdout), 1e-9)
        count += sum(map(len, cases.values()))
    print("\n".join(worst) or f"{count} cases agree to 1e-9")
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
