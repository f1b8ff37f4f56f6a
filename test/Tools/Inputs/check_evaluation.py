#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares evaluations with each other and a training's log: check_evaluation.py LOG VALID SMALL_BATCHES TEST TEXT."""

import json
import math
import sys
from pathlib import Path


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5)


def main() -> None:
    log = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    valid, small, test = (json.loads(Path(path).read_text()) for path in sys.argv[2:5])
    best = [event for event in log if event["event"] == "validation" and event["best"]][-1]
    assert close(best["loss"], valid["loss"]) and close(best["nll"], valid["nll"]), (best, valid)
    # The batches decide only the order of the sums.
    assert small["tokens"] == valid["tokens"] and close(small["loss"], valid["loss"]), (small, valid)
    for result, split in ((valid, "valid"), (test, "test")):
        lines = (Path(sys.argv[5]) / f"{split}.en").read_text().splitlines()
        # Each sentence ends with a token of its own.
        assert result["tokens"] == sum(len(line.split()) + 1 for line in lines), result
        assert result["sentences"] == len(lines), result
        assert close(result["perplexity"], math.exp(result["nll"])), result
        assert result["loss"] != result["nll"], "labels are smoothed"


if __name__ == "__main__":
    main()
