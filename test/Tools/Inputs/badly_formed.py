#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes files with one breach of each rule of lint.py, and what looks like one, into the folder where it runs."""

from pathlib import Path

SPDX = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"


def lines(count: int, text: str) -> str:
    return f"{text}\n" * count


def main() -> None:
    cpp = "// " + "x" * 118 + "\nnamespace n {\n"
    cpp += "const Row table(f())[] = {\n" + lines(65, "    1,") + "};\n\n"  # lines 3 to 69
    cpp += "int longOne(int a,\n            int b) {\n" + lines(57, "  ++a;") + "}\n"  # 71 to 130
    cpp += "struct S {\n  void declared();\n  void longTwo() const {\n" + lines(59, "    f();") + "  }\n};\n"
    cpp += "void shortOne() {\n" + lines(57, "  f();") + "}\n}\n"
    cpp += lines(400 - cpp.count("\n"), "// more")
    Path("bad.cpp").write_text(cpp)
    Path("bad.py").write_text(SPDX + "def f():\n" + lines(59, "    pass"))
    Path("bad.sh").write_text("#!/bin/sh\n")
    Path("notes.txt").write_text("Fine.\nLook into /" + "home/user/x, not $x/home/y or ./home/z.\n")


if __name__ == "__main__":
    main()
