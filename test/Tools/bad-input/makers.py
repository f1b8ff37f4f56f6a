# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the expressions in files of cases are made of: changed copies of the fixtures, and files from their parts."""

import io
import json
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any


def make(expression: str, folder: Path) -> bytes:
    """The bytes of an expression such as `cut("tiny.bifocal", 100)`."""
    maker = Maker(folder)
    return eval(expression, {name: getattr(maker, name) for name in dir(maker) if not name.startswith("_")})


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
        said = subprocess.run(["xxhsum", "-H3"], input=head + body, capture_output=True, check=True).stdout
        return head + struct.pack("<Q", int(said.split()[-1], 16)) + body

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

    def manifest(self, path: str, value: Any) -> bytes:
        """tiny.bifocal with another value in its manifest."""
        return self.archive({"manifest.json": lambda old: json.dumps(with_value(json.loads(old), path, value)).encode()})
