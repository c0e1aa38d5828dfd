#!/usr/bin/env python3
"""llamarun report: one well-formed file about one run or several, that fetches nothing and shows what the runs wrote."""
import html.parser
import json
import os
import re
import xml.dom.minidom

import tool


class Checker(html.parser.HTMLParser):
    """Tags nest; nothing is loaded or run."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        assert not [n for n, _ in attributes if n.startswith("on") or n in ("src", "href")], attributes
        if tag not in ("meta", "br", "path", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in ("path", "circle"):
            assert self.open and self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.text.append(data)


def write_run(directory, name, rate):
    path = os.path.join(directory, name)
    os.makedirs(path)
    with open(os.path.join(path, "metrics.jsonl"), "w", encoding="utf-8") as out:
        for step in range(1, 4001):
            print(json.dumps({"step": step, "epoch": step / 4000, "loss": rate / step, "grad_norm": None if step == 7 else 1.5,
                              "learning_rate": rate, "tokens": 100 * step, "seconds": step / 10}), file=out)
        print(json.dumps({"step": 4000, "budget": 3, "rank": 5, "ranks": {"q_proj": [3, None], "score": 2}}), file=out)
        print(json.dumps({"step": 4000, "split": "dev", "eval_accuracy": 0.8125, "eval_samples": 16}), file=out)
        print(json.dumps({"step": 4000, "train_loss": rate, "tokens": 400000, "seconds": 400}), file=out)
    with open(os.path.join(path, "run.json"), "w", encoding="utf-8") as out:
        json.dump({"arguments": {"learning-rate": str(rate), "data": "<script>alert(1)</script>"},
                   "memory": {"weights": 3 << 20, "total": 4 << 20}, "steps": 4000, "devices": "2 x cpu"}, out)
    return path


def main():
    args = tool.parser(__doc__).parse_args()
    with tool.scratch() as directory:
        one, two = write_run(directory, "slow & <b>", 1e-4), write_run(directory, "fast", 2e-3)
        page = os.path.join(directory, "report.html")
        tool.run(args.llamarun, "report", one, os.path.join(two, "metrics.jsonl"), "-o", page, "--title", "T<1>")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        assert len(text) < 2_000_000, len(text)  # curves of many points are thinned
        checker = Checker()
        checker.feed(text)
        assert not checker.open, checker.open
        shown = " ".join(checker.text)
        for part in ("slow & <b>", "fast", "T<1>", "dev accuracy", "0.8125", "0.002", "<script>alert(1)</script>", "4000 of 4000",
                     "3.00 MiB", "2 x cpu", "fast: step 4000, 5e-07", "Throughput, tokens a second", "fast: step 4000, 1000"):
            assert part in shown, part
        assert "http" not in text and "url(" not in text and "step 7, 1.5" not in shown
        drawings = re.findall(r"<svg.*?</svg>", text, re.S)
        assert len(drawings) >= 6, len(drawings)
        for drawing in drawings:
            xml.dom.minidom.parseString(drawing)
        # To standard output the same bytes.
        assert tool.run(args.llamarun, "report", one, two, "-o", "-", "--title", "T<1>") == text
        tool.run(args.llamarun, "report", directory, "-o", page, code=3, has=["metrics.jsonl"])
        tool.run(args.llamarun, "report", one, "-o", os.path.join(page, "x"), code=6, has=["report.html"])
        tool.run(args.llamarun, "report", one, code=2)
        with open(page, encoding="utf-8") as file:
            assert file.read() == text
    print("ok")


if __name__ == "__main__":
    main()
