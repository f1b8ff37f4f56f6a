#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sends two signals to a training whose updates take seconds: interrupt_twice.py FIRST SECOND bifocal train ...

The second one comes when the first has been handled, long before the update and with it the orderly end is over.
Expects the training to end by the second signal (130 in a shell after SIGINT).
"""

import signal
import subprocess
import sys
import time
from pathlib import Path


def wait_until_handled(process: subprocess.Popen, number: signal.Signals, expected: bool) -> None:
    """Waits until the process has a handler for the signal, or no longer has one."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        if bool(caught >> (number - 1) & 1) == expected:
            return
        time.sleep(0.001)
    sys.exit(f"the training ended with {process.returncode} before it could be interrupted")


def main() -> None:
    first, second = signal.Signals[sys.argv[1]], signal.Signals[sys.argv[2]]
    with subprocess.Popen(sys.argv[3:]) as process:
        wait_until_handled(process, first, True)
        time.sleep(0.4)  # into the update; before it, the orderly end is a matter of a moment
        process.send_signal(first)
        wait_until_handled(process, first, False)
        process.send_signal(second)
    if process.returncode != -second:
        sys.exit(f"expects an end by {second.name}, but got {process.returncode}")


if __name__ == "__main__":
    main()
