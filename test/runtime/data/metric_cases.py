"""Predictions and labels to compute metrics of, and what scikit-learn and SciPy make of them.

  pip install scikit-learn==1.9.1 scipy==1.17.1 && python metric_cases.py     writes metrics.golden.json

compare_metrics.py takes the same kinds of cases, from another seed. A case has `predictions` and `labels`, or, where
they would fill the file, `generate`: what Draw makes of it, which MetricsTest.cpp has in the same words.
"""
import json
import math
import random
import sys
import warnings


class Draw:
    """SplitMix64: the same numbers in every language."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return (z ^ (z >> 31)) % n


def generated(rows, seed, levels, right, scale=0):
    """`rows` labels below `levels`, predicted right in `right` of ten and otherwise at random; with `scale` both are
    multiples of 1 / scale, exact in binary if it is a power of two."""
    draw, predictions, labels = Draw(seed), [], []
    for _ in range(rows):
        label, luck, other = draw.below(levels), draw.below(10), draw.below(levels)
        labels.append(label / scale if scale else label)
        value = label if luck < right else other
        predictions.append(value / scale if scale else value)
    return predictions, labels


def class_cases(rnd):
    """Name, predictions, labels of classifications."""
    for n, k, bias in [(1, 2, 0.5), (2, 2, 0.5), (7, 2, 0.5), (200, 2, 0.7), (200, 3, 0.6), (50, 2, 1.0), (9, 2, 0.0),
                       (277, 2, 0.0), (1043, 2, 0.4), (1104, 3, 0.3), (408, 2, 0.9)]:
        y = [rnd.randrange(k) for _ in range(n)]
        yield f"random {n} of {k}", [v if rnd.random() < bias else rnd.randrange(k) for v in y], y
    mixed = [rnd.randrange(2) for _ in range(30)]
    for value in (0, 1):
        same = [value] * 30
        yield f"all predicted {value}", same, mixed
        yield f"all labelled {value}", mixed, same
        yield f"all are {value}", same, same
    yield "all wrong, one class each", [0] * 30, [1] * 30
    yield "all wrong", [1 - v for v in mixed], mixed
    yield "rare positives", [int(i in (3, 17)) for i in range(500)], [int(i in (3, 400)) for i in range(500)]
    yield "a class never predicted", [i % 2 for i in range(90)], [i % 3 for i in range(90)]
    yield "a class only predicted", [i % 3 for i in range(90)], [i % 2 for i in range(90)]


def score_cases(rnd):
    """Name, predictions, labels of regressions."""
    for n, step, shift in [(2, 0.1, 0), (10, 1.0, 0), (300, 0.01, 1000), (300, 1.0, 1000), (1500, 0.2, 0),
                           (300, 1e-6, 0), (300, 0.25, -7)]:
        y = [round(rnd.uniform(0, 5) / step) * step for _ in range(n)]
        yield f"random {n} in steps of {step}", [round((v + rnd.gauss(0, 1)) / step) * step + shift for v in y], y
    labels = [rnd.uniform(0, 5) for _ in range(40)]
    for value in (0.0, 2.5, 0.1):
        yield f"all predicted {value}", [value] * 40, labels
        yield f"all labelled {value}", labels, [value] * 40
        yield f"all are {value}", [value] * 40, [value] * 40
    yield "one apart", [0.1] * 39 + [0.2], labels
    yield "equal", labels, labels
    yield "opposite", [-v for v in labels], labels
    yield "two values", [float(i % 2) for i in range(40)], labels
    yield "both of two values", [float(i % 2) for i in range(40)], [float(i % 3 == 0) for i in range(40)]
    yield "minus zero is zero", [0.0, -0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 3.0]
    yield "far apart", [10.0 ** (i - 20) for i in range(40)], labels
    yield "same order", [v**9 for v in labels], labels


# As many rows as QQP's dev and test sets have; a third of STS-B-like scores are ties.
LARGE_CLASSES = [dict(rows=390965, seed=2, levels=2, right=9), dict(rows=40430, seed=1, levels=2, right=7),
                 dict(rows=390965, seed=3, levels=3, right=1)]
LARGE_SCORES = [dict(rows=390965, seed=5, levels=11, right=3, scale=2), dict(rows=40430, seed=4, levels=321, right=6, scale=64),
                dict(rows=390965, seed=6, levels=1 << 30, right=8, scale=1 << 20)]


def expected_classes(p, y):
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
    out = dict(accuracy=float(accuracy_score(y, p)), matthews=float(matthews_corrcoef(y, p)))
    if max(*p, *y) < 2:
        out["f1"] = float(f1_score(y, p, zero_division=0))
    return out


def expected_scores(p, y):
    """None for nan, which SciPy says, with a warning, if one side is constant."""
    from scipy.stats import pearsonr, spearmanr
    values = dict(pearson=float(pearsonr(p, y)[0]), spearman=float(spearmanr(p, y)[0]))
    return {k: None if math.isnan(v) else v for k, v in values.items()}


def cases(seed, large):
    """Everything, with what is expected of it: {"classes": [...], "scores": [...]}; `large` of the large ones."""
    rnd = random.Random(seed)
    warnings.simplefilter("ignore")
    out = dict(classes=[dict(name=n, predictions=p, labels=y, **expected_classes(p, y)) for n, p, y in class_cases(rnd)],
               scores=[dict(name=n, predictions=p, labels=y, **expected_scores(p, y)) for n, p, y in score_cases(rnd)])
    for key, specs, expected in (("classes", LARGE_CLASSES, expected_classes), ("scores", LARGE_SCORES, expected_scores)):
        for spec in specs[:large]:
            p, y = generated(**spec)
            out[key].append(dict(name=f"generated {spec['rows']}", generate=spec, **expected(p, y)))
    return out


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "metrics.golden.json", "w", encoding="utf-8") as file:
        json.dump(cases(1, large=3), file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")
