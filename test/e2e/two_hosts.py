#!/usr/bin/env python3
"""Two hosts made of network namespaces train together over TCP; whichever dies, or is cut off, both end with the cause.

Needs root and iproute2 (network namespaces and a veth pair); skipped without.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import job
import tool

SECONDS = 10
PORT = 24011


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Hosts:
    """Two namespaces with one cable between them."""

    def __init__(self):
        tag = str(os.getpid())
        self.names = [f"llamac-a{tag}", f"llamac-b{tag}"]
        self.addresses = ["10.214.77.1", "10.214.77.2"]
        self.cable = f"lc{tag}"[:12]

    def __enter__(self):
        try:
            for name in self.names:
                ip("netns", "add", name)
            ip("link", "add", self.cable + "a", "netns", self.names[0], "type", "veth", "peer", "name",
               self.cable + "b", "netns", self.names[1])
            for name, end, address in zip(self.names, "ab", self.addresses):
                ip("-n", name, "addr", "add", address + "/24", "dev", self.cable + end)
                ip("-n", name, "link", "set", self.cable + end, "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            tool.skip(f"network namespaces cannot be made here: {getattr(error, 'stderr', None) or error}")
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

    def start(self, host, command, log):
        environment = {"RANK": str(host), "WORLD_SIZE": "2", "MASTER_ADDR": self.addresses[0], "MASTER_PORT": str(PORT)}
        return job.start(["ip", "netns", "exec", self.names[host], *command], environment, log)

    def cut(self):
        ip("-n", self.names[1], "link", "set", self.cable + "b", "down")


def fail(message, logs):
    print("FAILED:", message)
    for log in logs:
        print(f"--- {log}", job.text(log), sep="\n")
    sys.exit(1)


def steps(path):
    if not os.path.exists(path):
        return []
    lines = [json.loads(line) for line in job.text(path).splitlines() if line.endswith("}")]
    return [line["loss"] for line in lines if "loss" in line]


def together(args, plan, directory, hosts):
    """A run over two hosts gives what the same plan gives on one."""
    logs = [os.path.join(directory, f"together{r}") for r in range(2)]
    outs = [os.path.join(directory, f"out{r}") for r in range(2)]
    run = ["--max-steps=12", "--learning-rate=1e-3"]
    both = [hosts.start(r, job.train(args, plan, outs[r], *run), logs[r]) for r in range(2)]
    codes = [p.wait(timeout=60) for p in both]
    if codes != [0, 0]:
        fail(f"exit codes {codes}", logs)
    alone = os.path.join(directory, "alone")
    tool.run(*job.train(args, plan, alone, *run))
    losses = [steps(os.path.join(out, "metrics.jsonl")) for out in (outs[0], alone)]
    if len(losses[0]) != 12 or losses[0] != losses[1]:
        fail(f"losses {losses[0]} on two hosts, {losses[1]} on one", logs)


def breaks(args, plan, directory, hosts, victim):
    """victim: 0 or 1 is killed; None: the cable between them is cut."""
    logs = [os.path.join(directory, f"log{r}") for r in range(2)]
    outs = [os.path.join(directory, f"broken{r}") for r in range(2)]
    for out in outs:
        shutil.rmtree(out, ignore_errors=True)
    both = [hosts.start(r, job.endless(args, plan, outs[r]), logs[r]) for r in range(2)]
    job.wait_for(lambda: len(steps(os.path.join(outs[0], "metrics.jsonl"))) > 20, 30, "training")
    begin = time.monotonic()
    if victim is None:
        hosts.cut()
    else:
        both[victim].send_signal(signal.SIGKILL)
    codes = [p.wait(timeout=60) for p in both]
    took = time.monotonic() - begin
    if took > SECONDS:
        fail(f"took {took:.1f} s", logs)
    for r in range(2):
        if r == victim:
            continue
        lines = [line for line in job.text(logs[r]).splitlines() if "error:" in line]
        other = 1 - r
        if codes[r] != 5 or len(lines) != 1 or f"error: rank {other} on host" not in lines[0] or "(step " not in lines[0]:
            fail(f"host {r} ended with {codes[r]} and {lines}", logs)
    return took


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    if os.geteuid() or not shutil.which("ip"):
        tool.skip("network namespaces need root and iproute2")
    with tool.scratch() as directory, Hosts() as hosts:
        plan = tool.compile_plan(args, args.model, directory, "--task=sst2", "--shard=ddp2",
                                 "--adapter=lora:r=4,alpha=8,targets=all-linear", "--per-device-batch-size=4",
                                 "--max-seq-length=64")
        together(args, plan, directory, hosts)
        took = [breaks(args, plan, directory, hosts, victim) for victim in (1, 0, None)]
        print("rank 1 killed: {:.2f} s, rank 0 killed: {:.2f} s, cable cut: {:.2f} s".format(*took))


if __name__ == "__main__":
    sys.exit(main())
