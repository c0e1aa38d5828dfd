#!/usr/bin/env python3
"""A stripped llamarun is at most 5 MB."""
import os
import subprocess
import sys

import tool

LIMIT = 5_000_000


def main():
    p = tool.parser(__doc__)
    args = p.parse_args()
    with tool.scratch() as directory:
        stripped = os.path.join(directory, "llamarun")
        subprocess.run(["strip", "-o", stripped, args.llamarun], check=True)
        size = os.path.getsize(stripped)
    print(f"llamarun: {size} bytes stripped, limit {LIMIT}")
    return 0 if size <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
