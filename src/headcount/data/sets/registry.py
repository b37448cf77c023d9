"""Data sets by name: `NAME=PATH` on the command line and in recipes becomes a list of Scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headcount.core.addresses import no_file
from headcount.core.errors import FaultyFileError, InputError, nearest
from headcount.core.files import file_size, is_file, is_folder
from headcount.core.notes import Skipped
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish, finish_telling
from headcount.data.formats.folders import entries, folders_in, refuse_closed
from headcount.data.formats.raw import Listing, RawScene, Remark, UnreadableAnnotationError
from headcount.data.formats.table import FORMATS, FormatRow
from headcount.data.formats.truth import Tally, Told
from headcount.data.sets.catalogue import SETS, SetRow
from headcount.data.sets.splits import SPLITS, Split, SplitRule, own, own_videos

_NEAR_FOLDERS = 50
_SMALL_BYTES = 2**24  # a larger file is not read again for a hint
_LEVELS_ABOVE = 2


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
        refuse_closed(path)
        try:
            return self._list(path)
        except InputError as error:
            # The one annotation file of a set, which is damaged, is of that set all the same.
            is_sure = isinstance(error, UnreadableAnnotationError) and not self.general
            is_sure |= any(isinstance(one, FaultyFileError) for one in (error, error.__cause__))
            if is_sure or not (hint := self._nearest_layout(path)):
                raise
            raise type(error)(f"{error}{hint}", remedy=error.remedy) from error

    def _list(self, path: Path) -> Listing:
        listing: Listing = self.row.load()(path)
        return listing

    def _nearest_layout(self, path: Path) -> str:
        """Where this set is laid out near a folder that is none, else which other set or format is laid out there."""
        if is_file(path):
            if file_size(path) > _SMALL_BYTES:
                return ""
        elif not is_folder(path):
            return ""
        elif not self.general:
            below = folders_in(path)[:_NEAR_FOLDERS]
            above = list(path.absolute().parents)[:_LEVELS_ABOVE]
            for other in (*below, *above):
                if self._is_laid_out(other):
                    return f' Its layout is that of "{other}": write {self.name}={other}.'
        # A published set may be laid out as a format is: whoever gave one of a kind meant that kind.
        for data_set in sorted(DATA_SETS.rows(), key=lambda other: other.general != self.general):
            if data_set.name != self.name and data_set._could_be(path) and data_set._is_laid_out(path):
                return f" It is laid out like {data_set.name}: write {data_set.name}={path}."
        return ""

    def _could_be(self, path: Path) -> bool:
        """Whether a path of this kind and name may be one of this layout."""
        if isinstance(self.row, SetRow):
            return is_folder(path)
        return self.row.is_found_by_folders if is_folder(path) else self.row.is_file_name(path)

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

    def rows(self) -> list[DataSet]:
        """All of them; one of another package that cannot be loaded is warned of, and left out."""
        return [self[row.name] for table in (SETS, FORMATS) for row in table.rows()]

    def __contains__(self, name: object) -> bool:
        return name in SETS or name in FORMATS


DATA_SETS = _DataSets()


def parse_spec(spec: str) -> tuple[str, Path]:
    """`NAME=PATH` in two.

    Raises:
        InputError: no ``=``, a name that no reader has, or an address in the place of a path.
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
    reason = no_file(path)
    if reason is not None and not Path(path).exists():
        raise InputError(reason)
    return name, Path(path).expanduser()


def spec_of(path: Path) -> str:
    """``NAME=PATH`` of one's own labelled images: a folder of a format that is known by what is in it, or a folder with
    one file of points or boxes.

    Raises:
        InputError: there is no such folder, it is laid out as none of the formats, or as several.
    """
    if not is_folder(path):
        raise InputError(f'There is no folder "{path}": name the one that the labelled images are in.')
    refuse_closed(path)
    formats = [one for one in DATA_SETS.rows() if one.general]
    places = [path, *(entry for entry in entries(path) if is_file(entry))]
    # Of each place the first format that reads it: a file of boxes is one of points, too.
    read = {
        place: [one.name for one in formats if one._could_be(place) and one._is_laid_out(place)][:1] for place in places
    }
    whole, *files = ([f"{name}={place}" for name in names] for place, names in read.items())
    found = whole or [spec for specs in files for spec in specs]
    if len(found) != 1:
        what = f"several kinds of labels ({', '.join(found)})" if found else "no labels that headcount reads"
        raise InputError(
            f'In "{path}" there are {what}: name them with NAME=PATH, as in points=points.csv.', remedy="data"
        )
    return found[0]


