"""Makes tokenizers.golden.json: what the reference library says. (metric_cases.py makes metrics.golden.json.)

  pip install tokenizers==0.23.3 && python make_golden.py

Tokenizers are trained here on a few made-up sentences; their cases are random strings from a seed.
"""
import json, random
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")
CORPUS = ["the quick brown fox jumps over the lazy dog", "it's a test, isn't it?", "they'll say we've seen the film",
          "an uneasy mishmash of styles and genres .", "the film 's relationship to the past", "  indented   text\n\nand lines",
          "ça va déjà très bien", "日本語のテスト", "numbers 12345 and 67 and 890"] * 5
ALPHABET = list("abcdefghilmnorstuvwxyz     \n\t.,'!0123456789") + [
    "  ", "\r\n", "é", "ß", "日", "本", "🦙", "\u00a0", "\u3000", "▁", "'s", "'LL", "<s>", "</s>", "<unk>", "[T]", "[W]", "[N]",
    "\u0301", "\u2028", "the ", "film", "\x00", "①"]


def added(i, content, **flags):
    return dict(dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False), **flags)


def template(bos, i):
    piece = lambda t: {"SpecialToken": {"id": bos, "type_id": t}}
    seq = lambda s, t: {"Sequence": {"id": s, "type_id": t}}
    return {"type": "TemplateProcessing", "single": [piece(0), seq("A", 0)], "pair": [piece(0), seq("A", 0), piece(1), seq("B", 1)],
            "special_tokens": {bos: {"id": bos, "ids": [i], "tokens": [bos]}}}


def byte_level():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=340, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    d = json.loads(tok.to_str())
    n = len(d["model"]["vocab"])
    d["model"]["vocab"]["Ġunreachable"] = n  # only ignore_merges finds it
    d["model"]["ignore_merges"] = True
    d["added_tokens"] = [added(n + 1, "<s>", special=True), added(n + 2, "</s>", special=True),
                         added(n + 3, "[T]", lstrip=True, rstrip=True), added(n + 4, "[W]", single_word=True)]
    d["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template("<s>", n + 1)]}
    return d


def sentence_piece():
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.train_from_iterator([c for c in CORPUS if c.isascii()], trainers.BpeTrainer(vocab_size=380, show_progress=False, special_tokens=special))
    d = json.loads(tok.to_str())
    d["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    d["pre_tokenizer"] = None
    d["model"]["vocab"]["▁[N]"] = len(d["model"]["vocab"])
    d["added_tokens"] = [added(0, "<unk>", normalized=True, special=True), added(1, "<s>", special=True), added(2, "</s>", special=True),
                         added(len(d["model"]["vocab"]), "[N]", normalized=True)]
    d["post_processor"] = template("<s>", 1)
    d["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                     {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return d


def metaspace(scheme, split):
    d = sentence_piece()
    d["normalizer"] = None
    d["pre_tokenizer"] = d["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
    d["post_processor"] = None  # as the first Llama 3.1 release
    d["model"]["byte_fallback"] = False
    d["model"]["fuse_unk"] = split
    return d


def merge_pairs():
    d = byte_level()
    d["model"]["merges"] = [m if isinstance(m, list) else m.split(" ") for m in d["model"]["merges"]]
    d["model"]["ignore_merges"] = False
    d["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return d


def merge_strings():
    d = byte_level()
    d["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in d["model"]["merges"]]
    return d


def splits(behavior, invert):
    d = byte_level()
    one = lambda p: {"type": "Split", "pattern": p, "behavior": behavior, "invert": invert}
    d["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [one({"Regex": "[ \\n]|[0-9]{2}|(?=e)"}), one({"String": "."}),
                                                                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
    return d


def tokenizer_cases(name, document, rnd):
    tok = Tokenizer.from_str(json.dumps(document))
    text = lambda: "".join(rnd.choice(ALPHABET) for _ in range(rnd.randint(1, 24)))
    texts = ["", " ", " unreachable", "the film is unreachable"] + [text() for _ in range(40)]
    out = dict(name=name, tokenizer=document, cases=[], pairs=[])
    for t in texts:
        ids = tok.encode(t).ids
        out["cases"].append(dict(text=t, ids=ids, bare=tok.encode(t, add_special_tokens=False).ids, decoded=tok.decode(ids, skip_special_tokens=False)))
    for _ in range(20):
        a, b, limit = text(), text(), rnd.randint(4, 30)
        tok.enable_truncation(limit)
        out["pairs"].append(dict(a=a, b=b, limit=limit, ids=tok.encode(a, b).ids, single=tok.encode(a).ids))
    return out


def write(name, value):
    with open(name, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    rnd = random.Random(1)
    documents = [("byte-level", byte_level()), ("merge-pairs", merge_pairs()), ("merge-strings", merge_strings()), ("sentence-piece", sentence_piece())]
    documents += [(f"metaspace-{s}-{sp}", metaspace(s, sp)) for s in ("first", "always", "never") for sp in (True, False)][:4]
    documents += [(f"split-{b}-{i}", splits(b, i)) for b, i in [("Removed", False), ("Isolated", True), ("MergedWithPrevious", False),
                                                                ("MergedWithNext", False), ("Contiguous", False)]]
    write("tokenizers.golden.json", [tokenizer_cases(n, d, rnd) for n, d in documents])
