"""Pictures to check a count by: dots or boxes on heads, a heat map of the density, a caption with the number."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError, nearest
from headcount.core.geometry import sides
from headcount.core.image import RgbImage
from headcount.core.kinds import PICTURE_KINDS, PictureKind
from headcount.core.words import people, plural, with_range
from headcount.draw.grid import draw_grid, people_by_cell
from headcount.draw.strip import Key, box_key, dot_key, heat_key, legend_px, with_strip

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction

_DOT = (255, 45, 85)
_RIM = (255, 255, 255)
_EDGE = (0, 140, 255)
_OF_DISTANCE = 0.2  # from point to nearest point: the rim of a dot leaves half of it free
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_OUTSIDE = (0.6 * np.arange(256)).astype(np.uint8)  # what is left of each level outside a region
_GRID_FROM = 20
"""People from which a heat map has a grid of numbers: fewer are counted by eye."""
_STRIP_ROWS = 512  # blended at a time: in floats, a picture of 40 megapixels would take gigabytes


def draw_prediction(prediction: Prediction, image: RgbImage, kind: PictureKind) -> RgbImage:
    """Draw a prediction on a copy of its image. See ``Prediction.draw``."""
    if str(kind) not in PICTURE_KINDS:
        raise InputError(f'There is no kind of picture "{kind}".{nearest(str(kind), PICTURE_KINDS)}')
    height, width = image.shape[:2]
    if (width, height) != prediction.size_wh:
        raise InputError(
            f"The image is {width}×{height}, but the prediction is of one of "
            f"{prediction.size_wh[0]}×{prediction.size_wh[1]}: pass the image it was made from."
        )
    region = prediction.region
    # One that was read back may know of no more than which mask it was.
    mask = (
        None
        if region is None or not (region.polygons_xy or region.mask is not None)
        else region.in_image((width, height))
    )
    if mask is not None:
        image = dim_outside(image, mask)
    if kind == "auto":
        # Points that miss much of a dense crowd would show a wrong number of heads: there the heat map is honest.
        keeps_up = prediction.density is None or len(prediction.points_xy) >= 0.7 * prediction.count
        has_boxes = prediction.boxes_xyxy is not None and prediction.boxes_kind == "heads"
        kind = "density" if not keeps_up else "boxes" if has_boxes else "points"
    key_px, legend = legend_px(width), list[Key]()
    if kind == "boxes":
        if prediction.boxes_xyxy is None:
            raise InputError(f'Model "{prediction.model}" makes no boxes: draw its points.')
        picture = draw_boxes(image, prediction.boxes_xyxy)
        legend = [box_key(_DOT, "head" if prediction.boxes_kind == "heads" else "head (part)", key_px)]
    elif kind == "density":
        if prediction.density is None:
            raise InputError(f'Model "{prediction.model}" makes no density map: draw its points.')
        picture = draw_density(image, prediction.density, prediction.density_stride)
        shades = "few to many people"
        if prediction.people >= _GRID_FROM:
            cells, side = people_by_cell(
                prediction.density, prediction.density_stride, prediction.size_wh, prediction.people
            )
            draw_grid(picture, cells, side)
            legend = [Key(np.zeros((1, 0, 3), np.uint8), "numbers: people in the square")]
            most = most_within(prediction.density, max(1, round(100 / prediction.density_stride)))
            shades = f"up to {most:,.0f} people in 100x100 pixels"
        legend.insert(0, heat_key(_COLOURS, shades, key_px))
    else:
        picture = draw_points(image, prediction.points_xy)
        if prediction.points_kind != "none":
            what = "head" if prediction.points_kind == "heads" else "peak: probably a person"
            legend = [dot_key(_DOT, _RIM, what, key_px)]
    if mask is not None:
        outline(picture, mask)
    return with_strip(picture, caption_of(prediction, marked=kind in ("points", "boxes")), legend)


def caption_of(prediction: Prediction, *, marked: bool = False) -> str:
    """The number as it is shown to people; where marks on heads are another number, how many, so that nobody counts
    them.

    >>> from headcount.core.prediction import Prediction
    >>> found = Prediction(86.3, (64, 48), points_xy=np.ones((57, 2)), points_kind="peaks")
    >>> caption_of(found), caption_of(found, marked=True)
    ('86 people', '86 people (57 peaks marked)')
    """
    # The pictures' font has no dash.
    text = people(prediction.people) + with_range(prediction.interval, prediction.interval_level).replace("–", " to ")
    asides = [] if prediction.region is None else ["in the region"]
    of_density = prediction.density is not None and len(prediction.points_xy) != prediction.people
    if marked and (prediction.points_kind == "peaks" or of_density):
        what = "peak" if prediction.points_kind == "peaks" else "head"
        asides.append(f"{plural(len(prediction.points_xy), what)} marked")
    return f"{text} ({'; '.join(asides)})" if asides else text


def dim_outside(image: RgbImage, mask: NDArray[np.bool_]) -> RgbImage:
    """A copy of an image (h, w, 3) that is darker outside a mask (h, w)."""
    dimmed = np.asarray(cv2.LUT(image, _OUTSIDE), np.uint8)
    np.copyto(dimmed, image, where=mask[:, :, None])
    return dimmed


def outline(picture: RgbImage, mask: NDArray[np.bool_]) -> None:
    """A rimmed line around a mask (h, w), drawn into the picture (h, w, 3)."""
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    line = max(1, round(max(picture.shape[:2]) / 640))
    for thickness, shade in ((3 * line, _RIM), (line, _EDGE)):
        cv2.drawContours(picture, edges, -1, shade, thickness, cv2.LINE_AA)


def draw_points(
    image: RgbImage,
    points_xy: NDArray[np.float64],
    *,
    colour: tuple[int, int, int] = _DOT,
    radius_px: float | None = None,
) -> RgbImage:
    """A rimmed dot on each point, sub-pixel; unless given, its radius follows the image, and how close points are.

    ``points_xy`` are (n, 2), the first pixel's centre at (0.5, 0.5).
    """
    picture = image.copy()
    if radius_px is None:
        radius_px = float(np.clip(max(image.shape[:2]) / 320, 2.0, 12.0))
        if len(points_xy) > 1:
            distance = np.asarray(cKDTree(points_xy).query(points_xy, k=2)[0])[:, 1]
            radius_px = float(np.clip(_OF_DISTANCE * np.quantile(distance, 0.25), 1.0, radius_px))
    scale = 1 << _SHIFT
    rim = max(0.6, radius_px / 3)
    # OpenCV puts a pixel's centre at integers, headcount at halves.
    centres = np.round((points_xy - 0.5) * scale).astype(int)
    for x, y in centres:
        cv2.circle(picture, (int(x), int(y)), round((radius_px + rim) * scale), _RIM, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(picture, (int(x), int(y)), round(radius_px * scale), colour, -1, cv2.LINE_AA, _SHIFT)
    return picture


def draw_boxes(
    image: RgbImage,
    boxes_xyxy: NDArray[np.float64],
    *,
    colour: tuple[int, int, int] = _DOT,
    line_px: float | None = None,
) -> RgbImage:
    """A rimmed rectangle for each box (n, 4), sub-pixel; its line follows the image unless given."""
    picture = image.copy()
    if line_px is None:
        line_px = float(np.clip(max(image.shape[:2]) / 640, 1.0, 6.0))
        if len(boxes_xyxy):
            line_px = float(np.clip(np.median(sides(boxes_xyxy).min(axis=1)) / 14, 0.0, line_px))
    line = max(1, round(line_px))
    rim = line + 2 * max(1, round(line_px / 2)) if line_px >= 1 else 0  # which would cover a small head
    # OpenCV puts a pixel's centre at integers, headcount at halves.
    corners = np.round((boxes_xyxy - 0.5) * (1 << _SHIFT)).astype(int)
    for thickness, shade in ((rim, _RIM), (line, colour)) if rim else ((line, colour),):
        for x1, y1, x2, y2 in corners.tolist():
            cv2.rectangle(picture, (x1, y1), (x2, y2), shade, thickness, cv2.LINE_AA, _SHIFT)
    return picture


def draw_density(image: RgbImage, density: NDArray[np.float32], stride: int) -> RgbImage:
    """The density over a grayed image: transparent where nobody is, bright where the crowd is densest."""
    height, width = image.shape[:2]
    top = densest(density)
    # The root keeps single heads in sight beside a dense crowd.
    level = np.sqrt(np.clip(density / max(top, 1e-6), 0, 1)).astype(np.float32)
    # Cells cover stride×stride pixels, so enlarge by exactly the stride and cut: a resize to the image's size
    # would shift the map where the size is no multiple of the stride.
    level = cv2.resize(level, (level.shape[1] * stride, level.shape[0] * stride), interpolation=cv2.INTER_LINEAR)
    picture = np.empty_like(image)
    for top_row in range(0, height, _STRIP_ROWS):
        rows = slice(top_row, min(height, top_row + _STRIP_ROWS))
        picture[rows] = _blend(image[rows], level[rows, :width])
    return picture


def densest(density: NDArray[np.float32]) -> float:
    """People in a cell of the brightest colour: all but the densest hundredth of the places where somebody is."""
    some = density[density > 0.01]
    return float(np.quantile(some, 0.99)) if some.size else 1.0


def most_within(density: NDArray[np.float32], cells: int) -> float:
    """The most people in any square of so many cells a side that lies within the map.

    >>> density = np.zeros((20, 30), np.float32)
    >>> density[3, 4] = density[9, 9] = density[19, 29] = 1
    >>> most_within(density, 7), most_within(density, 6), most_within(density, 99)
    (2.0, 1.0, 3.0)
    """
    rows, columns = (min(cells, length) for length in density.shape)
    sums = np.pad(density.astype(np.float64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    squares = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    return float(squares.max().round(6))


def _blend(image: RgbImage, level: NDArray[np.float32]) -> RgbImage:
    heat = _heat(level)
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    alpha = (0.85 * level)[..., None]
    blended: RgbImage = (0.75 * gray.astype(np.float32) * (1 - alpha) + heat.astype(np.float32) * alpha).astype(
        np.uint8
    )
    return blended


def _heat(level: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours of levels of 0…1, (…, 3)."""
    colours = cv2.applyColorMap((255 * (0.1 + 0.9 * level)).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.ascontiguousarray(colours)


_COLOURS = _heat(np.linspace(0, 1, 64, dtype=np.float32)[None])


class PictureWriter:
    """Writes predictions as pictures of one file format of Pillow's; see ``core.writers``."""

    def __init__(self, file_format: str) -> None:
        self._format = file_format

    def one(self, prediction: Prediction, image: RgbImage | None) -> bytes:
        """The picture that ``Prediction.draw`` makes, as a file."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(prediction.draw(image)).save(buffer, self._format)
        return buffer.getvalue()


PNG, JPEG = PictureWriter("PNG"), PictureWriter("JPEG")
