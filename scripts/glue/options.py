"""The command line of scripts/glue.sh, and what it means for one task."""
import argparse
import math
import os
import re
import shlex

import tasks

DESCRIPTION = """Train and evaluate GLUE tasks: LoRA on each, the dev metrics in results/glue.json and results/glue.md, and
results/submission.zip for gluebenchmark.com. What is finished in --output is not run again; docs/glue.md has the rest.
Ends with 0, 1 if a task failed, 2 for wrong usage, 3 for a bad model or data folder, 128+n after signal n."""


def _names(text):
    chosen = [name.strip().lower().replace("-", "") for name in text.split(",") if name.strip()]
    for name in chosen:
        if name != "all" and name not in tasks.TASKS:
            raise argparse.ArgumentTypeError(f"'{name}' is no task; there are {' '.join(tasks.TASKS)} and all")
    return chosen


def _seeds(text):
    try:
        seeds = [int(s) for s in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not numbers with commas between them") from None
    if len(set(seeds)) != len(seeds):
        raise argparse.ArgumentTypeError("a seed is there twice")
    return seeds


def _positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
        return value
    return parse


def parser():
    p = argparse.ArgumentParser(prog="scripts/glue.sh", description=DESCRIPTION, allow_abbrev=False)
    p.add_argument("--model", metavar="DIR", help="Hugging Face directory of a Llama checkpoint")
    p.add_argument("--data", metavar="DIR", help="folder with CoLA/, SST-2/, ... as GLUE ships them, or one task's own")
    p.add_argument("--output", metavar="DIR", default="runs/glue", help="plans, runs and results/ [%(default)s]")
    p.add_argument("--tasks", type=_names, default=["all"], metavar="T,...",
                   help="of " + " ".join(tasks.TASKS) + "; all = those whose data are there [all]")
    p.add_argument("--seeds", type=_seeds, default=[42], metavar="N,...", help="a run of each task with each [42]")
    p.add_argument("--adapter", default="lora:r=16,alpha=32,targets=all-linear", metavar="A",
                   help="as llamac's; AdaLoRA's counts of steps may be shares of a task's, as in tinit=10%% [%(default)s]")
    p.add_argument("--epochs", "--num-train-epochs", type=_positive(float), metavar="X", help="for every task [by task]")
    p.add_argument("--learning-rate", type=_positive(float), default=tasks.LEARNING_RATE, metavar="X",
                   help="its peak [%(default)s]")
    p.add_argument("--warmup-ratio", type=float, default=tasks.WARMUP_RATIO, metavar="X", help="[%(default)s]")
    p.add_argument("--batch-size", type=_positive(int), default=tasks.BATCH, metavar="N",
                   help="sequences of an optimizer step, over all devices [%(default)s]")
    p.add_argument("--gradient-accumulation-steps", type=_positive(int), default=1, metavar="N",
                   help="that many parts, one after another, for less memory [1]")
    p.add_argument("--max-seq-length", type=_positive(int), metavar="N", help="for every task [by task]")
    p.add_argument("--target", choices=("cpu", "cuda"), default="cpu", help="[cpu]")
    p.add_argument("--shard", default="ddp1", metavar="L", help="layout, as llamac's [ddp1]")
    for step in ("llamac", "train", "eval", "predict"):
        p.add_argument(f"--{step}-args", type=shlex.split, default=[], metavar="'--flag ...'",
                       help=f"more flags of {step if step == 'llamac' else 'llamarun ' + step}")
    p.add_argument("--run-args", type=shlex.split, default=[], metavar="'--flag ...'",
                   help="more flags of every llamarun command: --threads, --gpu, --tokenizer, ...")
    p.add_argument("--force", action="store_true", help="run again what is finished")
    p.add_argument("--no-predict", action="store_true", help="no test sets, no submission")
    p.add_argument("--keep-checkpoints", action="store_true", help="of finished trainings, too")
    p.add_argument("--bin", default=os.environ.get("LLAMAC_BIN"), metavar="DIR", help="llamac, llamarun [build/bin]")
    p.add_argument("--list", action="store_true", help="print the tasks with their defaults and end")
    p.add_argument("--check-submission", metavar="ZIP", help="say what the leaderboard would refuse in ZIP and end")
    return p


def parse(argv):
    """Also takes --llamac-args --flag=x, where argparse would take the second for a flag of its own."""
    joined, rest = [], list(argv)
    while rest:
        word = rest.pop(0)
        joined.append(f"{word}={rest.pop(0)}" if re.fullmatch(r"--(llamac|train|eval|predict|run)-args", word) and rest
                      else word)
    p = parser()
    args = p.parse_args(joined)
    if not (args.list or args.check_submission):
        if not args.model or not args.data:
            p.error("--model and --data are required")
        try:
            per_device_batch(args)
        except ValueError as error:
            p.error(str(error))
    return args


def defaults_table():
    rows = [("task", "folder", "epochs", "length", "rows of the test sets")]
    rows += [(t.name, " or ".join(t.folders), str(t.epochs or "MNLI's"), str(t.max_length),
              " ".join(str(n) for _, n in t.tests.values())) for t in tasks.TASKS.values()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def per_device_batch(args):
    """Sequences of a micro-batch on one data-parallel rank. Raises ValueError if --batch-size has no such part."""
    parts = args.gradient_accumulation_steps
    for axis in args.shard.split(","):
        if match := re.fullmatch(r"ddp(\d+)", axis.strip()):
            parts *= max(1, int(match.group(1)))
    if args.batch_size % parts:
        raise ValueError(f"--batch-size={args.batch_size} has no {parts} equal parts (ranks of --shard={args.shard} "
                         f"times --gradient-accumulation-steps={args.gradient_accumulation_steps})")
    return args.batch_size // parts


def _given(flags, *names):
    """The value of the first of `names` that `flags` has; None if none is there."""
    for i, flag in enumerate(flags):
        for name in names:
            if flag == name:
                return flags[i + 1] if i + 1 < len(flags) else ""
            if flag.startswith(name + "="):
                return flag[len(name) + 1:]
    return None


def steps_of(args, epochs, rows):
    """Optimizer steps of a training over `rows` examples."""
    limit = int(_given(args.train_args, "--max-steps") or -1)
    rows = min(rows, int(_given(args.train_args, "--max-train-samples") or rows))
    return limit if limit > 0 else max(1, math.ceil(math.ceil(rows / args.batch_size) * epochs))


def adapter_of(args, steps):
    """--adapter with counts of steps instead of shares of them."""
    def count(match):
        least = 1 if match[1] in ("deltaT", "total_step") else 0
        return f"{match[1]}={max(least, round(steps * float(match[2]) / 100))}"
    return re.sub(r"\b(tinit|tfinal|deltaT|total_step)=([0-9.]+)%", count, args.adapter)


def settings_of(args, task, model, data, rows):
    """What the results of `task` depend on, for the table and to know a finished run again. `model` and `data` are
    fingerprints, `rows` the examples to train on."""
    epochs = args.epochs or task.epochs
    if given := _given(args.train_args, "--epochs", "--num-train-epochs"):
        epochs = float(given)
    rate = float(_given(args.train_args, "--learning-rate") or args.learning_rate)
    whole = int(epochs) if float(epochs).is_integer() else epochs
    return {"model": model, "data": data, "adapter": adapter_of(args, steps_of(args, epochs, rows)),
            "epochs": whole, "learning rate": rate, "warmup ratio": args.warmup_ratio, "batch": args.batch_size,
            "accumulation": args.gradient_accumulation_steps, "max length": args.max_seq_length or task.max_length,
            "target": args.target, "layout": args.shard, "llamac flags": shlex.join(args.llamac_args),
            "train flags": shlex.join(args.train_args), "eval flags": shlex.join(args.eval_args)}


def compile_flags(args, task, settings):
    flags = {"--target": args.target, "--task": task.name, "--adapter": settings["adapter"], "--shard": args.shard,
             "--per-device-batch-size": per_device_batch(args),
             "--gradient-accumulation-steps": args.gradient_accumulation_steps,
             "--max-seq-length": settings["max length"]}
    return [f"{k}={v}" for k, v in flags.items() if _given(args.llamac_args, k) is None] + args.llamac_args


def train_flags(args, settings):
    """A checkpoint each epoch, so that what is cut short goes on; of them only the newest is kept."""
    flags = {"--num-train-epochs": settings["epochs"], "--learning-rate": settings["learning rate"],
             "--warmup-ratio": settings["warmup ratio"], "--eval-strategy": "epoch", "--save-strategy": "epoch",
             "--save-total-limit": 1}
    if _given(args.train_args, "--epochs") is not None:
        del flags["--num-train-epochs"]
    return [f"{k}={v}" for k, v in flags.items() if _given(args.train_args, k) is None] + args.train_args
