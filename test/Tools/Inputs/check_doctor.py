#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what `bifocal doctor --json` found with what the system says: check_doctor.py JSON."""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text())
    checks = {check["name"]: check for check in report["checks"]}
    assert len(checks) == len(report["checks"]) > 8, "distinct names"
    assert report["ok"] == all(check["state"] != "fail" for check in checks.values())
    for check in checks.values():
        assert check["state"] in ("ok", "warn", "fail"), check
        assert bool(check["advice"]) == (check["state"] != "ok"), check
    assert f", {len(os.sched_getaffinity(0))} of " in checks["cpu"]["found"], checks["cpu"]
    flags = Path("/proc/cpuinfo").read_text().split("flags")[1].splitlines()[0].split()
    assert ("x86-64-v4" in checks["kernels"]["found"]) == ("avx512vl" in flags), checks["kernels"]
    dots = {"avx512vl", "avx512_bf16", "avx512_vnni"} <= set(flags)
    assert ("x86-64-v4-dot" in checks["kernels"]["found"]) == dots, checks["kernels"]
    assert ("amx_tile" in checks["vectors"]["found"]) == ("amx_tile" in flags), checks["vectors"]
    total = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) / (1 << 20)
    assert f"of {total:.1f} GiB" in checks["memory"]["found"], checks["memory"]


if __name__ == "__main__":
    main()
