#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Meets verbs with archives that are whole, but say what cannot be: hostile_artifacts.py ARTIFACT DATA WEIGHTS.

The manifest has no digest of its own, so anything may stand in it. (The plan and the kernels have; unit tests repack
them.)
"""

import copy
import json
import subprocess
import sys
import zipfile
from pathlib import Path

ARTIFACT, DATA, WEIGHTS = sys.argv[1:4]
HOSTILE = "hostile.bifocal"
INSPECT = ["inspect", HOSTILE]
EVALUATE = ["evaluate", HOSTILE, DATA, "--weights", WEIGHTS]
GENERATE = ["generate", HOSTILE, "--weights", WEIGHTS, "--data", DATA, "--input", f"{DATA}/dict.txt"]
TRAIN = ["train", HOSTILE, DATA, "-o", "hostile-run", "--threads", "1", "--max-update", "1"]

with zipfile.ZipFile(ARTIFACT) as archive:
    WHOLE = {name: archive.read(name) for name in archive.namelist()}
MANIFEST = json.loads(WHOLE["manifest.json"])
HOST = next(name for name in WHOLE if name.startswith("host/"))
problems = []


def expect(
    what: str, files: dict[str, bytes], command: list[str], codes: set[int], compression: int = zipfile.ZIP_STORED
) -> None:
    """Packs the files and runs the command on them."""
    with zipfile.ZipFile(HOSTILE, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    done = subprocess.run(["bifocal", *command], capture_output=True, check=False, timeout=60)
    errors = done.stderr.decode(errors="replace")
    if done.returncode not in codes or (0 not in codes and "error: " not in errors):
        problems.append(f"{what}: `bifocal {' '.join(command)}` has the exit code {done.returncode}, {errors[-300:]!r}")


def expect_manifest(path: str, value: object, command: list[str], codes: set[int]) -> None:
    """Sets what stands at `a.b.0` in the manifest; `...` removes it."""
    manifest = copy.deepcopy(MANIFEST)
    *folders, last = path.split(".")
    node = manifest
    for key in folders:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value is ...:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    expect(f"{path} = {value}", {**WHOLE, "manifest.json": json.dumps(manifest).encode()}, command, codes)


def main() -> None:
    expect("the whole", WHOLE, INSPECT, {0})
    for name in WHOLE:
        expect(f"without {name}", {n: d for n, d in WHOLE.items() if n != name}, INSPECT, {4})
        expect(f"{name} empty", {**WHOLE, name: b""}, INSPECT, {4})
    expect("compressed", WHOLE, INSPECT, {4}, zipfile.ZIP_DEFLATED)
    expect("an object that nobody lists", {**WHOLE, "host/x86-64-v9.so": b"x"}, INSPECT, {4})
    expect("no JSON", {**WHOLE, "manifest.json": b"[" * 100_000}, INSPECT, {4})
    expect("kernels that are none", {**WHOLE, HOST: WHOLE["plan.json"]}, EVALUATE, {4})
    expect_manifest("format", MANIFEST["format"] + 1, INSPECT, {5})
    expect_manifest("format", 1e300, INSPECT, {4})
    for path in ("model", "training", "parameters", "states", "digest", "spec_hash", "trained_elements"):
        expect_manifest(path, ..., INSPECT, {4})
        expect_manifest(path, None, INSPECT, {4})
    expect_manifest("parameter_elements", 2**62, INSPECT, {4})
    expect_manifest("parameters.0.shape", [2**40, 2**40], INSPECT, {4})
    expect_manifest("parameters.0.shape", [1], EVALUATE, {4})
    expect_manifest("parameters.0.offset", 2**62, INSPECT, {4})
    expect_manifest("parameters.0.name", "\x1b[2J", EVALUATE, {4})
    expect_manifest("model.max_positions", ..., GENERATE, {4})
    expect_manifest("model.max_positions", -1, GENERATE, {2, 4})
    expect_manifest("model.max_positions", 2**62, GENERATE, {0})
    expect_manifest("model.target_vocabulary", 2**40, EVALUATE, {2, 4})
    expect_manifest("model.source_vocabulary", "many", EVALUATE, {4})
    expect_manifest("training.max_tokens", -1, TRAIN, {4})
    expect_manifest("training.update_freq", 0, TRAIN, {4})
    expect_manifest("training.schedule", [], TRAIN, {4})
    expect_manifest("training.schedule.name", "magic", TRAIN, {2, 4})
    expect_manifest("training.schedule.lr", -1, TRAIN, {2, 4})
    expect_manifest("training.optimizer.betas", [1, 2, 3], TRAIN, {4})
    expect_manifest("training.optimizer.betas", [0.9, 1.5], TRAIN, {4})
    expect_manifest("states.0.dims", [2**40, 2**40], GENERATE, {2, 4})
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    Path("hostile-run").mkdir(exist_ok=True)
    main()
