"""The process that counts: it has the models, decodes what was sent, and does one piece of work after the other.

It ends when the pipe does.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.core.image import EncodedImage, RgbImage, read_image
from headcount.core.kinds import PICTURE_KINDS
from headcount.core.prediction import Prediction
from headcount.core.writers import TextWriter, writer_row
from headcount.data.media.sources import Item, SourceFile, read_items
from headcount.decode.table import DECODERS
from headcount.draw.privacy import hide_heads
from headcount.infer.counter import Counter, load
from headcount.serve.beat import Beating
from headcount.serve.work import (
    Answer,
    CountWork,
    Done,
    Failed,
    JobWork,
    ModelFacts,
    Ready,
    Refused,
    Step,
    WorkerSettings,
)

_HEAT_COLUMNS = 96
_JPEG_QUALITY = 90


def work(pipe: Connection, settings: WorkerSettings, *, loaded: Callable[[], None] = lambda: None) -> None:
    """Do what comes through the pipe until it ends; ``loaded`` is called once the models are open."""
    try:
        worker = Worker(settings)
    except Exception as error:
        told = error.message if isinstance(error, HeadcountError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):
            pipe.send(Failed(told, is_model=isinstance(error, ModelError)))
        return
    with suppress(EOFError, OSError):
        loaded()
        pipe.send(Ready(worker.models))
        beating = Beating(pipe)
        while True:
            given = pipe.recv()
            with beating:
                answer = worker.answer(given)
            pipe.send(answer)


class Worker:
    """The models, and what is done with them.

    Raises:
        ModelError, InputError, MissingExtraError: as ``load``.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._counters: dict[str, Counter] = {}
        for model in settings.models:
            counter = load(
                model,
                device=settings.device,
                runtime=settings.runtime,
                precision=settings.precision,
                threads=settings.threads,
                max_pixels=settings.max_pixels,
                interval=settings.interval,
            )
            self._counters.setdefault(counter.card.name, counter)
        self.models = tuple(_facts(counter) for counter in self._counters.values())
        self._film: tuple[tuple[str, Path], int, Iterator[Item]] | None = None

    def answer(self, given: Any) -> Answer:
        """Do a piece of work; whatever goes wrong with it is its answer."""
        try:
            if isinstance(given, CountWork):
                return self._count(given)
            assert isinstance(given, JobWork)
            return self._step(given)
        except HeadcountError as error:
            return Refused(error.message)
        except MemoryError:
            return Refused("There is not enough memory for an image of this size: shrink it.", 413)
        except Exception as error:
            return Refused(f"Something unforeseen went wrong with this image ({type(error).__name__}: {error}).", 500)

    def _counter(self, name: str) -> Counter:
        return self._counters[name] if name else next(iter(self._counters.values()))

    def _count(self, given: CountWork) -> Done:
        counter = self._counter(given.model)
        if given.picture is not None:
            counter.refuse_picture(given.picture)
        image: bytes | RgbImage = given.content
        if given.picture is not None and not counter.card.input.opencv_gray:  # decoded once, to be drawn on too
            image = read_image(EncodedImage(given.content), max_pixels=counter.max_pixels)
        prediction = dataclasses.replace(counter.count(image), source=given.name)
        if given.picture is None:
            return Done(json.dumps(told(prediction, heat=given.heat)).encode(), "application/json", prediction.people)
        stored = EncodedImage(given.content)
        pixels = read_image(stored, max_pixels=counter.max_pixels) if isinstance(image, bytes) else image
        picture = prediction.draw(hide_heads(pixels, prediction, given.hide), kind=given.picture)
        return Done(encoded(picture, given.file_format), f"image/{given.file_format.lower()}", prediction.people)

    def _step(self, given: JobWork) -> Step:
        self._refuse_outside(given.path)
        items = self._items(given)
        item = next(items, None)
        if item is None:
            self._film = None
            return Step(is_last=True)
        is_film = self._film is not None
        if is_film:
            self._film = ((given.job, given.path), given.index + 1, items)
        return self._counted(item, given, is_last=not is_film)

    def _items(self, given: JobWork) -> Iterator[Item]:
        """What the file holds from ``index`` on; a video that is read through stays open."""
        key = (given.job, given.path)
        if self._film is not None and self._film[:2] == (key, given.index):
            return self._film[2]
        self._film = None
        with given.path.open("rb"):
            pass  # said as what it is, rather than as damaged
        file = SourceFile(given.path, "video" if given.every_s > 0 else "image")
        items = read_items(file, every_s=given.every_s or 1.0, max_pixels=self._settings.max_pixels)
        for _ in range(given.index):  # where a worker before this one stopped
            next(items, None)
        if file.kind == "video":
            self._film = (key, given.index, items)
        return items

    def _counted(self, item: Item, given: JobWork, *, is_last: bool) -> Step:
        name = item.name.replace(str(given.path), given.name)
        if item.remark or item.scene is None:
            text = item.remark or (item.problem.message if item.problem else "It holds no image.")
            line = {"source": name, "problem" if item.problem else "remark": text.replace(str(given.path), given.name)}
            return Step(json.dumps(line), is_last=is_last, is_problem=item.problem is not None)
        try:
            found = self._counter(given.model).count(item.scene)
        except HeadcountError as error:
            line = {"source": name, "problem": error.message.replace(str(given.path), given.name)}
            return Step(json.dumps(line), is_last=is_last, is_problem=True)
        data = {**found.to_dict(), "source": name}
        writer: TextWriter = writer_row(Path("results.csv"), many=True).load()
        row = writer.row(Prediction.from_dict(data))
        return Step(json.dumps(data), row, is_last=is_last, is_counted=True)

    def _refuse_outside(self, path: Path) -> None:
        # Looked at again here, where it is opened: a link may lead elsewhere since the job was made.
        try:
            real = path.resolve(strict=True)
        except OSError as error:
            raise InputError(f'There is no file "{path.name}" any more.') from error
        if not any(real.is_relative_to(root) for root in self._settings.roots):
            raise InputError(f'"{path.name}" leads outside the folders that this server may read.')


