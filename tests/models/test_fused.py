"""The fused network: which head learns from what, and that each is the family's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.models.fused.method import Fused
from headcount.models.method import TargetBatch
from headcount.models.table import build_method

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {
    "backbone": "test_efficientnet", "width": 16, "density": {"width": 16}, "boxes": {"width": 16},
    "instances": {"width": 8, "threshold_widths": [8, 8]},
}  # fmt: skip


def _built(**changes: Any) -> Fused:
    torch.manual_seed(0)
    method = build_method("fused", {**SMALL, **changes})
    assert isinstance(method, Fused)
    return method


def _scene(*, boxes: bool = True, pseudo: bool = False) -> Scene:
    points = np.random.default_rng(3).uniform(4, [92, 60], (9, 2))
    found = np.concatenate([points - 3, points + 3], axis=1) if boxes else None
    provenance = ("pseudo" if pseudo else "annotated",) * (9 if boxes else 0)
    return Scene(np.zeros((64, 96, 3), np.uint8), points, found, provenance)  # type: ignore[arg-type]


def _losses(method: Fused, *scenes: Scene) -> dict[str, torch.Tensor]:
    targets = TargetBatch.join([method.targets(scene) for scene in scenes])
    images = torch.randn(len(scenes), 3, 64, 96, generator=torch.Generator().manual_seed(1))
    return method.loss(method.training_forward(images, targets), targets)


def _gradient(method: Fused, part: str, *scenes: Scene) -> float:
    method.zero_grad()
    _losses(method, *scenes)["total"].backward()
    return sum(
        float(p.grad.abs().sum()) for n, p in method.named_parameters() if n.startswith(part) and p.grad is not None
    )


def test_without_boxes_the_box_head_learns_nothing_and_the_others_do() -> None:
    method = _built()
    losses = _losses(method, _scene(boxes=False), _scene(boxes=False))
    assert losses["boxes.heat"] == losses["boxes.size"] == losses["boxes.offset"] == 0
    assert losses["density.density"] > 0
    assert losses["instances.confidence"] > 0
    assert _gradient(method, "peaks", _scene(boxes=False), _scene(boxes=False)) == 0


def test_of_a_batch_only_the_scenes_with_boxes_teach_the_box_head() -> None:
    method = _built().eval()  # batch norms would mix the scenes
    with_boxes, without = _scene(), _scene(boxes=False)
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    both = TargetBatch.join([method.targets(with_boxes), method.targets(without)])
    one = TargetBatch.join([method.targets(with_boxes)])
    together = method.loss(method.training_forward(images, both), both)
    alone = method.loss(method.training_forward(images[:1], one), one)
    for name in ("heat", "size", "offset"):
        torch.testing.assert_close(together[f"boxes.{name}"], alone[f"boxes.{name}"])


def test_estimated_boxes_teach_unless_told_otherwise() -> None:
    assert _gradient(_built(), "peaks", _scene(pseudo=True), _scene(pseudo=True)) > 0
    strict = _built(boxes={"width": 16, "learn_pseudo": False})
    assert _gradient(strict, "peaks", _scene(pseudo=True), _scene(pseudo=True)) == 0
    assert _gradient(strict, "peaks", _scene(), _scene()) > 0


def test_a_picture_of_nobody_teaches_every_head() -> None:
    method = _built(boxes={"width": 16, "learn_pseudo": False})
    nobody = Scene(np.zeros((64, 96, 3), np.uint8))
    for part in ("density", "instance_head", "peaks"):
        assert _gradient(method, part, nobody, nobody) > 0, part


def test_instances_of_boxes_alone_need_them() -> None:
    method = _built(instances={**SMALL["instances"], "instances": "boxes"})
    with pytest.raises(InputError, match="instances: boxes needs head boxes"):
        method.targets(_scene(boxes=False))


def test_each_head_once_and_none_of_another_name() -> None:
    with pytest.raises(InputError, match="each head once was expected"):
        _built(heads=["density", "density"])
    with pytest.raises(InputError, match=r"model\.heads"):
        _built(heads=["depth"])
    with pytest.raises(InputError, match="p2r locates heads"):
        _built(density={"density_loss": "p2r"})


def test_a_head_alone_has_the_weights_of_no_other() -> None:
    names = {name.split(".")[0] for name, _ in _built(heads=["density"]).named_parameters()}
    assert names == {"backbone", "neck", "density"}
    assert _built(heads=["density"]).task == "count"
    assert _built(heads=["instances", "density"]).task == "locate"
    assert _built().task == "detect"


def test_a_few_scenes_are_learned_to_the_exact_count_by_every_head() -> None:
    from headcount.decode.table import open_decoder

    draw = np.random.default_rng(0)
    scenes = []
    for number in (0, 2, 5, 9):
        pixels = np.full((96, 96, 3), 90, np.uint8)
        cells = draw.permutation(16)[:number]
        points = np.stack([cells % 4, cells // 4], axis=1) * 24.0 + 12
        for x, y in points.astype(int):
            pixels[y - 5 : y + 5, x - 5 : x + 5] = (220, 180, 60)
        scenes.append(Scene(pixels, points, np.concatenate([points - 5, points + 5], axis=1)))
    method = _built(fixed_statistics=False)
    targets = TargetBatch.join([method.targets(scene) for scene in scenes])
    images = torch.stack([torch.tensor(scene.pixels()).permute(2, 0, 1) / 255.0 for scene in scenes]) * 2 - 1
    optimiser = torch.optim.Adam(method.parameter_groups(6e-3, 1.0))
    for _ in range(120):
        optimiser.zero_grad()
        method.loss(method.training_forward(images, targets), targets)["total"].backward()
        optimiser.step()
    method.eval()
    with torch.inference_mode():
        maps = method(images)
    strides = {output.name: output.stride for output in method.outputs}
    assert method.decoder is not None
    decode = open_decoder(method.decoder.name, method.decoder.settings)
    for row, scene in enumerate(scenes):
        found = decode({name: values[row].numpy() for name, values in maps.items()}, strides, (96, 96))
        assert found.people == scene.count
        assert found.counts["instances"] == found.counts["boxes"] == scene.count
        assert round(found.counts["density"]) == scene.count


def test_targets_hold_what_is_known_alone() -> None:
    method = _built()
    known, unknown = (method.targets(_scene(boxes=has)).maps["boxes.weight"] for has in (True, False))
    assert known.min() == 1
    assert unknown.max() == 0
    assert method.targets(replace(_scene(), boxes_xyxy=None, box_provenance=())).maps["boxes.weight"].max() == 0
