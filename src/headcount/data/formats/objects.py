"""Predictions as other libraries hold them: detections of supervision, tables of pandas, results of COCO.

supervision and pandas are imported where they are asked for; headcount does not bring them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headcount.core.errors import InputError
from headcount.core.geometry import sides
from headcount.core.image import is_image_name
from headcount.core.table import Row

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction

_CLASS = "head"


def detections_of(prediction: Prediction) -> Any:
    """``supervision.Detections``; see ``Prediction.to_supervision``."""
    detections = _of("supervision", "Detections", "Prediction.to_supervision()")
    refuse_nowhere(prediction, "supervision holds")
    number = len(prediction.points_xy)
    has_boxes = prediction.boxes_xyxy is not None and prediction.boxes_kind == "heads"
    boxes = prediction.boxes_xyxy if has_boxes else np.tile(prediction.points_xy, 2)
    return detections(
        xyxy=np.asarray(boxes, np.float32).reshape(-1, 4),
        confidence=None if prediction.scores is None else prediction.scores.astype(np.float32),
        class_id=np.zeros(number, np.int64),
        data={"class_name": np.full(number, _CLASS), "point_xy": prediction.points_xy.copy()},
    )


def frame_of(prediction: Prediction) -> Any:
    """``pandas.DataFrame``; see ``Prediction.to_pandas``."""
    frame = _of("pandas", "DataFrame", "Prediction.to_pandas()")
    columns: dict[str, Any] = {
        "source": np.full(len(prediction.points_xy), prediction.source, dtype=object),  # also where there are none
        "x": prediction.points_xy[:, 0],
        "y": prediction.points_xy[:, 1],
    }
    if prediction.scores is not None:
        columns["score"] = prediction.scores
    if prediction.boxes_xyxy is not None:
        columns |= dict(zip(("x1", "y1", "x2", "y2"), prediction.boxes_xyxy.T, strict=True))
    return frame(columns)


def coco_of(prediction: Prediction, image_id: int | str | None, category_id: int) -> list[dict[str, Any]]:
    """COCO's results; see ``Prediction.to_coco``."""
    refuse_nowhere(prediction, "COCO's results hold")
    if image_id is None:
        image_id = coco_image_id(prediction.source)
    number = len(prediction.points_xy)
    scores = np.ones(number) if prediction.scores is None else prediction.scores
    if prediction.boxes_xyxy is not None and prediction.boxes_kind == "heads":
        boxes = np.concatenate([prediction.boxes_xyxy[:, :2], sides(prediction.boxes_xyxy)], axis=1)
        key, places = "bbox", boxes  # x, y, width, height
    else:
        key, places = "keypoints", np.column_stack([prediction.points_xy, np.full(number, 2)])  # 2: seen
    return [
        {"image_id": image_id, "category_id": category_id, key: place, "score": score}
        for place, score in zip(places.round(2).tolist(), scores.round(4).tolist(), strict=True)
    ]


def coco_image_id(source: str) -> int | str:
    """COCO's own images are named by their number; others are left with their name for the reader to look up."""
    path = Path(source)
    name = path.stem if is_image_name(path) else path.name  # a frame's name has a second at its end, and no suffix
    return int(name) if name.isascii() and name.isdigit() else name


def refuse_nowhere(prediction: Prediction, who_holds: str) -> None:
    """
    Raises:
        InputError: the prediction says nowhere where heads are.
    """
    if prediction.points_kind == "none":
        model = f'The model "{prediction.model}"' if prediction.model else "This model"
        raise InputError(f"{model} counts without saying where heads are, but {who_holds} places: take another model.")


def _of(package: str, name: str, what: str) -> Any:
    row = Row(name=package, target=f"{package}:{name}", package=package)
    row.require(what)
    return row.load()
