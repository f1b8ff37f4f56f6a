# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares models of one spec but for `recompute`: NAME.report of `bifocal compile`, NAME.log of `bifocal train`, and
the tensors of NAME/last.safetensors. Each takes less memory than the one before; all of them train alike."""

import json
import re
import sys
from pathlib import Path


def slope(name: str) -> int:
    """Bytes of the arena of a training step for a source and a target token more."""
    peak = re.search(r"^train_step\n  peak +(.+) bytes", Path(f"{name}.report").read_text(), re.MULTILINE)
    return sum(int(factor) for factor in re.findall(r"(\d+) \* roundup16\(\(B \* [ST]\)\)", peak[1]))


def losses(name: str) -> list[float]:
    events = map(json.loads, Path(f"{name}.log").read_text().splitlines())
    found = [event["loss"] for event in events if "loss" in event]
    assert found, f"{name}.log has no loss"
    return found


def tensors(name: str) -> bytes:
    """What comes after the header, which names the spec."""
    data = Path(f"{name}/last.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


def main() -> None:
    names = sys.argv[1:]
    slopes = [slope(name) for name in names]
    assert all(more > less > 0 for more, less in zip(slopes, slopes[1:])), f"expects less and less memory: {slopes}"
    for name in names[1:]:
        assert losses(name) == losses(names[0]), f"the losses of {name} differ"
        assert tensors(name) == tensors(names[0]), f"the weights of {name} differ"


if __name__ == "__main__":
    main()
