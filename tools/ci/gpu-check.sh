#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: tools/ci/gpu-check.sh [FOLDER] [--peers PEERS] [--output FILE] [--seconds N]
# On a machine with an NVIDIA GPU and its driver: runs what tools/ci/pack-gpu-check.sh has packed into FOLDER (gpu-check)
# or FOLDER.tar.xz, conformance first, then speed, beside the PyTorch programs in PEERS (FOLDER/peers) where they are
# there. Writes one JSON file, by default bench/results/gpu-<name of the GPU>.json. Ends within 8 minutes; exit code 0
# only if all that ran passed.
exec python3 "$(dirname "$0")/gpu_check.py" "$@"
