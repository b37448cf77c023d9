"""Every method, and every variant of it, through the same checks."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.decode.table import open_decoder
from headcount.losses.whole import Numbers, Part, learning_from
from headcount.models.method import Method, TargetBatch
from headcount.models.table import METHODS, build_method, method_class

pytestmark = pytest.mark.slow

SMALL = {"backbone": "test_efficientnet", "backbone_options": {"strides": [8, 16, 32]}, "width": 16}
DETECTOR = {"backbone": "test_efficientnet", "width": 16}
DENSE = {**DETECTOR, "tower_depth": 2}
LOCATOR = {"predictor": "test_efficientnet", "width": 16, "map_stride": 2}
FUSED = {
    "backbone": "test_efficientnet", "width": 16, "density": {"width": 16}, "boxes": {"width": 16},
    "instances": {"width": 8, "threshold_widths": [8, 8]},
}  # fmt: skip
VARIANTS = [*(f"solution{n}" for n in range(1, 6)), *(f"baseline{n}" for n in range(1, 4))]
LOSSES = ("bayesian", "dm_count", "zip", "p2r")
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "mask_aware": {
        **{name: {**SMALL, "variant": name, "density_activation": "softplus"} for name in VARIANTS},
        "relu": {**SMALL, "variant": "solution5", "density_activation": "relu"},
        "soft mask": {**SMALL, "variant": "solution4", "hard_mask": False, "density_activation": "softplus"},
        "gray": {**SMALL, "in_channels": 1, "density_activation": "softplus"},
        "blocks": {**SMALL, "density_loss": "blocks", "density_activation": "softplus"},
        "light": {"width": 256, "density_activation": "softplus"},
        **{loss: {**SMALL, "density_loss": loss, "density_activation": "softplus"} for loss in LOSSES},
        "gated": {**SMALL, "variant": "solution2", "density_loss": "bayesian", "density_activation": "softplus"},
        "scaled": {**SMALL, "variant": "baseline3", "density_activation": "softplus", "label_scale": 100},
    },
    "csrnet": {
        "softplus": {"width": 4, "density_activation": "softplus"},
        "gray": {"width": 4, "density_activation": "softplus", "in_channels": 1},
        "p2r": {"width": 4, "density_loss": "p2r"},
    },
    "cannet": {
        "softplus": {"width": 4, "density_activation": "softplus"},
        "batch norms": {"width": 4, "density_activation": "softplus", "batch_norm": True},
    },
    "mcnn": {
        "softplus": {"density_activation": "softplus"},
        "colour": {"density_activation": "softplus", "in_channels": 3},
        "zip": {"density_loss": "zip"},
    },
    "centernet": {
        "mask focal": {**DETECTOR, "head_width": 16},
        "focal": {**DETECTOR, "head_width": 16, "loss": "focal"},
        "dla_up": {**DETECTOR, "head_width": 16, "neck": "dla_up"},
        "dla_up_plain": {**DETECTOR, "head_width": 16, "neck": "dla_up_plain"},
    },
    "fcos": {
        "mask focal": {**DENSE, "strides": [4, 8]},
        "focal": {**DENSE, "strides": [8, 16, 32], "loss": "focal"},
        "soft": {**DENSE, "strides": [4, 8, 16, 32], "soft_targets": True, "tower_norm": "none"},
    },
    "retinanet": {
        "mask focal": {**DENSE, "strides": [4, 8], "anchor_sizes": [[4, 8], [16, 32]], "tower_norm": "batch"},
        "focal": {**DENSE, "strides": [8, 16], "loss": "focal", "box_loss": "smooth_l1"},
        "soft": {**DENSE, "strides": [8], "soft_targets": True, "aspect_ratios": [1]},
    },
    "foveabox": {
        "mask focal": {**DENSE, "strides": [4, 8], "tower_norm": "batch"},
        "focal": {**DENSE, "strides": [8, 16, 32], "loss": "focal"},
        "soft": {**DENSE, "strides": [8, 16, 32], "soft_targets": True, "tower_norm": "group"},
    },
    "yolov5": {
        "own": {"size": "n", "width": 16},
        "focal": {**DETECTOR, "size": "n", "loss": "focal", "strides": [4, 8, 16, 32]},
        "cross entropy": {**DETECTOR, "size": "n", "loss": "bce", "box_weight": 1.0},
    },
    "faster_rcnn": {
        "small anchors": {
            **DETECTOR,
            "head_width": 16,
            "anchor_sizes": [4, 8, 16, 32, 64],
            "proposals": 50,
        },
    },
    "head_scale": {
        "layer3": {"backbone": "test_resnet", "front": "layer3", "back_end": [16]},
        "pyramid": {
            "backbone": "test_efficientnet",
            "front": "pyramid",
            "width": 16,
            "back_end": [16, 16],
            "deviation": "l1",
        },
    },
    "iim": {
        **{f"stride{n}": {**LOCATOR, "map_stride": n, "threshold_widths": [8, 8]} for n in (1, 2, 4)},
        "ibm": {**LOCATOR, "threshold": "ibm"},
        "fixed": {**LOCATOR, "threshold": "fixed", "confidence_loss": "bce"},
        "points": {**LOCATOR, "threshold": "fixed", "instances": "points", "separate_points": True},
        "vgg": {"predictor": "vgg16_bn_fpn", "threshold_widths": [16, 8]},
    },
    "fused": {
        "all": FUSED,
        "density": {**FUSED, "heads": ["density"]},
        "located": {**FUSED, "heads": ["instances", "boxes"]},
        "zip": {**FUSED, "heads": ["density", "boxes"], "density": {"width": 16, "density_loss": "zip"}},
        "fixed": {**FUSED, "heads": ["instances", "density"], "instances": {"threshold": "fixed", "map_stride": 4}},
    },
    "raz_loc": {f"stride{n}": {**LOCATOR, "map_stride": n} for n in (1, 2, 4)},
    "gaussian_prior": {f"stride{n}": {**LOCATOR, "map_stride": n} for n in (1, 2, 4)},
}
"""Method → what tells its tests apart → its options. A new method adds its own line."""
DENSITY = ("mask_aware", "csrnet", "cannet", "mcnn")
CASES = [pytest.param(name, key, id=f"{name}-{key}") for name, cases in OPTIONS.items() for key in cases]


def _built_anew(name: str, case: str, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    return build_method(name, OPTIONS[name][case])


@cache
def _first_built(name: str, case: str) -> tuple[Method, torch.Tensor]:
    """A method, which stays as it was built, and the state of random numbers after that."""
    return _built_anew(name, case), torch.get_rng_state()


def _built(name: str, case: str) -> Method:
    """A copy of the method, and the random numbers that come after it: to build a network takes many times as long."""
    method, numbers = _first_built(name, case)
    torch.set_rng_state(numbers)
    return copy.deepcopy(method)


def _images(method: Method, batch: int = 2, height: int = 64, width: int = 96, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(batch, method.input_spec.channels, height, width, generator=draw)


def _scene(width: int = 96, height: int = 64, seed: int = 2) -> Scene:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, [width, height], (12, 2))
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Scene(pixels, points, np.concatenate([points, points + 3], axis=1))


def _targets(method: Method, batch: int = 2) -> TargetBatch:
    return TargetBatch.join([method.targets(_scene(seed=seed)) for seed in range(batch)])


def test_every_method_is_tested_here() -> None:
    assert set(METHODS) == set(OPTIONS)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_outputs_have_their_names_strides_and_shapes(name: str, case: str) -> None:
    method = _built(name, case).eval()
    divisor = method.input_spec.size_divisor
    assert len({output.name for output in method.outputs}) == len(method.outputs)
    for rows, columns in ((1, 1), (2, 3), (5, 1)):
        with torch.inference_mode():
            maps = method(_images(method, 1, rows * divisor, columns * divisor))
        assert list(maps) == [output.name for output in method.outputs]
        for output in method.outputs:
            if output.kind == "boxes":
                assert maps[output.name].shape[:2] == (1, output.channels)
                continue
            shape = (rows * divisor // output.stride, columns * divisor // output.stride)
            assert maps[output.name].shape == (1, output.channels, *shape)
            assert maps[output.name].dtype == torch.float32
            assert maps[output.name].isfinite().all()


@pytest.mark.parametrize(("name", "case"), CASES)
def test_densities_are_never_negative_and_masks_are_shares(name: str, case: str) -> None:
    method = _built(name, case).eval()
    with torch.inference_mode():
        maps = method(_images(method) * 3)
    if "density" in maps:
        assert maps["density"].min() >= 0
    if "mask" in maps:
        assert 0 <= maps["mask"].min() <= maps["mask"].max() <= 1


@pytest.mark.parametrize(("name", "case"), CASES)
def test_counting_is_deterministic_and_images_do_not_disturb_each_other(name: str, case: str) -> None:
    method = _built(name, case).eval()
    images = _images(method, 3)
    with torch.inference_mode():
        together, again = method(images), method(images)
        alone = method(images[1:2])
    for key in together:
        assert torch.equal(together[key], again[key])
        torch.testing.assert_close(together[key][1:2], alone[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_same_seed_builds_the_same_weights(name: str, case: str) -> None:
    one, two, other = _built(name, case), _built_anew(name, case), _built_anew(name, case, seed=9)
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key])
    assert any(not torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


@pytest.mark.parametrize(("name", "case"), CASES)
def test_target_maps_fit_what_training_compares_them_with(name: str, case: str) -> None:
    method = _built(name, case)
    batch = _targets(method)
    maps, targets = method.training_forward(_images(method), batch), batch.maps
    for key, value in targets.items():
        assert value.dtype == torch.float32
        if key in maps:
            assert maps[key].shape == value.shape
    if "density" in targets:
        np.testing.assert_allclose(targets["density"].sum(dim=(1, 2, 3)), 12, atol=1e-4)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_an_empty_scene_has_targets_and_a_finite_loss(name: str, case: str) -> None:
    method = _built(name, case)
    scene = Scene(np.zeros((64, 96, 3), np.uint8), boxes_xyxy=np.zeros((0, 4)))
    targets = TargetBatch.join([method.targets(scene)] * 2)
    losses = method.loss(method.training_forward(_images(method), targets), targets)
    assert all(loss.isfinite() and loss.dim() == 0 for loss in losses.values())


@pytest.mark.parametrize(("name", "case"), [(n, c) for n in OPTIONS for c in OPTIONS[n] if n in DENSITY])
def test_a_batch_of_nobody_and_a_dense_crowd_has_a_finite_loss_and_gradient(name: str, case: str) -> None:
    method = _built(name, case).train()
    pixels, points = np.zeros((64, 96, 3), np.uint8), np.random.default_rng(5).uniform(0, [96, 64], (3000, 2))
    nobody, crowd = Scene(pixels), Scene(pixels, points, np.concatenate([points, points + 3], axis=1))
    targets = TargetBatch.join([method.targets(nobody), method.targets(crowd)])
    images = torch.stack([torch.zeros(method.input_spec.channels, 64, 96), _images(method, 1)[0] * 3])
    losses = method.loss(method.training_forward(images, targets), targets)
    assert all(loss.isfinite() for loss in losses.values())
    losses["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_batch_that_mixes_empty_and_dense_has_a_finite_loss_and_gradient(name: str, case: str) -> None:
    method = _built(name, case).train()
    points = np.random.default_rng(5).uniform(0, [96, 64], (400, 2))
    boxes = np.concatenate([points, np.minimum(points + 4, [96, 64])], axis=1)
    dense = Scene(np.zeros((64, 96, 3), np.uint8), points, boxes)
    empty = Scene(np.zeros((64, 96, 3), np.uint8), boxes_xyxy=np.zeros((0, 4)))
    targets = TargetBatch.join([method.targets(empty), method.targets(dense)])
    losses = method.loss(method.training_forward(_images(method), targets), targets)
    assert all(loss.isfinite() and loss.dim() == 0 for loss in losses.values())
    losses["total"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize(("name", "case"), CASES)
def test_targets_outside_the_region_are_empty(name: str, case: str) -> None:
    method = _built(name, case)
    scene = _scene()
    region = np.zeros((64, 96), np.bool_)
    region[:32] = True
    inside = Scene(scene.image, scene.points_xy, scene.boxes_xyxy, region=region)
    for key, value in method.targets(inside).maps.items():
        stride = 64 // value.shape[1]
        assert value[:, 32 // stride :].max() == 0, key
        assert value[:, : 32 // stride].max() > 0, key


@pytest.mark.parametrize(("name", "case"), CASES)
def test_gradients_reach_every_trainable_parameter(name: str, case: str) -> None:
    method = _built(name, case).train()
    images, targets = _images(method), _targets(method)
    method.loss(method.training_forward(images, targets), targets)["total"].backward()
    silent = [
        key
        for key, p in method.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert silent == []


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_few_steps_on_one_batch_lower_the_loss(name: str, case: str) -> None:
    method = _built(name, case).train()
    optimiser = torch.optim.Adam(method.parameter_groups(1e-3, 1.0))
    losses, images, targets = [], _images(method), _targets(method)
    for _ in range(6):
        loss = method.loss(method.training_forward(images, targets), targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_trainable_parameter_is_in_one_group(name: str, case: str) -> None:
    method = _built(name, case)
    groups = method.parameter_groups(1.0, 0.25)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in method.parameters() if p.requires_grad}
    slow = {id(p) for group in groups if group["lr"] == 0.25 for p in group["params"]}
    assert slow == {id(p) for key, p in method.named_parameters() if key.startswith("backbone.") and p.requires_grad}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_its_decoder_reads_its_maps(name: str, case: str) -> None:
    method = _built(name, case).eval()
    with torch.inference_mode():
        maps = {key: value[0].numpy() for key, value in method(_images(method)).items()}
    strides = {output.name: output.stride for output in method.outputs}
    if method.decoder is None:
        assert method.task == "size"
        return
    prediction = open_decoder(method.decoder.name, method.decoder.settings)(maps, strides, (96, 64))
    assert prediction.count >= 0
    assert (prediction.points_kind == "heads") == (method.task in ("locate", "detect"))


@pytest.mark.parametrize(("name", "case"), CASES)
def test_it_is_built_again_from_its_plain_settings(name: str, case: str) -> None:
    method = _built(name, case)
    settings = method.settings_type.model_validate(OPTIONS[name][case]).model_dump(mode="json")
    again = build_method(name, settings)
    again.load_state_dict(copy.deepcopy(method.state_dict()))
    with torch.inference_mode():
        one, two = method.eval()(_images(method)), again.eval()(_images(method))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", list(OPTIONS))
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r'no key "model\.widht"'):
        build_method(name, {"widht": 3})


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no method "mask_awar".*"mask_aware"'):
        method_class("mask_awar")


def test_a_method_may_start_from_the_backbone_of_another(tmp_path: Path) -> None:
    small = {"predictor": "test_efficientnet", "map_stride": 2, "threshold_widths": [8, 4, 4]}
    strides = {"backbone": "test_efficientnet", "backbone_options": {"strides": [8, 16, 32]}, "width": 8}
    torch.manual_seed(5)
    counter, locator = build_method("mask_aware", strides), build_method("iim", small)
    file = tmp_path / "counter.safetensors"
    save_file({k: v for k, v in counter.state_dict().items() if not k.endswith("num_batches_tracked")}, file)
    head = locator.state_dict()["head.norm.weight"].clone()
    assert locator.initialise(file) == "the backbone of another method"
    lent = {k: v for k, v in counter.state_dict().items() if k.startswith("backbone.") and v.is_floating_point()}
    assert all(torch.equal(locator.state_dict()[key], value) for key, value in lent.items())
    assert torch.equal(locator.state_dict()["head.norm.weight"], head)
    with pytest.raises(ModelError, match="its backbone is another"):
        build_method("iim", {"predictor": "test_resnet", "map_stride": 2}).initialise(file)


def test_a_method_may_start_from_the_neck_and_what_reads_it_of_another(tmp_path: Path) -> None:
    torch.manual_seed(6)
    detector = build_method("centernet", {"backbone": "test_efficientnet", "width": 8, "head_width": 16})
    options: dict[str, Any] = {"backbone": "test_efficientnet", "width": 8, "density": {"width": 8}}
    fused, other = (build_method("fused", {**options, "boxes": {"width": width}}) for width in (16, 24))
    file = tmp_path / "detector.safetensors"
    save_file({k: v for k, v in detector.state_dict().items() if not k.endswith("num_batches_tracked")}, file)
    own = fused.density.state_dict()
    assert fused.initialise(file) == "the backbone, the neck, the heat, the size and the offset of another method"
    for key, value in detector.state_dict().items():
        assert key.endswith("num_batches_tracked") or torch.equal(fused.state_dict()[key], value), key
    assert all(torch.equal(fused.density.state_dict()[key], value) for key, value in own.items())
    assert other.initialise(file) == "the backbone and the neck of another method"


def _crowd(seed: int, heads: int, *, region: bool) -> Scene:
    scene = _scene(seed=seed)
    boxes = scene.boxes_xyxy
    assert boxes is not None
    inside = np.ones((64, 96), dtype=bool)
    inside[:, 40:] = not region
    return Scene(
        scene.image, scene.points_xy[:heads], boxes[:heads] + np.array([0, 0, 4, 4]), region=inside if region else None
    )


def _loss_and_gradients(method: Method, parts: list[slice], targets: TargetBatch) -> dict[str, torch.Tensor]:
    """The losses of parts of a batch, and the gradients of their total, added up; each part learns from its share."""
    images = _images(method, 4)
    told = method.training_forward(images, targets)  # together: networks round otherwise alone
    maps = [{key: values[rows] for key, values in told.items()} for rows in parts]
    noted = []
    for rows, of_part in zip(parts, maps, strict=True):
        numbers = Numbers()
        with torch.no_grad(), learning_from(Part(1.0, numbers.note)):
            method.loss(of_part, targets.rows(rows))
        noted.append(torch.stack([torch.zeros((), dtype=torch.float64), *numbers.noted]))
    whole = Numbers(list(torch.stack(noted).sum(dim=0))[1:])
    method.zero_grad()
    sums: dict[str, torch.Tensor] = {}
    for rows, of_part in zip(parts, maps, strict=True):
        share = len(images[rows]) / len(images)
        with learning_from(Part(share, whole.teller())):
            losses = {key: value * share for key, value in method.loss(of_part, targets.rows(rows)).items()}
        losses["total"].backward(retain_graph=True)
        sums = {key: value.detach() + sums.get(key, 0) for key, value in losses.items()}
    gradients = {key: value.grad.clone() for key, value in method.named_parameters() if value.grad is not None}
    return {**sums, **gradients}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_losses_of_parts_add_up_to_that_of_the_batch(name: str, case: str) -> None:
    if name == "faster_rcnn":
        pytest.skip("it learns from proposals that it draws at random")
    method = _built(name, case).eval()
    crowds = [_crowd(seed, heads, region=seed == 2) for seed, heads in enumerate((12, 3, 9, 1))]
    targets = TargetBatch.join([method.targets(one) for one in crowds])
    images = _images(method, 4)
    method.zero_grad()
    alone = method.loss(method.training_forward(images, targets), targets)
    alone["total"].backward()
    gradients = {key: value.grad.clone() for key, value in method.named_parameters() if value.grad is not None}
    expected = {**{key: value.detach() for key, value in alone.items()}, **gradients}
    # The transport of dm_count ends when all images of what it is given have settled.
    near = 2e-2 if case == "dm_count" else 1e-4
    for parts in ([slice(0, 4)], [slice(0, 2), slice(2, 4)], [slice(0, 1), slice(1, 4)]):
        found = _loss_and_gradients(method, parts, targets)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            scale = value.abs().max().clamp(min=1e-3)
            torch.testing.assert_close(found[key] / scale, value / scale, rtol=0, atol=near, msg=f"{key} of {parts}")
