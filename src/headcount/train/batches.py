"""Batches: which scene comes when, how it is varied, and the arrays it becomes. Order never depends on threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from headcount.core.errors import HeadcountError, InputError, nearest
from headcount.core.image import ReducedImage, RgbImage, VideoFrame, read_header, read_reduced
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.photometric import blur, compress, noise, recolour
from headcount.data.augment.spatial import crop, draw_window, mirror
from headcount.data.sets.registry import read_dataset
from headcount.models.method import Method, TargetMaps
from headcount.models.normalise import to_tensor
from headcount.synth import paint_scene
from headcount.train.recipe import DataSettings

# Streams of the counter-based generator. What may be switched on has its own, so that it shifts no other draw.
_SCENE_ORDER, _SOURCE_ORDER, _AUGMENT, _BLUR, _NOISE, _JPEG = 1, 2, 3, 4, 5, 6
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


def augmented(
    scene: Scene, settings: DataSettings, cache: PixelCache, draws: Callable[[int], np.random.Generator]
) -> Scene:
    """One training crop of a scene; ``draws`` gives the sample's generator of each stream."""
    rng = draws(_AUGMENT)
    window = draw_window(
        cache.size_wh(scene), rng, crop_hw=settings.crop_hw, scale=settings.scale, min_context=settings.min_context
    )
    # The reduction follows from the draw alone, never from what the cache holds: a resumed run sees the same pixels.
    scene = crop(scene, window, cache.load(scene, window.reduction), min_visible=settings.min_visible)
    if settings.mirror and rng.random() < 0.5:
        scene = mirror(scene)
    # In a camera's order: the lens, the sensor, its processing, the file.
    if settings.blur and (own := draws(_BLUR)).random() < settings.blur:
        scene = blur(scene, own, sigma_px=settings.blur_sigma_px)
    if settings.noise and (own := draws(_NOISE)).random() < settings.noise:
        scene = noise(scene, own, std=settings.noise_std)
    if settings.colour or settings.gray:
        scene = recolour(scene, rng, strength=settings.colour, gray=settings.gray)
    if settings.jpeg and (own := draws(_JPEG)).random() < settings.jpeg:
        scene = compress(scene, own, quality=settings.jpeg_quality)
    return scene


Batch = tuple[Tensor, dict[str, Tensor]]


class Batches:
    """The batches of a run by their step, prepared ahead by threads: each has one batch in hand or waiting.

    Threads, since nearly all of the work (decoding, OpenCV, sums of arrays) runs without Python's lock, and no thread
    can be killed on its own as a process can. What goes wrong in one is raised where the batch is taken.
    """

    def __init__(
        self, pools: list[Pool], method: Method, settings: DataSettings, *, batch: int, steps_per_epoch: int, seed: int
    ) -> None:
        self.order = SampleOrder(pools, batch * steps_per_epoch, seed)
        self.cache = PixelCache(settings.cache_mb)
        self.method, self.settings, self.batch, self.steps, self.seed = method, settings, batch, steps_per_epoch, seed
        self._scenes = lru_cache(maxsize=2)(self.order.epoch)  # where one epoch ends, workers are in two

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over the whole run: a function of (seed, step) alone.

        Raises:
            InputError: an image or its annotation is of no use; names the image.
            HeadcountError: anything else that went wrong with a scene; names its image.
        """
        epoch, within = divmod(step, self.steps)
        samples = [self._sample(epoch, index) for index in range(within * self.batch, (within + 1) * self.batch)]
        targets = {name: torch.from_numpy(np.stack([maps[name] for _, maps in samples])) for name in samples[0][1]}
        return to_tensor([pixels for pixels, _ in samples], self.method.input_spec), targets

    def _sample(self, epoch: int, index: int) -> tuple[RgbImage, TargetMaps]:
        scene = self._scenes(epoch)[index]

        def draws(stream: int) -> np.random.Generator:
            return generator(self.seed, stream=stream, epoch=epoch, index=index)

        try:
            varied = augmented(scene, self.settings, self.cache, draws)
            return varied.pixels(), self.method.targets(varied)
        except Exception as error:
            is_stored = isinstance(scene.image, Path | VideoFrame)
            named = str(scene.image) if is_stored else scene.name or "a scene without a name"
            if isinstance(error, HeadcountError):
                if f'"{named}"' in str(error):
                    raise
                raise InputError(f'"{named}" cannot be learned from: {error}') from error
            reason = (str(error).splitlines() or [""])[0]
            raise HeadcountError(
                f'"{named}" could not be made ready for training ({type(error).__name__}: {reason}): '
                "check it with headcount datasets check, or leave it out."
            ) from error

    def run(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """(step, batch) for the steps from ``first`` up to, not including, ``last``.

        Raises:
            HeadcountError: as ``at`` does.
        """
        ahead = ThreadPoolExecutor(max_workers=self.settings.workers, thread_name_prefix="batches")
        try:
            steps = iter(range(first, last))
            coming = deque(ahead.submit(self.at, step) for step in islice(steps, self.settings.workers))
            for step in range(first, last):
                batch = coming.popleft().result()
                coming.extend(ahead.submit(self.at, later) for later in islice(steps, 1))
                yield step, batch
        finally:
            ahead.shutdown(cancel_futures=True)
