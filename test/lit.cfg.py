# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lit suite: every `.mlir` and `.test` file below this folder."""

import os
import shutil
import subprocess
import sys
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
if "HOME" in os.environ:
    config.environment["HOME"] = os.environ["HOME"]
# A test compiles what it says, and leaves nothing in anybody's home.
config.environment["BIFOCAL_CACHE_DIR"] = ""
# lit runs a test per core: each gets one thread unless it asks for more, and threads that wait leave their core.
config.environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
config.environment["OMP_WAIT_POLICY"] = "passive"

# Built only where LibTorch is.
if (Path(config.bifocal_bin_dir) / "bench-kernels").exists():
    config.available_features.add("torch")

# The assembler of the CUDA Toolkit, where codegen/cuda/PtxAssembler.h looks for it.
if home := os.environ.get("CUDA_HOME"):
    config.environment["CUDA_HOME"] = home
ptxas = Path(home) / "bin" / "ptxas" if home else shutil.which("ptxas") or config.bifocal_ptxas
if os.access(ptxas, os.X_OK):
    config.available_features.add("ptxas")

config.substitutions.append(("%{root}", str(root)))
config.substitutions.append(("%{build}", str(Path(config.bifocal_bin_dir).parent)))
# %{fails} CODE TEXT COMMAND: the command ends with this exit code and has the text among its diagnostics.
fails = root / "test" / "Tools" / "Inputs" / "fails.py"
config.substitutions.append(("%{fails}", f"{sys.executable} {fails}"))
# Programs under sanitizers: `make build-sanitized`.
sanitized = root / "build-sanitized" / "bin"
if (sanitized / "bifocal").exists():
    config.available_features.add("sanitized")
    # Leaks cannot be looked for where the process is traced; LLVM's libraries are no part of these programs.
    config.environment["ASAN_OPTIONS"] = "detect_leaks=0"
    config.environment["UBSAN_OPTIONS"] = "halt_on_error=1"
config.substitutions.append(("%{sanitized}", str(sanitized)))
# Whether a test can mount file systems where nobody else sees them: `unshare --map-root-user --mount`.
mount = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", str(root)]
if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
    config.available_features.add("mounts")
