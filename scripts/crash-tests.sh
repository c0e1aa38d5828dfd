#!/bin/sh
# Crash tests of checkpoints that are too long for ctest: runs of two ranks, on
# ddp2 and tp2, killed with kill -9 (one rank or all; half of them while they
# save), and every write, fsync and rename of a save failing or killing. Each
# run is resumed and must end with the bytes of one that was not disturbed.
#
#   scripts/crash-tests.sh [build] [runs] [folder]
#
# The folder is best on a disk: there a save takes long enough to be hit.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build} runs=${2:-200} folder=${3:-${TMPDIR:-/tmp}}
ninja -C "$build" llamac llamarun failing_files
crash() {
  PYTHONDONTWRITEBYTECODE=1 python3 test/e2e/resume.py \
    --llamac "$build/bin/llamac" --llamarun "$build/bin/llamarun" \
    --model examples/demo/model --data examples/demo/data "$@"
}
crash --only-kills --kills="$runs" --layouts="ddp2 tp2" --scratch="$folder"
crash --kills=8 --shim="$(find "$build" -name 'libfailing_files.so')"
