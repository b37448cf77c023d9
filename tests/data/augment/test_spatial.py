"""Augmentation moves pixels and annotations alike."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.spatial import (
    Window,
    bounded_scale,
    crop,
    draw_window,
    head_size,
    mirror,
    random_crop,
)
from headcount.targets.density import density_map

relaxed = settings(deadline=None, max_examples=40)


def _rng(seed: int) -> np.random.Generator:
    return generator(seed, stream=3)


def _scene(width: int, height: int, points: object = (), seed: int = 0, **fields: object) -> Scene:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Scene(pixels, np.asarray(points, np.float64).reshape(-1, 2), **fields)  # type: ignore[arg-type]


@st.composite
def _scenes(draw: st.DrawFn) -> Scene:
    width, height = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    xs = st.one_of(st.sampled_from([0.0, float(width)]), st.floats(0, width, width=32))
    ys = st.one_of(st.sampled_from([0.0, float(height)]), st.floats(0, height, width=32))
    points = draw(st.lists(st.tuples(xs, ys), max_size=12))
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in itertools.pairwise(points)]
    region = np.random.default_rng(1).random((height, width)) > 0.5
    return _scene(width, height, points, boxes_xyxy=np.array(boxes).reshape(-1, 4), region=region)


def _same(one: Scene, two: Scene) -> None:
    np.testing.assert_array_equal(one.pixels(), two.pixels())
    np.testing.assert_allclose(one.points_xy, two.points_xy, atol=1e-9)
    for name in ("boxes_xyxy", "region"):
        first, second = getattr(one, name), getattr(two, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_allclose(first, second, atol=1e-9)


@relaxed
@given(_scenes())
def test_a_mirror_image_mirrored_is_the_scene_itself(scene: Scene) -> None:
    once = mirror(scene)
    _same(mirror(once), scene)
    np.testing.assert_array_equal(once.pixels(), scene.pixels()[:, ::-1])
    np.testing.assert_array_equal(once.region, scene.region[:, ::-1])  # type: ignore[index]
    assert (once.boxes_xyxy[:, 0] <= once.boxes_xyxy[:, 2]).all()  # type: ignore[index]


@relaxed
@given(_scenes(), st.integers(1, 100), st.integers(0, 999))
def test_a_crop_at_full_size_keeps_exactly_the_points_inside(scene: Scene, size: int, seed: int) -> None:
    crop = random_crop(scene, _rng(seed), size=size)
    width, height = scene.size_wh
    assert crop.pixels().shape == (size, size, 3)
    # Find the window by the draws that the crop makes, in its order.
    rng = _rng(seed)
    rng.uniform(0, 0)
    wide, high = min(width, size), min(height, size)
    left, top = int(rng.integers(0, width - wide + 1)), int(rng.integers(0, height - high + 1))
    np.testing.assert_array_equal(crop.pixels()[:high, :wide], scene.pixels()[top : top + high, left : left + wide])
    assert (crop.pixels()[high:] == 128).all()
    assert (crop.pixels()[:, wide:] == 128).all()

    def within(values: NDArray[np.float64], start: int, length: int, whole: int) -> NDArray[np.bool_]:
        # half-open, but the image's own far border belongs to the crop that touches it
        return (values >= start) & ((values < start + length) | ((values == whole) & (start + length == whole)))

    x, y = scene.points_xy.T
    inside = within(x, left, wide, width) & within(y, top, high, height)
    np.testing.assert_allclose(crop.points_xy, scene.points_xy[inside] - (left, top))


@relaxed
@given(_scenes(), st.integers(1, 100), st.integers(1, 100), st.integers(0, 999))
def test_a_scaled_crop_keeps_its_annotations_within_it(scene: Scene, high: int, wide: int, seed: int) -> None:
    crop = random_crop(scene, _rng(seed), size=(high, wide), scale=(0.3, 3.0))
    assert crop.pixels().shape == (high, wide, 3)
    assert len(crop.points_xy) <= scene.count
    assert crop.boxes_xyxy is not None
    for values in (crop.points_xy, crop.boxes_xyxy.reshape(-1, 2)):
        assert (values >= 0).all()
        assert (values <= (wide, high)).all()
    assert crop.region is not None
    assert crop.region.shape == (high, wide)
    square = (random_crop(scene, _rng(seed), size=size, scale=(0.3, 3.0)) for size in (high, (high, high)))
    _same(*square)


@relaxed
@given(st.integers(1, 64), st.integers(1, 64), st.integers(64, 130), st.integers(0, 99))
def test_nobody_is_lost_where_the_whole_image_fits(width: int, height: int, size: int, seed: int) -> None:
    """Not even on the far border, whatever the scale's rounding does."""
    corners = [[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 3]]
    crop = random_crop(_scene(width, height, corners), _rng(seed), size=size, scale=(0.4, 1.0))
    assert crop.count == 5
    assert (crop.points_xy <= size).all()


