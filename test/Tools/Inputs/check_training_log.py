#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the JSON log of 60 updates with a validation every 25: check_training_log.py LOG."""

import json
import math
import sys
from pathlib import Path


def main() -> None:
    events = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    updates = [event for event in events if event["event"] == "update"]
    assert [event["update"] for event in updates] == list(range(1, 61)), "a line per update"
    assert updates[-1]["loss"] < updates[0]["loss"], "it learns"
    for event in updates:
        # inverse_sqrt: 5e-3 after 40 updates of warm-up, from 0; the rate of an update counts those before it.
        n = event["update"] - 1
        rate = 5e-3 * (n / 40 if n < 40 else math.sqrt(40 / n))
        assert math.isclose(event["lr"], rate, rel_tol=1e-9, abs_tol=1e-12), (event, rate)
        assert math.isclose(event["ppl"], math.exp(event["nll"]), rel_tol=1e-9), event
        assert event["gnorm"] > 0 and event["ms"] > 0 and event["tokens_per_second"] > 0, event
    validations = [event for event in events if event["event"] == "validation"]
    assert [event["update"] for event in validations] == [25, 50, 60], validations
    best = math.inf
    for event in validations:
        assert event["best"] == (event["loss"] < best), validations
        best = min(best, event["loss"])
    # A checkpoint follows each validation at once, and ends the log.
    for at, event in enumerate(events):
        if event["event"] == "validation":
            after = events[at + 1]
            assert after["event"] == "checkpoint" and after["update"] == event["update"], after
    assert events[-1] == {"event": "checkpoint", "path": "json/last.safetensors", "update": 60}, events[-1]


if __name__ == "__main__":
    main()
