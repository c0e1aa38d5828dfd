#!/bin/sh
# What a program exchanges, one line each, with short names: layer.module.factor.
grep -oE "func.func @[a-z_0-9]+|shard.(all_reduce|all_gather|reduce_scatter) .*grid_axes = .*: tensor<[^>]*>|llm.reduce_gradients .*|llm.optimizer_step" |
  sed -E 's/%[a-z_0-9]+ on @grid //; s/ ->.*//; s/"model.layers.([0-9]).(self_attn|mlp).([a-z]+)_proj.lora_(.).weight"/\1.\3.\4/g; s/"score.weight"/score/g; s/llm.optimizer_step.*/llm.optimizer_step/'
