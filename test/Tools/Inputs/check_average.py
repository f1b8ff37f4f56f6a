#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares an average with the mean of its files, bit by bit: check_average.py AVERAGE FILE..."""

import json
import struct
import sys
from pathlib import Path


def read(path: str) -> dict[str, tuple[list[int], tuple[float, ...]]]:
    """Shapes and values of the parameters of a file."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__" or name.startswith("optimizer."):
            continue
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", entry
        tensors[name] = entry["shape"], struct.unpack_from(f"<{(end - begin) // 4}f", data, 8 + length + begin)
    return tensors


def main() -> None:
    average, files = read(sys.argv[1]), [read(path) for path in sys.argv[2:]]
    assert average and average.keys() == files[0].keys()
    differ = 0
    for name, (shape, values) in average.items():
        assert shape == files[0][name][0], name
        columns = zip(*(file[name][1] for file in files), strict=True)
        # Python adds in f64, in order.
        expected = [struct.unpack("<f", struct.pack("<f", sum(column, 0.0) / len(files)))[0] for column in columns]
        assert list(values) == expected, name
        differ += sum(value != one for value, one in zip(values, files[0][name][1], strict=True))
    assert len(files) == 1 or differ > 0, "the files are all the same"


if __name__ == "__main__":
    main()
