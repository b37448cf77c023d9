"""Tiles put together equal the whole, exactly, for any size; so do their boxes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headcount.core.card import InputSpec, ModelCard, OutputSpec, TileSpec
from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.boxes import boxes_prediction
from headcount.decode.inputs import read_channels, read_map
from headcount.infer.counter import load
from headcount.infer.runtimes.table import Runtime
from headcount.infer.tiling import Span, TileBoxes, cut_spans, is_tiled, join_boxes, network_maps, plan

MakeCard = Callable[..., ModelCard]
WHOLE = TileSpec(size=100_000, halo=32)


@pytest.fixture(scope="module")
def network(tiny_model: str) -> Runtime:
    return load(tiny_model, precision="f32").runtime


def random_pixels(size_wh: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 12), st.sampled_from([1, 8, 32]))
def test_cut_covers_once_with_context(length: int, tile: int, halo: int, divisor: int) -> None:
    length, tile, halo = length * divisor, (tile + 2 * halo) * divisor, halo * divisor
    windows = cut_spans(length, tile, halo, divisor)
    assert len({window.stop - window.start for window in windows}) == 1
    assert windows[0].core_start == 0
    assert windows[-1].core_stop == length
    for window in windows:
        assert 0 <= window.start <= window.core_start < window.core_stop <= window.stop <= length
        assert window.stop - window.start <= max(tile, divisor)
        assert window.start == 0 or window.core_start - window.start >= halo
        assert window.stop == length or window.stop - window.core_stop >= halo
        assert all(edge % divisor == 0 for edge in (window.start, window.stop, window.core_start, window.core_stop))
    for one, after in pairwise(windows):
        assert one.core_stop == after.core_start


def test_a_tile_without_a_core_is_refused() -> None:
    with pytest.raises(ModelError, match="leave no core"):
        cut_spans(640, 64, 31, 32)


@pytest.mark.parametrize(
    ("size_wh", "number"), [((64, 64), 1), ((256, 256), 1), ((2048, 32), 1), ((20000, 32), 11), ((4096, 4096), 441)]
)
def test_plan_follows_area(size_wh: tuple[int, int], number: int) -> None:
    columns, rows = plan(size_wh, TileSpec(size=256, halo=32), 32)
    assert len(columns) * len(rows) == number
    assert (columns[0].stop - columns[0].start) * (rows[0].stop - rows[0].start) <= 256**2


@pytest.mark.parametrize(
    "size_wh", [(1, 1), (31, 33), (256, 256), (257, 256), (700, 500), (5000, 30), (30, 5000), (20000, 3), (1000, 257)]
)
def test_tiled_equals_whole(
    network: Runtime, tiny_card: MakeCard, size_wh: tuple[int, int], tiny_radius_px: int
) -> None:
    card = tiny_card()
    assert card.tile.halo >= tiny_radius_px
    pixels = random_pixels(size_wh)
    tiled = network_maps(pixels, network.run, card)
    whole = network_maps(pixels, network.run, tiny_card(tile=WHOLE))
    assert not is_tiled(size_wh, tiny_card(tile=WHOLE))
    for name in ("density", "mask"):
        assert tiled[name].shape == (1, -(-size_wh[1] // 32) * 4, -(-size_wh[0] // 32) * 4)
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-5, rtol=0)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(1, 900), height=st.integers(1, 900), tile=st.integers(128, 320), halo=st.integers(15, 32))
def test_any_size_and_tile(
    network: Runtime, tiny_card: MakeCard, width: int, height: int, tile: int, halo: int
) -> None:
    pixels = random_pixels((width, height), width)
    tiled = network_maps(pixels, network.run, tiny_card(tile=TileSpec(size=tile, halo=halo)))
    whole = network_maps(pixels, network.run, tiny_card(tile=WHOLE))
    np.testing.assert_allclose(tiled["density"], whole["density"], atol=1e-5, rtol=0)


def test_too_small_a_halo_differs(network: Runtime, tiny_card: MakeCard) -> None:
    # The counter-check: equality above is not for free.
    pixels = random_pixels((700, 500))
    tiled = network_maps(pixels, network.run, tiny_card(tile=TileSpec(size=256, halo=0)))
    whole = network_maps(pixels, network.run, tiny_card(tile=WHOLE))
    assert np.abs(tiled["density"] - whole["density"]).max() > 1e-4


def test_average_averages_where_tiles_overlap(tiny_card: MakeCard) -> None:
    # A "network" whose map says how far a cell lies from the left of its tile.
    def run(pixels: np.ndarray) -> dict[str, np.ndarray]:
        rows, columns = pixels.shape[1] // 8, pixels.shape[2] // 8
        return {"density": np.broadcast_to(np.arange(columns, dtype=np.float32), (1, 1, rows, columns)).copy()}

    card = tiny_card(
        outputs=(OutputSpec(name="density", stride=8),), tile=TileSpec(size=64, halo=8, overlap="average"),
        input=InputSpec(size_divisor=8),
    )  # fmt: skip
    # 112 × 64 is cut into two tiles of 64 × 64 that start at 0 and 48: cells 6 and 7 are seen twice.
    maps = network_maps(np.zeros((64, 112, 3), np.uint8), run, card)
    assert maps["density"][0, 0].tolist() == [0, 1, 2, 3, 4, 5, 3, 4, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("tile", [WHOLE, TileSpec(size=128, halo=32), TileSpec(size=128, halo=32, overlap="average")])
def test_a_card_may_have_sides_cut_instead_of_padded(network: Runtime, tiny_card: MakeCard, tile: TileSpec) -> None:
    pixels = random_pixels((300, 170))
    cut = network_maps(pixels, network.run, tiny_card(tile=tile, input=InputSpec(cut=True)))
    left = network_maps(pixels[:160, :288], network.run, tiny_card(tile=tile))
    assert cut["density"].shape == (1, 24, 40)  # of the padded image, so that no cell of it is missing
    np.testing.assert_array_equal(cut["density"][:, :20, :36], left["density"])
    assert cut["density"][:, 20:].max() == cut["density"][:, :, 36:].max() == 0
    assert is_tiled((300, 170), tiny_card(tile=tile, input=InputSpec(cut=True))) == (tile is not WHOLE)


def test_a_side_that_is_too_short_to_be_cut_is_padded(network: Runtime, tiny_card: MakeCard) -> None:
    pixels = random_pixels((70, 20))
    cut = network_maps(pixels, network.run, tiny_card(input=InputSpec(cut=True)))
    padded = network_maps(pixels[:, :64], network.run, tiny_card())
    np.testing.assert_array_equal(cut["density"][:, :, :8], padded["density"])


def test_padding_is_the_mean_colour_at_right_and_bottom(tiny_card: MakeCard) -> None:
    seen = []

    def run(pixels: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(pixels.copy())
        return {name: np.zeros((1, 1, 4, 4), np.float32) for name in ("density", "mask")}

    card = tiny_card(input=InputSpec(mean=(0.2, 0.4, 0.6), std=(1, 1, 1), size_divisor=32))
    network_maps(np.full((5, 7, 3), 255, np.uint8), run, card)
    assert seen[0].shape == (1, 32, 32, 3)
    assert (seen[0][0, :5, :7] == 255).all()
    assert seen[0][0, 31, 31].tolist() == seen[0][0, 0, 7].tolist() == [51, 102, 153]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ((OutputSpec(name="densty", stride=8),), 'Did you mean "density"'),
        ((OutputSpec(name="density", stride=4),), "not of these weights"),
        ((OutputSpec(name="density", stride=12),), "does not divide"),
    ],
)
def test_a_card_of_another_network_is_refused(
    network: Runtime, tiny_card: MakeCard, outputs: tuple[OutputSpec, ...], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        network_maps(random_pixels((64, 64)), network.run, tiny_card(outputs=outputs))


def _squares(size_wh: tuple[int, int], centres_xy: list[tuple[int, int]], side: int) -> np.ndarray:
    pixels = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    for x, y in centres_xy:
        pixels[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] = 255
    return pixels


def _heat_and_sizes(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """A "network" at stride 4 that sees 20 px far: heat at the middle of each bright square, and its width and height.

    A square that the tile cuts, it takes for a smaller one.
    """
    bright = pixels[0, :, :, 0] > 128
    heat = np.zeros((1, 1, bright.shape[0] // 4, bright.shape[1] // 4), np.float32)
    size = np.zeros((1, 2, *heat.shape[2:]), np.float32)
    number, _, stats, middles = cv2.connectedComponentsWithStats(bright.view(np.uint8))
    for k in range(1, number):
        column, row = (int(middle // 4) for middle in middles[k])
        heat[0, 0, row, column] = 0.9
        size[0, :, row, column] = stats[k, cv2.CC_STAT_WIDTH], stats[k, cv2.CC_STAT_HEIGHT]
    return {"heat": heat, "size": size}


def _decode_heat(maps: dict[str, np.ndarray], size_wh: tuple[int, int]) -> Prediction:
    strides = {"heat": 4, "size": 4}
    heat = read_map(maps, "heat", strides, size_wh, "heat")
    size = read_channels(maps, "size", strides, size_wh, "heat", channels=2)
    row, column = np.nonzero(heat > 0.5)
    middle, half = np.stack([column, row], axis=1) * 4.0 + 2, size[:, row, column].T / 2
    return boxes_prediction(np.concatenate([middle - half, middle + half], axis=1), heat[row, column], size_wh)


def test_a_head_on_a_seam_is_found_once_and_whole(tiny_card: MakeCard) -> None:
    tile = TileSpec(size=128, halo=32)
    outputs = (OutputSpec(name="heat", stride=4), OutputSpec(name="size", stride=4, channels=2))
    card = tiny_card(outputs=outputs, tile=tile)
    size_wh = (320, 256)
    seam_x = cut_spans(320, 128, 32, 32)[0].core_stop
    seam_y = cut_spans(256, 128, 32, 32)[0].core_stop
    middles = [(seam_x, 40), (seam_x - 2, 160), (40, seam_y), (seam_x, seam_y), (seam_x + 12, 130), (300, 20)]
    pixels = _squares(size_wh, middles, side=20)
    maps = network_maps(pixels, _heat_and_sizes, card)
    found = _decode_heat(maps, size_wh)
    assert is_tiled(size_wh, card)
    assert found.count == len(middles)
    assert found.boxes_xyxy is not None
    assert (np.ptp(found.boxes_xyxy.reshape(-1, 2, 2), axis=1) == 20).all()
    nearest = np.abs(found.points_xy[:, None] - np.array(middles)).max(axis=2).min(axis=0)
    assert (nearest <= 2).all()


def test_maps_of_another_number_of_values_are_refused(tiny_card: MakeCard) -> None:
    card = tiny_card(outputs=(OutputSpec(name="heat", stride=4), OutputSpec(name="size", stride=4)))
    with pytest.raises(ModelError, match=r'"size" of "tiny" must be \(1, 1, 16, 16\) at stride 4, but it is \(1, 2'):
        network_maps(np.zeros((64, 64, 3), np.uint8), _heat_and_sizes, card)


def _found_by_itself(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """A runtime whose network gives boxes: those of the squares, each of score 0.9, and 40 places in all."""
    stats = cv2.connectedComponentsWithStats((pixels[0, :, :, 0] > 128).astype(np.uint8))[2][1:, :4].astype(np.float32)
    boxes = np.zeros((1, 5, 40), np.float32)
    boxes[0, :, : len(stats)] = np.c_[stats[:, :2], stats[:, :2] + stats[:, 2:], np.full(len(stats), 0.9)].T
    return {"boxes": boxes}


BOXES = (OutputSpec(name="boxes", channels=5, kind="boxes"),)


def test_boxes_that_a_network_gives_itself_are_found_once_at_seams(tiny_card: MakeCard) -> None:
    size_wh = (320, 256)
    seam_x, seam_y = cut_spans(320, 128, 32, 32)[0].core_stop, cut_spans(256, 128, 32, 32)[0].core_stop
    middles = [(seam_x, 40), (seam_x - 2, 160), (40, seam_y), (seam_x, seam_y), (seam_x + 12, 200), (300, 20)]
    pixels = _squares(size_wh, middles, side=20)
    for tile in (TileSpec(size=128, halo=32), WHOLE):
        maps = network_maps(pixels, _found_by_itself, tiny_card(outputs=BOXES, tile=tile))
        assert list(maps) == ["boxes"]
        boxes = maps["boxes"][:, np.lexsort(maps["boxes"][:2])]
        expected = np.array([[x - 10, y - 10, x + 10, y + 10, 0.9] for x, y in middles], np.float32).T
        np.testing.assert_array_equal(boxes, expected[:, np.lexsort(expected[:2])])


def test_no_boxes_of_a_network_are_none(tiny_card: MakeCard) -> None:
    maps = network_maps(np.zeros((200, 300, 3), np.uint8), _found_by_itself, tiny_card(outputs=BOXES))
    assert maps["boxes"].shape == (5, 0)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (np.full((1, 5, 3), np.nan, np.float32), "not finite"),
        (np.zeros((1, 4, 3), np.float32), r'"boxes" of "tiny" must be \(1, 5, n\), but it is \(1, 4, 3\)'),
    ],
)
def test_broken_boxes_of_a_network_are_refused(boxes: np.ndarray, words: str, tiny_card: MakeCard) -> None:
    with pytest.raises(ModelError, match=words):
        network_maps(np.zeros((64, 64, 3), np.uint8), lambda pixels: {"boxes": boxes}, tiny_card(outputs=BOXES))


def _seen_by(x: Span, y: Span, boxes: np.ndarray, scores: np.ndarray, shift: np.ndarray | float = 0.0) -> TileBoxes:
    """What a detector would find in a tile: all that shows in it, cut at its border."""
    start, stop = np.array([x.start, y.start] * 2), np.array([x.stop, y.stop] * 2)
    cut_boxes = np.clip(boxes + shift, np.tile(start[:2], 2), stop)
    shown = (cut_boxes[:, 2:] - cut_boxes[:, :2] > 2).all(axis=1)
    return TileBoxes(x, y, (cut_boxes - start)[shown], scores[shown])


def _tiles(size_wh: tuple[int, int], spec: TileSpec) -> list[tuple[Span, Span]]:
    columns, rows = plan(size_wh, spec, 32)
    return [(x, y) for y in rows for x in columns]


@pytest.mark.parametrize("jitter", [0.0, 0.8])
def test_boxes_of_tiles_are_those_of_the_whole_image(jitter: float) -> None:
    size_wh, rng = (640, 512), np.random.default_rng(4)
    grid = np.stack(np.meshgrid(np.arange(14, 630, 30), np.arange(14, 500, 30)), axis=-1).reshape(-1, 2)
    middles = grid + rng.uniform(-2, 2, grid.shape)
    boxes, scores = np.concatenate([middles - 12, middles + 12], axis=1), rng.permutation(len(grid)) / len(grid)
    boxes = np.clip(boxes, 0, [*size_wh, *size_wh])
    tiles = [
        _seen_by(x, y, boxes, scores, rng.uniform(-jitter, jitter, boxes.shape))
        for x, y in _tiles(size_wh, TileSpec(size=192, halo=32))
    ]
    assert len(tiles) > 4
    found, score = join_boxes(tiles, iou=0.5)
    order = np.argsort(-scores)
    assert score.tolist() == scores[order].tolist()
    np.testing.assert_allclose(found, boxes[order], atol=jitter + 1e-9)
    again = join_boxes(tiles[::-1], iou=0.5)
    assert np.array_equal(found, again[0])


def test_a_box_whose_middle_each_tile_sees_beyond_its_own_core_is_kept() -> None:
    left, right = cut_spans(192, 128, 32, 32)
    row, seam = Span(0, 64, 0, 64), left.core_stop
    views = [
        TileBoxes(x, row, np.array([[seam - 10 - x.start + by, 8, seam + 10 - x.start + by, 28]]), np.array([0.9]))
        for x, by in ((left, 1.0), (right, -1.0))
    ]
    assert len(join_boxes(views, iou=0.5)[0]) == 1


def test_a_whole_box_goes_before_one_that_was_cut_whatever_their_scores() -> None:
    left, right = cut_spans(192, 128, 32, 32)
    row = Span(0, 64, 0, 64)
    views = [
        TileBoxes(left, row, np.array([[60.0, 8, 128, 28]]), np.array([0.95])),
        TileBoxes(right, row, np.array([[0.5 + 4, 8, 80.0, 28]]), np.array([0.6])),
    ]
    found, scores = join_boxes(views, iou=0.5)
    assert scores.tolist() == [0.6]
    assert found.tolist() == [[68.5, 8, 144, 28]]


def test_no_boxes_are_none() -> None:
    empty = TileBoxes(Span(0, 64, 0, 64), Span(0, 64, 0, 64), np.zeros((0, 4)), np.zeros(0))
    for tiles in ([], [empty]):
        boxes, scores = join_boxes(tiles, iou=0.5)
        assert boxes.shape == (0, 4)
        assert scores.shape == (0,)
