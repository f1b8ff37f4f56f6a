#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks and times Bifocal on an NVIDIA GPU; see gpu-check.sh."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_kernels

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 460  # seconds, for everything
DRIVER_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/local/nvidia/lib64", "/usr/lib64")


def rows_of(text: str) -> list[dict[str, Any]]:
    """The lines of JSON in what a program said, which may have ended within one."""
    rows = []
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict)]


class Check:
    """One run of the suite: what it found, and how much of the time is left."""

    def __init__(self, folder: Path, peers: Path | None, budget: float, card: str | None) -> None:
        self.folder, self.peers, self.budget, self.card = folder, peers, budget, card
        self.begin = time.monotonic()
        self.results: list[dict[str, Any]] = []
        self.left_out: list[list[Any]] = []

    def left(self) -> float:
        return self.budget - (time.monotonic() - self.begin)

    def run(self, command: list[str], limit: float, cwd: Path | None = None) -> tuple[int, str, str]:
        limit = min(limit, self.left())
        if limit < 5:
            return -1, "", "no time is left"
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, cwd=cwd)
        except subprocess.TimeoutExpired as late:
            said = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
            return 124, said, f"took longer than {limit:.0f} s"
        return done.returncode, done.stdout, done.stderr

    def program(self, name: str, *arguments: str) -> list[str]:
        """A packed program, with the libraries that were packed with it."""
        loader = next((self.folder / "lib").glob("ld-linux*"), None)
        binary = str(self.folder / "bin" / name)
        if loader is None:
            return [binary, *arguments]
        driver = [folder for folder in DRIVER_FOLDERS if (Path(folder) / "libcuda.so.1").exists()]
        path = ":".join([str(self.folder / "lib"), *driver])
        return [str(loader), "--library-path", path, binary, *arguments]

    def add(self, kind: str, name: str, passed: bool, **more: Any) -> None:
        self.results.append({"kind": kind, "name": name, "passed": passed, **more})
        print(f"{self.left():4.0f} s left: {'pass' if passed else 'FAIL'} {kind} {name}", file=sys.stderr, flush=True)

    def write(self, output: Path | None, machine: dict[str, str]) -> Path:
        """What there is so far, whatever happened."""
        name = re.sub(r"[^a-z0-9]+", "-", machine["name"].lower()).strip("-")
        path = output or ROOT / "bench" / "results" / f"gpu-{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = time.monotonic() - self.begin
        document = {"date": time.strftime("%Y-%m-%d"), "gpu": machine, "seconds": seconds, "left_out": self.left_out}
        path.write_text(json.dumps(document | {"results": self.results}, indent=1) + "\n")
        return path

    def conformance(self) -> None:
        for model in sorted((self.folder / "models").glob("tiny-*.bifocal")):
            code, said, problem = self.run(self.program("bifocal-conformance", str(model), "--device=cuda"), 60)
            lines = said.splitlines()
            failures = [*lines[:-1][:20], problem[-2000:]]
            self.add("conformance", model.stem, code == 0, summary=lines[-1:], failures=failures)

    def kernels(self) -> None:
        """Our kernels beside a copy of memory, and beside the best of PyTorch's ways to write the same."""
        path = str(self.folder / "models" / "kernels.bifocal")
        shape = f"--shape=B={gpu_kernels.BATCH},T={gpu_kernels.STEPS}"
        card = ["--card", self.card] if self.card else []
        program = self.program("bench-entries", path, "--device=cuda", "--json", "--repeat=5", shape, *card)
        code, said, problem = self.run(program, 60)
        ours = rows_of(said)
        peers, copy = self.kernel_peers()
        for row in ours:
            peer = peers.get(row["entry"])
            more = {"ours": row, "peer": peer, "ratio": peer["us"] / row["us"] if peer else None}
            if copy:
                more["share_of_copy"] = row["gb_per_s"] / copy
            self.add("kernel", row["entry"], True, **more)
        if code != 0:
            self.add("kernel", "all", False, problem=problem[-2000:])

    def kernel_peers(self) -> tuple[dict[str, Any], float | None]:
        if self.peers is None:
            return {}, None
        script = ROOT / "tools" / "ci" / "gpu_kernels.py"
        _, said, _ = self.run([sys.executable, str(script), "peers", str(self.peers)], 90)
        rows = rows_of(said)
        copies = [row["copy_gb_per_s"] for row in rows if "copy_gb_per_s" in row]
        return {row["entry"]: row for row in rows if "entry" in row}, copies[0] if copies else None

    def step(self, model: str, tokens: int, *more: str) -> dict[str, Any]:
        path = self.folder / "models" / f"{model}.bifocal"
        arguments = [str(path), "--device=cuda", "--json", "--max-tokens", str(tokens), "--steps=30", "--warmup=70"]
        code, said, problem = self.run(self.program("bench-step", *arguments, *more), 60)
        rows = rows_of(said)
        return (rows[-1] if rows else {}) | ({"problem": problem[-2000:]} if code or not rows else {})

    def peer(self, verb: str, model: str, precision: str, mode: str, *more: str) -> dict[str, Any]:
        """Over few batches, all of which it has seen before: the library prepares each new shape for seconds."""
        if self.peers is None:
            return {"problem": "no peers"}
        command = [sys.executable, "bench.py", verb, "--model", model, "--device", "cuda", "--precision", precision,
                   "--mode", mode, "--json", "--steps", "4", "--warmup", "4", *more]  # fmt: skip
        code, said, problem = self.run(command, 90, cwd=self.peers)
        rows = rows_of(said)
        return rows[-1] if code == 0 and rows else {"problem": problem[-2000:]}

    def training(self, model: str, precision: str, tokens: int, *more: str) -> None:
        """Ragged batches, or blocks; `more` goes to the peer, which runs as written."""
        ours = self.step(f"{model}-{precision}", tokens)
        peer = self.peer("train", model, precision, "eager", "--max-tokens", str(tokens), *more)
        self.compare("training", f"{model} {precision} {tokens}", ours, peer)

    def training_compiled(self, model: str, precision: str, tokens: int) -> None:
        """Batches of one shape, so that the peer compiles once."""
        ours = self.step(f"{model}-{precision}", tokens, "--bucket", "20", "31", "32")
        peer = self.peer("train", model, precision, "compile", "--max-tokens", str(tokens), "--lengths", "20", "31",
                         "--buckets", "32")  # fmt: skip
        self.compare("training, compiled peer", f"{model} {precision} {tokens}", ours, peer)

    def compare(self, kind: str, name: str, ours: dict[str, Any], peer: dict[str, Any]) -> None:
        measured = "tokens_per_s" in ours and "tokens_per_s" in peer
        ratio = ours["tokens_per_s"] / peer["tokens_per_s"] if measured else None
        self.add(kind, name, "problem" not in ours, ours=ours, peer=peer, ratio=ratio)

    def profile(self, model: str, precision: str, tokens: int) -> None:
        ours = self.step(f"{model}-{precision}", tokens, "--profile")
        self.add("profile", f"{model}-{precision} {tokens}", "problem" not in ours, ours=ours)

    def decoding(self, model: str, precision: str) -> None:
        path = self.folder / "models" / f"{model}-{precision}.bifocal"
        options = ["--device=cuda", "--json", "--steps=4", "--warmup=4"]
        code, said, problem = self.run(self.program("bench-generate", str(path), *options), 60)
        rows = rows_of(said)
        ours = rows[-1] if code == 0 and rows else {"problem": problem[-2000:]}
        self.compare("decoding", f"{model} {precision}", ours, self.peer("generate", model, precision, "eager"))

    def all(self) -> None:
        # The library prepares convolutions of its own anew for each shape; products of bands it has at once.
        bands = ("--conv", *(f"light_conv:{width}=band" for width in (3, 7, 15, 31)))
        steps: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
            (self.conformance, ()),
            (self.kernels, ()),
            (self.training, ("lightconv_iwslt_de_en", "bf16", 4096)),
            (self.training, ("dynamicconv_iwslt_de_en", "bf16", 4096)),
            (self.training, ("transformer_iwslt_de_en", "bf16", 4096)),
            (self.training, ("lite_transformer", "bf16", 4096)),
            (self.training, ("diff_lm_small", "bf16", 8192)),
            (self.training, ("transformer_xl_enwik8_small", "bf16", 8192)),
            (self.training, ("adaptive_span_enwik8_small", "bf16", 8192)),
            (self.decoding, ("lightconv_iwslt_de_en", "f32")),
            (self.decoding, ("dynamicconv_iwslt_de_en", "f32")),
            (self.decoding, ("transformer_iwslt_de_en", "f32")),
            (self.profile, ("lightconv_iwslt_de_en", "bf16", 4096)),
            (self.profile, ("transformer_xl_enwik8_small", "bf16", 8192)),
            (self.training, ("lightconv_iwslt_de_en", "bf16", 512)),
            (self.training, ("lightconv_iwslt_de_en", "bf16", 16384, *bands)),
            (self.training, ("lightconv_iwslt_de_en", "f32", 4096, *bands)),
            (self.training_compiled, ("lightconv_iwslt_de_en", "bf16", 4096)),
        ]
        for step, arguments in steps:
            if self.left() < 15:
                print(f"no time is left for {step.__name__} {' '.join(map(str, arguments))}", file=sys.stderr)
                self.left_out.append([step.__name__, *arguments])
            else:
                step(*arguments)


