#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test:
#   scripts/test.sh [ctest arguments, for example -R runtime]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=$(nproc)
scripts/install-deps.sh
cmake --preset release
cmake --build --preset release -j "$jobs"
ctest --preset release -j "$jobs" "$@"
