#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the maps of the first layer of a language model of bytes, computed again here: check_attention.py PAGE WEIGHTS TEXT

The model has a norm before its attention, no positions, two heads and one head of keys.
"""

import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from check_page import decode, near, read_weights, softmax

LAYER = "decoder.layers.0.self_attn"
HEADS = 2
EOS, FIRST_BYTE = 2, 4

Vector = list[float]


def dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def main() -> None:
    page, weights = Path(sys.argv[1]).read_text(), read_weights(Path(sys.argv[2]))
    tokens = [EOS] + [FIRST_BYTE + byte for byte in sys.argv[3].encode()]

    def rows(name: str) -> list[Vector]:
        (_, columns), values = weights[name]
        return [values[i : i + columns] for i in range(0, len(values), columns)]

    def normalize(x: Vector) -> Vector:
        mean = sum(x) / len(x)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x) + 1e-5)
        scale, bias = (weights[f"{LAYER}_layer_norm.{part}"][1] for part in ("weight", "bias"))
        return [(value - mean) / deviation * a + b for value, a, b in zip(x, scale, bias, strict=True)]

    def linear(name: str, x: Vector) -> Vector:
        return [dot(row, x) + b for row, b in zip(rows(f"{LAYER}.{name}.weight"), weights[f"{LAYER}.{name}.bias"][1], strict=True)]

    table = rows("decoder.embed_tokens.weight")
    inputs = [normalize([value * math.sqrt(len(table[0])) for value in table[token]]) for token in tokens]
    queries, keys = ([linear(name, x) for x in inputs] for name in ("q_proj", "k_proj"))
    size = len(keys[0])
    maps = [ElementTree.fromstring(picture) for picture in re.findall(r'<svg class="map".*?</svg>', page, re.DOTALL)]
    maps = [picture for picture in maps if picture.get("data-layer") == LAYER]
    assert len(maps) == HEADS and len(queries[0]) == HEADS * size
    for head, picture in enumerate(maps):
        for t, row in enumerate(decode(picture)):
            query = queries[t][head * size : (head + 1) * size]
            expected = softmax([dot(query, key) / math.sqrt(size) for key in keys[: t + 1]])
            for got, weight in zip(row, expected + [0.0] * (len(row) - t - 1), strict=True):
                near(got, weight, 2e-4, f"head {head}, step {t}")
    print(f"{len(maps)} maps of {len(tokens)} steps")


if __name__ == "__main__":
    main()
