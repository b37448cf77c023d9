"""The names in public checkpoints of CSRNet, CANNet and MCNN, and how the code that wrote them reads an image.

A table beside the methods, which are ``csrnet.py``, ``cannet.py`` and ``mcnn.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from headcount.models.weights import ForeignWeights

# Our layers of VGG-16 have their ReLU in them; theirs are counted one by one.
_FRONT = zip((0, 1, 3, 4, 6, 7, 8, 10, 11, 12), (0, 2, 5, 7, 10, 12, 14, 17, 19, 21), strict=True)
_CSRNET = {
    **{f"backbone.layers.{ours}.0.": f"frontend.{theirs}." for ours, theirs in _FRONT},
    "back_end.": "backend.",
    "last.": "output_layer.",
}
_CANNET = {
    **_CSRNET,
    **{f"context.scales.{scale}.": f"context.scales.{scale}.1." for scale in range(4)},
    "context.weight.": "context.weight_net.",
    "context.bottleneck.0.": "context.bottleneck.",
}
_MCNN = {
    **{
        f"backbone.columns.{column}.{ours}.": f"DME.branch{column + 1}.{theirs}.conv."
        for column in range(3)
        for ours, theirs in ((0, 0), (3, 2), (6, 4), (8, 5))
    },
    "last.": "DME.fuse.0.conv.",
}

_TRAINED_ON = MappingProxyType(
    {
        name: MappingProxyType(dict[str, Any]())
        for name in ("shanghaitech-a", "shanghaitech-b", "ucf-cc-50", "ucf-qnrf", "worldexpo10")
    }
)
"""Nothing of how an image is read depends on the data set."""


def _by(names: Mapping[str, str]) -> Callable[[str, Mapping[str, Any]], str]:
    def their_name(key: str, options: Mapping[str, Any]) -> str:
        ours = next(ours for ours in names if key.startswith(ours))
        return names[ours] + key.removeprefix(ours)

    return their_name


def _csrnet(keys: Collection[str]) -> dict[str, Any] | None:
    ends = any(key.startswith("frontend.") for key in keys) and any(key.startswith("backend.") for key in keys)
    return {} if ends and not any(key.startswith("context.") for key in keys) else None


def _cannet(keys: Collection[str]) -> dict[str, Any] | None:
    """Whether the back end has batch norms, which the authors' code and others' differ in.

    >>> _cannet(["context.scales.0.1.weight", "backend.0.weight", "backend.1.running_mean"])
    {'batch_norm': True}
    """
    if not any(key.startswith("context.scales.") for key in keys):
        return None
    return {"batch_norm": "backend.1.running_mean" in keys}


def _mcnn(keys: Collection[str]) -> dict[str, Any] | None:
    return {} if any(key.startswith("DME.branch1.") for key in keys) else None


CSRNET = ForeignWeights(
    title="CSRNet",
    telling='no "frontend…" and "backend…" without "context…"',
    options_of=_csrnet,
    options={"density_activation": "linear"},
    data=_TRAINED_ON,
    their_name=_by(_CSRNET),
)
CANNET = ForeignWeights(
    title="CANNet",
    telling='no "context.scales…"',
    options_of=_cannet,
    options={"density_activation": "linear"},
    data=_TRAINED_ON,
    their_name=_by(_CANNET),
)
MCNN = ForeignWeights(
    title="MCNN",
    telling='no "DME.branch1…"',
    options_of=_mcnn,
    # Gray levels from 0 to 255, nothing taken off.
    options={"in_channels": 1, "mean": [0.0], "std": [1 / 255], "read_as_authors": True},
    data=_TRAINED_ON,
    their_name=_by(_MCNN),
)
