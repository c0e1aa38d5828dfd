"""The zip for gluebenchmark.com: one TSV for each task, flat, every task present.

A file is the header `index<TAB>prediction` and a line for each row of the test set, numbered from 0. Labels are words
for MNLI, QNLI, RTE and AX, 0 or 1 for CoLA, SST-2, MRPC, QQP and WNLI, a number from 0 to 5 for STS-B. Source: the
leaderboard's FAQ, item 1, as nyu-mll/jiant's submission formatter has it.
"""
import io
import os
import zipfile

import tasks

HEADER = "index\tprediction"
FILES = {file: (task, rows) for task in tasks.TASKS.values() for file, (_, rows) in task.tests.items()}


def complaints(name, text):
    """What is wrong with the text of the submission file `name`; its row count is not looked at."""
    if name not in FILES:
        return [f"{name}: is no file of a submission; those are {' '.join(FILES)}"]
    task, _ = FILES[name]
    lines = text.split("\n")
    if lines[0] != HEADER:
        return [f"{name}:1: is {lines[0][:40]!r}, not {HEADER!r}"]
    if lines[-1] != "":
        return [f"{name}:{len(lines)}: the last line has no end"]
    for number, line in enumerate(lines[1:-1], 2):
        fields = line.split("\t")
        if len(fields) != 2 or fields[0] != str(number - 2):
            return [f"{name}:{number}: is {line[:40]!r}, not index {number - 2}, a tab and a prediction"]
        if task.labels and fields[1] not in task.labels:
            return [f"{name}:{number}: {fields[1][:40]!r} is not {' or '.join(task.labels)}"]
        if not task.labels and not _is_score(fields[1]):
            return [f"{name}:{number}: {fields[1][:40]!r} is not a number from 0 to 5"]
    return []


def _is_score(text):
    try:
        return 0 <= float(text) <= 5
    except ValueError:
        return False


def rows_of(text):
    return text.count("\n") - 1


def placeholder(name):
    """The most frequent label for each row of the official test set: a valid file of a task that was not run."""
    task, rows = FILES[name]
    return HEADER + "\n" + "".join(f"{i}\t{task.placeholder}\n" for i in range(rows))


def build(predictions):
    """The zip's bytes, and for each of its files where the predictions are from and what is amiss.

    `predictions`: {file name: its path}, for the tasks that were run; the others get placeholders. The same
    predictions give the same bytes.
    """
    out, parts = io.BytesIO(), {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (_, rows) in FILES.items():
            path = predictions.get(name)
            if path:
                with open(path, encoding="utf-8", newline="") as file:
                    text = file.read()
            else:
                text = placeholder(name)
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
            parts[name] = {"from": path or "placeholder", "rows": rows_of(text), "official_rows": rows}
            wrong = complaints(name, text)
            if rows_of(text) != rows:
                wrong.append(f"{name}: {rows_of(text)} rows, the leaderboard's test set has {rows}")
            if wrong:
                parts[name]["complaints"] = wrong
    return out.getvalue(), parts


def check(path):
    """Everything that the leaderboard would refuse in a zip; empty if nothing is."""
    out = []
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            out += [f"{name}: is missing" for name in FILES if name not in names]
            for name in names:
                if name not in FILES:
                    out += complaints(name, "")
                    continue
                text = archive.read(name).decode("utf-8", errors="replace")
                wrong = complaints(name, text)
                if not wrong and rows_of(text) != FILES[name][1]:
                    wrong = [f"{name}: {rows_of(text)} rows, the leaderboard's test set has {FILES[name][1]}"]
                out += wrong
    except (OSError, zipfile.BadZipFile) as error:
        out.append(str(error) if isinstance(error, OSError) else f"{path}: {error}")
    return [c if c.startswith(path) else f"{os.path.basename(path)}: {c}" for c in out]
