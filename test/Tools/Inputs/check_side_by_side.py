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
BENCH = """import sys
shape = " ".join(sys.argv)
assert ("--bucket 20 31 32" in shape) == ("--bucket" in shape)
print('{"tokens_per_s": %s, "peak_bytes": 400, "parameters": 7}' % (360.0 if "--bucket" in shape else 300.0))
"""


def make_programs(folder: pathlib.Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in {"bifocal": COMPILE, "bench-step": BENCH, "bench-generate": BENCH}.items():
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)


def run(side_by_side: str, peers: str, *options: str) -> tuple[subprocess.CompletedProcess, dict]:
    command = [sys.executable, side_by_side, "train,generate", "--peers", peers, "--bin", "bin", "--python",
               sys.executable, "--max-tokens", "1000", "--threads", "2", *options]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def check_all(done: subprocess.CompletedProcess, rows: dict) -> None:
    assert len(rows) == 16, sorted(rows)
    light = rows["train lightconv_iwslt_de_en 1000 f32"]
    # Eager 300 : 100, compiled, on batches of one shape, 360 : 200; the mode that does better against us counts.
    assert (light["ours"], light["peer"], light["ratio"], light["goal"]) == (360.0, 200.0, 1.8, ">= 1.4"), light
    assert light["against"] == "PyTorch compile" and light["peer_range"] == [180.0, 600.0], light
    assert light["all"]["PyTorch eager"]["ratio"] == 3.0 and "problems" not in light, light
    assert light["parameters"] == {"ours": 7, "peer": 7} and light["machine"]["threads"] == 2, light
    memory = rows["train lightconv_iwslt_de_en 1000 f32 memory"]
    # Compiled, the peer is smaller: that is the memory to compare with.
    assert (memory["ours"], memory["peer"], memory["ratio"], memory["goal"]) == (400, 800, 0.5, "<= 0.5"), memory

    # One mode fails: the other one counts, and the row says why it stands alone.
    dynamic = rows["train dynamicconv_iwslt_de_en 1000 f32"]
    assert dynamic["against"] == "PyTorch eager" and dynamic["ratio"] == 3.0, dynamic
    assert "no kernel for this" in dynamic["problems"]["PyTorch compile"], dynamic
    # The peers' Transformer has another number of parameters.
    transformer = rows["generate transformer_iwslt_de_en f32"]
    assert transformer["parameters"] == {"ours": 7, "peer": 8}, transformer
    assert transformer["problems"] == {"parameters": "differ: 7 and 8"}, transformer
    assert done.returncode == 1, done

    assert rows["generate transformer_iwslt_de_en f32 beside CTranslate2"]["ratio"] == 3.0, rows
    assert rows["generate lightconv_iwslt_de_en f32"]["goal"] == ">= 2.5", rows
    bytes_ = rows["generate transformer_iwslt_de_en int8 beside CTranslate2"]
    assert (bytes_["ratio"], bytes_["goal"]) == (3.0, ">= 1.5"), bytes_
    table = done.stderr.splitlines()
    assert len(table) == 17 and "1.80 >= 1.4  PyTorch compile" in table[1], done.stderr


def main() -> None:
    side_by_side, peers = sys.argv[1:]
    make_programs(pathlib.Path("bin"))
    check_all(*run(side_by_side, peers, "--rounds", "3", "--precisions", "f32,int8"))

    done, rows = run(side_by_side, peers, "--quick", "--only", "^generate light.* f32$", "--json")
    name = "generate lightconv_iwslt_de_en f32"
    assert list(rows) == [name, name + " memory"] and done.returncode == 0 and not done.stderr, done
    done, rows = run(side_by_side, peers, "--quick", "--only", "none")
    assert done.returncode == 2 and not rows and "error: no row is asked for" in done.stderr, done
    # A model that does not compile is a row with the reason, not the end.
    (pathlib.Path("bin") / "bifocal").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such preset')\n")
    done, rows = run(side_by_side, peers, "--quick", "--only", "f32$", "--precisions", "f32")
    assert done.returncode == 1 and len(rows) == 6, done
    assert all("no such preset" in row["problems"]["bifocal compile"] for row in rows.values()), rows


if __name__ == "__main__":
    main()
