#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the weights that a training kept with its JSON log: check_kept.py FOLDER LOG --last N --best N."""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("log")
    parser.add_argument("--last", type=int, required=True)
    parser.add_argument("--best", type=int, required=True)
    args = parser.parse_args()
    events = [json.loads(line) for line in Path(args.log).read_text().splitlines()]
    losses = {event["update"]: event["loss"] for event in events if event["event"] == "validation"}
    saved = sorted(event["update"] for event in events if event["event"] == "checkpoint")
    best = set(sorted(losses, key=losses.get)[: args.best])
    expected = set(saved[-args.last :]) | best
    assert not best <= set(saved[-args.last :]), "expects a best one that is not among the last"
    kept = {int(path.stem.removeprefix("update-")) for path in Path(args.folder).glob("update-*.safetensors")}
    assert kept == expected, (kept, expected)


if __name__ == "__main__":
    main()
