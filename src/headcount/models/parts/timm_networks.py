"""timm, with a network more: ``efficientnet_half``, EfficientNet-Lite's blocks at about half the width.

Channels times 0.55, repeats times 0.6: 0.7 million parameters. A crowd counter on it is published with weights, trained
on JHU-CROWD++ (huangzuo/effcc_distilled, MIT); its backbone can be started from. What stands between its convolutions
is not told: with hard swish or SiLU its counts follow the crowd, with ReLU or ReLU6 they do not; hard swish is the
quicker one.
"""

from __future__ import annotations

from typing import Any

import timm
from timm.models import register_model
from timm.models.efficientnet import EfficientNet, _gen_efficientnet_lite
from torch import nn

__all__ = ["efficientnet_half", "timm"]


@register_model
def efficientnet_half(pretrained: bool = False, **options: Any) -> EfficientNet:
    """The network; ``options`` are those of timm's other networks."""
    options = {"act_layer": nn.Hardswish, **options}
    network: EfficientNet = _gen_efficientnet_lite(  # type: ignore[no-untyped-call]
        "efficientnet_lite0", 0.55, 0.6, pretrained=pretrained, **options
    )
    return network
