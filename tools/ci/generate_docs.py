#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes docs/Dialect.md, docs/Plan.md, docs/Tile.md and docs/Passes.md from the .td files; with --check only says which are out of date.

The text is that of mlir-tblgen. What is done to it: ops and passes stand in the order of their definitions, by family and
by phase; tables are Markdown; indented code and lists have the blank lines that Markdown needs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTICE = "<!-- Generated from {source} by tools/ci/generate_docs.py. Change these, not this page. -->"

DIALECT_INTRO = """\
# The `bifocal` dialect

What the layers of a sequence model compute, as ops on ranked tensors. [Plan.md](Plan.md) has the dialect of what the machine does,
[Architecture.md](Architecture.md) says which phase of a compilation uses which. "Any float" is f32, bf16 or f16. The constraints (C1), (C2), ... are
what the verifier asks for; the functions of `test/Dialect` break them one by one.
"""
PLAN_INTRO = """\
# The `plan` dialect

What the machine does, as the phase `schedule` writes it and the phase `kernels` reads it. [Artifact.md](Artifact.md) has the form that it takes in an artifact.
"""
TILE_INTRO = """\
# The `tile` dialect

What kernels for tensor cores are written in, between the generators of `codegen/cuda` and the threads of a warp.
"""
PASSES_INTRO = """\
# Passes

Each phase is a pipeline, `bifocal-opt --bifocal-<phase>`, which begins with the check of its contract; [Architecture.md](Architecture.md) says what goes in and what
comes out, `passes/Pipelines.cpp` has the lists. The passes of the phase `kernels`, `bifocal-generate-cpu-kernels{levels=...}` and `bifocal-generate-cuda-kernels{architectures=...}`, are declared in
`codegen/cpu/CpuKernels.h` and `codegen/cuda/CudaKernels.h`. From there kernels for GPUs take the way of `bifocal-lower-cuda-kernels{index-bits=...}`, which `codegen/cuda/CudaLowering.cpp` lists.
"""


