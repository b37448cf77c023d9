"""The page on the loss alone: its examples run as they stand there."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from headcount.losses.focal import mask_focal_loss

PAGE = Path(__file__).parents[2] / "docs" / "mask-focal-loss.md"


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    """What the page's examples define, run one after the other."""
    torch.manual_seed(0)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_the_example_of_the_loss(ran: dict[str, Any]) -> None:
    expected = 0.5**4 * math.log(2) + 0.5**5  # of the head's middle
    expected += 2 * (-(0.1**4) * math.log(0.9) + 0.6**0.5 * 0.1**5)
    expected += 12 * (0.5**4 * math.log(2) + 0.5**5)
    assert ran["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert (ran["logits"].grad[0, 0, 1] < 0).tolist() == [False, True, True, True, False]


def test_retinanet_learns_by_the_loss(ran: dict[str, Any]) -> None:
    losses, detector = ran["losses"], ran["detector"]
    assert set(losses) == {"classification", "bbox_regression"}
    assert all(loss.isfinite() for loss in losses.values())
    grads = [one.grad for name, one in detector.named_parameters() if "classification" in name]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
    assert any(grad.abs().max() > 0 for grad in grads)
    optimiser = torch.optim.Adam(detector.parameters(), lr=5e-4)
    seen = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = detector(ran["images"], ran["targets"])
        loss["classification"].backward()
        optimiser.step()
        seen.append(loss["classification"].item())
    assert min(seen) < 0.7 * seen[0]
    detector.eval()
    with torch.no_grad():
        assert {"boxes", "scores"} <= set(detector(ran["images"])[0])


def test_retinanet_s_loss_is_that_of_its_anchors(ran: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []

    def noted(*tensors: Any, **options: Any) -> Any:
        seen.append(tensors)
        return mask_focal_loss(*tensors, **options)

    monkeypatch.setitem(ran, "mask_focal_loss", noted)
    detector = ran["detector"].train()
    detector(ran["images"], ran["targets"])
    heat, mask = seen[0][1:]
    assert mask.sum() > 0
    assert ((heat > 0) <= (mask > 0)).all()
    assert 0 < heat.max() <= 1
    assert not seen[1][2].any()  # of the image of nobody
