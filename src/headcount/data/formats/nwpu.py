"""The official NWPU-Crowd localization files: ground truth and predictions as text, one line per image.

    ground truth    id n (x y σ_s σ_l level) × n        predictions    id n (x y) × n

Whole numbers with single spaces between them, pixels of the original image counted from 0, levels 0 to 5 by the area of
the head's box (read, never recomputed). An image without heads is its id and 0. Blanks at the end of a line and CRLF
line ends are taken, since official files have both, and so are blank lines at the end; everything else is refused with
the line and the reason.

Wang et al., "NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization", TPAMI 2020.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, is_folder
from headcount.core.geometry import as_points, sigmas_of_boxes
from headcount.core.image import is_image_name
from headcount.core.prediction import Prediction
from headcount.data.formats.pairs import images_by_name
from headcount.data.formats.places import refuse_taken_files
from headcount.data.media.video import is_video_name
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import cut

HEAD_LEVELS = 6
"""Box-area levels A0…A5: up to 10, 10², 10³, 10⁴, 10⁵ square pixels, and above."""
LARGEST = 1_000_000
"""No coordinate, radius or id of the data set comes near it: larger numbers are refused as mistakes."""

_LINE = re.compile("[0-9]{1,7}(?: [0-9]{1,7})+")
_TRUTH_WIDTH, _PREDICTION_WIDTH = 5, 2
_PARTS = ("", "images", *(f"images_part{part}" for part in range(1, 6)))  # of the data set, as it is unpacked


@dataclass(frozen=True, slots=True, eq=False)
class NwpuHeads:
    """The annotated heads of one image.

    Attributes:
        points_xy: (n, 2) float64, whole numbers: the index of the pixel, not its centre.
        sigma_s_px, sigma_l_px: (n,) float64, the two matching radii of each head.
        levels: (n,) int64, 0 to 5.
        line: where it stands in the file, from 1; 0 where it comes from no file.
    """

    points_xy: NDArray[np.float64]
    sigma_s_px: NDArray[np.float64]
    sigma_l_px: NDArray[np.float64]
    levels: NDArray[np.int64]
    line: int = field(default=0)

    @classmethod
    def of_boxes(cls, points_xy: ArrayLike, boxes_xyxy: ArrayLike, levels: ArrayLike) -> NwpuHeads:
        """From points (n, 2), their boxes (n, 4) and levels (n,)."""
        small, large = sigmas_of_boxes(np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4))
        return cls(as_points(points_xy), small, large, np.asarray(levels, dtype=np.int64))


def read_nwpu_truth(path: str | Path) -> dict[int, NwpuHeads]:
    """The heads of each image by its id, in the order of the file.

    Raises:
        InputError: the file cannot be read or a line is not as the format says; file, line and reason are named.
    """
    path = Path(path)
    found = {}
    for image, (line, rows) in _read(path, _TRUTH_WIDTH).items():
        levels = rows[:, 4]
        wrong = np.flatnonzero(levels >= HEAD_LEVELS)
        if len(wrong):
            raise _error(path, line, f"head {wrong[0] + 1} has level {levels[wrong[0]]}, but levels are 0 to 5")
        numbers = rows[:, :4].astype(np.float64)
        found[image] = NwpuHeads(numbers[:, :2], numbers[:, 2], numbers[:, 3], levels, line)
    return found


def read_nwpu_predictions(
    path: str | Path,
    truth: Mapping[int, NwpuHeads] | None = None,
    *,
    sizes_wh: Mapping[int, tuple[int, int]] | None = None,
) -> dict[int, NDArray[np.float64]]:
    """The predicted points (m, 2) of each image by its id: whole numbers, in the order of the file.

    With ``truth`` the ids must be the same; with ``sizes_wh`` no point may lie outside its image (the files hold no
    sizes, so it is checked only then).

    Raises:
        InputError: the file cannot be read, a line is not as the format says, an id is missing or not in the truth, or
            a point lies outside its image; file, line and reason are named.
    """
    path = Path(path)
    read = _read(path, _PREDICTION_WIDTH)
    if truth is not None:
        for image, (line, _) in read.items():
            if image not in truth:
                raise _error(path, line, f"the ground truth has no image {image}")
        missing = [image for image in truth if image not in read]
        if missing:
            where = f" (line {truth[missing[0]].line} of the ground truth)" if truth[missing[0]].line else ""
            raise InputError(
                f'"{path}" lacks image {missing[0]}{where}, {len(missing)} of {len(truth)} in all: give each image a '
                f'line, "{missing[0]} 0" where nobody is found.'
            )
    for image, (line, rows) in read.items():
        if sizes_wh is None or image not in sizes_wh:
            continue
        outside = np.flatnonzero((rows >= sizes_wh[image]).any(axis=1))
        if len(outside):
            x, y = rows[outside[0]]
            width, height = sizes_wh[image]
            raise _error(path, line, f"point {outside[0] + 1}, ({x}, {y}), lies outside the image ({width}×{height})")
    return {image: rows.astype(np.float64) for image, (_, rows) in read.items()}


def ids_of_names(names: Iterable[str]) -> list[int]:
    """The id of each image: the number at the end of its name, folders and suffix aside.

    Raises:
        InputError: a name ends in no number or in one that the format cannot hold, or two names have the same id.

    >>> ids_of_names(["val/3110.jpg", "IMG_0007"])
    [3110, 7]
    """
    named: dict[int, str] = {}
    for name in names:
        image = _id_of_name(name)
        if image is None:
            raise InputError(
                f'"{name}" ends in no number from 0 to {LARGEST:,}, which an NWPU prediction file names an image by: '
                "rename the image."
            )
        if image in named:
            raise InputError(
                f'"{named[image]}" and "{name}" would both be image {image} in an NWPU prediction file: rename one.'
            )
        named[image] = name
    return list(named)


def images_by_id(folder: str | Path) -> dict[int, Path]:
    """The images of a folder, and of ``images`` and ``images_part1`` … in it, by id; zeros in front do not matter.

    Where a number alone is a name (``3110.jpg``), others that end in it (``mask_3110.png``) are left aside.

    Raises:
        InputError: there is no such folder, or two images have an equal claim to an id.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise InputError(f'There is no folder "{folder}" with images: name the one that holds 0001.jpg and so on.')
    found: dict[int, Path] = {}
    paths = [path for part in _PARTS for path in images_by_name(folder / part).values()]
    for path in paths:
        image = _id_of_name(path.name)
        if image is None:
            continue
        other = found.get(image)
        if other is None or path.stem.isdecimal() > other.stem.isdecimal():
            found[image] = path
        elif path.stem.isdecimal() == other.stem.isdecimal():
            raise InputError(f'"{other}" and "{path}" are both image {image}: leave one in the folder.')
    return found


