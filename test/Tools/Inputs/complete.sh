#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Usage: complete.sh SCRIPT WORD...
# Prints what the completion in SCRIPT offers for a line of these words whose last one is being typed, one a line.
set -eu
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
set +eu
"$(complete -p bifocal | sed -E 's/.*-F ([^ ]+) .*/\1/')" bifocal
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
