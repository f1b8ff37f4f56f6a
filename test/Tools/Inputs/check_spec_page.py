#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the tables of docs/Spec.md with the compiler: check_spec_page.py PAGE BIFOCAL.

A table has the keys that the compiler names where it meets one that it does not know. Choices are those that it names
where it meets another, and defaults those of a spec that it prints.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

Table = dict[str, object]
UNKNOWN = "zzzzzzzzzzzz"
# Where the tables of the page stand in a spec, in its order.
TABLES = [("model",), ("model", "adaptive_softmax"), ("encoder",), ("encoder", "mixer"), ("training",),
          ("training", "criterion"), ("training", "optimizer"), ("training", "schedule")]  # fmt: skip


def spec(**tables: Table) -> dict[str, Table]:
    """A translation model, or what a probe wants of it instead."""
    kind = tables.get("model", {}).get("kind", "translation")
    sides = {"encoder": {"kernel_sizes": [3]}, "decoder": {"kernel_sizes": [3]}}
    if kind == "language_model":
        del sides["encoder"]
    result: dict[str, Table] = {"model": {"vocabulary": 100}, **sides, "training": {}}
    for name, keys in tables.items():
        result[name] = keys if "mixer" in keys else {**result[name], **keys}
    return result


BRANCHES = [{"kind": "attention", "dim": 256}, {"kind": "light_conv", "dim": 256, "kernel_size": 3}]
ADAPTIVE = {"adaptive_softmax": {"cutoffs": [10]}, "kind": "language_model"}
LANGUAGE = {"kind": "language_model"}
PROBES = [
    spec(),
    spec(model=LANGUAGE),
    spec(model=ADAPTIVE),
    spec(model={"positions": "rotary"}, encoder={"mixer": "attention"}),
    spec(encoder={"mixer": "diff_attention"}),
    spec(encoder={"mixer": BRANCHES}),
    spec(model=LANGUAGE, decoder={"mixer": "relative_attention"}, training={"tokens_per_sample": 256}),
    spec(model=LANGUAGE, decoder={"mixer": "span_attention"}),
    spec(training={"optimizer": {"name": "adagrad"}}),
]


def literal(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {literal(item)}" for key, item in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def compiled(bifocal: str, probe: dict[str, Table]) -> subprocess.CompletedProcess:
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {literal(value)}\n" for key, value in table.items())
        for name, table in probe.items()
    )
    command = [bifocal, "compile", "-", "--compile-to=import", "-o", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def innermost(probe: dict, path: tuple[str, ...]) -> dict | None:
    """The table at `path`; of branches the last one. A stack is the decoder where there is no encoder."""
    for name in path:
        probe = probe.get(name, probe.get("decoder") if name == "encoder" else None)
        if isinstance(probe, list):
            probe = probe[-1]
        if not isinstance(probe, dict):
            return None
    return probe


def changed(probe: dict[str, Table], path: tuple[str, ...], key: str, value: object) -> dict[str, Table] | None:
    copy = tomllib.loads("".join(f"{name} = {literal(table)}\n" for name, table in probe.items()))
    if path[0] == "training" and len(path) > 1:
        copy["training"].setdefault(path[1], {})
    table = innermost(copy, path)
    if table is None:
        return None
    table[key] = value
    return copy


def rows(page: Path) -> Iterator[tuple[tuple[str, ...], list[tuple[str, str, str]]]]:
    """Each table of keys: its path, then (key, values, default)."""
    found = re.findall(r"^\| key\b.*\n\|[-|]+\|\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    assert len(found) == len(TABLES), f"expects {len(TABLES)} tables, but got {len(found)}"
    for path, table in zip(TABLES, found, strict=True):
        cells = [[cell.strip() for cell in line.split(" | ")] for line in table.strip().strip("|").split("|\n|")]
        yield path, [(key, row[1], row[2]) for row in cells for key in re.findall(r"`(\w+)`", row[0])]


class Comparison:
    def __init__(self, bifocal: str):
        self.bifocal, self.problems = bifocal, []
        self.printed = []
        for probe in PROBES:
            module = compiled(bifocal, probe)
            assert module.returncode == 0, module.stderr
            text = re.search(r'bifocal\.spec = "((?:[^"\\]|\\..)*)"', module.stdout)[1]
            text = re.sub(r"\\([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), text)
            self.printed.append(tomllib.loads(text))

    def messages(self, path: tuple[str, ...], key: str, value: object, pattern: str) -> Iterator[set[str]]:
        """The names in what `pattern` finds, of each probe that has the table."""
        for probe in PROBES:
            if wrong := changed(probe, path, key, value):
                if match := re.search(pattern, compiled(self.bifocal, wrong).stderr):
                    yield set(re.findall(r"`(\w+)`", match[1]))

    def keys(self, path: tuple[str, ...], listed: list[str]) -> None:
        known = set().union(*self.messages(path, UNKNOWN, 1, rf"unknown key `{UNKNOWN}`.*; allowed are (.*)"))
        for key in sorted(known.symmetric_difference(listed)):
            where = "is not on the page" if key in known else "is on the page and unknown to the compiler"
            self.problems.append(f"{'.'.join(path)}: `{key}` {where}")

    def choices(self, path: tuple[str, ...], key: str, values: str) -> None:
        listed = set(re.findall(r'`"(\w+)"`', values))
        if not listed:
            return
        allowed = next(self.messages(path, key, UNKNOWN, rf"expects `{key}` to be (.*), but got `{UNKNOWN}`"), None)
        if allowed != listed:
            self.problems.append(f"{'.'.join(path)}.{key}: expects the choices {allowed}, but the page has {listed}")

    def default(self, path: tuple[str, ...], key: str, default: str) -> None:
        match = re.fullmatch(r"`(.*)`", default)
        try:
            listed = tomllib.loads(f"value = {match[1]}")["value"] if match else None
        except tomllib.TOMLDecodeError:  # another key
            return
        if listed is None:
            return
        found = [
            table[key]
            for probe, whole in zip(PROBES, self.printed, strict=True)
            if (table := innermost(whole, path)) and key in table and key not in (innermost(probe, path) or {})
        ]
        if not found or any(value != listed for value in found):
            self.problems.append(f"{'.'.join(path)}.{key}: the compiler says {found}, but the page {listed}")


def main() -> None:
    page, bifocal = Path(sys.argv[1]), sys.argv[2]
    comparison = Comparison(bifocal)
    for path, table in rows(page):
        comparison.keys(path, [key for key, _, _ in table])
        for key, values, default in table:
            comparison.choices(path, key, values)
            comparison.default(path, key, default)
    if comparison.problems:
        sys.exit("\n".join(comparison.problems))


if __name__ == "__main__":
    main()
