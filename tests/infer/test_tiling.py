"""Tiles put together equal the whole, exactly, for any size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headcount.core.card import InputSpec, ModelCard, OutputSpec, TileSpec
from headcount.core.errors import ModelError
from headcount.infer.counter import load
from headcount.infer.runtimes.table import Runtime
from headcount.infer.tiling import cut, is_tiled, network_maps, plan

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
    windows = cut(length, tile, halo, divisor)
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
        cut(640, 64, 31, 32)


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
