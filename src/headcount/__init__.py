"""headcount: count and locate people in crowds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headcount.core.errors import HeadcountError, InputError, MissingExtraError, ModelError
    from headcount.core.prediction import Prediction
    from headcount.core.scene import Scene
    from headcount.infer.counter import Counter, load

__version__ = "0.1.0"
__all__ = [
    "Counter", "HeadcountError", "InputError", "MissingExtraError", "ModelError", "Prediction", "Scene",
    "__version__", "load",
]  # fmt: skip

# Resolved on first use, so that `headcount --help` does not load numpy.
_HOME = {
    "Counter": "headcount.infer.counter", "load": "headcount.infer.counter",
    "HeadcountError": "headcount.core.errors", "InputError": "headcount.core.errors",
    "MissingExtraError": "headcount.core.errors", "ModelError": "headcount.core.errors",
    "Prediction": "headcount.core.prediction", "Scene": "headcount.core.scene",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'headcount' has no attribute {name!r}")
