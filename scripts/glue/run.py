"""One task with one seed: train, evaluate, predict. What was done is in glue-run.json, so that it is done once.

A step that is done is not repeated while its settings are the same; a training that was cut short goes on from its
newest checkpoint. Everything that the programs print goes to log.txt beside it.
"""
import glob
import hashlib
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import time


class Failed(Exception):
    """A step of a run did not end well; the message says which and why."""


class Interrupted(Exception):
    """A signal stopped the program that ran; `number` is the signal's."""

    def __init__(self, number):
        super().__init__(f"signal {number}")
        self.number = number


def write_atomically(path, data):
    """Replaces `path` by `data`, text or bytes, whole or not at all."""
    temporary = path + ".tmp"
    with open(temporary, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def sha256(paths):
    """One hash of the files' names and contents, in their order."""
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{os.path.basename(path)} {digest}\n".encode())
    return total.hexdigest()


class Programs:
    """Runs llamac and llamarun, one at a time, and hands a stop signal of ours on to the one that runs."""

    def __init__(self, folder, say):
        self.llamac, self.llamarun = os.path.join(folder, "llamac"), os.path.join(folder, "llamarun")
        self.say, self.child, self.stopped = say, None, None
        self.inherited = ()  # what a program keeps open if we are killed: the lock on the output folder
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number, _frame):
        # The program saves and ends; then so do we, with what is known by then in the table.
        self.stopped = number
        if self.child and self.child.poll() is None:
            self.child.send_signal(number)

    def run(self, what, command, log):
        """Raises Failed with the program's own message, Interrupted if a signal came. Returns the seconds it took."""
        if self.stopped:
            raise Interrupted(self.stopped)
        self.say("$ " + shlex.join(command))
        start = time.monotonic()
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "ab") as output:
            output.write(("$ " + shlex.join(command) + "\n").encode())
            output.flush()
            begin = output.tell()
            # A group of its own: Ctrl-C on a terminal reaches it once, through us.
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                          start_new_session=True, pass_fds=self.inherited)
            if self.stopped:
                self.child.send_signal(self.stopped)
            code = self.child.wait()
        if self.stopped:
            raise Interrupted(self.stopped)
        if code != 0:
            with open(log, encoding="utf-8", errors="replace") as file:
                file.seek(begin)
                lines = [line.strip() for line in file if line.strip()]
            errors = [line for line in lines if "error:" in line] or lines or ["no message"]
            ended = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
            raise Failed(f"{what}: {errors[-1]} ({ended}, see {log})")
        return time.monotonic() - start


