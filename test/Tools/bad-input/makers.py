# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the expressions in files of cases are made of: changed copies of the fixtures, and files from their parts."""

import io
import json
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any


def make(expression: str, folder: Path) -> bytes:
    """The bytes of an expression such as `cut("tiny.bifocal", 100)`."""
    maker = Maker(folder)
    return eval(expression, {name: getattr(maker, name) for name in dir(maker) if not name.startswith("_")})


def digest(data: bytes, kind: str) -> str:
    """The XXH3 of bytes with 64 bits (-H3) or 128 (-H2), hexadecimal."""
    said = subprocess.run(["xxhsum", kind], input=data, capture_output=True, check=True).stdout.decode()
    return said.split()[-1] if kind == "-H3" else said.split()[0]


def with_value(tree: Any, path: str, value: Any) -> Any:
    """A copy of a JSON tree where `a/b/0` is something else; `...` removes it."""
    tree = json.loads(json.dumps(tree))
    *folders, last = path.split("/")
    node = tree
    for key in folders:
        node = node[int(key) if isinstance(node, list) else key]
    key = int(last) if isinstance(node, list) else last
    if value is ...:
        del node[key]
    else:
        node[key] = value
    return tree


class Maker:
    """Each attribute is a name of the expressions; file names are those of the fixtures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def kernels(self) -> str:
        """The entry of tiny.bifocal with native code."""
        with zipfile.ZipFile(self._folder / "tiny.bifocal") as archive:
            return next(name for name in archive.namelist() if name.startswith("host/"))

    def copy(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def cut(self, name: str, size: int) -> bytes:
        """The first bytes of a file; counted from the end if negative."""
        return self.copy(name)[:size]

    def flip(self, name: str, at: int, bit: int = 0) -> bytes:
        """A file with one bit changed."""
        data = bytearray(self.copy(name))
        data[at] ^= 1 << bit
        return bytes(data)

    def swap(self, name: str, old: str, new: str) -> bytes:
        """A file with other text in one place."""
        data = self.copy(name)
        assert data.count(old.encode()) > 0, f"{name} has no {old!r}"
        return data.replace(old.encode(), new.encode(), 1)

    def swap_bytes(self, name: str, at: int, new: bytes) -> bytes:
        """A file with other bytes at one place."""
        data = self.copy(name)
        return data[:at] + new + data[at + len(new) :]

    def described(self, path: str, value: Any) -> bytes:
        """data.json with another value."""
        return json.dumps(with_value(json.loads(self.copy("data/data.json")), path, value), indent=2).encode()

    def corpus(self, vocabulary: int, sentences: list[list[int]]) -> bytes:
        """A prepared corpus of these ids, with its digest."""
        ids = [token for sentence in sentences for token in sentence]
        offsets = [sum(map(len, sentences[:end])) for end in range(len(sentences) + 1)]
        head = struct.pack("<8sIIQQQ", b"BIFOCORP", 1, vocabulary, len(sentences), len(ids), 0)
        body = struct.pack(f"<{len(offsets)}Q{len(ids)}i", *offsets, *ids)
        return head + struct.pack("<Q", int(digest(head + body, "-H3"), 16)) + body

    def npy(self, header: str, data: bytes = b"", version: int = 1) -> bytes:
        length = struct.pack("<H" if version == 1 else "<I", len(header))
        return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data

    def safetensors(self, header: Any, data: bytes = b"") -> bytes:
        """A header, as text or as a tree, and the bytes of tensors."""
        text = (header if isinstance(header, str) else json.dumps(header)).encode()
        return struct.pack("<Q", len(text)) + text + data

    def tensors(self, name: str, path: str, value: Any) -> bytes:
        """A safetensors file with another value in its header; the state of a training is at `state/`."""
        data = self.copy(name)
        end = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:end])
        if path.startswith("state/"):
            metadata = header["__metadata__"]
            state = with_value(json.loads(metadata["bifocal.training_state"]), path[6:], value)
            metadata["bifocal.training_state"] = json.dumps(state)
        else:
            header = with_value(header, path, value)
        return self.safetensors(header, data[end:])

    def more(self, name: str, tensor: str) -> bytes:
        """A safetensors file with one number more, of this name."""
        data = self.copy(name)
        end = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:end])
        size = len(data) - end
        header[tensor] = {"dtype": "F32", "shape": [1], "data_offsets": [size, size + 4]}
        return self.safetensors(header, data[end:] + bytes(4))

    def filled(self, name: str, value: float) -> bytes:
        """A safetensors file of f32 with the same value everywhere, and no digest."""
        data = self.copy(name)
        end = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:end])
        del header["__metadata__"]["bifocal.digest"]
        return self.safetensors(header, struct.pack("<f", value) * ((len(data) - end) // 4))

    def archive(self, changes: dict[str, Any], compressed: bool = False) -> bytes:
        """tiny.bifocal with other entries: bytes, None for none, or a function of the old bytes."""
        with zipfile.ZipFile(io.BytesIO(self.copy("tiny.bifocal"))) as whole:
            entries = {name: whole.read(name) for name in whole.namelist()}
        for name, change in changes.items():
            entries[name] = change(entries[name]) if callable(change) else change
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
            for name, data in entries.items():
                if data is not None:
                    archive.writestr(zipfile.ZipInfo(name), data, archive.compression)
        return target.getvalue()

    def nested(self, count: int, size: int) -> bytes:
        """tiny.bifocal with kernels each of which holds the entry of the next one, header and all: every checksum and
        digest is right, but together they are `count` times as large as the archive."""
        name = lambda number: f"host/{number:04}.so".encode()  # noqa: E731
        records, content = [], bytes(size)
        for number in range(count):
            fields = struct.pack("<4HIIIHH", 0, 0, 0, 33, zlib.crc32(content), len(content), len(content), 12, 0)
            records.append((name(number), fields, digest(content, "-H2")))
            content = b"PK\x03\x04\x14\0" + fields + name(number) + content
        with zipfile.ZipFile(io.BytesIO(self.copy("tiny.bifocal"))) as whole:
            manifest = json.loads(whole.read("manifest.json"))
            plan = whole.read("plan.json")
        manifest["digest"] = {"plan.json": digest(plan, "-H2")} | {key.decode(): value for key, _, value in records}
        target = io.BytesIO(content)
        with zipfile.ZipFile(target, "a") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
            archive.writestr("plan.json", plan)
        whole = target.getvalue()
        end = whole.rindex(b"PK\x05\x06")
        start = struct.unpack("<I", whole[end + 16 : end + 20])[0]
        directory, offset = whole[start:end], 0
        for key, fields, _ in reversed(records):
            directory += b"PK\x01\x02\x14\0\x14\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, offset) + key
            offset += 30 + len(key)
        tail = struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, count + 2, count + 2, len(directory), start, 0)
        return whole[:start] + directory + tail

    def manifest(self, path: str, value: Any) -> bytes:
        """tiny.bifocal with another value in its manifest."""
        return self.archive({"manifest.json": lambda old: json.dumps(with_value(json.loads(old), path, value)).encode()})
