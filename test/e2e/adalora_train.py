#!/usr/bin/env python3
"""AdaLoRA training as a user runs it: budgets and ranks in the metrics, the adapter and its heat map, edge cases of the
schedule, and a run that is stopped and resumed in mid-schedule, which ends with the bytes of one that was not.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import tool

STEPS, TINIT, TFINAL, DELTA, INIT, TARGET, MATRICES = 150, 20, 40, 5, 6, 3, 14
SCHEDULE = f"init_r={INIT},target_r={TARGET},tinit={TINIT},tfinal={TFINAL},deltaT={DELTA},alpha=12,targets=all-linear"


def budget_at(step):
    """RankAllocator.budget_schedule of PEFT, for the steps that allocate; step counts from 0."""
    first, last = INIT * MATRICES, TARGET * MATRICES
    return int((first - last) * (1 - (step - TINIT) / (STEPS - TFINAL - TINIT)) ** 3 + last)


def expected_budgets():
    allocating = [s for s in range(TINIT + 1, STEPS - TFINAL) if s % DELTA == 0] + [STEPS - TFINAL]
    return {s + 1: budget_at(s) for s in allocating}  # lines count steps done


class Runs:
    def __init__(self, args, directory):
        self.args, self.directory = args, directory

    def plan(self, name, schedule, *flags):
        folder = os.path.join(self.directory, "plan-" + name)
        os.mkdir(folder)
        return tool.compile_plan(self.args, self.args.model, folder, "--task=sst2", "--max-seq-length=64",
                                 "--adapter=adalora:" + schedule, *flags)

    def command(self, plan, out, *flags, logging=10, steps=STEPS):
        return [self.args.llamarun, "train", plan, "--weights", self.args.model, "--data", self.args.data, "--threads=1",
                "--output-dir", os.path.join(self.directory, out), "--overwrite-output-dir", f"--max-steps={steps}",
                "--max-train-samples=640", "--max-eval-samples=64", "--learning-rate=5e-3",
                f"--logging-steps={logging}", "--save-strategy=no", *flags]

    def train(self, plan, out, *flags, steps=STEPS, **expect):
        return tool.run(*self.command(plan, out, *flags, steps=steps), **expect)

    def lines(self, out):
        with open(os.path.join(self.directory, out, "metrics.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def adapter(self, out):
        """The bytes of both files."""
        read = {}
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            with open(os.path.join(self.directory, out, name), "rb") as file:
                read[name] = file.read()
        return read

    def config(self, out):
        return json.loads(self.adapter(out)["adapter_config.json"])


def without_clock(line):
    return {k: v for k, v in line.items() if k != "seconds" and not k.endswith("_per_second")}


def check_metrics(lines, config):
    budgets = {line["step"]: line for line in lines if "ranks" in line}
    assert {s: line["budget"] for s, line in budgets.items()} == expected_budgets(), budgets
    for line in budgets.values():
        ranks = [rank for column in line["ranks"].values() for rank in column]
        assert len(ranks) == MATRICES and sum(ranks) == line["rank"] <= line["budget"], line
        # Scores of 84 triplets after so many steps have no ties.
        assert line["rank"] == line["budget"], line
    last = budgets[max(budgets)]
    for key, mask in config["rank_pattern"].items():
        layer, column = re.fullmatch(r"model\.layers\.(\d+)\.\w+\.(\w+)\.lora_E", key).groups()
        assert last["ranks"][column][int(layer)] == sum(mask), (key, mask, last)
    losses = [line for line in lines if "grad_norm" in line]
    assert losses[0]["budget"] == INIT * MATRICES and losses[-1]["budget"] == TARGET * MATRICES, losses
    # The regulariser: at first half of the mean of |G - 1| for small G, nearly sqrt(6) / 2; training lowers it.
    for line in losses:
        assert 0 < line["loss"] - line["task_loss"] < 0.5 * INIT ** 0.5 + 0.01, line
    assert losses[0]["loss"] - losses[0]["task_loss"] > 0.4 * INIT ** 0.5, losses[0]
    evaluated = [line for line in lines if "eval_accuracy" in line]
    assert evaluated and all(line["eval_loss"] > line["eval_task_loss"] > 0 for line in evaluated), evaluated
    return evaluated[-1]


def check_adapter(runs, plan, out, evaluated):
    """What was evaluated last is what was saved; its picture has its ranks."""
    folder = os.path.join(runs.directory, out)
    text = tool.run(runs.args.llamarun, "eval", plan, "--weights", runs.args.model, "--data", runs.args.data,
                    "--adapter", folder, "--max-eval-samples=64", "--threads=1")
    found = dict(re.findall(r"sst2 dev (\w+) = (\S+)", text))
    assert "loss" not in found and float(found["accuracy"]) == float(f"{evaluated['eval_accuracy']:.6g}"), (text, evaluated)
    assert abs(float(found["task_loss"]) - evaluated["eval_task_loss"]) < 1e-5, (text, evaluated)
    svg = os.path.join(runs.directory, "ranks.svg")
    text = tool.run(runs.args.llamarun, "inspect", folder, "--svg", svg, has=[f"ranks {TARGET * MATRICES} of"])
    assert "\x1b" not in text, "no terminal, no colours"
    pattern = runs.config(out)["rank_pattern"]
    rows = [[int(cell) for cell in line.split()] for line in text.splitlines() if re.match(r"\s+\d", line)]
    columns = "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()
    for layer, *ranks, total in rows:
        mine = {key.split(".")[-2]: sum(mask) for key, mask in pattern.items() if f".{layer}." in key}
        assert ranks == [mine[c] for c in columns] and total == sum(ranks), (text, pattern)
    assert len(rows) == 2, text
    with open(svg, encoding="utf-8") as file:
        drawing = file.read()
    assert drawing.startswith("<svg") and drawing.count("<title>") == MATRICES, drawing[:200]


def check_resume(runs, name, plan, whole):
    """Stopped by a signal somewhere in the falling phase, resumed, and the same in the end. \\return the step."""
    checkpoint = os.path.join(runs.directory, "checkpoint-" + name)
    out = "stopped-" + name
    with subprocess.Popen([str(c) for c in runs.command(plan, out, "--save-checkpoint", checkpoint,
                                                        "--eval-strategy=no", logging=1)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8") as job:
        path = os.path.join(runs.directory, out, "metrics.jsonl")
        for _ in range(3000):
            time.sleep(0.01)
            if os.path.exists(path) and f'"step": {TINIT + 8},' in open(path, encoding="utf-8").read():
                break
        job.send_signal(signal.SIGTERM)
        text = job.communicate(timeout=60)[0]
    assert job.returncode == 128 + signal.SIGTERM, (job.returncode, text)
    step = runs.lines(out)[-1]["step"]
    assert TINIT < step < STEPS - 5, f"stopped after step {step}: too late to show anything"
    resumed = "resumed-" + name
    runs.train(plan, resumed, "--resume", checkpoint)
    assert runs.adapter(resumed) == runs.adapter(whole), f"{name}: resumed after step {step}, another adapter"
    for kind in ("ranks", "eval_accuracy"):
        ours, theirs = ([without_clock(line) for line in runs.lines(run) if kind in line and line["step"] > step]
                        for run in (resumed, whole))
        assert ours == theirs, (kind, ours, theirs)
    print(f"{name}: stopped after step {step}, resumed to the same bytes")


def check_edges(runs):
    """Where PEFT fails: nothing to mask, no final phase; and what neither can do."""
    short = dict(steps=12)
    same = runs.plan("same", "init_r=3,target_r=3,tinit=1,tfinal=2,deltaT=2,alpha=8,targets=q_proj,v_proj",
                     "--per-device-batch-size=8")
    runs.train(same, "same", **short)
    assert runs.config("same")["rank_pattern"] is None, "nothing was ever masked"
    open_end = runs.plan("open", "init_r=4,target_r=1,tinit=0,tfinal=0,deltaT=5,alpha=8,targets=all-linear",
                         "--per-device-batch-size=8")
    runs.train(open_end, "open", **short)
    config = runs.config("open")
    masks = config["rank_pattern"].values()
    last = [line for line in runs.lines("open") if "ranks" in line][-1]
    assert last["step"] == 11 and sum(map(sum, masks)) == last["rank"], (last, config)
    assert config["total_step"] == 12 and config["r"] == 8 and config["peft_type"] == "ADALORA", config
    late = runs.plan("late", "init_r=4,target_r=1,tinit=8,tfinal=4,alpha=8,targets=all-linear",
                     "--per-device-batch-size=8")
    runs.train(late, "late", **short, code=2, has=["tinit 8", "tfinal 4", "12 steps"])


def check_accumulation(runs):
    """Micro-batches, of one device or of replicas, make the same losses and masks; the regulariser counts once."""
    schedule = "init_r=5,target_r=2,tinit=3,tfinal=6,deltaT=2,alpha=8,targets=all-linear"
    results = []
    for name, *flags in (("whole", "--per-device-batch-size=8"),
                         ("halves", "--per-device-batch-size=4", "--gradient-accumulation-steps=2"),
                         ("quarters", "--shard=ddp2", "--per-device-batch-size=2", "--gradient-accumulation-steps=2")):
        runs.train(runs.plan(name, schedule, *flags), name, "--eval-strategy=no", steps=25)
        lines = runs.lines(name)
        results.append(([line["ranks"] for line in lines if "ranks" in line],
                        [line[key] for line in lines if "task_loss" in line for key in ("loss", "task_loss")]))
    for ranks, losses in results[1:]:
        assert ranks == results[0][0] and len(ranks) == 9, (ranks, results[0][0])
        assert len(losses) == len(results[0][1]) and all(
            abs(a - b) <= 1e-5 * b for a, b in zip(losses, results[0][1])), (losses, results[0][1])


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        runs = Runs(args, directory)
        one = runs.plan("one", SCHEDULE, "--per-device-batch-size=8")
        text = runs.train(one, "one")
        assert f"budget {TARGET * MATRICES}" in text, text
        check_adapter(runs, one, "one", check_metrics(runs.lines("one"), runs.config("one")))
        runs.train(one, "again")
        assert runs.adapter("again") == runs.adapter("one")
        check_resume(runs, "one device", one, "one")
        both = runs.plan("both", SCHEDULE, "--shard=ddp2,tp2", "--per-device-batch-size=4")
        runs.train(both, "both")
        assert runs.config("both")["rank_pattern"] == runs.config("one")["rank_pattern"]
        check_resume(runs, "ddp2,tp2", both, "both")
        check_edges(runs)
        check_accumulation(runs)


if __name__ == "__main__":
    sys.exit(main())
