#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: examples/demo/run.sh [WORK_FOLDER]
# Compiles a small LightConv model, teaches it numbers, dates, times and prices from German to English, and translates
# sentences it never saw. BIFOCAL names the program, THREADS the number of threads (default: all cores).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${1:-$root/demo-work}
bifocal=${BIFOCAL:-$root/build/bin/bifocal}
threads=${THREADS:-0}
mkdir -p "$work"

step() { printf '\n== %s\n' "$*"; }

step "sentences: 40,000 pairs to learn from, 300 with numbers and times that are not among them"
python3 "$here/generate_pairs.py" "$work"
"$bifocal" prepare --source-lang de --target-lang en --train "$work/train" --valid "$work/valid" --test "$work/test" \
  --model bpe --vocab-size 400 -o "$work/data"

step "compile $here/demo.toml"
"$bifocal" compile "$here/demo.toml" -o "$work/demo.bifocal"

step "train"
rm -rf "$work/run"
begin=$(date +%s)
"$bifocal" train "$work/demo.bifocal" "$work/data" -o "$work/run" --threads "$threads" --log-every 200
printf 'trained for %d s\n' $(($(date +%s) - begin))

step "translate $work/test.de"
"$bifocal" generate "$work/demo.bifocal" --weights "$work/run/best.safetensors" --data "$work/data" --threads "$threads" \
  <"$work/test.de" >"$work/test.hyp"
for line in 2 3 5 9 11; do
  printf '\n  source       %s\n' "$(sed -n ${line}p "$work/test.de")"
  printf '  translation  %s\n' "$(sed -n ${line}p "$work/test.hyp")"
  printf '  reference    %s\n' "$(sed -n ${line}p "$work/test.en")"
done
printf '\n'
"$bifocal" score --reference "$work/test.en" "$work/test.hyp" --exact-match
