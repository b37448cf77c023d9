"""MCNN, and the two public checkpoints that must count as they always did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headcount.core.errors import InputError, ModelError
from headcount.infer.counter import Counter, load
from headcount.models.table import build_method
from headcount.train.importing import import_weights

SHARED = Path(__file__).parents[4] / "shared"
REFERENCE = SHARED / "reference/mcnn"
FILES = {"A": "mcnn_shtechA_660.h5", "B": "mcnn_shtechB_110.h5"}


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter]:
    if not REFERENCE.is_dir():
        pytest.skip("the public MCNN checkpoints are not here")
    folder = tmp_path_factory.mktemp("mcnn")
    found = {}
    for part, file in FILES.items():
        import_weights("mcnn", REFERENCE / file, folder / f"{part}.onnx")
        found[part] = load(folder / f"{part}.onnx", threads=1)
    return found


def _reference() -> dict[str, Any]:
    return json.loads((REFERENCE / "reference.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("part", ["A", "B"])
def test_public_checkpoints_count_noise_as_they_always_did(counters: dict[str, Counter], part: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96)).astype(np.uint8)
    assert counters[part].count(noise).count == pytest.approx(_reference()[f"noise_{part}"]["sum"], abs=1e-3)


@pytest.mark.parametrize("image", ["part_A/IMG_2", "part_A/IMG_3", "part_B/IMG_3"])
def test_public_checkpoints_count_photographs_as_they_always_did(counters: dict[str, Counter], image: str) -> None:
    part, name = image.split("/")
    photo = SHARED / f"data/ShanghaiTech/{part}/train_data/images/{name}.jpg"
    if not photo.is_file():
        pytest.skip("the ShanghaiTech images are not here")
    assert counters[part[-1]].count(photo).count == pytest.approx(_reference()[image]["count"], abs=1e-3)


def test_rows_and_columns_past_a_multiple_of_four_are_cut(counters: dict[str, Counter]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (43, 62), dtype=np.uint8)
    whole, cut = counters["A"].count(noise), counters["A"].count(noise[:40, :60])
    assert whole.count == pytest.approx(cut.count, abs=1e-6)
    assert whole.size_wh == (62, 43)
    assert whole.density is not None
    assert whole.density.shape == (11, 16)
    assert whole.density[-1].max() == whole.density[:, -1].max() == 0


def test_three_columns_of_the_papers_kernels() -> None:
    method = build_method("mcnn", {})
    kernels = [
        tuple(value.shape)
        for key, value in method.state_dict().items()
        if key.startswith("backbone.") and key.endswith("weight")
    ]
    assert kernels == [
        (16, 1, 9, 9), (32, 16, 7, 7), (16, 32, 7, 7), (8, 16, 7, 7),
        (20, 1, 7, 7), (40, 20, 5, 5), (20, 40, 5, 5), (10, 20, 5, 5),
        (24, 1, 5, 5), (48, 24, 3, 3), (24, 48, 3, 3), (12, 24, 3, 3),
    ]  # fmt: skip
    assert method.state_dict()["last.weight"].shape == (1, 30, 1, 1)


def test_reading_as_the_authors_takes_gray() -> None:
    with pytest.raises(InputError, match="read_as_authors is for gray images"):
        build_method("mcnn", {"read_as_authors": True, "in_channels": 3})
    spec = build_method("mcnn", {"read_as_authors": True}).input_spec
    assert (spec.opencv_gray, spec.cut, spec.size_divisor) == (True, True, 4)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"frontend.0.weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"no checkpoint of the MCNN authors.*DME\.branch1"):
        import_weights("mcnn", tmp_path / "a.pth", tmp_path / "a.safetensors")
