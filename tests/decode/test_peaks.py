"""Peaks of a heat map into head boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.card import DecoderSpec, ModelCard, OutputSpec
from headcount.core.errors import HeadcountError, ModelError
from headcount.core.prediction import Prediction
from headcount.decode.peaks import PeaksDecoderSettings, decode_peaks
from headcount.decode.table import decoder_of, open_decoder

Map = NDArray[np.float32]
STRIDES = {"heat": 4, "size": 4, "offset": 4}


def _maps(heat: Any, *, size: float = 8.0, offset: tuple[float, float] = (0.0, 0.0)) -> dict[str, Map]:
    hot = np.asarray(heat, np.float32)[None]
    moved = np.zeros((2, *hot.shape[1:]), np.float32) + np.float32(offset)[:, None, None]
    return {"heat": hot, "size": np.full_like(moved, size), "offset": moved}


def _decode(maps: dict[str, Map], size_wh: tuple[int, int] | None = None, **settings: Any) -> Prediction:
    rows, columns = maps["size"].shape[1:]
    return decode_peaks(maps, STRIDES, PeaksDecoderSettings(**settings), size_wh or (4 * columns, 4 * rows))


def test_no_cell_is_hot_and_nobody_is_there() -> None:
    found = _decode(_maps(np.zeros((6, 9))))
    assert (found.count, found.boxes_xyxy.shape, found.points_kind, found.warnings) == (0, (0, 4), "heads", ())


def test_a_peak_is_a_box_of_its_size_around_its_middle() -> None:
    heat = np.zeros((8, 8))
    heat[3, 5] = 0.9
    maps = _maps(heat, offset=(1.5, -0.5))
    maps["size"][:, 3, 5] = (6, 10)
    found = _decode(maps)
    assert found.boxes_xyxy.tolist() == [[23.5 - 3, 13.5 - 5, 23.5 + 3, 13.5 + 5]]
    assert found.points_xy.tolist() == [[23.5, 13.5]]
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-6)
    assert found.boxes_kind == "heads"


@pytest.mark.parametrize("row", [-1, 0, 1])
@pytest.mark.parametrize("column", [-1, 0, 1])
def test_of_two_neighbours_the_hotter_is_a_head(row: int, column: int) -> None:
    heat = np.zeros((5, 5))
    heat[2, 2] = 0.8
    heat[2 + row, 2 + column] = max(heat[2 + row, 2 + column], 0.7)
    assert _decode(_maps(heat)).points_xy.tolist() == [[10, 10]]


def test_two_cells_apart_both_are_heads() -> None:
    heat = np.zeros((5, 7))
    heat[2, [1, 3, 5]] = (0.7, 0.8, 0.8)
    assert _decode(_maps(heat)).count == 3


@pytest.mark.parametrize("cells", [np.s_[2, 2:4], np.s_[2:4, 2], np.s_[2:4, 2:4], np.s_[1:6, 1:6], np.s_[:, :]])
def test_touching_cells_of_equal_heat_are_one_head(cells: Any) -> None:
    heat = np.zeros((7, 7))
    heat[cells] = 1.0  # as float32 has it wherever a network is very sure
    assert _decode(_maps(heat)).count == 1


def test_cells_of_equal_heat_that_touch_at_a_corner_are_one_head() -> None:
    assert _decode(_maps(np.diag([0.5] * 6))).count == 1


@pytest.mark.parametrize("cell", [(0, 0), (0, 5), (4, 0), (4, 5), (0, 3), (2, 5)])
def test_heads_at_the_border_are_found_and_their_boxes_end_with_the_image(cell: tuple[int, int]) -> None:
    heat = np.zeros((5, 6))
    heat[cell] = 0.9
    found = _decode(_maps(heat, size=30.0))
    assert found.count == 1
    left, top, right, bottom = found.boxes_xyxy[0]
    assert 0 <= left < right <= 24
    assert 0 <= top < bottom <= 20


def test_what_is_hot_in_the_padding_is_nobody() -> None:
    heat = np.zeros((8, 8))
    heat[1, 1] = heat[1, 6] = heat[6, 1] = 0.9
    assert _decode(_maps(heat), size_wh=(21, 18)).points_xy.tolist() == [[6, 6]]


@pytest.mark.parametrize("size", [0.0, -5.0, 0.2])
def test_a_hot_cell_is_a_head_however_small_its_size(size: float) -> None:
    heat = np.zeros((4, 4))
    heat[1, 2] = 0.9
    assert _decode(_maps(heat, size=size)).boxes_xyxy.tolist() == [[9.5, 5.5, 10.5, 6.5]]


def test_the_threshold_is_the_least_heat_of_a_head() -> None:
    heat = np.zeros((3, 9))
    heat[1, [1, 4, 7]] = (0.3, 0.31, 0.29)
    assert _decode(_maps(heat), score_threshold=0.3).count == 2
    assert _decode(_maps(heat), score_threshold=0.1).count == 3


@pytest.mark.parametrize("name", ["heat", "size", "offset"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_maps_that_are_not_finite_are_refused(name: str, value: float) -> None:
    maps = _maps(np.zeros((4, 4)))
    maps[name][-1, 2, 2] = value
    with pytest.raises(ModelError, match=rf'"{name}" holds values that are not finite'):
        _decode(maps)


@pytest.mark.parametrize("name", ["heat", "size", "offset"])
def test_a_missing_or_small_map_is_named(name: str) -> None:
    maps = _maps(np.zeros((4, 4)))
    with pytest.raises(ModelError, match=f'needs a map "{name}"'):
        decode_peaks(
            {key: values for key, values in maps.items() if key != name}, STRIDES, PeaksDecoderSettings(), (16, 16)
        )
    maps[name] = maps[name][:, :3]
    with pytest.raises(ModelError, match=f'map "{name}" of a 16×16 image must be at least'):
        _decode(maps, (16, 16))


def test_more_heads_than_are_allowed_leave_the_strongest_and_it_is_said() -> None:
    heat = np.zeros((3, 15))
    heat[1, [1, 4, 7, 10]] = (0.5, 0.9, 0.6, 0.8)
    found = _decode(_maps(heat), max_heads=2)
    np.testing.assert_allclose(found.scores, [0.9, 0.8], rtol=1e-6)
    assert len(found.warnings) == 1
    assert "2 that are allowed" in found.warnings[0]
    assert _decode(_maps(heat), max_heads=4).warnings == ()


def test_as_many_heads_as_cells_are_no_limit() -> None:
    heat = np.zeros((40, 40))
    heat[::2, ::2] = np.random.default_rng(1).uniform(0.4, 0.9, (20, 20))
    assert _decode(_maps(heat), max_heads=10**9).count == 400


@pytest.mark.parametrize(
    "settings", [{"score_threshold": 0}, {"score_threshold": 1}, {"max_heads": 0}, {"treshold": 1}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(HeadcountError):
        open_decoder("peaks", settings)


def test_a_threshold_survives_save_and_load(tmp_path: Path) -> None:
    channels = {"heat": 1, "size": 2, "offset": 2}
    card = ModelCard(
        name="small", task="detect", method="centernet",
        outputs=tuple(OutputSpec(name=name, stride=4, channels=number) for name, number in channels.items()),
        decoder=DecoderSpec(name="peaks", settings={"score_threshold": 0.4242}),
    )  # fmt: skip
    file = tmp_path / "small.json"
    file.write_text(card.to_json(), encoding="utf-8")
    heat = np.zeros((3, 6))
    heat[1, [1, 4]] = (0.4241, 0.4243)
    assert decoder_of(ModelCard.read(file))(_maps(heat), STRIDES, (24, 12)).points_xy.tolist() == [[18, 6]]


def test_the_peaks_of_one_large_head_may_be_joined_by_their_boxes() -> None:
    heat, size = np.zeros((1, 24, 24), np.float32), np.full((2, 24, 24), 60, np.float32)
    for row, column, value in ((8, 8, 0.7), (8, 11, 0.9), (11, 8, 0.8), (8, 21, 0.6)):
        heat[0, row, column] = value
    maps = {"heat": heat, "size": size, "offset": np.zeros((2, 24, 24), np.float32)}
    strides = dict.fromkeys(maps, 4)
    each = decode_peaks(maps, strides, PeaksDecoderSettings(), (96, 96))
    joined = decode_peaks(maps, strides, PeaksDecoderSettings(nms_iou=0.3), (96, 96))
    assert each.count == 4
    assert joined.scores is not None
    assert joined.scores.round(6).tolist() == [0.9, 0.6]
