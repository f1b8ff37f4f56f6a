#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: tools/ci/kill-test.sh KILLS [SEED]
# Trains a small model without interruption, and once more with SIGKILL at KILLS random moments (of SEED, default 1):
# while it starts, computes updates, validates, writes checkpoints. It is resumed each time and has to end with the same
# bytes. BIFOCAL names the program (default: build/bin/bifocal). The last line is the verdict; exit codes: 0 survived,
# 1 not, 2 usage, 3 no program.
set -euo pipefail

if ! [[ $# -ge 1 && $# -le 2 && $1 =~ ^[1-9][0-9]*$ && ${2:-1} =~ ^[0-9]+$ ]]; then
  echo "error: expects kill-test.sh KILLS [SEED], KILLS >= 1 and SEED >= 0, but got '$*'" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bifocal=${BIFOCAL:-$root/build/bin/bifocal}
if ! command -v "$bifocal" >/dev/null; then
  echo "error: expects a program at '$bifocal'; \`make build\` makes it, BIFOCAL names another" >&2
  exit 3
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The demo's language and model, as small as a training can be that still spends its time in all of these moments.
python3 "$root/examples/demo/generate_pairs.py" "$work" --train 600
head -n 40 "$work/valid.de" >"$work/few.de"
head -n 40 "$work/valid.en" >"$work/few.en"
sed -e 's/^dim = .*/dim = 64/' -e 's/^vocabulary = .*/vocabulary = 200/' -e 's/^layers = .*/layers = 1/' \
  -e 's/^kernel_sizes = .*/kernel_sizes = [3]/' -e 's/^max_tokens = .*/max_tokens = 400/' \
  "$root/examples/demo/demo.toml" >"$work/small.toml"
"$bifocal" prepare --source-lang de --target-lang en --train "$work/train" --valid "$work/few" --model bpe \
  --vocab-size 200 -o "$work/data" 2>"$work/prepare.log" || { cat "$work/prepare.log" >&2; exit 1; }
"$bifocal" compile "$work/small.toml" --target cpu:native -o "$work/small.bifocal"
python3 "$here/kill_test.py" --kills "$1" --seed "${2:-1}" "$bifocal" "$work/small.bifocal" "$work/data" "$work"
