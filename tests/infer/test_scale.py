"""An image is counted at the size that its heads need, and what is found is told in its own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.core.card import ModelCard, OutputSpec, ScaleSpec
from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.infer.counter import Counter
from headcount.infer.scale import View, best_view, better_factor, shrunk_by

SPEC = ScaleSpec(look_px=640, least_px=14, aim_px=20, most_px=96)


def _found(sides: list[float], *, count: float | None = None, kind: str = "heads") -> Prediction:
    boxes = np.array([[0.0, 0, side, side] for side in sides]).reshape(-1, 4)
    points = np.full((len(sides), 2), 3.0)
    people = float(len(sides)) if count is None else count
    return Prediction(people, (640, 480), points, "heads", boxes_xyxy=boxes, boxes_kind=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sides", "count", "factor", "better"),
    [
        ([20, 30, 40, 50], None, 0.2, 0.2),  # seen well in the first look
        ([10, 10, 12, 20], None, 0.2, 0.4),  # small: a quarter has 10 px, which become 20
        ([2, 2, 2, 3], None, 0.2, 1.0),  # tiny: never enlarged
        ([], 0, 0.2, 1.0),  # nobody, or nobody to be seen yet
        ([10, 12], None, 0.2, 1.0),  # too few to tell
        ([20, 30, 40, 50], 100, 0.2, 0.2),  # most were not located, but the smallest that were have 20 px
        ([16, 30, 40, 50], 100, 0.2, 0.2436),
        ([192, 192, 192], None, 1.0, 0.25),  # huge: half of 96
        ([192, 192, 192], None, 0.5, 0.125),
        ([100, 90, 90, 20], None, 1.0, 1.0),
        ([5, 5, 5, 5], None, 1.0, 1.0),  # an image that is seen whole is not enlarged
    ],
)
def test_the_size_follows_the_heads(sides: list[float], count: float | None, factor: float, better: float) -> None:
    assert better_factor(_found(sides, count=count), factor, SPEC) == pytest.approx(better, rel=0.02)


def test_boxes_that_tell_no_size_tell_no_scale() -> None:
    assert better_factor(_found([192, 192], kind="parts"), 0.5, SPEC) == 1


@given(
    width=st.integers(1, 300), height=st.integers(1, 300), factor=st.floats(0.01, 1), cell=st.sampled_from([4, 8, 16])
)
def test_a_cell_of_a_shrunk_image_is_whole_pixels(width: int, height: int, factor: float, cell: int) -> None:
    shrunk, exact = shrunk_by(np.zeros((height, width, 3), np.uint8), factor, cell)
    assert (cell / exact) == pytest.approx(round(cell / exact))
    assert 0 < exact <= 1
    assert shrunk.shape[:2] == (max(1, round(height * exact)), max(1, round(width * exact)))
    if min(width, height) >= 64 and factor < 0.3:
        assert min(shrunk.shape[:2]) >= 44  # as near to 64 as whole cells allow


class _Watched:
    """Sees heads of a side in the pixels of the image as it was, and notes the widths of what it was shown."""

    def __init__(self, width: int, head: float) -> None:
        self.width, self.head = width, head
        self.widths: list[int] = []

    def __call__(self, pixels: RgbImage) -> View:
        self.widths.append(pixels.shape[1])
        side = self.head * pixels.shape[1] / self.width
        return View(pixels, {}, (pixels.shape[1], pixels.shape[0]), _found([side] * 5))


@pytest.mark.parametrize(
    ("width", "head", "widths"),
    [
        (6400, 200, [640]),  # 20 px in the first look
        (6400, 60, [640, 2133]),  # 6 px there, 20 at a third
        (6400, 10, [640, 6400]),
        (600, 40, [600]),
        (600, 200, [600, 141]),
        (6400, 1200, [640, 256]),  # 120 px in the first look
    ],
)
def test_one_look_or_two(width: int, head: float, widths: list[int]) -> None:
    see = _Watched(width, head)
    view = best_view(np.zeros((width // 2, width, 3), np.uint8), SPEC, 8, see)
    assert see.widths == pytest.approx(widths, rel=0.05)
    assert view.pixels.shape[1] == see.widths[-1]


def test_without_a_spec_an_image_is_seen_as_it_is() -> None:
    see = _Watched(6400, 200)
    best_view(np.zeros((3200, 6400, 3), np.uint8), None, 8, see)
    assert see.widths == [6400]


class _Heads:
    """A density of a person in each bright cell, and a box of 40 pixels on each, however large the image is."""

    name, device, precision = "heads", "cpu", "f32"

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        bright = pixels[:, 4::8, 4::8, 0] > 127
        heat = np.zeros((len(pixels), 1, 2 * bright.shape[1], 2 * bright.shape[2]), np.float32)
        heat[:, 0, ::2, ::2] = bright
        size = np.full((len(pixels), 2, *heat.shape[2:]), 40, np.float32)
        density = bright[:, None].astype(np.float32)
        return {"density": density, "heat": heat, "size": size, "offset": np.zeros_like(size)}


def test_what_is_found_in_a_shrunk_image_is_told_in_pixels_of_the_image() -> None:
    from headcount.core.card import DecoderSpec

    outputs = tuple(
        OutputSpec(name=name, stride=stride, channels=channels)
        for name, stride, channels in (("density", 8, 1), ("heat", 4, 1), ("size", 4, 2), ("offset", 4, 2))
    )
    card = ModelCard(
        name="heads", method="none", task="detect", outputs=outputs, decoder=DecoderSpec(name="fused"), scale=SPEC
    )
    pixels = np.zeros((1280, 2560, 3), np.uint8)  # shrunk to a quarter: a cell of 8 pixels is 32 here
    for x, y in ((5, 10), (20, 30), (60, 3), (61, 30)):
        pixels[32 * y : 32 * y + 32, 32 * x : 32 * x + 32] = 255
    found = Counter(card, _Heads()).count(pixels)
    assert found.size_wh == (2560, 1280)
    assert found.density_stride == 32
    assert found.density is not None
    assert found.density.shape == (40, 80)
    assert found.count == pytest.approx(4, abs=0.01)
    assert [round(found.density[y, x], 2) for x, y in ((5, 10), (61, 30))] == [1, 1]
    assert found.boxes_xyxy is not None
    np.testing.assert_allclose(found.boxes_xyxy[:, 2] - found.boxes_xyxy[:, 0], 160, atol=30)
    assert np.abs(found.points_xy[0] - [32 * 60 + 8, 32 * 3 + 8]).max() <= 8
    part = Counter(card, _Heads()).count(pixels, region=[[0, 0], [1280, 0], [1280, 1280], [0, 1280]])
    assert part.count == pytest.approx(2, abs=0.01)
