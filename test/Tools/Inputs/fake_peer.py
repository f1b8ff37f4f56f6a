# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stands for a peer of bench/side_by_side.py: prints what it would print. Of its runs the middle figure is 100 tokens a
second in eager mode, 200 compiled."""

import json
import pathlib
import sys

arguments = " ".join(sys.argv[1:])
if "--model dynamicconv" in arguments and "compile" in arguments:
    sys.exit("no kernel for this")
runs = pathlib.Path(f"runs of {pathlib.Path(__file__).stem} {arguments.replace('/', ' ')}")
done = int(runs.read_text()) if runs.exists() else 0
runs.write_text(str(done + 1))
rate = (90.0, 300.0, 100.0)[done % 3] * (2 if "compile" in arguments else 1)
print("a line that is no JSON")
print(json.dumps({"tokens_per_s": rate, "peak_bytes": 1000}))
