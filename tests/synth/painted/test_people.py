"""A painted head lies exactly where its point says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.scene import Scene
from headcount.synth import paint_scene
from headcount.synth.painted.brush import Pen
from headcount.synth.painted.mood import draw_mood
from headcount.synth.painted.people import HEAD_HALF_HEIGHT, HEAD_HALF_WIDTH, Person, lower_arms, paint_person
from headcount.synth.painted.wardrobe import DRAWS_PER_LOOK, Look, draw_look

HAZE = np.zeros(3, np.float32)


def _look(number: int) -> Look:
    rng = np.random.Generator(np.random.Philox(key=number))
    return draw_look(rng.random(DRAWS_PER_LOOK), draw_mood(rng).crowd)


def _head_mask(person: Person) -> NDArray[np.bool_]:
    """What painting the head changes: the picture with it against the picture without it."""
    sheets = []
    for with_head in (True, False):
        canvas = np.zeros((120, 160, 3), np.float32)  # black: there the soft shade about a figure changes nothing
        paint_person(canvas, replace(person, with_head=with_head), HAZE)
        sheets.append(canvas)
    mask: NDArray[np.bool_] = np.abs(sheets[0] - sheets[1]).max(axis=2) > 6.0
    return mask


@pytest.mark.parametrize("head_px", [4.5, 7.0, 11.0, 18.0, 33.0, 56.0])
@pytest.mark.parametrize("offset_xy", [(0.0, 0.0), (0.5, 0.5), (0.27, 0.81)])
def test_the_drawn_head_is_centred_on_its_point(head_px: float, offset_xy: tuple[float, float]) -> None:
    x, y = 80 + offset_xy[0], 45 + offset_xy[1]
    centroids = []
    for number in range(12):
        # A head of plain hair: what reaches beyond the outline (brims, long hair) is no part of it.
        look = replace(_look(number), hair_style="short", hat="none", facing="back", raised_left=0.0, raised_right=0.0)
        rows, columns = np.nonzero(_head_mask(Person(x, y, head_px, look)))
        centroids.append((columns.mean() + 0.5, rows.mean() + 0.5))
        assert abs(np.ptp(columns) + 1 - 2 * HEAD_HALF_WIDTH * head_px) < 3.6  # a soft rim
        assert abs(np.ptp(rows) + 1 - 2 * HEAD_HALF_HEIGHT * head_px) < 3.6
    error = np.array(centroids) - (x, y)
    assert np.abs(error).max() < 0.5
    assert np.abs(error.mean(axis=0)).max() < 0.3


@pytest.mark.parametrize("number", range(24))
def test_any_look_keeps_its_head_on_its_point(number: int) -> None:
    person = Person(80.3, 45.6, 22.0, replace(_look(number), hair_style="short"))
    rows, columns = np.nonzero(_head_mask(person))
    assert np.hypot(columns.mean() + 0.5 - person.x, rows.mean() + 0.5 - person.y) < 0.75


def test_the_pen_counts_from_the_pixels_corner() -> None:
    sheet = np.zeros((41, 41, 4), np.uint8)
    Pen(sheet, (20.5, 20.5), 10.0, 0.0).oval(0.0, 0.0, 1.0, 1.0, (255, 255, 255))
    weight = sheet[:, :, 3].astype(np.float64)
    place = np.arange(41) + 0.5
    assert abs((weight.sum(axis=0) * place).sum() / weight.sum() - 20.5) < 0.05
    assert abs((weight.sum(axis=1) * place).sum() / weight.sum() - 20.5) < 0.05


@pytest.mark.parametrize("xy", [(-300.0, 20.0), (500.0, 20.0), (80.0, 400.0), (0.6, 0.6), (159.5, 119.5)])
def test_people_may_stand_over_the_border(xy: tuple[float, float]) -> None:
    canvas = np.zeros((120, 160, 3), np.float32)
    paint_person(canvas, Person(*xy, 30.0, _look(3)), HAZE)
    assert np.isfinite(canvas).all()
    assert canvas.min() >= 0
    assert canvas.max() <= 400


def test_an_arm_is_lowered_where_it_would_cover_a_face() -> None:
    look = replace(_look(1), facing="front", shoulder=1.0, raised_left=1.0, raised_right=1.0)
    assert lower_arms(look, np.zeros((0, 2))) == look
    lowered = lower_arms(look, np.array([[-0.98, -1.0], [5.0, 5.0]]))
    assert (lowered.raised_left, lowered.raised_right) == (0.0, 1.0)


def test_a_finished_scene_shows_a_head_at_its_point() -> None:
    with_one: Scene = paint_scene(25, size_wh=(320, 240), count=1)
    assert with_one.boxes_xyxy is not None
    x1, y1, x2, y2 = with_one.boxes_xyxy[0].round().astype(int)
    empty = paint_scene(25, size_wh=(320, 240), count=0)
    changed = np.abs(with_one.pixels().astype(int) - empty.pixels()).max(axis=2)
    assert np.median(changed[y1:y2, x1:x2]) > 10
