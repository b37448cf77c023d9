"""The loss of labels, hard and soft."""

from __future__ import annotations

import pytest
import torch

from headcount.core.errors import InputError
from headcount.core.settings import checked
from headcount.losses.focal import focal_loss, mask_focal_loss
from headcount.models.detection.label_loss import LabelSettings, label_loss

DRAW = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(40, generator=DRAW)
HARD = (torch.rand(40, generator=DRAW) < 0.3).float()
SOFT = HARD * torch.rand(40, generator=DRAW)


def _loss(label: torch.Tensor, **settings: object) -> float:
    typed = LabelSettings.model_validate(settings)
    return float(label_loss(typed, LOGITS, label, HARD, num_objects=7))


def test_none_is_the_papers() -> None:
    focal = focal_loss(LOGITS, HARD, gamma=2, alpha=0.25, num_objects=7)
    mask_focal = mask_focal_loss(LOGITS, SOFT, HARD, gamma=2, beta=0.5, alpha=0.25, poly_eps=1, num_objects=7)
    assert _loss(HARD, loss="focal") == float(focal)
    assert _loss(SOFT, loss="mask_focal") == float(mask_focal)


def test_its_numbers_are_heard() -> None:
    expected = mask_focal_loss(LOGITS, SOFT, HARD, gamma=3, beta=0, alpha=0.7, poly_eps=0, num_objects=7)
    assert _loss(SOFT, gamma=3, beta=0, alpha=0.7, poly_eps=0) == float(expected)
    expected = focal_loss(LOGITS, HARD, gamma=1.5, alpha=0.4, poly_eps=0.5, num_objects=7)
    assert _loss(HARD, loss="focal", gamma=1.5, alpha=0.4, poly_eps=0.5) == float(expected)


def test_with_hard_labels_the_two_differ_by_the_polynomial_term_alone() -> None:
    assert _loss(HARD, poly_eps=0) == pytest.approx(_loss(HARD, loss="focal"), rel=1e-6)
    assert _loss(HARD) == pytest.approx(_loss(HARD, loss="focal", poly_eps=1), rel=1e-6)
    assert _loss(SOFT, loss="focal") == _loss(HARD, loss="focal")


def test_half_precision_is_computed_in_float32() -> None:
    logits = LOGITS.bfloat16()
    settings = LabelSettings()
    low = label_loss(settings, logits, SOFT, HARD, num_objects=7)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, label_loss(settings, logits.float(), SOFT, HARD, num_objects=7))


def test_the_focal_loss_takes_no_soft_labels() -> None:
    assert checked(LabelSettings, {"soft_targets": True}, "a.yaml").soft_targets
    with pytest.raises(InputError, match=r'"soft_targets" is True, but the focal loss takes hard labels alone'):
        checked(LabelSettings, {"loss": "focal", "soft_targets": True}, "a.yaml")
