# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lit suite: every `.mlir` and `.test` file below this folder."""

import os
from pathlib import Path

import lit.formats

config.name = "Bifocal"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = config.bifocal_test_dir

root = Path(__file__).resolve().parent.parent
path = [config.bifocal_bin_dir, config.llvm_tools_dir, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
# Figures must not depend on the machine's thread count unless a test says so.
for name in ("OMP_NUM_THREADS", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%{root}", str(root)))
config.substitutions.append(("%{build}", str(Path(config.bifocal_bin_dir).parent)))

shared = Path(os.environ.get("BIFOCAL_SHARED", root.parent / "shared"))
if shared.is_dir():
    config.available_features.add("shared-data")
    config.substitutions.append(("%{shared}", str(shared)))
