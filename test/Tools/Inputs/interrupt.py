#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Interrupts a training as often as asked, and lets it finish: interrupt.py [options] -- bifocal train ...

Each time it waits for a checkpoint and for updates after it, sends the signal, and looks whether the checkpoint can be
read. The command gets --resume=auto and a log with a line per update; its last run goes to the end.
"""

import argparse
import fcntl
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


SAME_REQUEST = 0.5  # seconds within which signals are one request; bifocal train says the same


@dataclass
class Interruption:
    """When a training gets which signals: some updates and a pause after its first checkpoint, a second one later."""

    signal: signal.Signals
    updates: int
    pause: float
    second: signal.Signals | None = None
    later: float = 0

    @property
    def status(self) -> int:
        """The exit status: 0 is an orderly end."""
        if self.second and self.later > SAME_REQUEST:
            return -self.second
        return -self.signal if self.signal == signal.SIGKILL else 0


def run_until(command: list[str], interruption: Interruption) -> int:
    """Trains until the interruption; returns the update before which it came."""
    command = [*command, "--log-format=json", "--log-every=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        # A short pipe: the training cannot run ahead of what is read here by more than a few updates.
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        saved = None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "checkpoint":
                saved = event["update"] if saved is None else saved
            elif saved is not None and event["update"] >= saved + interruption.updates:
                time.sleep(interruption.pause)
                process.send_signal(interruption.signal)
                if interruption.second:
                    time.sleep(interruption.later)
                    process.send_signal(interruption.second)
                break
        else:
            sys.exit("the training ended before it could be interrupted")
        update = event["update"]
        process.stdout.read()
    if process.returncode != interruption.status:
        sys.exit(f"expects the exit status {interruption.status}, but got {process.returncode}")
    return update


def draw(rng: random.Random, args: argparse.Namespace) -> Interruption:
    first, updates = signal.Signals[args.signal], rng.randint(1, 20)
    if not args.then:
        # The pause spreads the moments over the writing of a checkpoint as well.
        return Interruption(first, updates, pause=rng.random() * 0.01)
    # Nobody reads while this waits: the pipe fills, and the training cannot end between the signals.
    return Interruption(first, updates, pause=0.5, second=signal.Signals[args.then[0]], later=float(args.then[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1, help="how often")
    parser.add_argument("--signal", default="SIGKILL", help="SIGKILL or SIGTERM")
    parser.add_argument("--then", nargs=2, metavar=("SIGNAL", "SECONDS"), help="a second signal, so much later")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    command = [*args.command, "--resume=auto"]
    last = Path(args.command[args.command.index("-o") + 1]) / "last.safetensors"
    for _ in range(args.times):
        update = run_until(command, draw(rng, args))
        subprocess.run([args.command[0], "inspect", str(last)], check=True, stdout=subprocess.DEVNULL)
        print(f"interrupted after update {update}", flush=True)
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