def told(prediction: Prediction, *, heat: bool = False) -> dict[str, Any]:
    """A prediction as the server tells it: ``Prediction.to_dict``, and a coarse density map where that is asked for."""
    data = prediction.to_dict()
    if heat:
        data["heat"] = None if prediction.density is None else heat_of(prediction.density, prediction.density_stride)
    return data


def heat_of(density: NDArray[np.float32], stride: int) -> dict[str, Any]:
    """A density map in fewer, larger cells: their side in pixels, and the people in each, in rows.

    >>> heat_of(np.full((2, 200), 0.5, np.float32), 8)["people"][0][:2]
    [3.0, 3.0]
    >>> heat_of(np.full((2, 2), 0.5, np.float32), 8)
    {'cell_px': 8, 'people': [[0.5, 0.5], [0.5, 0.5]]}
    """
    factor = -(-max(density.shape) // _HEAT_COLUMNS)
    rows, columns = (-(-length // factor) for length in density.shape)
    padded = np.zeros((rows * factor, columns * factor), np.float64)
    padded[: density.shape[0], : density.shape[1]] = density
    cells = padded.reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    return {"cell_px": stride * factor, "people": np.round(cells, 3).tolist()}


def encoded(picture: RgbImage, file_format: str, *, quality: int = _JPEG_QUALITY) -> bytes:
    """(h, w, 3) RGB as a file, ``PNG`` or ``JPEG``."""
    buffer = io.BytesIO()
    options = {"quality": quality} if file_format == "JPEG" else {"compress_level": 3}
    Image.fromarray(picture).save(buffer, file_format, **options)
    return buffer.getvalue()


def _facts(counter: Counter) -> ModelFacts:
    assert counter.card.decoder is not None
    gives = DECODERS.find(counter.card.decoder.name).gives or PICTURE_KINDS
    return ModelFacts(counter.card.name, counter.card.terms, tuple(kind for kind in gives if kind != "auto"))