def test_neighbouring_crops_share_no_head() -> None:
    """A head on the line between two crops belongs to the one it begins."""
    scene = _scene(40, 20, [[20.0, 10.0]])
    assert [_within(scene, left, 0, 20, 20).count for left in range(21)] == [0] + [1] * 20


def _dot(width: int, height: int, x: float, y: float, sigma: float = 2.0) -> Scene:
    rows, columns = np.mgrid[0:height, 0:width]
    light = np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / (2 * sigma**2)) * 255
    return Scene(np.repeat(light.round().astype(np.uint8)[:, :, None], 3, axis=2), np.array([[x, y]]))


def _centroid(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    light = pixels[:, :, 0].astype(np.float64)
    rows, columns = np.mgrid[0 : light.shape[0], 0 : light.shape[1]]
    return np.array([(light * (columns + 0.5)).sum(), (light * (rows + 0.5)).sum()]) / light.sum()


@relaxed
@given(
    st.floats(30, 90), st.floats(30, 70), st.integers(24, 140),
    st.sampled_from([(1.0, 1.0), (0.4, 0.6), (0.7, 1.4), (2.0, 3.0)]), st.booleans(), st.integers(0, 999),
)  # fmt: skip
def test_a_bright_dot_stays_at_its_point(
    x: float, y: float, size: int, scale: tuple[float, float], turned: bool, seed: int
) -> None:
    crop = random_crop(_dot(120, 100, x, y), _rng(seed), size=size, scale=scale, fill=0)
    factor = float(np.exp(np.mean(np.log(scale))))
    if turned:
        crop = mirror(crop)
    margin = 12 * max(1.0, scale[1])
    if crop.count and (crop.points_xy > margin).all() and (crop.points_xy < size - margin).all():
        assert np.abs(_centroid(crop.pixels()) - crop.points_xy[0]).max() < 0.5 * max(0.5, min(1.0, factor))


def test_a_bright_dot_is_tested_often_enough() -> None:
    """The check above leaves out dots near a crop's border: most of these are not."""
    tested = 0
    for seed in range(40):
        crop = random_crop(_dot(120, 100, 60.3, 50.8), _rng(seed), size=96, scale=(0.8, 1.25), fill=0)
        if crop.count and (np.abs(crop.points_xy - 48) < 33).all():
            tested += 1
            assert np.abs(_centroid(crop.pixels()) - crop.points_xy[0]).max() < 0.25
    assert tested > 10


def test_boxes_and_region_follow_the_pixels() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[20:40, 30:50] = 255
    box = np.array([[30.0, 20.0, 50.0, 40.0], [0.0, 0.0, 2.0, 2.0]])
    scene = Scene(pixels, boxes_xyxy=box, box_provenance=("annotated", "pseudo"), region=pixels[:, :, 0] > 0)
    for seed in range(20):
        crop = mirror(random_crop(scene, _rng(seed), size=64, scale=(0.7, 1.3), fill=0))
        light = crop.pixels()[:, :, 0] > 127
        assert crop.region is not None
        assert crop.boxes_xyxy is not None
        assert (light != crop.region).mean() < 0.04
        assert len(crop.box_provenance) == len(crop.boxes_xyxy)
        if "annotated" in crop.box_provenance:
            x1, y1, x2, y2 = crop.boxes_xyxy[crop.box_provenance.index("annotated")]
            rows, columns = np.nonzero(light)
            seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose([x1, y1, x2, y2], seen, atol=1.0)


def test_a_box_is_dropped_with_its_centre_and_clipped_otherwise() -> None:
    scene = _scene(100, 50, boxes_xyxy=np.array([[40.0, 10.0, 70.0, 20.0], [44.0, 10.0, 90.0, 20.0]]))
    for left in range(51):
        expected = [
            [max(x1 - left, 0), y1, min(x2 - left, 50), y2] for x1, y1, x2, y2 in scene.boxes_xyxy  # type: ignore[union-attr]
            if 0 <= (x1 + x2) / 2 - left < 50
        ]  # fmt: skip
        seen = _within(scene, left, 0, 50, 50)
        np.testing.assert_allclose(seen.boxes_xyxy, np.array(expected).reshape(-1, 4))  # type: ignore[arg-type]


def test_scales_are_drawn_evenly_on_a_log_scale_between_their_bounds() -> None:
    scene = _scene(400, 400, [[x, y] for x in range(0, 400, 4) for y in range(0, 400, 20)])
    drawn = []
    for seed in range(300):
        crop = random_crop(scene, _rng(seed), size=100, scale=(0.5, 2.0))
        xs = np.unique(crop.points_xy[:, 0])
        if len(xs) > 1:
            drawn.append(np.diff(xs).mean() / 4)
    assert min(drawn) >= 0.48
    assert max(drawn) <= 2.1
    assert abs(np.log(drawn).mean()) < 0.1


def test_the_input_scene_is_never_changed() -> None:
    scene = _scene(40, 30, [[3, 4], [40, 30]], region=np.ones((30, 40), np.bool_))
    pixels, points = scene.pixels().copy(), scene.points_xy.copy()
    mirrored = mirror(scene)
    mirrored.points_xy[:] = 0
    random_crop(scene, _rng(1), size=16, scale=(0.5, 2))
    np.testing.assert_array_equal(scene.pixels(), pixels)
    np.testing.assert_array_equal(scene.points_xy, points)


def test_a_shrunk_crop_averages_pixels() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[::2] = 255
    crop = random_crop(Scene(pixels), _rng(0), size=32, scale=(0.5, 0.5))
    assert np.abs(crop.pixels().astype(int) - 128).max() <= 1


def _within(scene: Scene, left: int, top: int, wide: int, high: int, factor: float = 1.0) -> Scene:
    size_wh = (max(1, round(wide * factor)), max(1, round(high * factor)))
    return crop(scene, Window(scene.size_wh, (left, top, wide, high), size_wh, factor))


@relaxed
@given(_scenes(), st.integers(0, 999))
def test_a_crop_of_a_crop_is_the_crop_of_both(scene: Scene, seed: int) -> None:
    rng, (width, height) = np.random.default_rng(seed), scene.size_wh
    wide, high = int(rng.integers(1, width + 1)), int(rng.integers(1, height + 1))
    left, top = int(rng.integers(0, width - wide + 1)), int(rng.integers(0, height - high + 1))
    w, h = int(rng.integers(1, wide + 1)), int(rng.integers(1, high + 1))
    x, y = int(rng.integers(0, wide - w + 1)), int(rng.integers(0, high - h + 1))
    scene = Scene(scene.image, scene.points_xy, region=scene.region)
    once = _within(scene, left, top, wide, high)
    twice, direct = _within(once, x, y, w, h), _within(scene, left + x, top + y, w, h)
    _same(twice, direct)


@relaxed
@given(_scenes())
def test_mirroring_and_cropping_change_places(scene: Scene) -> None:
    """The crop of a mirror image is the mirror image of the crop on the other side; lines between crops aside."""
    width, height = scene.size_wh
    wide, left = width // 2, width // 4
    if wide == 0 or ((scene.points_xy[:, 0] == left) | (scene.points_xy[:, 0] == left + wide)).any():
        return
    scene = Scene(scene.image, scene.points_xy, region=scene.region)
    one = _within(mirror(scene), width - left - wide, 0, wide, height)
    two = mirror(_within(scene, left, 0, wide, height))
    _same(one, two)


@relaxed
@given(_scenes(), st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.0]), st.booleans())
def test_order_and_mass_and_areas_follow(scene: Scene, factor: float, turned: bool) -> None:
    """Nobody is lost where all of the image is shown; rows keep their order, areas grow with the square."""
    width, height = scene.size_wh
    seen = _within(scene, 0, 0, width, height, factor)
    exact = np.array(seen.size_wh) / (width, height)  # sizes are whole pixels
    assert np.abs(exact - factor).max() <= 0.5 / min(width, height) + 0.5
    if turned:
        seen = mirror(seen)
    assert seen.count == scene.count
    assert seen.boxes_xyxy is not None
    assert scene.boxes_xyxy is not None
    expected = scene.points_xy * exact
    if turned:
        expected[:, 0] = seen.size_wh[0] - expected[:, 0]
    np.testing.assert_allclose(seen.points_xy, expected, atol=1e-9)
    area, before = (np.prod(s.boxes_xyxy[:, 2:] - s.boxes_xyxy[:, :2], axis=1) for s in (seen, scene))  # type: ignore[index]
    np.testing.assert_allclose(area, before * exact.prod(), atol=1e-6)
    mass = density_map(seen.points_xy, seen.size_wh).sum(dtype=np.float64)
    assert mass == pytest.approx(scene.count, abs=1e-4 * max(1, scene.count))


