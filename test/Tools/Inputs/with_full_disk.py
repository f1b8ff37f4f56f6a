#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command on a disk that takes no file above so many bytes: with_full_disk.py BYTES COMMAND..."""

import os
import resource
import signal
import sys

# Writes beyond the limit then fail, as on a full disk, where the signal would kill.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
os.execvp(sys.argv[2], sys.argv[2:])
