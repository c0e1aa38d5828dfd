"""Fetches GLUE's files, verifies them and lays them out: FOLDER/CoLA/train.tsv, ... (scripts/glue-data.sh).

Addresses and hashes: huggingface/datasets, datasets/glue/glue.py and dataset_infos.json. MRPC is Microsoft's two files
and the list of dev ids, from which train.tsv, dev.tsv and test.tsv are made as GLUE's own download script makes them.
"""
import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile

_GLUE = "https://dl.fbaipublicfiles.com/glue/data/"
_MSR = "https://dl.fbaipublicfiles.com/senteval/senteval_data/"

# task -> [(address, SHA-256)]; the first of MRPC's three are the sentences.
SOURCES = {
    "cola": [(_GLUE + "CoLA.zip", "f212fcd832b8f7b435fb991f101abf89f96b933ab400603bf198960dfc32cbff")],
    "sst2": [(_GLUE + "SST-2.zip", "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa")],
    "mrpc": [(_MSR + "msr_paraphrase_train.txt", "60a9b09084528f0673eedee2b69cb941920f0b8cd0eeccefc464a98768457f89"),
             (_MSR + "msr_paraphrase_test.txt", "a04e271090879aaba6423d65b94950c089298587d9c084bf9cd7439bd785f784"),
             (_GLUE + "mrpc_dev_ids.tsv", "971d7767d81b997fd9060ade0ec23c4fc31cbb226a55d1bd4a1bac474eb81dc7")],
    "stsb": [(_GLUE + "STS-B.zip", "e60a6393de5a8b5b9bac5020a1554b54e3691f9d600b775bd131e613ac179c85")],
    "qqp": [(_GLUE + "QQP-clean.zip", "40e7c862c04eb26ee04b67fd900e76c45c6ba8e6d8fab4f8f1f8072a1a3fbae0")],
    "mnli": [(_GLUE + "MNLI.zip", "e7c1d896d26ed6caf700110645df426cc2d8ebf02a5ab743d5a5c68ac1c83633")],
    "qnli": [(_GLUE + "QNLIv2.zip", "e634e78627a29adaecd4f955359b22bf5e70f2cbd93b493f2d624138a0c0e5f5")],
    "rte": [(_GLUE + "RTE.zip", "6bf86de103ecd335f3441bd43574d23fef87ecc695977a63b82d5efb206556ee")],
    "wnli": [(_GLUE + "WNLI.zip", "ae0e8e4d16f4d46d4a0a566ec7ecceccfd3fbfaa4a7a4b4e02848c0f2561ac46")],
    "ax": [(_GLUE + "AX.tsv", "0e13510b1bb14436ff7e2ee82338f0efb0133ecf2e73507a697dc210db3f05fd")],
}
FOLDERS = {"cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "stsb": "STS-B", "qqp": "QQP", "mnli": "MNLI", "qnli": "QNLI",
           "rte": "RTE", "wnli": "WNLI", "ax": "AX"}
_HEADER = "#1 ID\t#2 ID\t#1 String\t#2 String"


class Bad(Exception):
    """A file that cannot be had, or is another than it should be."""


def obtain(address, digest, given, folder):
    """The verified file of an address, from the folder `given` or else downloaded into `folder`."""
    name = address.rsplit("/", 1)[1]
    path = os.path.join(given or folder, name)
    if not given:
        try:
            with urllib.request.urlopen(address, timeout=60) as source, open(path, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        except (urllib.error.URLError, OSError) as error:
            raise Bad(f"{address}: {error}") from error
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Bad(str(error)) from error
    if found != digest:
        raise Bad(f"{path}: SHA-256 is {found}, not {digest}: not the official file")
    return path


def unpack(archive, out):
    """The TSV files at the archive's top or in its one folder, without what else it carries."""
    with zipfile.ZipFile(archive) as files:
        for entry in files.infolist():
            parts = entry.filename.split("/")
            if len(parts) <= 2 and parts[-1].endswith(".tsv") and not parts[0].startswith("__"):
                with files.open(entry) as source, open(os.path.join(out, parts[-1]), "wb") as file:
                    shutil.copyfileobj(source, file)
    if not os.listdir(out):
        raise Bad(f"{archive}: holds no TSV file at its top or in its one folder")


def _rows(path):
    """Lines of a file of Microsoft's, its header left out: label, two ids, two sentences. Quotes are text."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = [line.rstrip("\r\n") for line in file]
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != 5:
            raise Bad(f"{path}:{number}: {len(fields)} columns, not 5")
        yield fields


def split_mrpc(train, test, ids, out):
    """GLUE's three files: the pairs of `train` whose ids are listed are the dev set; `test` loses its labels."""
    with open(ids, encoding="utf-8") as file:
        chosen = {tuple(line.split()[:2]) for line in file if line.strip()}
    parts = {"train": ["Quality\t" + _HEADER], "dev": ["Quality\t" + _HEADER], "test": ["index\t" + _HEADER]}
    for fields in _rows(train):
        parts["dev" if tuple(fields[1:3]) in chosen else "train"].append("\t".join(fields))
    if len(parts["dev"]) - 1 != len(chosen):
        raise Bad(f"{ids}: {len(chosen)} pairs, of which {train} has {len(parts['dev']) - 1}")
    for number, fields in enumerate(_rows(test)):
        parts["test"].append("\t".join([str(number), *fields[1:]]))
    for name, lines in parts.items():
        with open(os.path.join(out, name + ".tsv"), "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(lines) + "\n")


def fetch(task, target, given):
    """Puts a task's folder into `target`, whole or not at all."""
    final = os.path.join(target, FOLDERS[task])
    if os.path.exists(final):
        print(f"{final}: is there already")
        return
    with tempfile.TemporaryDirectory(dir=target, prefix=".glue-") as folder:
        out = os.path.join(folder, "out")
        os.mkdir(out)
        paths = [obtain(address, digest, given, folder) for address, digest in SOURCES[task]]
        if task == "mrpc":
            split_mrpc(*paths, out)
        elif task == "ax":
            shutil.copy(paths[0], os.path.join(out, "AX.tsv"))
        else:
            unpack(paths[0], out)
        os.rename(out, final)
    print(final)


def main():
    p = argparse.ArgumentParser(prog="scripts/glue-data.sh", description=__doc__.split("\n")[0])
    p.add_argument("folder", metavar="FOLDER", help="where CoLA/, SST-2/, ... go; those that are there stay")
    p.add_argument("--tasks", default=",".join(SOURCES), metavar="T,...", help="of " + " ".join(SOURCES))
    p.add_argument("--from", dest="given", metavar="FOLDER", help="folder with the downloaded files, instead of the network")
    args = p.parse_args()
    chosen = args.tasks.split(",")
    if unknown := [t for t in chosen if t not in SOURCES]:
        p.error(f"'{unknown[0]}' is no task; there are {' '.join(SOURCES)}")
    failed = False
    try:
        os.makedirs(args.folder, exist_ok=True)
        for task in chosen:
            try:
                fetch(task, args.folder, args.given)
            except (Bad, zipfile.BadZipFile) as error:
                print(f"glue-data: {task}: {error}", file=sys.stderr)
                failed = True
    except OSError as error:
        print(f"glue-data: {error}", file=sys.stderr)
        return 6
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
