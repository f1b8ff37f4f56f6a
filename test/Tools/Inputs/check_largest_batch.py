#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles with a budget, and expects that the batch it names fits and the next one does not:
check_largest_batch.py BUDGET LENGTHS BIFOCAL compile ARGUMENT..., with LENGTHS such as S=8,T=8.

The --max-tokens that it names must hold for the batch of these lengths too.
"""

import re
import subprocess
import sys


def main() -> None:
    budget, lengths, command = sys.argv[1], sys.argv[2], sys.argv[3:]

    def compile_with(batch: int) -> subprocess.CompletedProcess:
        flags = ["--memory-budget", budget, "--shape", f"B={batch},{lengths}"]
        return subprocess.run([*command, *flags], capture_output=True, text=True, check=False)

    first = compile_with(1)
    found = re.search(r"the largest batch that fits with .* is B = (\d+), (\d+) tokens; --max-tokens (\d+)", first.stdout)
    if first.returncode != 0 or not found:
        sys.exit(f"expects a largest batch, but got exit code {first.returncode} and {first.stdout!r} {first.stderr!r}")
    batch, tokens, every = map(int, found.groups())
    longest = max(int(part.split("=")[1]) for part in lengths.split(","))
    if tokens != batch * longest or not 0 < every < (batch + 1) * longest:
        sys.exit(f"expects {batch * longest} tokens, and fewer at any length than in the next batch: {first.stdout!r}")
    if (fits := compile_with(batch)).returncode != 0:
        sys.exit(f"B = {batch} does not fit: {fits.stderr!r}")
    beyond = compile_with(batch + 1)
    if beyond.returncode != 6 or f"is B = {batch}," not in beyond.stderr:
        sys.exit(f"expects that B = {batch + 1} is above the budget, but got {beyond.returncode} and {beyond.stderr!r}")


if __name__ == "__main__":
    main()
