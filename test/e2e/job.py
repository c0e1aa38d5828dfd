"""Jobs of several ranks as the end-to-end tests start them: processes, output, what is left behind."""
import os
import subprocess
import time


def train(args, plan, out, *flags):
    """The command line of a run that lasts until something ends it; `flags` may say otherwise."""
    return [args.llamarun, "train", plan, "--weights", args.model, "--data", args.data, "--output-dir", out,
            "--overwrite-output-dir", "--eval-strategy=no", "--save-strategy=no", "--logging-steps=1", *flags]


def endless(args, plan, out, *flags):
    return train(args, plan, out, "--max-steps=1000000", *flags)


def start(command, environment=None, log=None):
    """Starts a command with all its output in the file `log`."""
    with open(log or os.devnull, "wb") as output:
        return subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, env={**clean_environment(), **(environment or {})})


def clean_environment():
    """Without what a launcher around the test itself may have set."""
    foreign = ("RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "OMPI_", "PMIX", "SLURM_", "TORCHELASTIC", "LLAMARUN_")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)}


def children(pid):
    """The processes that `pid` started, without zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            state, parent = state_of(int(entry))
            if parent == pid and state != "Z":
                found.append(int(entry))
    return sorted(found)


def state_of(pid):
    """State letter and parent of a process; a process that is gone is as good as a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return fields[0], int(fields[1])
    except (OSError, IndexError):
        return "Z", 0


def running(pid):
    return state_of(pid)[0] not in "ZX"


def rank_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            for variable in file.read().split(b"\0"):
                if variable.startswith(b"RANK="):
                    return int(variable[5:])
    except OSError:
        pass
    return None


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise SystemExit(f"FAILED: no {what} within {seconds} s")


def text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
