#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command that must fail in the documented way: fails.py CODE TEXT COMMAND...

Expects the exit code, TEXT somewhere in the diagnostics on stderr, and nothing on stdout, where only data goes. Stdin
is handed on.
"""

import subprocess
import sys


def main() -> None:
    code, text, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    done = subprocess.run(command, capture_output=True, check=False)
    errors = done.stderr.decode(errors="replace")
    problems = []
    if done.returncode != code:
        problems.append(f"expects the exit code {code}, but got {done.returncode}")
    if text not in errors:
        problems.append(f"expects {text!r} on stderr")
    if "error: " not in errors:
        problems.append("expects a diagnostic that begins with `error: `")
    if done.stdout:
        problems.append(f"expects nothing on stdout, but got {done.stdout[:200]!r}")
    if problems:
        sys.exit("\n".join(problems) + f"\nstderr:\n{errors}")


if __name__ == "__main__":
    main()
