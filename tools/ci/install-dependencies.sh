#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Installs what Bifocal needs on Debian 12. Safe to run twice: what is there is not installed again.
#   install-dependencies.sh            compiler, runtime, tests
#   install-dependencies.sh --torch    also LibTorch (the wheel's libraries), which the numerics tests compare with
# LibTorch goes to $BIFOCAL_TORCH_ENV (default: .torch in the checkout); a CUDA 13 toolkit, where there is one, lends its
# libraries, elsewhere the CPU numerics still link because nothing of CUDA is called.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

packages=(
  g++ make cmake ninja-build ccache mold pkg-config python3 python3-venv git
  llvm-19-dev libmlir-19-dev mlir-19-tools llvm-19-tools lld-19
  libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libsentencepiece-dev libzip-dev libxxhash-dev
  libgtest-dev libbenchmark-dev librapidcheck-dev xxhash
  clang-19 libclang-rt-19-dev libomp-19-dev
)

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}" >&2
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[ "${1:-}" = --torch ] || exit 0
environment=${BIFOCAL_TORCH_ENV:-$root/.torch}
if ! "$environment/bin/python" -c 'import torch' 2>/dev/null; then
  echo "installing LibTorch 2.11 into $environment" >&2
  python3 -m venv "$environment"
  "$environment/bin/pip" install -q --no-deps torch==2.11.0 nvidia-cusparselt-cu13==0.8.0 nvidia-nvshmem-cu13==3.4.5 nvidia-cufile \
    filelock typing-extensions sympy mpmath networkx jinja2 markupsafe fsspec numpy 'setuptools<82'
fi
