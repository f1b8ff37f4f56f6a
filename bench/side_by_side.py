#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bifocal beside what a user would pick instead, on this machine, now.

Each row runs our program and the peers' in turn, round after round, and compares medians. One JSON line a row on
stdout: name, ours, peer, ratio, goal, unit, machine, and what the figures are made of. A table on stderr.

`--peers` is a folder with `bench.py` (PyTorch: `train` and `generate`, `--mode eager|compile`) and
`ct2_transformer.py` (CTranslate2), which print one JSON line a run. Both sides get the same vocabulary, the same
distribution of lengths, the same number of threads.

Exit codes: 0 every row was measured, 1 a program failed (its row says how), 2 a wrong argument, 3 no peers or no Python
for them. A goal that is missed is a figure and not an error.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODELS = ("lightconv_iwslt_de_en", "dynamicconv_iwslt_de_en", "transformer_iwslt_de_en")
VOCABULARY = 8000
SETUP = """The peers need PyTorch 2.11, numpy and, for decoding, ctranslate2 4.8.5 and safetensors, in the environment of
--python. `make setup-tests` installs PyTorch in .torch; the README of the peers' folder lists the rest."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="train, generate or both with a comma between")
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="folder of the peers' programs")
    parser.add_argument("--python", default=str(HERE.parent / ".torch/bin/python"), help="Python that runs them")
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "build/bin", help="our programs")
    parser.add_argument("--models", default=",".join(MODELS), help="presets, with commas between")
    parser.add_argument("--max-tokens", default="1000,4000", help="sizes of training batches, with commas between")
    parser.add_argument("--precisions", default="f32,bf16,int8", help="element types, with commas between")
    parser.add_argument("--modes", default="eager,compile", help="modes of PyTorch to train in")
    parser.add_argument("--steps", type=int, default=8, help="training steps a run; batches of decoding are half as many")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=900, help="seconds that one run may take")
    parser.add_argument("--json", action="store_true", help="no table")
    options = parser.parse_args()
    kinds = options.what.split(",")
    if not set(kinds) <= {"train", "generate"}:
        parser.error(f"expects train, generate or train,generate, but got '{options.what}'")
    if options.rounds < 1 or options.steps < 1 or options.threads < 1:
        parser.error("expects at least one round, one step and one thread")
    for program in ("bench.py", "ct2_transformer.py"):
        if not (options.peers / program).is_file():
            print(f"error: expects {program} in --peers, but '{options.peers}' has none", file=sys.stderr)
            sys.exit(3)
    return options, kinds


class Failure(Exception):
    pass


def run(command, timeout, **keywords):
    """The last line of JSON that a program prints."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout,
                              env=environment, check=False, **keywords)
    except subprocess.TimeoutExpired:
        raise Failure(f"took longer than {timeout:g} s: {' '.join(map(str, command))}") from None
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}") from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Failure(f"ended with {done.returncode}: {' '.join(map(str, command))}: {last}")
    return json.loads(lines[-1])


def cpu():
    with open("/proc/cpuinfo") as file:
        lines = [line.partition(":") for line in file]
    facts = {key.strip(): value.strip() for key, _, value in lines}
    flags = facts.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
    return facts.get("model name", "unknown"), [flag for flag in wanted if flag in flags]


class Comparison:
    """Runs in turn: `ours` and each of `peers` once a round."""

    def __init__(self, options, machine):
        self.options, self.machine, self.failed = options, machine, False

    def measure(self, ours, peers):
        runs = {"ours": [], **{name: [] for name in peers}}
        problems = {}
        for _ in range(self.options.rounds):
            for name, command in {"ours": ours, **peers}.items():
                if name in problems:
                    continue
                try:
                    runs[name].append(run(*command[:1], self.options.timeout, **command[1]))
                except Failure as failure:
                    problems[name] = str(failure)
        return runs, problems

    def rows(self, name, goal, memory_goal, ours, peers):
        """One row for the tokens a second and one for the memory of the process."""
        runs, problems = self.measure(ours, peers)
        rates = {key: [one["tokens_per_s"] for one in several] for key, several in runs.items() if several}
        measured = [key for key in peers if key in rates]
        if "ours" not in rates or not measured:
            self.failed = True
            return self.print({"name": name, "ours": None, "peer": None, "ratio": None, "goal": goal,
                               "problems": problems})
        best = max(measured, key=lambda key: statistics.median(rates[key]))
        row = {"name": name, "unit": "tokens/s", "goal": goal, "against": best,
               **self.compare(rates["ours"], rates[best])}
        row["all"] = {key: round(statistics.median(values), 1) for key, values in rates.items()}
        row["parameters"] = {key: several[0]["parameters"] for key, several in runs.items()
                             if several and "parameters" in several[0]}
        if problems:
            self.failed, row["problems"] = True, problems
        self.print(row)
        peaks = {key: [one["peak_bytes"] for one in runs[key]] for key in ("ours", best)
                 if runs[key] and runs[key][0].get("peak_bytes")}
        if memory_goal and len(peaks) == 2:
            self.print({"name": name + " memory", "unit": "bytes", "goal": memory_goal, "against": best,
                        **self.compare(peaks["ours"], peaks[best])})

    @staticmethod
    def compare(ours, peer):
        mine, other = statistics.median(ours), statistics.median(peer)
        return {"ours": round(mine, 1), "peer": round(other, 1), "ratio": round(mine / other, 3),
                "ours_range": [min(ours), max(ours)], "peer_range": [min(peer), max(peer)]}

    def skip(self, name, goal, reason):
        self.print({"name": name, "ours": None, "peer": None, "ratio": None, "goal": goal, "skipped": reason})

    def print(self, row):
        row["machine"] = self.machine
        print(json.dumps(row), flush=True)
        if self.options.json:
            return
        if row["ratio"] is None:
            text = row.get("skipped") or "; ".join(f"{key} {value}" for key, value in row["problems"].items())
        else:
            text = f"{row['ours']:>14,.1f} {row['peer']:>14,.1f} {row['ratio']:>7.2f} {row['goal']}  {row['against']}"
        print(f"{row['name']:<52}{text}", file=sys.stderr)


