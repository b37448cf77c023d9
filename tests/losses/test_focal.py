"""The focal family: the printed formulas, what equals what, and no prediction so wrong that it is not pulled back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from headcount.core.errors import InputError
from headcount.losses.focal import focal_loss, heatmap_focal_loss, mask_focal_loss

SHARED = Path(__file__).parents[3] / "shared" / "reference" / "losses.json"
Loss = Callable[..., Tensor]
LOSSES: dict[str, Loss] = {
    "focal": focal_loss, "heatmap_focal": heatmap_focal_loss, "mask_focal": mask_focal_loss,
}  # fmt: skip


def printed(loss: str, logits: Any, heat: Any, mask: Any, **options: Any) -> float:
    """The formulas as the paper has them, pixel by pixel, in numpy."""
    given = {"gamma": 2.0, "beta": 0.0, "alpha": 1.0, "poly_eps": 0.0, "num_objects": 1, "neg_beta": 0.0, **options}
    gamma, beta, eps = given["gamma"], given["beta"], given["poly_eps"]
    x, p, positive = (np.asarray(each, np.longdouble).ravel() for each in (logits, heat, mask))
    yes, no = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    total = np.longdouble(0)
    for k in range(len(x)):
        if loss == "mask_focal" and positive[k]:
            off = abs(p[k] - yes[k])
            rest = 1 - off if 0 < p[k] < 1 else (no[k] if p[k] == 0 else yes[k])
            on = given.get("beta_on") or ("poly" if eps else "log")
            total += (p[k] ** beta if on != "poly" else 1) * off**gamma * np.log(rest)
            total -= eps * (p[k] ** beta if on != "log" else 1) * off ** (gamma + 1)
        elif loss != "mask_focal" and p[k] == 1:
            total += no[k] ** gamma * np.log(yes[k]) - eps * no[k] ** (gamma + 1)
        else:
            power = {"focal": 0.0, "heatmap_focal": beta, "mask_focal": given["neg_beta"]}[loss]
            total += (1 - p[k]) ** power * (yes[k] ** gamma * np.log(no[k]) - eps * yes[k] ** (gamma + 1))
    return float(-given["alpha"] / given["num_objects"] * total)


def case(
    shape: tuple[int, ...] = (3, 1, 5, 4), dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[Tensor, ...]:
    """Logits, heat and mask; some heat is 0 or 1, some lies outside the mask."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=draw, dtype=torch.float64) * 4
    heat = torch.rand(shape, generator=draw, dtype=torch.float64)
    kind = torch.rand(shape, generator=draw)
    heat = torch.where(kind < 0.2, 1.0, torch.where(kind < 0.4, 0.0, heat))
    mask = ((kind < 0.2) | (kind > 0.6)).to(dtype)
    return logits.to(dtype), heat.to(dtype), mask


def value_and_gradient(loss: Loss, logits: Tensor, *targets: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, *targets, **options)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


def given_to(name: str, logits: Tensor, heat: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    targets = {"focal": ((heat == 1).to(heat.dtype),), "heatmap_focal": (heat,), "mask_focal": (heat, mask)}[name]
    return (logits, *targets)


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_golden_values(dtype: torch.dtype, relative: float) -> None:
    if not SHARED.is_file():
        pytest.skip("the reference values do not lie beside the project")
    for one in json.loads(SHARED.read_text(encoding="utf-8"))["cases"]:
        tensors = [torch.tensor(one[key], dtype=dtype) for key in ("logits", "target", "mask") if key in one]
        loss = LOSSES[one["loss"]]
        value, gradient = value_and_gradient(loss, *tensors, num_objects=one["num_objects"], **one["params"])
        assert value.dtype == dtype
        assert value.item() == pytest.approx(one["value"], rel=relative)
        np.testing.assert_allclose(gradient, one["grad"], atol=1e-5)


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.5, 4.0, 6.0])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("focal", {}),
        ("focal", {"poly_eps": 1.0, "alpha": 0.25, "num_objects": 7}),
        ("heatmap_focal", {"beta": 4.0}),
        ("heatmap_focal", {"beta": 1.5, "poly_eps": 0.5, "num_objects": 2.5}),
        ("mask_focal", {"beta": 0.25, "poly_eps": 0.0}),
        ("mask_focal", {"beta": 0.5, "poly_eps": 1.0, "alpha": 0.25}),
        ("mask_focal", {"beta": 0.5, "poly_eps": 1.0, "beta_on": "both", "neg_beta": 4.0}),
        ("mask_focal", {"beta": 0.75, "poly_eps": 2.0, "beta_on": "log", "neg_beta": 0.5}),
        ("mask_focal", {"beta": 0.0, "poly_eps": 0.0, "beta_on": "poly", "neg_beta": 1.0}),
    ],
)
def test_equals_the_printed_formula(
    name: str, options: dict[str, Any], gamma: float, dtype: torch.dtype, relative: float
) -> None:
    options = {"num_objects": 1, **options}
    logits, heat, mask = case(dtype=dtype, seed=int(10 * gamma))
    logits.view(-1)[:6] = torch.tensor([-80, -30, -12, 12, 30, 80])
    expected = printed(name, logits, heat, mask, gamma=gamma, **options)
    found = LOSSES[name](*given_to(name, logits, heat, mask), gamma=gamma, **options)
    assert found.item() == pytest.approx(expected, rel=relative)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("poly_eps", [0.0, 1.0])
