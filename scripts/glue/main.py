#!/usr/bin/env python3
"""Runs GLUE tasks one after another: import, and for each task and seed compile, train, evaluate, predict; the table."""
import datetime
import fcntl
import json
import os
import re
import subprocess
import sys

import options
import results
import submission
import tasks
from run import Failed, Interrupted, Programs, Run, sha256, write_atomically

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def say(text):
    print(text, flush=True)


def read_or_empty(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def stop(code, message):
    sys.stdout.flush()
    print("glue: " + message, file=sys.stderr)
    sys.exit(code)


class Suite:
    """Everything that one call of the script is about."""

    def __init__(self, args):
        self.args = args
        self.output = os.path.abspath(args.output)
        self.model, self.data = os.path.abspath(args.model), os.path.abspath(args.data)
        self.programs = Programs(os.path.abspath(args.bin or os.path.join(ROOT, "build/bin")), say)
        self.mlir = os.path.join(self.output, "model.mlir")
        self.fingerprint = self._model_fingerprint()
        self.selected, self.skipped = self._select()
        self.runs = {}  # (task, seed) -> Run
        self.uncompiled = {}  # what plans were to be made of -> Failed
        self.settings = {}  # task -> settings

    def _model_fingerprint(self):
        """Of config.json and of the names and sizes of the weights: reading 16 GB to tell models apart takes too long."""
        try:
            names = sorted(n for n in os.listdir(self.model) if n.endswith(".safetensors"))
            sizes = "".join(f"{n} {os.path.getsize(os.path.join(self.model, n))}\n" for n in names)
            return sha256([os.path.join(self.model, "config.json")])[:16] + f", {len(sizes.splitlines())} files, " + \
                f"{sum(int(line.split()[-1]) for line in sizes.splitlines())} bytes"
        except OSError as error:
            stop(3, f"--model: {error}")

    def _select(self):
        """The tasks to run, and those of `all` that have no data."""
        if not os.path.isdir(self.data):
            stop(3, f"--data: {self.data}: no such folder")
        if "all" not in self.args.tasks:
            return [t for t in tasks.TASKS.values() if t.name in self.args.tasks], []
        there = [t for t in tasks.TASKS.values()
                 if t.folder(self.data) != self.data or (t.trained_by and os.path.isfile(self.data + "/AX.tsv"))]
        there = [t for t in there if not (t.trained_by and tasks.TASKS[t.trained_by] not in there)]
        if not there:
            folders = " ".join(t.folders[0] for t in tasks.TASKS.values())
            stop(3, f"--data: {self.data} has none of {folders}; for one task's own folder say which, with --tasks")
        return there, [t.name for t in tasks.TASKS.values() if t not in there]

    def folder(self, task, seed):
        return os.path.join(self.output, task.name, f"seed-{seed}")

    def settings_of(self, task):
        if task.name not in self.settings:
            folder = task.folder(self.data)
            files = [os.path.join(folder, f) for f in (task.train, *task.devs.values())]
            if missing := task.missing(self.data):
                raise Failed(f"{missing}: no such file")
            with open(files[0], "rb") as file:
                rows = sum(1 for _ in file) - (task.name != "cola")
            self.settings[task.name] = options.settings_of(self.args, task, self.fingerprint, sha256(files)[:16], rows)
        return self.settings[task.name]

    def open_run(self, task, seed):
        """The run with today's settings; of AX, which trains nothing, with those of MNLI's run that it follows."""
        folder = self.folder(task, seed)
        if not task.trained_by:
            return Run(task, seed, folder, self.settings_of(task))
        if missing := task.missing(self.data):
            raise Failed(f"{missing}: no such file")
        trainer = self.trainer(task, seed)
        if not trainer.done("train") or trainer.settings.get("model") != self.fingerprint:
            raise Failed(f"is predicted by {trainer.task.title}'s adapter of the same model and seed, which is not "
                         f"there: {trainer.error or 'add ' + task.trained_by + ' to --tasks'}")
        return Run(task, seed, folder, trainer.settings)

    def trainer(self, task, seed):
        """The run whose adapter predicts `task`: a former call's if it is none of this one's."""
        by = tasks.TASKS[task.trained_by]
        return self.runs.get((by.name, seed)) or Run.of_folder(by, seed, self.folder(by, seed))

    def refuse_conflicts(self):
        """Before anything is done: results of other settings are not replaced unasked."""
        for task in self.selected:
            for seed in self.args.seeds if not (task.trained_by or self.args.force) else ():
                try:
                    conflict = self.open_run(task, seed).conflict()
                except Failed:
                    continue  # is told when its turn comes
                if conflict:
                    stop(2, f"{conflict}; --force replaces it, --output puts this one elsewhere")

    def plan(self, run):
        """The plan of a run, compiled if it is not there of the same model and flags and by the same llamac. Which those
        were is in plan.made beside it."""
        name, program = run.task.name, self.programs.llamac
        flags = options.compile_flags(self.args, run.task, run.settings)
        about = os.stat(program)
        made = "\n".join([sha256([self.mlir]), f"{about.st_size} {about.st_mtime_ns}", *flags])
        path = os.path.join(self.output, name, "plan.fb")
        if made in self.uncompiled:
            raise self.uncompiled[made]
        if not (os.path.exists(path) and read_or_empty(path[:-3] + ".made") == made):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                self.programs.run("llamac", [program, self.mlir, *flags, "-o", path], path[:-3] + ".txt")
            except Failed as error:
                self.uncompiled[made] = error  # for the other seeds
                raise
            write_atomically(path[:-3] + ".made", made)
        return path

    def common(self):
        """Flags of every llamarun command. On GPUs all plans share what was found out about GEMMs."""
        flags = ["--weights", self.model, "--data", self.data]
        if self.args.target == "cuda" and not any(a.startswith("--tune") for a in self.args.run_args):
            flags += ["--tune-file", os.path.join(self.output, "gemms.tune")]
        return flags + self.args.run_args

    def run(self, run):
        """Does what is left to do of a run; raises Failed."""
        task, force = run.task, self.args.force
        adapter = self.trainer(task, run.seed).folder if task.trained_by else run.folder
        tests = task.test_files(self.data)
        predicts = not self.args.no_predict and len(tests) == len(task.tests)
        if not self.args.no_predict and not predicts:
            say(f"no test set in {task.folder(self.data)}: no predictions")
        # Which adapter and which rows the predictions are of; before training there is no adapter.
        weights = os.path.join(adapter, "adapter_model.safetensors")
        wanted = lambda: sha256([weights, *tests])[:16] + "".join(" " + a for a in self.args.predict_args)
        trains = not task.trained_by
        if not force and (run.done("eval") or not trains) and (
                not predicts or (os.path.isfile(weights) and run.predicted(wanted()))):
            say("finished before; --force runs it again")
            return
        run.begin(force)
        plan = self.plan(run)
        if trains and not run.done("train"):
            run.train(self.programs, plan, self.common(), options.train_flags(self.args, run.settings),
                      self.args.keep_checkpoints)
        if trains and not run.done("eval"):
            run.evaluate(self.programs, plan, self.common() + self.args.eval_args)
            say("   " + ", ".join(f"{split} {m} {'undefined' if v is None else format(v, '.6g')}"
                                  for split, found in run.values().items() for m, v in found.items()))
        if predicts and not run.predicted(wanted()):
            run.predict(self.programs, plan, self.common() + self.args.predict_args, adapter, wanted())

    def run_all(self):
        """Returns the number of the signal that ended it early, or None."""
        total = len(self.selected) * len(self.args.seeds)
        pairs = [(task, seed) for task in self.selected for seed in self.args.seeds]
        for number, (task, seed) in enumerate(pairs, 1):
            say(f"\n== {task.title}, seed {seed} ({number} of {total})")
            run = None
            try:
                run = self.open_run(task, seed)
                self.run(run)
            except Interrupted as error:
                run.error = f"stopped by signal {error.number}"
                return error.number
            except (Failed, OSError) as error:
                run = run or Run.nothing(task, seed, self.folder(task, seed))
                run.error = str(error)
                say(f"FAILED: {run.error}")
            finally:
                self.runs[task.name, seed] = run
        return None

    def earlier(self):
        """Runs of this model that former calls finished here: other tasks, and other seeds of the same settings."""
        for task in tasks.TASKS.values():
            parent = os.path.join(self.output, task.name)
            for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else []:
                match = re.fullmatch(r"seed-(-?\d+)", name)
                if not match or (task.name, int(match[1])) in self.runs:
                    continue
                try:
                    run = Run.of_folder(task, int(match[1]), os.path.join(parent, name))
                except (Failed, OSError):
                    continue
                same = self.settings.get(task.name, run.settings) == run.settings
                if not (run.done("predict") or run.done("eval")):
                    continue
                if same and run.settings.get("model") == self.fingerprint:
                    self.runs[task.name, run.seed] = run
                else:
                    say(f"not in the table: {run.folder} is of another model or of other settings")

    def write_results(self):
        """results/: glue.json, glue.md and submission.zip. Returns the table."""
        self.earlier()
        folder = os.path.join(self.output, "results")
        os.makedirs(folder, exist_ok=True)
        parts, predictions = {}, {}
        best_seed = {}
        for task in tasks.TASKS.values():
            runs = sorted((r for (name, _), r in self.runs.items() if name == task.name), key=lambda r: r.seed)
            if not runs:
                continue
            parts[task.name] = results.of_task(task, runs)
            parts[task.name]["settings"] = runs[0].settings
            best = results.chosen(runs)
            if task.trained_by:
                best = self.runs.get((task.name, best_seed.get(task.trained_by)))
                parts[task.name]["chosen_seed"] = best.seed if best else None
            if best:
                best_seed[task.name] = best.seed
                if best.done("predict"):
                    predictions.update({f: os.path.join(best.folder, f) for f in task.tests})
        archive, files = submission.build(predictions) if predictions and not self.args.no_predict else (b"", {})
        zip_path = os.path.join(folder, "submission.zip")
        if archive:
            write_atomically(zip_path, archive)
        elif os.path.exists(zip_path):
            os.remove(zip_path)  # of results that are no longer these
        for part in files.values():
            if part["from"] != "placeholder":
                part["from"] = os.path.relpath(part["from"], self.output)
        document = {
            "head": {"model_name": os.path.basename(self.model.rstrip("/")), "model": self.model, "data": self.data,
                     "adapter": self.args.adapter, "target": self.args.target, "layout": self.args.shard,
                     "seeds": sorted({seed for _, seed in self.runs}), "version": self.version(),
                     "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")},
            "tasks": parts, "score": results.overall(parts), "skipped": [n for n in self.skipped if n not in parts],
            "submission": {"file": "results/submission.zip" if archive else None, "files": files}}
        write_atomically(os.path.join(folder, "glue.json"), json.dumps(document, indent=1) + "\n")
        table = results.markdown(document)
        write_atomically(os.path.join(folder, "glue.md"), table)
        return table

    def version(self):
        return subprocess.run([self.programs.llamarun, "--version"], capture_output=True, text=True,
                              check=False).stdout.strip() or "llamarun"


