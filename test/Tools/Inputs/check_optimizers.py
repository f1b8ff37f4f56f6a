# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a spec with each optimizer in one go and in two, and compares the checkpoints."""
import json
import pathlib
import subprocess
import sys

SPEC, DATA = sys.argv[1:]
OPTIMIZERS = {
    "adagrad": '{ name = "adagrad", clip = 0.03, lr_decay = 0.01, weight_decay = 0.001 }',
    "nag": '{ name = "nag", momentum = 0.9, weight_decay = 0.001 }',
    "sgd": '{ name = "sgd", momentum = 0.9 }',
    "adagrad-free": '{ name = "adagrad", lr_decay = 0.01, weight_decay = 0.001 }',
}


def run(*arguments: str) -> str:
    return subprocess.run(["bifocal", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def train(name: str, folder: str, updates: int, *more: str) -> list[float]:
    lines = run("train", f"{name}.bifocal", DATA, "-o", folder, "--max-update", str(updates), "--log-every", "1",
                "--log-format", "json", *more).splitlines()
    events = [json.loads(line) for line in lines]
    return [event["loss"] for event in events if event.get("event") == "update"]


def moments(folder: str) -> int:
    data = pathlib.Path(folder, "last.safetensors").read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return len({name.split(".")[1] for name in header if name.startswith("optimizer.")})


def tensors(folder: str) -> bytes:
    """What a checkpoint holds without its header, whose state has a time."""
    data = pathlib.Path(folder, "last.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little"):]


def main() -> None:
    text = pathlib.Path(SPEC).read_text(encoding="utf-8")
    for name, optimizer in OPTIMIZERS.items():
        kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("optimizer"))
        pathlib.Path(f"{name}.toml").write_text(f"{kept}\noptimizer = {optimizer}\n", encoding="utf-8")
        run("compile", f"{name}.toml", "--target", "cpu:native", "-o", f"{name}.bifocal")
        whole = train(name, f"{name}-whole", 12)
        assert whole[-1] < whole[0], whole
        train(name, f"{name}-parts", 5)
        train(name, f"{name}-parts", 12, "--resume=auto")
        assert tensors(f"{name}-whole") == tensors(f"{name}-parts"), name
        print(f"{name}: trained, resumed with equal bits, moments {moments(f'{name}-whole')}")
    assert tensors("adagrad-whole") != tensors("adagrad-free-whole")
    print("adagrad with clip: other weights than without")


main()
