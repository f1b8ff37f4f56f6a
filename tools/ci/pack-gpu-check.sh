#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: tools/ci/pack-gpu-check.sh [FOLDER] [PEERS]
# Makes what tools/ci/gpu-check.sh needs on a machine with a GPU: the programs of a build without the compiler, their
# libraries, compiled models and kernels, and the PyTorch programs in PEERS where that is given. FOLDER is gpu-check by
# default; all of it is also in FOLDER.tar.xz, which has at most 64 MiB.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/gpu-check}
peers=${2:+$(realpath "$2")}
compiler=$root/build/bin/bifocal
if [[ ! -x $compiler ]]; then
  echo "error: expects build/bin/bifocal: run make build" >&2
  exit 3
fi
cd "$root"
cmake --preset runtime-only >/dev/null
cmake --build --preset runtime-only --target bifocal bifocal-conformance bench-step bench-generate bench-entries

rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/lib" "$folder/models"
for program in bifocal bifocal-conformance bench-step bench-generate bench-entries; do
  strip -o "$folder/bin/$program" "build-runtime/bin/$program"
done
# Everything down to the C library: the other machine need not have the same system. The driver's library is not among
# them, it is looked up where the programs run.
ldd "$folder"/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | sort -u |
  while read -r library; do
    cp -L "$library" "$folder/lib/"
  done

target=cpu,cuda:sm_80,cuda:sm_90
for mixer in light_conv dynamic_conv attention branches language_model diff_attention relative_attention span_attention; do
  for precision in f32 bf16; do
    "$compiler" compile "test/Devices/Inputs/$mixer.toml" --precision "$precision" --target="$target" \
      -o "$folder/models/tiny-$mixer-$precision.bifocal"
  done
done
for preset in lightconv dynamicconv transformer; do
  for precision in f32 bf16; do
    "$compiler" compile --preset "${preset}_iwslt_de_en" --precision "$precision" --target="$target" \
      -o "$folder/models/${preset}_iwslt_de_en-$precision.bifocal"
  done
done
# Families that see far; presets, and what the peers have under the same names.
for model in lite_transformer transformer_xl_enwik8_small adaptive_span_enwik8_small; do
  "$compiler" compile "bench/models/$model.toml" --precision bf16 --target="$target" -o "$folder/models/$model-bf16.bifocal"
done
"$compiler" compile --preset diff_lm_small --precision bf16 --target="$target" -o "$folder/models/diff_lm_small-bf16.bifocal"
python3 tools/ci/gpu_kernels.py ir |
  "$compiler" compile - --compile-from=import --target=cuda:sm_80,cuda:sm_90 -o "$folder/models/kernels.bifocal"
if [[ -n $peers ]]; then
  mkdir "$folder/peers"
  cp "$peers"/*.py "$folder/peers/"
fi
archive=$folder.tar.xz
tar -C "$folder" -c . | xz -T0 -3 >"$archive"
bytes=$(stat -c %s "$archive")
echo "$archive: $bytes bytes"
if ((bytes > 64 << 20)); then
  echo "error: expects at most $((64 << 20)) bytes" >&2
  exit 6
fi
