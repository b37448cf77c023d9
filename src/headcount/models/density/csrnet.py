"""CSRNet (Li, Zhang, Chen, "CSRNet: Dilated Convolutional Neural Networks for Understanding the Highly Congested
Scenes", CVPR 2018), configuration B of its Table 3: VGG-16's first ten convolutions, six of dilation 2, stride 8.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from headcount.models.density.base import DensityNetwork, DensityNetworkSettings
from headcount.models.parts.classic import VggBackbone, dilated_back_end


class CsrNetSettings(DensityNetworkSettings):
    """Options of CSRNet; the defaults are the paper's network."""

    width: int = Field(default=64, ge=1)
    """Channels of the first convolutions, which all others follow; VGG-16's weights fit 64 alone."""


class CsrNet(DensityNetwork):
    """(b, c, h, w) → ``density`` (b, 1, h/8, w/8)."""

    settings_type = CsrNetSettings

    def __init__(self, settings: CsrNetSettings) -> None:
        super().__init__()
        width = settings.width
        self.backbone = VggBackbone(in_channels=settings.in_channels, width=width)
        self.back_end = dilated_back_end(8 * width, [factor * width for factor in (8, 8, 8, 4, 2, 1)])
        self._finish(settings, width)

    def features(self, images: Tensor) -> Tensor:
        back: Tensor = self.back_end(self.backbone(images)[0])
        return back
