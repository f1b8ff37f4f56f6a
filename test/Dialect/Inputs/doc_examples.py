# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the examples of all op descriptions as one module that can be parsed.

An example of an op that stands in a function gets a function whose arguments are the op's operands; what stands at the
top level of a module is printed as it is. Every op must have an example.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DEFINITION = re.compile(r'^def \w+Op : \w+<"(\w+)"(.*?)^}', re.S | re.M)
EXAMPLE = re.compile(r"```mlir\n(.*?)```", re.S)
# Terminators are part of the example of the op that they end; steps of a plan need an entry around them.
INSIDE_ANOTHER = {"yield", "return"}
TOP_LEVEL = {"param", "state", "kernel", "entry"}

# What the names of operands stand for in the examples of `tile`, whose types are not all printed.
TILE_OPERANDS = {
    r"x|y|slab|keys|stack": "!llvm.ptr", r"stride|low|high|columns|c72": "i64", r"rows": "vector<256xi16>", r"[ab]\d": "vector<64xi16>",
    r"c\d|values": "vector<64xf32>",
}  # fmt: skip

PRELUDE = """\
bifocal.param @fc1.bias : tensor<1024xf32> init {kind = "zeros"}
bifocal.state @self.key : tensor<?x?x512xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x512xf32> dims ["P", "R", ""]
bifocal.state @self.positions : tensor<?x512xf32> dims ["P", ""]
bifocal.state @cross.key : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @cross.value : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]
"""


def split_types(text: str) -> list[str]:
    """The types of a comma-separated list."""
    return re.findall(r"tensor<[^>]*>", text)


def operand_types(example: str) -> dict[str, str]:
    """The operands that an op reads, with their types."""
    if "bifocal.map" in example:
        return {value: kind for value, kind in re.findall(r"= (%\w+) : (tensor<[^>]*>)", example)}
    read = example.split(" = ", 1)[-1] if example.lstrip().startswith("%") else example
    operands, signature = re.split(r"\s:\s(?=\(|tensor<)", read, maxsplit=1)[:2]
    names = re.findall(r"%\w+", operands)
    types = split_types(signature.split("->")[0])
    return dict(zip(names, types if len(types) > 1 else types * len(names)))


def tile_operand_types(example: str) -> dict[str, str]:
    names = re.findall(r"%(\w+)", example.split(" = ", 1)[-1])
    return {f"%{name}": kind for name in names for names_of, kind in TILE_OPERANDS.items() if re.fullmatch(names_of, name)}


def in_function(name: str, example: str) -> str:
    types = tile_operand_types(example) if "tile." in example else operand_types(example)
    arguments = ", ".join(f"{operand}: {kind}" for operand, kind in types.items())
    return f"func.func @example_{name}({arguments}) {{\n{example}  return\n}}\n"


def in_entry(name: str, example: str) -> str:
    buffers = [value for value in sorted(set(re.findall(r"%\w+", example))) if f"{value} =" not in example]
    declared = "".join(f'{buffer} = plan.buffer arena class 0 at 0 size 2048 "f32"\n' for buffer in buffers)
    return f'plan.entry @entry_{name} symbols ["N"] attributes {{inputs = [], outputs = []}} {{\n{declared}{example}}}\n'


def main() -> None:
    module, missing = [PRELUDE], []
    for file in sorted(Path(sys.argv[1]).rglob("*.td")):
        for name, body in DEFINITION.findall(file.read_text()):
            found = EXAMPLE.search(body)
            if not found:
                missing.append(name)
            elif name in TOP_LEVEL:
                module.append(found[1])
            elif name not in INSIDE_ANOTHER:
                module.append((in_entry if file.stem == "PlanOps" else in_function)(name, found[1]))
    if missing:
        sys.exit(f"expects an example of every op, but these have none: {', '.join(missing)}")
    print("\n".join(module))


main()
