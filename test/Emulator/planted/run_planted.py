#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plants bugs in kernels, one at a time, and checks that the emulator finds and locates each: run_planted.py KERNELS CASES.

A case names a kernel of the folder KERNELS, how it is launched, an edit, and what must be found where:

    === no barrier between writing and the tree
    kernel block-reduce.mlir
    launch --grid 16 --block 256 --arg x=f32[4096]:random --arg y=f32[16]
    delete 1 gpu.barrier
    finds race
    at %other = memref.load

`delete N TEXT` and `replace N TEXT => TEXT` change occurrence N of a text; `finds` is the kind of a finding and `at` a
part of the source line that it names (several kinds: any order). `result` in place of both: nothing is found, but the
numbers are others than without the bug. The kernel without the bug must be clean, and give the same bits under all
schedules. The last line is `N passed, N failed`.
"""

import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Case:
    title: str
    kernel: str = ""
    launch: list[str] = field(default_factory=list)
    edits: list[tuple[int, str, str]] = field(default_factory=list)
    finds: str = ""
    at: str = ""
    result: bool = False


def parse(path: Path) -> list[Case]:
    cases: list[Case] = []
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "===":
            cases.append(Case(rest))
        elif word == "kernel":
            cases[-1].kernel = rest
        elif word == "launch":
            cases[-1].launch = rest.split()
        elif word in ("delete", "replace"):
            number, _, text = rest.partition(" ")
            old, _, new = text.partition(" => ")
            cases[-1].edits.append((int(number), old, new))
        elif word == "finds":
            cases[-1].finds = rest
        elif word == "at":
            cases[-1].at = rest
        elif word == "result":
            cases[-1].result = True
    return cases


def edited(text: str, edits: list[tuple[int, str, str]]) -> str:
    for number, old, new in edits:
        place = -1
        for _ in range(number):
            place = text.index(old, place + 1)
        text = text[:place] + new + text[place + len(old) :]
    return text


def emulate(source: str, launch: list[str], folder: Path) -> tuple[int, str, str]:
    """The exit code, what was printed, and what was said."""
    path = folder / "kernel.mlir"
    path.write_text(source)
    lowered = subprocess.run(["bifocal-kernel", str(path), "--emit=llvm"], capture_output=True, text=True, check=False)
    if lowered.returncode != 0:
        return lowered.returncode, "", lowered.stderr
    done = subprocess.run(["bifocal-emulate", "-", *launch], input=lowered.stdout, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def missing(case: Case, source: str, output: str) -> str:
    """What the findings lack; empty if the bug was found where it is."""
    seen = []
    for block in re.split(r"\n(?=\S)", output):
        kind = block.split(" ", 1)[0]
        lines = [source.splitlines()[int(number) - 1].strip() for number in re.findall(r"kernel\.mlir:(\d+):", block)]
        if kind == case.finds and any(case.at in line for line in lines):
            return ""
        seen.append(f"{kind} at {lines}")
    return f"expects {case.finds} at '{case.at}', but found {seen or 'nothing'}"


def run(case: Case, kernels: Path) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean = (kernels / case.kernel).read_text()
        code, good, said = emulate(clean, case.launch, folder)
        if code != 0:
            return f"without the bug: exit code {code}\n{good}{said}"
        try:
            source = edited(clean, case.edits)
        except ValueError:
            return "the kernel does not have the text that is to be changed"
        code, output, said = emulate(source, case.launch, folder)
        if case.result:
            return "" if code == 0 and output != good else f"expects other numbers, but got exit code {code}\n{said}"
        if code not in (1, 9):
            return f"expects findings, but got exit code {code}\n{output}{said}"
        return missing(case, source, output)


def main() -> None:
    kernels, path = Path(sys.argv[1]), Path(sys.argv[2])
    cases = parse(path)
    assert len(cases) >= 25, "expects at least 25 planted bugs"
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: run(case, kernels), cases))
    for case, problem in zip(cases, results, strict=True):
        if problem:
            print(f"FAIL {case.title}", *("  " + line for line in problem.splitlines()), sep="\n")
    failed = sum(map(bool, results))
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
