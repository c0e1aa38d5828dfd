#!/usr/bin/env python3
"""scripts/glue.sh on made-up files of all tasks: metrics, submission, what fails, what is run again.

Metrics are compared with plain formulas over the predictions that the submission holds: the test sets are the dev sets.
"""
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import zipfile

import glue_data
import tool

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "scripts/glue"))
import download  # noqa: E402
import options  # noqa: E402
import submission  # noqa: E402


def check(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


class Runner:
    def __init__(self, args, data, output):
        self.command = ["bash", os.path.join(ROOT, "scripts/glue.sh"), "--bin", os.path.dirname(args.llamac), "--model",
                        args.model, "--data", data, "--output", output, "--epochs", "1", "--adapter",
                        "lora:r=2,alpha=4,targets=q_proj,v_proj", "--batch-size", "8", "--llamac-args",
                        "--buckets=256,1024,2048"]
        self.output = output

    def __call__(self, *flags, code=0, has=()):
        """Runs it; returns what it printed. Its exit code must be `code`, its output must have all of `has`."""
        done = subprocess.run([*self.command, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        missing = [text for text in has if text not in done.stdout]
        check(done.returncode == code and not missing,
              f"{flags}: exit code {done.returncode}, not {code}; missing {missing}\n{done.stdout}")
        return done.stdout

    def results(self):
        return json.loads(text_of(os.path.join(self.output, "results/glue.json")))

    def archive(self):
        with zipfile.ZipFile(os.path.join(self.output, "results/submission.zip")) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}


# Plain formulas, over labels as text.


def accuracy(p, y):
    return sum(a == b for a, b in zip(p, y)) / len(y)


def counts(p, y):
    pairs = list(zip(p, y))
    return [pairs.count((a, b)) for a, b in (("1", "1"), ("1", "0"), ("0", "1"), ("0", "0"))]


def f1(p, y):
    tp, fp, fn, _ = counts(p, y)
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0


def matthews(p, y):
    tp, fp, fn, tn = counts(p, y)
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(spread) if spread else 0


def pearson(p, y):
    mp, my = sum(p) / len(p), sum(y) / len(y)
    cross = sum((a - mp) * (b - my) for a, b in zip(p, y))
    spread = math.sqrt(sum((a - mp)**2 for a in p) * sum((b - my)**2 for b in y))
    return cross / spread if spread else None


EXPECTED = {"CoLA.tsv": ("cola", "dev", {"matthews_correlation": matthews}), "SST-2.tsv": ("sst2", "dev", {"accuracy": accuracy}),
            "MRPC.tsv": ("mrpc", "dev", {"accuracy": accuracy, "f1": f1}),
            "QQP.tsv": ("qqp", "dev", {"accuracy": accuracy, "f1": f1}),
            "MNLI-m.tsv": ("mnli", "dev_matched", {"accuracy": accuracy}),
            "MNLI-mm.tsv": ("mnli", "dev_mismatched", {"accuracy": accuracy}),
            "QNLI.tsv": ("qnli", "dev", {"accuracy": accuracy}), "RTE.tsv": ("rte", "dev", {"accuracy": accuracy}),
            "WNLI.tsv": ("wnli", "dev", {"accuracy": accuracy})}


def check_metrics(tasks, files, truth):
    for name, (task, split, metrics) in EXPECTED.items():
        predictions = [line.split("\t")[1] for line in files[name].splitlines()[1:]]
        check(len(predictions) == len(truth[name]), f"{name}: {len(predictions)} rows")
        for metric, formula in metrics.items():
            found = tasks[task]["metrics"][split][metric]["mean"]
            check(abs(found - formula(predictions, truth[name])) < 1e-9, f"{task} {split} {metric}: {found}")
    # Scores are rounded in the file, and kept within 0 and 5.
    predictions = [float(line.split("\t")[1]) for line in files["STS-B.tsv"].splitlines()[1:]]
    found = tasks["stsb"]["metrics"]["dev"]["pearson"]["mean"]
    wanted = pearson(predictions, [float(v) for v in truth["STS-B.tsv"]])
    inside = [0 < v < 5 for v in predictions]
    check(wanted is not None and any(inside), f"predictions of STS-B {predictions}")
    check(not all(inside) or abs(found - wanted) < 0.05, f"stsb pearson {found}, of the file {wanted}")


def check_options():
    """Shares of steps, parts of a batch, and flags of the programs that replace the script's own."""
    parse = lambda *flags: options.parse(["--model", "m", "--data", "d", *flags])
    args = parse("--adapter", "adalora:tinit=10%,tfinal=30%,deltaT=0.1%,init_r=6", "--batch-size", "32")
    check(options.steps_of(args, 3, 2490) == 3 * 78, "steps of three epochs of RTE")
    found = options.adapter_of(args, 200)
    check(found == "adalora:tinit=20,tfinal=60,deltaT=1,init_r=6", found)
    args = parse("--shard", "ddp2,tp2", "--gradient-accumulation-steps", "2", "--llamac-args", "--max-seq-length=64",
                 "--train-args", "--max-steps 7 --save-strategy no", "--run-args", "--threads=1")
    check(options.per_device_batch(args) == 8 and options.steps_of(args, 3, 2490) == 7, "a batch of 32 over ddp2 and two parts")
    args.train_args = ["--max-train-samples=40"]
    check(options.steps_of(args, 3, 2490) == 6, "steps over the first 40 rows")
    settings = options.settings_of(args, options.tasks.TASKS["rte"], "model", "data", 2490)
    for flags, name in ((options.compile_flags(args, options.tasks.TASKS["rte"], settings), "--max-seq-length"),
                        (options.train_flags(args, settings), "--max-train-samples")):
        check(sum(f.split("=")[0] == name for f in flags) == 1, f"{name} once in {flags}")


def check_submission_rules(directory):
    """A zip of placeholders alone is one that the leaderboard takes; what it refuses is named by file and line."""
    archive, parts = submission.build({})
    path = os.path.join(directory, "empty.zip")
    with open(path, "wb") as file:
        file.write(archive)
    check(submission.check(path) == [] and len(parts) == 11, f"placeholders: {submission.check(path)}")
    check(submission.build({})[0] == archive, "the same predictions give other bytes")
    for name, text, what in (("RTE.tsv", "index\tprediction\n0\t1\n", "RTE.tsv:2: '1' is not entailment or not_entailment"),
                             ("RTE.tsv", "index,prediction\n", "RTE.tsv:1: is 'index,prediction'"),
                             ("STS-B.tsv", "index\tprediction\n0\t5.2\n", "STS-B.tsv:2: '5.2' is not a number from 0 to 5"),
                             ("CoLA.tsv", "index\tprediction\n1\t1\n", "CoLA.tsv:2: is '1\\t1', not index 0"),
                             ("QQP.tsv", "index\tprediction\n0\t1", "QQP.tsv:2: the last line has no end"),
                             ("MNLI.tsv", "", "MNLI.tsv: is no file of a submission")):
        check(any(c.startswith(what) for c in submission.complaints(name, text)), f"{what}: {submission.complaints(name, text)}")


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_download(directory, data):
    """Files with other hashes than the official ones are refused; good ones are laid out, MRPC split by its ids."""
    given, target = os.path.join(directory, "given"), os.path.join(directory, "fetched")
    os.makedirs(given)
    os.makedirs(target)
    with zipfile.ZipFile(os.path.join(given, "CoLA.zip"), "w") as archive:
        for name in ("train", "dev", "test"):
            archive.write(os.path.join(data, f"CoLA/{name}.tsv"), f"CoLA/{name}.tsv")
        archive.writestr("CoLA/original/raw/in_domain_train.tsv", "x")
        archive.writestr("__MACOSX/._train.tsv", "x")
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
    rows = [f"{n % 2}\t{n}\t{n + 100}\t\"first {n}\tsecond {n}\r\n" for n in range(9)]
    files = {"msr_paraphrase_train.txt": header + "".join(rows), "msr_paraphrase_test.txt": header + rows[0] + rows[1],
             "mrpc_dev_ids.tsv": "3\t103\n5\t105\n"}
    for name, content in files.items():
        with open(os.path.join(given, name), "w", encoding="utf-8", newline="") as file:
            file.write(content)
    for task in ("cola", "mrpc"):
        try:
            download.fetch(task, target, given)
            check(False, f"{task}: a file of another hash was taken")
        except download.Bad as error:
            left = set(os.listdir(target)) - {"CoLA"}
            check("not the official file" in str(error) and not left, f"{error} {left}")
        for i, (address, _) in enumerate(download.SOURCES[task]):
            with open(os.path.join(given, os.path.basename(address)), "rb") as file:
                download.SOURCES[task][i] = address, hashlib.sha256(file.read()).hexdigest()
        download.fetch(task, target, given)
    check(sorted(os.listdir(os.path.join(target, "CoLA"))) == ["dev.tsv", "test.tsv", "train.tsv"], "what CoLA.zip left")
    found = {name: text_of(os.path.join(target, f"MRPC/{name}.tsv")).split("\n") for name in ("train", "dev", "test")}
    check(found["dev"] == ["Quality" + header[8:-2], *(rows[n][:-2] for n in (3, 5)), ""], f"MRPC dev {found['dev']}")
    check(len(found["train"]) == 9 and found["test"][:2] == ["index" + header[8:-2], "0" + rows[0][1:-2]], f"MRPC {found}")


def stopped_and_resumed(args, data, output):
    """SIGTERM in the middle of a training ends the runner with 143; the next call goes on from the checkpoint."""
    runner = Runner(args, data, output)
    flags = ["--tasks", "wnli", "--train-args", "--max-steps=150 --save-strategy=steps --save-steps=10 --eval-strategy=no"]
    process = subprocess.Popen([*runner.command, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    folder, end = os.path.join(output, "wnli/seed-42"), time.monotonic() + 60
    while not (os.path.isdir(folder) and any(n.startswith("checkpoint-") for n in os.listdir(folder))):
        check(process.poll() is None and time.monotonic() < end, "no checkpoint came")
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    check(process.wait() == 143, f"exit code {process.returncode} after SIGTERM")
    check("stopped by signal 15" in runner.results()["tasks"]["wnli"]["runs"]["42"]["error"], "the table does not say so")
    steps = lambda: json.loads(text_of(os.path.join(folder, "glue-run.json")))["steps"]
    ended = "train" in steps()  # before the signal came: nothing to go on with
    runner(*flags)
    check(ended or steps()["train"]["resumed"], "began anew instead of going on")
    check(not any(n.startswith("checkpoint-") for n in os.listdir(folder)), "checkpoints are left")


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        data, output = os.path.join(directory, "data"), os.path.join(directory, "out")
        truth = glue_data.make(data, seed=1)
        check_options()
        check_submission_rules(directory)
        check_download(directory, data)
        run = Runner(args, data, output)
        run("--tasks", "sst3", code=2, has=["'sst3' is no task"])
        run("--tasks", "ax", code=1, has=["is predicted by MNLI's adapter", "add mnli to --tasks"])

        # One task fails, by file and line; the others go on, and its predictions are placeholders.
        rte = os.path.join(data, "RTE/train.tsv")
        good = text_of(rte)
        with open(rte, "w", encoding="utf-8") as file:
            file.write("\n".join(line if n != 4 else line.rsplit("\t", 1)[0] + "\tneutral"
                                 for n, line in enumerate(good.split("\n"))))
        run(code=1, has=["RTE/train.tsv:5: label 'neutral'", "glue: failed: RTE seed 42", "| WNLI | accuracy "])
        results = run.results()
        check([n for n, t in results["tasks"].items() if t["runs"]["42"]["error"]] == ["rte"], "only RTE failed")
        check(results["submission"]["files"]["RTE.tsv"]["from"] == "placeholder", "RTE's part of the submission")
        with open(rte, "w", encoding="utf-8") as file:
            file.write(good)
        told = run(has=["== RTE, seed 42"])
        check(told.count("finished before") == 9, f"not only RTE was run again:\n{told}")
        results, files = run.results(), run.archive()
        check(sorted(files) == sorted(submission.FILES), f"files of the submission: {sorted(files)}")
        check(not any(c for n, text in files.items() for c in submission.complaints(n, text)), "format of the submission")
        check(all(part["from"] != "placeholder" for part in results["submission"]["files"].values()), "placeholders")
        check_metrics(results["tasks"], files, truth)
        check(files["AX.tsv"] == files["MNLI-m.tsv"], "AX is not predicted by MNLI's model")
        nine = [part["score"]["mean"] for part in results["tasks"].values() if part["score"]]
        if None not in nine:
            check(len(nine) == 9 and abs(results["score"]["mean"] - sum(nine) / 9) < 1e-9, "the mean of all tasks")

        # Several seeds; other settings are refused before anything is changed.
        run("--tasks", "sst2", "--seeds", "42,43", has=["finished before", "== SST-2, seed 43 (2 of 2)", " ± "])
        found = run.results()["tasks"]["sst2"]["metrics"]["dev"]["accuracy"]
        a, b = found["values"]["42"], found["values"]["43"]
        check(abs(found["mean"] - (a + b) / 2) < 1e-12 and abs(found["std"] - abs(a - b) / math.sqrt(2)) < 1e-12, f"{found}")
        best = "sst2/seed-43/SST-2.tsv" if b > a else "sst2/seed-42/SST-2.tsv"
        check(run.results()["submission"]["files"]["SST-2.tsv"]["from"] == best, f"submitted is not {best}")
        run("--tasks", "sst2", "--learning-rate", "1e-3", code=2, has=["learning rate: 0.0002 then, 0.001 now", "--force"])
        run("--tasks", "sst2", "--learning-rate", "1e-3", "--force", "--no-predict")
        check(run.results()["tasks"]["sst2"]["settings"]["learning rate"] == 1e-3, "--force")
        stopped_and_resumed(args, data, os.path.join(directory, "stopped"))


if __name__ == "__main__":
    sys.exit(main())
