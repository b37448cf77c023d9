"""What tells the mask-aware variants apart, and what the paper's networks must keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.models.density.mask_aware import MaskAware, _PassThrough
from headcount.models.method import Method, TargetBatch
from headcount.models.table import build_method
from headcount.targets.density import adaptive_sigma, density_map, sum_pool

pytestmark = pytest.mark.slow

SMALL = {"backbone": "test_efficientnet", "backbone_options": {"strides": [8, 16, 32]}, "width": 16}
WITH_MASK = [f"solution{n}" for n in range(1, 6)]
WITHOUT = [f"baseline{n}" for n in range(1, 4)]


def _built(**options: Any) -> MaskAware:
    torch.manual_seed(0)
    method = build_method("mask_aware", {**SMALL, "density_activation": "softplus", **options})
    assert isinstance(method, MaskAware)
    return method


def _images(channels: int = 3) -> Tensor:
    return torch.randn(2, channels, 64, 96, generator=torch.Generator().manual_seed(1))


def _truth(share: float = 0.5) -> TargetBatch:
    mask = (torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(3)) < share).float()
    return TargetBatch({"density": mask * 0.3, "mask": mask}, {})


def _parameters(method: Method) -> int:
    return sum(p.numel() for p in method.parameters())


def test_the_papers_light_network_stays_under_its_size() -> None:
    assert 2.9e6 < _parameters(build_method("mask_aware", {})) < 3.3e6
    for variant in (*WITH_MASK, *WITHOUT):
        assert _parameters(build_method("mask_aware", {"variant": variant})) < 5.1e6


def test_the_light_backbone_needs_no_adapter_and_the_others_do() -> None:
    assert build_method("mask_aware", {}).neck is None
    assert build_method("mask_aware", {}).outputs[0].stride == 4
    assert build_method("mask_aware", {"width": 32}).neck is not None


@pytest.mark.parametrize("variant", WITHOUT)
def test_baselines_have_no_mask(variant: str) -> None:
    assert [output.name for output in _built(variant=variant).outputs] == ["density"]


def test_baseline_two_is_as_deep_as_the_fusion_networks() -> None:
    def convolutions(part: nn.Module) -> int:
        return sum(isinstance(m, nn.Conv2d) for m in part.modules())

    deep, fused, flat = (_built(variant=v) for v in ("baseline2", "solution5", "baseline1"))
    assert convolutions(deep.regressor) == 4
    assert convolutions(fused.regressor) == 3
    assert convolutions(flat.regressor) == 2


@pytest.mark.parametrize("variant", [*WITH_MASK, *WITHOUT])
def test_the_last_layer_of_every_branch_is_linear(variant: str) -> None:
    method = _built(variant=variant)
    for branch in (method.mask_branch, method.regressor):
        if branch is not None:
            assert isinstance(branch[-1], nn.Conv2d)
            assert branch[-1].kernel_size == (1, 1)


def test_baseline_three_is_as_large_as_solution_five() -> None:
    for options in ({}, SMALL, {"backbone": "vgg16"}):
        sizes = {_parameters(build_method("mask_aware", {**options, "variant": v})) for v in ("baseline3", "solution5")}
        assert len(sizes) == 1


@pytest.mark.parametrize("loss", ["zip", "p2r"])
@pytest.mark.parametrize("variant", ["solution1", "solution2", "solution3", "baseline3"])
def test_a_loss_of_other_cells_is_refused_where_the_density_is_multiplied(variant: str, loss: str) -> None:
    words = rf"\"model\.variant\" is '{variant}', but with density_loss: {loss} one of solution4, solution5"
    with pytest.raises(InputError, match=words):
        build_method("mask_aware", {"variant": variant, "density_loss": loss})


@pytest.mark.parametrize("loss", ["mse", "bayesian", "dm_count"])
@pytest.mark.parametrize(("variant", "reached"), [("solution1", False), ("solution2", True)])
def test_whatever_the_loss_it_reaches_the_mask_branch_of_solution_two_alone(
    variant: str, reached: bool, loss: str
) -> None:
    method = _built(variant=variant, density_loss=loss, mask_weight=0.0).train()
    scene = Scene(np.zeros((64, 96, 3), np.uint8), np.random.default_rng(0).uniform(0, [96, 64], (9, 2)))
    targets = TargetBatch.join([method.targets(scene)] * 2)
    method.loss(method.training_forward(_images(), targets), targets)["total"].backward()
    assert method.mask_branch is not None
    assert all(bool(p.grad.any()) == reached for p in method.mask_branch.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("variant", WITH_MASK)
def test_the_posterior_can_fall_below_one_half(variant: str) -> None:
    mask = _built(variant=variant).eval()(_images())["mask"]
    assert mask.min() < 0.5 < mask.max()


@pytest.mark.parametrize(
    ("variant", "reached"),
    [("solution1", False), ("solution2", True), ("solution3", True), ("solution4", False), ("solution5", True)],
)
def test_whether_the_density_teaches_the_mask_branch(variant: str, reached: bool) -> None:
    method = _built(variant=variant).train()
    maps = method.training_forward(_images(), _truth())
    maps["density"].square().sum().backward()
    assert method.mask_branch is not None
    gradients = [p.grad for p in method.mask_branch.parameters()]
    assert all((g is not None and bool(g.abs().sum() > 0)) == reached for g in gradients)


def test_the_straight_through_gradient_is_one() -> None:
    posterior = torch.tensor([0.0, 0.3, 0.5, 0.51, 1.0], requires_grad=True)
    hard = _PassThrough.apply(posterior)
    assert hard.tolist() == [0, 0, 0, 1, 1]
    (gradient,) = torch.autograd.grad(hard.sum(), posterior)
    assert gradient.tolist() == [1] * 5


def test_solution_three_passes_the_gradient_straight_through_a_hard_mask() -> None:
    method = _built(variant="solution3").eval()
    maps = method.training_forward(_images(), _truth())
    hard = maps["mask"] > 0.5
    assert (maps["density"][~hard] == 0).all()
    assert (maps["density"][hard] > 0).all()
    # d(density) / d(posterior) is the ungated density everywhere, also where the gate is shut
    (gradient,) = torch.autograd.grad(maps["density"].sum(), maps["mask"])
    torch.testing.assert_close(gradient[hard], maps["density"][hard])
    assert (gradient[~hard] > 0).all()


@pytest.mark.parametrize("variant", ["solution1", "solution4"])
def test_solutions_one_and_four_see_the_true_mask_in_training_only(variant: str) -> None:
    method = _built(variant=variant).eval()
    images = _images()
    one, other = (method.training_forward(images, _truth(share))["density"] for share in (0.0, 1.0))
    assert not torch.equal(one, other)
    if variant == "solution1":
        assert not one.any()
    posterior = method(images)["mask"]
    hard = TargetBatch({"mask": (posterior > 0.5).float()}, {})
    torch.testing.assert_close(method(images)["density"], method.training_forward(images, hard)["density"])


@pytest.mark.parametrize("variant", ["solution2", "solution3", "solution5", *WITHOUT])
def test_the_others_never_look_at_the_truth(variant: str) -> None:
    method = _built(variant=variant).eval()
    one, other = (method.training_forward(_images(), _truth(share)) for share in (0.0, 1.0))
    assert all(torch.equal(one[key], other[key]) for key in one)
    torch.testing.assert_close(one["density"], method(_images())["density"])


def test_solution_two_is_density_times_posterior() -> None:
    method = _built(variant="solution2").eval()
    maps = method(_images())
    features = method.neck(method.backbone(_images()))  # type: ignore[misc]
    torch.testing.assert_close(maps["density"], nn.functional.softplus(method.regressor(features)) * maps["mask"])


def test_the_soft_mask_of_solution_four_is_an_option() -> None:
    hard, soft = (_built(variant="solution4", hard_mask=hard).eval() for hard in (True, False))
    soft.load_state_dict(hard.state_dict())
    assert not torch.equal(hard(_images())["density"], soft(_images())["density"])


@pytest.mark.parametrize("variant", [*WITH_MASK, *WITHOUT])
def test_the_total_is_the_weighted_sum(variant: str) -> None:
    method = _built(variant=variant, alpha=3.0, mask_weight=0.5, mask_gamma=2.0)
    losses = method.loss(method.training_forward(_images(), _truth()), _truth())
    second = losses.get("mask", losses.get("first_density", torch.zeros(())))
    torch.testing.assert_close(losses["total"], 3 * losses["density"] + 0.5 * second)
    assert ("mask" in losses) == (variant in WITH_MASK)
    assert ("first_density" in losses) == (variant == "baseline3")


def _scene(points: Any, **fields: Any) -> Scene:
    return Scene(np.zeros((40, 60, 3), np.uint8), np.asarray(points, np.float64), **fields)


POINTS = [[5.0, 5.0], [30.0, 20.0], [59.9, 39.9], [31.0, 21.0], [10.0, 30.0]]


def test_targets_are_pooled_to_the_stride() -> None:
    scene = _scene(POINTS)
    targets = _built().targets(scene)
    full = density_map(scene.points_xy, (60, 40))
    np.testing.assert_allclose(targets.maps["density"][0], sum_pool(full, 8), atol=1e-6)
    assert targets.maps["mask"].shape == (1, 5, 8)
    np.testing.assert_array_equal(targets.maps["mask"][0] > 0, sum_pool(full, 8) > 0)


def test_adaptive_sigma_is_an_option() -> None:
    scene = _scene(POINTS)
    full = density_map(scene.points_xy, (60, 40), density_sigma=adaptive_sigma(scene.points_xy), kernel_size=None)
    density = _built(density_sigma="adaptive").targets(scene).maps["density"][0]
    np.testing.assert_allclose(density, sum_pool(full, 8), atol=1e-6)


def test_disc_and_box_masks_are_options() -> None:
    scene = _scene([[20.0, 20.0]], boxes_xyxy=np.array([[16.0, 16.0, 24.0, 40.0]]))
    disc = _built(mask="disc", disc_radius_px=2).targets(scene).maps["mask"][0]
    assert np.argwhere(disc).tolist() == [[2, 2]]
    box = _built(mask="box").targets(scene).maps["mask"][0]
    assert np.argwhere(box).tolist() == [[2, 2], [3, 2], [4, 2]]


def test_a_box_mask_without_boxes_names_the_scene() -> None:
    with pytest.raises(InputError, match=r'"hall/1\.jpg" has not'):
        _built(mask="box").targets(_scene(POINTS, name="hall/1.jpg"))


def test_a_mask_without_foreground_where_people_are_names_the_scene() -> None:
    scene = _scene(POINTS, boxes_xyxy=np.zeros((0, 4)), name="hall/1.jpg")
    with pytest.raises(InputError, match=r'"hall/1\.jpg", mask: box: The mask has no foreground.* 5\.0 people'):
        _built(mask="box").targets(scene)
    assert not _built(mask="box").targets(_scene([], boxes_xyxy=np.zeros((0, 4)))).maps["mask"].any()


def test_the_region_cuts_density_and_mask_but_not_inside_it() -> None:
    region = np.zeros((40, 60), np.bool_)
    region[:, :32] = True
    targets = _built(kernel_size=3).targets(_scene(POINTS, region=region))
    whole = _built(kernel_size=3).targets(_scene(POINTS))
    for name in ("density", "mask"):
        assert not targets.maps[name][..., 4:].any()
        np.testing.assert_allclose(targets.maps[name][..., :3], whole.maps[name][..., :3], atol=1e-6)


def test_what_lies_outside_the_region_teaches_the_mask_nothing() -> None:
    method = _built()
    region = np.zeros((64, 96), np.bool_)
    region[:, :32] = True
    targets = TargetBatch.join([method.targets(Scene(np.zeros((64, 96, 3), np.uint8), [[9.0, 9.0]], region=region))])
    maps = method.training_forward(_images()[:1], targets)
    (gradient,) = torch.autograd.grad(method.loss(maps, targets)["mask"], maps["mask_logits"])
    assert gradient[..., :4].all()
    assert not gradient[..., 4:].any()


def test_the_vgg_variant_has_csrnets_front_end() -> None:
    method = build_method("mask_aware", {"backbone": "vgg16"})
    assert [output.stride for output in method.outputs] == [8, 8]
    with torch.inference_mode():
        features = method.backbone(torch.zeros(1, 3, 32, 48))
    assert [tuple(f.shape) for f in features] == [(1, 512, 4, 6)]
    widths = [m.out_channels for m in method.backbone.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 256, 512, 512, 512]
    assert method.neck.laterals[0].weight.shape == (256, 512, 1, 1)  # the 1×1 adapter


def test_gray_input_has_one_channel_in_network_and_card() -> None:
    method = _built(in_channels=1, mean=(0.4,), std=(0.2,))
    assert (method.input_spec.channels, method.input_spec.mean, method.input_spec.std) == (1, (0.4,), (0.2,))
    assert method(_images(1))["density"].shape == (2, 1, 8, 12)
    light = build_method("mask_aware", {"in_channels": 1})
    assert light.backbone.layers[0][0].in_channels == 1


def test_normal_initialisation_is_as_printed() -> None:
    method = build_method("mask_aware", {"initialisation": "normal"})
    weights = torch.cat([m.weight.flatten() for m in method.modules() if isinstance(m, nn.Conv2d)])
    assert weights.std().item() == pytest.approx(0.01, rel=0.01)
    assert all(not m.bias.any() for m in method.modules() if isinstance(m, nn.Conv2d))


def test_softplus_starts_near_a_sparse_crowd() -> None:
    density = _built().eval()(_images())["density"]
    assert 0.01 < density.mean().item() < 0.3


def test_linear_density_is_an_option() -> None:
    assert _built(density_activation="linear").eval()(_images() * 3)["density"].min() < 0


@pytest.mark.parametrize("variant", ["solution2", "solution5", "baseline2"])
def test_a_label_scale_never_reaches_a_count(variant: str) -> None:
    """The same weights, read as a hundred times as many people: what is counted is a hundredth."""
    plain, scaled = (_built(variant=variant, density_activation="relu", label_scale=s).eval() for s in (1, 100))
    scaled.load_state_dict(plain.state_dict())
    torch.testing.assert_close(scaled(_images())["density"] * 100, plain(_images())["density"])


def test_strides_that_do_not_double_are_refused() -> None:
    with pytest.raises(InputError, match=r"must double.*\[8, 32\]"):
        build_method("mask_aware", {"backbone": "test_efficientnet", "backbone_options": {"strides": [8, 32]}})


def test_a_recipe_starts_from_a_whole_method_or_its_backbone(tmp_path: Path) -> None:
    first, second = _built(), _built()
    nn.init.normal_(first.regressor[0].weight)  # or both would be alike from the start
    nn.init.normal_(first.backbone.network.conv_stem.weight)
    save_file({k: v.half() for k, v in first.state_dict().items()}, tmp_path / "whole.safetensors")
    second.initialise(tmp_path / "whole.safetensors")
    for key, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[key].half(), value.half()), key

    third = _built()
    backbone = first.backbone.network.state_dict()
    save_file({k: v for k, v in backbone.items() if v.is_floating_point()}, tmp_path / "backbone.safetensors")
    before = third.regressor[0].weight.clone()
    third.initialise(tmp_path / "backbone.safetensors")
    assert torch.equal(third.regressor[0].weight, before)
    assert all(torch.equal(third.backbone.network.state_dict()[k], v) for k, v in backbone.items() if v.dim() > 1)

    with pytest.raises(InputError, match="no initialisation"):
        third.initialise(tmp_path / "none.safetensors")
