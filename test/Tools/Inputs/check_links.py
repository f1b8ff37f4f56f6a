#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks relative links, and the paths in backticks, of the documents: check_links.py ROOT.

Every folder of sources has a README of at most 15 lines."""

import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FOLDERS = ("bench", "codegen", "dialect", "examples", "frontend", "passes", "runtime", "test", "tools")
# A path below one of our folders, without placeholders: `runtime/core/Artifact.cpp`, `test/Golden`.
FILE = re.compile(rf"(?:cmake|docs|{'|'.join(FOLDERS)})(?:/[\w.-]+)+/?")


def anchors(text: str) -> set[str]:
    """The names that a heading gets: lower case, spaces as dashes, punctuation dropped."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def problems_of(path: Path, root: Path) -> list[str]:
    problems, text = [], FENCE.sub("", path.read_text())
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            problems.append(f"{path}: the link to {link} leads nowhere")
        elif anchor and anchor not in anchors(target.read_text()):
            problems.append(f"{path}: {target.name} has no heading #{anchor}")
    for code in CODE.findall(text):
        if FILE.fullmatch(code) and not (root / code).exists():
            problems.append(f"{path}: `{code}` is not there")
    return problems


def main() -> None:
    root = Path(sys.argv[1])
    readmes = [root / folder / "README.md" for folder in FOLDERS]
    documents = [root / name for name in ("README.md", "CONTRIBUTING.md", "test/Golden/README.md")]
    documents += [*readmes, *sorted((root / "docs").glob("*.md"))]
    missing = [path for path in documents if not path.exists()]
    problems = [f"{path} is not there" for path in missing]
    problems += [problem for path in documents if path not in missing for problem in problems_of(path, root)]
    for path in readmes:
        if path not in missing and (lines := len(path.read_text().splitlines())) > 15:
            problems.append(f"{path}: expects at most 15 lines, but has {lines}")
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
