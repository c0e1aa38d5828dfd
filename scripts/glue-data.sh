#!/usr/bin/env bash
# Downloads GLUE from its official addresses, checks every file's SHA-256 and lays it out as llamarun reads it:
#   scripts/glue-data.sh FOLDER [--tasks cola,mrpc,ax] [--from FOLDER]
# The data keep their own terms (gluebenchmark.com/tasks). --from takes files that were downloaded otherwise.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v python3 >/dev/null || { echo "glue-data: needs python3; scripts/install-deps.sh installs it" >&2; exit 2; }
exec python3 -B "$root/scripts/glue/download.py" "$@"
