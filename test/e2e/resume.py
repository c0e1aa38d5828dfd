#!/usr/bin/env python3
"""A run that is killed or stopped, and resumed, ends with the bytes of one that was not.

--kills: kill -9 of one rank, or of all, at random instants, on one device, ddp2 and tp2, each until the run has ended.
--shim: during one save the k-th write, fsync and rename fails or kills, for every k; also every write from a quarter of
the save on, as on a full disk. Compared are adapter, last checkpoint's tensors and metrics.jsonl less the clock.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import job
import tool

STEPS, EVERY = 24, 4
CLOCK = ("seconds", "tokens_per_second", "samples_per_second")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def metrics(path):
    lines = []
    for text in read(path).decode().splitlines():
        line = json.loads(text)
        lines.append({k: v for k, v in line.items() if k not in CLOCK})
    return lines


def outcome(out):
    """What two runs must have in common, to the byte."""
    last = os.path.join(out, f"checkpoint-{STEPS}")
    names = [n for n in sorted(os.listdir(last)) if n.startswith("rank-")]
    found = {n: read(os.path.join(last, n)) for n in names}
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        found[name] = read(os.path.join(out, name))
        assert found[name] == read(os.path.join(last, name)), name
    return found, metrics(os.path.join(out, "metrics.jsonl"))


def check_same(out, reference, what):
    (files, lines), (want, expected) = outcome(out), reference
    assert files.keys() == want.keys(), (what, files.keys(), want.keys())
    for name in want:
        assert files[name] == want[name], f"{what}: {name} differs"
    assert lines == expected, (what, [p for p in zip(lines, expected) if p[0] != p[1]][:2], len(lines), len(expected))
    left = [n for n in os.listdir(out) if ".tmp-" in n or ".old-" in n]
    assert not left, (what, left)


class Runs:
    def __init__(self, args, directory):
        self.args, self.directory, self.plans, self.references = args, directory, {}, {}

    def plan(self, name):
        layout, same = name.removesuffix(" same"), name.endswith(" same")
        if name not in self.plans:
            at = os.path.join(self.directory, "plan-" + name.replace(" ", "-"))
            os.mkdir(at)
            # Dropout and accumulation: random numbers and unfinished sums are part of the state. As "same" the
            # micro-batches of replicas are those of one device: dropout draws by them.
            replicas = 2 if layout.startswith("ddp2") else 1
            batch, accumulation = (2, 2 // replicas) if same else (2 // replicas, 2)
            self.plans[name] = tool.compile_plan(
                self.args, self.args.model, at, "--task=sst2", "--shard=" + layout, "--max-seq-length=64",
                "--adapter=lora:r=4,alpha=8,dropout=0.1,targets=all-linear", f"--per-device-batch-size={batch}",
                f"--gradient-accumulation-steps={accumulation}")
        return self.plans[name]

    def command(self, layout, out, *flags):
        mine = ["--threads=1", "--max-train-samples=40", "--max-eval-samples=20", f"--max-steps={STEPS}",
                "--logging-steps=3", "--eval-strategy=steps", "--eval-steps=8", "--save-strategy=steps",
                f"--save-steps={EVERY}", "--learning-rate=3e-3"]
        given = {f.split("=")[0] for f in flags}
        return [self.args.llamarun, "train", self.plan(layout), "--weights", self.args.model, "--data", self.args.data,
                "--output-dir", out, *(f for f in mine if f.split("=")[0] not in given), *flags]

    def out(self, name):
        path = os.path.join(self.directory, name)
        shutil.rmtree(path, ignore_errors=True)
        return path

    def reference(self, layout):
        if layout not in self.references:
            out = self.out("reference-" + layout)
            tool.run(*self.command(layout, out))
            steps = sorted(int(n.split("-")[1]) for n in os.listdir(out) if n.startswith("checkpoint-"))
            assert steps == list(range(EVERY, STEPS + 1, EVERY)), steps
            begin = time.monotonic()
            tool.run(*self.command(layout, self.out("timed")))
            self.references[layout] = outcome(out), time.monotonic() - begin
        return self.references[layout]


def kill(runs, layout, size, draw, log):
    """One run, killed at random instants until it ends by itself."""
    reference, seconds = runs.reference(layout)
    out, kills = runs.out("killed"), 0
    while True:
        first = job.start(runs.command(layout, out, "--resume"), log=log)
        time.sleep(draw.random() * seconds * 1.1)
        ranks = job.children(first.pid) if size > 1 else []
        victims = [draw.choice(ranks)] if ranks and draw.random() < 0.5 else ranks + [first.pid]
        if kills < 3 and first.poll() is None:
            for pid in victims:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            kills += 1
        code = first.wait(timeout=120)
        job.wait_for(lambda: not any(job.running(p) for p in ranks), 60, "end of all ranks")
        if code == 0:
            break
        assert code in (5, -signal.SIGKILL), (code, job.text(log))
    check_same(out, reference, f"{layout} after {kills} kills")
    return kills


def fault(runs, layout, environment, reference, log):
    """A run with one fault while it saves a step; it goes on, or is resumed."""
    out = runs.out("fault")
    code = job.start(runs.command(layout, out), environment, log).wait(timeout=120)
    text = job.text(log)
    kills = environment["FAILING_HOW"] == "kill"
    if kills:
        assert code == -signal.SIGKILL, (environment, code, text)
    else:
        assert code == 0, (environment, code, text)
        assert "was not saved" in text or os.path.exists(os.path.join(out, "checkpoint-8")), text
        check_same(out, reference, environment)
    # The older one is whole.
    tool.run("sh", "-c", f"cd {out}/checkpoint-4 && sha256sum --quiet -c SHA256SUMS")
    if kills:
        tool.run(*runs.command(layout, out, "--resume"))
        check_same(out, reference, environment)


def check_faults(runs, shim, log):
    reference, _ = runs.reference("ddp1")
    count = os.path.join(runs.directory, "count")
    base = {"LD_PRELOAD": shim, "FAILING_STEP": "8"}
    job.start(runs.command("ddp1", runs.out("counted")), {**base, "FAILING_CALL": "none", "FAILING_COUNT": count},
              log).wait(timeout=120)
    calls = job.text(count)
    assert all(calls.count(c) > 1 for c in "wfr"), calls
    total, turn = 0, 0
    for call in ("write", "fsync", "rename"):
        for k in range(1, calls.count(call[0]) + 1):
            for how in ("enospc", "kill"):
                turn += 1
                if turn % runs.args.every:
                    continue
                fault(runs, "ddp1", {**base, "FAILING_CALL": call, "FAILING_AT": str(k), "FAILING_HOW": how}, reference,
                      log)
                total += 1
    writes = calls.count("w")
    for quarter in range(4):
        fault(runs, "ddp1", {**base, "FAILING_CALL": "write", "FAILING_AT": str(1 + quarter * writes // 4),
                             "FAILING_REST": "1", "FAILING_HOW": "enospc"}, reference, log)
    print(f"{total} faults of {len(calls)} calls of a save, and four full disks")


def check_stop(runs, log):
    """SIGTERM: a checkpoint of the step where it stopped, 128 + 15, and the same end after all."""
    for layout in ("ddp1", "ddp2"):
        reference, seconds = runs.reference(layout)
        out = runs.out("stopped")
        first = job.start(runs.command(layout, out, "--save-steps=1000"), log=log)
        path = os.path.join(out, "metrics.jsonl")
        job.wait_for(lambda: os.path.exists(path) and job.text(path).count("\n") > 1, 60, "steps")
        first.send_signal(signal.SIGTERM)
        code = first.wait(timeout=60)
        assert code in (128 + signal.SIGTERM, 0), (code, job.text(log))
        if code:
            assert [n for n in os.listdir(out) if n.startswith("checkpoint-")], os.listdir(out)
        tool.run(*runs.command(layout, out, "--resume"))
        check_same(out, reference, layout + " stopped")


def check_choice(runs, log):
    """Damaged and incomplete checkpoints are passed over by name; the limit keeps the newest."""
    reference, _ = runs.reference("ddp1")
    out = runs.out("chosen")
    tool.run(*runs.command("ddp1", out, "--save-total-limit=3"))
    kept = sorted(int(n.split("-")[1]) for n in os.listdir(out) if n.startswith("checkpoint-"))
    assert kept == [STEPS - 2 * EVERY, STEPS - EVERY, STEPS], kept
    name = os.path.join(out, f"checkpoint-{STEPS}", "rank-00000.safetensors")
    data = bytearray(read(name))
    data[-5] ^= 1
    with open(name, "wb") as f:
        f.write(data)
    os.remove(os.path.join(out, f"checkpoint-{STEPS - EVERY}", "checkpoint.json"))
    code = job.start(runs.command("ddp1", out, "--resume"), log=log).wait(timeout=120)
    text = job.text(log)
    assert code == 0, text
    assert f"checkpoint-{STEPS} is skipped" in text and "rank-00000.safetensors: tensor" in text and "is damaged" in text, text
    assert f"checkpoint-{STEPS - EVERY} is skipped" in text and "checkpoint.json" in text, text
    check_same(out, reference, "chosen")
    # In another layout the losses are those, but for rounding.
    other = runs.out("other")
    shutil.copytree(os.path.join(out, f"checkpoint-{STEPS - 2 * EVERY}"), os.path.join(other, "checkpoint-16"))
    for layout in ("tp2", "ddp2 same"):
        there = runs.out("there")
        tool.run(*runs.command(layout, there, "--resume=" + other))
        for ours, theirs in zip(metrics(os.path.join(there, "metrics.jsonl")), reference[1], strict=True):
            assert ours.keys() == theirs.keys() and ours.get("step") == theirs.get("step"), (ours, theirs)
            if "loss" in ours:
                assert abs(ours["loss"] - theirs["loss"]) <= 1e-4 * abs(theirs["loss"]), (layout, ours, theirs)


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--kills", type=int, default=6, help="at least so many in all")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--shim", help="failing_files.so; without it no faults")
    p.add_argument("--every", type=int, default=1, help="of the calls of a save only each so manieth fails")
    p.add_argument("--scratch", help="folder for the runs")
    args = p.parse_args()
    draw = random.Random(args.seed)
    with tool.scratch(args.scratch) as directory:
        runs, log = Runs(args, directory), os.path.join(directory, "log")
        check_choice(runs, log)
        check_stop(runs, log)
        if args.shim:
            check_faults(runs, os.path.abspath(args.shim), log)
        done, layouts = 0, [("ddp1", 1), ("ddp2", 2), ("tp2", 2)]
        turn = 0
        while done < args.kills:
            done += kill(runs, *layouts[turn % 3], draw, log)
            turn += 1
        print(f"{done} kills in {turn} runs, all of which ended with the same bytes")


if __name__ == "__main__":
    sys.exit(main())
