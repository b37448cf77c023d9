"""What density networks share: targets, outputs and losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.losses.density import block_count_loss, density_mse
from headcount.models.method import TargetBatch
from headcount.models.parts.density import DensityOutput, DensitySettings, density_target, total_of
from headcount.models.table import build_method
from headcount.targets.density import adaptive_sigma, density_map

POINTS = np.array([[4.0, 5.0], [20.5, 9.5], [30.0, 20.0], [11.0, 22.0], [33.0, 3.0]])
SCENE = Scene(np.zeros((28, 36, 3), np.uint8), POINTS)


def test_the_target_is_the_density_of_the_chosen_kernel() -> None:
    settings = DensitySettings(density_sigma=2.0, kernel_size=7)
    expected = density_map(POINTS, (36, 28), density_sigma=2.0, kernel_size=7)
    np.testing.assert_array_equal(density_target(SCENE, settings), expected)
    adaptive = density_map(POINTS, (36, 28), density_sigma=adaptive_sigma(POINTS), kernel_size=None)
    np.testing.assert_array_equal(density_target(SCENE, DensitySettings(density_sigma="adaptive")), adaptive)


def test_the_target_is_empty_outside_the_region() -> None:
    region = np.zeros((28, 36), np.bool_)
    region[:14] = True
    found = density_target(Scene(SCENE.image, POINTS, region=region), DensitySettings())
    assert found[:14].max() > 0
    assert not found[14:].any()


def _loss(given: torch.Tensor, settings: DensitySettings, **maps: torch.Tensor) -> torch.Tensor:
    return total_of(DensityOutput(settings, 8).loss({"density": given}, TargetBatch(maps, {})))


def test_the_loss_is_the_chosen_one() -> None:
    one, other = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    assert _loss(one, DensitySettings(), density=other) == density_mse(one, other)
    blocks = DensitySettings(density_loss="blocks", blocks=(1, 4), comparison="l1")
    assert _loss(one, blocks, density=other) == block_count_loss(one, other, blocks=(1, 4), comparison="l1")


@pytest.mark.parametrize("method", ["csrnet", "cannet", "mcnn", "mask_aware"])
def test_every_cell_can_learn_where_training_starts(method: str) -> None:
    size = {} if method == "mcnn" else {"width": 8}
    for seed in (1, 5):  # of these, whole maps were 0 behind a ReLU
        torch.manual_seed(seed)
        network = build_method(method, {**size, "density_activation": "relu"})
        with torch.inference_mode():
            density = network(torch.rand(1, network.input_spec.channels, 48, 48) * 4 - 2)["density"]
        assert (density > 0).float().mean() > 0.9
        assert density.max() < 0.5


@pytest.mark.parametrize("activation", ["relu", "softplus", "linear"])
def test_the_label_scale_is_divided_out_of_maps_and_multiplies_what_is_compared(activation: str) -> None:
    raw = torch.randn(1, 1, 4, 4)
    plain, scaled = (
        DensityOutput(DensitySettings(density_activation=activation, label_scale=scale), 8) for scale in (1.0, 100.0)
    )
    torch.testing.assert_close(scaled.maps(raw)["density"] * 100, plain.maps(raw)["density"])
    density, target = torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4)
    torch.testing.assert_close(_loss(density, scaled.settings, density=target), density_mse(density, target) * 1e4)


@pytest.mark.parametrize("scale", [1.0, 0.5, 100.0])
def test_softplus_starts_near_one_person_in_twenty_cells_whatever_the_label_scale(scale: float) -> None:
    output = DensityOutput(DensitySettings(density_activation="softplus", label_scale=scale), 8)
    last = torch.nn.Conv2d(4, output.channels, 1)
    output.start(last)
    density = output.maps(last(torch.zeros(1, 4, 2, 2)))["density"]
    torch.testing.assert_close(density, torch.full((1, 1, 2, 2), 0.048587))


def test_what_lies_outside_the_region_teaches_nothing() -> None:
    region = np.zeros((28, 36), np.bool_)
    region[:, :12] = True
    output = DensityOutput(DensitySettings(density_loss="blocks", density_activation="softplus"), 8)
    targets = TargetBatch.join([output.targets(Scene(SCENE.image, POINTS, region=region))])
    np.testing.assert_allclose(targets.maps["inside"][0, 0, 0], [1, 0.5, 0, 0, 0])
    density = torch.rand(1, 1, 4, 5, requires_grad=True)
    total_of(output.loss({"density": density}, targets)).backward()
    assert density.grad[..., :2].all()
    assert not density.grad[..., 2:].any()


@pytest.mark.parametrize("values", [{"kernel_size": 4}, {"density_sigma": 0}, {"blocks": ()}, {"comparison": "l3"}])
def test_what_is_out_of_range_is_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        DensitySettings(**values)


REGION = np.zeros((28, 36), np.bool_)
REGION[:, :20] = True
LOSSES: dict[str, dict] = {
    "mse": {}, "blocks": {"density_loss": "blocks"}, "bayesian": {"density_loss": "bayesian", "background_px": 30},
    "dm_count": {"density_loss": "dm_count"}, "zip": {"density_loss": "zip", "block": 8},
    "zip 16": {"density_loss": "zip"}, "p2r": {"density_loss": "p2r"},
}  # fmt: skip


def _output(loss: str, stride: int = 8, **options: object) -> DensityOutput:
    return DensityOutput(DensitySettings(density_activation="softplus", **{**LOSSES[loss], **options}), stride)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_a_gradient_inside_the_region_and_none_outside(loss: str) -> None:
    output = _output(loss, stride=4)
    region = np.zeros((32, 48), np.bool_)
    region[:, :16] = True
    scene = Scene(np.zeros((32, 48, 3), np.uint8), POINTS, region=region)
    targets = TargetBatch.join([output.targets(scene), output.targets(Scene(scene.image))])
    raw = torch.randn(2, output.channels, 8, 12, generator=torch.Generator().manual_seed(1)).requires_grad_()
    losses = output.loss(output.maps(raw), targets)
    assert all(one.isfinite() and one.dim() == 0 for one in losses.values())
    total_of(losses).backward()
    assert raw.grad[0, ..., :4].abs().sum(dim=0).all()
    assert not raw.grad[0, ..., 4:].any()
    assert raw.grad[1].any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("stride", [4, 8])
def test_maps_have_the_strides_that_are_told(loss: str, stride: int) -> None:
    output = _output(loss, stride)
    divisor = output.size_divisor(stride)
    height, width = 2 * divisor, 3 * divisor
    maps = output.maps(torch.randn(1, output.channels, height // stride, width // stride))
    for told in output.outputs:
        assert maps[told.name].shape == (1, 1, height // told.stride, width // told.stride)
    targets = output.targets(Scene(np.zeros((height, width, 3), np.uint8))).maps
    assert targets["inside"].shape == (1, height // output.outputs[0].stride, width // output.outputs[0].stride)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_learned_starts_from_a_sparse_crowd(loss: str) -> None:
    output = _output(loss)
    last = torch.nn.Conv2d(4, output.channels, 1)
    output.start(last)
    maps = output.maps(last(torch.randn(1, 4, 8, 8)))
    if loss == "p2r":
        assert (maps["logits"] < -3).all()
    else:
        assert ((maps["density"] > 0) & (maps["density"] < 0.5)).all()


@pytest.mark.parametrize("loss", ["zip", "zip 16", "dm_count"])
def test_counts_are_the_points_in_the_region(loss: str) -> None:
    output = _output(loss)
    scene = Scene(SCENE.image, POINTS, region=REGION)
    assert output.targets(scene).maps["counts"].sum() == 2
    assert output.targets(SCENE).maps["counts"].sum() == len(POINTS)


@pytest.mark.parametrize("loss", ["bayesian", "p2r"])
def test_points_are_those_in_the_region(loss: str) -> None:
    output = _output(loss)
    found = output.targets(Scene(SCENE.image, POINTS, region=REGION)).ragged["points"]
    np.testing.assert_allclose(found, POINTS[[0, 3]])
    assert found.dtype == np.float32


@pytest.mark.parametrize("loss", ["mse", "bayesian", "dm_count"])
def test_a_label_scale_multiplies_the_loss_of_people(loss: str) -> None:
    targets = TargetBatch.join([_output(loss).targets(SCENE)])
    density = torch.rand(1, 1, 4, 5)
    plain, scaled = (total_of(_output(loss, label_scale=s).loss({"density": density}, targets)) for s in (1, 100))
    torch.testing.assert_close(scaled, plain * (1e4 if loss == "mse" else 100))


@pytest.mark.parametrize(
    ("options", "stride", "words"),
    [
        ({"density_loss": "zip", "block": 8}, 16, "block is 8, but this network's stride, 16, must divide it"),
        ({"density_loss": "p2r"}, 2, "p2r needs strides of 4 and its multiples, not 2"),
        ({"density_loss": "zip", "last_bin": 9.0}, 8, "last_bin is 9, but the open bin .* begins at 15"),
    ],
)
def test_strides_and_bins_that_do_not_fit_are_refused(options: dict, stride: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        DensityOutput(DensitySettings(**options), stride)


def test_maps_of_another_stride_than_the_targets_are_refused() -> None:
    for loss in LOSSES:
        output = _output(loss, 4)
        targets = TargetBatch.join([output.targets(Scene(np.zeros((32, 32, 3), np.uint8)))])
        with pytest.raises(InputError, match="must be of the shape of"):
            output.loss(output.maps(torch.zeros(1, output.channels, 4, 4)), targets)


@pytest.mark.parametrize("loss", ["zip", "p2r"])
def test_a_label_scale_is_refused_where_no_density_is_learned(loss: str) -> None:
    with pytest.raises(ValidationError, match="1 was expected with density_loss"):
        DensitySettings(density_loss=loss, label_scale=100)
    assert DensitySettings(density_loss=loss, label_scale=1).label_scale == 1
