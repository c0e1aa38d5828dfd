#!/usr/bin/env python3
"""What the profiler costs, and whether its steps are the whole step: pairs of one run each, on the machine's CPU.

off:  `llamarun bench` of the build before the profiler (--base) and of this one in turns; ratio of the steps' p50. On a
      machine with other work that is mostly noise; --cpu-time compares the processor time of whole runs instead, with
      one thread, where nothing spins, and the least of all runs of a build: that is all it then does.
on:   `llamarun profile --overhead`, whose steps are traced and not traced in turns; ratio of the medians.
sums: time in steps of the plan over the measured step, by rank, of the same runs.

Prints a Markdown table: the median of the pairs, with the middle half of them. Without --base there is no "off"; with the
same program twice it is the noise.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

MIDDLE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "intermediate_size": 1408,
          "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 4096,
          "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "hidden_act": "silu",
          "tie_word_embeddings": False, "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2}
# name: its config, tokens of a sentence, layout, timed steps of a run
JOBS = {"demo, ddp1": (None, 20, "ddp1", 300), "demo, long, ddp1": (None, 60, "ddp1", 100),
        "4 x 512, ddp1": (MIDDLE, 30, "ddp1", 20), "demo, tp2": (None, 20, "tp2", 60)}


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")


def processor_time(directory, *command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    report(directory, *command)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def report(directory, *command):
    path = os.path.join(directory, "report.json")
    run(*command, "--json", path)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def spread(values):
    """Median [first quartile, third quartile]."""
    if len(values) < 2:
        return f"{values[0]:.4f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.4f} [{low:.4f}, {high:.4f}]"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--llamac", required=True)
    p.add_argument("--llamarun", required=True)
    p.add_argument("--base", help="llamarun without the profiler")
    p.add_argument("--model", required=True, help="examples/demo/model")
    p.add_argument("--pairs", type=int, default=9)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--jobs", help="only these, with a semicolon between them: " + "; ".join(JOBS))
    p.add_argument("--cpu-time", action="store_true")
    args = p.parse_args()
    if args.cpu_time:
        args.threads = 1
    print("| job | step us | off / before | on / off | in steps / step |", "|---|---|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory() as directory:
        for name, (config, tokens, layout, steps) in JOBS.items():
            if args.jobs and name not in args.jobs.split(";"):
                continue
            folder = args.model
            if config:
                folder = os.path.join(directory, "config")
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
                    json.dump(config, f)
            model, plan = os.path.join(directory, "model.mlir"), os.path.join(directory, "plan.fb")
            run(args.llamac, "import", folder, "-o", model)
            run(args.llamac, model, "--target=cpu", "--task=sst2", "--max-seq-length=64", f"--shard={layout}",
                "--adapter=lora:r=8,alpha=16,targets=all-linear", "-o", plan)
            flags = [plan, "--weights=random", f"--lengths=fixed:{tokens}", "--warmup=5", f"--threads={args.threads}"]
            off, on, sums, lengths, least = [], [], [], [], {}
            for pair in range(args.pairs):
                if args.base:
                    programs = [args.base, args.llamarun]
                    took = {}
                    for program in (programs if pair % 2 else programs[::-1]):
                        took[program] = (
                            processor_time(directory, program, "bench", *flags, f"--steps={4 * steps}")
                            if args.cpu_time else report(directory, program, "bench", *flags, f"--steps={steps}")["step"]["p50_ms"])
                    off.append(took[args.llamarun] / took[args.base])
                    least = {program: min(time, least.get(program, time)) for program, time in took.items()}
                if args.cpu_time:
                    continue
                profile = report(directory, args.llamarun, "profile", *flags, f"--steps={steps}", "--overhead",
                                 "--no-ceilings")
                on.append(1 + profile["tracing_overhead"])
                sums += [rank["in_steps_us"] / rank["step_us"] for rank in profile["ranks"]]
                lengths.append(profile["step_us"])
            if args.cpu_time:
                print(f"| {name} | - | {spread(off)}, least {least[args.llamarun] / least[args.base]:.4f} | - | - |")
                continue
            print(f"| {name} | {statistics.median(lengths):.0f} | {spread(off) if off else '-'} | {spread(on)} | "
                  f"{spread(sums)} |", flush=True)


if __name__ == "__main__":
    main()
