"""The loss of labels: what tells a detector's cells or anchors that are a head from those that are not.

Both losses take α as the paper prints it, one factor of all terms. With hard labels the Mask Focal Loss is the focal
loss with its polynomial term, and nothing more; labels between 0 and 1 let it act.
"""

from __future__ import annotations

from pydantic import field_validator
from pydantic_core.core_schema import ValidationInfo
from torch import Tensor

from headcount.losses.focal import focal_loss, mask_focal_loss
from headcount.models.detection.base import DetectorSettings

_GAMMA, _ALPHA, _BETA = 2.0, 0.25, 0.5  # of all detectors but CenterNet


class LabelSettings(DetectorSettings):
    """Options of a detector whose labels are hard: a cell or an anchor is a head, or it is not."""

    soft_targets: bool = False
    """Whether the label of a cell or an anchor of a head is not 1, but the heat of the head there: a Gaussian, as wide
    as CenterNet's (Eq. 10)."""

    @field_validator("soft_targets")
    @classmethod
    def _of_the_mask_focal_loss(cls, soft: bool, info: ValidationInfo) -> bool:
        if soft and info.data.get("loss") == "focal":
            raise ValueError("the focal loss takes hard labels alone: false, or loss mask_focal, was expected")
        return soft


def label_loss(
    settings: DetectorSettings, logits: Tensor, label: Tensor, positive: Tensor, *, num_objects: float | Tensor
) -> Tensor:
    """The loss that ``settings`` name, over tensors of one shape: −α/N · Σ, in float32.

    Args:
        settings: ``loss``, ``gamma``, ``alpha``, ``beta`` and ``poly_eps``; those that are None are the paper's.
        logits: of being a head.
        label: what the probability should be where ``positive`` is 1, in 0…1; the focal loss takes it for 1.
        positive: 1 where a head is, else 0.
        num_objects: N; below 1 it counts as 1.
    """
    gamma = _GAMMA if settings.gamma is None else settings.gamma
    alpha = _ALPHA if settings.alpha is None else settings.alpha
    logits, label, positive = logits.float(), label.float(), positive.float()
    if settings.loss == "focal":
        return focal_loss(
            logits, positive, gamma=gamma, alpha=alpha, poly_eps=settings.poly_eps or 0.0, num_objects=num_objects
        )
    return mask_focal_loss(
        logits, label, positive, gamma=gamma, beta=_BETA if settings.beta is None else settings.beta, alpha=alpha,
        poly_eps=1.0 if settings.poly_eps is None else settings.poly_eps, num_objects=num_objects,
    )  # fmt: skip