def lock(folder):
    """Two calls must not write into one folder. Programs inherit the lock: it lasts as long as the last of them."""
    os.makedirs(folder, exist_ok=True)
    file = open(os.path.join(folder, ".lock"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stop(2, f"another run, or what a killed one left running, is working in {folder}")
    return file


def main():
    args = options.parse(sys.argv[1:])
    if args.list:
        print(options.defaults_table())
        return 0
    if args.check_submission:
        wrong = submission.check(args.check_submission)
        print("\n".join(wrong) or f"{args.check_submission}: is complete")
        return 1 if wrong else 0
    suite = Suite(args)
    for program in (suite.programs.llamac, suite.programs.llamarun):
        if not os.access(program, os.X_OK):
            stop(2, f"{program}: no such program; build with cmake --preset release && cmake --build --preset release, "
                 "or name another folder with --bin")
    try:
        held = lock(suite.output)
        suite.programs.inherited = (held.fileno(),)
        if suite.skipped:
            say("no data: " + " ".join(suite.skipped))
        suite.programs.run("llamac import", [suite.programs.llamac, "import", suite.model, "-o", suite.mlir],
                           os.path.join(suite.output, "llamac.txt"))
    except Failed as error:
        stop(3, str(error))
    except OSError as error:
        stop(6, str(error))
    except Interrupted as error:
        return 128 + error.number
    suite.refuse_conflicts()
    ended = suite.run_all()
    try:
        table = suite.write_results()
    except OSError as error:
        stop(6, str(error))
    say("\n" + table)
    say(f"table: {suite.output}/results/glue.md")
    failed = [f"{r.task.title} seed {r.seed}" for r in suite.runs.values() if r.error]
    if failed:
        sys.stdout.flush()
        print("glue: failed: " + ", ".join(failed), file=sys.stderr)
    return 128 + ended if ended else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
