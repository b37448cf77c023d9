"""What a run learns from: the scenes of each source, which comes when, and their pixels in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.image import ReducedImage, VideoFrame, read_header, read_reduced
from headcount.core.notes import raise_first
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.sets.negatives import NEGATIVES, is_chosen, read_negatives
from headcount.data.sets.registry import read_set
from headcount.synth import paint_scene
from headcount.train.recipe import DataSettings

# Streams of the counter-based generator; those of ``batches.py`` follow.
_SCENE_ORDER, _SOURCE_ORDER = 1, 2
PAINTED = "painted"


@dataclass(frozen=True)
class Pool:
    """The scenes of one source and its share of the samples."""

    name: str
    scenes: list[Scene]
    share: float


def read_source(
    name: str, path: str, split: str, say: Callable[[str], None], *, boxes: str | None = None
) -> list[Scene]:
    """The scenes of a split of a source; ``say`` is told in a line what of its annotations was left out or moved.

    ``boxes`` is a file of head boxes for scenes that have points alone.

    Raises:
        InputError: what a reader finds wrong, be it with one image, or the file of boxes lacks one.
    """
    read = read_set(f"{name}={path}", split)
    if read.skipped:
        raise_first(read.skipped)
    if read.told:
        say(f"{name}, {split}: {'; '.join(told.text for told in read.told)}.")
    return list(read.scenes) if boxes is None else with_boxes(read.scenes, boxes)


def with_boxes(scenes: Sequence[Scene], file: str) -> list[Scene]:
    """Scenes whose heads get the boxes that a boxes file has of the same images; one that has boxes keeps them.

    Raises:
        InputError: the file cannot be read, or has not one box for each head of an image; the image is named.
    """
    read = read_set(f"boxes={file}", "all")
    if read.skipped:
        raise_first(read.skipped)
    known = {_place(scene): scene for scene in read.scenes}
    boxed = []
    for scene in scenes:
        if scene.boxes_xyxy is not None:
            boxed.append(scene)
            continue
        found = known.get(_place(scene))
        if found is None or found.boxes_xyxy is None or len(found.boxes_xyxy) != scene.count:
            there = "none" if found is None or found.boxes_xyxy is None else f"{len(found.boxes_xyxy):,}"
            raise InputError(
                f'"{scene.name}" has {plural(scene.count, "head")}, but "{file}" has {there} of their boxes: make the '
                "file anew from the same data."
            )
        boxed.append(replace(scene, boxes_xyxy=found.boxes_xyxy, box_provenance=found.box_provenance))
    return boxed


def _place(scene: Scene) -> str:
    image = scene.image.path if isinstance(scene.image, VideoFrame) else scene.image
    return str(image.resolve()) if isinstance(image, Path) else ""


def read_pools(settings: DataSettings, say: Callable[[str], None] = lambda text: None) -> list[Pool]:
    """The training scenes of every source; the test split is never read here. ``say``: see ``read_source``.

    Raises:
        InputError: no data at all, a share of a source that is not there, or what a reader finds wrong.
    """
    unknown = settings.shares.keys() - settings.sources.keys() - {PAINTED, NEGATIVES}
    if unknown:
        name = min(unknown)
        raise InputError(f'data.shares names "{name}", which data.sources has not.{nearest(name, settings.sources)}')
    unknown = settings.boxes.keys() - settings.sources.keys()
    if unknown:
        name = min(unknown)
        raise InputError(f'data.boxes names "{name}", which data.sources has not.{nearest(name, settings.sources)}')
    scenes = {
        name: [one for one in of_source if not _is_held_out(one, settings)]
        for name, of_source in _read_sources(settings, "train", say).items()
    }
    if settings.negatives is not None:
        scenes[NEGATIVES] = read_negatives(Path(settings.negatives), "train")
    if settings.painted_scenes:
        seeds = range(settings.painted_seed, settings.painted_seed + settings.painted_scenes)
        scenes[PAINTED] = [paint_scene(seed) for seed in seeds]
    pools = [Pool(name, of_source, settings.shares.get(name, 1.0)) for name, of_source in scenes.items()]
    pools = [pool for pool in pools if pool.share > 0]
    if not pools or not all(pool.scenes for pool in pools):
        raise InputError("There is nothing to train on: name data sets under data.sources, or ask for painted_scenes.")
    return pools


def read_validation(settings: DataSettings, say: Callable[[str], None] = lambda text: None) -> dict[str, list[Scene]]:
    """The validation scenes of every source, at most ``settings.validation_images`` of each; some may have none.

    With ``settings.held_out`` they are those that were held out of training. ``say``: see ``read_source``.

    Raises:
        InputError: what a reader finds wrong.
    """
    if settings.held_out is None:
        scenes = _read_sources(settings, "val", say)
    else:  # what of them was left out is said where they are read for training
        read = _read_sources(settings, "train", lambda text: None)
        scenes = {name: [one for one in of_source if _is_held_out(one, settings)] for name, of_source in read.items()}
    if settings.negatives is not None:
        scenes[NEGATIVES] = read_negatives(Path(settings.negatives), "val")
    return {name: evenly(of_source, settings.validation_images) for name, of_source in scenes.items()}


def _read_sources(settings: DataSettings, split: str, say: Callable[[str], None]) -> dict[str, list[Scene]]:
    return {
        name: read_source(name, path, split, say, boxes=settings.boxes.get(name))
        for name, path in settings.sources.items()
    }


def _is_held_out(scene: Scene, settings: DataSettings) -> bool:
    return settings.held_out is not None and is_chosen(scene.name, settings.held_out)


def evenly(scenes: Sequence[Scene], most: int | None) -> list[Scene]:
    """``most`` of the scenes at even distances, or all."""
    if most is None or len(scenes) <= most:
        return list(scenes)
    return [scenes[(2 * place + 1) * len(scenes) // (2 * most)] for place in range(most)]


class SampleOrder:
    """Which scene is the i-th sample of an epoch: sources by their shares, each passed through without repeats."""

    def __init__(self, pools: list[Pool], samples_per_epoch: int, seed: int) -> None:
        self.pools, self.seed = pools, seed
        total = sum(pool.share for pool in pools)
        bounds = np.rint(np.cumsum([pool.share / total for pool in pools]) * samples_per_epoch).astype(int)
        self.samples = np.diff(bounds, prepend=0)  # of each source, in an epoch

    def epoch(self, epoch: int) -> list[Scene]:
        """The scenes of an epoch, in order."""
        scenes: list[Scene] = []
        permutation = lru_cache(maxsize=1)(self._permutation)  # a turn's places come one after the other
        for number, (pool, samples) in enumerate(zip(self.pools, self.samples, strict=True)):
            for position in range(epoch * samples, (epoch + 1) * samples):
                turn, place = divmod(position, len(pool.scenes))
                scenes.append(pool.scenes[permutation(number, turn, len(pool.scenes))[place]])
        order = generator(self.seed, stream=_SOURCE_ORDER, epoch=epoch).permutation(len(scenes))
        return [scenes[index] for index in order]

    def _permutation(self, pool: int, turn: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        # A turn through a source is keyed as an epoch, the source as an index.
        return generator(self.seed, stream=_SCENE_ORDER, epoch=turn, index=pool).permutation(length)


class PixelCache:
    """Decoded images, never more than ``limit_mb`` megabytes of them.

    What fits is kept for good and nothing is let go: an epoch passes through all images once, so that letting go of
    the oldest to keep the newest would let go of each just before it comes again. A cache of half the images serves
    every second one this way, and hardly any the other.
    """

    def __init__(self, limit_mb: int) -> None:
        self.limit_bytes, self._held = limit_mb * 1_000_000, 0
        self._views: dict[tuple[str, int], ReducedImage] = {}
        self._headers: dict[str, tuple[tuple[int, int], bool]] = {}  # size, and whether it can be decoded smaller
        self._lock = Lock()

    @property
    def held_bytes(self) -> int:
        """The pixels held now."""
        return self._held

    def size_wh(self, scene: Scene) -> tuple[int, int]:
        """(width, height) of a scene; a file's header is read once."""
        return self._header(scene.image)[0] if isinstance(scene.image, Path) else scene.size_wh

    def load(self, scene: Scene, reduction: int = 1) -> ReducedImage:
        """A scene's pixels, decoded at one ``reduction``-th of the size where the file allows."""
        if not isinstance(scene.image, Path | VideoFrame):
            return ReducedImage(scene.image)
        smaller = isinstance(scene.image, Path) and self._header(scene.image)[1]
        key = (str(scene.image), reduction if smaller else 1)
        with self._lock:
            if key in self._views:
                return self._views[key]
        view = read_reduced(scene.image, key[1]) if isinstance(scene.image, Path) else ReducedImage(scene.pixels())
        with self._lock:
            if key not in self._views and self._held + view.pixels.nbytes <= self.limit_bytes:
                self._views[key] = view
                self._held += view.pixels.nbytes
        return view

    def _header(self, path: Path) -> tuple[tuple[int, int], bool]:
        key = str(path)
        if key not in self._headers:
            header = read_header(path)
            self._headers[key] = (header.size_wh, header.format == "JPEG")
        return self._headers[key]
