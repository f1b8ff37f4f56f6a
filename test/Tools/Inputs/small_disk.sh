#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Trains on a disk that becomes too small for two checkpoints, then on the same one when it is read-only, then when it
# has room again. Wants a mount namespace of its own, and tiny.bifocal and data in the current folder.
set -eu
mkdir disk
mount -t tmpfs -o size=2m none disk
train() { bifocal train tiny.bifocal data -o disk/run --threads 1 "$@"; }

train --max-update 21
cp disk/run/last.safetensors before.safetensors
mount -o remount,size=300k disk
code=0
train --max-update 42 --resume=auto || code=$?
echo "full: exit code $code"
cmp before.safetensors disk/run/last.safetensors
ls disk/run

mount -o remount,ro disk
code=0
train --max-update 42 --resume=auto || code=$?
echo "read-only: exit code $code"
code=0
(cd disk && exec bifocal doctor) || code=$?
echo "doctor: exit code $code"

mount -o remount,rw,size=2m disk
train --max-update 42 --resume=auto
cp disk/run/last.safetensors after.safetensors
