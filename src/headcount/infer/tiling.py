"""Any image size in bounded memory: equal tiles with enough context, put together before decoding.

Maps are joined, so that nothing is cut where a decoder looks for heads. A runtime that gives boxes itself has its tiles
joined by ``join_boxes``.

Padding: the image is filled to a multiple of the card's ``size_divisor`` at its right and bottom with the card's
mean colour, which the network's normalisation turns into zeros, the same as its own convolutions see beyond every
other border. An image thus ends for the network on all four sides alike, nothing is repeated that could look like a
person, and whole and tiled runs pad the same pixels. Cells wholly in the padding are cut off by the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import InputSpec, ModelCard, TileSpec
from headcount.core.errors import ModelError, nearest
from headcount.core.geometry import Boxes, centres, sides
from headcount.core.image import RgbImage
from headcount.decode.boxes import nms
from headcount.decode.inputs import refuse_not_finite

Maps = dict[str, NDArray[np.float32]]
Run = Callable[[NDArray[np.uint8]], Maps]


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis, in pixels: what the network sees, and the core that is kept of it."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def cut_spans(length: int, tile: int, halo: int, divisor: int) -> list[Span]:
    """Spans over ``length`` pixels, all equally long, at most ``tile``, their cores side by side without a gap.

    Every core has ``halo`` pixels of context on both sides, or ends where the image ends. Starts, stops and cores
    are multiples of ``divisor``, as ``length`` must be, so that each stride of the network falls on the same pixels
    as in the whole image.

    Raises:
        ModelError: the tile leaves no core once halo and size are multiples of the divisor.

    >>> cut_spans(192, 128, 32, 32)
    [Span(start=0, stop=128, core_start=0, core_stop=96), Span(start=64, stop=192, core_start=96, core_stop=192)]
    """
    whole, largest, context = length // divisor, tile // divisor, -(-halo // divisor)
    if whole <= largest:
        return [Span(0, length, 0, length)]
    if largest <= 2 * context:
        raise ModelError(
            f"Tiles of {tile} px with a halo of {halo} px leave no core in steps of {divisor} px: mend the card."
        )
    number = -(-(whole - 2 * context) // (largest - 2 * context))
    side = 2 * context + -(-(whole - 2 * context) // number)  # no longer than this many spans need
    starts = [k * (whole - side) // (number - 1) for k in range(number)]
    seams = [0, *(start + context for start in starts[1:]), whole]
    return [
        Span(start * divisor, (start + side) * divisor, seams[k] * divisor, seams[k + 1] * divisor)
        for k, start in enumerate(starts)
    ]


def plan(size_wh: tuple[int, int], spec: TileSpec, divisor: int) -> tuple[list[Span], list[Span]]:
    """Spans along x and along y of an image whose padded size is ``size_wh``.

    Memory follows area, so an image that is long and thin is cut along its length only, into tiles as long as
    their thinness allows.
    """
    width, height = size_wh
    area = spec.size**2
    if width * height <= area:
        return [Span(0, width, 0, width)], [Span(0, height, 0, height)]
    tile_width = area // height if height < spec.size else spec.size
    tile_height = area // width if width < spec.size else spec.size
    return cut_spans(width, tile_width, spec.halo, divisor), cut_spans(height, tile_height, spec.halo, divisor)


def is_tiled(size_wh: tuple[int, int], card: ModelCard) -> bool:
    """Whether an image of this size is cut into tiles for this model."""
    columns, rows = plan(_seen(size_wh, card.input), card.tile, card.input.size_divisor)
    return len(columns) * len(rows) > 1


def network_maps(pixels: RgbImage, run: Run, card: ModelCard) -> Maps:
    """All maps that the card names, of an image of any size: (c, h' / stride, w' / stride), h' × w' padded.

    Where the card has the image cut, cells beyond what is left of it are 0.

    Of a network that gives boxes itself they are (5, n): of each its sides in pixels of the image, and its score.

    Memory is that of one tile, by the card's ``tile``, and of the maps themselves.

    Raises:
        ModelError: the network's maps are not what the card says, or its boxes not finite.
    """
    divisor = card.input.size_divisor
    strides = {output.name: output.stride for output in card.outputs}
    for name, stride in strides.items():
        if divisor % stride:
            raise ModelError(f'Stride {stride} of "{name}" does not divide the size divisor {divisor}: mend the card.')
    size_wh = (pixels.shape[1], pixels.shape[0])
    width, height = _padded(size_wh, divisor)
    seen_wh = _seen(size_wh, card.input)
    pixels = pixels[: seen_wh[1], : seen_wh[0]]
    columns, rows = plan(seen_wh, card.tile, divisor)
    fill = np.array(card.input.mean_rgb, np.uint8)
    if card.gives_boxes:
        return _network_boxes(pixels, run, card, columns, rows, fill)
    maps: Maps = {}
    visits = {name: np.zeros((height // s, width // s), np.float32) for name, s in strides.items()}
    averaged = card.tile.overlap == "average" and len(columns) * len(rows) > 1
    for y in rows:
        for x in columns:
            tile = _checked(run(_tile_pixels(pixels, x, y, fill)), x, y, card)
            for name, stride in strides.items():
                values = tile[name]
                if name not in maps:
                    maps[name] = np.zeros((values.shape[0], height // stride, width // stride), np.float32)
                if averaged:
                    place = np.s_[y.start // stride : y.stop // stride, x.start // stride : x.stop // stride]
                    maps[name][:, *place] += values
                    visits[name][place] += 1
                else:
                    rows_in, columns_in = _core(y, stride), _core(x, stride)
                    kept = np.s_[y.core_start // stride : y.core_stop // stride,
                                 x.core_start // stride : x.core_stop // stride]  # fmt: skip
                    maps[name][:, *kept] = values[:, rows_in, columns_in]
    if averaged:
        for name, number in visits.items():
            maps[name] /= np.maximum(number, 1)
    return maps


def _network_boxes(
    pixels: RgbImage, run: Run, card: ModelCard, columns: list[Span], rows: list[Span], fill: NDArray[np.uint8]
) -> Maps:
    """What a network found itself in all tiles, as one: (5, n) of an image."""
    name, tiles = card.outputs[0].name, list[TileBoxes]()
    for y in rows:
        for x in columns:
            found = _checked(run(_tile_pixels(pixels, x, y, fill)), x, y, card)[name]
            refuse_not_finite(name, found)
            real = found[:, found[4] > 0].astype(np.float64)
            tiles.append(TileBoxes(x, y, real[:4].T, real[4]))
    if len(tiles) == 1:
        boxes, scores = tiles[0].boxes_xyxy, tiles[0].scores
    else:
        boxes, scores = join_boxes(tiles, iou=card.tile.join_iou)
    return {name: np.concatenate([boxes.T, scores[None]]).astype(np.float32)}


@dataclass(frozen=True, slots=True)
class TileBoxes:
    """What was found in one tile by a runtime that gives boxes itself.

    Attributes:
        x: the tile along x.
        y: the tile along y.
        boxes_xyxy: (n, 4) in pixels of the tile.
        scores: (n,).
    """

    x: Span
    y: Span
    boxes_xyxy: Boxes
    scores: NDArray[np.float64]


def join_boxes(tiles: Iterable[TileBoxes], *, iou: float) -> tuple[Boxes, NDArray[np.float64]]:
    """The boxes of an image out of those of its tiles: (n, 4) in its pixels, and (n,) scores, the highest first.

    A tile has its say on boxes whose middle lies in its core, or so near that another view of the same head may have
    it there; ``nms`` with ``iou`` then leaves one of several views. A box that its tile's border has cut gives way to
    one that is whole. The order of the tiles changes nothing.

    >>> left, right = cut_spans(192, 128, 32, 32)
    >>> seen = [TileBoxes(x, Span(0, 64, 0, 64), np.array([[90.0 - x.start, 8, 104 - x.start, 22]]), np.array([0.9]))
    ...         for x in (left, right)]
    >>> join_boxes(seen, iou=0.5)[0].tolist()
    [[90.0, 8.0, 104.0, 22.0]]
    """
    boxes, scores, whole = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, np.bool_)]
    for tile in tiles:
        start = np.array([tile.x.start, tile.y.start], np.float64)
        stop = np.array([tile.x.stop, tile.y.stop], np.float64)
        core = np.array([[span.core_start, span.core_stop] for span in (tile.x, tile.y)], np.float64)  # (xy, ends)
        placed = tile.boxes_xyxy + np.tile(start, 2)
        middle, slack = centres(placed), sides(placed) / 4
        # Where the core ends with its tile, so does the image.
        own = ((middle >= core[:, 0] - slack) & (middle <= core[:, 1] + slack)).all(axis=1)
        inner_start, inner_stop = core[:, 0] > start, core[:, 1] < stop
        is_cut = (inner_start & (placed[:, :2] < start + 1)) | (inner_stop & (placed[:, 2:] > stop - 1))
        boxes.append(placed[own])
        scores.append(np.asarray(tile.scores, np.float64)[own])
        whole.append(~np.any(is_cut[own], axis=1))
    every, score, is_whole = np.concatenate(boxes), np.concatenate(scores), np.concatenate(whole)
    order = np.lexsort([*every.T, score])
    every, score, is_whole = every[order], score[order], is_whole[order]
    span = 1 + (np.ptp(score) if len(score) else 0)
    kept = nms(every, np.where(is_whole, score, score - span), iou)
    kept = kept[np.argsort(-score[kept], kind="stable")]
    return every[kept], score[kept]


def _padded(size_wh: tuple[int, int], divisor: int) -> tuple[int, int]:
    return -(-size_wh[0] // divisor) * divisor, -(-size_wh[1] // divisor) * divisor


def _seen(size_wh: tuple[int, int], spec: InputSpec) -> tuple[int, int]:
    """The size at which the network sees an image: padded, or cut if the card says so and something is left."""
    padded, divisor = _padded(size_wh, spec.size_divisor), spec.size_divisor
    if not spec.cut:
        return padded
    width, height = (side // divisor * divisor or full for side, full in zip(size_wh, padded, strict=True))
    return width, height


def _core(span: Span, stride: int) -> slice:
    return slice((span.core_start - span.start) // stride, (span.core_stop - span.start) // stride)


def _tile_pixels(pixels: RgbImage, x: Span, y: Span, fill: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(1, h, w, 3): the pixels of a tile, filled where it reaches beyond the image."""
    inside = pixels[y.start : y.stop, x.start : x.stop]
    if inside.shape[:2] == (y.stop - y.start, x.stop - x.start):
        return np.ascontiguousarray(inside)[None]
    filled = np.empty((1, y.stop - y.start, x.stop - x.start, 3), np.uint8)
    filled[:] = fill
    filled[0, : inside.shape[0], : inside.shape[1]] = inside
    return filled


def _checked(maps: Maps, x: Span, y: Span, card: ModelCard) -> Maps:
    """One image's maps without the batch axis, once they are what the card says."""
    checked: Maps = {}
    for output in card.outputs:
        if output.name not in maps:
            raise ModelError(f'The network of "{card.name}" makes no map "{output.name}".{nearest(output.name, maps)}')
        shape = maps[output.name].shape
        if output.kind == "boxes":
            if len(shape) != 3 or shape[:2] != (1, output.channels):
                raise ModelError(
                    f'"{output.name}" of "{card.name}" must be (1, {output.channels}, n), but it is {shape}.'
                )
            checked[output.name] = maps[output.name][0]
            continue
        expected = (1, output.channels, (y.stop - y.start) // output.stride, (x.stop - x.start) // output.stride)
        if shape != expected:
            raise ModelError(
                f'The map "{output.name}" of "{card.name}" must be {expected} at stride {output.stride}, but it is '
                f"{shape}: the card is not of these weights."
            )
        checked[output.name] = maps[output.name][0]
    return checked
