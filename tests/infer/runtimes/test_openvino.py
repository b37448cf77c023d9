"""OpenVINO's core is one for the process: it gives a thread a stack for signals, which must not go before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_MODELS = """
import faulthandler, os, signal, sys, threading
from headcount import load

came = []
faulthandler.enable()
signal.signal(signal.SIGTERM, lambda *_: came.append(1))
models = [load(sys.argv[1], runtime="openvino") for _ in range(3)]
order = {"first": [0, 0, 0], "last": [-1, -1, -1], "elsewhere": []}[sys.argv[2]]
if not order:
    thread = threading.Thread(target=models.clear)
    thread.start()
    thread.join()
for index in order:
    del models[index]
    os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
print(len(came))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("order", ["first", "last", "elsewhere"])
def test_a_signal_comes_through_in_whatever_order_models_go(tiny_model_dir: Path, order: str) -> None:
    """On processors with AMX the process died of it, without a word, where each model had a core of its own."""
    command = [sys.executable, "-c", _MODELS, str(tiny_model_dir / "tiny.onnx"), order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n" if order == "elsewhere" else "4\n")
