"""The names in the IIM authors' checkpoints, and what belongs to their training data but is not in them.

A table beside the method, which is ``method.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from headcount.models.weights import ForeignWeights

Prefixes = Mapping[str, str]
_Triple = tuple[float, float, float]

_ENCODER = {"threshold_encoder.layers.": "Binar.Threshold_Module."}
# Of VGG-16's layers, the authors' layer1 begins with the 0th, layer2 with the 23rd, layer3 with the 33rd.
_VGG = {
    f"backbone.network.features_{n}.": f"Extractor.layer{part}.{n - first}."
    for part, first, end in ((1, 0, 23), (2, 23, 33), (3, 33, 43))
    for n in range(first, end)
}
_PYRAMID = {
    f"neck.{ours}.{level}.{layer}.": f"Extractor.neck.{theirs}.{level}.{name}."
    for ours, theirs in (("laterals", "lateral_convs"), ("outputs", "fpn_convs"))
    for level in range(3)
    for layer, name in enumerate(("conv", "bn"))
}

# Predictor → the beginnings of our names and of theirs.
_NAMES: Mapping[str, Prefixes] = MappingProxyType(
    {
        "vgg16_bn_fpn": {**_VGG, **_PYRAMID, "head.layers.": "Extractor.de_pred.", **_ENCODER},
        # timm names HRNet's parts as the public network for segmentation does.
        "hrnet_w48": {"backbone.network.": "Extractor.", "head.layers.": "Extractor.last_layer.", **_ENCODER},
    }
)
_TELLING = {"vgg16_bn_fpn": "Extractor.neck.", "hrnet_w48": "Extractor.stage4."}


def _trained_on(mean: _Triple, std: _Triple, enlarge: float = 1.0) -> dict[str, Any]:
    """What the authors' networks take of a data set: normalised so, and enlarged by that factor."""
    return {"mean": mean, "std": std, "enlarge": enlarge}


_CCTV = (0.45201686, 0.44724965, 0.43198186), (0.23242046, 0.22492579, 0.22184023)
_DATA = MappingProxyType(
    {
        "nwpu-crowd": _trained_on((0.44613960, 0.40951568, 0.39508399), (0.28820574, 0.27814460, 0.28350237)),
        "shanghaitech-a": _trained_on((0.41082489, 0.37063497, 0.35968211), (0.27858058, 0.26925138, 0.27156368), 2.0),
        "shanghaitech-b": _trained_on(*_CCTV, 2.0),
        "ucf-qnrf": _trained_on((0.41352600, 0.37852016, 0.37161687), (0.28484946, 0.27704644, 0.28150985)),
        "fdst": _trained_on(*_CCTV),
        "jhu-crowd++": _trained_on((0.42968395, 0.43710491, 0.42197886), (0.23554939, 0.23256843, 0.23559505)),
    }
)


def _options_of(keys: Collection[str]) -> dict[str, Any] | None:
    """Which predictor the authors' names are of.

    >>> _options_of(["Extractor.neck.lateral_convs.0.conv.weight"])
    {'predictor': 'vgg16_bn_fpn'}
    """
    for predictor, telling in _TELLING.items():
        if any(key.startswith(telling) for key in keys):
            return {"predictor": predictor}
    return None


def _their_name(key: str, options: Mapping[str, Any]) -> str:
    """The authors' name of one of our tensors.

    >>> _their_name("backbone.network.features_24.weight", {"predictor": "vgg16_bn_fpn"})
    'Extractor.layer2.1.weight'
    """
    for ours, theirs in _NAMES[options["predictor"]].items():
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    raise AssertionError(f"the table of names lacks {key}")


FOREIGN = ForeignWeights(
    title="IIM",
    telling='neither "Extractor.neck…" (VGG-16) nor "Extractor.stage4…" (HRNet)',
    options_of=_options_of,
    data=_DATA,
    usual="nwpu-crowd",
    their_name=_their_name,
    unused=frozenset({"Binar.weight", "Binar.bias"}),
)
