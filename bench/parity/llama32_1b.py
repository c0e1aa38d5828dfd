#!/usr/bin/env python3
"""One SST-2 batch of llama3.2-1b: loss and gradients of llamarun against Transformers + PEFT.

    llamac models/llama3.2-1b.mlir --target=cuda --dtype=bfloat16 --task=sst2 \\
        --adapter=lora:r=16,alpha=32,targets=all-linear -o bf16.fb           (and --dtype=float32 -o f32.fb)
    bench/parity/llama32_1b.py --llamarun build/bin/llamarun --plan bfloat16=bf16.fb --plan float32=f32.fb

Random weights of the real shapes are saved once a dtype as a Hugging Face directory; both sides read that. The
reference runs as PEFT users run it: bf16 weights under autocast with float32 adapters, or all in float32, without TF32.

pass 1  random adapters whose B is not zero: every gradient of the first batch, its logits, the loss of eight batches
pass 2  llamarun takes an optimizer step and writes the adapter, PEFT loads that: gradients, logits and loss again

In bf16 both sides round, each its own way, and a bar can ask for no more than PEFT itself keeps: the reference is also
compared with float32 arithmetic on the same weights, and with itself with eager attention and padding to 128. A bar
that is missed while ours is as near to PEFT as those are (SPREAD) is reported as "within PEFT's spread". --weights
calm divides the output projections by sqrt(2 layers) and draws an embedding as large as what is added to it: each block
adds little, as in trained models, and bf16 makes less noise. Exit code 1 if a bar is missed by more. Runs on a CPU as
well (--device cpu, another --config and a plan for it).
"""
import argparse
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForSequenceClassification

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BATCH, BATCHES = 8, 8
# Largest relative error of the loss; of a gradient tensor by norm; least cosine of one; largest error of a logit.
BARS = {"bfloat16": dict(loss=1e-3, gradient=math.inf, cosine=0.999, logits=1e-2),
        "float32": dict(loss=1e-4, gradient=1e-4, cosine=0.999, logits=1e-4)}
SPREAD = 1.5  # times PEFT's largest deviation; two independent errors of one size are 1.4 apart
RATE = 1e-4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llamarun", required=True)
    parser.add_argument("--plan", action="append", required=True, metavar="DTYPE=FILE")
    parser.add_argument("--config", default=f"{ROOT}/models/configs/llama3.2-1b", help="directory of config.json")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--alpha", type=int, default=32)
    parser.add_argument("--weights", choices=["plain", "calm"], default="plain", help="plain: all normal(0, 0.02)")
    parser.add_argument("--adapter-std", type=float, help="of the random B factors; default: PEFT's, about 0.14")
    parser.add_argument("--pad-token-id", type=int, default=128001)
    parser.add_argument("--flags", default="", help="more flags of llamarun replay, in one word")
    parser.add_argument("--work", help="directory for checkpoints (10 GB); default: a temporary one")
    return parser.parse_args()


def batches(config):
    """(rows of ids, labels): sentence lengths as in SST-2, about 12 tokens, up to 66."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(BATCHES):
        lengths = torch.exp(torch.randn(BATCH, generator=generator) * 0.75 + 2.25).tolist()
        lengths = [max(3, min(66, int(n))) for n in lengths]
        rows = [torch.randint(0, config.pad_token_id, (n,), generator=generator).tolist() for n in lengths]
        yield rows, torch.randint(0, 2, (BATCH,), generator=generator).tolist()


def deviation(args, config, name):
    """Standard deviation of a weight, and in proportion of what adapts it."""
    if args.weights == "calm" and "embed_tokens" in name:
        return 1.0
    output = "o_proj" in name or "down_proj" in name
    return 0.02 / (math.sqrt(2 * config.num_hidden_layers) if args.weights == "calm" and output else 1)


def save_checkpoint(args, dtype, folder):
    """Normal weights, norms about 1; the same values whatever the dtype."""
    config = LlamaConfig.from_pretrained(args.config, num_labels=2, pad_token_id=args.pad_token_id, use_cache=False)
    with torch.device(args.device):
        model = LlamaForSequenceClassification(config)
    generator = torch.Generator(args.device).manual_seed(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            weight.normal_(0, 0.1 if "norm" in name else deviation(args, config, name), generator=generator)
            if "norm" in name:
                weight.add_(1)
    model.to(getattr(torch, dtype)).save_pretrained(folder)


def base_model(args, folder, dtype, **options):
    model = LlamaForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype), **options)
    return model.to(args.device)


def short(name):
    """A parameter's name as PEFT saves it."""
    return name.replace(".modules_to_save.default", "").replace(".default", "")


