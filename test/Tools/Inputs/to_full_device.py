#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command whose stdout takes no byte; it must end with CODE and a reason: to_full_device.py CODE COMMAND..."""

import subprocess
import sys

with open("/dev/full", "w") as full:
    done = subprocess.run(sys.argv[2:], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
if done.returncode != int(sys.argv[1]) or "cannot write" not in done.stderr:
    sys.exit(f"expects the exit code {sys.argv[1]}, but got {done.returncode}; stderr: {done.stderr}")
