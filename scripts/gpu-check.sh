#!/bin/sh
# The GPU tests on a machine that has a GPU but neither MLIR nor our packages.
#
#   scripts/gpu-check.sh pack <build> [folder]   here: gather what the tests need
#   scripts/gpu-check.sh run [folder]            there: test, memory check, table
#
# The folder (.carry by default, ignored by git) must travel to the other
# machine, which needs a C library no older than this one's, the NVIDIA driver
# and cuBLASLt; compute-sanitizer is used where there is one. Results of runs
# worth keeping are in bench/results.
set -eu
cd "$(dirname "$0")/.."

pack() {
  build=$1 folder=$2
  rm -rf "$folder"
  mkdir -p "$folder/lib"
  ninja -C "$build" llamac_gpu_tests llamac_gpu_plan
  cp "$build/bin/llamac_gpu_tests" "$build/test/gpu/small-plan.fb" "$folder/"
  strip "$folder/llamac_gpu_tests"
  # The same plan with kernels that the driver compiles.
  "$build/bin/llama-opt" test/gpu/small-plan.mlir \
    --codegen-generate-gpu-kernels=format=ptx -o "$folder/small-plan.ptx.mlir"
  "$build/bin/llamac" "$folder/small-plan.ptx.mlir" -o "$folder/small-plan.ptx.fb"
  rm "$folder/small-plan.ptx.mlir"
  # All shared libraries but the C library's own, which belong to the machine.
  ldd "$folder/llamac_gpu_tests" | awk '$2 == "=>" { print $3 }' |
    grep -Ev '/lib(c|m|dl|pthread|rt)\.so' | xargs -r cp -Lt "$folder/lib"
  git rev-parse HEAD > "$folder/commit"
  git diff --quiet HEAD -- runtime passes dialects compiler tools test/gpu ||
    echo "with changes" >> "$folder/commit"
  du -sh "$folder"
}

# The folder of cuBLASLt, unless the loader finds it: the toolkit's or PyTorch's.
cublas_folder() {
  ldconfig -p | grep -q 'libcublasLt\.so\.1[23]' && return
  for library in /usr/local/cuda/lib64/libcublasLt.so.1[23] \
    $(python3 -c 'import glob, sys
for p in sys.path:
    for f in glob.glob(p + "/nvidia/*/lib/libcublasLt.so.1[23]"): print(f)' \
      2> /dev/null || true); do
    if [ -e "$library" ]; then
      dirname "$library"
      return
    fi
  done
}

status=0
# row <name> <log> <command...>: runs it and prints one row of the table.
row() {
  name=$1 log=$2
  shift 2
  if "$@" > "$log" 2>&1; then result=ok; else
    result="FAILED ($?)"
    status=1
  fi
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  note=$(sed -n 's/^=.* SUMMARY: //p' "$log" | tail -n 1)
  # A machine without a GPU must not look like success.
  if [ "${skipped:-0}" -gt 0 ]; then
    result="FAILED (skipped)"
    status=1
  fi
  echo "| $name | $result | ${passed:-0} | ${skipped:-0} | ${note:-} |"
  test "$result" = ok || tail -n 40 "$log" >&2
}

run() {
  folder=$1
  logs=${OUT:-$folder}
  export LLAMAC_GPU_PLAN="$folder/small-plan.fb"
  found=$(cublas_folder)
  export LD_LIBRARY_PATH="$folder/lib${found:+:$found}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  tests="$folder/llamac_gpu_tests"
  echo "machine: $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1)"
  echo "date: $(date -u +%Y-%m-%d)"
  echo "commit: $(paste -sd' ' "$folder/commit")"
  echo
  echo "| run | result | passed | skipped | note |"
  echo "| --- | --- | --- | --- | --- |"
  row "tests" "$logs/tests.log" "$tests"
  row "plan as PTX" "$logs/ptx.log" env LLAMAC_GPU_PLAN="$folder/small-plan.ptx.fb" \
    "$tests" --gtest_filter='GpuPlan.*'
  row "tests, 20 times" "$logs/repeat.log" "$tests" --gtest_repeat=20 --gtest_brief=1
  if command -v compute-sanitizer > /dev/null; then
    # Refused calls are part of RefusesWhatIsNotItsOwn; memcheck counts them.
    for tool in memcheck racecheck synccheck initcheck; do
      row "$tool" "$logs/$tool.log" compute-sanitizer --tool $tool \
        --report-api-errors no --error-exitcode 9 "$tests"
    done
  else
    echo "| compute-sanitizer | not installed | | | |"
  fi
  echo
  grep -h '^run ' "$logs/tests.log" || true
  return $status
}

case "${1:-}" in
pack) pack "${2:?build folder}" "${3:-.carry}" ;;
run) run "$(realpath "${2:-.carry}")" ;;
*)
  sed -n '2,12s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
