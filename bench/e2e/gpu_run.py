#!/usr/bin/env python3
"""Runs sections of a pack (bench/e2e/gpu_pack.py) on a machine with a GPU; scripts/gpu-check.sh calls it.

    bench/e2e/gpu_run.py FOLDER SECTION...

goldens   every reference run, replayed
epoch     one epoch of SST-2 (bench/e2e/sst2_epoch.sh)
parity    one batch of llama3.2-1b against Transformers + PEFT (bench/parity)
kernels   the kernels' own benches
bench     llamarun on the 8B jobs, and its first step from weights in the page cache
peers     what users run today, and the GEMMs alone; peers=sst2-all,lm: only those
table     the summary of everything measured into FOLDER/results so far

Results stay in FOLDER/results; a section run again replaces its own. Exit code 1 if something failed; a bar that is
missed is no failure.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench/e2e"))
import gpu_jobs  # noqa: E402
import gpu_table  # noqa: E402

SECTIONS = ["goldens", "epoch", "parity", "kernels", "bench", "peers", "table"]
SECTION_SECONDS = 500  # of one command at most; a section has a few


class Runner:
    def __init__(self, folder):
        self.folder = folder
        self.jobs = json.loads((folder / "jobs.json").read_text())
        self.results = folder / "results"
        self.results.mkdir(exist_ok=True)
        self.llamarun = folder / "bin/llamarun"
        self.failed = False

    def run(self, name, *command, limit=SECTION_SECONDS, allowed=(0,), theirs=False, timed=True):
        """What it printed, or None if it failed; results/NAME.log keeps it. `theirs`: without the libraries that
        gpu-check.sh found for us, which are not always those that PyTorch came with."""
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        if theirs:
            environment["LD_LIBRARY_PATH"] = environment.get("GPU_CHECK_LIBRARY_PATH", "")
        start = time.monotonic()
        log = self.results / f"{name}.log"
        with open(log, "w", encoding="utf-8") as out:
            try:
                code = subprocess.run([str(c) for c in command], stdout=out, stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL, timeout=limit, check=False, cwd=ROOT,
                                      env=environment).returncode
            except subprocess.TimeoutExpired:
                code = f"stopped after {limit} s"
            except OSError as error:
                code = str(error)
        text = log.read_text(encoding="utf-8", errors="replace")
        if timed:
            print(f"[{name}: {time.monotonic() - start:.1f} s]", flush=True)
        if code in allowed:
            return text
        self.failed = True
        print(f"{name} failed ({code}):\n" + "\n".join(line[:300] for line in text.splitlines()[-15:]), flush=True)
        return None

    def keep(self, name, value):
        (self.results / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")

    def golden(self, job):
        name = f"golden-{job['name']}-{job['dtype']}"
        text = self.run(name, self.llamarun, "replay", self.folder / job["plan"], "--weights",
                        self.folder / job["weights"], "--trace", self.folder / job["trace"], *job["tolerances"],
                        limit=40, allowed=(0, 7), timed=False)
        ok = bool(text) and "replay: ok" in text
        self.failed |= not ok
        return dict(name=job["name"], dtype=job["dtype"], ok=ok,
                    errors=dict(re.findall(r"^(.+?) +largest error (\S+),", text or "", re.M)))

    def goldens(self):
        start = time.monotonic()
        # Nothing is timed here, and starting a process takes longer than its steps.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(self.golden, self.jobs["goldens"]))
        print(f"[{len(rows)} reference runs: {time.monotonic() - start:.1f} s]")
        self.keep("goldens", rows)
        gpu_table.print_goldens(rows)

    def epoch(self):
        job = self.jobs["epoch"]
        if not job:
            print("epoch: not in the pack")
            return
        text = self.run("epoch", ROOT / "bench/e2e/sst2_epoch.sh", "--target", "cuda", "--llamarun", self.llamarun,
                        "--plan", self.folder / job["plan"], "--weights", self.folder / job["weights"], "--data",
                        self.folder / job["data"], "--runs", "2")
        if text:
            print(text)
            self.keep("epoch", [dict(seconds=float(s), accuracy=float(a), bytes=b) for s, a, b in re.findall(
                r"^\| \d+ \| (\S+) \| \S+ \| \S+ \| (\S+) \| (\w+) \|", text, re.M)])

    def parity(self):
        if not self.jobs.get("parity"):
            print("parity: not in the pack")
            return
        plans = [word for dtype, plan in self.jobs["parity"].items()
                 for word in ("--plan", f"{dtype}={self.folder / plan}")]
        text = self.run("parity", sys.executable, ROOT / gpu_jobs.PARITY["script"], "--llamarun", self.llamarun, *plans,
                        allowed=(0, 1))
        if text:
            print(text)
            passed = "parity: ok" in text
            self.failed |= not passed
            self.keep("parity", dict(ok=passed))

    def kernels(self):
        rows = self.folder / "plans/rows.fb"
        for name, arguments in (("gpu_rowwise", [rows]), ("gpu_attention", []), ("gpu_skinny", [])):
            program = self.folder / "bin" / name
            if program.exists() and all(a.exists() for a in arguments):
                text = self.run(name, program, *arguments, limit=120)
                if text:
                    print(text)

    def checkpoint(self):
        """A directory of the 8B model's random weights, in the page cache; None where PyTorch is missing."""
        target = pathlib.Path(os.environ.get("LLAMAC_RANDOM_8B", "/tmp/llamac-random-8b"))
        config = self.folder / "llama3-8b.json"
        if not (target / "model.safetensors.index.json").exists():
            free = shutil.disk_usage(target.parent).free
            if free < 20e9:
                print(f"bench: {free / 1e9:.0f} GB free in {target.parent}, 20 are needed: drawn weights instead")
                return None
            text = self.run("checkpoint", sys.executable, ROOT / "bench/e2e/random_checkpoint.py", config, target,
                            limit=200, theirs=True)
            print(text or "bench: no checkpoint, drawn weights instead")
            if not text:
                return None
        start, size = time.monotonic(), 0
        for file in sorted(target.glob("*.safetensors")):
            with open(file, "rb", buffering=0) as f:
                while n := len(f.read(1 << 26)):
                    size += n
        print(f"warm read: {size / 1e9:.1f} GB in {time.monotonic() - start:.1f} s", flush=True)
        return target

    def bench_one(self, name, job, weights, *flags, quiet=False):
        out = self.results / f"bench-{name}.json"
        out.unlink(missing_ok=True)
        text = self.run(f"bench-{name}", self.llamarun, "bench", self.folder / job["plan"], "--weights", weights,
                        *flags, "--json", out, limit=200)
        if text and not quiet:
            print("\n".join(line for line in text.splitlines() if not line.startswith("llamarun: tuned")), flush=True)

    def bench(self):
        weights = self.checkpoint()
        for name, job in self.jobs["bench"].items():
            # Weights from files for the job that the bar of the first step is about.
            of_job = weights if weights and name == "sst2-all" else "random"
            tuned = self.folder / (job["plan"] + ".tune")
            if name == "sst2-all":
                tuned.unlink(missing_ok=True)
                self.bench_one("first-untuned", job, of_job, "--steps", "1", "--warmup", "0", quiet=True)
            self.bench_one(name, job, of_job, *job["run"], "--ceilings")
            if name == "sst2-all":
                self.bench_one("first-tuned", job, of_job, "--steps", "1", "--warmup", "0", quiet=True)

    def floor(self):
        """ms of the GEMMs of an 8B step in one graph, from gemm_floor.cu for the buckets that sst2-all used."""
        source = self.folder / "reference/gemm_floor.cu"
        nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        short, program = self.results / "gemm_floor.cu", self.results / "gemm_floor"
        ours = gpu_table.load(self.results, "bench-sst2-all")
        tokens = sorted({96, 128, *(bucket["tokens"] for bucket in (ours or {}).get("buckets", []))})
        text = source.read_text()
        short.write_text(re.sub(r"int Ms\[\]=\{[^}]*\}", f"int Ms[]={{{','.join(map(str, tokens))}}}", text))
        if self.run("nvcc", nvcc, "-O2", "-std=c++17", "-gencode=arch=compute_90a,code=sm_90a", short, "-o", program,
                    "-lcublasLt") is None:
            return
        text = self.run("gemm_floor", program, limit=120) or ""
        found = re.findall(r"kconcat=(\d) M=(\d+)(?s:.*?)GRAPH all GEMMs fwd\+bwd: (\S+) ms", text)
        self.keep("floor", [dict(folded=k == "1", tokens=int(m), ms=float(ms)) for k, m, ms in found])

    def peers(self, only=None):
        folder = self.folder / "reference"
        if not folder.is_dir():
            print("peers: not in the pack")
            return
        for name, arguments in gpu_jobs.PEERS.items():
            if only and name not in only:
                continue
            text = self.run(f"peer-{name}", sys.executable, folder / "hf_peft.py", *arguments, limit=240, theirs=True)
            lines = [line for line in (text or "").splitlines() if line.startswith("{")]
            print("\n".join(lines), flush=True)
            if lines:
                self.keep(f"peer-{name}", json.loads(lines[-1]))
        if not only or "floor" in only:
            self.floor()
        if not only or "ceilings" in only:
            text = self.run("ceilings", sys.executable, folder / "ceilings.py", limit=120, theirs=True)
            print("\n".join((text or "").splitlines()[:2]), flush=True)

    def table(self):
        gpu_table.print_summary(self.results, self.jobs)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, sections = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    for section in sections:
        if section.split("=")[0] not in SECTIONS:
            sys.exit(f"gpu_run: no section {section}; there are {' '.join(SECTIONS)}")
    runner = Runner(folder)
    for section in sections:
        name, _, only = section.partition("=")
        print(f"\n## {name}\n", flush=True)
        if only:
            getattr(runner, name)(set(only.split(",")))
        else:
            getattr(runner, name)()
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
