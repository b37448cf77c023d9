"""Counter: a loaded model that turns images into Predictions. `load` finds the model and opens it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.ahead import in_order
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.image import Channels, RgbImage, VideoFrame, refuse_limit
from headcount.core.image_given import GivenImage, given_pixels, is_one_image
from headcount.core.interval import check_level
from headcount.core.kinds import PictureKind
from headcount.core.limits import DEFAULT_LEVEL, DEFAULT_MAX_PIXELS
from headcount.core.prediction import Prediction
from headcount.core.region import Region, inside
from headcount.core.scene import Scene
from headcount.core.threads import refuse_fork
from headcount.data.augment.spatial import blank_outside
from headcount.data.formats.regions import GivenRegion, region_given
from headcount.decode.table import DECODERS, decoder_of, score_threshold_of
from headcount.infer.evidence import evidence_of, range_of, shown_by
from headcount.infer.models import ModelFiles, check_weights, model_or_default
from headcount.infer.runtimes.table import Runtime, choose_form, choose_runtime, open_runtime, words_of
from headcount.infer.scale import View, best_view
from headcount.infer.second_look import differing, shrunk_wh
from headcount.infer.tiling import Maps, is_tiled, network_maps

Source = GivenImage | Scene
"""What can be counted: an image (``GivenImage``), or a Scene."""

DecodeAgain = Callable[[float], Prediction | None]
"""What is found of an image down to a lower score; see ``Counter.count_keeping_maps``."""

_TOO_SMALL_PX = 32
_CELL_PX = 8


def load(
    model: str | Path | None = None,
    *,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    interval: float = DEFAULT_LEVEL,
) -> Counter:
    """Load a model for counting.

    Args:
        model: a shipped name, or the path of an ``.onnx`` or ``.safetensors`` file with its card beside it. None: the
            one that the environment variable ``HEADCOUNT_MODEL`` names, else ``headcount-s``. On what terms its weights
            may be used is in the Counter's ``card.terms``.
        device: ``auto``, ``cpu`` or ``cuda`` (through torch).
        runtime: ``auto`` (OpenVINO for ONNX files), ``openvino``, ``onnxruntime`` or ``torch``.
        precision: ``auto``, ``f32``, ``bf16`` or ``int8``. ``auto`` is what the model's card asks for, else int8 where
            the model has it, else the runtime's own choice.
        threads: how many may compute; of OpenCV and torch it is the whole process's number. None: as many as
            ``OMP_NUM_THREADS`` says, else as the container or the pinned process may use, else the runtime's choice.
        max_pixels: image files with more pixels are refused before they are decoded.
        interval: with what chance the true number shall lie in the range of each count, from 0.5 to 0.99; a model whose
            card knows nothing of its error gives no range.

    Raises:
        ModelError: the model is unknown, damaged, a pickle, or not the one its card was written for.
        InputError: a setting is unknown, or settings do not go together.
        MissingExtraError: the runtime is not in this install.
    """
    refuse_limit(max_pixels)
    check_level(interval)
    found = model_or_default(model)
    opened = open_model(found, device=device, runtime=runtime, precision=precision, threads=threads)
    return Counter(found.card, opened, max_pixels=max_pixels, interval=interval)


def open_model(found: ModelFiles, *, device: str, runtime: str, precision: str, threads: int | None = None) -> Runtime:
    """A found model in the runtime that fits, its weights checked against the card first; errors as of ``load``."""
    name = choose_runtime(runtime, device, found.weights, first=found.named)
    suffix, precision = choose_form(name, precision, found.weights, found.card, first=found.named)
    weights = found.weights[suffix]
    check_weights(weights, found.card)
    return open_runtime(name, weights, found.card, device=device, precision=precision, threads=threads)


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """An image in hand."""

    pixels: RgbImage
    source: str
    read_ms: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """An image that the network has seen: all that its count, and one of any region of it, is told from.

    ``shown`` is the evidence of its pixels, ``shrunk`` what was found of it when it was shrunk; None where no such
    second look was due.
    """

    image: _Read
    view: View
    shown: tuple[float, float] | None
    shrunk: Prediction | None
    network_ms: float
    decode_ms: float
    check_ms: float


class Counter:
    """Counts people in images with one loaded model.

    Safe to be used by several threads at once: each call is on its own, the network computes for one at a time (it
    uses all its threads for it). Another process needs a model of its own: a Counter goes neither through ``fork``
    nor through ``pickle``, and says so.

    Attributes:
        card: what is known about the model.
        runtime: what computes it, with its ``name``, ``device`` and ``precision``.
        max_pixels: limit for image files.
        interval: with what chance the true number lies in the range of a count.
    """

    def __init__(
        self, card: ModelCard, runtime: Runtime, *, max_pixels: int = DEFAULT_MAX_PIXELS,
        interval: float = DEFAULT_LEVEL,
    ) -> None:  # fmt: skip
        self.card = card
        self.runtime = runtime
        self.max_pixels = max_pixels
        self.interval = check_level(interval)
        self._decode = decoder_of(card)
        self._strides = {output.name: output.stride for output in card.outputs}
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<Counter {self.card.name}, {self.card.task}, on {words_of(self.runtime)}>"

    def __reduce__(self) -> str:
        raise InputError(
            "A Counter cannot be copied or sent to another process: load the model there, once, with headcount.load()."
        )

    def refuse_picture(self, kind: PictureKind) -> None:
        """Stop before anything is counted where no picture of a kind could be drawn.

        Raises:
            InputError: the model's predictions never hold what it shows.
        """
        assert self.card.decoder is not None  # or there were no Counter
        gives = DECODERS.find(self.card.decoder.name).gives
        if gives and kind not in ("auto", *gives):
            raise InputError(
                f'The model "{self.card.name}" gives no {kind} to draw: choose {" or ".join(gives)}.',
                remedy="draw",
            )

    @overload
    def count(self, source: Source, *, channels: Channels = "rgb", region: GivenRegion | None = None) -> Prediction: ...

    @overload
    def count(
        self, source: list[Any] | tuple[Any, ...], *, channels: Channels = "rgb", region: GivenRegion | None = None
    ) -> list[Prediction]: ...

    def count(
        self,
        source: Source | list[Any] | tuple[Any, ...],
        *,
        channels: Channels = "rgb",
        region: GivenRegion | None = None,
    ) -> Prediction | list[Prediction]:
        """Count one image, or each of a list. A Scene's annotations are left aside, and so is its own region: to count
        there give it as ``region=scene.region``. A model that learned from images that are black outside their regions
        (its card's ``blank_outside``) is shown a Scene so, all the same.

        An image is the path of its file, the bytes of one or a file open for them, a PIL image, or pixels: uint8 of
        (h, w, 3) RGB, (h, w, 4) RGBA or (h, w) gray. ``channels`` is the order of the colours in arrays: ``bgr`` for
        those that OpenCV read.

        With a ``region`` of interest only people inside it are counted, and the rest is as if nobody were there: a file
        (``read_region``), a bool mask (h, w), the corners (k, 2) of a polygon in pixels of the upright image or as
        shares of its sides, from 0 to 1, or several polygons. The model looks at the whole image all the same, so that
        what is inside does not depend on where the region ends, unless its card says ``blank_outside``. Corners in
        pixels are for images of one size.

        ``Prediction.source`` is the path as it was given, or the Scene's own source. ``timing_ms`` holds ``read``,
        ``network``, ``decode`` and ``total``. A model that tells how large heads are counts an image at the size that
        they need (its card's ``scale``). By another one a large photograph is looked at once more, shrunk (``check`` in
        ``timing_ms``): where the two counts differ by much, ``warnings`` says both.

        Raises:
            InputError: the image cannot be read, is no ``Source``, or has more than ``max_pixels`` pixels; the region
                is none, or does not fit the image; or the Counter was loaded in another process.
            ModelError: the model's maps are not what its card says, or hold NaN.
        """
        if isinstance(source, (list, tuple)):
            return list(self.count_many(source, channels=channels, region=region))
        where = None if region is None else region_given(region)
        return self._counted(self._read(source, channels), where)

    def count_regions(
        self, source: Source, regions: Iterable[GivenRegion], *, channels: Channels = "rgb"
    ) -> tuple[Prediction, list[Prediction]]:
        """Count one image as a whole and in each of several regions, by one run of the network.

        Each prediction is the one that ``count`` gives, with its own interval, apart from ``timing_ms``, in which
        ``read`` and ``network`` are of all together. Where the model's card says ``blank_outside`` the network runs
        once more for each region.

        Raises:
            InputError, ModelError: as ``count`` does, before the network runs where a region does not fit.
        """
        where = [region_given(region) for region in regions]
        image = self._read(source, channels)
        if self.card.blank_outside:
            return self._counted(image, None), [self._counted(image, region) for region in where]
        size_wh = (image.pixels.shape[1], image.pixels.shape[0])
        for region in where:
            region.in_image(size_wh, image.source)
        seen = self._seen(image)
        return self._told(seen, None), [self._told(seen, region) for region in where]

    def count_keeping_maps(self, scene: Scene) -> tuple[Prediction, DecodeAgain]:
        """Count a Scene as ``count`` does, and decode its maps once more when asked to, down to a lower score.

        What it finds at a score threshold of its own (which is lowered to the one given, never raised) has no warnings
        and no times. It is None where the decoder knows no such threshold.

        Raises:
            InputError, ModelError: as ``count`` does.
        """
        prediction, view = self._counted_with_view(self._read(scene, "rgb"), None)
        size_wh, own = prediction.size_wh, score_threshold_of(self.card)

        def again(score: float) -> Prediction | None:
            if own is None:
                return None
            decode = decoder_of(self.card.calibrated({"score_threshold": min(score, own)}))
            return in_pixels_of(size_wh, decode(view.maps, self._strides, view.decoded_wh))

        return prediction, again

    def count_with_evidence(self, source: Source) -> tuple[Prediction, dict[str, float]]:
        """Count an image as ``count`` does, and say what it shows beside its count; see ``headcount.infer.evidence``.

        Raises:
            InputError, ModelError: as ``count`` does.
        """
        image = self._read(source, "rgb")
        prediction, view = self._counted_with_view(image, None)
        seen_at = view.pixels.shape[1] / prediction.size_wh[0]
        return prediction, evidence_of(prediction, view.pixels, prediction.counts, seen_at=seen_at)

    def has_map(self, name: str) -> bool:
        """Whether the network makes a map of this name."""
        return any(output.name == name and output.kind == "map" for output in self.card.outputs)

    def map_of(self, scene: Scene, name: str) -> tuple[NDArray[np.float32], float]:
        """What the network sees in a Scene: (h', w') values of its map of a name, and a cell's side in pixels.

        Of a map of several channels it is the first one.

        Raises:
            InputError: the image cannot be read.
            ModelError: there is no map of this name, or it is not what the card says.
        """
        stride, pixels = self.card.stride(name), self._read(scene, "rgb").pixels
        view = self._view(pixels)
        return view.maps[name][0], stride * pixels.shape[1] / view.decoded_wh[0]

    def view(self, scene: Scene) -> tuple[View, dict[str, int]]:
        """A Scene's image at the size at which it is counted, with the network's maps of it, and their strides.

        Raises:
            InputError: the image cannot be read.
        """
        return self._view(self._read(scene, "rgb").pixels), dict(self._strides)

    def count_many(
        self, sources: Iterable[Source], *, channels: Channels = "rgb", region: GivenRegion | None = None
    ) -> Iterator[Prediction]:
        """Count images one after the other, each when it is asked for.

        While one is counted the next ones are read: two at a time, by other threads; nothing else is kept. It ends at
        the first image that cannot be counted: where some may be damaged, call ``count`` for each.

        Raises:
            InputError, ModelError: as ``count`` does, at the image concerned; or ``sources`` is one image.
        """
        if isinstance(sources, Scene) or is_one_image(sources):
            raise InputError("One image was given where several were expected: put it into a list.")
        where = None if region is None else region_given(region)
        read = partial(self._read, channels=channels)
        for _, image in in_order(sources, read):
            found = self._counted(image.result(), where)
            where = None if where is None else where.of_images_of(found.size_wh)
            yield found

    def _read(self, source: Source, channels: Channels) -> _Read:
        started = perf_counter()
        pixels, name = _pixels_of(source, channels, self.max_pixels, gray=self.card.input.opencv_gray)
        if self.card.blank_outside and isinstance(source, Scene) and source.region is not None:
            pixels = blank_outside(pixels, source.region)
        size_wh, factor = (pixels.shape[1], pixels.shape[0]), self.card.input.enlarge
        width, height = _enlarged_wh(size_wh, factor)
        if factor > 1 and width * height > self.max_pixels:
            raise InputError(
                f'"{name or "the image"}" of {size_wh[0]}×{size_wh[1]} pixels is enlarged by {factor:g} for the model '
                f'"{self.card.name}": {width * height:,} pixels, over the limit of {self.max_pixels:,}: shrink it.',
                remedy="max_pixels",
            )
        return _Read(pixels, name, 1e3 * (perf_counter() - started))

    def _counted(self, image: _Read, region: Region | None) -> Prediction:
        return self._counted_with_view(image, region)[0]

    def _counted_with_view(self, image: _Read, region: Region | None) -> tuple[Prediction, View]:
        if region is not None:
            mask = region.in_image((image.pixels.shape[1], image.pixels.shape[0]), image.source)  # before the network
            if self.card.blank_outside:
                image = dataclasses.replace(image, pixels=blank_outside(image.pixels, mask))
        seen = self._seen(image)
        return self._told(seen, region), seen.view

    def _seen(self, image: _Read) -> _Seen:
        refuse_fork(self._process)
        started, decoding_ms = perf_counter(), [0.0]
        view = self._view(image.pixels, decoding_ms)
        computed = perf_counter()
        shown = None if self.card.interval is None else shown_by(view.pixels)
        looked = perf_counter()
        shrunk = self._second_look(image.pixels) if self.card.scale is None else None
        return _Seen(
            image, view, shown, shrunk,
            network_ms=1e3 * (computed - started) - decoding_ms[0],
            decode_ms=decoding_ms[0],
            check_ms=1e3 * (perf_counter() - looked),
        )  # fmt: skip

    def _told(self, seen: _Seen, region: Region | None) -> Prediction:
        """What is told of an image that the network has seen, of the whole or of a region."""
        image, view = seen.image, seen.view
        size_wh = (image.pixels.shape[1], image.pixels.shape[0])
        started = perf_counter()
        prediction = in_pixels_of(size_wh, view.found)
        if region is not None:
            prediction = inside(prediction, region, image.source)
        decoded = perf_counter()
        timing_ms = {
            "read": image.read_ms,
            "network": seen.network_ms,
            "decode": 1e3 * (decoded - started) + seen.decode_ms,
        }
        warnings = (*prediction.warnings, *self._warnings(size_wh))
        if seen.shrunk is not None:
            warnings += differing(prediction, seen.shrunk, image.source)
            timing_ms["check"] = seen.check_ms + 1e3 * (perf_counter() - decoded)
        within, doubts = range_of(
            self.card, prediction, view.pixels, view.found.counts, self.interval,
            seen_at=view.pixels.shape[1] / size_wh[0], shown=seen.shown,
        )  # fmt: skip
        return dataclasses.replace(
            prediction,
            model=self.card.name,
            terms=self.card.terms,
            runtime=words_of(self.runtime),
            source=image.source,
            timing_ms={**timing_ms, "total": sum(timing_ms.values())},
            warnings=(*warnings, *doubts),
            interval=within,
            interval_level=None if within is None else self.interval,
        )

    def _view(self, pixels: RgbImage, decoding_ms: list[float] | None = None) -> View:
        """An image at the size at which it is counted; ``decoding_ms`` is added to."""

        def see(part: RgbImage) -> View:
            maps, decoded_wh = self._maps(part)
            started = perf_counter()
            found = self._decode(maps, self._strides, decoded_wh)
            if decoding_ms is not None:
                decoding_ms[0] += 1e3 * (perf_counter() - started)
            return View(part, maps, decoded_wh, found)

        return best_view(pixels, self.card.scale, self._strides.get("density", _CELL_PX), see)

    def _maps(self, pixels: RgbImage) -> tuple[Maps, tuple[int, int]]:
        """The network's maps, and the (width, height) of the image they are of: enlarged, if the card says so."""
        pixels = _enlarged(pixels, self.card.input.enlarge)
        return network_maps(pixels, self.runtime.run, self.card), (pixels.shape[1], pixels.shape[0])

    def _second_look(self, pixels: RgbImage) -> Prediction | None:
        """What is found of a large photograph when it is shrunk; None where it is not large."""
        size_wh = shrunk_wh((pixels.shape[1], pixels.shape[0]))
        if size_wh is None:
            return None
        shrunk = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        maps, decoded_wh = self._maps(shrunk)
        return self._decode(maps, self._strides, decoded_wh)

    def _warnings(self, size_wh: tuple[int, int]) -> tuple[str, ...]:
        warnings = []
        if min(size_wh) < _TOO_SMALL_PX:
            warnings.append(f"{size_wh[0]}×{size_wh[1]} pixels are too few to show people: the count means little.")
        if not self.card.tile.exact and is_tiled(_enlarged_wh(size_wh, self.card.input.enlarge), self.card):
            warnings.append("Counted in tiles by a model that looks at the whole image: whole, it may count otherwise.")
        return tuple(warnings)


def _enlarged_wh(size_wh: tuple[int, int], factor: float) -> tuple[int, int]:
    return round(size_wh[0] * factor), round(size_wh[1] * factor)


def _enlarged(pixels: RgbImage, factor: float) -> RgbImage:
    if factor == 1:
        return pixels
    size_wh = _enlarged_wh((pixels.shape[1], pixels.shape[0]), factor)
    return cv2.resize(pixels, size_wh, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def in_pixels_of(size_wh: tuple[int, int], found: Prediction) -> Prediction:
    """What was found in an enlarged image, in pixels of the one of ``size_wh``."""
    if found.size_wh == size_wh:
        return found
    factor = np.array(found.size_wh) / size_wh
    stride = round(found.density_stride / factor[0])
    if found.density is not None and not np.allclose(stride * factor, found.density_stride, rtol=0.01):
        raise ModelError(
            f"Density cells of {found.density_stride} px in an image enlarged by {factor[0]:g} are no whole pixels of "
            "it: mend the card."
        )
    return dataclasses.replace(
        found,
        size_wh=size_wh,
        points_xy=found.points_xy / factor,
        boxes_xyxy=None if found.boxes_xyxy is None else found.boxes_xyxy / np.tile(factor, 2),
        density_stride=found.density_stride if found.density is None else stride,
    )


def _pixels_of(source: object, channels: Channels, max_pixels: int, *, gray: bool) -> tuple[RgbImage, str]:
    """What was given as pixels, and what it is called; ``gray``: as OpenCV makes gray of it, three times."""
    if isinstance(source, Scene):
        name = source.source or (str(source.image) if isinstance(source.image, Path | VideoFrame) else "")
        pixels = source.pixels(max_pixels=max_pixels, stored_gray=gray)
    else:
        pixels, name = given_pixels(source, channels=channels, max_pixels=max_pixels, stored_gray=gray)
    if gray:
        pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    return pixels, name
