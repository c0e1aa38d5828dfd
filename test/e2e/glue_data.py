"""Made-up GLUE files in the true formats, with what is odd about each; from a seed.

Every test set holds the rows of the dev set without their labels (AX those of MNLI's matched one), so that a submission
can be scored. Returns the dev labels as the files write them.
"""
import os
import random

WORDS = ("the a film plot actor scene who what did walk ran saw said quickly never \"quoted\" n't isn't café 12 3.5 % , . ; "
         "— mayor \"half of city found good bad").split(" ")


def text(rnd, least=3, most=14):
    return " ".join(rnd.choice(WORDS) for _ in range(rnd.randint(least, most)))


def write(root, name, header, rows, end="\n", last=True, mark=""):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lines = ([header] if header else []) + ["\t".join(map(str, row)) for row in rows]
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(mark + end.join(lines) + (end if last else ""))


def tabs(words):
    return "\t".join(words.split(" "))


def pairs(rnd, count, labels):
    return [(text(rnd), text(rnd), rnd.choice(labels)) for _ in range(count)]


def make(root, seed, train=24, dev=17):
    """Writes all tasks below `root`; returns {submission file: labels of the dev set in its rows' order}."""
    rnd, truth = random.Random(seed), {}
    splits = lambda labels: (pairs(rnd, train, labels), pairs(rnd, dev, labels))
    nli2, binary = ("entailment", "not_entailment"), ("0", "1")

    # No header in train and dev, no line end after dev's last row.
    for name, rows in zip(("train", "dev"), splits(binary)):
        write(root, f"CoLA/{name}.tsv", None, [("gj04", y, "*" if y == "0" else "", a) for a, _, y in rows], last=name != "dev")
    write(root, "CoLA/test.tsv", tabs("index sentence"), [(i, r[0]) for i, r in enumerate(rows)])
    truth["CoLA.tsv"] = [r[2] for r in rows]

    # A space ends every sentence of train and dev.
    for name, rows in zip(("train", "dev"), splits(binary)):
        write(root, f"SST-2/{name}.tsv", tabs("sentence label"), [(a + " ", y) for a, _, y in rows])
    write(root, "SST-2/test.tsv", tabs("index sentence"), [(i, r[0] + " ") for i, r in enumerate(rows)])
    truth["SST-2.tsv"] = [r[2] for r in rows]

    # A byte order mark and CRLF.
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    for name, rows in zip(("train", "dev"), splits(binary)):
        write(root, f"MRPC/{name}.tsv", header, [(y, 70, 71, a, b) for a, b, y in rows], end="\r\n", mark="\ufeff")
    write(root, "MRPC/test.tsv", header.replace("Quality", "index"), [(i, 7, 8, *r[:2]) for i, r in enumerate(rows)])
    truth["MRPC.tsv"] = [r[2] for r in rows]

    header = tabs("index genre filename year old_index source1 source2 sentence1 sentence2")
    start = lambda i: (i, "main-captions", "MSRvid", "2012test", f"{i:04}", "none", "none")
    scores = tuple(f"{n / 5:.3f}" for n in range(26))
    for name, rows in zip(("train", "dev"), splits(scores)):
        write(root, f"STS-B/{name}.tsv", header + "\tscore", [(*start(i), *r) for i, r in enumerate(rows)])
    write(root, "STS-B/test.tsv", header, [(*start(i), *r[:2]) for i, r in enumerate(rows)])
    truth["STS-B.tsv"] = [r[2] for r in rows]

    # Rows of train that are broken in the middle of a question; one that has an empty question.
    header = tabs("id qid1 qid2 question1 question2 is_duplicate")
    for name, rows in zip(("train", "dev"), splits(binary)):
        lines = [(i, 2 * i, 2 * i + 1, *r) for i, r in enumerate(rows)]
        if name == "train":
            lines[3:3] = [(90, 1, 2, "What is"), (), ("a broken row?", "How?", "1")]
            lines.append((91, 3, 4, "Alone?", "", "0"))
        write(root, f"QQP/{name}.tsv", header, lines)
    write(root, "QQP/test.tsv", tabs("id question1 question2"), [(i, *r[:2]) for i, r in enumerate(rows)])
    truth["QQP.tsv"] = [r[2] for r in rows]

    # The gold label is column 11 of train and 15 of dev.
    header = tabs("index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse "
                  "sentence1 sentence2")
    start = lambda i: (i, 100 + i, f"{i}e", "fiction", "( a )", "( b )", "(ROOT a)", "(ROOT b)")
    nli3 = ("entailment", "neutral", "contradiction")
    write(root, "MNLI/train.tsv", header + "\tlabel1\tgold_label",
          [(*start(i), a, b, "neutral", y) for i, (a, b, y) in enumerate(pairs(rnd, train, nli3))])
    for name, file in (("matched", "MNLI-m.tsv"), ("mismatched", "MNLI-mm.tsv")):
        rows = pairs(rnd, dev, nli3)
        write(root, f"MNLI/dev_{name}.tsv", header + "".join(f"\tlabel{n}" for n in range(1, 6)) + "\tgold_label",
              [(*start(i), a, b, *rnd.choices(nli3, k=5), y) for i, (a, b, y) in enumerate(rows)])
        write(root, f"MNLI/test_{name}.tsv", header, [(*start(i), *r[:2]) for i, r in enumerate(rows)])
        truth[file] = [r[2] for r in rows]
        if name == "matched":
            write(root, "diagnostic/diagnostic.tsv", tabs("index sentence1 sentence2"),
                  [(i, *r[:2]) for i, r in enumerate(rows)])

    for folder, labels, first, second in (("QNLI", nli2, "question", "sentence"), ("RTE", nli2, "sentence1", "sentence2"),
                                          ("WNLI", binary, "sentence1", "sentence2")):
        for name, rows in zip(("train", "dev"), splits(labels)):
            write(root, f"{folder}/{name}.tsv", f"index\t{first}\t{second}\tlabel", [(i, *r) for i, r in enumerate(rows)])
        write(root, f"{folder}/test.tsv", f"index\t{first}\t{second}", [(i, *r[:2]) for i, r in enumerate(rows)])
        truth[folder + ".tsv"] = [r[2] for r in rows]
    return truth
