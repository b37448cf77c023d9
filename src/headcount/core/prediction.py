"""Prediction: what every method returns, always the same type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_file, refuse_taken, replacing, writing
from headcount.core.geometry import as_boxes, as_points
from headcount.core.image import RgbImage
from headcount.core.image_given import GivenImage, given_pixels
from headcount.core.kinds import PictureKind
from headcount.core.region import Region
from headcount.core.table import load_object
from headcount.core.words import whole_people
from headcount.core.writers import Writer, writer_row

PointsKind = Literal["heads", "peaks", "none"]
"""``heads``: each is a head that the method located; their number is the count, unless the method has a density, too,
and counts by both. ``peaks``: local maxima of a density map, where people probably are; their number need not equal the
count. ``none``: no points."""

BoxesKind = Literal["heads", "parts"]
"""``heads``: each box is as large as a head. ``parts``: it holds what marked the head, and tells no size."""

_PICTURE = "headcount.draw.prediction:draw_prediction"
"""What draws; on a higher floor, and OpenCV is loaded only when something is drawn."""
_SHOWN, _OBJECTS = "headcount.draw.notebook", "headcount.data.formats.objects"


def _refuse_others(count: Any, size_wh: Any) -> None:
    if not isinstance(count, Real) or not math.isfinite(count):
        raise InputError(f"The count of a prediction must be a finite number, but it is {count!r}.")
    is_pair = isinstance(size_wh, tuple | list) and len(size_wh) == 2
    if not is_pair or not all(isinstance(side, Integral) and int(side) > 0 for side in size_wh):
        raise InputError(f"The size of a prediction must be (width, height) in whole pixels, but it is {size_wh!r}.")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """What a model says of one image.

    Attributes:
        count: people in the image; a float where a density was summed.
        size_wh: (width, height) of the upright image.
        points_xy: (n, 2) float64, in pixels of the upright image, the first pixel's centre at (0.5, 0.5).
        points_kind: what the points are (``heads``, ``peaks`` or ``none``).
        scores: (n,) float64 score of each point, or None.
        boxes_xyxy: (n, 4) float64, the box of each point, or None where the method has none.
        boxes_kind: what the boxes are (``heads`` or ``parts``), where there are any.
        density: (h / stride, w / stride) float32, people per cell, or None. Its sum is the count where the
            count comes from it.
        density_stride: side of a density cell in pixels.
        interval: (low, high), the range that the true number lies in, of a calibrated model; else None.
        interval_level: with what chance it does, as in 0.9; None where there is no range.
        model: name of the model.
        terms: on what terms its weights may be used, as its card says; empty where it says nothing.
        runtime: what computed it, where and in which numbers, as in ``openvino cpu bf16``.
        source: file, frame or array the prediction is of.
        timing_ms: milliseconds by step (``read``, ``network``, ``decode``).
        warnings: what the reader of the number should know.
        region: where people were counted, as if nobody were beyond it; None: in the whole image.
        counts: what each part of a model that fuses several counts alone in the whole image, by its name
            (``density``, ``instances``, ``boxes``); empty of other models, and in a region.
    """

    count: float
    size_wh: tuple[int, int]
    points_xy: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    points_kind: PointsKind = "none"
    scores: NDArray[np.float64] | None = None
    boxes_xyxy: NDArray[np.float64] | None = None
    boxes_kind: BoxesKind = "heads"
    density: NDArray[np.float32] | None = None
    density_stride: int = 1
    interval: tuple[float, float] | None = None
    model: str = ""
    runtime: str = ""
    source: str = ""
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    region: Region | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    terms: str = ""
    interval_level: float | None = None

    def __post_init__(self) -> None:
        _refuse_others(self.count, self.size_wh)
        object.__setattr__(self, "points_xy", as_points(self.points_xy))
        if self.boxes_xyxy is not None:
            object.__setattr__(self, "boxes_xyxy", as_boxes(self.boxes_xyxy))
            if len(self.boxes_xyxy) != len(self.points_xy):
                raise InputError(
                    f"{len(self.boxes_xyxy)} boxes were given for {len(self.points_xy)} points: give one each."
                )
        if self.scores is not None:
            object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float64))
            if len(self.scores) != len(self.points_xy):
                raise InputError(
                    f"{len(self.scores)} scores were given for {len(self.points_xy)} points: give one each."
                )

    @property
    def people(self) -> int:
        """The count as people are shown it: a whole number."""
        return whole_people(self.count)

    def __repr__(self) -> str:
        """What is in it, in a line: never the arrays themselves."""
        held = [f"{len(self.points_xy)} {self.points_kind}"] if self.points_kind != "none" else []
        held += ["boxes"] if self.boxes_xyxy is not None else []
        held += [f"density {'×'.join(map(str, self.density.shape))}"] if self.density is not None else []
        held += [f"interval {self.interval[0]:g} to {self.interval[1]:g}"] if self.interval else []
        held += ["in a region"] if self.region is not None else []
        held += ["warnings"] if self.warnings else []
        where = f" in {self.source!r}" if self.source else ""
        size = f"{self.size_wh[0]}×{self.size_wh[1]}"
        return f"<Prediction: count {self.count:.10g}{where}, {', '.join([size, *held])}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON. The density map stays out (it has pictures); its stride and sum are in."""
        data: dict[str, Any] = {
            "source": self.source,
            "model": self.model,
            "terms": self.terms,
            "runtime": self.runtime,
            "count": round(self.count, 3),
            "people": self.people,
            "interval": [round(end, 3) for end in self.interval] if self.interval else None,
            "interval_level": self.interval_level,
            "counts": {part: round(value, 3) for part, value in self.counts.items()},
            "region": None if self.region is None else self.region.to_dict(),
            "size_wh": list(self.size_wh),
            "points_kind": self.points_kind,
            "points_xy": [[round(float(x), 2), round(float(y), 2)] for x, y in self.points_xy],
            "scores": None if self.scores is None else [round(float(s), 4) for s in self.scores],
            "boxes_xyxy": None if self.boxes_xyxy is None else self.boxes_xyxy.round(2).tolist(),
            "boxes_kind": None if self.boxes_xyxy is None else self.boxes_kind,
            "timing_ms": {step: round(value, 2) for step, value in self.timing_ms.items()},
            "warnings": list(self.warnings),
        }
        if self.density is not None:
            data["density"] = {
                "stride": self.density_stride,
                "shape_hw": list(self.density.shape),
                "sum": round(float(self.density.sum(dtype=np.float64)), 3),
            }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prediction:
        """The inverse of ``to_dict``, without the density map.

        Raises:
            InputError: a field is missing or of the wrong type.
        """
        try:
            interval = data.get("interval")
            level = data.get("interval_level")
            scores, boxes, region = data.get("scores"), data.get("boxes_xyxy"), data.get("region")
            width, height = data["size_wh"]
            return cls(
                count=float(data["count"]),
                size_wh=(int(width), int(height)),
                points_xy=as_points(data.get("points_xy", ())),
                points_kind=data.get("points_kind", "none"),
                scores=None if scores is None else np.asarray(scores, dtype=np.float64),
                boxes_xyxy=None if boxes is None else as_boxes(boxes),
                # Before boxes had a kind, only instances had boxes.
                boxes_kind="heads" if boxes is None else data.get("boxes_kind", "parts"),
                interval=None if interval is None else (float(interval[0]), float(interval[1])),
                interval_level=None if level is None else float(level),
                region=None if region is None else Region.from_dict(region),
                model=str(data.get("model", "")),
                runtime=str(data.get("runtime", "")),
                source=str(data.get("source", "")),
                timing_ms=dict(data.get("timing_ms", {})),
                warnings=tuple(data.get("warnings", ())),
                terms=str(data.get("terms", "")),
                counts={str(part): float(value) for part, value in data.get("counts", {}).items()},
            )
        except KeyError as error:
            raise InputError(f"A prediction needs the field {error}, which is missing.") from error
        except (TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
            raise InputError(f"A prediction's fields are not as expected ({error}).") from error

    def draw(self, image: GivenImage | None = None, *, kind: PictureKind = "auto") -> RgbImage:
        """The image with the result on it: (h', w, 3) uint8 RGB, below a strip with the number, where that has room.

        ``points`` draws a dot on each point, ``boxes`` each box, ``density`` a heat map, with a grid of numbers that
        add up to the count where people are many. ``auto`` draws
        the boxes of heads where the method has any, else points where they keep up with the count, else density.
        ``image`` is what was counted, as ``Counter.count`` takes it; without it the source file is read again.

        Raises:
            InputError: the source is no file to read, the sizes differ, or there is no such kind or result to draw.
        """
        if image is None:
            if not is_file(Path(self.source)):
                what = f'The image "{self.source}"' if self.source else "The image of this prediction"
                raise InputError(f"{what} is not at hand: pass image=….")
            image = self.source
        drawn: RgbImage = load_object(_PICTURE)(self, given_pixels(image)[0], kind)
        return drawn

    def show(self, image: GivenImage | None = None, *, kind: PictureKind = "auto") -> None:
        """Show what ``draw`` draws: in a notebook below its cell, else in the system's viewer of pictures.

        Raises:
            InputError: as ``draw``.
        """
        load_object(f"{_SHOWN}:show_picture")(self.draw(image, kind=kind))

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of it by itself: its picture, where the source file is at hand."""
        try:
            picture = self.draw()
        except InputError:
            return None
        png: bytes = load_object(f"{_SHOWN}:png_of")(picture)
        return png

    def to_supervision(self) -> Any:
        """The heads as ``supervision.Detections``, for its zones, tracks and annotators.

        ``xyxy`` are the boxes of heads; where the model has none, each point is a box without width and height.
        ``confidence`` are the scores, ``class_id`` is 0, ``data`` holds ``class_name`` and ``point_xy``.

        Raises:
            InputError: the model says nowhere where heads are, or supervision is not installed.
        """
        return load_object(f"{_OBJECTS}:detections_of")(self)

    def to_pandas(self) -> Any:
        """The points as a ``pandas.DataFrame``, a row each: source, x, y, and score and x1, y1, x2, y2 where there are.

        Raises:
            InputError: pandas is not installed.
        """
        return load_object(f"{_OBJECTS}:frame_of")(self)

    def to_coco(self, *, image_id: int | str | None = None, category_id: int = 1) -> list[dict[str, Any]]:
        """The heads as COCO's results, which ``pycocotools`` reads: ``bbox`` and ``score``.

        Where the model has no boxes of heads, each entry has its point as ``keypoints`` ([x, y, 2]) instead.
        ``image_id`` is the number or the name of the source's file where None.

        Raises:
            InputError: the model says nowhere where heads are.
        """
        results: list[dict[str, Any]] = load_object(f"{_OBJECTS}:coco_of")(self, image_id, category_id)
        return results

    def save(self, path: str | Path, *, image: GivenImage | None = None, overwrite: bool = False) -> Path:
        """Write the prediction as its suffix says (``WRITERS``): a picture (``.png``, ``.jpg``), ``.json``, ``.csv``,
        the density map (``.npy``)…

        ``image`` is what a picture is drawn on, as in ``draw``.

        Raises:
            InputError: the suffix is unknown, the file exists and ``overwrite`` is False, or it cannot be written.
        """
        path = Path(path)
        writer: Writer = writer_row(path).load()
        refuse_taken(path, overwrite=overwrite)
        content = writer.one(self, None if image is None else given_pixels(image)[0])
        with writing(path), replacing(path) as partial:
            partial.write_bytes(content)
        return path
