#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks translations that were made with short lists: check_short_list.py TABLE DATA SIZE SOURCE TRANSLATIONS.

Learns what each list must be from the table, as runtime/decode/ShortList.h says, for batches of one sentence.
"""

import json
import struct
import sys
from pathlib import Path

FORMATS = {"I32": "i", "I64": "q", "F32": "f"}


def read_table(path: Path) -> dict[str, tuple]:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    del header["__metadata__"]
    return {
        name: struct.unpack_from(f"<{entry['shape'][0]}{FORMATS[entry['dtype']]}", data, 8 + length + entry["data_offsets"][0])
        for name, entry in header.items()
    }


def read_words(path: Path) -> dict[str, int]:
    return {line.split(" ")[0]: number + 4 for number, line in enumerate(path.read_text().splitlines())}


def short_list(table: dict[str, tuple], source: list[int], size: int) -> set[int]:
    scores = dict.fromkeys(range(len(table["frequent"])), 0.0)
    for word in source:
        for at in range(table["offsets"][word], table["offsets"][word + 1]):
            scores[table["targets"][at]] = max(scores[table["targets"][at]], table["probabilities"][at])
    for token in [*range(4), *table["frequent"][: size // 8]]:
        scores[token] = 2.0
    return set(sorted(table["frequent"], key=lambda token: -scores[token])[:size])


def main() -> None:
    table, data, size = read_table(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    words = read_words(next(data.glob("*dict*")))
    for word, number in words.items():
        if word.startswith("de"):
            best = table["targets"][table["offsets"][number]]
            assert best == words["en" + word[2:]], f"{word}: {best}"
    translations = Path(sys.argv[5]).read_text().splitlines()
    sources = Path(sys.argv[4]).read_text().splitlines()
    assert len(translations) == len(sources) > 0
    for source, translation in zip(sources, translations, strict=True):
        allowed = short_list(table, [words[word] for word in source.split()], size)
        assert len(allowed) == size
        for word in translation.split():
            assert words[word] in allowed, f"{source}: {word}"


if __name__ == "__main__":
    main()
