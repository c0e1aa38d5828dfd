"""A byte-level BPE tokenizer of the Llama-3 family, trained on a small text.

Writes what Llama-3 checkpoints ship: tokenizer.json, tokenizer_config.json and
original/tokenizer.model (lines of `base64 rank`). Merges are every split of a
token into two known tokens, ordered by the rank of the result, which is how
Transformers converts Llama-3's rank file, so both files say the same.
"""
import base64
import json
import os
import re
from collections import Counter

# Llama-3's own pattern (meta-llama/llama3, llama/tokenizer.py).
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
# The same for Python's re, which lacks \p; equal on text whose numerals are 0-9.
_SPLIT = re.compile(SPLIT.replace(r"[^\r\n\p{L}\p{N}]", r"(?:[^\r\n\w]|_)").replace(r"[^\s\p{L}\p{N}]", r"(?:[^\s\w]|_)")
                    .replace(r"\p{L}", r"[^\W\d_]").replace(r"\p{N}", r"\d"))
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
            "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
            "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"] + [f"<|reserved_special_token_{i}|>" for i in range(3, 8)]


def _byte_order():
    """The 256 bytes by rank, and the character that stands for each (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    letters = {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}
    return shown + hidden, letters


def _merge(word, pair, joined):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(joined)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def encode_word(word, ranks):
    """The tokens of one pre-token by merging alone: lowest rank first, leftmost first."""
    parts = [word[i:i + 1] for i in range(len(word))]
    while True:
        best = min(((ranks[a + b], i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ranks), default=None)
        if best is None:
            return parts
        i = best[1]
        parts[i:i + 2] = [parts[i] + parts[i + 1]]


def train(texts, size, whole):
    """Tokens (bytes) by rank: 256 bytes, then merges, then `whole` words that merging does not reach.

    Real vocabularies hold such words too (588 of Llama-3's 128000); only a
    tokenizer that looks the whole word up first (`ignore_merges`) finds them.
    """
    order, _ = _byte_order()
    tokens = [bytes([b]) for b in order]
    counts = Counter(m.group().encode() for text in texts for m in _SPLIT.finditer(text))
    words = {word: tuple(bytes([b]) for b in word) for word in counts}
    while len(tokens) < size - whole:
        pairs = Counter()
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += counts[word]
        (left, right), _ = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        tokens.append(left + right)
        words = {word: _merge(parts, (left, right), left + right) for word, parts in words.items()}
    for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        trial = {token: rank for rank, token in enumerate(tokens + [word])}
        if len(tokens) < size and word not in tokens and len(encode_word(word, trial)) > 1:
            tokens.append(word)
    if len(tokens) != size:
        raise SystemExit(f"the text gives {len(tokens)} tokens, not {size}")
    return tokens


def _template(token, sequences):
    out = []
    for kind, name in enumerate(sequences):
        out += [{"SpecialToken": {"id": token, "type_id": kind}}, {"Sequence": {"id": name, "type_id": kind}}]
    return out


def write(folder, tokens, max_length):
    """Writes the three files; specials follow the tokens. Returns {special: id}."""
    _, letters = _byte_order()
    show = lambda token: "".join(letters[b] for b in token)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    ids = {name: len(tokens) + i for i, name in enumerate(SPECIALS)}
    merges = []
    for token in tokens[256:]:
        splits = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += [f"{show(a)} {show(b)}" for a, b in sorted(splits, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))]
    bos = SPECIALS[0]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    post_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    document = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for name, i in ids.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}, byte_level]},
        "post_processor": {"type": "Sequence", "processors": [post_level, {
            "type": "TemplateProcessing", "single": _template(bos, "A"), "pair": _template(bos, "AB"),
            "special_tokens": {bos: {"id": bos, "ids": [ids[bos]], "tokens": [bos]}}}]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": {show(token): rank for token, rank in ranks.items()}, "merges": merges}}
    config = {"bos_token": bos, "eos_token": "<|end_of_text|>", "pad_token": "<|finetune_right_pad_id|>",
              "clean_up_tokenization_spaces": True, "model_max_length": max_length,
              "model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "PreTrainedTokenizerFast"}
    os.makedirs(os.path.join(folder, "original"), exist_ok=True)
    for name, what in (("tokenizer.json", document), ("tokenizer_config.json", config)):
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as out:
            json.dump(what, out, ensure_ascii=False, indent=1)
            out.write("\n")
    with open(os.path.join(folder, "original", "tokenizer.model"), "w", encoding="ascii", newline="\n") as out:
        for token, rank in ranks.items():
            out.write(f"{base64.b64encode(token).decode()} {rank}\n")
    return ids
