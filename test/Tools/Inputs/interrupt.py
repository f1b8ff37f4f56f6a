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
from pathlib import Path


def run_until(command: list[str], updates: int, pause: float, number: signal.Signals) -> int:
    """Sends the signal some updates and a pause after the first checkpoint; returns the update before which it came."""
    command = [*command, "--log-format=json", "--log-every=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        # A short pipe: the training cannot run ahead of what is read here by more than a few updates.
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        saved = None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "checkpoint":
                saved = event["update"] if saved is None else saved
            elif saved is not None and event["update"] >= saved + updates:
                time.sleep(pause)
                process.send_signal(number)
                break
        else:
            sys.exit("the training ended before it could be interrupted")
        update = event["update"]
        process.stdout.read()
    expected = -number if number == signal.SIGKILL else 0
    if process.returncode != expected:
        sys.exit(f"expects the exit status {expected} after {number.name}, but got {process.returncode}")
    return update


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1, help="how often")
    parser.add_argument("--signal", default="SIGKILL", help="SIGKILL or SIGTERM")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    command = [*args.command, "--resume=auto"]
    last = Path(args.command[args.command.index("-o") + 1]) / "last.safetensors"
    for _ in range(args.times):
        # The pause spreads the moments over the writing of a checkpoint as well.
        update = run_until(command, rng.randint(1, 20), rng.random() * 0.01, signal.Signals[args.signal])
        subprocess.run([args.command[0], "inspect", str(last)], check=True, stdout=subprocess.DEVNULL)
        print(f"interrupted after update {update}", flush=True)
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
