#!/usr/bin/env bash
# Installs what building and testing need (scripts/packages.txt) on Debian 12.
# Does nothing, quickly, when nothing is missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mapfile -t wanted < <(sed -E 's/#.*//; s/[[:space:]]+//g; /^$/d' "$here/packages.txt")

say() { printf 'install-deps: %s\n' "$*" >&2; }

if ! command -v dpkg-query >/dev/null; then
  say "this is not Debian; install the equivalents of scripts/packages.txt (LLVM and MLIR 22) and build with cmake --preset release"
  exit 1
fi

missing=()
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
for package in "${wanted[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

. /etc/os-release
if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 12 ]; then
  say "this is ${PRETTY_NAME:-an unknown distribution}, not Debian 12; please install: ${missing[*]}"
  exit 1
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { say "need root or sudo to install: ${missing[*]}"; exit 1; }
  root=(sudo)
fi
say "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quiet() {
  "$@" </dev/null >"$log" 2>&1 || { cat "$log" >&2; say "failed: $*"; exit 1; }
}
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
quiet "${apt[@]}" update -q
quiet "${apt[@]}" install -qy --no-install-recommends "${missing[@]}"
