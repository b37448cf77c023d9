"""Batches: which scene comes when, how it is varied, and the arrays it becomes. Order never depends on threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from headcount.core.card import InputSpec
from headcount.core.errors import InputError, nearest
from headcount.core.image import RgbImage
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment import mirror, random_crop, recolour
from headcount.data.registry import read_dataset
from headcount.models.method import Method
from headcount.synth import paint_scene
from headcount.train.settings import DataSettings

_SCENE_ORDER, _SOURCE_ORDER, _AUGMENT = 1, 2, 3  # streams of the counter-based generator
PAINTED = "painted"


@dataclass(frozen=True)
class Pool:
    """The scenes of one source and its share of the samples."""

    name: str
    scenes: list[Scene]
    share: float


def read_pools(settings: DataSettings) -> list[Pool]:
    """The training scenes of every source; the test split is never read here.

    Raises:
        InputError: no data at all, a share of a source that is not there, or what a reader finds wrong.
    """
    unknown = settings.shares.keys() - settings.sources.keys() - {PAINTED}
    if unknown:
        name = min(unknown)
        raise InputError(f'data.shares names "{name}", which data.sources has not.{nearest(name, settings.sources)}')
    pools = [
        Pool(name, read_dataset(f"{name}={path}", "train"), settings.shares.get(name, 1.0))
        for name, path in settings.sources.items()
    ]
    if settings.painted_scenes:
        seeds = range(settings.painted_seed, settings.painted_seed + settings.painted_scenes)
        pools.append(Pool(PAINTED, [paint_scene(seed) for seed in seeds], settings.shares.get(PAINTED, 1.0)))
    pools = [pool for pool in pools if pool.share > 0]
    if not pools or not all(pool.scenes for pool in pools):
        raise InputError("There is nothing to train on: name data sets under data.sources, or ask for painted_scenes.")
    return pools


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
        for number, (pool, samples) in enumerate(zip(self.pools, self.samples, strict=True)):
            for position in range(epoch * samples, (epoch + 1) * samples):
                turn, place = divmod(position, len(pool.scenes))
                scenes.append(pool.scenes[self._permutation(number, turn, len(pool.scenes))[place]])
        order = generator(self.seed, stream=_SOURCE_ORDER, epoch=epoch).permutation(len(scenes))
        return [scenes[index] for index in order]

    def _permutation(self, pool: int, turn: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        # A turn through a source is keyed as an epoch, the source as an index.
        return generator(self.seed, stream=_SCENE_ORDER, epoch=turn, index=pool).permutation(length)


class PixelCache:
    """Decoded images, the least recently used let go once they hold more than ``limit_mb``."""

    def __init__(self, limit_mb: int) -> None:
        self._limit, self._held = limit_mb * 1_000_000, 0
        self._pixels: OrderedDict[str, RgbImage] = OrderedDict()
        self._lock = Lock()

    def load(self, scene: Scene) -> Scene:
        """The scene with its pixels in memory."""
        key = str(scene.image) if not isinstance(scene.image, np.ndarray) else ""
        if not key:
            return scene
        with self._lock:
            if key in self._pixels:
                self._pixels.move_to_end(key)
                return replace(scene, image=self._pixels[key])
        pixels = scene.pixels()
        with self._lock:
            if key not in self._pixels:
                self._pixels[key] = pixels
                self._held += pixels.nbytes
            while self._held > self._limit and len(self._pixels) > 1:
                self._held -= self._pixels.popitem(last=False)[1].nbytes
        return replace(scene, image=pixels)


def augmented(scene: Scene, settings: DataSettings, rng: np.random.Generator) -> Scene:
    """One training crop of a scene."""
    scene = random_crop(scene, rng, size=settings.crop, scale=settings.scale)
    if settings.mirror and rng.random() < 0.5:
        scene = mirror(scene)
    if settings.colour or settings.gray:
        scene = recolour(scene, rng, strength=settings.colour, gray=settings.gray)
    return scene


def to_tensor(images: list[RgbImage], spec: InputSpec) -> Tensor:
    """(h, w, 3) uint8 images of one size → (b, c, h, w) float32, normalised as the model card says."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return normalise(batch, spec)


def normalise(pixels: Tensor, spec: InputSpec) -> Tensor:
    """(b, 3, h, w) uint8 → (b, c, h, w) float32: scaled to 0…1, less the mean, over the standard deviation."""
    values = pixels.float()
    if spec.channels == 1:
        weights = values.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        values = (values * weights).sum(dim=1, keepdim=True)
    mean = values.new_tensor(spec.mean).view(1, -1, 1, 1) * 255
    std = values.new_tensor(spec.std).view(1, -1, 1, 1) * 255
    return (values - mean) / std


Batch = tuple[Tensor, dict[str, Tensor]]


class Batches:
    """The batches of a run by their step; one is prepared ahead, in a thread (OpenCV works without Python's lock)."""

    def __init__(
        self, pools: list[Pool], method: Method, settings: DataSettings, *, batch: int, steps_per_epoch: int, seed: int
    ) -> None:
        self.order = SampleOrder(pools, batch * steps_per_epoch, seed)
        self.cache = PixelCache(settings.cache_mb)
        self.method, self.settings, self.batch, self.steps, self.seed = method, settings, batch, steps_per_epoch, seed
        self._epoch: tuple[int, list[Scene]] = (-1, [])

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over the whole run: a function of (seed, step) alone."""
        epoch, within = divmod(step, self.steps)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self.order.epoch(epoch))
        crops = []
        for index in range(within * self.batch, (within + 1) * self.batch):
            rng = generator(self.seed, stream=_AUGMENT, epoch=epoch, index=index)
            crops.append(augmented(self.cache.load(self._epoch[1][index]), self.settings, rng))
        maps = [self.method.targets(crop) for crop in crops]
        targets = {name: torch.from_numpy(np.stack([m[name] for m in maps])) for name in maps[0]}
        return to_tensor([crop.pixels() for crop in crops], self.method.input_spec), targets

    def run(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """(step, batch) for the steps from ``first`` up to, not including, ``last``."""
        with ThreadPoolExecutor(max_workers=1) as ahead:
            coming = ahead.submit(self.at, first) if first < last else None
            for step in range(first, last):
                assert coming is not None
                batch = coming.result()
                coming = ahead.submit(self.at, step + 1) if step + 1 < last else None
                yield step, batch
