"""The fused network: which head learns from what, and that each is the family's own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.infer.calibrate import calibrate
from headcount.infer.counter import Counter
from headcount.infer.fusion import FusionCalibration
from headcount.infer.tiling import is_tiled
from headcount.models.fused.method import Fused
from headcount.models.method import TargetBatch
from headcount.models.normalise import to_tensor
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.train.card import method_card
from headcount.train.export import write_model

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
    assert _gradient(method, "heat", _scene(boxes=False), _scene(boxes=False)) == 0


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


def test_a_batch_without_heads_weighs_no_more_than_one_with_a_few() -> None:
    nobody = Scene(np.zeros((64, 96, 3), np.uint8))
    one, sixteen = (
        _losses(_built(boxes={"width": 16, "least_heads": least}), nobody, nobody)["boxes.heat"] for least in (1, 16)
    )
    torch.testing.assert_close(one, 16 * sixteen)
    many = [_losses(_built(boxes={"width": 16, "least_heads": n}), _scene(), _scene())["boxes.heat"] for n in (1, 18)]
    torch.testing.assert_close(*many)


def test_estimated_boxes_teach_unless_told_otherwise() -> None:
    assert _gradient(_built(), "heat", _scene(pseudo=True), _scene(pseudo=True)) > 0
    strict = _built(boxes={"width": 16, "learn_pseudo": False})
    assert _gradient(strict, "heat", _scene(pseudo=True), _scene(pseudo=True)) == 0
    assert _gradient(strict, "heat", _scene(), _scene()) > 0


def test_a_picture_of_nobody_teaches_every_head() -> None:
    method = _built(boxes={"width": 16, "learn_pseudo": False})
    nobody = Scene(np.zeros((64, 96, 3), np.uint8))
    for part in ("density", "instance_head", "heat"):
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


SIDE = 96


def _painted(number: int, seed: int, side: int = SIDE) -> Scene:
    """So many squares of 10 pixels on an even ground, one in each of some cells."""
    draw = np.random.default_rng(seed)
    per_row = side // 24
    cells = draw.permutation(per_row**2)[:number]
    points = np.stack([cells % per_row, cells // per_row], axis=1) * 24.0 + 12
    pixels = np.full((side, side, 3), 90, np.uint8)
    for x, y in points.astype(int):
        pixels[y - 5 : y + 5, x - 5 : x + 5] = (220, 180, 60)
    return Scene(pixels, points, np.concatenate([points - 5, points + 5], axis=1), name=f"{number}")


SCENES = [_painted(number, seed) for seed, number in enumerate((0, 2, 5, 9))]


@cache
def _trained() -> Fused:
    """A network that has learned four scenes by heart."""
    method = _built().train()
    targets = TargetBatch.join([method.targets(scene) for scene in SCENES])
    images = to_tensor([scene.pixels() for scene in SCENES], method.input_spec)
    optimiser = torch.optim.Adam(method.parameter_groups(6e-3, 1.0))
    for _ in range(120):
        optimiser.zero_grad()
        method.loss(method.training_forward(images, targets), targets)["total"].backward()
        optimiser.step()
    return method.eval()


@cache
def _card() -> ModelCard:
    return method_card("fused", SMALL, _trained(), name="small")


def _counter() -> Counter:
    return Counter(_card(), TorchRuntime(_trained(), _card().input))


def test_a_few_scenes_are_learned_to_the_exact_count_by_every_head() -> None:
    for scene in SCENES:
        found = _counter().count(scene)
        assert found.people == scene.count
        assert found.counts["instances"] == found.counts["boxes"] == scene.count
        assert round(found.counts["density"]) == scene.count
        assert found.boxes_xyxy is not None
        away = np.abs(found.points_xy[:, None] - scene.points_xy).max(axis=2, initial=0)
        assert away[linear_sum_assignment(away)].max(initial=0) < 3
        np.testing.assert_allclose(found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2], 10, atol=4)


def test_every_runtime_counts_alike(tmp_path: Path) -> None:
    file = tmp_path / "small.onnx"
    write_model(_trained(), _card(), file)
    image = np.full((SIDE + 43, SIDE + 17, 3), 90, np.uint8)  # no multiple of the divisor
    image[:SIDE, :SIDE] = SCENES[3].pixels()
    found = {
        runtime: headcount.load(path, runtime=runtime, precision="f32", device="cpu").count(image)
        for runtime, path in (("onnxruntime", file), ("openvino", file), ("torch", file.with_suffix(".safetensors")))
    }
    for prediction in found.values():
        assert prediction.count == pytest.approx(found["torch"].count, rel=1e-3)
        np.testing.assert_allclose(prediction.points_xy, found["torch"].points_xy, atol=0.1)
        np.testing.assert_allclose(prediction.boxes_xyxy, found["torch"].boxes_xyxy, atol=0.1)


def test_tiles_and_the_whole_image_count_alike() -> None:
    # Its backbone pools over no whole image, so that tiles are exact.
    options = {**SMALL, "backbone": "test_resnet"}
    method = _built(backbone="test_resnet").eval()
    with torch.inference_mode():  # heat of some cells above the threshold, and of some below
        for kind in ("heat", "size", "offset"):
            method.get_submodule(kind)[-1].weight.mul_(15_000)  # type: ignore[index]
    card = method_card("fused", options, method, name="small")
    assert card.tile.exact
    small = card.model_copy(update={"tile": card.tile.model_copy(update={"size": 2 * card.tile.halo + 96})})
    scene = _painted(60, 9, side=-(-(2 * card.tile.halo + 240) // 24) * 24)
    assert is_tiled(scene.size_wh, small)
    tiled, whole = (Counter(one, TorchRuntime(method, card.input)).count(scene) for one in (small, card))
    assert tiled.count == pytest.approx(whole.count, rel=1e-3)
    assert whole.counts["boxes"] > 10
    for head, count in whole.counts.items():
        assert tiled.counts[head] == pytest.approx(count, rel=1e-3)


def test_how_far_heads_are_believed_is_chosen_by_counts_and_written_into_the_card(tmp_path: Path) -> None:
    file = tmp_path / "small.safetensors"
    write_model(_trained(), _card(), file)
    rows = ["image,x,y"]
    for index, scene in enumerate(SCENES):
        Image.fromarray(scene.pixels()).save(tmp_path / f"{index}.png")
        rows += [f"{index}.png,{x},{y}" for x, y in scene.points_xy] or [f"{index}.png,,"]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    chosen = calibrate(file, [f"points={tmp_path / 'points.csv'}"], split="all", precision="f32")
    assert isinstance(chosen, FusionCalibration)
    (found,) = chosen.sets
    assert found.after.mae <= found.before.mae + 1e-6
    assert found.after.mae <= min(alone.mae for alone in found.alone.values()) + 0.05
    card = ModelCard.read(file.with_suffix(".json"))
    assert card.decoder is not None
    assert card.decoder.settings["boxes"] == {**_card().decoder.settings["boxes"], **chosen.settings["boxes"]}  # type: ignore[union-attr]
    assert list(card.decoder.settings["boxes_weight"]) == list(chosen.settings["boxes_weight"])
    assert [result.protocol.rsplit("; ", 1)[1] for result in card.results] == [
        "weights of the heads chosen on these images",
        "weights of the heads fitted to the other half of these images",
    ]
    assert "How far each of its heads is believed was chosen on points-points all (4 images)" in card.notes[0]
    assert all(len(line) <= 80 for line in chosen.lines())
    again = calibrate(file, [f"points={tmp_path / 'points.csv'}"], split="all", precision="f32")
    assert again.settings == chosen.settings
    assert len(ModelCard.read(file.with_suffix(".json")).notes) == 1
    assert headcount.load(file, precision="f32").count(SCENES[2]).people == 5


def test_a_model_of_one_head_has_nothing_to_fuse(tmp_path: Path) -> None:
    options = {**SMALL, "heads": ["density"]}
    method, file = _built(heads=["density"]), tmp_path / "one.safetensors"
    write_model(method, method_card("fused", options, method, name="one"), file)
    with pytest.raises(ModelError, match='"one" has one head: there is nothing to fuse'):
        calibrate(file, ["points=none.csv"], split="all")


def test_targets_hold_what_is_known_alone() -> None:
    method = _built()
    known, unknown = (method.targets(_scene(boxes=has)).maps["boxes.weight"] for has in (True, False))
    assert known.min() == 1
    assert unknown.max() == 0
    assert method.targets(replace(_scene(), boxes_xyxy=None, box_provenance=())).maps["boxes.weight"].max() == 0


def test_images_are_counted_at_the_size_that_their_heads_need_where_boxes_tell_it() -> None:
    assert _built().scale is not None
    assert _built(scaled=False).scale is None
    assert _built(heads=["density", "instances"]).scale is None
    small = {"backbone": "test_efficientnet", "width": 8, "head_width": 8}
    assert build_method("centernet", small).scale is None  # as protocols of papers want it
    assert build_method("centernet", {**small, "scaled": True}).scale is not None


def test_the_norms_of_the_neck_keep_their_statistics_where_asked_for() -> None:
    fixed, free = (_built(fixed_neck_statistics=how).train() for how in (True, False))
    for method, moves in ((fixed, False), (free, True)):
        before = {key: value.clone() for key, value in method.neck.state_dict().items() if "running" in key}
        batch = TargetBatch.join([method.targets(_scene())] * 2)
        method.training_forward(torch.rand(2, 3, 64, 96), batch)
        after = method.neck.state_dict()
        assert before
        assert all(torch.equal(after[key], value) for key, value in before.items()) is not moves
        assert any(part.requires_grad for part in method.neck.parameters())
