#!/usr/bin/env python3
"""`llamarun profile` on one device and on two: the trace is read by a reader of our own, as the format's text has it.

Every step of the plan must be in every run, the collectives those of `llamarun inspect`, with arrows from rank to rank;
slices of a lane lie in each other or apart; steps sum to the step that the table reports.
"""
import collections
import json
import os
import sys

import tool

STEPS = 4
LAYOUTS = {"ddp1": 1, "ddp2": 2, "tp2": 2}


def read_trace(path):
    """Events by phase. Every event has what its phase asks for, and lies on a lane with a name."""
    with open(path, encoding="utf-8") as f:
        document = json.load(f)
    events, lanes, processes = collections.defaultdict(list), {}, {}
    needs = {"M": ("name", "pid", "args"), "X": ("name", "cat", "pid", "tid", "ts", "dur"),
             "i": ("name", "pid", "tid", "ts", "s"), "s": ("id", "name", "cat", "pid", "tid", "ts"),
             "f": ("id", "name", "cat", "pid", "tid", "ts", "bp")}
    needs["t"] = needs["s"]
    for event in document["traceEvents"]:
        assert all(key in event for key in needs[event["ph"]]), event
        events[event["ph"]].append(event)
        if event["ph"] == "M" and event["name"] == "thread_name":
            lanes[event["pid"], event["tid"]] = event["args"]["name"]
        if event["ph"] == "M" and event["name"] == "process_name":
            processes[event["pid"]] = event["args"]["name"]
        assert event.get("ts", 0) >= 0 and event.get("dur", 0) >= 0, event
    for phase in "Xistf":
        for event in events[phase]:
            assert (event["pid"], event["tid"]) in lanes, event
    return document, events, lanes, processes


def check_nesting(slices):
    by_lane = collections.defaultdict(list)
    for slice in slices:
        by_lane[slice["pid"], slice["tid"]].append((slice["ts"], -slice["dur"], slice))
    slack = 1e-3  # ns
    for lane in by_lane.values():
        open_ends = []
        for begin, negative, slice in sorted(lane, key=lambda entry: entry[:2]):
            while open_ends and open_ends[-1] <= begin + slack:
                open_ends.pop()
            assert not open_ends or begin - negative <= open_ends[-1] + slack, slice
            open_ends.append(begin - negative)


