#!/usr/bin/env python3
"""Each way to start the ranks trains the same: llamarun alone, variables by hand, srun's, mpirun's and torchrun's.

mpirun and torchrun run if they are installed, srun where a cluster answers; the environment that srun and mpirun give their
tasks is made by hand in any case. What does not go together is refused before the first step.
"""
import importlib.util
import os
import shutil
import socket
import subprocess
import sys

import job
import tool

STEPS = ["--max-steps=6", "--learning-rate=1e-3"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fail(message, *logs):
    print("FAILED:", message)
    for log in logs:
        print(f"--- {log}", job.text(log), sep="\n")
    sys.exit(1)


def adapter(out):
    with open(os.path.join(out, "adapter_model.safetensors"), "rb") as file:
        return file.read()


class Launches:
    def __init__(self, args, directory, plan):
        self.args, self.directory, self.plan = args, directory, plan
        self.count = 0

    def command(self, plan=None):
        self.count += 1
        out = os.path.join(self.directory, f"out{self.count}")
        return job.train(self.args, plan or self.plan, out, *STEPS), out

    def run(self, environments, codes, plans=None, has=(), flags=None):
        """One process for each environment, all with the same output directory; returns it. `flags` of each."""
        command, out = self.command()
        logs = [f"{out}.log{r}" for r in range(len(environments))]
        processes = []
        for r, environment in enumerate(environments):
            if plans:
                command[2] = plans[r]
            processes.append(job.start(command + (flags[r] if flags else []), environment, logs[r]))
        ended = [p.wait(timeout=120) for p in processes]
        if ended != codes:
            fail(f"exit codes {ended} instead of {codes}", *logs)
        for text in has:
            for log in logs:
                if text not in job.text(log):
                    fail(f"the output lacks {text!r}", log)
        return out

    def launcher(self, *command):
        training, out = self.command()
        log = out + ".log"
        code = job.start([*command, *training], log=log).wait(timeout=120)
        if code:
            fail(f"{command[0] if command else 'llamarun'}: exit code {code}", log)
        return out


def by_hand(size, port, **changes):
    return [{"RANK": str(r), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **changes}
            for r in range(size)]


def slurm(size, job_id):
    return [{"SLURM_PROCID": str(r), "SLURM_LOCALID": str(r), "SLURM_NTASKS": str(size), "SLURM_NNODES": "1",
             "SLURM_STEP_NUM_NODES": "1", "SLURM_JOB_ID": str(job_id), "SLURM_STEP_ID": "0", "SLURM_NODEID": "0",
             "SLURM_STEP_NODELIST": "node[03-04]", "SLURM_STEP_TASKS_PER_NODE": str(size)} for r in range(size)]


def mpi(size, job_id):
    return [{"OMPI_COMM_WORLD_RANK": str(r), "OMPI_COMM_WORLD_SIZE": str(size), "OMPI_COMM_WORLD_LOCAL_RANK": str(r),
             "OMPI_COMM_WORLD_LOCAL_SIZE": str(size), "PMIX_NAMESPACE": f"test-{job_id}"} for r in range(size)]


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    ran = ["llamarun", "by hand", "srun's variables", "mpirun's variables"]
    with tool.scratch() as directory:
        plans = {}
        for layout, batch in (("ddp2", "4"), ("other", "2")):
            os.mkdir(os.path.join(directory, layout))
            plans[layout] = tool.compile_plan(args, args.model, os.path.join(directory, layout), "--task=sst2",
                                              "--shard=ddp2", "--adapter=lora:r=4,alpha=8,targets=all-linear",
                                              "--per-device-batch-size=" + batch, "--max-seq-length=64")
        launches = Launches(args, directory, plans["ddp2"])
        expected = adapter(launches.launcher())  # by itself
        for name, environments in (("by hand", by_hand(2, free_port())), ("slurm", slurm(2, os.getpid())),
                                   ("mpi", mpi(2, os.getpid()))):
            if adapter(launches.run(environments, [0, 0])) != expected:
                fail(f"{name}: another adapter")

        # As torchrun's agent does, somebody else listens on MASTER_PORT.
        with socket.socket() as agent:
            agent.bind(("127.0.0.1", 0))
            agent.listen()
            environments = by_hand(2, agent.getsockname()[1], TORCHELASTIC_USE_AGENT_STORE="True",
                                   TORCHELASTIC_RUN_ID="test")
            if adapter(launches.run(environments, [0, 0])) != expected:
                fail("beside an agent: another adapter")

        if importlib.util.find_spec("torch"):
            ran.append("torchrun")
            out = launches.launcher(sys.executable, "-m", "torch.distributed.run", "--no-python", "--nproc-per-node=2",
                                    "--master-port", free_port())
            if adapter(out) != expected:
                fail("torchrun: another adapter")
        if shutil.which("mpirun"):
            ran.append("mpirun")
            if adapter(launches.launcher("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2")) != expected:
                fail("mpirun: another adapter")

        if shutil.which("srun") and subprocess.run(["srun", "--immediate=5", "-n2", "true"], capture_output=True,
                                                   check=False).returncode == 0:
            ran.append("srun")
            if adapter(launches.launcher("srun", "-n2")) != expected:
                fail("srun: another adapter")

        # Refused before the first step, by name.
        launches.run(by_hand(2, free_port()), [3, 3], plans=[plans["ddp2"], plans["other"]],
                     has=["rank 1 (host", "do not run the same", "plan "])
        launches.run(by_hand(3, free_port()), [2, 2, 2], has=["is for 2 devices (dp 2)", "this job has 3 ranks"])
        launches.run([{"RANK": "0"}], [2], has=["WORLD_SIZE"])
        launches.run(by_hand(2, free_port()), [2, 2], flags=[["--seed=7"], ["--seed=8", "--warmup-steps=2"]],
                     has=["not told the same", "--seed is 7 on rank 0; 8 on rank 1",
                          "--warmup-steps is 0 on rank 0; 2 on rank 1"])
        launches.run(by_hand(2, free_port()), [2, 2], flags=[[], ["--max-train-samples=50"]],
                     has=["--data (train) is", " examples with hash", "on rank 0; 50 examples"])
        # How a host is used, and how a number is written, is its own affair.
        same = launches.run(by_hand(2, free_port()), [0, 0], flags=[["--threads=1"], ["--adam-epsilon=0.00000001"]])
        if adapter(same) != expected:
            fail("with one host's own flags: another adapter")
        # An error of one rank ends all with its code and words.
        command, out = launches.command()
        logs = [out + ".log0", out + ".log1"]
        both = [job.start([x if r == 0 or x != args.data else directory for x in command], environment, logs[r])
                for r, environment in enumerate(by_hand(2, free_port()))]
        codes = [process.wait(timeout=60) for process in both]
        if codes != [3, 3] or any("error: rank 1 on host" not in job.text(log) or "train data" not in job.text(log)
                                  for log in logs):
            fail(f"exit codes {codes} where rank 1 has no data", *logs)
        lonely = by_hand(2, free_port())[:1]
        command, out = launches.command()
        log = out + ".log"
        code = job.start([*command, "--timeout=0.5"], lonely[0], log).wait(timeout=60)
        if code != 5 or "rank 1 did not come within 0.5 s" not in job.text(log):
            fail(f"exit code {code} for a rank that does not come", log)
    print("the same adapter from:", ", ".join(ran))


if __name__ == "__main__":
    sys.exit(main())
