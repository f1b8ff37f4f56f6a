#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs bench-kernels on small cases of every op: check_kernels.py OPTION...

Expects that all results agree with PyTorch's (else the program ends with 8), and that the rows fit themselves.
"""

import json
import subprocess
import sys

FAMILIES = {"light_conv", "dynamic_conv", "layer_norm", "projected_cross_entropy", "causal_attention",
            "padded_attention", "span_attention", "long_attention", "diff_attention"}  # fmt: skip


def check(row: dict) -> None:
    assert abs(row["ratio"] - row["peer"] / row["ours"]) < 0.01 * row["ratio"], row
    for side in ("ours", "peer"):
        low, high = row[side + "_range"]
        assert 0 < low <= row[side] <= high, row
    # The best formulation is the one that ours is compared with.
    assert row["all"][row["against"]] == row["peer"] == min(row["all"].values()), row
    assert len(row["all"]) + len(row.get("slow", {})) >= 2, row
    assert row["rounds"] >= 2 and row["roofline"] > 0 and row["peak_gflop_per_s"] > 0, row
    # Both sides draw their own masks of dropout; everything else is compared, and never equal in all bits.
    assert (row["op"] == "layer_norm") == (row["difference"] == 0), row
    assert row["name"].startswith(f"{row['op']} {row['direction']} "), row


def main() -> None:
    done = subprocess.run(["bench-kernels", "--json", *sys.argv[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["op"] for row in rows} == FAMILIES, sorted({row["op"] for row in rows})
    for row in rows:
        check(row)
    met = sum(row["ratio"] >= row["goal"] for row in rows)
    roofs = sum(row["roofline"] >= row["roofline_goal"] for row in rows)
    expected = f"goals met: {met} of {len(rows)} beside PyTorch, {roofs} of {len(rows)} at 60 % of the roofline\n"
    assert done.stderr == expected, (done.stderr, expected)


if __name__ == "__main__":
    main()
