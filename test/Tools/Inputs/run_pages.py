#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the commands of documents, one page after the other in one shell: run_pages.py ROOT PAGE... [--small OLD=NEW]...

Commands are those in blocks marked `sh`; `shell` is for what cannot run in a test. Blocks marked `toml` are specs, which
the compiler must accept. The shell works in the current folder,
where links to what a checkout has make the commands work as written. --small makes something smaller; it must be there,
so that no replacement outlives its text.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path


def accepted(spec: str) -> str:
    return f"cat > block.toml <<'END'\n{spec}END\nbifocal inspect block.toml > block.txt\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--small", action="append", default=[], metavar="OLD=>NEW")
    args = parser.parse_args()
    blocks = []
    for page in args.pages:
        found = re.findall(r"^```(sh|toml)\n(.*?)^```$", (args.root / page).read_text(), re.MULTILINE | re.DOTALL)
        assert found, f"{page} has no commands"
        blocks += [text if kind == "sh" else accepted(text) for kind, text in found]
    script = "".join(blocks)
    for small in args.small:
        old, new = small.split("=>")
        if old not in script:
            sys.exit(f"expects {old!r} in the commands")
        script = script.replace(old, new)
    for name in ("examples", "build"):
        Path(name).symlink_to(args.root / name)
    sys.exit(subprocess.run(["bash", "-euxo", "pipefail", "-c", script], check=False).returncode)


if __name__ == "__main__":
    main()
