"""Heat maps and their peaks beside the photograph, as "Mask Focal Loss…" (Zhong et al.) shows them in its Fig. 8."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Points
from headcount.core.image import RgbImage
from headcount.draw.prediction import draw_points

_PAPER, _INK = (255, 255, 255), (20, 20, 20)
_GAP, _LINE = 6, 24
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_heat(heat: NDArray[np.float32], stride: float, size_wh: tuple[int, int]) -> RgbImage:
    """(h', w') heat of 0…1 as colours, at the (width, height) of its image: black is 0, bright yellow 1."""
    level = (255 * np.clip(heat, 0, 1)).astype(np.uint8)
    full_wh = round(level.shape[1] * stride), round(level.shape[0] * stride)
    large = cv2.resize(level, full_wh, interpolation=cv2.INTER_NEAREST)
    coloured = cv2.applyColorMap(large[: size_wh[1], : size_wh[0]], cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[..., ::-1])


def draw_peaks(points_xy: Points, size_wh: tuple[int, int]) -> RgbImage:
    """A white dot on black for each of (n, 2) points, at the (width, height) of their image."""
    return draw_points(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), points_xy, colour=_PAPER)


def sheet_of(rows: Sequence[Sequence[tuple[str, RgbImage]]], width_px: int) -> RgbImage:
    """Pictures in rows, each ``width_px`` wide and below its caption, which is in ASCII."""
    columns = max(map(len, rows))
    return np.concatenate([_row_of(row, width_px, columns) for row in rows])


def _row_of(pictures: Sequence[tuple[str, RgbImage]], width_px: int, columns: int) -> RgbImage:
    cells = [_cell(caption, picture, width_px) for caption, picture in pictures]
    row = np.full((max(len(cell) for cell in cells) + _GAP, (width_px + _GAP) * columns, 3), _PAPER, np.uint8)
    for place, cell in enumerate(cells):
        left = place * (width_px + _GAP)
        row[: len(cell), left : left + width_px] = cell
    return row


def _cell(caption: str, picture: RgbImage, width_px: int) -> RgbImage:
    height = max(1, round(picture.shape[0] * width_px / picture.shape[1]))
    cell = np.full((height + _LINE, width_px, 3), _PAPER, np.uint8)
    cv2.putText(cell, caption, (2, _LINE - 8), _FONT, 0.5, _INK, 1, cv2.LINE_AA)
    cell[_LINE:] = cv2.resize(picture, (width_px, height), interpolation=cv2.INTER_AREA)
    return cell