def trainable(model):
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def forward(args, model, batch, autocast, width):
    rows, labels = batch
    width = max(width, *map(len, rows))
    pad = args.pad_token_id
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=args.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=args.device)
    context = torch.autocast(args.device, torch.bfloat16) if autocast else contextlib.nullcontext()
    with context:
        return model(input_ids=ids, attention_mask=mask, labels=torch.tensor(labels, device=args.device))


def reference(args, model, batch, autocast, width=0):
    """Loss, logits, gradients in float64 by PEFT's names, and their norm."""
    model.train()
    model.zero_grad()
    out = forward(args, model, batch, autocast, width)
    out.loss.backward()
    gradients = {short(name): p.grad.double().cpu() for name, p in trainable(model).items()}
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
    return dict(loss=float(out.loss.detach()), logits=out.logits.detach().float().tolist(), gradients=gradients,
                norm=norm)


def copy_of(args, folder, model, dtype, **options):
    """The same adapters on the same weights, otherwise computed.

    In float32 the adapters are those that a product in bf16 sees: after a small step they may be where they were.
    """
    copy = get_peft_model(base_model(args, folder, dtype, **options), model.peft_config["default"])
    copy = copy.float() if dtype == "float32" else copy
    source = trainable(model)
    with torch.no_grad():
        for name, parameter in trainable(copy).items():
            parameter.copy_(source[name].bfloat16() if dtype == "float32" else source[name])
    return copy


def write_trace(args, folder, model, data, references, rate):
    os.makedirs(folder, exist_ok=True)
    tensors = {name: p.detach().float().cpu().contiguous() for name, p in trainable(model).items()}
    save_file(tensors, f"{folder}/init.safetensors", metadata={"format": "pt"})
    optimizer = dict(lr=rate, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.0, warmup=0, total_steps=100,
                     max_grad_norm=1.0)
    steps = [dict(input_ids=rows, labels=labels, loss=r["loss"], grad_norm=r["norm"], lr=rate * (1 - i / 100))
             for i, ((rows, labels), r) in enumerate(zip(data, references))]
    with open(f"{folder}/trace.json", "w") as file:
        json.dump(dict(pad_token_id=args.pad_token_id, optimizer=optimizer, steps=steps), file)
    if rate == 0:  # nothing moves: logits are the same before and after
        logits = references[0]["logits"]
        with open(f"{folder}/eval.json", "w") as file:
            json.dump(dict(input_ids=data[0][0], before=logits, after=logits), file)


def replay(args, plan, weights, folder, source):
    """Runs llamarun; {losses, norms: [...], logits, gradients, seconds}. It compares with no tolerance of its own."""
    wide = [f"--{what}-tolerance=1e9" for what in ("loss", "grad-norm", "tensor", "logit")]
    command = [args.llamarun, "replay", plan, "--weights", weights, "--trace", f"{folder}/trace.json", "--init-from",
               source, "--gradients", f"{folder}/gradients.safetensors", "--output-dir", f"{folder}/adapter", *wide,
               *args.flags.split()]
    start = time.time()
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}exit code {result.returncode}")
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r" *\d+ ", line)]
    logits = re.search(r"logits before +largest error (\S+),", result.stdout)
    return dict(losses=[float(row[1]) for row in rows], norms=[float(row[4]) for row in rows],
                logits=float(logits[1]) if logits else None, seconds=time.time() - start,
                messages=result.stderr.splitlines(),
                gradients={k: v.double() for k, v in load_file(f"{folder}/gradients.safetensors").items()})


