# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What evaluations with the spec's memory, with the same length given, and with none have in common."""
import json
import sys

own, same, none = (json.load(open(path)) for path in sys.argv[1:])
assert own["nll"] == same["nll"], (own, same)
assert own["tokens"] == none["tokens"], (own, none)
assert own["nll"] < none["nll"], "a memory must help"
