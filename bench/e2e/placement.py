#!/usr/bin/env python3
"""Adapters placed by probes against adapters on every linear layer: SST-2 dev accuracy after one epoch, several seeds.

    bench/e2e/placement.py compile FOLDER --weights DIR --data DIR [--target cpu|cuda] [--build DIR]
    bench/e2e/placement.py run FOLDER --weights DIR --data DIR [--llamarun FILE] [--seeds 1,2,3] [--jobs 1] [--threads N]

`compile` runs the probes on this machine's CPU and leaves plans in FOLDER; `run`, perhaps on another machine, trains
each of them with the recipe of bench/e2e/sst2_epoch.sh (LoRA r8 alpha 16, batch 32, lr 5e-3, weight decay 0.01) and
prints Markdown. Plans: every linear layer (`all`); half of its parameters where the probes say (`top`, `proportional`),
and, to see that it matters where, where they say least (`bottom`: the same rule with 1 / statistic).
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

SHAPE = ["--task=sst2", "--per-device-batch-size=32", "--max-seq-length=128"]
ADAPTER = "--adapter=lora:r=8,alpha=16,targets=all-linear"


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}exit code {done.returncode}")
    return done.stdout


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def compile_plans(args):
    llamac, llamarun = (os.path.join(args.build, "bin", name) for name in ("llamac", "llamarun"))
    os.makedirs(args.folder, exist_ok=True)
    at = lambda name: os.path.join(args.folder, name)  # noqa: E731
    run(llamac, "import", args.weights, "-o", at("model.mlir"))
    run(llamac, at("model.mlir"), "--target=cpu", "--arch=native", *SHAPE, "--probe=activations", "-o", at("probe.fb"))
    for name in ("probe.json", "again.json"):
        start = time.monotonic()
        said = run(llamarun, "probe", at("probe.fb"), "--weights", args.weights, "--data", args.data, "--max-samples",
                   args.samples, "--output", at(name))
        print(f"{said.strip()} {digest(at(name))}, {time.monotonic() - start:.1f} s")
    assert digest(at("probe.json")) == digest(at("again.json")), "two probe runs differ"
    with open(at("probe.json"), encoding="utf-8") as file:
        probes = json.load(file)
    part, name = args.statistic.split(".")
    for module in probes["modules"].values():
        module[part][name] = 1 / module[part][name]
    with open(at("bottom.json"), "w", encoding="utf-8") as file:
        json.dump(probes, file)
    target = [f"--target={args.target}"] + (["--arch=native"] if args.target == "cpu" else [])
    for plan, file, more in (("all", None, ""), ("top", "probe.json", ""), ("bottom", "bottom.json", ""),
                             ("proportional", "probe.json", ",rule=proportional")):
        placed = f",placement={at(file)},budget=0.5,statistic={args.statistic}{more}" if file else ""
        command = [llamac, at("model.mlir"), *target, *SHAPE, ADAPTER + placed, "--report", "-o"]
        report = run(*command, at(plan + ".fb"))
        first = digest(at(plan + ".fb"))
        run(*command, at(plan + ".fb"))
        assert digest(at(plan + ".fb")) == first, "two compiles differ"
        with open(at(plan + ".txt"), "w", encoding="utf-8") as out:
            out.write(report)
        print(f"{plan}: {first}; " + "; ".join(line for line in report.splitlines() if line.startswith("placement")
                                               or "layers have" in line or line.startswith("trainable")))


def train(args, plan, seed):
    with tempfile.TemporaryDirectory() as out:
        text = run(args.llamarun, "train", os.path.join(args.folder, plan + ".fb"), "--weights", args.weights, "--data",
                   args.data, "--output-dir", os.path.join(out, "run"), "--num-train-epochs=1", "--learning-rate=5e-3",
                   "--weight-decay=0.01", f"--seed={seed}", f"--threads={args.threads}", "--save-strategy=no")
    return float(re.findall(r"sst2 dev accuracy = ([0-9.]+)", text)[-1])


def run_plans(args):
    seeds = [int(s) for s in args.seeds.split(",")]
    print("| plan | " + " | ".join(f"seed {s}" for s in seeds) + " | mean | against all |")
    print("|---|" + "---|" * (len(seeds) + 2))
    means = {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {(plan, seed): pool.submit(train, args, plan, seed) for plan in args.plans.split(",") for seed in seeds}
        for plan in args.plans.split(","):
            scores = [jobs[plan, seed].result() for seed in seeds]
            means[plan] = statistics.mean(scores)
            print(f"| {plan} | " + " | ".join(f"{100 * s:.2f}" for s in scores) +
                  f" | {100 * means[plan]:.2f} | {100 * (means[plan] - means['all']):+.2f} |", flush=True)
    sys.exit(0 if all(means[p] >= means["all"] - 0.02 for p in means if p != "bottom") else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["compile", "run"])
    parser.add_argument("folder")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--build", default="build")
    parser.add_argument("--target", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--samples", default="2048", help="of the training split, for the probes")
    parser.add_argument("--statistic", default="weight_gradient.norm")
    parser.add_argument("--llamarun", default="build/bin/llamarun")
    parser.add_argument("--plans", default="all,top,proportional,bottom")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    compile_plans(args) if args.what == "compile" else run_plans(args)


if __name__ == "__main__":
    main()
