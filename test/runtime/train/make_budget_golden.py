#!/usr/bin/env python3
"""Makes budget.golden.json: what PEFT's AdaLoRA does at each step, for many schedules.

    pip install torch transformers peft && test/runtime/train/make_budget_golden.py

Runs PEFT's own update_and_allocate with the three functions that touch tensors replaced by ones that write down that
they were called. A step is [update the averages?, mask by new scores with this k or null, mask by the stored pattern?].
"""
import json
import os
import types

import peft
from peft.tuners.adalora.layer import RankAllocator
from peft.tuners.adalora.model import AdaLoraModel

# matrices, init_r, target_r, tinit, tfinal, deltaT, total_step
SCHEDULES = [
    (14, 6, 3, 3, 5, 2, 20),
    (14, 5, 2, 2, 6, 3, 20),
    (14, 5, 2, 2, 4, 3, 20),
    (1, 1, 0, 0, 0, 1, 1),
    (1, 12, 8, 0, 0, 1, 2),
    (7, 12, 8, 0, 0, 1, 50),       # the defaults: T1 never comes
    (7, 12, 8, 0, 1, 1, 50),
    (7, 12, 8, 0, 49, 1, 50),      # one step of falling
    (7, 12, 8, 48, 1, 1, 50),      # T1 is right after tinit
    (14, 8, 8, 3, 4, 2, 40),       # nothing to mask: k stays 0
    (14, 8, 0, 3, 4, 2, 40),       # down to nothing
    (3, 2, 1, 1, 2, 7, 30),        # deltaT does not divide anything
    (3, 2, 1, 1, 2, 100, 30),      # only the forced mask
    (224, 64, 32, 200, 400, 10, 5000),
    (224, 24, 16, 6000, 22000, 100, 50000),
    (96, 3, 1, 8000, 50000, 100, 85904),
    (84, 9, 4, 17, 23, 5, 333),
    (5, 1048576, 1, 0, 10, 13, 1009),
]


class Recorder(RankAllocator):
    def __init__(self, config, matrices):
        self.peft_config = config
        self.init_bgt = matrices * config.init_r
        self.target_bgt = matrices * config.target_r
        self.done = None

    def update_ipt(self, model):
        self.done[0] = True

    def mask_to_budget(self, model, budget):
        self.done[1] = self.init_bgt - budget
        return {"m.lora_E.default": [True]}

    def mask_using_rank_pattern(self, model, pattern):
        self.done[2] = True

    def reset_ipt(self):
        pass


def steps_of(schedule):
    matrices, init_r, target_r, tinit, tfinal, delta, total = schedule
    config = peft.AdaLoraConfig(init_r=init_r, target_r=target_r, tinit=tinit, tfinal=tfinal, deltaT=delta,
                                total_step=total)
    recorder = Recorder(config, matrices)
    model = types.SimpleNamespace(peft_config={"default": config}, trainable_adapter_name="default", model=None,
                                  rankallocator=recorder)
    wanted = range(total + 3)
    if total > 100:  # around every turn, and some in between
        turns = {0, tinit, total - tfinal, total}
        wanted = sorted({s for t in turns for s in range(t - 3, t + 4) if s >= 0} | set(range(0, total, total // 97)) |
                        {s // delta * delta for s in range(0, total, total // 61)})
    out = []
    for step in wanted:
        recorder.done = [False, None, False]
        AdaLoraModel.update_and_allocate(model, step)
        out.append([step, *recorder.done])
    return out


def main():
    rows = [dict(zip(("matrices", "init_r", "target_r", "tinit", "tfinal", "deltaT", "total_step"), schedule),
                 steps=steps_of(schedule)) for schedule in SCHEDULES]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budget.golden.json")
    with open(path, "w", newline="\n") as file:
        file.write(json.dumps({"peft": peft.__version__, "schedules": rows}).replace('{"matrices"', '\n{"matrices"'))
        file.write("\n")


if __name__ == "__main__":
    main()
