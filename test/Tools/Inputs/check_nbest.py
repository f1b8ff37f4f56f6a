#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks n-best lists against the best translations: check_nbest.py NBEST SCORES SENTENCES N."""

import sys
from itertools import groupby
from pathlib import Path


def main() -> None:
    lists, best = ([line.split("\t") for line in Path(path).read_text().splitlines()] for path in sys.argv[1:3])
    sentences, count = int(sys.argv[3]), int(sys.argv[4])
    assert [int(line[0]) for line in lists] == [i for i in range(sentences) for _ in range(count)], "numbers count up"
    for number, group in groupby(lists, key=lambda line: int(line[0])):
        hypotheses = [line[1:] for line in group]
        scores = [float(score) for score, _ in hypotheses]
        assert scores == sorted(scores, reverse=True), f"sentence {number}: expects the best first, but got {scores}"
        assert len({text for _, text in hypotheses}) == count, f"sentence {number}: expects different hypotheses"
        assert hypotheses[0] == best[number], f"sentence {number}: expects {best[number]}, but got {hypotheses[0]}"


if __name__ == "__main__":
    main()
