"""Networks as they are published: whole, with the names that their weights have in timm."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def whole_network(name: str) -> nn.Module:
    """timm's network of a name, with its classifier; its tensors have shapes, and no memory."""
    from headcount.models.parts.timm_networks import timm  # a second to import

    with torch.device("meta"):
        whole: nn.Module = timm.create_model(name, pretrained=False)
    return whole


def names_in_whole(own: Iterable[str], whole: Iterable[str]) -> dict[str, str]:
    """A tensor of timm's ``features_only`` network → its name in the whole one.

    timm writes the parts of it that it has taken apart with ``_`` (``features_0``) and others behind ``model``.

    >>> names_in_whole(["stages_0.conv.weight", "model.norm.bias"], ["stages.0.conv.weight", "norm.bias", "head.bias"])
    {'stages_0.conv.weight': 'stages.0.conv.weight', 'model.norm.bias': 'norm.bias'}
    """
    known: dict[str, str] = {}
    for key in whole:
        parts = key.split(".")
        for cut in range(1, len(parts)):
            known.setdefault("_".join(parts[:cut]) + "." + ".".join(parts[cut:]), key)
        known[key] = key
    found = {key: known.get(key) or known.get(key.removeprefix("model.")) for key in own}
    return {key: name for key, name in found.items() if name is not None}
