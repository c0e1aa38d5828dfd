#!/usr/bin/env python3
"""--backup while a run trains: checkpoints arrive, faults do not hold it up, what is restored can be resumed."""
import os
import re
import signal
import time

import s3_case
from s3_case import check, same
import tool


def train(args, case, plan, out, *flags):
    return ("train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out, "--eval-strategy=no",
            "--logging-steps=5", "--save-strategy=steps", "--save-steps=5", "--threads=1", "--timeout=30",
            "--backup", f"s3://{case.bucket}/runs/x", "--read-timeout=1", "--retry-base=0.01", *flags)


def without_clock(path):
    """metrics.jsonl, or any file, as bytes that two runs share."""
    with open(path, "rb") as file:
        return re.sub(rb'"[a-z_]*(seconds|per_second)": ?[-+.e0-9]+', b"", file.read())


def checkpoints_arrive(args, case, plan):
    case.fresh()
    out = os.path.join(case.directory, "plain")
    output = case.run(*train(args, case, plan, out, "--max-steps=20", "--backup-keep-last=2"),
                      has=("backup: s3://", "adapter: "))
    # A backup that began while another was under way is one with it; the last one has everything.
    check(1 <= output.count("backup: s3://") <= 5, output)
    restored = case.restore()
    same(restored, out)
    # What was restored goes on, and comes to the bytes that the run would have come to.
    more = ("--max-steps=30", "--resume")
    case.run(*train(args, case, plan, out, *more))
    case.run(*train(args, case, plan, restored, *more))
    for name in ("adapter_model.safetensors", "metrics.jsonl", "checkpoint-30/rank-00000.safetensors"):
        check(without_clock(os.path.join(out, name)) == without_clock(os.path.join(restored, name)),
              f"{name} differs after a restore")
    return out


def nothing_holds_it_up(args, case, plan):
    """A service that never answers: the run takes all its steps and says so at the end."""
    case.fresh()
    out = os.path.join(case.directory, "stalled")
    case.proxy.fault("stall", count=1000)
    output = case.run(*train(args, case, plan, out, "--max-steps=20", "--max-attempts=2"), code=6,
                      has=("no backup, training goes on", "adapter: "))
    check("checkpoint-20" in os.listdir(out), output)
    case.proxy.clear()
    case.bucket = "no-such-bucket"
    case.run(*train(args, case, plan, out + "2", "--max-steps=5"), code=6,
             has=("bucket 'no-such-bucket' does not exist", "adapter: "))
    case.bucket = "x"
    case.run(*train(args, case, plan, out + "3"), code=2, has=("'x' is no bucket's name",))


def killed(args, case, plan):
    """SIGKILL while backups are made: the newest backup is whole and can be resumed."""
    case.fresh()
    out = os.path.join(case.directory, "killed")
    case.proxy.part_delay = 0.05
    s3_case.kill_when(case.start(*train(args, case, plan, out, "--max-steps=100000")),
                      lambda: case.proxy.count("PUT", "/backups/") >= 1 and case.proxy.count("PUT") % 5 == 0)
    case.proxy.part_delay = 0
    restored = case.restore()
    step = max(int(n.split("-")[1]) for n in os.listdir(restored) if n.startswith("checkpoint-"))
    case.run(*train(args, case, plan, restored, f"--max-steps={step + 5}", "--resume"), has=("backup: s3://",))
    check(f"checkpoint-{step + 5}" in os.listdir(restored), "the resumed run did not come to its end")


def two_ranks(args, case, directory):
    """Rank 0 alone backs up; the others wait for it, longer than --timeout; SIGTERM still leaves a backup."""
    case.fresh()
    os.makedirs(os.path.join(directory, "ddp2"))
    plan = compile_plan(args, os.path.join(directory, "ddp2"), "--shard=ddp2")
    out = os.path.join(case.directory, "ranks")
    process = case.start(*(f for f in train(args, case, plan, out, "--max-steps=100000", "--timeout=2",
                                            "--save-total-limit=2") if f != "--timeout=30"))
    end = time.monotonic() + 60
    while case.proxy.count("PUT", "/backups/") < 1:
        check(process.poll() is None and time.monotonic() < end, "no backup came")
        time.sleep(0.01)
    case.proxy.part_delay = 0.3
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    s3_case.no_secrets(output)
    check(process.returncode == 143, f"exit code {process.returncode}\n{output}")
    same(case.restore(), out)


def compile_plan(args, directory, *flags):
    return tool.compile_plan(args, args.model, directory, "--task=sst2", "--adapter=lora:r=4,alpha=8,targets=all-linear",
                             "--per-device-batch-size=4", "--max-seq-length=64", *flags)


def everything(args, case):
    plan = compile_plan(args, case.directory)
    tests = ((checkpoints_arrive, plan), (nothing_holds_it_up, plan), (killed, plan), (two_ranks, case.directory))
    for test, what in tests:
        begin = time.monotonic()
        test(args, case, what)
        print(f"{test.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
    for base, _, files in os.walk(case.directory):
        for name in files:
            with open(os.path.join(base, name), encoding="latin-1") as file:
                s3_case.no_secrets(file.read())


if __name__ == "__main__":
    s3_case.main(__doc__, everything, (("--model", {"required": True}), ("--data", {"required": True})))
