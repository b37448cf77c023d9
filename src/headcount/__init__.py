"""headcount: count and locate people in crowds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headcount.core.errors import HeadcountError as HeadcountError
    from headcount.core.errors import InputError as InputError
    from headcount.core.errors import MissingExtraError as MissingExtraError
    from headcount.core.errors import ModelError as ModelError
    from headcount.core.prediction import Prediction as Prediction
    from headcount.core.scene import Scene as Scene
    from headcount.infer.counter import Counter as Counter
    from headcount.infer.counter import load as load

__version__ = "0.1.0"

# Whoever imports ONNX Runtime (torch's exporter may too): without this its import writes a device id into the home
# folder, and reports to its maker a few seconds later; its own disable_telemetry_events() comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Resolved on first use, so that `headcount --help` does not load numpy.
_HOMES = {
    "Counter": "headcount.infer.counter", "load": "headcount.infer.counter",
    "HeadcountError": "headcount.core.errors", "InputError": "headcount.core.errors",
    "MissingExtraError": "headcount.core.errors", "ModelError": "headcount.core.errors",
    "Prediction": "headcount.core.prediction", "Scene": "headcount.core.scene",
}  # fmt: skip
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'headcount' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
