#!/usr/bin/env bash
# One epoch of SST-2 on a small Llama: seconds, dev accuracy and resident memory of llamarun on this machine.
#
#   bench/e2e/sst2_epoch.sh --weights DIR --data DIR [--build DIR] [--runs N]
#
# DIR of --data holds SST-2/train.tsv and dev.tsv as GLUE ships them. The recipe is that of the reference (LoRA r8
# alpha 16 on all linears, batch 32, lr 5e-3, weight decay 0.01), whose whole epoch takes 38 s on an H200 with
# Transformers and PEFT. Prints one Markdown row a run.
set -euo pipefail
build=build runs=3 weights= data=
while [ $# -gt 0 ]; do
  case $1 in
    --weights) weights=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --runs) runs=$2; shift 2 ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
  esac
done
[ -n "$weights" ] && [ -n "$data" ] || { sed -n 2,10p "$0" >&2; exit 2; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$build/bin/llamac" import "$weights" -o "$work/model.mlir" 2>/dev/null
"$build/bin/llamac" "$work/model.mlir" --target=cpu --arch=native --task=sst2 \
  --adapter=lora:r=8,alpha=16,targets=all-linear --per-device-batch-size=32 --max-seq-length=128 -o "$work/plan.fb"
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); load $(cut -d' ' -f1 /proc/loadavg); $(date +%F)"
echo "| run | seconds, process start to end | CPU seconds | resident MB | dev accuracy | adapter bytes |"
echo "|---|---|---|---|---|---|"
for run in $(seq "$runs"); do
  python3 - "$build/bin/llamarun" "$work" "$weights" "$data" "$run" <<'PY'
import hashlib, re, resource, subprocess, sys, time
llamarun, work, weights, data, run = sys.argv[1:]
start = time.monotonic()
done = subprocess.run([llamarun, "train", f"{work}/plan.fb", "--weights", weights, "--data", data, "--output-dir",
                       f"{work}/run{run}", "--num-train-epochs", "1", "--learning-rate", "5e-3", "--weight-decay",
                       "0.01"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
seconds = time.monotonic() - start
if done.returncode:
    sys.exit(done.stdout)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
accuracy = re.findall(r"sst2 dev accuracy = ([0-9.]+)", done.stdout)[-1]
digest = hashlib.sha256(open(f"{work}/run{run}/adapter_model.safetensors", "rb").read()).hexdigest()[:12]
print(f"| {run} | {seconds:.1f} | {usage.ru_utime + usage.ru_stime:.1f} | {usage.ru_maxrss / 1024:.0f} | {accuracy} | "
      f"{digest} |", flush=True)
PY
done
