#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: examples/enwik8/run.sh DATA_FOLDER [WORK_FOLDER]
# Trains small language models of bytes on the same text for the same time and prints what they are worth on its test part.
# DATA_FOLDER has train, valid and test as <part>.txt, gzipped or not.
# Environment: MODELS (presets, and specs in this folder without their .toml), MINUTES (of training, each; default 10),
# CONTEXT (tokens read before what is scored; default 128: what is behind the 256 steps of a block of training has
# positions that were not learned), THREADS (default: all cores), BIFOCAL (the program).
set -euo pipefail

if [[ $# -lt 1 ]]; then
  sed -n '3,8s/^# //p' "$0"
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$1
work=${2:-$root/enwik8-work}
models=${MODELS:-transformer_lm_enwik8_small lightconv_lm_enwik8_small dynamicconv_lm_enwik8_small
  rotary_lm_enwik8_small diff_lm_enwik8_small transformer_xl_enwik8_small adaptive_span_enwik8_small full_span}
minutes=${MINUTES:-10}
context=${CONTEXT:-128}
threads=${THREADS:-0}
bifocal=${BIFOCAL:-$root/build/bin/bifocal}
mkdir -p "$work"

for part in train valid test; do
  if [[ -f $data/$part.txt ]]; then
    cp "$data/$part.txt" "$work/$part.txt"
  else
    gzip -dc "$data/$part.txt.gz" >"$work/$part.txt"
  fi
done
"$bifocal" prepare --train "$work/train.txt" --valid "$work/valid.txt" --test "$work/test.txt" --model bytes -o "$work/data"

# member FILE KEY [OTHERWISE]: the value of a key of an object of JSON in the last line.
member() {
  python3 -c '
import json, sys
print(json.loads(open(sys.argv[1]).read().splitlines()[-1]).get(*sys.argv[2:]))' "$@"
}

# speed FILE: tokens a second over all updates of a log.
speed() {
  python3 -c '
import json, sys
updates = [json.loads(line) for line in open(sys.argv[1])]
print(sum(u["tokens_per_second"] * u["ms"] for u in updates) / sum(u["ms"] for u in updates))' "$1"
}

table="$work/table.txt"
printf '%-30s %12s %18s %14s %20s %10s\n' model parameters 'bits per character' tokens/s "updates in $minutes min" \
  'mean span' >"$table"
for model in $models; do
  spec=(--preset "$model")
  if [[ -f $here/$model.toml ]]; then
    spec=("$here/$model.toml")
  fi
  "$bifocal" compile "${spec[@]}" -o "$work/$model.bifocal"
  rm -rf "$work/$model"
  "$bifocal" train "$work/$model.bifocal" "$work/data" -o "$work/$model" --threads "$threads" --max-time "${minutes}m" \
    --max-update 0 --validate-every 500 --log-every 1 --log-format json 2>"$work/$model.log" >"$work/$model.json"
  grep '"event":"update"' "$work/$model.json" >"$work/$model.updates"
  # Rows of twice the context, of which the second half is scored. A model with a memory has its own context.
  case $model in
  transformer_xl_* | adaptive_span_* | full_span) reading=() ;;
  *) reading=(--tokens-per-sample $((2 * context)) --context-window "$context") ;;
  esac
  "$bifocal" evaluate "$work/$model.bifocal" "$work/data" --weights "$work/$model/last.safetensors" --split test \
    "${reading[@]}" --threads "$threads" --format json >"$work/$model.test"
  printf '%-30s %12s %18.4f %14.0f %20s %10.6s\n' "$model" \
    "$(sed -n 's/.* batches, \([0-9]*\) parameters.*/\1/p' "$work/$model.log")" \
    "$(member "$work/$model.test" bits_per_character)" "$(speed "$work/$model.updates")" \
    "$(member "$work/$model.updates" update)" "$(member "$work/$model.test" span_mean -)" >>"$table"
done
cat "$table"
