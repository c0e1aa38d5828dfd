"""The GLUE tasks as the runner sees them: files, metrics, defaults, and what the leaderboard wants of each.

Columns and labels of the TSV files are the runtime's business (runtime/data/GlueTable.cpp). Row counts of the test sets
are those of the official distribution.
"""
import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Task:
    name: str  # llamac --task
    title: str  # as GLUE writes it
    folders: tuple  # below the data folder; the first that exists
    metrics: tuple  # the leaderboard's, by llamarun's names
    tests: dict  # submission file -> (file of the test set, its rows)
    labels: tuple  # what a prediction may be; () for a number from 0 to 5
    placeholder: str  # of a task that was not run: the most frequent label
    epochs: int = 3
    max_length: int = 128
    train: str = "train.tsv"
    devs: dict = dataclasses.field(default_factory=lambda: {"dev": "dev.tsv"})  # split -> file
    trained_by: str = ""  # the task whose adapter predicts this one

    def folder(self, data):
        """Where the task's files lie: a folder of `data`, or `data` itself if it is the task's own."""
        for name in self.folders:
            if os.path.isdir(os.path.join(data, name)):
                return os.path.join(data, name)
        return data

    def missing(self, data):
        """The first file that training and evaluating need and `data` lacks; None if all are there. Those of a test set
        may be absent: then there is no submission of the task."""
        folder = self.folder(data)
        if self.trained_by:
            return None if self.test_files(data) else os.path.join(folder, "AX.tsv")
        for file in (self.train, *self.devs.values()):
            if not os.path.isfile(os.path.join(folder, file)):
                return os.path.join(folder, file)
        return None

    def test_files(self, data):
        """The files of the test sets that are there, as llamarun looks for them; AX's has several names."""
        folder = self.folder(data)
        names = [("AX.tsv", "test.tsv", "diagnostic.tsv")] if self.trained_by else [(f,) for f, _ in self.tests.values()]
        found = (next((os.path.join(folder, f) for f in n if os.path.isfile(os.path.join(folder, f))), None)
                 for n in names)
        return [path for path in found if path]


_BINARY = ("0", "1")
_NLI2 = ("entailment", "not_entailment")
_NLI3 = ("entailment", "neutral", "contradiction")

# Epochs: run_glue.py's three, five for small training sets. Lengths: with Llama-3's tokenizer less than one row in a
# thousand is cut of SST-2 (the longest has 64 tokens), MRPC (108), STS-B (122) and RTE (290; with 128 it would be one in
# eight); tokens are packed, so that a longer limit costs programs in the plan and no padding.
TASKS = {t.name: t for t in (
    Task("cola", "CoLA", ("CoLA",), ("matthews_correlation",), {"CoLA.tsv": ("test.tsv", 1063)}, _BINARY, "1",
         epochs=5, max_length=64),
    Task("sst2", "SST-2", ("SST-2",), ("accuracy",), {"SST-2.tsv": ("test.tsv", 1821)}, _BINARY, "1"),
    Task("mrpc", "MRPC", ("MRPC",), ("f1", "accuracy"), {"MRPC.tsv": ("test.tsv", 1725)}, _BINARY, "1", epochs=5),
    Task("stsb", "STS-B", ("STS-B",), ("pearson", "spearmanr"), {"STS-B.tsv": ("test.tsv", 1379)}, (), "2.500",
         epochs=5),
    Task("qqp", "QQP", ("QQP",), ("f1", "accuracy"), {"QQP.tsv": ("test.tsv", 390965)}, _BINARY, "0", max_length=256),
    Task("mnli", "MNLI", ("MNLI",), ("accuracy",),
         {"MNLI-m.tsv": ("test_matched.tsv", 9796), "MNLI-mm.tsv": ("test_mismatched.tsv", 9847)}, _NLI3, "entailment",
         max_length=256, devs={"dev_matched": "dev_matched.tsv", "dev_mismatched": "dev_mismatched.tsv"}),
    Task("qnli", "QNLI", ("QNLI",), ("accuracy",), {"QNLI.tsv": ("test.tsv", 5463)}, _NLI2, "entailment",
         max_length=256),
    Task("rte", "RTE", ("RTE",), ("accuracy",), {"RTE.tsv": ("test.tsv", 3000)}, _NLI2, "entailment", epochs=5,
         max_length=256),
    Task("wnli", "WNLI", ("WNLI",), ("accuracy",), {"WNLI.tsv": ("test.tsv", 146)}, _BINARY, "0", epochs=5),
    Task("ax", "AX", ("AX", "diagnostic"), (), {"AX.tsv": ("AX.tsv", 1104)}, _NLI3, "entailment", epochs=0,
         max_length=256, devs={}, trained_by="mnli"),
)}

LEARNING_RATE = 2e-4  # peak; of LoRA, not of full fine-tuning
WARMUP_RATIO = 0.06
BATCH = 32  # sequences of an optimizer step
METRIC_TITLES = {"matthews_correlation": "Matthews", "accuracy": "accuracy", "f1": "F1", "pearson": "Pearson",
                 "spearmanr": "Spearman"}
