"""Data sets by name: `NAME=PATH` on the command line and in recipes becomes a list of Scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_folder
from headcount.core.scene import Scene
from headcount.core.table import load_object
from headcount.data.formats.raw import Listing, RawScene, UnreadableAnnotationError, finish
from headcount.data.sets.splits import (
    SPLITS,
    SplitRule,
    by_group,
    fold,
    last_block,
    official,
    own,
    own_videos,
    shipped,
    without_test,
)

_NEAR_FOLDERS = 50
_LEVELS_ABOVE = 2


@dataclass(frozen=True, slots=True)
class DataSet:
    """One line of the table.

    Attributes:
        name: as in ``NAME=PATH``; the catalogue's entry has the same (a fold's: without its ``-foldN``).
        reader: ``module:function`` in ``headcount.data``, from a path to a Listing; imported when it is used.
        splits: how train, validation and test are made.
        general: a format for one's own images: scenes keep their names as written and are in no catalogue.
    """

    name: str
    reader: str
    splits: SplitRule
    general: bool = False

    def list_raw(self, path: Path) -> Listing:
        """All scenes below a path, of every official split that is there; no annotation is opened where each
        image has its own.

        Raises:
            InputError: the layout is another; the nearest known one is named where there is one.
        """
        try:
            return self._list(path)
        except UnreadableAnnotationError:
            raise
        except InputError as error:
            if not (hint := self._nearest_layout(path)):
                raise
            raise InputError(f"{error}{hint}") from error

    def _list(self, path: Path) -> Listing:
        home = "headcount.data.formats" if self.general or self.name == "crohd" else "headcount.data.sets.published"
        listing = load_object(f"{home}.{self.reader}")(path)
        assert isinstance(listing, Listing), self.reader
        return listing

    def _nearest_layout(self, path: Path) -> str:
        """Where this set is laid out near a folder that is none, else which other set is laid out there."""
        if self.general or not is_folder(path):
            return ""
        below = [child for child in sorted(path.iterdir()) if is_folder(child)][:_NEAR_FOLDERS]
        above = list(path.absolute().parents)[:_LEVELS_ABOVE]
        for other in (*below, *above):
            if self._is_laid_out(other):
                return f' Its layout is that of "{other}" write {self.name}={other}.'
        for name, data_set in DATA_SETS.items():
            # The formats that are told by their folders; any folder of images would do for others.
            if (not data_set.general or name in ("coco", "voc", "yolo")) and data_set._is_laid_out(path):
                return f" It is laid out like {name}: write {name}={path}."
        return ""

    def _is_laid_out(self, path: Path) -> bool:
        try:
            return any(scene.image is not None and scene.annotation is not None for scene in self._list(path).scenes)
        except (InputError, OSError):
            return False


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        data_set.name: data_set
        for data_set in (
            # Published sets. A new reader adds its own line here, in the order of the names.
            DataSet("beijing-brt", "beijing_brt:list_beijing_brt", by_group()),
            DataSet("crohd", "mot:list_crohd", by_group(0.25)),
            DataSet("crowdhuman", "crowdhuman:list_crowdhuman", official()),
            DataSet("fdst", "fdst:list_fdst", by_group()),
            DataSet("gcc", "gcc:list_by_location", by_group(0.1, test="as published: other places")),
            DataSet(
                "gcc-camera",
                "gcc:list_by_camera",
                by_group(0.1, test="as published: other cameras of the same places"),
            ),
            DataSet(
                "gcc-random",
                "gcc:list_at_random",
                by_group(0.1, test="as published: at random, of the same scenes"),
            ),
            DataSet("gta-head", "gta_head:list_gta_head", by_group()),
            DataSet("jhu-crowd", "jhu:list_jhu", official()),
            DataSet("jhu-crowd++", "jhu:list_jhu", official()),
            DataSet("mall", "mall:list_mall", last_block()),
            DataSet(
                "nwpu-crowd",
                "nwpu_crowd:list_nwpu_crowd",
                without_test("its server, crowdbenchmark.com"),
            ),
            DataSet("scut-head-a", "scut_head:list_part_a", official()),
            DataSet("scut-head-b", "scut_head:list_part_b", official()),
            DataSet("shanghaitech-a", "shanghaitech:list_part_a", shipped("shanghaitech-a.json")),
            DataSet("shanghaitech-b", "shanghaitech:list_part_b", shipped("shanghaitech-b.json")),
            DataSet("ucf-cc-50-fold1", "ucf_cc_50:list_ucf_cc_50", fold(1, size=10)),
            DataSet("ucf-cc-50-fold2", "ucf_cc_50:list_ucf_cc_50", fold(2, size=10)),
            DataSet("ucf-cc-50-fold3", "ucf_cc_50:list_ucf_cc_50", fold(3, size=10)),
            DataSet("ucf-cc-50-fold4", "ucf_cc_50:list_ucf_cc_50", fold(4, size=10)),
            DataSet("ucf-cc-50-fold5", "ucf_cc_50:list_ucf_cc_50", fold(5, size=10)),
            DataSet("ucf-qnrf", "ucf_qnrf:list_ucf_qnrf", by_group(0.1)),
            DataSet("ucsd", "ucsd:list_ucsd", last_block()),
            DataSet("worldexpo10", "worldexpo10:list_worldexpo10", by_group()),
            # Formats for anybody's own images.
            DataSet("boxes", "boxes:list_boxes", own(), general=True),
            DataSet("coco", "coco:list_coco", own(), general=True),
            DataSet("cvat", "cvat:list_cvat", own(), general=True),
            DataSet("labelme", "labelme:list_labelme", own(), general=True),
            DataSet("points", "points:list_points", own(), general=True),
            DataSet("video", "video_points:list_video_points", own_videos(), general=True),
            DataSet("voc", "voc:list_voc", own(), general=True),
            DataSet("yolo", "yolo:list_yolo", own(), general=True),
        )
    }
)


def parse_spec(spec: str) -> tuple[str, Path]:
    """`NAME=PATH` in two.

    Raises:
        InputError: no ``=``, or a name that no reader has.
    """
    name, separator, path = spec.partition("=")
    if not separator or not path:
        raise InputError(
            f'"{spec}" does not say where the data is: write NAME=PATH, as in shanghaitech-b=/data/ShanghaiTech.'
        )
    if name not in DATA_SETS:
        if folds := [known for known in DATA_SETS if known.startswith(f"{name}-fold")]:
            raise InputError(
                f'"{name}" has no test split of its own and is read by folds: write {folds[0]}={path} (to {folds[-1]}; '
                "each lists all images)."
            )
        raise InputError(f'"{name}" is no data set that headcount reads.{nearest(name, DATA_SETS)}')
    return name, Path(path).expanduser()


def list_dataset(spec: str, split: str) -> list[RawScene]:
    """The raw scenes of a split of `NAME=PATH`, annotations unopened.

    Annotations whose images are missing are left out: copies are often partial, and the check names them.

    Raises:
        InputError: an unknown name or split, another layout, no images at all, or none of this split though others
            are there (``val`` may be empty).
    """
    name, path = parse_spec(spec)
    known = next((known for known in SPLITS if known == split), None)
    if known is None:
        raise InputError(f'"{split}" is no split.{nearest(split, SPLITS)}')
    listing = DATA_SETS[name].list_raw(path)
    scenes = [scene for scene in listing.scenes if scene.image is not None]
    if not scenes and not DATA_SETS[name].general:
        raise InputError(f'In "{path}" there are no images: run "headcount datasets check" for what is there.')
    chosen = DATA_SETS[name].splits.apply(scenes, known)
    if scenes and not chosen and known != "val" and not (DATA_SETS[name].general and known != "test"):
        there = ", ".join(sorted({scene.split for scene in scenes if scene.split})) or "other images"
        raise InputError(f'"{path}" has no images of the split "{split}", only {there}: complete the copy.')
    return chosen


def read_dataset(spec: str, split: str) -> list[Scene]:
    """The scenes of a split of `NAME=PATH`.

    Raises:
        InputError: as ``list_dataset``, or an image or annotation that cannot be used.
    """
    data_set = DATA_SETS[parse_spec(spec)[0]]
    data = "" if data_set.general else data_set.name
    return [finish(raw, data=data) for raw in list_dataset(spec, split)]
