#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command on damaged copies of a file: damage.py FILE [options] -- COMMAND with {} for the copy.

A cut file must be refused as malformed. A flipped bit must be refused, too, or change nothing that matters (spaces in a
header, one weight): the exit code says which, a signal or an internal error never does.
"""

import argparse
import random
import subprocess
import sys
from pathlib import Path

REFUSED = {2, 3, 4, 5}  # usage: what is read no longer fits to the rest


def run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode(errors="replace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--cuts", type=int, default=0, help="how many cut copies")
    parser.add_argument("--flips", type=int, default=0, help="how many copies with one bit changed")
    parser.add_argument("--in-place", action="store_true", help="damages the file itself, and restores it at the end")
    parser.add_argument("--strict", action="store_true", help="no changed bit may go unnoticed")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    whole = args.file.read_bytes()
    copy = args.file if args.in_place else args.file.with_name(f"damaged{args.file.suffix}")
    command = [word.replace("{}", str(copy)) for word in args.command]
    rng = random.Random(1)
    cuts = {0, 1, len(whole) - 1} | {rng.randrange(len(whole)) for _ in range(args.cuts - 3)}
    damages = [(f"cut to {size} of {len(whole)} bytes", whole[:size], whole[size:].isspace()) for size in sorted(cuts)]
    for _ in range(args.flips):
        at, bit = rng.randrange(len(whole)), rng.randrange(8)
        changed = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        damages.append((f"bit {bit} of byte {at} changed", changed, not args.strict))
    problems = []
    for what, data, may_pass in damages:
        copy.write_bytes(data)
        code, errors = run(command)
        if not (code in REFUSED and "error: " in errors or code == 0 and may_pass):
            problems.append(f"{what}: exit code {code}, {errors[-300:]!r}")
        # What a command that got through has written is not damage.
        args.file.write_bytes(whole)
    code, errors = run([word.replace("{}", str(args.file)) for word in args.command])
    if code != 0:
        problems.append(f"the whole file: exit code {code}, {errors!r}")
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
