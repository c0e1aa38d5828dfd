#!/usr/bin/env python3
"""The cases of gpu_attention through PyTorch's scaled_dot_product_attention.

Prints microseconds (median of CUDA graph replays) and causal TFLOP/s, forward
and backward, for the flash and the cuDNN back end. Needs a GPU and PyTorch.
"""
import statistics

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def graph_time(body, repeats, replays):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            body()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            body()
    times = []
    for i in range(replays + 3):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        if i >= 3:
            times.append(begin.elapsed_time(end) * 1000 / repeats)
    return statistics.median(times)


def case(name, batch, length, head_dim, heads, kv_heads, repeats):
    # Grouped heads as PyTorch's back ends take them: keys repeated outside the timing.
    q, k, v, dout = (torch.randn(batch, length, heads, head_dim, device="cuda", dtype=torch.bfloat16).transpose(1, 2)
                     for _ in range(4))
    flops = 2.0 * batch * length * length * heads * head_dim
    for label, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                leaves = [x.detach().requires_grad_() for x in (q, k, v)]
                forward = graph_time(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True), repeats, 9)

                def both():
                    out = F.scaled_dot_product_attention(*leaves, is_causal=True)
                    torch.autograd.grad(out, leaves, dout)
                backward = graph_time(both, repeats, 9) - forward
            print(f"{name:22s} {label} forward {forward:9.2f} us {flops / forward * 1e-6:6.1f} TFLOP/s, "
                  f"backward {backward:9.2f} us {2.5 * flops / backward * 1e-6:6.1f} TFLOP/s", flush=True)
        except Exception as error:  # a back end that refuses the case
            print(f"{name:22s} {label} refused: {str(error).splitlines()[0][:80]}")


if __name__ == "__main__":
    case("8 x 12 (padded)", 8, 12, 128, 32, 8, 50)
    case("4 x 2048", 4, 2048, 128, 32, 8, 3)
    case("1 x 8192", 1, 8192, 128, 32, 8, 2)
    case("d64 4 x 2048", 4, 2048, 64, 32, 8, 3)
