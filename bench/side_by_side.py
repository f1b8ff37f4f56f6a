#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bifocal beside what a user would pick instead, on this machine, now.

Each row runs our program and the peers' in turn, round after round, and compares medians. One JSON line a row on
stdout: name, ours, peer, ratio, goal, unit, machine, and what the figures are made of. A table on stderr.

`--peers` is a folder with `bench.py` (PyTorch: `train` and `generate`, `--mode eager|compile`), `ct2_transformer.py`
(CTranslate2), which print one JSON line a run, and `models.py`, which builds the models of `PRESETS`. Both sides get
the same vocabulary, the same distribution of lengths, the same number of threads, and as many parameters within 1 %, or
the row says so. Compiled, PyTorch wants static shapes, so against that mode both sides train on batches of one shape,
sentences of 20 to 31 words padded to 32 steps; a row counts the mode that does better against us. Language models train
on blocks of 512 tokens. A model is a preset, or the spec in `bench/models` that is what the peers' preset of its name
is; `--models all` is every family.

Exit codes: 0 every row was measured, 1 a program failed (its row says how), 2 a wrong argument, 3 no peers or no Python
for them. A goal that is missed is a figure and not an error.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TRANSLATION = ("lightconv_iwslt_de_en", "dynamicconv_iwslt_de_en", "transformer_iwslt_de_en")
LANGUAGE = ("attention_lm_small", "diff_lm_small", "lightconv_lm_small", "adaptive_span_enwik8_small",
            "transformer_xl_enwik8_small")
