#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks a page of `bifocal visualize` against weights, computed again here: check_page.py PAGE WEIGHTS [KIND=COUNT]...

Every picture must be well-formed XML, every map a map of weights (rows sum to 1, or to 1 - lambda), taps, spans and
lambdas what the parameters say. KIND is attention, causal (of it), difference, tokenTaps, taps, spans or lambda.
`unit=N` is the longest span.
"""

import json
import math
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def read_weights(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = entry["shape"], list(struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
    return tensors


def decode(picture: ElementTree.Element) -> list[list[float]]:
    data = picture.get("data-weights")
    low, step, columns = float(picture.get("data-low")), float(picture.get("data-step")), int(picture.get("data-columns"))
    numbers = [DIGITS.index(a) * 64 + DIGITS.index(b) for a, b in zip(data[::2], data[1::2], strict=True)]
    values = [low + step * number for number in numbers]
    rows = [values[i : i + columns] for i in range(0, len(values), columns)]
    assert len(rows) == int(picture.get("data-rows")), "expects as many rows as the picture says"
    return rows


def near(got: float, expected: float, tolerance: float, what: str) -> None:
    assert abs(got - expected) <= tolerance, f"expects {expected} within {tolerance}, but got {got}: {what}"


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def check_labels(pictures: list[ElementTree.Element]) -> None:
    """Maps name their labels by id: each must be there, one label for each row and column."""
    groups = {group.get("id"): len(group) for picture in pictures for group in picture.iter("g") if group.get("id")}
    for picture in pictures:
        if picture.get("class") == "map":
            assert groups[picture.get("data-y")] == int(picture.get("data-rows"))
            assert groups[picture.get("data-x")] == int(picture.get("data-columns"))


def check_map(picture: ElementTree.Element, lambdas: dict[str, float]) -> str:
    layer, kind = picture.get("data-layer"), picture.get("data-kind")
    rows, step = decode(picture), float(picture.get("data-step"))
    for row in rows:
        expected = 1 - lambdas[layer] if layer in lambdas else 1
        if kind == "difference" and layer not in lambdas:  # a lambda of its own, from 0 to 1
            assert -1e-3 <= sum(row) <= 1 + 1e-3, f"{layer}: {sum(row)}"
        else:
            near(sum(row), expected, len(row) * step / 2 + 1e-4, f"a row of {layer}")
    own = kind != "tokenTaps" and "rows" + picture.get("data-x")[len("keys") :].replace("-memory", "") == picture.get("data-y")
    if own and picture.get("data-y") == "rows-target":
        before = 1 if picture.get("data-x").endswith("-memory") else 0
        late = [abs(row[column]) for t, row in enumerate(rows) for column in range(t + 1 + before, len(row))]
        assert max(late, default=0) <= step, f"{layer}: expects no weight of later tokens, but got {max(late)}"
        return "causal"
    return kind


def check_taps(picture: ElementTree.Element, weights: dict) -> None:
    shape, taps = weights[picture.get("data-layer") + ".weight"]
    head, size = int(picture.get("data-head")), shape[-1]
    got = [float(value) for value in picture.get("data-taps").split()]
    near(sum(got), 1, 1e-4, "taps")
    for value, expected in zip(got, softmax(taps[head * size : (head + 1) * size]), strict=True):
        near(value, expected, 2e-6, f"taps of {picture.get('data-layer')}")


def check_lambda(name: str, got: float, weights: dict) -> None:
    def product(which: int) -> float:
        query, key = (weights[f"{name}.lambda_{side}{which}"][1] for side in "qk")
        return math.exp(sum(a * b for a, b in zip(query, key, strict=True)))

    layer = int(re.search(r"layers\.(\d+)", name)[1])
    near(got, product(1) - product(2) + 0.8 - 0.6 * math.exp(-0.3 * layer), 1e-5, f"lambda of {name}")


def main() -> None:
    path, weights = Path(sys.argv[1]), read_weights(Path(sys.argv[2]))
    expected = {name: int(count) for name, count in (argument.split("=") for argument in sys.argv[3:])}
    unit = expected.pop("unit", 0)
    text = path.read_text()
    assert len(text.encode()) < 2_000_000
    assert not re.search(r"https?:|\bsrc=|@import|url\(|<link", text), "expects nothing to load"
    pictures = [ElementTree.fromstring(picture) for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    check_labels(pictures)
    lambdas = {}
    for bar in (bar for picture in pictures for bar in picture.iter("rect") if bar.get("data-lambda")):
        name = bar.find("title").text.split(":")[0]
        lambdas[name] = float(bar.get("data-lambda"))
        check_lambda(name, lambdas[name], weights)
    counts = dict.fromkeys(["attention", "causal", "difference", "tokenTaps", "taps", "spans"], 0) | {"lambda": len(lambdas)}
    for picture in pictures:
        kind = picture.get("class")
        if kind == "map":
            counts[check_map(picture, lambdas)] += 1
        elif kind == "taps":
            check_taps(picture, weights)
            counts["taps"] += 1
        elif kind == "spans":
            number = re.search(r"layers\.(\d+)", picture.get("data-layer"))[1]
            own = [values for name, (_, values) in weights.items() if re.search(rf"layers\.{number}\b.*span", name)][0]
            for got, part in zip(picture.get("data-spans").split(), own, strict=True):
                near(float(got), min(max(part, 0), 1) * unit, 1e-2, "a span")
            counts["spans"] += 1
    got = {kind: count for kind, count in counts.items() if count}
    assert got == expected, f"expects {expected}, but got {got}"
    print(f"{path.name}: {len(pictures)} pictures, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
