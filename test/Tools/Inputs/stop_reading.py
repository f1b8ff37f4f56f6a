#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads a few lines of what a training prints and then closes the pipe: stop_reading.py STREAM CODE bifocal train ...

STREAM is stdout or stderr; the other one is handed on. Expects the training to notice, to save, and to exit with CODE.
"""

import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    stream, code, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    last = Path(command[command.index("-o") + 1]) / "last.safetensors"
    # What a shell gives its programs, whatever this script itself was started with.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with subprocess.Popen(command, **{stream: subprocess.PIPE}) as process:
        pipe = getattr(process, stream)
        while "update" not in (line := pipe.readline().decode()):
            if not line:
                sys.exit("the training ended before its first update")
        pipe.close()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            sys.exit("expects the training to end when nobody reads its log, but it goes on")
    if process.returncode != code or not last.exists():
        sys.exit(f"expects {last} and the exit status {code}, but got {process.returncode}")


if __name__ == "__main__":
    main()
