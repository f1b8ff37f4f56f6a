#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every test of a build and adds them up: lit, the GoogleTest programs, the golden files, the fuzz programs.

The last line is `N passed, N failed`, the ones before say how many were skipped and name what failed; the exit status is 0 when nothing
failed and something passed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1500  # seconds that a GoogleTest program may take
LIT_OUTCOMES = {
    "PASS": "passed", "XFAIL": "passed", "FLAKYPASS": "passed", "UNSUPPORTED": "skipped", "SKIPPED": "skipped", "EXCLUDED": "",
}  # fmt: skip


@dataclass
class Totals:
    """What came of tests: how many passed, failed and were skipped, and of those that failed the names and last words."""

    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Totals) -> None:
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures


def with_end(name: str, output: str, lines: int = 8) -> str:
    """The name of a failed test, and the end of what it printed."""
    said = [line for line in output.splitlines() if line.strip("- ")]
    return "\n  ".join([name, *said[-lines:]])


def announce(text: str) -> None:
    print(f"== {text}", flush=True)


def run_lit(build: Path, totals: Totals) -> None:
    """The lit suite, through the target's own configuration."""
    lit = Path("/usr/lib/llvm-19/build/utils/lit/lit.py")
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "lit.json"
        command = [sys.executable, str(lit), "-q", "-j2", "--output", str(results), str(build / "test")]
        subprocess.run(command, check=False)
        if not results.exists():
            print("the lit suite wrote no results")
            totals.failures.append("lit")
            return
        tests = json.loads(results.read_text())["tests"]
        if not tests:
            print("the lit suite has no tests")
            totals.failures.append("lit")
        for test in tests:
            outcome = LIT_OUTCOMES.get(test["code"], "failed")
            totals.passed += outcome == "passed"
            totals.skipped += outcome == "skipped"
            if outcome == "failed":
                totals.failures.append(with_end(test["name"], test["output"]))


def run_gtest(program: Path) -> tuple[str, Totals]:
    """One GoogleTest program: what it said, and its tests; a crash counts as a failure of its own."""
    begin = time.monotonic()
    said, totals = run_gtest_program(program)
    return f"{said.rstrip()}\n{program.name} took {time.monotonic() - begin:.0f} s", totals