class Run:
    """`task` with `seed` in `folder`. `settings`: everything that the numbers depend on, as strings and numbers."""

    def __init__(self, task, seed, folder, settings):
        self.task, self.seed, self.folder, self.settings = task, seed, folder, settings
        self.error, self.known = None, {"settings": settings, "steps": {}}
        self.path, self.log = os.path.join(folder, "glue-run.json"), os.path.join(folder, "log.txt")
        self.found = self._read()
        if self.found and self.found["settings"] == settings:
            self.known = self.found

    @classmethod
    def of_folder(cls, task, seed, folder):
        """The run that `folder` holds, with its own settings; one without steps if it holds none."""
        run = cls(task, seed, folder, {})
        if run.found:
            run.known, run.settings = run.found, run.found["settings"]
        return run

    @classmethod
    def nothing(cls, task, seed, folder):
        """A run of which not even the settings could be found out, or whose glue-run.json is broken."""
        run = cls.__new__(cls)
        run.task, run.seed, run.folder, run.settings = task, seed, folder, {}
        run.error, run.known = None, {"settings": {}, "steps": {}}
        return run

    def _read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                found = json.load(file)
            if isinstance(found["settings"], dict) and isinstance(found["steps"], dict):
                return found
            raise ValueError("is not what this script writes")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"{self.path}: {error}; remove it to begin anew") from error

    def conflict(self):
        """Says how the finished steps that the folder holds differ in their settings; None if they do not."""
        if not self.found or not self.found["steps"] or self.known is self.found:
            return None
        then, now = self.found["settings"], self.settings
        changed = "; ".join(f"{k}: {then.get(k)} then, {now.get(k)} now" for k in {**then, **now}
                            if then.get(k) != now.get(k))
        return f"{self.folder} holds a run of other settings ({changed})"

    def done(self, step):
        return self.known["steps"].get(step)

    def seconds(self, step):
        return (self.done(step) or {}).get("seconds")

    def begin(self, anew):
        """Prepares for running; what is there of other settings, or with `anew` of the same, is removed."""
        if self.found and (anew or self.known is not self.found):
            shutil.rmtree(self.folder)
            self.known = {"settings": self.settings, "steps": {}}
        os.makedirs(self.folder, exist_ok=True)
        self.save()

    def save(self):
        write_atomically(self.path, json.dumps(self.known, indent=1) + "\n")

    def finish(self, step, **values):
        self.known["steps"][step] = values
        self.save()

    # The steps. `common`: flags of every llamarun command; the plan comes first.

    def train(self, programs, plan, common, flags, keep_checkpoints):
        command = [programs.llamarun, "train", plan, *common, "--output-dir", self.folder, "--seed", str(self.seed),
                   *flags]
        resume = bool(glob.glob(os.path.join(self.folder, "checkpoint-*")))
        command.append("--resume" if resume else "--overwrite-output-dir")
        seconds = programs.run("train", command, self.log)
        if not keep_checkpoints:
            for checkpoint in glob.glob(os.path.join(self.folder, "checkpoint-*")):
                shutil.rmtree(checkpoint)
        self.finish("train", seconds=seconds, resumed=resume)

    def evaluate(self, programs, plan, common):
        """Of the saved adapter, not of what training saw at its end."""
        seconds = programs.run("eval", [programs.llamarun, "eval", plan, *common, "--adapter", self.folder,
                                        "--output-dir", self.folder], self.log)
        metrics, samples = {}, {}
        with open(os.path.join(self.folder, "eval.jsonl"), encoding="utf-8") as file:
            for line in map(json.loads, file):
                metrics[line["split"]] = {k[len("eval_"):]: v for k, v in line.items()
                                          if k.startswith("eval_") and k != "eval_samples"}
                samples[line["split"]] = line["eval_samples"]
        if set(metrics) != set(self.task.devs):
            raise Failed(f"eval: {self.folder}/eval.jsonl has {sorted(metrics)}, not {sorted(self.task.devs)}")
        self.finish("eval", seconds=seconds, metrics=metrics, samples=samples)

    def predicted(self, fingerprint):
        """Whether predictions are there that were made of the same test set with the same adapter."""
        return (self.done("predict") or {}).get("fingerprint") == fingerprint

    def predict(self, programs, plan, common, adapter, fingerprint):
        seconds = programs.run("predict", [programs.llamarun, "predict", plan, *common, "--adapter", adapter,
                                           "--output-dir", self.folder], self.log)
        missing = [f for f in self.task.tests if not os.path.isfile(os.path.join(self.folder, f))]
        if missing:
            raise Failed(f"predict: {self.folder} has no {missing[0]}")
        self.finish("predict", seconds=seconds, fingerprint=fingerprint)

    # What came out.

    def values(self):
        """{split: {metric: value}} of the task's own metrics; None where one is undefined. {} before evaluation."""
        step = self.done("eval")
        return {split: {m: found.get(m) for m in self.task.metrics}
                for split, found in step["metrics"].items()} if step else {}

    def score(self):
        """Mean over splits and metrics, as the leaderboard's for one task, in 0 to 100; None if not known."""
        values = [v for found in self.values().values() for v in found.values()]
        if not values or any(v is None or not math.isfinite(v) for v in values):
            return None
        return 100 * sum(values) / len(values)
