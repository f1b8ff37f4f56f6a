#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that gpu-check.sh times: their IR (`ir`), and PyTorch's ways to write the same, timed (`peers`)."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from typing import Any

BATCH, STEPS, CHANNELS, HEADS = 32, 1024, 1024, 16
WIDTHS = (3, 7, 15, 31, 63)
ROWS = f"tensor<?x?x{CHANNELS}xbf16>"


def function(name: str, arguments: list[tuple[str, str, str]], body: str, results: list[tuple[str, str]]) -> str:
    """An entry point; arguments are (name, type, dims)."""
    given = ", ".join(
        f'%{what}: {kind} {{bifocal.name = "{what}", bifocal.dims = [{dims}]}}' for what, kind, dims in arguments
    )
    types = ", ".join(f'{kind} {{bifocal.name = "{what}"}}' for what, kind in results)
    values, kinds = ", ".join(f"%{what}" for what, _ in results), ", ".join(kind for _, kind in results)
    return f"func.func @{name}({given}) -> ({types}) {{\n  {body}\n  return {values} : {kinds}\n}}\n"


def convolutions(width: int) -> Iterator[str]:
    rows = '"B", "T", ""'
    for dynamic in (False, True):
        family = "dynamic_conv" if dynamic else "light_conv"
        taps = f"tensor<?x?x{HEADS * width}xbf16>" if dynamic else f"tensor<{HEADS}x1x{width}xf32>"
        filters = ("taps", taps, rows if dynamic else '"", "", ""')
        heads = f"heads = {HEADS} : i64, " if dynamic else ""
        options = f"normalized {{{heads}left_padding = {width - 1} : i64}}"
        x, name = ("x", ROWS, rows), f"{family}_{width}"
        forward = f"%y = bifocal.{family} %x, %taps {options} : ({ROWS}, {taps}) -> {ROWS}"
        yield function(name, [x, filters], forward, [("y", ROWS)])
        operands, results = f"({ROWS}, {ROWS}, {taps})", f"({ROWS}, {taps})"
        backward = f"%dx, %dtaps = bifocal.{family}_grad %g, %x, %taps {options} : {operands} -> {results}"
        yield function(f"{name}_backward", [("g", ROWS, rows), x, filters], backward, [("dx", ROWS), ("dtaps", taps)])


def attention() -> Iterator[str]:
    rows, sums = '"B", "T", ""', f"tensor<?x{HEADS}x?xf32>"
    options = f"causal {{heads = {HEADS} : i64, scale = 0.125 : f32}}"
    given = [(name, ROWS, rows) for name in "qkv"]
    yield function("attention", given, f"%y, %lse = bifocal.attention %q, %k, %v {options} : "
                   f"({ROWS}, {ROWS}, {ROWS}) -> ({ROWS}, {sums})", [("y", ROWS), ("lse", sums)])  # fmt: skip
    yield function(
        "attention_backward", [("g", ROWS, rows), *given, ("y", ROWS, rows), ("lse", sums, '"B", "", "T"')],
        f"%dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %lse {options} : "
        f"({', '.join([ROWS] * 5)}, {sums}) -> ({', '.join([ROWS] * 3)})",
        [("dq", ROWS), ("dk", ROWS), ("dv", ROWS)])  # fmt: skip


def ir() -> str:
    return "".join([*(text for width in WIDTHS for text in convolutions(width)), *attention()])


def milliseconds(call: Callable[[], Any]) -> float:
    """Median time of a call on the GPU."""
    import torch

    for _ in range(3):
        call()
    times = []
    for _ in range(10):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def both(call: Callable[..., Any], arguments: list[Any]) -> tuple[float, float]:
    """Milliseconds of the value, and of the gradients alone where the value is kept."""
    import torch

    with torch.no_grad():
        forward = milliseconds(lambda: call(*arguments))
    y = call(*arguments)
    grad, leaves = torch.randn_like(y), [argument for argument in arguments if argument.requires_grad]
    return forward, milliseconds(lambda: torch.autograd.grad(y, leaves, grad, retain_graph=True))


def copy_bandwidth() -> float:
    """GB/s of a copy on the GPU, bytes read and written."""
    import torch

    source = torch.randn(1 << 28, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / milliseconds(lambda: target.copy_(source)) / 1e6


def peers(folder: str) -> None:
    """One line of JSON per op and direction."""
    sys.path.insert(0, folder)
    import ops  # type: ignore[import-not-found]
    import torch

    def say(name: str, times: dict[str, float]) -> None:
        if not times:
            return
        best = min(times, key=lambda key: times[key])
        all_times = {key: value * 1e3 for key, value in times.items()}
        print(json.dumps({"entry": name, "us": all_times[best], "best": best, "all_us": all_times}), flush=True)

    def contest(name: str, formulations: dict[str, Callable[..., Any]], arguments: list[Any]) -> None:
        forward, backward = {}, {}
        for key, call in formulations.items():
            try:
                forward[key], backward[key] = both(call, arguments)
            except RuntimeError as error:
                print(f"{name} {key}: {error}"[:200], file=sys.stderr)
        say(name, forward)
        say(f"{name}_backward", backward)

    def tensor(*shape: int, dtype: Any = torch.bfloat16) -> Any:
        return torch.randn(shape, device="cuda", dtype=dtype, requires_grad=True)

    print(json.dumps({"copy_gb_per_s": copy_bandwidth()}), flush=True)
    x = tensor(BATCH, STEPS, CHANNELS)
    for width in WIDTHS:
        taps = tensor(HEADS, width, dtype=torch.float32)
        light = {
            key: lambda x, w, f=f, width=width: f(x, w.softmax(-1).to(x.dtype), width - 1)
            for key, f in ops.LIGHT_CONV.items()
            if key != "shifts" or width <= 15
        }
        contest(f"light_conv_{width}", light, [x, taps])
        rows = tensor(BATCH, STEPS, HEADS, width)
        dynamic = {
            key: lambda x, w, f=f, width=width: f(x, w.softmax(-1), width - 1)
            for key, f in ops.DYNAMIC_CONV.items()
            if key != "shifts" or width <= 15
        }
        contest(f"dynamic_conv_{width}", dynamic, [x, rows])
    heads = [tensor(BATCH, HEADS, STEPS, CHANNELS // HEADS) for _ in range(3)]
    contest("attention", {"sdpa": ops.attention_sdpa}, heads)


def main() -> int:
    if sys.argv[1:] == ["ir"]:
        print(ir(), end="")
    elif len(sys.argv) == 3 and sys.argv[1] == "peers":
        peers(sys.argv[2])
    else:
        print("usage: gpu_kernels.py ir | peers FOLDER", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