def angle(a, b):
    """1 - cosine."""
    scale = a.norm() * b.norm()
    return 1 - float((a * b).sum() / scale) if scale else 1.0


def distance(a, b):
    return float((a - b).norm() / b.norm())


def relative(a, b):
    return abs(a - b) / abs(b)


class Report:
    """Prints figures and judges them."""

    def __init__(self):
        self.missed = self.spread = 0

    def bar(self, what, value, limit, detail="", spread=0.0):
        """Least cosines are judged as 1 - cosine. `spread`: PEFT's own deviation in the same measure."""
        verdict = "ok" if value <= limit else "within PEFT's spread" if value <= SPREAD * spread else "MISSED"
        self.missed += verdict == "MISSED"  # a NaN is never less
        self.spread += verdict.startswith("within")
        asked = f"bar {limit:.0e}" if limit < math.inf else "no bar"
        own = f"PEFT's spread {spread:.1e}" if spread else ""
        print("  " + "  ".join(x for x in (f"{what:22} {value:.2e}", asked, verdict, own, detail) if x))

    def note(self, text):
        print(f"  {text}")


def worst(measure, a, b):
    """(largest measure of a tensor, its name)."""
    return max((measure(a[name], b[name]), name) for name in b)


def compare_gradients(report, bars, ours, theirs, exact, again):
    if ours.keys() != theirs.keys():
        names = sorted(ours.keys() ^ theirs.keys())
        report.bar("tensors that differ", len(names), 0, str(names[:3]))
        return
    zero = [name for name, g in theirs.items() if not g.any()]
    report.bar("gradients all zero", len(zero), 0, " ".join(zero[:3]))
    others = [(exact, theirs), (again, theirs)] if exact else []
    for what, measure, limit in (("1 - least cosine", angle, 1 - bars["cosine"]),
                                 ("largest gradient error", distance, bars["gradient"])):
        value, name = worst(measure, ours, theirs)
        spread = max((worst(measure, *pair)[0] for pair in others), default=0)
        report.bar(what, value, limit, f"{name} of {len(theirs)}", spread)
    if exact:
        nearer = sum(distance(ours[name], exact[name]) < distance(theirs[name], exact[name]) for name in theirs)
        report.note(f"nearer to float32 than PEFT's are {nearer} of {len(theirs)}")
    kinds = {}
    for name in theirs:
        kinds.setdefault(re.sub(r".*\.layers\.\d+\.\w+\.|^base_model\.model\.", "", name), []).append(name)
    pairs = [(ours, theirs)] + ([(ours, exact), (theirs, exact), (again, theirs)] if exact else [])
    more = " ours to float32 | PEFT to float32 | PEFT to itself |" if exact else ""
    print("  | largest error | ours to PEFT |" + more)
    print("  |---|" + "---|" * len(pairs))
    for kind, names in sorted(kinds.items()):
        print(f"  | {kind} |" + "".join(f" {max(distance(a[n], b[n]) for n in names):.1e} |" for a, b in pairs))


