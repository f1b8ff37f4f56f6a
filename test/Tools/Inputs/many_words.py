#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes pairs of sentences of 2,200 German words, each with one translation, in reverse: many_words.py FOLDER.

Every word stands in two of the 1,100 sentences of train, beside other words in each; test has 5 sentences.
"""

import sys
from pathlib import Path

WORDS = 2200


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    first = [[4 * line + place for place in range(4)] for line in range(WORDS // 4)]
    second = [[line + place * WORDS // 4 for place in range(4)] for line in range(WORDS // 4)]
    for split, sentences in {"train": first + second, "test": first[7:12]}.items():
        source = "".join(" ".join(f"de{word}" for word in sentence) + "\n" for sentence in sentences)
        target = "".join(" ".join(f"en{word}" for word in reversed(sentence)) + "\n" for sentence in sentences)
        (folder / f"{split}.de").write_text(source)
        (folder / f"{split}.en").write_text(target)


if __name__ == "__main__":
    main()