def compile_model(options, folder, model, precision):
    """The preset with the peers' vocabulary; `precision` is what the spec says."""
    spec = folder / f"{model}.{precision}.toml"
    spec.write_text(f'preset = "{model}"\n\n[model]\nvocabulary = {VOCABULARY}\nshare_embeddings = "all"\n\n'
                    f'[training]\nprecision = "{precision}"\n')
    artifact = spec.with_suffix(".bifocal")
    done = subprocess.run([options.bin / "bifocal", "compile", spec, "-o", artifact, "--target", "cpu:native"],
                          capture_output=True, text=True, check=False)
    return artifact if done.returncode == 0 else None, done.stderr.strip()


def main():
    options, kinds = arguments()
    model_name, isa = cpu()
    machine = {"cpu": model_name, "isa": isa, "cores": os.cpu_count(), "threads": options.threads}
    comparison = Comparison(options, machine)
    at_peers = {"cwd": options.peers}
    precisions = options.precisions.split(",")
    try:
        subprocess.run([options.python, "-c", "import torch, numpy"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"error: '{options.python}' does not import torch and numpy. {SETUP}", file=sys.stderr)
        return 3
    if not options.json:
        print(f"{'':<52}{'ours':>14} {'peer':>14} {'ratio':>7} goal  against", file=sys.stderr)

    with tempfile.TemporaryDirectory() as scratch:
        for model in options.models.split(","):
            for precision in (one for one in ("f32", "bf16") if one in precisions):
                compare_model(comparison, options, kinds, pathlib.Path(scratch), model, precision, at_peers)
            if "generate" in kinds and model.startswith("transformer") and "f32" in precisions:
                compare_ctranslate2(comparison, options, pathlib.Path(scratch), model, at_peers)
        if "generate" in kinds and "int8" in precisions:
            comparison.skip("generate transformer_iwslt_de_en int8", ">= 1.5", "int8 decoding is not in this version")
    return 1 if comparison.failed else 0


def peer_command(options, verb, model, *more):
    return [options.python, "bench.py", verb, "--model", model, "--threads", options.threads, "--json", *more]


def compare_model(comparison, options, kinds, scratch, model, precision, at_peers):
    narrow = precision == "bf16"
    names = [f"train {model} {tokens} {precision}" for tokens in options.max_tokens.split(",") if "train" in kinds]
    goals = {"train": ">= 2.5" if narrow else ">= 1.4", "generate": ">= 3" if narrow else ">= 2.5"}
    if narrow and "amx_bf16" not in comparison.machine["isa"]:
        for name in names + [f"generate {model} bf16"] * ("generate" in kinds):
            comparison.skip(name, goals[name.split()[0]], "this CPU has no AMX: bf16 is emulated")
        return
    artifact, problem = compile_model(options, scratch, model, precision)
    if not artifact:
        raise SystemExit(f"error: compiling {model} in {precision} failed: {problem}")
    ours = ["--threads", options.threads, "--json"]
    for name in names:
        tokens = name.split()[2]
        steps = ["--max-tokens", tokens, "--steps", options.steps]
        # Compiled, PyTorch wants static shapes: it pads to few lengths, and its batches are full.
        peers = {f"PyTorch {mode}": (peer_command(options, "train", model, "--mode", mode, "--precision", precision,
                                                  *steps), at_peers) for mode in options.modes.split(",")}
        comparison.rows(name, goals["train"], "<= 0.5",
                        ([options.bin / "bench-step", artifact, *steps, *ours], {}), peers)
    if "generate" in kinds:
        batches = ["--steps", max(1, options.steps // 2), "--batch", 32, "--beam", 5]
        peer = peer_command(options, "generate", model, "--precision", precision, *batches, "--warmup", 1)
        comparison.rows(f"generate {model} {precision}", goals["generate"], "<= 0.5",
                        ([options.bin / "bench-generate", artifact, *batches, *ours], {}),
                        {"PyTorch eager": (peer, at_peers)})


def compare_ctranslate2(comparison, options, scratch, model, at_peers):
    artifact, problem = compile_model(options, scratch, model, "f32")
    if not artifact:
        raise SystemExit(f"error: compiling {model} failed: {problem}")
    steps = max(1, options.steps // 2)
    ours = [options.bin / "bench-generate", artifact, "--steps", steps, "--batch", 32, "--beam", 5,
            "--threads", options.threads, "--json"]
    peer = [options.python, "ct2_transformer.py", "--steps", steps, "--threads", options.threads,
            "--compute-type", "float32", "--json"]
    comparison.rows(f"generate {model} f32 beside CTranslate2", ">= 2", None, (ours, {}),
                    {"CTranslate2 float32": (peer, at_peers)})


if __name__ == "__main__":
    sys.exit(main())
