#!/bin/sh
# Tests and benches on a machine that has a GPU but neither MLIR nor our packages.
#
#   scripts/gpu-check.sh pack <build>[:<build>...] [folder]
#       here: programs, plans, reference runs, data. Several builds: the first
#       that has a program gives it. Builds nothing if GPU_CHECK_BUILD=0.
#   scripts/gpu-check.sh build [folder] [build]
#       there, if a compiler, GoogleTest and the runtime's libraries are: the
#       runtime half and its tests from this source, instead of the packed ones
#   scripts/gpu-check.sh run [folder] [tests|goldens|epoch|parity|kernels|bench|peers|table|all]...
#       there: `tests` if nothing is named; a summary comes last if anything was
#       timed. Each section stays under 9 minutes; peers=sst2-all,floor runs
#       only those. bench/e2e/gpu_run.py says what each is.
#
# The folder (.carry by default, ignored by git) must travel to the other
# machine with this tree. That one needs a C library no older than this one's,
# the NVIDIA driver, cuBLASLt and Python 3; for the peers PyTorch, Transformers
# and PEFT; compute-sanitizer is used where there is one. Results of runs worth
# keeping are in bench/results.
set -eu
cd "$(dirname "$0")/.."

pack() {
  if [ "${GPU_CHECK_BUILD:-1}" != 0 ]; then
    build=${1%%:*}
    ninja -C "$build" llamac llama-opt llamarun llamac_gpu_tests
    # Those that a build has without nvcc or the compiler are fewer.
    for target in attention_gpu_test skinny_gpu_test factors_gpu_test triplets_gpu_test gpu_rowwise gpu_attention gpu_skinny; do
      ninja -C "$build" -t query "$target" > /dev/null 2>&1 && ninja -C "$build" "$target"
    done
  fi
  python3 -B bench/e2e/gpu_pack.py "$1" "$2"
}

build() {
  folder=$1 build=$2
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DLLAMAC_BUILD_COMPILER=OFF -DLLAMAC_BUILD_TESTS=ON
  cmake --build "$build" -j "$(nproc)" --target llamarun llamac_gpu_tests
  mkdir -p "$folder/bin"
  cp "$build/bin/llamarun" "$build/bin/llamac_gpu_tests" "$folder/bin/"
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
  if timeout -k 5 240 "$@" > "$log" 2>&1; then result=ok; else
    result="FAILED ($?)"
    status=1
  fi
  # GoogleTest's count, or one line for each case that went well.
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
  passed=${passed:-$(grep -c '^ok' "$log" || true)}
  note=$(sed -n 's/^=.* SUMMARY: //p' "$log" | tail -n 1)
  # A machine without a GPU must not look like success.
  if [ "${skipped:-0}" -gt 0 ]; then
    result="FAILED (skipped)"
    status=1
  fi
  echo "| $name | $result | $passed | ${skipped:-0} | ${note:-} |"
  test "$result" = ok || tail -n 8 "$log" | cut -c 1-200 >&2
}

sanitized() {
  name=$1
  shift
  # Refused calls are part of RefusesWhatIsNotItsOwn; memcheck counts them.
  row "$tool, $name" "$logs/$tool-$name.log" compute-sanitizer --tool "$tool" \
    --report-api-errors no --error-exitcode 9 "$@"
}

tests() {
  folder=$1 bin=$1/bin
  export LLAMAC_GPU_PLAN="$folder/plans/small-cubin.fb" LLAMAC_GPU_SUM_PLAN="$folder/plans/sums.fb"
  echo "| run | result | passed | skipped | note |"
  echo "| --- | --- | --- | --- | --- |"
  row "tests" "$logs/tests.log" "$bin/llamac_gpu_tests"
  row "plan as PTX" "$logs/ptx.log" env LLAMAC_GPU_PLAN="$folder/plans/small-ptx.fb" \
    "$bin/llamac_gpu_tests" --gtest_filter='GpuPlan.*'
  row "tests, 20 times" "$logs/repeat.log" "$bin/llamac_gpu_tests" --gtest_repeat=20 --gtest_brief=1
  kernels=
  for program in attention_gpu_test skinny_gpu_test factors_gpu_test triplets_gpu_test; do
    if [ -x "$bin/$program" ]; then
      kernels="$kernels $program"
      row "$program" "$logs/$program.log" "$bin/$program"
    else
      echo "| $program | not in the pack | | | |"
    fi
  done
  if command -v compute-sanitizer > /dev/null; then
    for tool in memcheck racecheck synccheck initcheck; do
      # GpuFault faults on purpose; of GpuTune's kernels, all cuBLASLt's own,
      # racecheck reports some (nvjet, copies to a whole cluster).
      sanitized tests "$bin/llamac_gpu_tests" "--gtest_filter=-GpuFault.*:GpuTune.*:*.ProfileTimesEveryStep"
      case $tool in memcheck | racecheck)
        for program in $kernels; do
          sanitized "$program --small" "$bin/$program" --small
        done ;;
      esac
    done
  else
    echo "| compute-sanitizer | not installed | | | |"
  fi
  echo
  grep -h '^run ' "$logs/tests.log" || true
}

run() {
  folder=$1
  shift
  logs=$folder/results
  mkdir -p "$logs"
  found=$(cublas_folder)
  export GPU_CHECK_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"
  # The libraries we bring come last: the machine's are made for it.
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${found:+$found:}$folder/lib"
  echo "machine: $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1)"
  echo "date: $(date -u +%Y-%m-%d)"
  echo "commit: $(sed -n 's/^ "commit": "\(.*\)",\{0,1\}$/\1/p' "$folder/jobs.json")"
  echo
  # In this order: what is correct first, what takes longest last.
  if [ "$*" = all ]; then set -- tests goldens epoch parity kernels bench peers; fi
  sections=
  for section in "${@:-tests}"; do
    case $section in
    tests) tests "$folder" ;;
    *) sections="$sections $section" ;;
    esac
  done
  if [ -n "$sections" ]; then
    # shellcheck disable=SC2086
    python3 -B bench/e2e/gpu_run.py "$folder" $sections table || status=1
  fi
  return $status
}

command=${1:-}
test $# -eq 0 || shift
case $command in
pack) pack "${1:?build folder}" "${2:-.carry}" ;;
build)
  mkdir -p "${1:-.carry}"
  build "$(realpath "${1:-.carry}")" "${2:-build-gpu}"
  ;;
run)
  folder=$(realpath "${1:-.carry}")
  test $# -eq 0 || shift
  run "$folder" "$@"
  ;;
*)
  sed -n '2,23s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
