"""Rendered scenes: the same seed the same crowd, labels where heads are seen, and how much of each is seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.synth.rendered import MIN_VISIBLE, Rendered, render_scene, render_sequence
from headcount.synth.rendered.camera import Camera
from headcount.synth.rendered.crowd import queue
from headcount.synth.rendered.engine import Engine
from headcount.synth.rendered.instances import Instances, placed
from headcount.synth.rendered.light import Fullness, indoor_light
from headcount.synth.rendered.people import HAIRS, HATS, STAND, WALK, Looks, Stance, Taste, add_people, draw_looks
from headcount.synth.rendered.places import PLACES
from headcount.synth.rendered.scene import Heads, Stage, drawn_empty, drawn_for_validation
from headcount.synth.rendered.walk import walk

SMALL = (320, 200)
pytestmark = pytest.mark.usefixtures("gl")


def _check_labels(rendered: Rendered, size_wh: tuple[int, int], least: float) -> None:
    scene = rendered.scene
    assert scene.size_wh == size_wh
    assert scene.boxes_xyxy is not None
    n = scene.count
    assert len(scene.boxes_xyxy) == len(rendered.visible) == len(rendered.ground_m) == len(rendered.person) == n
    assert ((rendered.visible >= least) & (rendered.visible <= 1)).all()
    assert len(set(rendered.person.tolist())) == n
    width, height = size_wh
    assert ((scene.points_xy >= 0) & (scene.points_xy < (width, height))).all()
    assert (scene.boxes_xyxy[:, :2] >= 0).all()
    assert (scene.boxes_xyxy[:, 2:] <= (width, height)).all()
    assert (scene.boxes_xyxy[:, 2:] > scene.boxes_xyxy[:, :2]).all()
    assert (scene.points_xy >= scene.boxes_xyxy[:, :2]).all()
    assert (scene.points_xy <= scene.boxes_xyxy[:, 2:]).all()


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_labels_that_fit(place: str) -> None:
    rendered = render_scene(11, size_wh=SMALL, place=place)  # type: ignore[arg-type]
    _check_labels(rendered, SMALL, MIN_VISIBLE)
    assert rendered.scene.attributes["place"] == place


def test_the_same_seed_gives_the_same_picture() -> None:
    one, other = (render_scene(5, size_wh=SMALL, count=40) for _ in range(2))
    render_scene(6, size_wh=(160, 120))  # what was rendered between does not matter
    again = render_scene(5, size_wh=SMALL, count=40)
    for second in (other, again):
        assert one.scene.pixels().tobytes() == second.scene.pixels().tobytes()
        np.testing.assert_array_equal(one.scene.points_xy, second.scene.points_xy)
        np.testing.assert_array_equal(one.visible, second.visible)


def test_another_thread_renders_the_same() -> None:
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(render_scene, 5, size_wh=SMALL, count=40).result()
    assert other.scene.pixels().tobytes() == render_scene(5, size_wh=SMALL, count=40).scene.pixels().tobytes()


def test_nobody_is_nobody() -> None:
    rendered = render_scene(12, size_wh=SMALL, count=0)
    assert rendered.scene.count == rendered.hidden == 0


def test_weather_that_is_asked_for_is_outdoors() -> None:
    for seed in range(6):
        scene = render_scene(seed, size_wh=(160, 120), count=3, weather="fog", day="night").scene
        assert (scene.attributes["weather"], scene.attributes["day"]) == ("fog", "night")


def test_nobody_walks_into_a_wall() -> None:
    for place, seed in (("street", 4), ("street", 9), ("hall", 5), ("hall", 6)):
        stage = Stage.of(seed, size_wh=SMALL, place=place)  # type: ignore[arg-type]
        *_, last = walk(np.random.default_rng(1), stage.stance, stage.area, stage.obstacles, frames=50, per_second=5.0)
        half = stage.area[2] + 0.45  # where the wall is
        assert (np.abs(stage.stance.at[:, 0]) <= half).all()
        assert (np.abs(last.at[:, 0]) <= half + 0.3).all()


def test_who_waits_in_a_queue_does_not_walk_off() -> None:
    stages = [Stage.of(seed, size_wh=SMALL, place="station") for seed in range(8)]
    spots = queue(np.random.default_rng(1), 20, (0.0, 5.0, 6.0, 20.0), 2)
    assert spots.waits.all()
    assert any((stage.stance.doing == WALK).any() for stage in stages)


def test_no_more_than_asked_for() -> None:
    for seed in range(3):
        rendered = render_scene(seed, size_wh=SMALL, count=15)
        assert rendered.scene.count + rendered.hidden <= 15


def test_the_shares_of_empty_scenes() -> None:
    assert not any(drawn_empty(seed, 0.0) for seed in range(50))
    assert all(drawn_empty(seed, 1.0) for seed in range(50))
    assert 40 < sum(drawn_empty(seed, 0.1) for seed in range(600)) < 85


def test_what_is_for_validation_stays_so() -> None:
    chosen = [drawn_for_validation(seed, 0.1) for seed in range(600)]
    assert 40 < sum(chosen) < 85
    assert chosen[:50] == [drawn_for_validation(seed, 0.1) for seed in range(50)]
    assert all(drawn_for_validation(seed, 0.3) for seed in range(600) if chosen[seed])


def test_the_ground_places_are_under_the_heads() -> None:
    rendered = render_scene(21, size_wh=(640, 400), place="square", count=60)
    feet = np.column_stack([rendered.ground_m, np.ones(len(rendered.ground_m))]) @ rendered.camera.homography.T
    feet = feet[:, :2] / feet[:, 2:]
    assert rendered.scene.boxes_xyxy is not None
    tall = rendered.scene.boxes_xyxy[:, 3] - rendered.scene.boxes_xyxy[:, 1]
    down = feet[:, 1] - rendered.scene.points_xy[:, 1]
    assert (down > 0).all()
    assert (down < 9 * np.maximum(tall, 6)).all()
    record = rendered.record()
    np.testing.assert_allclose(record["camera"]["ground_to_pixels"], rendered.camera.homography)
    assert len(record["visible"]) == rendered.scene.count


CAMERA = Camera(height_m=1.6, pitch_deg=0.0, fov_deg=40.0, size_wh=(400, 300))


def _group(n: int, away_m: float = 6.0) -> tuple[Looks, Stance]:
    """People side by side who look at the camera."""
    at = np.stack([np.linspace(-0.8, 0.8, n) if n > 1 else np.zeros(1), np.full(n, away_m), np.zeros(n)], 1)
    stance = Stance(at, np.full(n, np.pi), np.full(n, STAND), np.full(n, STAND), np.zeros(n), np.zeros((n, 2)))
    return draw_looks(np.random.default_rng(3), n, Taste(hats=0.0, children=0.0)), stance


def _seen(gl: Engine, looks: Looks, stance: Stance, *, wall_m: float | None = None, detail: str = "near") -> Any:
    """(h, w) whose head is where, finer than the picture; behind a wall of a height."""
    into = Instances()
    into.add("plane", placed((0, 0, 0), (200, 200, 1)), (0.3, 0.3, 0.3))
    if wall_m is not None:
        into.add("box", placed((0, 4.0, 0), (8.0, 0.1, wall_m)), (0.5, 0.1, 0.1))
    add_people(into, looks, stance, np.full(len(looks), detail))
    light = replace(indoor_light(np.random.default_rng(1)), noise=0.0)
    return gl.draw(into, CAMERA, light, Fullness(np.zeros((4, 4), np.float32), -9, 0, 18, 18))[1]


def test_a_head_alone_is_seen_whole_and_one_behind_a_wall_is_not(gl: Engine) -> None:
    whole, half, none = ((_seen(gl, *_group(1), wall_m=wall) == 0).sum() / 2.25 for wall in (None, 1.62, 2.5))
    assert 200 < whole < 400  # a head of 0.24 m at 6 m, by a focal length of 550 px: an ellipse of some 22 by 16
    assert 0.15 * whole < half < 0.85 * whole
    assert none == 0


def test_each_heads_pixels_are_its_own(gl: Engine) -> None:
    whose = _seen(gl, *_group(5))
    assert set(np.unique(whose)) == {-1, 0, 1, 2, 3, 4}
    columns = [np.flatnonzero((whose == one).any(axis=0)).mean() for one in range(5)]
    assert columns == sorted(columns)


@pytest.mark.parametrize("hat", range(len(HATS)))
@pytest.mark.parametrize("hair", range(len(HAIRS)))
def test_boxes_and_shares_are_those_of_what_is_drawn(gl: Engine, hair: int, hat: int) -> None:
    looks, stance = _group(1, away_m=2.0)
    looks = replace(looks, hair=np.array([hair]), hat=np.array([hat]))
    stance = replace(stance, facing=np.array([np.pi + 0.2 * hair]))
    heads = Heads(CAMERA, looks, stance)
    rows, columns = np.nonzero(_seen(gl, looks, stance) == 0)
    drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 1.5
    np.testing.assert_allclose(heads.boxes[0][:3], drawn[:3], atol=1.5)  # of a head 65 px high
    assert heads.boxes[0][3] == pytest.approx(drawn[3], abs=2.5)  # the neck hides a little of the chin
    assert 0.8 < len(rows) / 2.25 / heads.outline_px[0] < 1.03  # below a brim the outline is not all head
    middle = heads.points[0] * 1.5
    assert abs(columns.mean() - middle[0]) < 12
    assert abs(rows.mean() - middle[1]) < 16


def test_a_lone_heads_share_is_nearly_one() -> None:
    found = [render_scene(seed, size_wh=(640, 400), place="hall", count=3) for seed in range(30, 36)]
    shares = np.concatenate([one.visible for one in found])
    assert len(shares) > 5
    assert np.median(shares) > 0.9


def test_hidden_heads_are_not_labelled_and_are_counted() -> None:
    strict = render_scene(41, size_wh=SMALL, place="concert", count=400, min_visible=0.9)
    loose = render_scene(41, size_wh=SMALL, place="concert", count=400, min_visible=0.0)
    assert strict.scene.count < loose.scene.count
    assert strict.scene.count + strict.hidden == loose.scene.count + loose.hidden
    assert set(strict.person.tolist()) <= set(loose.person.tolist())


def test_a_sequence_keeps_people_and_camera() -> None:
    frames = list(render_sequence(8, 4, per_second=5.0, size_wh=SMALL, place="street", count=30))
    assert [one.scene.name for one in frames] == ["000001", "000002", "000003", "000004"]
    assert len({one.camera for one in frames}) == 1
    places: dict[int, list[np.ndarray]] = {}
    for one in frames:
        _check_labels(one, SMALL, 0.0)
        for person, at in zip(one.person.tolist(), one.ground_m, strict=True):
            places.setdefault(person, []).append(at)
    moved = [np.linalg.norm(way[-1] - way[0]) for way in places.values() if len(way) == 4]
    assert max(moved) > 0.2
    assert max(moved) < 3 * 2.0 * 1.3 / 5 + 1e-6
    still = render_scene(8, size_wh=SMALL, place="street", count=30, min_visible=0.0)
    np.testing.assert_array_equal(still.scene.points_xy, frames[0].scene.points_xy)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": -1}, "A seed must be from 0"),
        ({"size_wh": (40, 400)}, "at least 64 px"),
        ({"count": -2}, "must be 0 or more"),
        ({"place": "moon"}, 'no place "moon"'),
        ({"weather": "hail"}, "sunny, extra-sunny, clouds"),
        ({"day": "noonish"}, 'no day part "noonish"'),
        ({"min_visible": 1.5}, "from 0 to 1"),
        ({"size_wh": (9000, 100)}, "at most 8,192 px a side"),
        ({"size_wh": (8000, 8000)}, "in all"),
        ({"count": 10_001}, "at most 10,000 people"),
        ({"place": "hall", "weather": "rain"}, 'no weather or day part in the place "hall"'),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    wanted = {"seed": 1, "size_wh": SMALL, "count": 0} | given
    with pytest.raises(InputError, match=said):
        render_scene(**wanted)  # type: ignore[arg-type]


def test_a_sequence_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="1 picture or more"):
        next(render_sequence(1, 0))
