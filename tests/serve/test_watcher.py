"""What the watching process sends: small pictures with marks as shares, and nothing that would hold up a camera."""

from __future__ import annotations

import io
import multiprocessing
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("fastapi", reason="the server needs the serve extra")

from headcount.core.prediction import Prediction
from headcount.serve.beat import Beat
from headcount.serve.watcher import Sender, seen_of
from headcount.serve.wire import Look, Seen, Told

from . import workers
from .test_count import wait_for


class Picture:
    """A picture of 1920×1080 with two heads, a density and a zone."""

    def __init__(self) -> None:
        density = np.zeros((68, 120), np.float32)
        density[10, 20], density[60, 100] = 3, 1
        zone = SimpleNamespace(name="gate", heads_xy=(np.array([[0.0, 0.0], [960.0, 0.0], [960.0, 540.0]]),))
        found = Prediction(
            4, (1920, 1080), points_xy=np.array([[480.0, 270.0], [1920.0, 1080.0]]), points_kind="heads",
            density=density, density_stride=16,
        )  # fmt: skip
        self.measured = SimpleNamespace(prediction=found, zones=(zone,))
        self.asked = 0

    def __call__(self) -> NDArray[np.uint8]:
        self.asked += 1
        return np.full((1080, 1920, 3), 90, np.uint8)


def test_a_picture_is_sent_small_with_marks_as_shares() -> None:
    seen = seen_of(workers.measured("north", 1), Picture())
    assert Image.open(io.BytesIO(seen.jpeg)).size == (1280, 720)
    assert seen.points == ((0.25, 0.25), (1.0, 1.0))
    assert seen.zones == (("gate", ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),)
    heat = np.array(seen.heat)
    assert heat.shape == (36, 64)
    assert heat.sum() == pytest.approx(4, abs=0.05)
    assert heat[:18, :32].sum() == pytest.approx(3, abs=0.05)


def test_where_small_numbers_are_withheld_heads_are_no_points() -> None:
    seen = seen_of(workers.measured("north", 1), Picture(), with_heads=False)
    assert (seen.points, seen.heat) == ((), None)
    assert seen.zones[0][0] == "gate"


def test_pictures_are_made_only_while_somebody_looks_and_only_the_newest_is_sent() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    stop = threading.Event()
    sender = Sender(theirs, stop)
    picture = Picture()
    sender.seen(workers.measured("north", 0), picture)
    while isinstance(first := ours.recv(), Beat):  # as always while nothing else is said
        pass
    assert isinstance(first, Told)
    assert picture.asked == 0
    ours.send(Look("north"))
    wait_for(lambda: "north" in sender._looked_at)
    for number in range(50):
        sender.seen(workers.measured("north", number), picture)
    told: list[Any] = []
    while len([each for each in told if isinstance(each, Told)]) < 50:
        told.append(ours.recv())
    pictures = [each for each in told if isinstance(each, Seen)]
    assert picture.asked == 50
    assert len(pictures) <= 50
    ours.close()
    assert stop.wait(5)


def test_a_server_that_does_not_listen_holds_up_no_camera() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    sender = Sender(theirs, threading.Event())
    record = workers.measured("north", 0)
    done = threading.Event()

    def tell() -> None:
        for _ in range(3000):
            sender.seen(record, None)
        done.set()

    threading.Thread(target=tell, daemon=True).start()
    assert done.wait(20)
    ours.close()
