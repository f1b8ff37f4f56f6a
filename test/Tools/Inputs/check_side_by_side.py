#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_side_by_side.py SIDE_BY_SIDE PEERS: runs it with programs of known figures in place of all that it measures."""

import json
import pathlib
import subprocess
import sys

COMPILE = """import pathlib, sys
spec = pathlib.Path(sys.argv[2]).read_text()
assert "vocabulary = 8000" in spec and 'share_embeddings = "all"' in spec, spec
pathlib.Path(sys.argv[sys.argv.index("-o") + 1]).write_text("artifact")
"""
BENCH = 'print(\'{"tokens_per_s": 300.0, "peak_bytes": 400, "parameters": 7}\')\n'


def make_programs(folder: pathlib.Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in {"bifocal": COMPILE, "bench-step": BENCH, "bench-generate": BENCH}.items():
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)


def main() -> None:
    side_by_side, peers = sys.argv[1:]
    make_programs(pathlib.Path("bin"))
    done = subprocess.run(
        [sys.executable, side_by_side, "train,generate", "--peers", peers, "--bin", "bin", "--python", sys.executable,
         "--max-tokens", "1000", "--rounds", "3", "--threads", "2", "--precisions", "f32,int8"],
        capture_output=True, text=True, check=False)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert len(rows) == 14, sorted(rows)

    light = rows["train lightconv_iwslt_de_en 1000 f32"]
    assert (light["ours"], light["peer"], light["ratio"], light["goal"]) == (300.0, 200.0, 1.5, ">= 1.4"), light
    assert light["against"] == "PyTorch compile" and light["peer_range"] == [180.0, 600.0], light
    assert light["all"] == {"ours": 300.0, "PyTorch eager": 100.0, "PyTorch compile": 200.0}, light
    assert light["parameters"] == {"ours": 7} and light["machine"]["threads"] == 2, light
    memory = rows["train lightconv_iwslt_de_en 1000 f32 memory"]
    assert (memory["ours"], memory["peer"], memory["ratio"], memory["goal"]) == (400, 1000, 0.4, "<= 0.5"), memory

    # One mode fails: the other one counts, and the row says why it stands alone.
    dynamic = rows["train dynamicconv_iwslt_de_en 1000 f32"]
    assert dynamic["against"] == "PyTorch eager" and dynamic["ratio"] == 3.0, dynamic
    assert "no kernel for this" in dynamic["problems"]["PyTorch compile"], dynamic
    assert done.returncode == 1, done

    assert rows["generate transformer_iwslt_de_en f32 beside CTranslate2"]["ratio"] == 3.0, rows
    assert rows["generate lightconv_iwslt_de_en f32"]["goal"] == ">= 2.5", rows
    assert "skipped" in rows["generate transformer_iwslt_de_en int8"], rows
    table = done.stderr.splitlines()
    assert len(table) == 15 and "1.50 >= 1.4  PyTorch compile" in table[1], done.stderr


if __name__ == "__main__":
    main()