def judge(report, bars, title, run, references, exact, again):
    print(f"{title}  (llamarun {run['seconds']:.1f} s; {'; '.join(run['messages'][:1])})")

    def errors(a, b):
        return [relative(x, y["loss"]) for x, y in zip(a, b)]

    def rms(a, b):
        return math.sqrt(sum(e * e for e in errors(a, b)) / len(a))

    theirs, losses = references[0], [r["loss"] for r in references]
    detail = f"{run['losses'][0]:.8g} against {theirs['loss']:.8g}"
    if exact:
        detail += f", float32 {exact[0]['loss']:.8g}, PEFT again {again[0]['loss']:.8g}"
    own = [(losses, exact), ([r["loss"] for r in again], references)] if exact else []
    report.bar("loss", relative(run["losses"][0], theirs["loss"]), bars["loss"], detail,
               max((max(errors(*pair)) for pair in own), default=0))
    report.bar(f"losses of {len(losses)}, rms", rms(run["losses"], references), bars["loss"], "",
               max((rms(*pair) for pair in own), default=0))
    if exact:
        report.note(f"  to float32           ours {rms(run['losses'], exact):.2e}, PEFT's {rms(losses, exact):.2e}")
    report.note(f"gradient norm          {relative(run['norms'][0], theirs['norm']):.2e}")
    difference = max(abs(x - y) / max(1, abs(y)) for a, b in zip(again[0]["logits"], theirs["logits"])
                     for x, y in zip(a, b)) if again else 0
    report.bar("logits", run["logits"], bars["logits"], "", difference)
    compare_gradients(report, bars, run["gradients"], theirs["gradients"], exact and exact[0]["gradients"],
                      again and again[0]["gradients"])


def case(args, dtype, plan, work, report):
    print(f"\n## {dtype}")
    start = time.time()
    weights, half = f"{work}/{dtype}", dtype == "bfloat16"
    save_checkpoint(args, dtype, weights)
    data = list(batches(LlamaConfig.from_pretrained(weights)))
    torch.manual_seed(0)
    config = LoraConfig(task_type="SEQ_CLS", r=args.rank, lora_alpha=args.alpha, lora_dropout=0.0, target_modules=ALL,
                        init_lora_weights=False)  # what PEFT has for tests: neither factor is zero
    first = get_peft_model(base_model(args, weights, dtype), config)
    with torch.no_grad():
        for name, parameter in trainable(first).items():
            if "lora_B" in name:
                drawn = 1 if args.adapter_std is None else args.adapter_std * math.sqrt(3 * args.rank)
                parameter.mul_(drawn * deviation(args, first.config, name) / 0.02)
    lengths = [len(row) for row in data[0][0]]
    print(f"checkpoint made and loaded in {time.time() - start:.1f} s; batch of {lengths}, {sum(lengths)} tokens; "
          f"{len(trainable(first))} trainable tensors")
    for title, model, source in (("pass 1, random adapter", first, None),
                                 ("pass 2, the adapter llamarun wrote", None, f"{work}/step-{dtype}/adapter")):
        if model is None:
            model = PeftModel.from_pretrained(base_model(args, weights, dtype), source, is_trainable=True)
        folder = f"{work}/{title[5]}-{dtype}"
        references = [reference(args, model, batch, half) for batch in data]
        write_trace(args, folder, model, data, references, 0.0)
        exact = again = None
        if half:
            other = copy_of(args, weights, model, "float32")
            exact = [reference(args, other, batch, False) for batch in data]
            other = copy_of(args, weights, model, dtype, attn_implementation="eager")
            again = [reference(args, other, batch, True, width=128) for batch in data]
            del other
        run = replay(args, plan, weights, folder, source or f"{folder}/init.safetensors")
        judge(report, BARS[dtype], title, run, references, exact, again)
        if not source:
            write_trace(args, f"{work}/step-{dtype}", model, data[:1], references[:1], RATE)
            replay(args, plan, weights, f"{work}/step-{dtype}", f"{folder}/init.safetensors")
        sys.stdout.flush()
        del model, references, exact, again
        first = None
        if args.device == "cuda":
            torch.cuda.empty_cache()


def main():
    args = arguments()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_float32_matmul_precision("highest")  # no TF32
    torch.backends.cudnn.allow_tf32 = False
    where = torch.cuda.get_device_name() if args.device == "cuda" else "CPU"
    print(f"{where}; torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")
    report = Report()
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        for plan in args.plan:
            dtype, _, path = plan.partition("=")
            case(args, dtype, path, work, report)
    print(f"\nparity: {report.missed} bars missed, {report.spread} within PEFT's spread")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
