"""Batches: how a scene is varied and the arrays it becomes, prepared ahead. Order never depends on threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor

from headcount.core.card import InputSpec
from headcount.core.errors import HeadcountError, InputError
from headcount.core.image import RgbImage, VideoFrame
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.photometric import blur, compress, noise, recolour
from headcount.data.augment.spatial import blank_outside, bounded_scale, crop, draw_window, mirror, whole_window
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.normalise import to_tensor
from headcount.train.pools import PixelCache, Pool, SampleOrder
from headcount.train.recipe import DataSettings

# Streams of the counter-based generator, after those of ``pools.py``. What may be switched on has its own, so that it
# shifts no other draw.
_AUGMENT, _BLUR, _NOISE, _JPEG = 3, 4, 5, 6


def augmented(
    scene: Scene,
    settings: DataSettings,
    cache: PixelCache,
    draws: Callable[[int], np.random.Generator],
    spec: InputSpec | None = None,
) -> Scene:
    """One training crop of a scene; ``draws`` gives the sample's generator of each stream.

    A whole image is filled up to what ``spec`` takes, with its mean colour, as when people are counted.
    """
    rng = draws(_AUGMENT)
    scale = bounded_scale(scene, settings.scale, settings.head_px)
    size_wh, spec = cache.size_wh(scene), InputSpec() if spec is None else spec
    if settings.crop_hw is None:
        window = whole_window(
            size_wh, rng, scale=scale, divisor=spec.size_divisor, most_pixels=settings.whole_pixels
        )  # fmt: skip
    else:
        window = draw_window(size_wh, rng, crop_hw=settings.crop_hw, scale=scale, min_context=settings.min_context)
    # The reduction follows from the draw alone, never from what the cache holds: a resumed run sees the same pixels.
    scene = crop(
        scene, window, cache.load(scene, window.reduction), min_visible=settings.min_visible,
        fill=128 if settings.crop_hw is not None else spec.mean_rgb,
    )  # fmt: skip
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
    return blanked(scene) if settings.blank_outside else scene


def blanked(scene: Scene) -> Scene:
    """The scene with black pixels outside its region of interest; one without a region comes back as it is."""
    if scene.region is None:
        return scene
    return replace(scene, image=blank_outside(scene.pixels(), scene.region))


Batch = tuple[Tensor, TargetBatch]


class Batches:
    """The batches of a run by their step, prepared ahead by threads: each has one batch in hand or waiting.

    Of several processes each prepares some ``rows`` of a batch, which are what they are in the whole one.

    Threads, since nearly all of the work (decoding, OpenCV, sums of arrays) runs without Python's lock, and no thread
    can be killed on its own as a process can. What goes wrong in one is raised where the batch is taken.
    """

    def __init__(
        self, pools: list[Pool], method: Method, settings: DataSettings, *, batch: int, steps_per_epoch: int, seed: int,
        rows: slice | None = None,
    ) -> None:  # fmt: skip
        self.order = SampleOrder(pools, batch * steps_per_epoch, seed)
        self.cache = PixelCache(settings.cache_mb)
        self.method, self.settings, self.batch, self.steps, self.seed = method, settings, batch, steps_per_epoch, seed
        self.rows = slice(0, batch) if rows is None else rows
        if settings.crop_hw is None and batch > 1:
            self._refuse_other_sizes([scene for pool in pools for scene in pool.scenes])
        self._scenes = lru_cache(maxsize=2)(self.order.epoch)  # where one epoch ends, workers are in two

    def _refuse_other_sizes(self, scenes: Sequence[Scene]) -> None:
        """Stop where whole images could not stand in one batch.

        Raises:
            InputError: two are of different sizes, or are scaled differently; names both.
        """
        advice = "take batch=1, or crops"
        if self.settings.scale[0] != self.settings.scale[1]:
            raise InputError(
                f"Whole images of one batch must be scaled alike, but data.scale is {list(self.settings.scale)}: "
                f"take [1, 1], {advice}."
            )
        first = scenes[0]
        for scene in scenes:
            sizes = [self.cache.size_wh(one) for one in (first, scene)]
            if sizes[0] != sizes[1]:
                told = " and ".join(
                    f'"{_name(one)}" {width}×{height}'
                    for one, (width, height) in zip((first, scene), sizes, strict=True)
                )
                raise InputError(f"Whole images of one batch must be of one size, but {told}: {advice}.")

    def at(self, step: int) -> Batch:
        """The own rows of a step's batch, steps counted from 0 over the whole run: a function of (seed, step) alone.

        Raises:
            InputError: an image or its annotation is of no use; names the image.
            HeadcountError: anything else that went wrong with a scene; names its image.
        """
        epoch, within = divmod(step, self.steps)
        whole = range(within * self.batch, (within + 1) * self.batch)
        samples = [self._sample(epoch, index) for index in whole[self.rows]]
        images = to_tensor([pixels for pixels, _ in samples], self.method.input_spec)
        return images, TargetBatch.join([targets for _, targets in samples])

    def names(self, step: int) -> list[str]:
        """What the images of a step's whole batch are called, one for each row of it."""
        epoch, within = divmod(step, self.steps)
        return [_name(scene) for scene in self._scenes(epoch)[within * self.batch : (within + 1) * self.batch]]

    def _sample(self, epoch: int, index: int) -> tuple[RgbImage, Targets]:
        scene = self._scenes(epoch)[index]

        def draws(stream: int) -> np.random.Generator:
            return generator(self.seed, stream=stream, epoch=epoch, index=index)

        try:
            varied = augmented(scene, self.settings, self.cache, draws, self.method.input_spec)
            return varied.pixels(), self.method.targets(varied)
        except Exception as error:
            named = _name(scene)
            if isinstance(error, HeadcountError):
                if f'"{named}"' in str(error):
                    raise
                raise InputError(f'"{named}" cannot be learned from: {error.message}') from error
            reason = (str(error).splitlines() or [""])[0]
            raise HeadcountError(
                f'"{named}" could not be made ready for training ({type(error).__name__}: {reason}): '
                "check the data set, or leave it out.",
                remedy="check",
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


def _name(scene: Scene) -> str:
    is_stored = isinstance(scene.image, Path | VideoFrame)
    return str(scene.image) if is_stored else scene.name or "a scene without a name"
