"""What a backbone is to the methods."""

from __future__ import annotations

from torch import nn


class Backbone(nn.Module):
    """An image in, one feature map for each of ``strides`` out, of as many ``channels``."""

    channels: list[int]
    strides: list[int]
