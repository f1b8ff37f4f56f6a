#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The part of kill-test.sh that trains, kills and compares: kill_test.py [options] BIFOCAL MODEL DATA FOLDER."""

import argparse
import fcntl
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SAVE_EVERY, VALIDATE_EVERY = 2, 5  # updates
# Of 20 kills so many are to hit each moment.
MOMENTS = {"start": 2, "update": 5, "validation": 4, "checkpoint": 9}
LAST, BEST = "last.safetensors", "best.safetensors"
UNFINISHED = re.compile(r"(?:last|best)\.safetensors\.partial-\w{6}")


def fail(what: str) -> None:
    sys.exit(f"FAILED: {what}")


def unfinished(folder: Path) -> list[str]:
    """Files that a run was writing when it ended."""
    return [name for name in os.listdir(folder) if UNFINISHED.fullmatch(name)] if folder.exists() else []


def contents(folder: Path) -> list[tuple[str, int, int]]:
    """What changes as soon as a run begins to write a file, in whatever way it does."""
    return sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in os.scandir(folder))


def saved_updates(checkpoint: Path) -> int:
    """After how many updates a checkpoint was written."""
    with checkpoint.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return json.loads(header["__metadata__"]["bifocal.training_state"])["updates"]


@dataclass
class Training:
    """One folder, and how long the parts of its training take."""

    command: list[str]
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def start(self, resume: str) -> subprocess.Popen:
        command = [*self.command, "-o", str(self.folder), f"--resume={resume}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # A short pipe: the training cannot run ahead of what is read here by more than a few updates.
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        return process

    def finish(self, resume: str) -> None:
        """To the end; notes how long the start and an update take."""
        begin = time.monotonic()
        process = self.start(resume)
        times = [time.monotonic() - begin for _ in process.stdout]
        errors = process.stderr.read()
        if process.wait() != 0:
            fail(f"expects the training to end with 0, but got {process.returncode}: {errors}")
        self.seconds = {"start": times[0], "update": (times[-1] - times[0]) / max(1, len(times) - 1)}


def events(process: subprocess.Popen) -> Iterator[dict]:
    for line in process.stdout:
        yield json.loads(line)


def wait_for_writing(folder: Path) -> None:
    deadline = time.monotonic() + 0.5
    try:
        before = contents(folder)
        while contents(folder) == before and time.monotonic() < deadline:
            pass
    except FileNotFoundError:
        return  # renamed while it was looked at


def wait_for(process: subprocess.Popen, moment: str, steps: int, folder: Path) -> int:
    """Reads until the moment is there, some updates after the first; returns the last update that was seen, or -1."""
    first = update = -1
    for event in events(process):
        update = event.get("update", update)
        first = update if first < 0 else first
        if event["event"] != "update" or update < first + steps:
            continue
        if moment == "update":
            return update
        if moment == "validation" and update % VALIDATE_EVERY == 0:
            return update
        if moment == "checkpoint" and (update % SAVE_EVERY == 0 or update % VALIDATE_EVERY == 0):
            wait_for_writing(folder)
            return update
    fail(f"expects a training of more updates, but it ended before a kill: {process.stderr.read()}")
    return -1


def kill(training: Training, moment: str, rng: random.Random, uninterrupted: Training) -> int:
    """Resumes and kills; returns the update that it resumed from, or 0."""
    process = training.start("auto")
    if moment == "start":
        time.sleep(rng.random() * uninterrupted.seconds["start"])
    else:
        wait_for(process, moment, rng.randint(1, 6), training.folder)
        time.sleep(rng.random() * uninterrupted.seconds["update"] * (0.5 if moment == "checkpoint" else 1))
    process.kill()
    process.stdout.read()
    errors = process.stderr.read()
    if process.wait() != -signal.SIGKILL:
        fail(f"expects an end by SIGKILL, but got {process.returncode}: {errors}")
    resumed = re.search(r"continues after update (\d+)", errors)
    return int(resumed[1]) if resumed else 0


def check_not_taken(training: Training, names: list[str]) -> None:
    """Where there are unfinished files alone, there is nothing to resume from."""
    other = Training(training.command, training.folder.with_name("unfinished"))
    shutil.rmtree(other.folder, ignore_errors=True)
    other.folder.mkdir()
    for name in names:
        shutil.copy(training.folder / name, other.folder)
    process = other.start("must")
    errors = process.communicate()[1]
    if process.returncode != 3 or "there is none" not in errors:
        fail(f"expects no checkpoint among {names}, but got {process.returncode}: {errors}")


def check_checkpoint(training: Training, before: int, resumed: int) -> int:
    """After a kill: a checkpoint that is whole, from the run or from before it; returns its updates, or 0."""
    last = training.folder / LAST
    if not last.exists():
        if before:
            fail(f"expects the checkpoint of update {before} or a later one, but there is none")
        return 0
    done = subprocess.run([training.command[0], "inspect", str(last)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"expects a checkpoint that can be read, but got {done.stderr}")
    saved = saved_updates(last)
    if saved < before:
        fail(f"expects the checkpoint of update {before} or a later one, but got that of {saved}")
    if resumed not in (0, before):
        fail(f"expects to continue after update {before}, the last that was saved, but it continued after {resumed}")
    return saved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="how often")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("bifocal", help="the program")
    parser.add_argument("model", help="compiled model")
    parser.add_argument("data", help="prepared data")
    parser.add_argument("folder", type=Path, help="where the trainings go")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    # A kill is some updates after the one before; what it threw away is computed again.
    updates = 20 + 12 * args.kills
    command = [args.bifocal, "train", args.model, args.data, "--threads", "1", "--log-format", "json", "--log-every", "1",
               "--max-update", str(updates), "--save-every", str(SAVE_EVERY), "--validate-every", str(VALIDATE_EVERY),
               "--patience", "0"]  # fmt: skip
    whole = Training(command, args.folder / "whole")
    whole.finish("never")
    print(f"uninterrupted: {updates} updates, start {whole.seconds['start']:.2f} s", flush=True)

    killed = Training(command, args.folder / "killed")
    saved, left, hits = 0, 0, Counter()
    for number in range(1, args.kills + 1):
        moment = rng.choices(list(MOMENTS), list(MOMENTS.values()))[0]
        resumed = kill(killed, moment, rng, whole)
        saved = check_checkpoint(killed, saved, resumed)
        names = unfinished(killed.folder)
        if names:
            check_not_taken(killed, names)
        left += bool(names)
        hits[moment] += 1
        state = f"the checkpoint of update {saved} is whole" if saved else "no checkpoint yet"
        print(f"kill {number}/{args.kills} at {moment}: {state}{', an unfinished file beside it' if names else ''}", flush=True)
    killed.finish("auto")
    if names := unfinished(killed.folder):
        fail(f"expects unfinished files to be removed, but found {names}")
    for name in (LAST, BEST):
        if (whole.folder / name).read_bytes() != (killed.folder / name).read_bytes():
            fail(f"expects {name} as in the uninterrupted training, but it has other bytes")
    moments = ", ".join(f"{count} at {moment}" for moment, count in sorted(hits.items()))
    print(f"{moments}; {left} left an unfinished file")
    if args.kills >= 20 and left == 0:
        fail("expects kills while a checkpoint is written, but none was")
    print(f"SURVIVED {args.kills} kills: parameters, moments and counters are bitwise those of the uninterrupted training")


if __name__ == "__main__":
    main()
