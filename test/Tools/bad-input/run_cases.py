#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gives bad input to `bifocal` and compares all that it says: run_cases.py [options] FIXTURES CASES...

A file of cases is to be read. Each case has a title, files, a command, its exit code, and its whole stderr:

    === a key that nobody knows
    --- m.toml
    [model]
    dropuot = 0.3
    $ bifocal compile m.toml
    exit 1
    m.toml:2:1: error: unknown key `dropuot` in [model]; did you mean `dropout`?
      dropuot = 0.3
      ^

`--- NAME = EXPRESSION` makes a file by an expression over the functions of makers.py; `stdin` is what the command reads.
In expectations `...` stands for any text of a line, and a line of only that for any lines. The command runs in a
copy of the folder FIXTURES. It must write nothing to stdout and leave no file behind. The last line is
`N passed, N failed`.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import makers

TIMEOUT = 60  # seconds


@dataclass
class Case:
    title: str
    files: list[tuple[str, str, str]] = field(default_factory=list)  # name, expression, text
    command: str = ""
    code: int = -1
    says: list[str] = field(default_factory=list)


def parse(path: Path) -> list[Case]:
    cases: list[Case] = []
    part = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("=== "):
            cases.append(Case(line[4:]))
            part = "title"
        elif not cases:
            continue  # what the file is about
        elif line.startswith("--- "):
            name, _, expression = line[4:].partition(" = ")
            cases[-1].files.append((name, expression, ""))
            part = "file"
        elif line.startswith("$ "):
            cases[-1].command = line[2:]
            part = "command"
        elif part == "command" and line.startswith("exit "):
            cases[-1].code = int(line[5:])
            part = "says"
        elif part == "file":
            name, expression, text = cases[-1].files[-1]
            cases[-1].files[-1] = (name, expression, text + line + "\n")
        elif part == "says":
            cases[-1].says.append(line)
        elif line:
            sys.exit(f"{path}:{number}: expects a file, a command or `exit N`, but got {line!r}")
    for case in cases:
        while case.says and not case.says[-1]:
            case.says.pop()
        case.files = [(name, expression, text.rstrip("\n") + "\n" if text else "") for name, expression, text in case.files]
    return cases


def matches(expected: list[str], got: list[str]) -> bool:
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def run(case: Case, fixtures: Path) -> tuple[list[str], int, list[str]]:
    """What is wrong, and the exit code and stderr that were seen."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        shutil.copytree(fixtures, folder)
        stdin = b""
        for file, expression, text in case.files:
            content = makers.make(expression, folder) if expression else text.encode()
            if file == "stdin":
                stdin = content
            else:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(content)
        before = {path.relative_to(folder) for path in folder.rglob("*")}
        with subprocess.Popen(
            case.command, shell=True, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output, errors = process.communicate(stdin, TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return [f"expects an end within {TIMEOUT} s"], -1, []
        left = {path.relative_to(folder) for path in folder.rglob("*")} - before
    said = errors.decode(errors="backslashreplace").splitlines()
    problems = []
    if process.returncode != case.code:
        problems.append(f"expects the exit code {case.code}, but got {process.returncode}")
    if not matches(case.says, said):
        problems += ["expects on stderr", *("  " + line for line in case.says), "but got", *("  " + line for line in said)]
    if output:
        problems.append(f"expects nothing on stdout, but got {output[:200]!r}")
    if left:
        problems.append(f"expects no new files, but got {', '.join(sorted(map(str, left)))}")
    return problems, process.returncode, said


def update(path: Path, cases: list[Case], results: list[tuple[list[str], int, list[str]]]) -> None:
    """Writes what was seen into the cases that failed. To be read, line by line, before it is trusted."""
    text = path.read_text()
    for case, (problems, code, said) in zip(cases, results, strict=True):
        if not problems:
            continue
        start = text.index(f"=== {case.title}\n")
        end = text.find("\n=== ", start)
        end = len(text) if end < 0 else end
        head = text[start : text.index(f"$ {case.command}\n", start)]
        body = f"{head}$ {case.command}\nexit {code}\n" + "".join(line + "\n" for line in said)
        text = text[:start] + body + text[end:]
    path.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fixtures", type=Path, help="folder that every case gets a copy of")
    parser.add_argument("cases", type=Path, nargs="+", help="files of cases")
    parser.add_argument("--programs", type=Path, help="folder of the programs to run; else they are found in PATH")
    parser.add_argument("--without", default="", metavar="VERB", help="for programs that lack this verb: leave out its cases")
    parser.add_argument("--update", action="store_true", help="write what was seen into the files of cases")
    args = parser.parse_args()
    if args.programs:
        os.environ["PATH"] = os.pathsep.join([str(args.programs.resolve(strict=True)), os.environ["PATH"]])
    passed = failed = 0
    for path in args.cases:
        cases = parse(path)
        titles = [case.title for case in cases]
        assert cases and len(set(titles)) == len(titles), f"{path}: expects cases with distinct titles"
        if args.without:
            cases = [case for case in cases if args.without not in case.command.split()]
            for case in cases:
                case.says = [line.replace(f"verbs {args.without}, ", "verbs ") for line in case.says]
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda case: run(case, args.fixtures), cases))
        for case, (problems, _, _) in zip(cases, results, strict=True):
            if problems:
                print(f"FAIL {path.name}: {case.title}", f"  $ {case.command}", *("  " + line for line in problems), sep="\n")
        bad = sum(bool(problems) for problems, _, _ in results)
        passed, failed = passed + len(cases) - bad, failed + bad
        print(f"{path.stem}: {len(cases) - bad} of {len(cases)}")
        if args.update:
            update(path, cases, results)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
