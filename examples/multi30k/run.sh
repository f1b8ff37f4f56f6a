#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: examples/multi30k/run.sh DATA_FOLDER [WORK_FOLDER]
# Trains German to English on Multi30k and prints BLEU of test_2016_flickr as the minutes of training pass, of the weights
# that had the lowest validation loss until then.
# DATA_FOLDER has train, val and test_2016_flickr as <part>.<language>.txt, gzipped or not.
# Environment: MODEL (light_conv, dynamic_conv, lite_transformer, transformer), MARKS (minutes of training, default "5 10 25 45"),
# THREADS (default: all cores), BIFOCAL (the program).
set -euo pipefail

if [[ $# -lt 1 ]]; then
  sed -n '3,8s/^# //p' "$0"
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$1
model=${MODEL:-light_conv}
work=${2:-$root/multi30k-work/$model}
marks=${MARKS:-5 10 25 45}
threads=${THREADS:-0}
bifocal=${BIFOCAL:-$root/build/bin/bifocal}
mkdir -p "$work"

for part in train val test_2016_flickr; do
  for language in de en; do
    if [[ -f $data/$part.$language.txt ]]; then
      cp "$data/$part.$language.txt" "$work/$part.$language"
    else
      gzip -dc "$data/$part.$language.txt.gz" >"$work/$part.$language"
    fi
  done
done
"$bifocal" prepare --source-lang de --target-lang en --train "$work/train" --valid "$work/val" \
  --test "$work/test_2016_flickr" --model bpe --vocab-size 6000 --joint -o "$work/data"
"$bifocal" compile "$here/$model.toml" -o "$work/$model.bifocal"

rm -rf "$work/run"
before=0
for mark in $marks; do
  "$bifocal" train "$work/$model.bifocal" "$work/data" -o "$work/run" --resume auto --threads "$threads" \
    --max-time "$(awk "BEGIN { print $mark - $before }")m" --log-every 500
  before=$mark
  # Nothing is validated before the first epoch ends.
  weights=best
  [[ -f $work/run/best.safetensors ]] || weights=last
  "$bifocal" generate "$work/$model.bifocal" --weights "$work/run/$weights.safetensors" --data "$work/data" \
    --threads "$threads" --beam 5 <"$work/test_2016_flickr.de" >"$work/hypotheses.$mark.en"
  printf '%s minutes of training, %s weights: ' "$mark" "$weights"
  "$bifocal" score --reference "$work/test_2016_flickr.en" "$work/hypotheses.$mark.en"
done
