#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes train, valid and test.{de,en} into a folder: numbers in order on one side, in reverse on the other."""

import sys
from pathlib import Path

WORDS = {"null": "zero", "eins": "one", "zwei": "two", "drei": "three", "vier": "four", "acht": "eight"}


def sentence(number: int) -> list[str]:
    words = list(WORDS)
    return [words[(number // len(words) ** i + i) % len(words)] for i in range(2 + number % 3)]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for split, numbers in {"train": range(60), "valid": range(60, 68), "test": range(68, 72)}.items():
        pairs = [sentence(number) for number in numbers]
        translations = [[WORDS[word] for word in reversed(words)] for words in pairs]
        for language, sentences in {"de": pairs, "en": translations}.items():
            text = "".join(" ".join(words) + "\n" for words in sentences)
            (folder / f"{split}.{language}").write_text(text)


if __name__ == "__main__":
    main()
