#!/usr/bin/env bash
# One epoch of SST-2 on a small Llama: seconds, dev accuracy and resident memory of llamarun on this machine.
#
#   bench/e2e/sst2_epoch.sh --weights DIR --data DIR [--target cpu|cuda] [--build DIR] [--runs N]
#
# DIR of --data holds SST-2/train.tsv and dev.tsv as GLUE ships them. The recipe is that of the reference (LoRA r8
# alpha 16 on all linears, batch 32, lr 5e-3, weight decay 0.01), whose whole epoch takes 38 s on an H200 with
# Transformers and PEFT. Prints one Markdown row a run.
#
# For a machine without llamac: --plan-only FILE writes the plan and runs nothing, --plan FILE runs it there. --llamac
# and --llamarun name programs outside the build, --dtype is llamac's.
set -euo pipefail
build=build runs=3 weights='' data='' target=cpu dtype='' plan='' plan_only='' llamac='' llamarun=''
while [ $# -gt 0 ]; do
  case $1 in
    --weights | --data | --build | --runs | --target | --dtype | --plan | --plan-only | --llamac | --llamarun)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
      name=${1#--}
      printf -v "${name//-/_}" %s "$2"
      shift 2 ;;
    *) echo "unknown argument: $1" >&2; exit 2 ;;
  esac
done
case $target in
  cpu) flags="--target=cpu --arch=native" ;;
  cuda) flags="--target=cuda" ;;
  *) echo "--target is cpu or cuda" >&2; exit 2 ;;
esac
if [ -z "$weights" ] || [ -z "$data$plan_only" ]; then
  sed -n 2,13p "$0" >&2
  exit 2
fi
llamac=${llamac:-$build/bin/llamac} llamarun=${llamarun:-$build/bin/llamarun}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
if [ -z "$plan" ]; then
  plan=${plan_only:-$work/plan.fb}
  "$llamac" import "$weights" -o "$work/model.mlir" 2>/dev/null
  # shellcheck disable=SC2086
  "$llamac" "$work/model.mlir" $flags ${dtype:+--dtype="$dtype"} --task=sst2 \
    --adapter=lora:r=8,alpha=16,targets=all-linear --per-device-batch-size=32 --max-seq-length=128 -o "$plan"
fi
[ -z "$plan_only" ] || exit 0
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 || true)
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)${gpu:+, $gpu}; load $(cut -d' ' -f1 /proc/loadavg); $(date +%F)"
echo "| run | seconds, process start to end | CPU seconds | resident MB | dev accuracy | adapter bytes |"
echo "|---|---|---|---|---|---|"
for run in $(seq "$runs"); do
  python3 - "$llamarun" "$work" "$weights" "$data" "$run" "$plan" <<'PY'
import hashlib, re, resource, subprocess, sys, time
llamarun, work, weights, data, run, plan = sys.argv[1:]
start = time.monotonic()
done = subprocess.run([llamarun, "train", plan, "--weights", weights, "--data", data, "--output-dir",
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
