#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks which way dependencies point: check_includes.py ROOT. CONTRIBUTING.md says the rule."""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
COMPILER = ("mlir/", "mlir-c/", "llvm/", "llvm-c/", "torch/", "ATen/", "c10/", "caffe2/")
# What each folder of ours may include from the others.
ALLOWED = {
    "runtime": {"runtime"},
    "dialect": {"dialect"},
    "passes": {"passes", "dialect", "runtime/core"},
    "frontend": {"frontend", "dialect", "runtime/core"},
    "codegen": {"codegen", "passes", "dialect", "frontend", "runtime/core"},
    # It stands in for a GPU's driver.
    "codegen/emulator": {"codegen/emulator", "runtime/core", "runtime/cuda"},
}


def sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".h", ".cpp", ".inc")]


def main() -> None:
    root, problems, seen = Path(sys.argv[1]), [], 0
    for folder, allowed in ALLOWED.items():
        for path in sources(root / folder):
            # A folder with a rule of its own has that one alone.
            if any(path.is_relative_to(root / inner) for inner in ALLOWED if inner.startswith(f"{folder}/")):
                continue
            seen += 1
            for include in INCLUDE.findall(path.read_text()):
                if folder == "runtime" and include.startswith(COMPILER):
                    problems.append(f"{path}: the runtime is free of <{include}>")
                ours = (root / include.split("/")[0]).is_dir() and "/" in include
                if ours and not any(include.startswith(f"{prefix}/") for prefix in allowed):
                    problems.append(f"{path}: {folder}/ may not include {include}")
    assert seen > 100, f"expects the sources below {root}, but found {seen}"
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
