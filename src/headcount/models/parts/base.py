"""What a backbone is to the methods."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn


class Backbone(nn.Module):
    """An image in, one feature map for each of ``strides`` out, of as many ``channels``."""

    channels: list[int]
    strides: list[int]

    def published_names(self) -> tuple[Mapping[str, str], set[str]]:
        """The name of one of its tensors → that in the network that is published, whole; and all names of that one.

        Both are empty where none is published.
        """
        return {}, set()
