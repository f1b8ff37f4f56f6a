#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares evaluations of bytes with each other: check_bits.py TEXT WITHOUT_CONTEXT WITH_CONTEXT OTHER..."""

import json
import math
import sys
from pathlib import Path


def main() -> None:
    size = len(Path(sys.argv[1]).read_bytes())
    results = [json.loads(Path(path).read_text()) for path in sys.argv[2:]]
    for result in results:
        assert result["tokens"] == size, (result, size)
        assert math.isclose(result["bits_per_character"], result["nll"] / math.log(2), rel_tol=1e-9), result
        assert math.isclose(result["perplexity"], math.exp(result["nll"]), rel_tol=1e-9), result
        assert result["tokens_per_second"] > 0, result
    bits = [result["bits_per_character"] for result in results]
    assert max(bits) < 3, bits
    # Rows longer than those of the training may be worse.
    assert bits[1] < bits[0], bits


if __name__ == "__main__":
    main()