def test_a_key_point_mask_makes_it_the_loss_of_centernet_to_the_last_bit(poly_eps: float, dtype: torch.dtype) -> None:
    logits, heat, _ = case((4, 1, 40, 40), dtype)
    points = (heat == 1).to(dtype)
    mine = value_and_gradient(
        mask_focal_loss, logits, heat, points, gamma=2.0, beta=0.0, neg_beta=4.0, poly_eps=poly_eps
    )
    theirs = value_and_gradient(heatmap_focal_loss, logits, heat, poly_eps=poly_eps)
    assert torch.equal(mine[0], theirs[0])
    assert torch.equal(mine[1], theirs[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("poly_eps", [0.0, 1.0])
@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("beta_on", [None, "log", "poly", "both"])
def test_hard_labels_make_it_focal_loss_to_the_last_bit(
    beta_on: str | None, beta: float, poly_eps: float, dtype: torch.dtype
) -> None:
    logits, _, labels = case((4, 1, 40, 40), dtype)
    options: dict[str, Any] = {"gamma": 2.0, "alpha": 0.25, "poly_eps": poly_eps, "num_objects": 3}
    mine = value_and_gradient(mask_focal_loss, logits, labels, labels, beta=beta, beta_on=beta_on, **options)
    theirs = value_and_gradient(focal_loss, logits, labels, **options)
    assert torch.equal(mine[0], theirs[0])
    assert torch.equal(mine[1], theirs[1])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_value(name: str, gamma: float) -> None:
    logits, *targets = given_to(name, *case())
    for poly_eps in (0.0, 1.0):

        def value(x: Tensor, eps: float = poly_eps) -> Tensor:
            return LOSSES[name](x, *targets, gamma=gamma, poly_eps=eps)

        assert gradcheck(value, (logits.requires_grad_(),))
        assert gradgradcheck(value, (logits.requires_grad_(),))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("logit", [80.0, 500.0, 20_000.0])
def test_a_hopeless_prediction_is_still_pulled_back(name: str, dtype: torch.dtype, gamma: float, logit: float) -> None:
    logits = torch.tensor([-logit, logit, logit, -logit], dtype=dtype)  # wrong, wrong, right, right
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0])
    targets = (labels, labels) if name == "mask_focal" else (labels,)
    with torch.autocast("cpu", torch.bfloat16):
        value, gradient = value_and_gradient(LOSSES[name], logits, *targets, gamma=gamma, poly_eps=0.0, num_objects=1)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(2 * logits[1].item(), rel=1e-6)
    np.testing.assert_allclose(gradient.float(), [-1, 1, 0, 0], atol=1e-30)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("heat", [1e-45, 1e-39, 1e-30, 1e-6, 0.3, 1 - 2**-24])
@pytest.mark.parametrize("logit", [-1000.0, -80.0, 0.0, 80.0, 1000.0])
def test_a_soft_target_stays_finite(gamma: float, heat: float, logit: float) -> None:
    value, gradient = value_and_gradient(
        mask_focal_loss, torch.tensor([logit]), torch.tensor([heat]), torch.ones(1), gamma=gamma, num_objects=1
    )
    assert value.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("heat", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("logit", [-30.0, -15.0, 15.0, 30.0])
def test_the_pull_towards_a_soft_target_fades_but_is_not_lost(heat: float, logit: float) -> None:
    tensors = [torch.tensor([each]) for each in (logit, heat, 1.0)]
    gradient = value_and_gradient(mask_focal_loss, *tensors, num_objects=1)[1]
    exact = value_and_gradient(mask_focal_loss, *(each.double() for each in tensors), num_objects=1)[1]
    assert gradient.item() != 0
    torch.testing.assert_close(gradient.double(), exact, rtol=1e-4, atol=0)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_pulled_where_the_heat_is_met(gamma: float, dtype: torch.dtype) -> None:
    logits = torch.tensor([0.0, 0.0, 200.0, -200.0], dtype=dtype)
    heat = torch.tensor([0.5, 0.5, 1.0, 0.0], dtype=dtype)
    value, gradient = value_and_gradient(mask_focal_loss, logits, heat, torch.ones(4), gamma=gamma)
    assert value.item() == pytest.approx(0, abs=1e-30)
    assert torch.equal(gradient.abs() < 1e-30, torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("name", LOSSES)
def test_without_heads_only_negatives_count_and_by_one(name: str) -> None:
    logits = case((2, 1, 6, 6), torch.float32)[0]
    nothing = torch.zeros_like(logits)
    targets = (nothing, nothing) if name == "mask_focal" else (nothing,)
    value, gradient = value_and_gradient(LOSSES[name], logits, *targets)
    assert value.item() == pytest.approx(LOSSES[name](logits, *targets, num_objects=1).item())
    assert (gradient > 0).all()
    for number in (0, 0.25, torch.tensor(0), torch.tensor(-3.0)):
        assert LOSSES[name](logits, *targets, num_objects=number).item() == value.item()


def test_the_number_of_heads_is_that_of_the_middles_if_none_is_given() -> None:
    logits, heat, mask = case(dtype=torch.float32)
    middles = int((heat == 1).sum())
    assert middles > 1
    assert mask_focal_loss(logits, heat, mask).item() == mask_focal_loss(logits, heat, mask, num_objects=middles).item()
    assert heatmap_focal_loss(logits, heat).item() == heatmap_focal_loss(logits, heat, num_objects=middles).item()
    half = mask_focal_loss(logits, heat, mask, num_objects=torch.tensor(2 * middles)).item()
    assert half == pytest.approx(mask_focal_loss(logits, heat, mask).item() / 2)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 4), (1,), (2, 3, 4, 5, 6)])
