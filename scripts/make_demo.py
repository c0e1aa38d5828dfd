#!/usr/bin/env python3
"""Makes examples/demo from a seed: a tiny Llama-3-shaped checkpoint and an SST-2-style task.

    scripts/make_demo.py [--out examples/demo]

Needs nothing but Python 3.9 or later. Every bit follows from the seed, on any
machine: random numbers come from integer arithmetic and no call depends on the
platform's mathematical library. test/project/check_demo.py holds the result to that.
"""
import argparse
import json
import os
import struct
from array import array
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo_sentences
import demo_tokenizer

SEED = 20240611
HIDDEN, INTER, LAYERS, HEADS, KV_HEADS, VOCAB = 128, 256, 2, 8, 4, 768
# Spread of the random weights. Embeddings of about unit size make the words of a
# sentence tell apart in the residual stream; small q and k leave attention near
# even, so the last token sees all words, and fine-tuning has little to undo.
STD = {"embed_tokens": 0.5, "q_proj": 0.04, "k_proj": 0.04, "v_proj": 0.09, "o_proj": 0.09, "gate_proj": 0.09,
       "up_proj": 0.09, "down_proj": 0.06, "lm_head": 0.02}
MASK = (1 << 64) - 1


def mix(x):
    """splitmix64's output function: 64 bits in, 64 well-mixed bits out."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def key(seed, name):
    for byte in name.encode():
        seed = mix(seed ^ byte)
    return seed


class Rng:
    """Counter-based integers for the sentences."""

    def __init__(self, seed, name):
        self.key, self.count = key(seed, name), 0

    def below(self, n):
        self.count += 1
        return (mix(self.key ^ mix(self.count)) >> 32) * n >> 32

    def choice(self, items):
        return items[self.below(len(items))]


def normal(seed, name, count, std):
    """`count` floats near N(0, std): the sum of four 16-bit uniforms, exact until the last product."""
    base = key(seed, name)
    scale = std * 1.7320508075688772 / 65536.0  # the sum's variance is 4/12
    values = array("f", bytes(4 * count))
    for i in range(count):
        x = mix(base ^ (i * 0xD1342543DE82EF95 & MASK))
        total = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48)
        values[i] = (total - 131070) * scale
    return values


def tensors(seed):
    """(name, shape, values) of the checkpoint, names and layout as Hugging Face has them ([out, in])."""
    kv = HIDDEN // HEADS * KV_HEADS
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "lm_head.weight": (VOCAB, HIDDEN),
              "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        head = f"model.layers.{layer}."
        shapes |= {head + "input_layernorm.weight": (HIDDEN,), head + "post_attention_layernorm.weight": (HIDDEN,),
                   head + "self_attn.q_proj.weight": (HIDDEN, HIDDEN), head + "self_attn.k_proj.weight": (kv, HIDDEN),
                   head + "self_attn.v_proj.weight": (kv, HIDDEN), head + "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
                   head + "mlp.gate_proj.weight": (INTER, HIDDEN), head + "mlp.up_proj.weight": (INTER, HIDDEN),
                   head + "mlp.down_proj.weight": (HIDDEN, INTER)}
    for name, shape in sorted(shapes.items()):
        if len(shape) == 1:  # not all ones: a mistake in a norm's weight must show
            values = array("f", (1.0 + x for x in normal(seed, name, shape[0], 0.05)))
        else:
            values = normal(seed, name, shape[0] * shape[1], STD[name.split(".")[-2]])
        yield name, shape, values


def write_safetensors(path, items):
    header, offset, data = {"__metadata__": {"format": "pt"}}, 0, []
    for name, shape, values in items:
        if sys.byteorder == "big":
            values.byteswap()
        raw = values.tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def config(ids):
    return {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": ids["<|begin_of_text|>"], "eos_token_id": [ids["<|end_of_text|>"], ids["<|eot_id|>"]],
            "pad_token_id": ids["<|finetune_right_pad_id|>"], "hidden_act": "silu", "hidden_size": HIDDEN,
            "initializer_range": 0.02, "intermediate_size": INTER, "max_position_embeddings": 2048, "mlp_bias": False,
            "model_type": "llama", "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
            "num_key_value_heads": KV_HEADS, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
            # Llama-3.1's scaling with a short original context, so that it acts within a sentence.
            "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                             "original_max_position_embeddings": 256, "rope_type": "llama3"},
            "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "float32", "use_cache": True,
            "vocab_size": VOCAB}


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("".join(line + "\n" for line in lines))


def make(out):
    model, data = os.path.join(out, "model"), os.path.join(out, "data", "SST-2")
    os.makedirs(model, exist_ok=True)
    os.makedirs(data, exist_ok=True)
    train, dev, test = demo_sentences.splits(Rng(SEED, "sentences"), (2000, 400, 200))
    # As in GLUE's own files every train and dev sentence ends in a space and no test sentence does.
    for name, rows in (("train", train), ("dev", dev)):
        write_lines(os.path.join(data, name + ".tsv"), ["sentence\tlabel"] + [f"{text} \t{label}" for text, label in rows])
    write_lines(os.path.join(data, "test.tsv"), ["index\tsentence"] + [f"{i}\t{text}" for i, (text, _) in enumerate(test)])
    tokens = demo_tokenizer.train([text + " " for text, _ in train], VOCAB - len(demo_tokenizer.SPECIALS), whole=8)
    ids = demo_tokenizer.write(model, tokens, 2048)
    with open(os.path.join(model, "config.json"), "w", newline="\n") as file:
        json.dump(config(ids), file, indent=2)
        file.write("\n")
    write_safetensors(os.path.join(model, "model.safetensors"), tensors(SEED))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "demo"))
    make(parser.parse_args().out)