@relaxed
@given(_scenes(), st.integers(20, 60))
def test_crops_side_by_side_hold_everybody_once(scene: Scene, size: int) -> None:
    """The masses of the density maps of crops that tile an image add up to its count."""
    width, height = scene.size_wh
    mass = 0.0
    for top in range(0, height, size):
        for left in range(0, width, size):
            tile = _within(scene, left, top, min(size, width - left), min(size, height - top))
            mass += float(density_map(tile.points_xy, tile.size_wh).sum(dtype=np.float64))
    assert mass == pytest.approx(scene.count, abs=1e-4 * max(1, scene.count))


def _heads(width: int, height: int, heads: int, seed: int = 0, **fields: object) -> Scene:
    """A scene of one box a head, its point anywhere in the box."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (heads, 2)) * (width - 12, height - 12)
    sides = rng.uniform(2, 12, (heads, 2))
    boxes = np.hstack([corners, corners + sides])
    provenance = tuple("annotated" if k % 2 else "pseudo" for k in range(heads))
    points = corners + sides * rng.uniform(0, 1, (heads, 2))
    return _scene(width, height, points, seed, boxes_xyxy=boxes, box_provenance=provenance, **fields)


@relaxed
@given(st.integers(0, 999), st.sampled_from([0.0, 0.3, 0.8]), st.booleans())
def test_points_and_boxes_stay_in_step(seed: int, min_visible: float, turned: bool) -> None:
    scene = _heads(90, 70, 40, seed)
    rng = _rng(seed)
    window = draw_window(scene.size_wh, rng, crop_hw=(40, 48), scale=(0.7, 1.5))
    seen = crop(scene, window, min_visible=min_visible)
    seen = mirror(seen) if turned else seen
    assert seen.boxes_xyxy is not None
    assert seen.count == len(seen.boxes_xyxy) == len(seen.box_provenance)
    # Every point is still in its own box, and the boxes in theirs' order.
    assert (seen.points_xy >= seen.boxes_xyxy[:, :2] - 1e-9).all()
    assert (seen.points_xy <= seen.boxes_xyxy[:, 2:] + 1e-9).all()


CUT = [33.0, 10.0, 43.0, 20.0]
"""70 % of this box is in the window, and its centre."""


@pytest.mark.parametrize(
    ("points", "box", "min_visible", "count", "kept"),
    [
        *(([], CUT, share, 0, kept) for share, kept in ((0.0, 1), (0.5, 1), (0.7, 1), (0.71, 0), (1.0, 0))),
        *(([[38, 15]], CUT, share, kept, kept) for share, kept in ((0.0, 1), (0.5, 1), (0.7, 1), (0.71, 0), (1.0, 0))),
        ([[5, 5]], [5, 5, 5, 9], 1.0, 1, 1),  # a box of no area is not dropped for it
        ([[39, 15]], [44, 10, 54, 20], 0.0, 0, 0),  # nothing of its box is in the window
        ([[2, 2], [39, 15]], [36, 10, 46, 20], 0.9, 2, 0),  # not one a point: its centre decides, the points stay
    ],
)
def test_a_head_cut_to_nothing_or_less_than_the_visible_share_is_dropped(
    points: object, box: list[float], min_visible: float, count: int, kept: int
) -> None:
    scene = _scene(80, 40, points, boxes_xyxy=np.array([box], np.float64))
    seen = crop(scene, Window((80, 40), (0, 0, 40, 40), (40, 40)), min_visible=min_visible)
    assert seen.boxes_xyxy is not None
    assert (seen.count, len(seen.boxes_xyxy)) == (count, kept)


@relaxed
@given(
    st.integers(1, 400), st.integers(1, 400), st.integers(8, 200), st.integers(8, 200),
    st.integers(1, 300), st.integers(0, 999),
)  # fmt: skip
def test_a_crop_shows_the_least_context_or_the_whole_side(
    width: int, height: int, crop_h: int, crop_w: int, context: int, seed: int
) -> None:
    window = draw_window((width, height), _rng(seed), crop_hw=(crop_h, crop_w), scale=(0.5, 2.0), min_context=context)
    assert window.cut_xywh[2] >= min(width, context)
    assert window.cut_xywh[3] >= min(height, context)
    if min(crop_h, crop_w) >= 2 * context:  # nothing to hold back: the draw is that of no minimum
        assert window == draw_window((width, height), _rng(seed), crop_hw=(crop_h, crop_w), scale=(0.5, 2.0))


def test_what_is_known_besides_is_carried_along() -> None:
    scene = _heads(60, 50, 5, source="a set", name="a name", attributes={"weather": "rain"})
    seen = mirror(random_crop(scene, _rng(1), size=32, scale=(0.5, 2)))
    assert (seen.source, seen.name, dict(seen.attributes)) == ("a set", "a name", {"weather": "rain"})


@pytest.mark.parametrize(
    ("factor", "reduction"), [(0.05, 8), (0.125, 8), (0.13, 4), (0.25, 4), (0.3, 2), (0.5, 2), (0.51, 1), (2.0, 1)]
)
def test_an_image_is_decoded_no_smaller_than_the_crop_needs(factor: float, reduction: int) -> None:
    assert Window((9, 9), (0, 0, 9, 9), (9, 9), factor).reduction == reduction


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("size_wh", [(640, 480), (643, 485)])
@pytest.mark.parametrize("scale", [0.5, 0.4, 0.25, 0.11])
def test_points_keep_to_their_content_where_the_image_is_decoded_smaller(
    tmp_path: Path, scale: float, size_wh: tuple[int, int], orientation: int
) -> None:
    """Within half a pixel of the crop, whatever EXIF says and however the sizes are rounded."""
    at = np.array([[401.3, 233.8]])
    blob = _dot(*size_wh, *at[0], sigma=12.0).pixels()
    stored = np.ascontiguousarray(np.rot90(blob, {1: 0, 3: 2, 6: 1, 8: 3}[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", quality=97, exif=exif)
    scene = Scene(tmp_path / "a.jpg", np.vstack([at, [size_wh]]))  # and one on the far corner
    wide, high = min(size_wh[0], round(128 / scale)), min(size_wh[1], round(96 / scale))
    for shift in range(4):  # windows that begin on every part of a reduced pixel
        left, top = min(size_wh[0] - wide, 290 + shift), min(size_wh[1] - high, 130 + shift)
        window = Window(size_wh, (left, top, wide, high), (128, 96), scale)
        assert window.reduction > 1
        seen = crop(scene, window, fill=0)
        whole = crop(Scene(blob, scene.points_xy), window, fill=0)
        # The window may have grown to whole pixels of the smaller image, and may hold more heads for it.
        assert seen.count >= whole.count >= 1
        assert (seen.points_xy <= seen.size_wh).all()
        assert np.abs(seen.points_xy[0] - whole.points_xy[0]).max() <= 8 * scale
        light = np.where(seen.pixels() > 5, seen.pixels(), 0).astype(np.uint8)
        assert np.abs(_centroid(light) - seen.points_xy[0]).max() < 0.25


def test_a_region_is_cut_with_the_reduced_image(tmp_path: Path) -> None:
    pixels = np.zeros((101, 203, 3), np.uint8)
    pixels[:, 100:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=97)
    scene = Scene(tmp_path / "a.jpg", region=pixels[:, :, 0] > 0)
    seen = crop(scene, Window((203, 101), (0, 0, 203, 101), (128, 64), 0.5), fill=0)
    assert seen.region is not None
    assert ((seen.pixels()[:, :, 0] > 127) != seen.region).mean() < 0.03
    assert not seen.region[52:].any()  # the image is 51 high there


ROW = [(10.0 * k, 50.0) for k in range(9)]  # heads 10 px apart


@pytest.mark.parametrize(
    ("points", "boxes", "size"),
    [
        (ROW, None, 10.0),
        ([(0, 0), (0, 6), (0, 12), (90, 90)], None, 6.0),  # the far one says nothing of heads
        (ROW, [(0, 0, 4, 9)] * 5, 6.0),  # boxes are heads themselves
        (ROW, np.zeros((0, 4)), 10.0),
        ([(3, 3)], None, None),
        ([], None, None),
        ([(3, 3), (3, 3)], None, None),  # the same place twice is no size
    ],
)
def test_the_size_of_heads_is_their_boxes_or_their_distances(points: object, boxes: object, size: float | None) -> None:
    scene = _scene(100, 100, points, boxes_xyxy=boxes)
    assert head_size(scene) == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize(
    ("head_px", "expected"),
    [
        (None, (0.25, 4.0)),
        ((5.0, 20.0), (0.5, 2.0)),
        ((1.0, 90.0), (0.25, 4.0)),
        ((30.0, 90.0), (1.0, 4.0)),  # too small as they are: never smaller
        ((2.0, 5.0), (0.25, 1.0)),  # too large as they are: never larger
    ],
)
def test_a_scale_keeps_heads_within_bounds(head_px: tuple[float, float] | None, expected: tuple[float, float]) -> None:
    assert bounded_scale(_scene(100, 100, ROW), (0.25, 4.0), head_px) == pytest.approx(expected)


def test_a_scale_that_cannot_keep_the_bounds_stays_as_it_is() -> None:
    assert bounded_scale(_scene(100, 100, ROW), (0.2, 0.4), (30.0, 90.0)) == (0.2, 0.4)
    assert bounded_scale(_scene(100, 100), (0.2, 0.4), (30.0, 90.0)) == (0.2, 0.4)