def test_any_shape(name: str, shape: tuple[int, ...]) -> None:
    tensors = given_to(name, *case(shape, torch.float32))
    value, gradient = value_and_gradient(LOSSES[name], *tensors)
    assert value.shape == ()
    assert value.isfinite()
    assert gradient.shape == shape


@pytest.mark.parametrize("name", LOSSES)
def test_of_each_image_by_vmap_it_is_the_same(name: str) -> None:
    tensors = given_to(name, *case((3, 1, 6, 6)))

    def alone(*images: Tensor) -> Tensor:
        return LOSSES[name](*images, num_objects=2)

    one_by_one = [value_and_gradient(alone, *images) for images in zip(*tensors, strict=True)]
    values, gradients = (torch.stack(each) for each in zip(*one_by_one, strict=True))
    torch.testing.assert_close(torch.vmap(alone)(*tensors), values)
    torch.testing.assert_close(torch.vmap(torch.func.grad(alone))(*tensors), gradients)


@pytest.mark.parametrize("label", [torch.bool, torch.uint8, torch.int64, torch.float64, torch.bfloat16])
def test_labels_and_masks_of_any_type(label: torch.dtype) -> None:
    logits, heat, mask = case(dtype=torch.float32)
    expected = mask_focal_loss(logits, heat, mask), focal_loss(logits, mask)
    assert mask_focal_loss(logits, heat, mask.to(label)).item() == expected[0].item()
    assert focal_loss(logits, mask.to(label)).item() == expected[1].item()


def test_a_nan_is_not_hidden() -> None:
    for name in LOSSES:
        logits, heat, mask = case(dtype=torch.float32)
        logits[0, 0, 0, 0] = float("nan")
        assert LOSSES[name](*given_to(name, logits, heat, mask)).isnan()


@pytest.mark.parametrize("name", LOSSES)
def test_another_shape_is_refused_by_name(name: str) -> None:
    logits, *targets = given_to(name, *case((2, 1, 4, 4), torch.float32))
    last = {"focal": "target", "heatmap_focal": "heat", "mask_focal": "mask"}[name]
    with pytest.raises(InputError, match=rf"^{last} must be .* \(2, 1, 4, 4\), but its shape is \(2, 4, 4\)\.$"):
        LOSSES[name](logits, *targets[:-1], targets[-1][:, 0])
    with pytest.raises(InputError, match=r"^num_objects must be one number, but its shape is \(2,\)\.$"):
        LOSSES[name](logits, *targets, num_objects=torch.ones(2))


def test_another_beta_on_is_refused() -> None:
    with pytest.raises(InputError, match='"log", "poly", "both" or None'):
        mask_focal_loss(*case(), beta_on="all")  # type: ignore[arg-type]


def test_imported_alone_it_brings_torch_and_nothing_of_training() -> None:
    code = (
        "import sys, headcount.losses.focal\n"
        "heavy = {'torchvision', 'timm', 'lightning', 'openvino', 'onnx', 'onnxruntime', 'cv2', 'PIL', 'pydantic',\n"
        "         'matplotlib', 'tensorboard', 'rich', 'typer'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_compiled_in_one_piece_it_is_the_same() -> None:
    torch._dynamo.reset()
    for name, loss in LOSSES.items():
        compiled = torch.compile(loss, fullgraph=True)
        tensors = given_to(name, *case((2, 1, 24, 24), torch.float32))
        value, gradient = value_and_gradient(compiled, *tensors)
        expected = value_and_gradient(loss, *tensors)
        torch.testing.assert_close(value, expected[0], rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient, expected[1], rtol=1e-5, atol=1e-7)
