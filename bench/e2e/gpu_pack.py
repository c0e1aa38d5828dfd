#!/usr/bin/env python3
"""Gathers what scripts/gpu-check.sh runs on a machine that has a GPU but no MLIR.

    bench/e2e/gpu_pack.py BUILD[:BUILD...] FOLDER

Of the builds the first that has a program gives it. FOLDER then holds bin/ (programs, stripped), lib/ (libraries they
need), plans/, goldens/ (reference runs with their models), epoch/ (model and data), reference/ (what users run today),
and jobs.json, which says what to do with them. Models, data and reference programs that are not the project's own come
from ../shared, and are left out where that is missing.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared"
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "test/e2e"), str(ROOT / "bench/e2e")]
import golden  # noqa: E402
import gpu_jobs  # noqa: E402
import reference_checkpoint  # noqa: E402

PROGRAMS = ["llamarun", "llamac_gpu_tests", "attention_gpu_test", "skinny_gpu_test", "factors_gpu_test", "triplets_gpu_test",
            "gpu_rowwise", "gpu_attention"]
REQUIRED = ["llamarun", "llamac_gpu_tests"]
# The libraries of C and C++ and the driver are the machine's own: PyTorch there may need newer ones than ours.
MACHINES_OWN = re.compile(r"/lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s|cuda)\.so")


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Pack:
    def __init__(self, builds, folder):
        self.builds, self.folder = builds, folder
        self.jobs = {"bench": {}, "goldens": [], "epoch": None, "parity": None}

    def tool(self, name, required=True):
        for build in self.builds:
            if (build / "bin" / name).exists():
                return build / "bin" / name
        if required:
            sys.exit(f"gpu_pack: no {name} in {', '.join(map(str, self.builds))}")
        print(f"gpu_pack: no {name}, left out", file=sys.stderr)
        return None

    def path(self, path):
        return str(path.relative_to(self.folder))

    def programs(self):
        (self.folder / "bin").mkdir()
        (self.folder / "lib").mkdir()
        for name in PROGRAMS:
            source = self.tool(name, name in REQUIRED)
            if not source:
                continue
            target = self.folder / "bin" / name
            shutil.copy2(source, target)
            run("strip", target)
            for library in re.findall(r"=> (\S+)", run("ldd", source)):
                if library.startswith("/") and not MACHINES_OWN.search(library):
                    shutil.copy(os.path.realpath(library), self.folder / "lib" / os.path.basename(library))

    def compile(self, model, out, *flags):
        """Seconds it took, as `time` would say."""
        start = time.monotonic()
        run(self.tool("llamac"), model, "--target=cuda", *flags, "-o", out)
        return time.monotonic() - start

    def plans(self):
        plans = self.folder / "plans"
        plans.mkdir()
        for kind in ("cubin", "ptx"):
            module = plans / f"small-{kind}.mlir"
            run(self.tool("llama-opt"), ROOT / "test/gpu/small-plan.mlir",
                f"--codegen-generate-gpu-kernels=format={kind}", "-o", module)
            run(self.tool("llamac"), module, "-o", plans / f"small-{kind}.fb")
            module.unlink()
        module = plans / "sums.mlir"
        run(self.tool("llama-opt"), ROOT / "test/gpu/sum-plan.mlir", "--codegen-sum-in-kernels",
            "--codegen-generate-gpu-kernels", "-o", module)
        run(self.tool("llamac"), module, "-o", plans / "sums.fb")
        module.unlink()
        if (self.folder / "bin/gpu_rowwise").exists():
            out = plans / "rows.fb"
            try:
                run(sys.executable, ROOT / "bench/kernels/gpu_rowwise.py", self.tool("llamac").parent, out)
            except SystemExit as error:  # a bench of kernels must not hold up the jobs
                print(f"gpu_pack: no rows.fb: {str(error)[:600]}", file=sys.stderr)
            for rest in (".mlir", ".plan.mlir"):
                out.with_suffix(rest).unlink(missing_ok=True)
        for name, job in gpu_jobs.BENCHES.items():
            out = plans / f"{name}.fb"
            seconds = self.compile(ROOT / gpu_jobs.LLAMA, out, "--dtype=bfloat16", *job["flags"])
            self.jobs["bench"][name] = dict(plan=self.path(out), run=job["run"], flags=job["flags"],
                                            llamac_seconds=round(seconds, 2))
        shutil.copy(ROOT / gpu_jobs.CONFIG, self.folder / "llama3-8b.json")
        if (ROOT / gpu_jobs.PARITY["script"]).exists():
            self.jobs["parity"] = {}
            for dtype in gpu_jobs.TOLERANCES:
                out = plans / f"parity-{dtype}.fb"
                self.compile(ROOT / gpu_jobs.PARITY["model"], out, f"--dtype={dtype}", *gpu_jobs.PARITY["flags"])
                self.jobs["parity"][dtype] = self.path(out)

    def goldens(self):
        sources = [("demo", ROOT / "test/golden/train", ROOT / "examples/demo/model", gpu_jobs.OWN_GOLDENS),
                   ("tinystories", SHARED / "data/golden/train", SHARED / "data/models/tinystories-656k",
                    gpu_jobs.SHARED_GOLDENS)]
        for kind, runs, model, names in sources:
            if runs.is_dir() and model.is_dir():
                for name in names:
                    self.golden(f"{kind}-{name}", runs / name, self.golden_model(kind, model, runs / name))

    def golden_model(self, kind, model, source):
        """The checkpoint that the reference had (reference_checkpoint.py), once for each head."""
        trace = json.loads((source / "trace.json").read_text())
        causal = trace["task"] == "lm"
        target = self.folder / "goldens" / f"{kind}-{'lm' if causal else 'classifier'}"
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            if causal or reference_checkpoint.with_drawn_embedding(str(model), str(target), trace["pad_token_id"],
                                                                   1) == str(model):
                shutil.copytree(model, target)
        return target

    def golden(self, name, source, model):
        trace = json.loads((source / "trace.json").read_text())
        config = json.loads((source / "adapter/adapter_config.json").read_text())
        target = self.folder / "goldens" / name
        target.mkdir()
        run(self.tool("llamac"), "import", model, "-o", target / "model.mlir")
        for dtype, tolerances in gpu_jobs.TOLERANCES.items():
            plan = target / f"{dtype}.fb"
            self.compile(target / "model.mlir", plan, f"--dtype={dtype}", "--task=" + trace["task"],
                         golden.adapter_flag(config), f"--per-device-batch-size={len(trace['steps'][0]['input_ids'])}",
                         "--max-seq-length=128", gpu_jobs.GOLDEN_BUCKETS)
            self.jobs["goldens"].append(dict(name=name, dtype=dtype, plan=self.path(plan), weights=self.path(model),
                                             trace=self.path(target / "trace.json"), tolerances=tolerances))
        (target / "model.mlir").unlink()
        for file in ("trace.json", "init.safetensors", "final.safetensors", "eval.json"):
            if (source / file).exists():
                shutil.copy(source / file, target)

    def epoch(self):
        model, data = SHARED / "data/models/tinystories-656k", SHARED / "data/glue/SST-2"
        if not (model.is_dir() and data.is_dir()):
            print("gpu_pack: no tinystories-656k or SST-2 in ../shared: no epoch", file=sys.stderr)
            return
        target = self.folder / "epoch"
        weights = self.folder / "goldens/tinystories-lm"  # the same checkpoint
        if not weights.exists():
            weights = target / "model"
            shutil.copytree(model, weights)
        (target / "data/SST-2").mkdir(parents=True)
        for name in ("train.tsv", "dev.tsv"):
            shutil.copy(data / name, target / "data/SST-2")
        run(ROOT / "bench/e2e/sst2_epoch.sh", "--target", "cuda", "--weights", model, "--llamac", self.tool("llamac"),
            "--plan-only", target / "plan.fb")
        self.jobs["epoch"] = dict(plan="epoch/plan.fb", weights=self.path(weights), data="epoch/data")

    def references(self):
        if (SHARED / "reference").is_dir():
            (self.folder / "reference").mkdir()
            for name in ("hf_peft.py", "ceilings.py", "gemm_floor.cu"):
                shutil.copy(SHARED / "reference" / name, self.folder / "reference")

    def finish(self):
        commit = run("git", "-C", ROOT, "rev-parse", "HEAD").strip()
        changed = subprocess.run(["git", "-C", ROOT, "diff", "--quiet", "HEAD", "--", "runtime", "passes", "dialects",
                                  "compiler", "tools", "test/gpu"]).returncode
        self.jobs["commit"] = commit + (" with changes" if changed else "")
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            cpu = re.search(r"model name\s*: (.*)", f.read())
        self.jobs["compiled_on"] = f"{os.cpu_count()} cores{', ' + cpu.group(1) if cpu else ''}"
        (self.folder / "jobs.json").write_text(json.dumps(self.jobs, indent=1) + "\n")
        files = [f for f in self.folder.rglob("*") if f.is_file()]
        sizes = sorted(((f.stat().st_size, self.path(f)) for f in files), reverse=True)
        print(f"{self.folder}: {sum(s for s, _ in sizes) / 2**20:.1f} MiB; the largest: "
              + ", ".join(f"{p} {s / 2**20:.1f}" for s, p in sizes[:6]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("builds", help="build folders, separated by colons")
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    folder = args.folder.resolve()
    if folder.exists() and any(folder.iterdir()) and not (folder / "jobs.json").exists():
        sys.exit(f"gpu_pack: {folder} holds something else than a pack")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Of an interrupted pack, too, it can be told what it is.
    (folder / "jobs.json").write_text("{}\n")
    pack = Pack([pathlib.Path(b).resolve() for b in args.builds.split(":")], folder)
    for part in (pack.programs, pack.plans, pack.goldens, pack.epoch, pack.references, pack.finish):
        part()


if __name__ == "__main__":
    main()