def gpu() -> dict[str, str]:
    query = "name,driver_version,memory.total,clocks.max.sm"
    try:
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}
    if done.returncode != 0 or not done.stdout.strip():
        return {}
    values = [value.strip() for value in done.stdout.splitlines()[0].split(",")]
    return dict(zip(query.split(","), values, strict=False))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "gpu-check", help="what pack-gpu-check.sh made")
    parser.add_argument("--peers", type=Path, help="folder of the PyTorch programs")
    parser.add_argument("--output", type=Path, help="the JSON file")
    parser.add_argument("--seconds", type=float, default=BUDGET, help="the most time that it takes")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    archive = options.folder.with_name(options.folder.name + ".tar.xz")
    if not options.folder.exists() and archive.exists():
        with tarfile.open(archive) as packed:
            packed.extractall(options.folder, filter="tar")
    if not (options.folder / "bin").is_dir():
        parser.error(f"expects the folder that pack-gpu-check.sh made, or {archive}, but there is none")
    machine = gpu()
    if not machine:
        print("error: nvidia-smi names no GPU", file=sys.stderr)
        return 7
    packed_peers = options.folder / "peers"
    peers = options.peers or (packed_peers if packed_peers.is_dir() else None)
    card = next((card for card in ("a100", "h100", "h200") if card in machine["name"].lower()), None)
    check = Check(options.folder.resolve(), peers.resolve() if peers else None, options.seconds, card)
    try:
        check.all()
    finally:
        document = check.write(options.output, machine)
    failed = sum(not result["passed"] for result in check.results)
    print(f"{len(check.results) - failed} passed, {failed} failed; {document}")
    return 0 if failed == 0 else 8


if __name__ == "__main__":
    sys.exit(main())
