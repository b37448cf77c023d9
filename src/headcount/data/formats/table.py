"""The table of general formats: how one's own images are annotated, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.table import Row, Table


@dataclass(frozen=True, slots=True)
class Holds:
    """What a format keeps of a Scene; all formats keep images without heads.

    Attributes:
        points: a head's point that is not the centre of its box.
        points_alone: heads that have no box.
        boxes: head boxes.
        provenance: how each box came to be.
        region: the region of interest.
        attributes: what else is known of the image.
        splits: which images are for training, validation and test.
        precision_px: how far a coordinate may come back from where it was; 0: exactly there.
    """

    points: bool = True
    points_alone: bool = True
    boxes: bool = True
    provenance: bool = True
    region: bool = False
    attributes: bool = False
    splits: bool = True
    precision_px: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRow(Row):
    """A general format: ``target`` is its reader, from a path to a Listing.

    Attributes:
        writer: ``module:function`` that writes Scenes, ``(scenes, path, *, splits, copy_images, overwrite)``; empty
            where it is only read.
        holds: what it keeps where it is written as a folder.
        file_suffixes: those of its files; empty where it is always a folder.
        folder: whether it can be a folder.
        places_images: its folder has a place for the images, links or copies; else files name where they lie.
        is_found_by_folders: a folder of this layout is known by what is in it.
        of_video: its images are frames of videos, whose neighbours are alike.
        default_split: what is evaluated where nothing is asked for.
    """

    writer: str = ""
    holds: Holds = Holds()
    file_suffixes: tuple[str, ...] = ()
    folder: bool = True
    places_images: bool = False
    is_found_by_folders: bool = False
    of_video: bool = False
    default_split: str = "all"

    @property
    def writes(self) -> bool:
        """Whether it can be written; every format can be read."""
        return bool(self.writer)

    def is_file_name(self, path: Path) -> bool:
        """Whether a path of this name is one file, and not a folder."""
        return path.suffix.lower() in self.file_suffixes

    def holds_at(self, path: Path) -> Holds:
        """What it keeps at a path: of a format that can be a folder, one file has no splits.

        Raises:
            InputError: the path can be no file or folder of the format.
        """
        if self.is_file_name(path):
            return replace(self.holds, splits=self.holds.splits and not self.folder)
        if not self.folder:
            wanted = " or ".join(self.file_suffixes)
            raise InputError(f'"{path}" is no {self.name} file: a name that ends in {wanted} was expected.')
        return self.holds

    def write(
        self, scenes: Sequence[Scene], path: Path, *, splits: Sequence[str] = (), copy_images: bool = False,
        overwrite: bool = False,
    ) -> None:  # fmt: skip
        """Write Scenes, which hold no more than the format does.

        Images stay where they are: the files name them, or the folder has links to them, or copies.

        Args:
            splits: the scenes' (``train``, ``val``, ``test`` or empty); none: all empty.

        Raises:
            InputError: something is there already and ``overwrite`` is False, or it cannot be written.
        """
        write = self.load(self.writer)
        write(scenes, path, splits=splits, copy_images=copy_images, overwrite=overwrite)


_HOME = "headcount.data.formats"
_POINTS = Holds(boxes=False, provenance=False, splits=False)

FORMATS = Table(
    "formats",
    "format",
    [
        FormatRow(
            name="boxes", title="A boxes file", target=f"{_HOME}.head_list:list_boxes",
            writer=f"{_HOME}.head_list:write_boxes", holds=Holds(points_alone=False, splits=False),
            file_suffixes=(".csv", ".json"), folder=False,
        ),
        FormatRow(
            name="coco", title="COCO", target=f"{_HOME}.coco:list_coco", writer=f"{_HOME}.coco:write_coco",
            holds=Holds(region=True, attributes=True), file_suffixes=(".json",), is_found_by_folders=True,
        ),
        FormatRow(
            name="cvat", title="CVAT", target=f"{_HOME}.cvat:list_cvat", writer=f"{_HOME}.cvat:write_cvat",
            holds=Holds(attributes=True), file_suffixes=(".xml",), folder=False, is_found_by_folders=True,
        ),
        FormatRow(
            name="labelme", title="LabelMe", target=f"{_HOME}.labelme:list_labelme",
            writer=f"{_HOME}.labelme:write_labelme", holds=Holds(attributes=True), is_found_by_folders=True,
        ),
        FormatRow(
            name="labelstudio", title="Label Studio", target=f"{_HOME}.labelstudio:list_labelstudio",
            file_suffixes=(".json",), folder=False,
        ),
        FormatRow(
            name="points", title="A points file", target=f"{_HOME}.head_list:list_points",
            writer=f"{_HOME}.head_list:write_points", holds=_POINTS, file_suffixes=(".csv", ".json"), folder=False,
        ),
        FormatRow(
            name="via", title="VIA", target=f"{_HOME}.via:list_via", file_suffixes=(".csv", ".json"), folder=False,
        ),
        FormatRow(
            name="video", title="A video with points", target=f"{_HOME}.video_points:list_video_points",
            file_suffixes=(".csv",), folder=False, of_video=True,
        ),
        FormatRow(
            name="voc", title="VOC", target=f"{_HOME}.voc:list_voc", writer=f"{_HOME}.voc:write_voc",
            holds=Holds(points_alone=False), places_images=True, is_found_by_folders=True,
        ),
        FormatRow(
            name="yolo", title="YOLO", target=f"{_HOME}.yolo:list_yolo", writer=f"{_HOME}.yolo:write_yolo",
            holds=Holds(points=False, points_alone=False, provenance=False, precision_px=0.01), places_images=True,
            is_found_by_folders=True,
        ),
    ],
    FormatRow,
)  # fmt: skip
"""The formats for anybody's own images, by name."""
