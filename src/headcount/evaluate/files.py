"""Evaluation from files to files: data sets by name, NWPU prediction files against their truth, and writing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import refuse_taken
from headcount.core.kinds import Matcher
from headcount.core.notes import Skipped, raise_first
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.formats.nwpu import (
    NwpuHeads,
    ids_of_names,
    images_by_id,
    read_nwpu_predictions,
    read_nwpu_truth,
    write_nwpu_predictions,
)
from headcount.data.sets.negatives import NEGATIVES, read_negatives
from headcount.data.sets.registry import DATA_SETS, Reading, check_split, parse_spec, read_set
from headcount.evaluate.metrics.localization import evaluate_localization, images_of_files
from headcount.evaluate.metrics.located import LocalizationResult
from headcount.evaluate.run import name_of


def read_sets(specs: Sequence[str], split: str | None) -> dict[tuple[str, str], Reading]:
    """What the files of several ``NAME=PATH`` gave, by what they are called in reports: (data, split).

    Each is read in ``split`` or, where that is None, in its default one. One's own images are called by their format
    and the name of their file or folder. ``negatives=FOLDER`` are photographs in which nobody is (``read_negatives``).

    Raises:
        InputError: as ``read_set``, or two are called alike.
    """
    sets: dict[tuple[str, str], Reading] = {}
    for spec in specs:
        if spec.startswith(f"{NEGATIVES}="):
            of_split = check_split(split or "val")
            nobody = read_negatives(Path(spec.partition("=")[2]).expanduser(), of_split)
            _add(sets, (NEGATIVES, of_split), Reading(tuple(nobody)))
            continue
        name, path = parse_spec(spec)
        data_set = DATA_SETS[name]
        chosen = split or data_set.default_split
        key = f"{name}-{path.absolute().stem}" if data_set.general else name, chosen
        _add(sets, key, read_set(spec, chosen))
    return sets


def _add(sets: dict[tuple[str, str], Reading], key: tuple[str, str], read: Reading) -> None:
    if key in sets:
        raise InputError(f'"{key[0]}" is given twice: evaluate one copy of it at a time.')
    sets[key] = read


@dataclass(frozen=True, slots=True)
class FileReport:
    """How the points of a prediction file agree with a ground truth.

    Attributes:
        predictions, ground_truth: the files.
        result: the figures.
        scenes: the images that are present to draw on, in the order of ``result.images``; None for the others.
        skipped: the images that are there and cannot be read, and why; they are None in ``scenes``.
    """

    predictions: Path
    ground_truth: Path
    result: LocalizationResult
    scenes: tuple[Scene | None, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def missing(self) -> list[int]:
        """The ids of the images that are not there."""
        unread = {one.name for one in self.skipped}
        pairs = zip(self.result.images, self.scenes, strict=True)
        return [int(image.name) for image, scene in pairs if scene is None and image.name not in unread]

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        counting = self.result.counting
        nae = "—" if counting.nae is None else f"{counting.nae:.4f}"
        return [
            f"{self.predictions.name} against {self.ground_truth.name}",
            *self.result.lines(),
            "",
            f"  counting: MAE {counting.mae:.3f}, RMSE {counting.rmse:.3f}, NAE {nae} "
            f"({counting.nae_left_out:,} without heads left out)",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with one row per image."""
        names = {"predictions": str(self.predictions), "ground_truth": str(self.ground_truth)}
        return {**names, **self.result.to_dict(), "counting": self.result.counting.to_dict()}


def evaluate_prediction_file(
    predictions: Path,
    ground_truth: Path,
    *,
    images: Path | None = None,
    matcher: Matcher = "fast",
    mean_over_thresholds: bool = False,
) -> FileReport:
    """Score an NWPU prediction file against an NWPU ground-truth file.

    With ``images``, their folder, no point may lie outside its image, and pictures can be drawn; the folder may lack
    some.

    Raises:
        InputError: a file is malformed, a point lies outside its image, or the folder holds no image of the truth.
    """
    truth = read_nwpu_truth(ground_truth)
    scenes: dict[int, Scene] = {}
    sizes_wh: dict[int, tuple[int, int]] = {}
    skipped: list[Skipped] = []
    for image, scene in ({} if images is None else _scenes(images, truth)).items():
        try:
            sizes_wh[image] = scene.size_wh
        except Exception as error:
            skipped.append(Skipped(scene.name, error))
        else:
            scenes[image] = scene
    if skipped and not scenes:
        raise_first(skipped)
    found = read_nwpu_predictions(predictions, truth, sizes_wh=sizes_wh)
    result = evaluate_localization(images_of_files(found, truth), matcher=matcher, mean=mean_over_thresholds)
    return FileReport(predictions, ground_truth, result, tuple(scenes.get(image) for image in truth), tuple(skipped))


def _scenes(folder: Path, truth: Mapping[int, NwpuHeads]) -> dict[int, Scene]:
    """The images of the truth that lie in the folder, by id."""
    present = images_by_id(folder)
    scenes = {image: Scene(present[image], name=f"{image:04d}") for image in truth if image in present}
    if not scenes:
        first = next(iter(truth))
        raise InputError(f'"{folder}" holds no image of the ground truth: its first was expected as {first:04d}.jpg.')
    return scenes


class NwpuPredictions:
    """Gathers what a model finds in scenes that are evaluated, to be written as one NWPU prediction file.

    Raises:
        InputError: the file is no .txt, exists and ``overwrite`` is False, or its folder is not there.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() != ".txt":
            raise InputError(f'An NWPU prediction file ends in .txt, but "{path.name}" was given: name it so.')
        refuse_taken(path, overwrite=overwrite)
        self.path, self._overwrite = path, overwrite
        self._ids: dict[str, int] = {}
        self._points: dict[int, NDArray[Any]] = {}
        self._sizes_wh: dict[int, tuple[int, int]] = {}

    @property
    def expected(self) -> int:
        """How many images there are to be."""
        return len(self._ids)

    @property
    def added(self) -> int:
        """How many there are."""
        return len(self._points)

    def expect(self, sets: Mapping[tuple[str, str], Sequence[Scene]]) -> None:
        """Take the images' ids from their names.

        Raises:
            InputError: a name ends in no number, or two in the same.
        """
        names = [name_of(scene, index) for scenes in sets.values() for index, scene in enumerate(scenes)]
        self._ids = dict(zip(names, ids_of_names(names), strict=True))

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image.

        Raises:
            InputError: the model says nowhere where heads are.
        """
        if prediction.points_kind == "none":
            raise InputError("The model counts without saying where heads are, so it gives no prediction file.")
        image = self._ids[scene.name]
        self._points[image], self._sizes_wh[image] = prediction.points_xy, prediction.size_wh

    def write(self) -> None:
        """Write what was found in every image that was counted, in the order of ``expect``.

        Raises:
            InputError: the file cannot be written.
        """
        write_nwpu_predictions(self._points, self.path, sizes_wh=self._sizes_wh, overwrite=self._overwrite)
