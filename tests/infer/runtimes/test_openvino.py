"""OpenVINO in a process that signals reach."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import faulthandler, os, signal, sys
import numpy as np
import headcount
faulthandler.enable()
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
first = headcount.load(sys.argv[1], runtime="openvino")
second = headcount.load(sys.argv[1], runtime="openvino")
second.count(np.zeros((64, 64, 3), np.uint8))
del first
del second
os.kill(os.getpid(), signal.SIGTERM)
print("end")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_signal_reaches_a_process_whose_models_are_gone(tiny_model: str) -> None:
    """Where the processor has AMX, models that went in the order in which they came took the signals' stack along."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, tiny_model], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["told", "end"]), done.stderr
