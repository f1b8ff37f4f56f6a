#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the events of a folder as `<file number> <step> <tag>=<value> ...`: read_events.py FOLDER.

Checks what TensorBoard relies on: both checksums of every record, no byte after the last one, the version first, times
that do not go back, and steps that grow from one end of the curve to the other.
"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def masked_crc(data: bytes) -> int:
    """CRC-32C bit by bit, then the mask of TFRecord files."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        body = data[at + 12 : at + 12 + length]
        crcs = struct.unpack_from("<I", data, at + 8) + struct.unpack_from("<I", data, at + 12 + length)
        assert crcs == (masked_crc(data[at : at + 8]), masked_crc(body)), f"a checksum of the record at byte {at}"
        yield body
        at += 16 + length


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message: integers, or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == VARINT:
            value, at = varint(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(key & 7)
            if size is None:
                assert key & 7 == BYTES, key
                size, at = varint(data, at)
            value = data[at : at + size]
            assert len(value) == size
            at += size
        yield key >> 3, value


def scalars(summary: bytes) -> Iterator[str]:
    for number, value in fields(summary):
        assert number == 1, number
        scalar = dict(fields(value))
        yield f"{scalar[1].decode()}={struct.unpack('<f', scalar[2])[0]:.6g}"


def main() -> None:
    last_step, last_time = 0, 0.0
    for number, path in enumerate(sorted(Path(sys.argv[1]).iterdir())):
        assert path.name.startswith("events.out.tfevents."), path
        events = [dict(fields(record)) for record in records(path.read_bytes())]
        assert events[0].get(3) == b"brain.Event:2", "the version comes first"
        if len(events) == 1:
            continue  # a run of which everything was cut off
        # SessionLog.START: what a reader has seen of this step and later ones does not count.
        assert all((7 in event) == (at == 1) for at, event in enumerate(events)), "one start, after the version"
        assert events[1][7] == b"\x08\x01" and events[1][2] == last_step + 1, (events[1], last_step)
        for event in events[2:]:
            (time,) = struct.unpack("<d", event[1])
            # A validation follows its update.
            values = list(scalars(event[5]))
            assert event[2] > last_step or (event[2] == last_step and values[0].startswith("valid/")), event
            assert time >= last_time
            last_step, last_time = event[2], time
            print(number, last_step, *values)


if __name__ == "__main__":
    main()
