"""The jobs that are measured on a GPU: what llamac compiles, what users run today, and the bars.

Times in ms, memory in GiB. A peer is a call of hf_peft.py (Transformers + PEFT), the arguments here.
"""

LLAMA = "models/llama3-8b.mlir"
CONFIG = "models/configs/llama3-8b/config.json"
SST2 = ["--task=sst2", "--per-device-batch-size=8", "--max-seq-length=128"]

# Plans of llamac, and how llamarun bench runs each.
BENCHES = {
    "sst2-all": dict(
        flags=SST2 + ["--adapter=lora:r=16,alpha=32,targets=all-linear"],
        run=["--steps", "200"]),
    "sst2-qv": dict(
        flags=SST2 + ["--adapter=lora:r=16,alpha=32,targets=q_proj,v_proj"],
        run=["--steps", "200"]),
    "lm": dict(
        flags=["--task=lm", "--per-device-batch-size=4", "--max-seq-length=2048", "--buckets=8192",
               "--adapter=lora:r=16,alpha=32,targets=all-linear"],
        run=["--steps", "12", "--warmup", "3", "--lengths", "fixed:2048"]),
}

# Eager first: compiling takes longest, so it is what a time limit cuts.
PEERS = {
    "sst2-all": ["--case", "sst2", "--targets", "all"],
    "sst2-qv": ["--case", "sst2", "--targets", "qv"],
    "lm": ["--case", "long", "--targets", "all", "--batch", "4", "--steps", "8"],
    "sst2-padded": ["--case", "sst2pad", "--targets", "all", "--compile"],
}

# title, ours, peer, what ("ms": p50 of a step, "tokens": a second, "memory": peak), bar
BARS = [
    ("SST-2-like, batch 8, LoRA r16 all, p50 ms", "sst2-all", "sst2-all", "ms", 11.0),
    ("the same; today padded to 128, torch.compile", "sst2-all", "sst2-padded", "ms", 11.0),
    ("SST-2-like, batch 8, LoRA r16 q,v, p50 ms", "sst2-qv", "sst2-qv", "ms", 10.0),
    ("causal LM 4x2048, LoRA r16 all, tokens/s", "lm", "lm", "tokens", 17500.0),
    ("SST-2-like, LoRA all, peak GiB", "sst2-all", "sst2-all", "memory", 16.5),
    ("causal LM 4x2048, peak GiB", "lm", "lm", "memory", 56.0),
]
FIRST_STEP_SECONDS = 20.0
LLAMAC_SECONDS = 20.0

# One epoch of SST-2 (bench/e2e/sst2_epoch.sh): the reference's seconds, and the CPU back end's dev accuracy
# (bench/results/2026-11-22-cpu.md).
EPOCH_SECONDS = 38.0
EPOCH_CPU_ACCURACY = 0.732798

# One batch against Transformers + PEFT with the real shapes (bench/parity), in both dtypes.
PARITY = dict(model="models/llama3.2-1b.mlir", flags=SST2 + ["--adapter=lora:r=16,alpha=32,targets=all-linear"],
              script="bench/parity/llama32_1b.py")

# Reference runs, and how far bfloat16 may be off: losses within 2 %; the others are there to catch nonsense.
OWN_GOLDENS = ["sst2-lora", "stsb-lora", "lm-lora", "sst2-lora-top", "lm-adalora"]
GOLDEN_BUCKETS = "--buckets=128,512,1024"  # fewer than by default, to keep the pack small
SHARED_GOLDENS = ["sst2-lora", "stsb-lora", "lm-lora", "sst2-adalora"]
TOLERANCES = {
    "float32": [],
    "bfloat16": ["--loss-tolerance=0.02", "--grad-norm-tolerance=0.1", "--tensor-tolerance=10",
                 "--logit-tolerance=0.1", "--mask-tolerance=100"],  # of 1120 or more
}
