"""Data sets by name: `NAME=PATH` on the command line and in recipes becomes a list of Scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_folder
from headcount.core.scene import Scene
from headcount.core.table import Row, Table
from headcount.data.formats.raw import Listing, RawScene, UnreadableAnnotationError, finish
from headcount.data.formats.table import FORMATS, FormatRow
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow(Row):
    """A published set: ``target`` is its reader, from a path to a Listing.

    The catalogue's entry has the same name (a fold's: without its ``-foldN``).

    Attributes:
        splits: how train, validation and test are made.
        default_split: what is evaluated where nothing is asked for.
    """

    splits: SplitRule
    default_split: str = "val"


def _row(name: str, target: str, splits: SplitRule) -> SetRow:
    return SetRow(name=name, target=f"headcount.data.{target}", splits=splits)


SETS = Table(
    "sets",
    "published data set",
    [
        # In the order of the names.
        _row("beijing-brt", "sets.published.beijing_brt:list_beijing_brt", by_group()),
        _row("crohd", "formats.mot:list_crohd", by_group(0.25)),
        _row("crowdhuman", "sets.published.crowdhuman:list_crowdhuman", official()),
        _row("fdst", "sets.published.fdst:list_fdst", by_group()),
        _row("gcc", "sets.published.gcc:list_by_location", by_group(0.1, test="as published: other places")),
        _row(
            "gcc-camera",
            "sets.published.gcc:list_by_camera",
            by_group(0.1, test="as published: other cameras of the same places"),
        ),
        _row(
            "gcc-random",
            "sets.published.gcc:list_at_random",
            by_group(0.1, test="as published: at random, of the same scenes"),
        ),
        _row("gta-head", "sets.published.gta_head:list_gta_head", by_group()),
        _row("jhu-crowd", "sets.published.jhu:list_jhu", official()),
        _row("jhu-crowd++", "sets.published.jhu:list_jhu", official()),
        _row("mall", "sets.published.mall:list_mall", last_block()),
        _row("nwpu-crowd", "sets.published.nwpu_crowd:list_nwpu_crowd", without_test("its server, crowdbenchmark.com")),
        _row("scut-head-a", "sets.published.scut_head:list_part_a", official()),
        _row("scut-head-b", "sets.published.scut_head:list_part_b", official()),
        _row("shanghaitech-a", "sets.published.shanghaitech:list_part_a", shipped("shanghaitech-a.json")),
        _row("shanghaitech-b", "sets.published.shanghaitech:list_part_b", shipped("shanghaitech-b.json")),
        _row("ucf-cc-50-fold1", "sets.published.ucf_cc_50:list_ucf_cc_50", fold(1, size=10)),
        _row("ucf-cc-50-fold2", "sets.published.ucf_cc_50:list_ucf_cc_50", fold(2, size=10)),
        _row("ucf-cc-50-fold3", "sets.published.ucf_cc_50:list_ucf_cc_50", fold(3, size=10)),
        _row("ucf-cc-50-fold4", "sets.published.ucf_cc_50:list_ucf_cc_50", fold(4, size=10)),
        _row("ucf-cc-50-fold5", "sets.published.ucf_cc_50:list_ucf_cc_50", fold(5, size=10)),
        _row("ucf-qnrf", "sets.published.ucf_qnrf:list_ucf_qnrf", by_group(0.1)),
        _row("ucsd", "sets.published.ucsd:list_ucsd", last_block()),
        _row("worldexpo10", "sets.published.worldexpo10:list_worldexpo10", by_group()),
    ],
    SetRow,
)
"""The published sets that can be read, by name."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What ``NAME=PATH`` can name: a published set, or a general format for one's own images.

    Attributes:
        row: its row in ``SETS`` or ``FORMATS``.
        splits: how train, validation and test are made.
    """

    row: SetRow | FormatRow
    splits: SplitRule

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def general(self) -> bool:
        """Whether it is a format for one's own images: scenes keep their names as written, in no catalogue."""
        return isinstance(self.row, FormatRow)

    @property
    def default_split(self) -> str:
        """What is evaluated where nothing is asked for."""
        return self.row.default_split

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
        listing: Listing = self.row.load()(path)
        return listing

    def _nearest_layout(self, path: Path) -> str:
        """Where this set is laid out near a folder that is none, else which other set is laid out there."""
        if self.general or not is_folder(path):
            return ""
        below = [child for child in sorted(path.iterdir()) if is_folder(child)][:_NEAR_FOLDERS]
        above = list(path.absolute().parents)[:_LEVELS_ABOVE]
        for other in (*below, *above):
            if self._is_laid_out(other):
                return f' Its layout is that of "{other}": write {self.name}={other}.'
        for name, data_set in DATA_SETS.items():
            row = data_set.row
            # Any folder of images would do for other formats.
            if (isinstance(row, SetRow) or row.is_found_by_folders) and data_set._is_laid_out(path):
                return f" It is laid out like {name}: write {name}={path}."
        return ""

    def _is_laid_out(self, path: Path) -> bool:
        try:
            return any(scene.image is not None and scene.annotation is not None for scene in self._list(path).scenes)
        except (InputError, OSError):
            return False


class _DataSets(Mapping[str, DataSet]):
    """Every name that ``NAME=PATH`` takes: the published sets, then the general formats."""

    def __getitem__(self, name: str) -> DataSet:
        if name in SETS:
            row = SETS[name]
            return DataSet(row, row.splits)
        form = FORMATS[name]
        return DataSet(form, own_videos() if form.of_video else own())

    def __iter__(self) -> Iterator[str]:
        yield from SETS
        yield from FORMATS

    def __len__(self) -> int:
        return len(SETS) + len(FORMATS)

    def __contains__(self, name: object) -> bool:
        return name in SETS or name in FORMATS


DATA_SETS: Mapping[str, DataSet] = _DataSets()


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
    chosen = scenes if known == "all" else DATA_SETS[name].splits.apply(scenes, known)
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