def covered(slices):
    """Microseconds in which at least one of them is."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted((s["ts"], s["ts"] + s["dur"]) for s in slices):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def within(inner, outer):
    return outer["ts"] - 1e-3 <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 1e-3


def check_runs(events, plan, ranks):
    """Every run has each of its program's steps once; steps sum to the run. \\returns mean microseconds by rank."""
    programs = {p["name"]: p for p in plan["programs"]}
    collectives = {(c["program"], c["step"]): c for c in plan["collectives"]}
    slices = events["X"]
    runs = [s for s in slices if s["cat"] == "run"]
    training = [s for s in slices if s["cat"] == "training step"]
    assert len(runs) == len(training) == STEPS * ranks, (len(runs), len(training))
    means = {}
    for rank in range(ranks):
        steps = [s for s in slices if s["cat"] in ("step", "collective") and s["pid"] == rank]
        own = [r for r in runs if r["pid"] == rank]
        sums, shares, count = 0.0, [], 0
        for run in own:
            assert any(within(run, step) for step in training if step["pid"] == rank), run
            inside = [s for s in steps if within(s, run)]
            program = programs[run["name"]]
            assert sorted(s["args"]["step"] for s in inside) == list(range(program["steps"])), run
            kinds = collections.Counter(s["args"]["operation"] for s in inside)
            assert kinds == program["steps_by_kind"], kinds
            flops = sum(s["args"].get("flops", 0) for s in inside)
            assert abs(flops - program["flops"]) <= 1e-6 * program["flops"], (flops, program["flops"])
            for s in inside:
                arguments = s["args"]
                assert arguments["bytes"] > 0 and (arguments.get("op") or arguments.get("location")), s
                if s["dur"] > 0:
                    rate = arguments["bytes"] / s["dur"] * 1e-3
                    assert abs(rate - arguments["GB_per_s"]) <= 0.01 * rate + 1e-6, s
                expected = collectives.get((run["name"], arguments["step"]))
                assert (s["cat"] == "collective") == (expected is not None), s
                if expected:
                    assert arguments["axis"] == expected["axes"] and arguments["bytes"] == expected["bytes"], s
                    place = " ".join(filter(None, (arguments.get("location"), arguments.get("op"))))
                    assert place == expected["location"], (place, expected)
            sums += covered(inside)
            shares.append(covered(inside) / run["args"]["measured_us"])
            count += len(inside)
        assert count == len(steps), "steps outside of every run"
        # Half of them: another process may take the core between two steps.
        assert 0.97 <= sorted(shares)[len(shares) // 2] <= 1.0005, shares
        means[rank] = sums / STEPS
    return means


def check_arrows(events, plan, ranks):
    """From rank to rank through the slices of one collective."""
    flows = collections.defaultdict(list)
    for phase in "stf":
        for event in events[phase]:
            flows[event["id"]].append(event)
    slices = [s for s in events["X"] if s["cat"] == "collective"]
    assert len(flows) * ranks == len(slices) and (ranks == 1) == (not slices), (len(flows), len(slices))
    for arrow in flows.values():
        assert [e["ph"] for e in arrow] == ["s"] + ["t"] * (ranks - 2) + ["f"], arrow
        assert sorted(e["pid"] for e in arrow) == list(range(ranks)), arrow
        assert [e["ts"] for e in arrow] == sorted(e["ts"] for e in arrow), arrow
        ends = []
        for e in arrow:
            found = [s for s in slices if (s["pid"], s["tid"]) == (e["pid"], e["tid"]) and s["ts"] == e["ts"]]
            assert len(found) == 1 and found[0]["name"] == e["name"], e
            ends.append(found[0]["ts"] + found[0]["dur"])
        # Nobody is done before all have begun: clocks agree.
        assert min(ends) >= arrow[-1]["ts"], arrow


def check(args, directory, layout, ranks):
    folder = os.path.join(directory, layout)
    os.mkdir(folder)
    plan = tool.compile_plan(args, args.model, folder, "--task=sst2", "--max-seq-length=64", "--buckets=512",
                             "--adapter=lora:r=8,targets=all-linear", f"--shard={layout}")
    trace, table = os.path.join(folder, "trace.json"), os.path.join(folder, "table.json")
    text = tool.run(args.llamarun, "profile", plan, "--weights", args.model, "--steps", STEPS, "--warmup=2",
                    "--lengths=fixed:60", "--threads=2", "-o", trace, "--json", table,
                    has=["in steps of the plan", "gap: in none", "measured step", "ceilings", "gemm f32->f32"])
    inspected = json.loads(tool.run(args.llamarun, "inspect", plan, "--json"))
    document, events, lanes, processes = read_trace(trace)
    assert len(processes) == ranks and document["otherData"]["plan_hash"] == inspected["hash"]
    for rank in range(ranks):
        names = {name for (pid, _), name in lanes.items() if pid == rank}
        assert {"host", "data", "stream 0", "CPU thread 0"} <= names, names
        spans = {s["name"] for s in events["X"] if s["pid"] == rank and s["cat"] == "host"}
        assert {"pack batch", "write inputs", "run", "read results"} <= spans, spans
    check_nesting(events["X"])
    means = check_runs(events, inspected, ranks)
    check_arrows(events, inspected, ranks)
    with open(table, encoding="utf-8") as f:
        report = json.load(f)
    assert report["steps"] == STEPS and len(report["ranks"]) == ranks, report
    for rank in report["ranks"]:
        assert abs(rank["in_steps_us"] - means[rank["rank"]]) <= 1e-3 * means[rank["rank"]], (rank, means)
        assert abs(rank["in_steps_us"] + rank["gap_us"] - rank["step_us"]) <= 1e-6 * rank["step_us"], rank
    listed = sum(line["us_per_step"] for line in report["lines"])
    assert abs(listed - report["in_steps_us"]) <= 1e-6 * listed, listed
    if ranks > 1:
        assert text.count("\n0 ") == text.count("\n1 ") == 1, text
    shares = [f"{rank['in_steps_us'] / rank['step_us']:.4f}" for rank in report["ranks"]]
    print(f"{layout}: {len(events['X'])} slices, {len(events['s'])} arrows, steps are {' '.join(shares)} of the step")
    return plan


def check_errors(args, directory, plan):
    def refused(code, has, *flags):
        tool.run(args.llamarun, "profile", plan, "--weights", args.model, *flags, code=code, has=has)
    refused(2, ["--steps"], "--steps=0")
    refused(2, ["--debug-sync"], "--steps=1", "--debug-sync")
    refused(3, ["no-such-data"], "--data", os.path.join(directory, "no-such-data"))
    refused(3, ["examples make"], "--steps=100000", "--data", args.data)
    refused(6, ["nowhere"], "--steps=1", "-o", os.path.join(directory, "nowhere", "trace.json"))
    refused(6, ["nowhere"], "--steps=1", "--json", os.path.join(directory, "nowhere", "table.json"))
    # What is there stays there when nothing comes of it.
    kept = os.path.join(directory, "kept.json")
    with open(kept, "w", encoding="utf-8") as f:
        f.write("old")
    refused(3, ["no-such-data"], "-o", kept, "--data", os.path.join(directory, "no-such-data"))
    with open(kept, encoding="utf-8") as f:
        assert f.read() == "old"
    assert not [name for name in os.listdir(directory) if ".tmp-" in name]
    # Real sentences, and what tracing costs.
    tool.run(args.llamarun, "profile", plan, "--weights", args.model, "--data", args.data, "--steps=2", "--warmup=1",
             "--no-ceilings", "--overhead", "--top=3", has=["tracing ", "more)", "data " + args.data])


def main():
    p = tool.parser(__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--data", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        plans = [check(args, directory, layout, ranks) for layout, ranks in LAYOUTS.items()]
        check_errors(args, directory, plans[0])


if __name__ == "__main__":
    sys.exit(main())
