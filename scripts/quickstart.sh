#!/usr/bin/env bash
# From a bare Debian 12 machine to a LoRA adapter: installs, builds, imports, compiles, trains, evaluates.
#
#   scripts/quickstart.sh                             the shipped demo, under a minute once built
#   scripts/quickstart.sh --weights DIR --data DIR    your Llama checkpoint and your GLUE folder
#
# Options:
#   --weights DIR   Hugging Face directory of a Llama-family model
#   --data DIR      folder with SST-2/ as GLUE ships it, or that task's own folder
#   --output DIR    where everything is written                        (runs/quickstart)
#   --epochs N      passes over the training set                       (demo 8, yours 3)
#   --lr LR         peak learning rate                                 (demo 3e-3, yours 2e-4)
#   --no-build      use build/bin as it is (LLAMAC_BIN: another folder of binaries)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=examples/demo
weights= data= epochs= rate= output=runs/quickstart build=yes
bin=${LLAMAC_BIN:-build/bin}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
bad() { printf 'quickstart: %s\n' "$*" >&2; usage >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --weights|--data|--output|--epochs|--lr)
      [ $# -ge 2 ] || bad "$1 needs a value"
      case $1 in
        --weights) weights=$(realpath -m -- "$2") ;; --data) data=$(realpath -m -- "$2") ;;
        --output) output=$(realpath -m -- "$2") ;; --epochs) epochs=$2 ;; --lr) rate=$2 ;;
      esac
      shift 2 ;;
    --no-build) build=no; shift ;;
    -h|--help) usage; exit 0 ;;
    *) bad "unknown option $1" ;;
  esac
done
if [ -n "$weights$data" ]; then
  [ -n "$weights" ] && [ -n "$data" ] || bad "--weights and --data go together"
  [ -f "$weights/config.json" ] || { printf 'quickstart: %s/config.json: no such file\n' "$weights" >&2; exit 3; }
  [ -d "$data" ] || { printf 'quickstart: %s: no such folder\n' "$data" >&2; exit 3; }
  : "${epochs:=3}" "${rate:=2e-4}"
else
  weights=$demo/model data=$demo/data
  : "${epochs:=8}" "${rate:=3e-3}"
fi

cd "$root"
step() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
if [ $build = yes ]; then
  step "Installing what is missing"
  scripts/install-deps.sh
  step "Building (a few minutes the first time)"
  mkdir -p build
  cmake --preset release >build/quickstart.log 2>&1 || { cat build/quickstart.log >&2; exit 1; }
  cmake --build --preset release -j "$(nproc)" --target llamac llamarun
fi
mkdir -p "$output"
step "Importing the checkpoint"
run "$bin"/llamac import "$weights" -o "$output/model.mlir"
step "Compiling a training plan"
run "$bin"/llamac "$output/model.mlir" --target=cpu --task=sst2 --adapter=lora:r=8,alpha=16,targets=all-linear \
  --per-device-batch-size=32 --max-seq-length=128 -o "$output/plan.fb"
step "Training"
run "$bin"/llamarun train "$output/plan.fb" --weights "$weights" --data "$data" --output-dir "$output/run" \
  --num-train-epochs "$epochs" --learning-rate "$rate" --overwrite-output-dir
step "Evaluating the saved adapter"
run "$bin"/llamarun eval "$output/plan.fb" --weights "$weights" --adapter "$output/run" --data "$data" | tee "$output/eval.txt"
accuracy=$(sed -nE 's/^sst2 dev accuracy = ([0-9.]+)[[:space:]]*$/\1/p' "$output/eval.txt" | tail -1)
[ -n "$accuracy" ] || { printf 'quickstart: no line "sst2 dev accuracy = ..." in %s\n' "$output/eval.txt" >&2; exit 1; }
printf '\ndev accuracy: %s\nadapter:      %s\n' "$accuracy" "$output/run"
# The demo is made to be learnt: less means that something is broken.
if [ "$weights" = "$demo/model" ] && [ "$epochs" -ge 8 ] && ! awk "BEGIN { exit !($accuracy >= 0.90) }"; then
  echo "quickstart: the demo should reach 0.90" >&2
  exit 1
fi