def _id_of_name(name: str) -> int | None:
    path = Path(name.replace("\\", "/"))
    if is_video_name(path):
        return None
    number = re.search(r"[0-9]{1,18}$", path.stem if is_image_name(path) else path.name)
    return None if number is None or int(number[0]) > LARGEST else int(number[0])


def write_nwpu_predictions(
    predictions: Mapping[int, ArrayLike],
    path: str | Path,
    *,
    sizes_wh: Mapping[int, tuple[int, int]] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write points (m, 2) by image id; floats are floored to the index of their pixel.

    With ``sizes_wh`` a point on or beyond the border of its image is written as the nearest pixel inside.

    Raises:
        InputError: an id or a floored coordinate is negative or absurd, points are no finite (m, 2), the file exists
            and ``overwrite`` is False, or it cannot be written.
    """
    rows = {image: as_points(points) for image, points in predictions.items()}
    for image, size_wh in (sizes_wh or {}).items():
        if image in rows:
            rows[image] = np.clip(rows[image], 0, np.subtract(size_wh, 1))
    return _write(rows, Path(path), overwrite)


def prediction_line(image: int, points_xy: NDArray[np.float64], size_wh: tuple[int, int]) -> str:
    """One line of a prediction file, as ``write_nwpu_predictions`` writes it.

    >>> prediction_line(7, np.array([[3.99, 0.0], [64.0, 8.5]]), (64, 48))
    '7 2 3 0 63 8\\n'
    """
    return _line(image, np.clip(points_xy, 0, np.subtract(size_wh, 1)))


def points_for_count(prediction: Prediction) -> NDArray[np.float64]:
    """As many points (n, 2) as the prediction shows people: what a reader of the file takes for its count.

    Of more points than the density counts the strongest are kept, in their order; to fewer, points are added where the
    density beside them lies, evenly by its sum. Without a density, heads that were located are themselves the count.

    >>> density = np.zeros((2, 4), np.float32)
    >>> density[0, 0], density[1, 3] = 1, 2
    >>> found = Prediction(3, (32, 16), np.array([[4.0, 4.0]]), "peaks", density=density, density_stride=8)
    >>> points_for_count(found).tolist()
    [[4.0, 4.0], [28.0, 12.0], [28.0, 12.0]]
    """
    points_xy, density, people = prediction.points_xy, prediction.density, max(0, prediction.people)
    if density is None:
        return points_xy
    if len(points_xy) > people:
        scores = np.ones(len(points_xy)) if prediction.scores is None else prediction.scores
        return points_xy[np.sort(np.argsort(-scores, kind="stable")[:people])]
    rest = np.maximum(density, 0).astype(np.float64)  # (h, w)
    for column, row in (points_xy / prediction.density_stride).astype(np.intp):  # a peak's mass is that of 3×3 cells
        rest[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 0
    if not rest.any():
        rest = np.maximum(density, 0).astype(np.float64)
    missing = people - len(points_xy)
    cells = np.searchsorted(np.cumsum(rest), (np.arange(missing) + 0.5) * rest.sum() / max(1, missing))
    row, column = np.divmod(np.minimum(cells, rest.size - 1), rest.shape[1])
    added_xy = (np.stack([column, row], axis=1) + 0.5) * prediction.density_stride  # (missing, 2)
    return np.concatenate([points_xy, added_xy])


def write_nwpu_truth(truth: Mapping[int, NwpuHeads], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write heads by image id, as ``read_nwpu_truth`` gives them back; floats are floored.

    Raises:
        InputError: as ``write_nwpu_predictions``, or a level is not 0 to 5.
    """
    rows = {}
    for image, heads in truth.items():
        if bool(((heads.levels < 0) | (heads.levels >= HEAD_LEVELS)).any()):
            raise InputError(f"Image {image} has a head of a level that is not 0 to 5.")
        rows[image] = np.column_stack([heads.points_xy, heads.sigma_s_px, heads.sigma_l_px, heads.levels])
    return _write(rows, Path(path), overwrite)


def _write(rows: Mapping[int, NDArray[np.float64]], path: Path, overwrite: bool) -> Path:
    refuse_taken_files([path], overwrite=overwrite)
    lines = [_line(image, values) for image, values in rows.items()]
    with atomic_text(path) as file:
        file.writelines(lines)
    return path


def _line(image: int, values: NDArray[np.float64]) -> str:
    numbers = np.floor(values).astype(np.int64) if np.abs(values).max(initial=0) < 2**62 else np.array([-1])
    if not 0 <= image <= LARGEST or bool(((numbers < 0) | (numbers > LARGEST)).any()):
        raise InputError(f"Image {image} has a number that is not 0 to {LARGEST:,}, which the format cannot hold.")
    return " ".join(map(str, [image, len(values), *numbers.ravel().tolist()])) + "\n"


def _read(path: Path, width: int) -> dict[int, tuple[int, NDArray[np.int64]]]:
    """Line number and (n, width) numbers by image id."""
    lines = read_lines(path, "file of heads")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f'"{path}" is empty: one line per image was expected.')
    found: dict[int, tuple[int, NDArray[np.int64]]] = {}
    for number, line in enumerate((line.rstrip(" ") for line in lines), start=1):
        if _LINE.fullmatch(line) is None:
            raise _error(path, number, _why_malformed(line))
        values = np.fromstring(line, dtype=np.int64, sep=" ")
        image, count = int(values[0]), int(values[1])
        if len(values) != 2 + count * width:
            raise _error(
                path, number, f"image {image} says {count} points, so {count * width} numbers should follow, "
                f"but {len(values) - 2} do"
            )  # fmt: skip
        if image in found:
            raise _error(path, number, f"image {image} stands in line {found[image][0]} already")
        if int(values.max()) > LARGEST:
            raise _error(path, number, f"{int(values.max())} is absurdly large (over {LARGEST:,})")
        found[image] = number, values[2:].reshape(-1, width)
    return found


def _why_malformed(line: str) -> str:
    if not line:
        return "the line is empty, but an image id was expected"
    if line.startswith(" "):
        return "the line starts with a blank"
    if "  " in line:
        return f"two blanks in a row, after {_quoted(line.partition('  ')[0].rpartition(' ')[2])}"
    for position, token in enumerate(line.split(" "), start=1):
        if re.fullmatch("-[0-9]+", token):
            return f"number {position} is negative ({_quoted(token)})"
        if re.fullmatch("[0-9]+", token) is None:
            return f"{_quoted(token)} (number {position}) is no whole number"
        if len(token) > 7:
            return f"{_quoted(token)} (number {position}) is absurdly large (over {LARGEST:,})"
    return "the number of points is missing: id and number were expected"


def _quoted(token: str) -> str:
    return f'"{cut(ascii(token)[1:-1], 20)}"'


def _error(path: Path, line: int, why: str) -> InputError:
    return InputError(f'"{path}", line {line}: {why}.')
