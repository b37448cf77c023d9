"""Maps of scored boxes into heads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.dense_boxes import DenseBoxesDecoderSettings, decode_dense_boxes

Maps = dict[str, NDArray[np.float32]]


def _blank(size_wh: tuple[int, int], strides: tuple[int, ...], anchors: int = 1) -> Maps:
    maps: Maps = {}
    for stride in strides:
        grid = (-(-size_wh[1] // stride), -(-size_wh[0] // stride))
        maps[f"scores_{stride}"] = np.zeros((anchors, *grid), np.float32)
        maps[f"boxes_{stride}"] = np.zeros((4 * anchors, *grid), np.float32)
    return maps


def _decoded(maps: Maps, size_wh: tuple[int, int], **settings: float) -> Prediction:
    strides = {name: int(name.split("_")[1]) for name in maps}
    return decode_dense_boxes(maps, strides, DenseBoxesDecoderSettings.model_validate(settings), size_wh)


def test_nobody_is_nobody() -> None:
    found = _decoded(_blank((64, 48), (4, 8)), (64, 48))
    assert found.count == 0
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.shape == (0, 4)


def test_sides_are_told_from_the_middle_of_the_cell() -> None:
    maps = _blank((64, 48), (4, 8))
    maps["scores_8"][0, 2, 3] = 0.75
    maps["boxes_8"][:, 2, 3] = [1, 2, 3, 4.5]
    found = _decoded(maps, (64, 48))
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[27, 18, 31, 24.5]]
    assert found.scores is not None
    assert found.scores.tolist() == [0.75]


def test_the_channels_of_an_anchor_lie_together() -> None:
    maps = _blank((64, 48), (8,), anchors=3)
    maps["scores_8"][1, 0, 0] = maps["scores_8"][2, 5, 7] = 0.5
    maps["boxes_8"][4:8, 0, 0] = [1, 1, 1, 1]
    maps["boxes_8"][8:12, 5, 7] = [2, 1, 3, 1]
    found = _decoded(maps, (64, 48))
    assert found.boxes_xyxy is not None
    assert sorted(found.boxes_xyxy.tolist()) == [[3, 3, 5, 5], [58, 43, 63, 45]]


def test_views_of_one_head_are_one_and_clipped() -> None:
    maps = _blank((64, 48), (4, 8))
    for stride, score in ((4, 0.6), (8, 0.9)):
        maps[f"scores_{stride}"][0, 0, 0] = score
        middle = stride / 2
        maps[f"boxes_{stride}"][:, 0, 0] = [middle + 2, middle, 10 - middle, 12 - middle]
    maps["scores_4"][0, 11, 15] = 0.29  # no head
    found = _decoded(maps, (64, 48))
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[0, 0, 10, 12]]
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-6)
    assert _decoded(maps, (64, 48), nms_iou=1.0).count == 2


def test_the_strongest_are_kept_and_it_is_said() -> None:
    maps = _blank((64, 48), (4,))
    maps["scores_4"][0] = np.linspace(0.4, 0.9, 12 * 16).reshape(12, 16)
    maps["boxes_4"][:] = 1.5
    every = _decoded(maps, (64, 48))
    assert every.count == 12 * 16
    assert every.warnings == ()
    some = _decoded(maps, (64, 48), max_heads=20)
    assert some.count == 20
    assert some.scores is not None
    assert every.scores is not None
    assert some.scores.tolist() == every.scores[:20].tolist()
    assert "max_heads" in some.warnings[0]


def test_too_many_views_of_few_heads_are_said() -> None:
    maps = _blank((64, 48), (4,), anchors=2)
    maps["scores_4"][:] = 0.5
    maps["boxes_4"][:] = np.resize([30, 30, 30, 30], (8, 1, 1))
    found = _decoded(maps, (64, 48), max_heads=20)
    assert found.count < 20
    assert "score_threshold" in found.warnings[0]


def test_the_padding_beyond_the_image_is_nobody() -> None:
    maps = _blank((64, 64), (8,))
    maps["scores_8"][0, 7] = 0.9
    maps["boxes_8"][:] = 3
    assert _decoded(maps, (64, 48)).count == 0


def test_faulty_maps_are_told() -> None:
    maps = _blank((64, 48), (4, 8))
    with pytest.raises(ModelError, match=r'"boxes_8"'):
        _decoded({name: values for name, values in maps.items() if name != "boxes_8"}, (64, 48))
    with pytest.raises(ModelError, match=r"scores_….*heat"):
        decode_dense_boxes({"heat": maps["scores_4"]}, {"heat": 4}, DenseBoxesDecoderSettings(), (64, 48))
    maps["boxes_8"][0, 0, 0] = np.nan
    with pytest.raises(ModelError, match=r'"boxes_8".*finite'):
        _decoded(maps, (64, 48))
