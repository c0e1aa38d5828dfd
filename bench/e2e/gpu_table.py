"""Markdown tables of what bench/e2e/gpu_run.py measured. A bar whose figures are missing says so."""
import json

import gpu_jobs


def load(results, name):
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def print_goldens(rows):
    print("| reference run | dtype | loss | grad norm | final tensors | logits after | result |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        errors = [row["errors"].get(key, "") for key in ("loss", "grad_norm", "final tensors", "logits after")]
        print(f"| {row['name']} | {row['dtype']} | {' | '.join(errors)} | {'ok' if row['ok'] else 'FAILED'} |")
    print(flush=True)


def met(value, bar, lower=True):
    return "yes" if (value <= bar if lower else value >= bar) else "NO"


def percentiles(step):
    return f"{step['p50_ms']:.2f} / {step['p95_ms']:.2f} / {step['p99_ms']:.2f}"


def row(title, ours, peer, what, bar):
    """One bar: the cells of job, today, ours, ratio (above 1: ours is better), bar, met."""
    if what == "ms":
        today = f"{peer['ms_p50']:.1f}" if peer else "not run"
        if not ours:
            return [title, today, "not run", "", f"{bar:g}", ""]
        value = ours["step"]["p50_ms"]
        ratio = f"{peer['ms_p50'] / value:.1f}" if peer else ""
        return [title, today, percentiles(ours["step"]), ratio, f"{bar:g}", met(value, bar)]
    if what == "tokens":
        today = f"{peer['real_tokens_per_s']:,}" if peer else "not run"
        if not ours:
            return [title, today, "not run", "", f"{bar:,.0f}", ""]
        value = ours["real_tokens_per_second"]
        ratio = f"{value / peer['real_tokens_per_s']:.2f}" if peer else ""
        return [title, today, f"{value:,.0f} ({percentiles(ours['step'])} ms)", ratio, f"{bar:,.0f}",
                met(value, bar, lower=False)]
    # PyTorch's figure is what its allocator gave out. Ours is held to the whole card's.
    today = f"{peer['peak_gib']:.1f}" if peer else "not run"
    if not ours:
        return [title, today, "not run", "", f"{bar:g}", ""]
    value = ours["device_used_gib"]
    ratio = f"{peer['peak_gib'] / ours['allocated_gib']:.2f}" if peer else ""
    return [title, today, f"{ours['allocated_gib']:.2f} allocated, {value:.2f} of the card in use", ratio, f"{bar:g}",
            met(value, bar)]


def start_rows(results, jobs):
    for name, title in (("first-tuned", "first step after process start, weights in page cache, s"),
                        ("first-untuned", "the same, GEMMs never tuned before")):
        first = load(results, f"bench-{name}")
        if first:
            where = "random weights, no files" if first["weights"].startswith("random") else "16 GB of files"
            parts = (f"{first['first_step_seconds']:.1f} ({where}: weights {first['load_seconds']:.1f}, programs "
                     f"{first['prepare_seconds']:.1f})")
            yield [title, "", parts, "", f"{gpu_jobs.FIRST_STEP_SECONDS:g}",
                   met(first["first_step_seconds"], gpu_jobs.FIRST_STEP_SECONDS)]
    for name, job in jobs["bench"].items():
        yield [f"llamac {name}, s, {jobs['compiled_on']}", "", f"{job['llamac_seconds']:.1f}", "",
               f"{gpu_jobs.LLAMAC_SECONDS:g}", met(job["llamac_seconds"], gpu_jobs.LLAMAC_SECONDS)]


def epoch_rows(results):
    runs = load(results, "epoch")
    if runs:
        best = min(run["seconds"] for run in runs)
        seconds = ", ".join(f"{run['seconds']:.1f}" for run in runs)
        yield ["SST-2 epoch, tinystories-656k, s", f"{gpu_jobs.EPOCH_SECONDS:g} (recorded)", seconds,
               f"{gpu_jobs.EPOCH_SECONDS / best:.1f}", f"{gpu_jobs.EPOCH_SECONDS:g}", met(best, gpu_jobs.EPOCH_SECONDS)]
        worst = max(abs(run["accuracy"] - gpu_jobs.EPOCH_CPU_ACCURACY) for run in runs)
        yield ["its dev accuracy; CPU back end", f"{gpu_jobs.EPOCH_CPU_ACCURACY}",
               ", ".join(f"{run['accuracy']}" for run in runs), "", "within 0.01", met(worst, 0.01)]
        same = len({run["bytes"] for run in runs}) == 1
        yield ["its adapter's bytes, run after run", "", ", ".join(run["bytes"] for run in runs), "", "identical",
               "yes" if same else "NO"]


def print_floors(results):
    """What the job could take at best, beside what it took."""
    lines = []
    for name in gpu_jobs.BENCHES:
        ours = load(results, f"bench-{name}")
        if not ours or not ours["ceiling_bytes_per_second"]:
            continue
        bytes_ms = 1e3 * ours["bytes_per_step"] / ours["ceiling_bytes_per_second"]
        flops_ms = 1e3 * ours["flops_per_step"] / ours["ceiling_flops_per_second"]
        lines.append(f"| {name} | {ours['step']['mean_ms']:.2f} | {ours['wall_ms']:.2f} | {bytes_ms:.2f} "
                     f"({100 * ours['fraction_of_byte_floor']:.0f} %) | {flops_ms:.2f} "
                     f"({100 * ours['fraction_of_flop_floor']:.0f} %) | "
                     f"{ours['ceiling_bytes_per_second'] / 1e12:.2f} | {ours['ceiling_flops_per_second'] / 1e12:.0f} |")
    if lines:
        print("\n| job | mean ms | wall ms | byte floor ms | FLOP floor ms | copy TB/s | GEMM TFLOP/s |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(lines))
    ours, floor = load(results, "bench-sst2-all"), load(results, "floor")
    if ours and ours["buckets"]:
        print("\n| sst2-all by program | steps | real tokens | p50 ms | all GEMMs in one graph, ms: plain / folded |")
        print("|---|---|---|---|---|")
        for bucket in ours["buckets"]:
            gemms = " / ".join(f"{f['ms']:.2f}" for f in floor or [] if f["tokens"] == bucket["tokens"])
            print(f"| {bucket['program']} | {bucket['steps']} | {bucket['real_tokens']:.0f} | "
                  f"{bucket['step']['p50_ms']:.2f} | {gemms} |")


def print_summary(results, jobs):
    rows = [row(title, load(results, f"bench-{ours}"), load(results, f"peer-{peer}"), what, bar)
            for title, ours, peer, what, bar in gpu_jobs.BARS]
    rows += [*start_rows(results, jobs), *epoch_rows(results)]
    goldens = load(results, "goldens")
    if goldens:
        good = sum(g["ok"] for g in goldens)
        rows.append(["reference runs replayed", "", f"{good} of {len(goldens)}", "", "all",
                     "yes" if good == len(goldens) else "NO"])
    parity = load(results, "parity")
    if parity:
        rows.append(["llama3.2-1b against Transformers + PEFT", "", "above", "", "bench/parity",
                     "yes" if parity["ok"] else "NO"])
    print("| job | today | ours p50 / p95 / p99 | ratio | bar | met |")
    print("|---|---|---|---|---|---|")
    for cells in rows:
        print(f"| {' | '.join(cells)} |")
    print_floors(results)
    print(flush=True)
