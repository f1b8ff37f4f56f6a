# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Changes the epsilon of the first layer norm among a module's kernels for GPUs: plant.py FROM TO"""

import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text()
epsilon = "9.99999974E-6"
place = text.index(epsilon, text.index("gpu.module"))
Path(sys.argv[2]).write_text(text[:place] + "1.000000e-01" + text[place + len(epsilon) :])
