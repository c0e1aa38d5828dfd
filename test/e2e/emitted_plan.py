#!/usr/bin/env python3
"""A hand-written module of the plan dialect becomes a plan that passes the runtime's own verification."""
import json
import os
import sys

import tool


def main():
    p = tool.parser(__doc__)
    p.add_argument("--module", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        plan = os.path.join(directory, "plan.fb")
        tool.run(args.llamac, args.module, "-o", plan)
        inspected = json.loads(tool.run(args.llamarun, "inspect", plan, "--json"))
        assert len(inspected["programs"]) == 1, inspected["programs"]
        assert [axis["size"] for axis in inspected["grid"]] == [1, 2], inspected["grid"]


if __name__ == "__main__":
    sys.exit(main())
