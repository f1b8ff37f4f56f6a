#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks what CONTRIBUTING.md says of the form of sources, and reports every breach: lint.py [FILE...].

Licence line, lengths of lines, functions and files, no paths of one machine. Functions are found by the layout that
clang-format gives them: a definition begins at the margin of its namespace or class and ends at a brace there.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "bench", "cmake", "codegen", "dialect", "docs", "examples", "frontend", "passes", "runtime", "test",
           "tools")  # fmt: skip
CPP = {".cpp", ".h"}
SUFFIXES = CPP | {".td", ".inc", ".py", ".sh", ".cmake", ".toml"}
NAMES = {"CMakeLists.txt", "Makefile", "run"}
LINE, FUNCTION, FILE = 120, 60, 400
MACHINE_PATH = re.compile(r"(?<![\w.}$])/(?:home|root|work|Users)/\w")
SCOPE = re.compile(r"(?:template ?<.*> )?(?:class|struct|union|enum)\b[^(]*$")

Finding = tuple[int, str]


def cpp_functions(text: str, margin: str = "", line: int = 1) -> Iterator[tuple[int, int]]:
    """The first and last line of each function that begins at this margin, and of those in classes there."""
    # The lines of a head are neither empty nor the end of something else, and the last one opens the body.
    head = rf"^{margin}(?!namespace\b|extern \")(?=[\w~\[])((?:[^\n]*[^\n;{{}}]\n)*?[^\n]*)"
    for match in re.finditer(head + rf"{{\n(.*?)^{margin}}}", text, re.MULTILINE | re.DOTALL):
        first = line + text.count("\n", 0, match.start())
        if SCOPE.match(match[1]):
            yield from cpp_functions(match[2], margin + "  ", first + match[1].count("\n") + 1)
        elif "(" in match[1] and not match[1].endswith("= "):
            yield first, first + match[0].count("\n")


def python_functions(text: str) -> Iterator[tuple[int, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.end_lineno


def check_source(path: Path, text: str) -> Iterator[Finding]:
    lines = text.splitlines()
    if "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception" not in "\n".join(lines[:3]):
        yield 1, "expects an SPDX line"
    if len(lines) >= FILE:
        yield FILE, f"expects less than {FILE} lines, but the file has {len(lines)}"
    if path.suffix in CPP:
        for number, line in enumerate(lines, 1):
            if len(line) > LINE:
                yield number, f"expects at most {LINE} columns, but the line has {len(line)}"
    functions = {".py": python_functions, ".cpp": cpp_functions, ".h": cpp_functions}.get(path.suffix, lambda _: ())
    for first, last in functions(text):
        if last - first + 1 >= FUNCTION:
            yield first, f"expects less than {FUNCTION} lines, but the function has {last - first + 1}"


def check(path: Path) -> Iterator[Finding]:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    if path.suffix in SUFFIXES or path.name in NAMES:
        yield from check_source(path, text)
    for number, line in enumerate(text.splitlines(), 1):
        if match := MACHINE_PATH.search(line):
            yield number, f"expects no path of one machine, but got {match.group()}..."


def sources() -> list[Path]:
    """What git knows; in a copy without git, everything in the folders of the project."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    if not paths:
        paths = [path for path in ROOT.iterdir() if path.suffix in (".md", ".txt", ".json") or path.name in NAMES]
        for folder in FOLDERS:
            paths += [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(paths) > 100, f"expects the sources below {ROOT}, but found {len(paths)}"
    return sorted(paths)


def main() -> None:
    findings = [
        f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{number}: {message}"
        for path in ([Path(name) for name in sys.argv[1:]] or sources())
        for number, message in sorted(check(path))
    ]
    print("\n".join(findings), end="\n" if findings else "")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