def check_split(name: str) -> Split:
    """A split by its name.

    Raises:
        InputError: there is none of that name.
    """
    known = next((known for known in SPLITS if known == name), None)
    if known is None:
        raise InputError(f'"{name}" is no split.{nearest(name, SPLITS)}', remedy="split")
    return known


def list_dataset(spec: str, split: str) -> list[RawScene]:
    """The raw scenes of a split of `NAME=PATH`, annotations unopened.

    Annotations whose images are missing are left out: copies are often partial, and the check names them.

    Raises:
        InputError: an unknown name or split, another layout, no images at all, or none of this split though others
            are there (``val`` may be empty).
    """
    return list_all(spec, split)[0]


def list_all(spec: str, split: str) -> tuple[list[RawScene], int, Sequence[Remark]]:
    """As ``list_dataset``; and how many annotations have no image here, and what was met beside them.

    Raises:
        InputError: as ``list_dataset``.
    """
    name, path = parse_spec(spec)
    known = check_split(split)
    data_set = DATA_SETS[name]
    listing = data_set.list_raw(path)
    scenes = [scene for scene in listing.scenes if scene.image is not None]
    if not scenes and not data_set.general:
        raise InputError(f'In "{path}" there are no images: check what is there.', remedy="check")
    chosen = data_set.splits.apply(scenes, known)
    # Few images of one's own are all for training; a published set may come without val.
    may_be_empty = known == "val" or (data_set.general and known != "test")
    if scenes and not chosen and not may_be_empty:
        found = ", ".join(sorted({scene.split for scene in scenes if scene.split})) or "other images"
        advice = 'ask for one of those, or for "all"' + ("" if data_set.general else ", or complete the copy")
        raise InputError(f'"{path}" has no images of the split "{split}", only {found}: {advice}.', remedy="split")
    # An image that is not there has the official split alone: which of it would be validation is not known.
    parts = {"all": None, "trainval": ("train", "val")}.get(known, (known,))
    missing = sum(one.image is None and (parts is None or one.split in ("", *parts)) for one in listing.scenes)
    return chosen, missing, listing.remarks


@dataclass(frozen=True, slots=True)
class Reading:
    """What a data set's files gave.

    Attributes:
        scenes: the images that can be used, in order.
        skipped: those that cannot, and why.
        missing: how many annotations have no image here: copies are often partial.
        told: what of the others was left out or moved, or is in doubt; and of the files beside them.
    """

    scenes: tuple[Scene, ...]
    skipped: tuple[Skipped, ...] = ()
    missing: int = 0
    told: tuple[Told, ...] = ()


def read_set(spec: str, split: str) -> Reading:
    """The scenes of a split of `NAME=PATH`; what one image or annotation raises leaves that one out, by name.

    Raises:
        InputError: as ``list_dataset``.
    """
    name = parse_spec(spec)[0]
    data = "" if DATA_SETS[name].general else name
    chosen, missing, remarks = list_all(spec, split)
    tally = Tally()
    scenes, skipped = [], []
    for raw in chosen:
        try:
            finished = finish_telling(raw, data=data)
        except Exception as error:
            skipped.append(Skipped(raw.name, error))
            continue
        scenes.append(finished.scene)
        tally.add(finished.numbers, finished.kinds)
    tally.add_images("missing-image", missing)
    tally.add_images("stray-file", strays(remarks))
    return Reading(tuple(scenes), tuple(skipped), missing, tally.told())


def strays(remarks: Sequence[Remark]) -> int:
    """How many files there are of which nothing is read."""
    return sum(remark.code == "stray-file" for remark in remarks)


def read_dataset(spec: str, split: str) -> list[Scene]:
    """The scenes of a split of `NAME=PATH`.

    Raises:
        InputError: as ``list_dataset``, or an image or annotation that cannot be used.
    """
    data_set = DATA_SETS[parse_spec(spec)[0]]
    data = "" if data_set.general else data_set.name
    return [finish(raw, data=data) for raw in list_dataset(spec, split)]
