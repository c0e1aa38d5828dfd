#!/usr/bin/env bash
# Trains and evaluates GLUE tasks, writes a table and a submission for gluebenchmark.com (docs/glue.md):
#   scripts/glue.sh --model DIR --data DIR [--output runs/glue] [--tasks cola,mnli,ax] [--seeds 42,43,44] ...
# The programs are build/bin's; --bin or LLAMAC_BIN names another folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v python3 >/dev/null || { echo "glue: needs python3; scripts/install-deps.sh installs it" >&2; exit 2; }
exec python3 -B "$root/scripts/glue/main.py" "$@"