def tblgen(program: str, action: str, source: str) -> str:
    include = Path(program).resolve().parent.parent / "include"
    command = [program, action, f"-I{ROOT}", f"-I{include}", str(ROOT / source)]
    if action == "-gen-dialect-doc":
        command.append(f"-dialect={Path(source).parent.name}")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def blocks(text: str, level: int) -> dict[str, str]:
    """The sections of `text` below headings of `level`, by the first word in backticks of the heading, else the heading."""
    found = {}
    for part in re.split(rf"^#{{{level}}} ", text, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        name = re.match(r"`-?([^`]+)`", heading)
        found[name[1] if name else heading] = body
    return found


def spaced(text: str) -> str:
    """Blank lines around code and before lists, which else would go on with the paragraph; never two of them."""
    lines, fenced, before = [], False, ""
    for line in text.splitlines():
        fence = line.startswith("```")
        prose_before = bool(before) and not before.startswith((" ", "- ", "|", "```"))
        begins_code = line.startswith("    ") and prose_before
        ends_code = bool(line) and not line.startswith("    ") and before.startswith("    ")
        begins_list = line.startswith("- ") and prose_before
        if not fenced and (begins_code or ends_code or begins_list or fence and before):
            lines.append("")
        if fenced or line or before:
            lines.append(line)
        fenced, before = fenced != fence, line
    return "\n".join(lines).strip() + "\n"


def attribute_table(match: re.Match[str]) -> str:
    rows = re.findall(r"<tr><td><code>(\w+)</code></td><td>[\w:]+</td><td>([^|]*?)</td></tr>", match[0])
    assert len(rows) == match[0].count("<code>"), match[0]
    return "| Attribute | Description |\n| --- | --- |\n" + "".join(f"| `{name}` | {what} |\n" for name, what in rows)


def tidy_traits(text: str) -> str:
    """`Pure` for what it stands for, and effects without the C++ around them."""
    pure = "`NoMemoryEffect (MemoryEffectOpInterface)`"
    traits = re.search(r"^Traits: (.*)$", text, re.M)
    if pure in text and traits:
        text = text.replace("`AlwaysSpeculatableImplTrait`", "`Pure`")
        text = re.sub(r"`ConditionallySpeculatable`(, )?", "", text).replace(f"{pure}, ", "").replace(f", {pure}", "")
        text = re.sub(rf"^Interfaces: ({re.escape(pure)})?$", "", text, flags=re.M)
    text = text.replace("`MemoryEffectOpInterface (MemoryEffectOpInterface)`", "`MemoryEffectOpInterface`")
    text = re.sub(r"^Effects: `MemoryEffects::Effect\{\}`$", "", text, flags=re.M)
    return re.sub(r"^Effects: `MemoryEffects::Effect\{MemoryEffects::(\w+) on .*$", r"Effects: `\1`", text, flags=re.M)


def tidy(text: str) -> str:
    """The body of an op, a type, an enum or a pass."""
    # The first letter was made upper case, of names of ops too.
    text = re.sub(r"\A\s*_([A-Z])(?=[a-z]*_)", lambda name: f"\n_{name[1].lower()}", text)
    text = re.sub(r"^<table>.*?^</table>\n", attribute_table, text, flags=re.S | re.M)
    text = re.sub(r"^#### (Attributes|Operands|Results|Cases):\n", "", text, flags=re.M)
    text = re.sub(r"^(\| `\w+` \| [^|\n]+)$", r"\1 |", text, flags=re.M)
    text = re.sub(r"^\| (\w+) \| Description \|\n\| :-+: \| -+ \|$", r"| \1 | Description |\n| --- | --- |", text, flags=re.M)
    text = re.sub(r"^#### Options\n```\n(.*?)```\n", tidy_options, text, flags=re.S | re.M)
    return spaced(tidy_traits(text))


def tidy_options(match: re.Match[str]) -> str:
    return "\nOptions:\n" + re.sub(r"^-(\S+) *: ", r"- `\1`: ", match[1], flags=re.M)


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(names: list[str]) -> str:
    return ", ".join(f"[`{name}`](#{anchor(name)})" for name in names)


def contents(groups: dict[str, list[str]]) -> str:
    return "".join(f"- [{group}](#{anchor(group)}): {links(names)}\n" for group, names in groups.items())


def sections(groups: dict[str, list[str]], bodies: dict[str, str]) -> list[str]:
    listed = [name for names in groups.values() for name in names]
    assert sorted(listed) == sorted(bodies), f"only in one of two lists: {set(listed) ^ set(bodies)}"
    parts = []
    for group, names in groups.items():
        parts.append(f"## {group}\n")
        parts += [f"### `{name}`\n\n{tidy(bodies[name])}" for name in names]
    return parts


def definitions(source: str, dialect: str) -> list[str]:
    names = re.findall(r'^def \w+Op : \w+<"(\w+)"', (ROOT / source).read_text(), re.M)
    return [f"{dialect}.{name}" for name in names]


def rest_of_dialect(text: str) -> list[str]:
    """Types and enums."""
    parts = []
    for title, body in blocks(text, 2).items():
        if title in ("Types", "Enums"):
            parts.append(f"## {title}\n")
            parts += [f"### {name}\n\n{tidy(inner)}" for name, inner in blocks(body, 3).items()]
    return parts


def interfaces(program: str) -> list[str]:
    text = tblgen(program, "-gen-op-interface-docs", "dialect/bifocal/BifocalInterfaces.td")
    # The note stands at methods with a default as well.
    text = re.sub(r"^NOTE: This method \*must\* be implemented.*\n", "", text, flags=re.M).replace("### Methods:\n", "")
    parts = ["## Interfaces\n\nHow passes ask an op for gradients, fusion, cost and shapes without knowing it.\n"]
    for name, body in blocks(text, 2).items():
        body = re.sub(r"^#### .*\n", "", body, flags=re.M).replace("```\n", "```\n\n").replace("```c++\n\n", "```c++\n")
        parts.append(f"### `{name.split(' ')[0]}`\n\n{spaced(body)}")
    return parts


def page(source: str, parts: list[str]) -> str:
    return "\n".join([NOTICE.format(source=source) + "\n", *parts])


def dialect_page(program: str) -> str:
    text = tblgen(program, "-gen-dialect-doc", "dialect/bifocal/BifocalOps.td")
    listed = (ROOT / "dialect/bifocal/BifocalOps.td").read_text()
    groups = {f"{stem} ops": definitions(f"dialect/bifocal/{stem}Ops.td", "bifocal")
              for stem in re.findall(r'include "dialect/bifocal/(\w+)Ops\.td"', listed)}  # fmt: skip
    bodies = blocks(blocks(text, 2)["Operations"], 3)
    parts = [DIALECT_INTRO, contents(groups), *sections(groups, bodies), *rest_of_dialect(text)]
    return page("dialect/bifocal/*.td", parts + interfaces(program))


def small_dialect_page(program: str, name: str, introduction: str) -> str:
    """A dialect of one file."""
    source = f"dialect/{name}/{name.capitalize()}Ops.td"
    text = tblgen(program, "-gen-dialect-doc", source)
    # Between the summary and the list of ops stands the description.
    description = text.partition("[TOC]")[0].split("\n", 3)[3].partition("\n")[2]
    groups = {"Ops": definitions(source, name)}
    bodies = blocks(blocks(text, 2)["Operations"], 3)
    parts = [introduction, spaced(description), contents(groups)]
    return page(source, parts + sections(groups, bodies) + rest_of_dialect(text))


def passes_page(program: str) -> str:
    sources = ["passes/Passes.td", "codegen/Passes.td"]
    text = "".join((ROOT / source).read_text() for source in sources)
    groups: dict[str, list[str]] = {}
    for section, flag in re.findall(r'^//--- (.+?) -+$|^def \w+Pass : Pass<"([\w-]+)"', text, re.M):
        if section:
            groups[section] = []
        else:
            groups[list(groups)[-1]].append(flag)
    groups = {section: flags for section, flags in groups.items() if flags}
    bodies: dict[str, str] = {}
    for source in sources:
        bodies |= blocks(tblgen(program, "-gen-pass-doc", source), 3)
    return page(" and ".join(sources), [PASSES_INTRO, contents(groups), *sections(groups, bodies)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is out of date")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder of the pages")
    parser.add_argument("--tblgen", default=shutil.which("mlir-tblgen") or "/usr/lib/llvm-19/bin/mlir-tblgen")
    args = parser.parse_args()
    stale = 0
    pages = {
        "Dialect.md": dialect_page(args.tblgen),
        "Plan.md": small_dialect_page(args.tblgen, "plan", PLAN_INTRO),
        "Tile.md": small_dialect_page(args.tblgen, "tile", TILE_INTRO),
        "Passes.md": passes_page(args.tblgen),
    }
    for name, text in pages.items():
        path = args.docs / name
        if not args.check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what the .td files say: run tools/ci/generate_docs.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
