"""The table of a run over tasks and seeds: results/glue.json and results/glue.md."""
import math
import statistics

import tasks


def spread(values):
    """Mean and sample standard deviation (n - 1) of {seed: value}; None for what is not defined."""
    known = list(values.values())
    if not known or any(v is None or not math.isfinite(v) for v in known):
        return {"mean": None, "std": None, "values": values}
    return {"mean": statistics.fmean(known), "std": statistics.stdev(known) if len(known) > 1 else None,
            "values": values}


def chosen(runs):
    """The run whose predictions are submitted: the best on dev, of equals the first; None if none was evaluated."""
    evaluated = [r for r in runs if r.done("eval")]
    return max(evaluated, key=lambda r: -math.inf if r.score() is None else r.score(), default=None)


def of_task(task, runs):
    """One task's part of glue.json. Metrics are as llamarun has them, 0 to 1; `score` is their mean in 0 to 100."""
    evaluated = [r for r in runs if r.done("eval")]
    metrics = {split: {m: spread({str(r.seed): r.values()[split][m] for r in evaluated}) for m in task.metrics}
               for split in task.devs} if evaluated else {}
    best = chosen(runs)
    return {
        "metrics": metrics,
        "score": spread({str(r.seed): r.score() for r in evaluated}) if evaluated else None,
        "chosen_seed": best.seed if best else None,
        "runs": {str(r.seed): {"folder": r.folder, "error": r.error, "settings": r.settings,
                               "seconds": {s: v["seconds"] for s, v in r.known["steps"].items()},
                               "samples": (r.done("eval") or {}).get("samples", {})} for r in runs},
    }


def overall(parts):
    """The leaderboard's single number: the mean of the nine tasks' scores, and of how many it is here."""
    scores = {name: part["score"]["mean"] for name, part in parts.items() if part["score"]}
    known = [s for s in scores.values() if s is not None]
    return {"mean": statistics.fmean(known) if known and len(known) == len(scores) else None,
            "tasks": len(scores), "of": sum(not t.trained_by for t in tasks.TASKS.values())}


def _number(value, scale=100.0):
    return "undefined" if value is None else f"{scale * value:.1f}"


def _cell(found, scale=100.0):
    if found["std"] is None:
        return _number(found["mean"], scale)
    return f"{_number(found['mean'], scale)} ± {scale * found['std']:.1f}"


def _metrics_cell(part):
    lines = []
    for split, metrics in part["metrics"].items():
        where = {"dev_matched": " m", "dev_mismatched": " mm"}.get(split, "")
        lines += [f"{tasks.METRIC_TITLES[m]}{where} {_cell(found)}" for m, found in metrics.items()]
    return ", ".join(lines) or "–"


def _state(part):
    failed = [seed for seed, run in part["runs"].items() if run["error"]]
    if not failed:
        return "done"
    return "failed" if len(failed) == len(part["runs"]) else f"failed: seed {', '.join(failed)}"


def markdown(document):
    """glue.md of glue.json: percentages as papers have them, ± the standard deviation over seeds."""
    head = document["head"]
    seeds = ", ".join(map(str, head["seeds"]))
    out = [f"# GLUE, {head['model_name']}", "",
           f"Adapter `{head['adapter']}`, target {head['target']}, {head['layout']}, seed{'s' * (len(head['seeds']) > 1)} "
           f"{seeds}; {head['version']}. Metrics of the dev sets in percent"
           + (", mean ± standard deviation over the seeds" if len(head["seeds"]) > 1 else "")
           + "; the score is the mean of a task's metrics.", "",
           "| task | dev | score | epochs | learning rate | batch | length | training, s | state |",
           "|---|---|---|---|---|---|---|---|---|"]
    for name, part in document["tasks"].items():
        task, settings = tasks.TASKS[name], part["settings"]
        times = [run["seconds"]["train"] for run in part["runs"].values() if "train" in run["seconds"]]
        if task.trained_by:
            row = [f"predicted by {tasks.TASKS[task.trained_by].title}"] + ["–"] * 6
        else:
            row = [_metrics_cell(part), _cell(part["score"], 1.0) if part["score"] else "–"]
            row += [settings.get(k, "–") for k in ("epochs", "learning rate", "batch", "max length")]
            row += [f"{statistics.fmean(times):.1f}" if times else "–"]
        out.append("| " + " | ".join(map(str, [task.title, *row, _state(part)])) + " |")
    total = document["score"]
    if total["mean"] is not None:
        out += ["", f"Mean score over {total['tasks']} of {total['of']} tasks: {total['mean']:.1f}"
                + ("." if total["tasks"] == total["of"] else " (GLUE's own score is over all of them).")]
    failed = [(tasks.TASKS[n].title, seed, run["error"]) for n, part in document["tasks"].items()
              for seed, run in part["runs"].items() if run["error"]]
    if failed:
        out += ["", "Failed:", ""] + [f"- {title}, seed {seed}: {error}" for title, seed, error in failed]
    if document["skipped"]:
        out += ["", "Not run, for there is no data: "
                + ", ".join(tasks.TASKS[n].title for n in document["skipped"]) + "."]
    parts = document["submission"]["files"]
    if parts:
        empty = [name for name, part in parts.items() if part["from"] == "placeholder"]
        out += ["", f"Submission: {document['submission']['file']}, of each task the seed that is best on dev."]
        if empty:
            out.append(f"Placeholders, one label throughout: {', '.join(empty)}.")
        wrong = [c for part in parts.values() for c in part.get("complaints", [])]
        if wrong:
            out += ["", "The leaderboard would refuse it:", ""] + [f"- {c}" for c in wrong]
    return "\n".join(out) + "\n"