def run_gtest_program(program: Path) -> tuple[str, Totals]:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [str(program), "--gtest_brief=1", f"--gtest_output=json:{results}"]
        try:
            done = subprocess.run(
                command, cwd=ROOT, check=False, timeout=LIMIT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except subprocess.TimeoutExpired:
            return f"{program.name} took longer than {LIMIT} s", Totals(failures=[program.name])
        said = done.stdout
        if not results.exists():
            return f"{said}{program.name} ended with {done.returncode} and wrote no results", Totals(failures=[program.name])
        report = json.loads(results.read_text())
    totals = Totals()
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            failed, ran = "failures" in test, test["result"] == "COMPLETED"
            totals.passed += ran and not failed
            totals.skipped += not ran and not failed
            if failed:
                name = f"{program.name} {suite['name']}.{test['name']}"
                totals.failures.append(with_end(name, test["failures"][0]["failure"]))
    if done.returncode != 0 and not totals.failures:
        said += f"{program.name} ended with {done.returncode} after its last test"
        totals.failures.append(program.name)
    return said, totals


def run_unit(build: Path, totals: Totals) -> None:
    """Two programs at a time: most keep one core busy."""
    if not (build / "bin" / "op-test").exists():
        print("skipped: op-test and reference-test compare with LibTorch, which this build has not")
        totals.skipped += 2
    programs = sorted((build / "bin").glob("*-test"))
    with ThreadPoolExecutor(2) as pool:
        for program, (said, counts) in zip(programs, pool.map(run_gtest, programs), strict=True):
            announce(program.name)
            print(said.rstrip(), flush=True)
            totals.add(counts)


def compare_golden(program: Path, folder: Path, device: str) -> tuple[str, Totals]:
    done = subprocess.run([str(program), str(folder), f"--device={device}"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    summary = re.search(r"(\d+) passed, (\d+) failed", lines[-1] if lines else "")
    if not summary:
        problem = f"bifocal-golden ended with {done.returncode} and without a summary\n{done.stderr[-2000:]}"
        return problem, Totals(failures=[f"bifocal-golden {device}"])
    place = f"bifocal-golden {device} {folder.name}"
    failures = [f"{place}: {line}" for line in lines if line.startswith("fail ")]
    if done.returncode != 0 and not failures:
        failures = [f"{place} ended with {done.returncode}: {lines[-1]}"]
    return "\n".join([*failures, f"{device}: {lines[-1]}"]), Totals(int(summary[1]), failures=failures)


def run_golden(build: Path, shared: Path, totals: Totals) -> None:
    """The published tensors: the small copy in the tree always, on the emulated GPU too; the whole set where it is there."""
    program = build / "bin" / "bifocal-golden"
    if not program.exists():
        print("skipped: bifocal-golden is not part of this build")
        totals.skipped += 1
        return
    small, whole = ROOT / "test" / "Golden", shared / "golden"
    runs = [(program, small, "cuda-emu"), (program, small, "cpu")]
    if whole.is_dir():
        runs.append((program, whole, "cpu"))
    else:
        print(f"skipped: {whole.name} is not on this machine")
        totals.skipped += 1
    with ThreadPoolExecutor(2) as pool:
        for said, counts in pool.map(lambda run: compare_golden(*run), runs):
            print(said)
            totals.add(counts)


def fuzz(program: Path, seconds: int, seed: int) -> list[str]:
    """The seeds of a loader, which every finding joins, and then new input; returns what went wrong."""
    seeds = ROOT / "test" / "Fuzz" / "corpus" / program.name.removesuffix("-fuzz")
    findings = program.parent.parent / "findings"
    findings.mkdir(exist_ok=True)
    limits = [f"-seed={seed}", "-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256", "-max_len=8192",
              f"-artifact_prefix={findings}/{program.name}-"]  # fmt: skip
    problems = []
    with tempfile.TemporaryDirectory() as found:
        for what, options in {
            "its seeds": ["-runs=0", str(seeds)],
            f"{seconds} s": [f"-max_total_time={seconds}", found, str(seeds)],
        }.items():
            done = subprocess.run([str(program), *limits, *options], cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                said = "\n".join(done.stderr.splitlines()[-60:])
                problems.append(f"{program.name}: {what} ended with {done.returncode}; input in {findings}\n{said}")
    return problems


def run_fuzzers(build: Path, seconds: int, seed: int, totals: Totals) -> None:
    """Two programs at a time; each counts twice, for its seeds and for what it makes of them."""
    programs = sorted((build / "bin").glob("*-fuzz"))
    sources = sorted((ROOT / "test" / "Fuzz").glob("?*Fuzz.cpp"))
    if len(programs) != len(sources):
        print(f"expects {len(sources)} fuzz programs in {build}, but found {len(programs)}: install what "
              "tools/ci/install-dependencies.sh lists, then cmake --preset sanitized && cmake --build --preset sanitized")  # fmt: skip
        totals.failures.append("fuzz programs")
    with ThreadPoolExecutor(2) as pool:
        for problems in pool.map(lambda program: fuzz(program, seconds, seed), programs):
            totals.passed += 2 - len(problems)
            for problem in problems:
                print(problem)
                totals.failures.append(problem.splitlines()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"), help="the build folder")
    parser.add_argument("--fuzz-build", type=Path, default=Path("build-sanitized"), help="the build folder of the fuzz programs")
    parser.add_argument("--fuzz-seconds", type=int, default=30, help="how long each fuzz program looks for new input")
    # A test is red for what its change did: one seed tries the same input every time. New input is for whoever looks for it.
    parser.add_argument("--fuzz-seed", type=int, default=1, help="another number finds other input, 0 what no run found before")
    parser.add_argument("--only", choices=("lit", "unit", "golden", "fuzz"), help="one kind of tests")
    args = parser.parse_args()
    build = args.build.resolve()
    shared = Path(os.environ.get("BIFOCAL_SHARED", ROOT.parent / "shared"))
    totals = Totals()
    begin = time.monotonic()
    # Threads that wait leave their core: other programs may need it, and no result depends on it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["BIFOCAL_CACHE_DIR"] = ""  # a test compiles what it says
    if args.only in (None, "lit"):
        announce("lit")
        run_lit(build, totals)
    if args.only in (None, "unit"):
        run_unit(build, totals)
    if args.only in (None, "golden"):
        announce("golden files")
        run_golden(build, shared, totals)
    if args.only in (None, "fuzz"):
        announce("fuzz programs")
        run_fuzzers(args.fuzz_build.resolve(), args.fuzz_seconds, args.fuzz_seed, totals)
    # The end of a log is what a reader has at hand.
    for failure in totals.failures:
        print(f"failed: {failure}")
    print(f"{totals.skipped} skipped, {time.monotonic() - begin:.0f} s")
    print(f"{totals.passed} passed, {len(totals.failures)} failed")
    return 0 if totals.passed > 0 and not totals.failures else 1


if __name__ == "__main__":
    sys.exit(main())
