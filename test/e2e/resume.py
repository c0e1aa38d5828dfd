#!/usr/bin/env python3
"""A run that is killed or stopped, and resumed, ends with the bytes of one that was not.

--kills: kill -9 of one rank, or of all, at random instants, half of them during a save, of runs on one device, ddp2,
tp2 and of AdaLoRA. --shim: during one save the k-th write, fsync and rename fails or kills, for every k; also every
write from a quarter of the save on, as on a full disk. Compared are adapter, last checkpoint's tensors and
metrics.jsonl less the clock.
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
        layout, same = name.removesuffix(" same").replace("adalora", "ddp1"), name.endswith(" same")
        adapter = "lora:r=4"
        if name == "adalora":
            adapter = "adalora:init_r=4,target_r=2,tinit=4,tfinal=8,deltaT=3"
        if name not in self.plans:
            at = os.path.join(self.directory, "plan-" + name.replace(" ", "-"))
            os.mkdir(at)
            # Dropout and accumulation: random numbers and unfinished sums are part of the state. As "same" the
            # micro-batches of replicas are those of one device: dropout draws by them.
            replicas = 2 if layout.startswith("ddp2") else 1
            batch, accumulation = (2, 2 // replicas) if same else (2 // replicas, 2)
            self.plans[name] = tool.compile_plan(
                self.args, self.args.model, at, "--task=sst2", "--shard=" + layout, "--max-seq-length=64",
                f"--adapter={adapter},alpha=8,dropout=0.1,targets=all-linear", f"--per-device-batch-size={batch}",
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


def strike(first, size, draw):
    """kill -9 of all ranks, or of one; returns the ranks."""
    ranks = job.children(first.pid) if size > 1 else []
    victims = [draw.choice(ranks)] if ranks and draw.random() < 0.5 else ranks + [first.pid]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return ranks


def unfinished(out):
    return os.path.isdir(out) and any(".tmp-" in n for n in os.listdir(out) if n.startswith("checkpoint-"))


def kill(runs, layout, draw, log, saving):
    """One run, killed once at a random instant, or at one of a random save, and resumed. Returns whether it was killed,
    and whether that left a save unfinished."""
    reference, seconds = runs.reference(layout)
    out, size = runs.out("killed"), 1 if layout.startswith(("ddp1", "adalora")) else 2
    first = job.start(runs.command(layout, out, "--resume"), log=log)
    if saving:
        wanted = f"checkpoint-{EVERY * draw.randint(1, STEPS // EVERY)}.tmp-"
        while first.poll() is None and not (
                os.path.isdir(out) and any(n.startswith(wanted) for n in os.listdir(out))):
            time.sleep(0.0005)
        time.sleep(draw.random() * 0.04)
    else:
        time.sleep(draw.random() * seconds)
    ranks = strike(first, size, draw)
    code = first.wait(timeout=120)
    job.wait_for(lambda: not any(job.running(p) for p in ranks), 60, "end of all ranks")
    assert code in (0, 5, -signal.SIGKILL), (code, job.text(log))
    half = unfinished(out)
    if code:
        code = job.start(runs.command(layout, out, "--resume"), log=log).wait(timeout=120)
        assert code == 0, (code, job.text(log))
        code = 1
    check_same(out, reference, f"{layout} killed")
    return bool(code), half


def check_kills(runs, draw, log, count, layouts):
    killed = halves = turn = 0
    by_layout = dict.fromkeys(layouts, 0)
    while killed < count:
        layout = layouts[turn % len(layouts)]
        hit, half = kill(runs, layout, draw, log, saving=turn // len(layouts) % 2 == 0)
        killed, halves, turn = killed + hit, halves + half, turn + 1
        by_layout[layout] += hit
    print(f"{killed} runs killed ({by_layout}), {halves} of them with a save half written; all ended with the same "
          "bytes", flush=True)


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


def check_ranks(runs, shim, log):
    """One rank of two cannot write, or dies writing: nobody waits for it."""
    reference, _ = runs.reference("tp2")
    base = {"LD_PRELOAD": shim, "FAILING_STEP": "8", "FAILING_CALL": "write", "FAILING_RANK": "1", "FAILING_AT": "3"}
    for how in ("enospc", "kill"):
        out = runs.out("fault")
        code = job.start(runs.command("tp2", out), {**base, "FAILING_HOW": how}, log).wait(timeout=120)
        text = job.text(log)
        assert code == (0 if how == "enospc" else 5), (how, code, text)
        if how == "enospc":
            assert "checkpoint of step 8 was not saved" in text and "rank-00001.safetensors" in text, text
        else:
            assert not os.path.exists(os.path.join(out, "checkpoint-8")), os.listdir(out)
            tool.run(*runs.command("tp2", out, "--resume"))
        check_same(out, reference, "rank 1: " + how)


def check_full_disk(runs, log):
    """A small file system that is full after each quarter of the second save."""
    mount = os.path.join(runs.directory, "mount")
    os.mkdir(mount)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount], check=False,
                                      capture_output=True).returncode:
        print("no mount here: no small file systems")
        return
    try:
        pages = subprocess.check_output(["du", "-sB1", os.path.join(runs.directory, "reference-ddp1", "checkpoint-4")])
        size = int(pages.split()[0])
        for quarter in range(4):
            out = os.path.join(mount, "run")
            shutil.rmtree(out, ignore_errors=True)
            room = int(size * (1.2 + quarter / 4))  # metrics.jsonl and directories take a little, too
            subprocess.run(["mount", "-o", f"remount,size={room // 4096 * 4096}", mount], check=True)
            code = job.start(runs.command("ddp1", out), log=log).wait(timeout=120)
            text = job.text(log)
            # Training went on to its end; only that the last save failed is an error.
            assert code == 6, (quarter, code, text)
            for step in range(2 * EVERY, STEPS + 1, EVERY):
                assert f"checkpoint of step {step} was not saved" in text, (quarter, step, text)
            assert text.count("error:") == 1 and f"step {STEPS}/{STEPS}" in text, text
            tool.run("sh", "-c", f"cd {out}/checkpoint-4 && sha256sum --quiet -c SHA256SUMS")
            assert not unfinished(out), os.listdir(out)
            # There is room again.
            subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
            tool.run(*runs.command("ddp1", out, "--resume"))
            check_same(out, runs.reference("ddp1")[0], f"full after {quarter} quarters")
    finally:
        subprocess.run(["umount", mount], check=True)
    print("four small file systems")


def check_stop(runs, shim, log):
    """SIGTERM: a checkpoint of the step where it stopped, 128 + 15, and the same end after all. A second SIGTERM ends
    even a save that hangs."""
    for layout in ("ddp1", "ddp2"):
        reference, _ = runs.reference(layout)
        out = runs.out("stopped")
        first = job.start(runs.command(layout, out, "--save-steps=1000"), log=log)
        path = os.path.join(out, "metrics.jsonl")
        job.wait_for(lambda: first.poll() is not None or os.path.exists(path) and job.text(path).count("\n") > 1, 60,
                     "steps")
        first.send_signal(signal.SIGTERM)
        code = first.wait(timeout=60)
        assert code in (128 + signal.SIGTERM, 0), (code, job.text(log))
        if code:
            assert [n for n in os.listdir(out) if n.startswith("checkpoint-")], os.listdir(out)
        tool.run(*runs.command(layout, out, "--resume"))
        check_same(out, reference, layout + " stopped")
        if not shim:
            continue
        out = runs.out("stalled")
        stall = {"LD_PRELOAD": shim, "FAILING_CALL": "fsync", "FAILING_AT": "1", "FAILING_HOW": "stall",
                 "FAILING_STEP": "4"}
        first = job.start(runs.command(layout, out), stall, log)
        job.wait_for(lambda: unfinished(out), 60, "save")
        first.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert first.poll() is None, (first.poll(), job.text(log))  # it waits for the disk
        begin = time.monotonic()
        first.send_signal(signal.SIGTERM)
        code = first.wait(timeout=30)
        assert code in (-signal.SIGTERM, 128 + signal.SIGTERM), (code, job.text(log))
        assert time.monotonic() - begin < 20, "the second SIGTERM waited"


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
    assert f"checkpoint-{STEPS} is skipped" in text and "rank-00000.safetensors: tensor '" in text, text
    assert "is damaged" in text, text
    assert f"checkpoint-{STEPS - EVERY} is skipped" in text and "checkpoint.json" in text, text
    check_same(out, reference, "chosen")


def check_layouts(runs, log):
    """ddp2, then tp2, then one device: each goes on from the one before, and the losses are those but for rounding."""
    reference, _ = runs.reference("ddp1")
    there = runs.out("there")
    tool.run(*runs.command("ddp2 same", there))
    for step, layout in ((8, "tp2"), (16, "ddp1")):
        part = runs.out(f"part-{step}")
        shutil.copytree(os.path.join(there, f"checkpoint-{step}"), os.path.join(part, f"checkpoint-{step}"))
        there = runs.out("there-" + layout)
        tool.run(*runs.command(layout, there, "--resume=" + part))
        for ours, theirs in zip(metrics(os.path.join(there, "metrics.jsonl")), reference[1], strict=True):
            assert ours.keys() == theirs.keys() and ours.get("step") == theirs.get("step"), (ours, theirs)
            if "loss" in ours:
                assert abs(ours["loss"] - theirs["loss"]) <= 1e-4 * abs(theirs["loss"]), (layout, ours, theirs)


def check_settings(runs, shim, log):
    """What must be the same is compared; and a run that is to be replaced is there until there is a better one."""
    out = runs.out("settings")
    shutil.copytree(os.path.join(runs.directory, "reference-ddp1"), out)
    tool.run(*runs.command("ddp1", out, "--resume", "--learning-rate=1e-3"), code=2,
             has=["is of a run with --learning-rate 0.003, not 0.001", "--init-from"])
    tool.run(*runs.command("ddp1", out, "--resume", "--max-train-samples=39"), code=2, has=["--data (train)"])
    tool.run(*runs.command("ddp1", out, "--resume", "--seed=3"), code=2, has=["--seed 42, not 3"])
    if shim:
        environment = {"LD_PRELOAD": shim, "FAILING_STEP": "4", "FAILING_CALL": "rename", "FAILING_HOW": "kill",
                       "FAILING_AT": "1"}
        code = job.start(runs.command("ddp1", out, "--overwrite-output-dir", "--seed=3"), environment,
                         log).wait(timeout=120)
        assert code == -signal.SIGKILL, (code, job.text(log))
        shutil.rmtree(os.path.join(out, f"checkpoint-{STEPS}"))
        tool.run(*runs.command("ddp1", out, "--resume"))
        check_same(out, runs.reference("ddp1")[0], "not replaced")
    tool.run(*runs.command("ddp1", out, "--overwrite-output-dir", "--seed=3", "--save-steps=8"))
    steps = sorted(int(n.split("-")[1]) for n in os.listdir(out) if n.startswith("checkpoint-"))
    assert steps == [8, 16, STEPS], steps
    code = job.start(runs.command("ddp1", out, "--resume", "--seed=3", "--max-steps=26"), log=log).wait(timeout=120)
    assert code == 0 and "is of a run of 24 steps, not 26" in job.text(log), (code, job.text(log))


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--kills", type=int, default=6, help="runs to kill")
    p.add_argument("--layouts", default="ddp2 tp2 ddp1 adalora", help="of the runs that are killed")
    p.add_argument("--only-kills", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--shim", help="failing_files.so; without it no faults")
    p.add_argument("--every", type=int, default=1, help="of the calls of a save only each so manieth fails")
    p.add_argument("--scratch", help="folder for the runs; default: in memory, if there is room")
    args = p.parse_args()
    draw = random.Random(args.seed)
    memory = "/dev/shm"
    if not args.scratch and os.path.isdir(memory) and shutil.disk_usage(memory).free > 1 << 28:
        args.scratch = memory
    with tool.scratch(args.scratch) as directory:
        runs, log = Runs(args, directory), os.path.join(directory, "log")
        if not args.only_kills:
            shim = args.shim and os.path.abspath(args.shim)
            check_choice(runs, log)
            check_stop(runs, shim, log)
            check_layouts(runs, log)
            check_settings(runs, shim, log)
            check_full_disk(runs, log)
            if shim:
                check_ranks(runs, shim, log)
                check_faults(runs, shim, log)
        check_kills(runs, draw, log, args.kills, args.layouts.split())


if __name__ == "__main__":
    sys.exit(main())