ALL = (*TRANSLATION, "lite_transformer", *LANGUAGE)
VOCABULARY = 8000
LENGTHS, BUCKET = (20, 31), 32
SETUP = """The peers need PyTorch 2.11, numpy and, for decoding, ctranslate2 4.8.5 and safetensors, in the environment of
--python. `make setup-tests` installs PyTorch in .torch; the README of the peers' folder lists the rest."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="train, generate or both with a comma between")
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="folder of the peers' programs")
    parser.add_argument("--python", default=str(HERE.parent / ".torch/bin/python"), help="Python that runs them")
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "build/bin", help="our programs")
    parser.add_argument("--models", default=",".join(TRANSLATION),
                        help="presets and names in bench/models, with commas between, or all")
    parser.add_argument("--only", default="", help="rows whose name has a match of this regular expression")
    parser.add_argument("--max-tokens", default="1000,4000", help="sizes of training batches, with commas between")
    parser.add_argument("--precisions", default="f32,bf16,int8", help="element types, with commas between")
    parser.add_argument("--modes", default="eager,compile", help="modes of PyTorch to train in")
    parser.add_argument("--steps", type=int, default=8, help="training steps of a run; half as many batches of decoding")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=900, help="seconds that one run may take")
    parser.add_argument("--quick", action="store_true", help="one round of two steps, to see that all works")
    parser.add_argument("--json", action="store_true", help="no table")
    options = parser.parse_args()
    options.models = ALL if options.models == "all" else options.models.split(",")
    if options.quick:
        options.rounds, options.steps = 1, 2
    try:
        options.only = re.compile(options.only)
    except re.error as error:
        parser.error(f"--only expects a regular expression: {error}")
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


def run_text(command, timeout=60, **keywords):
    """What a program prints."""
    words = " ".join(map(str, command))
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout,
                              check=False, **keywords)
    except subprocess.TimeoutExpired:
        raise Failure(f"took longer than {timeout:g} s: {words}") from None
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Failure(f"ended with {done.returncode}: {words}: {last}")
    return done.stdout


def run(command, timeout, **keywords):
    """The last line of JSON that a program prints."""
    lines = [line for line in run_text(command, timeout, **keywords).splitlines() if line.startswith("{")]
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise Failure(f"expects a line of JSON from {' '.join(map(str, command))}") from None


def cpu():
    with open("/proc/cpuinfo") as file:
        lines = [line.partition(":") for line in file]
    facts = {key.strip(): value.strip() for key, _, value in lines}
    flags = facts.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
    return facts.get("model name", "unknown"), [flag for flag in wanted if flag in flags]


class Comparison:
    """Rows of runs in turn, and whether a program failed."""

    def __init__(self, options, machine):
        self.options, self.machine = options, machine
        self.failed, self.printed = False, 0

    def wants(self, name):
        return bool(self.options.only.search(name))

    def measure(self, pairs):
        """`pairs`: by the peer's name, our command and the peer's for the same work, each run once a round."""
        runs = {name: ([], []) for name in pairs}
        problems = {}
        for _ in range(self.options.rounds):
            for name, commands in pairs.items():
                if name in problems:
                    continue
                try:
                    for command, several in zip(commands, runs[name], strict=True):
                        several.append(run(command[0], self.options.timeout, **command[1]))
                except Failure as failure:
                    problems[name] = str(failure)
        # A pair that failed in a later round keeps the rounds that both sides finished.
        done = {}
        for name, (ours, peer) in runs.items():
            if peer:
                done[name] = (ours[: len(peer)], peer)
        return done, problems

    def rows(self, name, goal, memory_goal, pairs, peer_parameters=None):
        """One row for the tokens a second and one for the memory of the process."""
        done, problems = self.measure(pairs)
        if not done:
            return self.fail(name, goal, problems)
        rates = {key: self.compare(*([one["tokens_per_s"] for one in side] for side in sides))
                 for key, sides in done.items()}
        best = min(rates, key=lambda key: rates[key]["ratio"])
        row = {"name": name, "unit": "tokens/s", "goal": goal, "against": best, **rates[best], "all": rates}
        parameters = {"ours": done[best][0][0].get("parameters"), "peer": peer_parameters}
        if peer_parameters is not None:
            row["parameters"] = parameters
            if abs(parameters["ours"] - parameters["peer"]) > 0.01 * parameters["peer"]:
                problems["parameters"] = f"differ: {parameters['ours']} and {parameters['peer']}"
        if problems:
            self.failed, row["problems"] = True, problems
        self.print(row)
        peaks = {key: self.compare(*([one["peak_bytes"] for one in side] for side in sides))
                 for key, sides in done.items() if all("peak_bytes" in one for side in sides for one in side)}
        if memory_goal and peaks:
            worst = max(peaks, key=lambda key: peaks[key]["ratio"])
            self.print({"name": name + " memory", "unit": "bytes", "goal": memory_goal, "against": worst,
                        **peaks[worst], "all": peaks})

    def fail(self, name, goal, problems):
        self.failed = True
        self.print({"name": name, "ours": None, "peer": None, "ratio": None, "goal": goal, "problems": problems})

    @staticmethod
    def compare(ours, peer):
        mine, other = statistics.median(ours), statistics.median(peer)
        return {"ours": round(mine, 1), "peer": round(other, 1), "ratio": round(mine / other, 3),
                "ours_range": [min(ours), max(ours)], "peer_range": [min(peer), max(peer)]}

    def skip(self, name, goal, reason):
        if self.wants(name):
            self.print(
                {"name": name, "ours": None, "peer": None, "ratio": None, "goal": goal, "skipped": reason})

    def print(self, row):
        self.printed += 1
        row["machine"] = {**self.machine, "load_1m": round(os.getloadavg()[0], 2)}
        print(json.dumps(row), flush=True)
        if self.options.json:
            return
        if row["ratio"] is None:
            text = row.get("skipped") or "; ".join(f"{key}: {value}" for key, value in row["problems"].items())
        else:
            text = f"{row['ours']:>14,.1f} {row['peer']:>14,.1f} {row['ratio']:>7.2f} {row['goal']}  {row['against']}"
            text += "".join(f"; {key}: {value}" for key, value in row.get("problems", {}).items())
        print(f"{row['name']:<66}{text}", file=sys.stderr)


def compile_model(options, folder, model, precision):
    """The model as the peers have it; presets for translation get their vocabulary."""
    spec = HERE / "models" / f"{model}.toml"
    if not spec.is_file():
        spec = folder / f"{model}.toml"
        sizes = f'\n[model]\nvocabulary = {VOCABULARY}\nshare_embeddings = "all"\n' if model in TRANSLATION else ""
        spec.write_text(f'preset = "{model}"\n{sizes}')
    artifact = folder / f"{model}.{precision}.bifocal"
    done = subprocess.run([options.bin / "bifocal", "compile", spec, "-o", artifact, "--precision", precision,
                           "--target", "cpu:native"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"ended with {done.returncode}: {done.stderr.strip()}")
    return artifact


def count_parameters(options, model):
    """What the peers train; None where their folder cannot say."""
    program = (f"import json, models; model = models.build(models.PRESETS['{model}']); "
               "print(json.dumps({'count': sum(p.numel() for p in model.parameters() if p.requires_grad)}))")
    try:
        return run([options.python, "-c", program], options.timeout, cwd=options.peers)["count"]
    except Failure as failure:
        print(f"warning: the peers' parameters cannot be counted: {failure}", file=sys.stderr)
        return None


def peer_run(options, verb, model, *more):
    command = [options.python, "bench.py", verb, "--model", model, "--threads", options.threads, "--json", *more]
    return command, {"cwd": options.peers}


def our_run(options, program, artifact, *more):
    return [options.bin / program, artifact, "--threads", options.threads, "--json", *more], {}


def compare_model(comparison, options, kinds, scratch, model, precision):
    narrow = precision == "bf16"
    sizes = {f"train {model} {tokens} {precision}": tokens for tokens in options.max_tokens.split(",")}
    training = [name for name in sizes if "train" in kinds and comparison.wants(name)]
    translates = model not in LANGUAGE
    decoding = [name for name in [f"generate {model} {precision}"]
                if translates and "generate" in kinds and comparison.wants(name)]
    base = model in TRANSLATION
    goals = {"train": (">= 2.5" if base else ">= 2.2") if narrow else ">= 1.4", "generate": ">= 3" if narrow else ">= 2.5"}
    # Our kernels need both sets of a level of CPUs (docs/Artifact.md); the goals were set for machines with AMX.
    if narrow and not {"avx512_bf16", "avx512_vnni"} <= set(comparison.machine["isa"]):
        for name in training + decoding:
            comparison.skip(name, goals[name.split()[0]], "this CPU has no products of bf16: they are emulated")
        return
    if not training + decoding:
        return
    try:
        artifact = compile_model(options, scratch, model, precision)
    except Failure as failure:
        for name in training + decoding:
            comparison.fail(name, goals[name.split()[0]], {"bifocal compile": str(failure)})
        return
    parameters = count_parameters(options, model)
    for name in training:
        steps = ["--max-tokens", sizes[name], "--steps", options.steps]
        pairs = {}
        for mode in options.modes.split(","):
            static = mode == "compile" and translates
            mine = ["--bucket", *LENGTHS, BUCKET] if static else []
            theirs = ["--lengths", *LENGTHS, "--buckets", BUCKET] if static else []
            pairs[f"PyTorch {mode}"] = (
                our_run(options, "bench-step", artifact, *steps, *mine),
                peer_run(options, "train", model, "--mode", mode, "--precision", precision, *steps, *theirs))
        comparison.rows(name, goals["train"], "<= 0.5", pairs, parameters)
    for name in decoding:
        batches = ["--steps", max(1, options.steps // 2), "--batch", 32, "--beam", 5]
        pair = (our_run(options, "bench-generate", artifact, *batches),
                peer_run(options, "generate", model, "--precision", precision, *batches, "--warmup", 1))
        comparison.rows(name, goals["generate"], "<= 0.5", {"PyTorch eager": pair}, parameters)


def compare_ctranslate2(comparison, options, scratch, model, precision):
    """Its lengths are those of the batch, not of each sentence, so both sides write about as many tokens."""
    name = f"generate {model} {precision} beside CTranslate2"
    goal = ">= 1.5" if precision == "int8" else ">= 2"
    if not comparison.wants(name):
        return
    try:
        artifact = compile_model(options, scratch, model, precision)
    except Failure as failure:
        comparison.fail(name, goal, {"ours": str(failure)})
        return
    steps = ["--steps", max(1, options.steps // 2), "--batch", 32, "--beam", 5]
    peer = [options.python, "ct2_transformer.py", "--model", model, *steps, "--threads", options.threads,
            "--compute-type", "int8" if precision == "int8" else "float32", "--json"]
    comparison.rows(name, goal, "<= 0.5", {"CTranslate2": (our_run(options, "bench-generate", artifact, *steps),
                                                           (peer, {"cwd": options.peers}))},
                    count_parameters(options, model))


def main():
    options, kinds = arguments()
    model_name, isa = cpu()
    machine = {"cpu": model_name, "isa": isa, "cores": os.cpu_count(), "threads": options.threads}
    comparison = Comparison(options, machine)
    precisions = options.precisions.split(",")
    try:
        subprocess.run([options.python, "-c", "import torch, numpy"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print(f"error: '{options.python}' does not import torch and numpy. {SETUP}", file=sys.stderr)
        return 3
    if not options.json:
        print(f"{'':<66}{'ours':>14} {'peer':>14} {'ratio':>7} goal  against", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        for model in options.models:
            for precision in (one for one in ("f32", "bf16") if one in precisions):
                compare_model(comparison, options, kinds, scratch, model, precision)
            if "generate" in kinds and model == "transformer_iwslt_de_en":
                for precision in (one for one in ("f32", "int8") if one in precisions):
                    compare_ctranslate2(comparison, options, scratch, model, precision)
    if not comparison.printed:
        only = f" --only '{options.only.pattern}'" if options.only.pattern else ""
        print(f"error: no row is asked for by {','.join(kinds)} --precisions {options.precisions}{only}", file=sys.stderr)
        return 2
    return 1 if comparison.failed else 0


if __name__ == "__main__":
    sys.exit(main())
