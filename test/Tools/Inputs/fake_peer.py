# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stands for a peer of bench/side_by_side.py: prints what it would print. Of its runs the middle figure is 100 tokens a
second in eager mode, 200 compiled. As models.py it has the parameters of three models."""

import json
import pathlib
import sys

PRESETS = {"lightconv_iwslt_de_en": 7, "dynamicconv_iwslt_de_en": 7, "transformer_iwslt_de_en": 8}


class build:  # noqa: N801: a function at the peers
    def __init__(self, count):
        self.count = count

    def parameters(self):
        return [self]

    requires_grad = True

    def numel(self):
        return self.count


def main():
    arguments = " ".join(sys.argv[1:])
    compiled = "compile" in arguments
    assert compiled == ("--lengths 20 31 --buckets 32" in arguments), arguments
    if "--model dynamicconv" in arguments and compiled:
        sys.exit("no kernel for this")
    runs = pathlib.Path(f"runs of {pathlib.Path(__file__).stem} {arguments.replace('/', ' ')}")
    done = int(runs.read_text()) if runs.exists() else 0
    runs.write_text(str(done + 1))
    rate = (90.0, 300.0, 100.0)[done % 3] * (2 if compiled else 1)
    print("a line that is no JSON")
    print(json.dumps({"tokens_per_s": rate, "peak_bytes": 800 if compiled else 1000}))


if __name__ == "__main__":
    main()
