"""Counting over HTTP: the same count as the library's, bounded, on time, and always answered."""

from __future__ import annotations

import errno
import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.infer.counter import load
from headcount.serve.limits import Limits

from . import workers
from .conftest import Served, jpeg_of


def wait_for(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


@pytest.mark.slow
def test_counts_are_the_librarys_as_json_form_or_overlay(
    serve: Callable[..., Served], tiny_model: str, image: bytes
) -> None:
    served = serve(tiny_model)
    counter = load(tiny_model, threads=1)
    expected = counter.count(image)
    raw = served.count(image).json()
    form = served.client.post("/api/count", files={"image": ("square.png", image)}).json()
    assert raw["count"] == form["count"] == pytest.approx(expected.count, abs=0.001)
    assert (raw["source"], form["source"]) == ("", "square.png")
    assert raw["size_wh"] == [160, 96]
    assert raw["points_xy"] == expected.to_dict()["points_xy"]
    heat = served.count(image, heat="true").json()["heat"]
    assert np.sum(heat["people"]) == pytest.approx(expected.count, abs=0.2)
    for answer, kind in (
        (served.count(image, picture="density"), "PNG"),
        (served.client.post("/api/count", content=image, headers={"accept": "image/jpeg"}), "JPEG"),
    ):
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.format, picture.width) == (kind, 160)
    drawn = np.asarray(Image.open(io.BytesIO(served.count(image, picture="density").content)))
    assert np.array_equal(drawn, expected.draw(image, kind="density"))
    assert "no boxes" in served.count(image, picture="boxes").json()["detail"].replace("gives no boxes", "no boxes")
    # What is refused, each in a sentence.
    for body, query, status, words in (
        (b"hello", {}, 400, "is not an image"),
        (b"", {}, 400, "empty"),
        (image, {"model": "another"}, 400, "does not have the model"),
        (image[:500], {}, 400, "damaged or cut short"),
        (image, {"picture": "cubes"}, 422, "query.picture"),
    ):
        answer = served.count(body, **query)
        assert answer.status_code == status
        assert words in answer.json()["detail"]
    two = [("image", ("a.png", image)), ("image", ("b.png", image))]
    assert "several files" in served.client.post("/api/count", files=two).json()["detail"]


@pytest.mark.slow
def test_pixels_are_refused_by_the_header_and_bytes_by_their_number(
    serve: Callable[..., Served], tiny_model: str, bad_images: dict[str, tuple[Path, str]]
) -> None:
    served = serve(tiny_model, limits=Limits(most_pixels=20_000, most_bytes=20_000))
    huge = bad_images["huge.png"][0].read_bytes()
    answer = served.count(huge)
    assert answer.status_code == 400
    assert "8,100,000,000 pixels, over the limit" in answer.json()["detail"]
    assert "over the limit" in served.count(jpeg_of((200, 101), file_format="JPEG")).json()["detail"]
    answer = served.count(bytes(30_000))
    assert answer.status_code == 413
    assert "20,000 bytes" in answer.json()["detail"]
    # In pieces, without a length said before:
    answer = served.client.post("/api/count", content=iter([bytes(8_000)] * 4))
    assert answer.status_code == 413


def test_a_full_queue_says_so_at_once_and_loses_nothing(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=1, deadline_s=20))
    running = [in_background(lambda: served.count("sleep 0.6"))]
    wait_for(lambda: served.service.queue._working is not None)
    running.append(in_background(lambda: served.count("sleep 0")))
    wait_for(lambda: served.service.queue.is_full)
    refused = served.count("more")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "try again in" in refused.json()["detail"]
    for thread, answers in running:
        thread.join()
        assert answers[0].status_code == 200
    assert served.count("again").status_code == 200


def test_a_full_queue_is_said_before_the_body_is_sent(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=0, deadline_s=20))
    thread, answers = in_background(lambda: served.count("sleep 0.6"))
    wait_for(lambda: served.service.queue.is_full)
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2].rstrip("/")))) as one:
        host = served.address.split("/")[2]
        one.sendall(f"POST /api/count HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n".encode())
        assert one.recv(100).startswith(b"HTTP/1.1 503")
    thread.join()
    assert answers[0].status_code == 200


def test_whoever_sends_a_large_body_on_a_connection_that_ends_hears_that_it_is_full(
    serve: Callable[..., Served],
) -> None:
    served = serve(limits=Limits(queue=0, deadline_s=20))
    thread, answers = in_background(lambda: served.count("sleep 0.8"))
    wait_for(lambda: served.service.queue.is_full)
    statuses = [
        served.client.post("/api/count", content=bytes(3_000_000), headers={"connection": "close"}).status_code
        for _ in range(5)
    ]
    assert statuses == [503] * 5
    thread.join()
    assert answers[0].status_code == 200


def test_what_is_late_is_answered_with_504_and_not_done_any_more(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=3, deadline_s=0.4), patience_s=30)
    thread, answers = in_background(lambda: served.count("sleep 1.2"))
    wait_for(lambda: served.service.queue._working is not None)
    late = served.count("never done")
    assert late.status_code == 504
    assert "within 0.4 s" in late.json()["detail"]
    thread.join()
    assert answers[0].status_code == 504
    assert len(served.service.queue) == 0
    wait_for(lambda: served.service.queue._working is None)
    assert served.service.dispatcher.starts == 1
    assert served.count("next").status_code == 200


def test_work_that_nobody_waits_for_does_not_hold_up_the_next_for_long(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=3, deadline_s=8), patience_s=0.2)
    served.service.limits = Limits(queue=3, deadline_s=0.3)
    assert served.count("sleep 600").status_code == 504
    served.service.limits = Limits(queue=3, deadline_s=20)
    assert served.count("next").status_code == 200
    assert served.service.dispatcher.starts == 2


def test_a_client_that_goes_away_frees_its_place(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=1, deadline_s=20))
    thread, answers = in_background(lambda: served.count("sleep 0.8"))
    wait_for(lambda: served.service.queue._working is not None)
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2].rstrip("/")))) as one:
        host = served.address.split("/")[2]
        one.sendall(f"POST /api/count HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello".encode())
        wait_for(lambda: served.service.queue.is_full)
    wait_for(lambda: not served.service.queue.is_full)
    assert served.service.queue._working is not None
    thread.join()
    assert answers[0].status_code == 200


def test_a_body_that_comes_too_slowly_is_refused(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(upload_s=0.3))
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2].rstrip("/")))) as one:
        host = served.address.split("/")[2]
        one.sendall(f"POST /api/count HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\nhello".encode())
        answer = b""
        while chunk := one.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"within 0.3 s" in answer
    assert served.service.held.bytes == 0


def test_a_killed_worker_is_replaced_and_its_request_counted_again(plain: Served, tmp_path: Path) -> None:
    served = plain
    starts = served.service.dispatcher.starts
    assert served.count(f"die once {tmp_path / 'died'}").status_code == 200
    assert served.service.dispatcher.starts == starts + 1
    thread, answers = in_background(lambda: served.count("sleep 0.5"))
    wait_for(lambda: served.service.queue._working is not None)
    pid = served.service.dispatcher.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    thread.join()
    assert answers[0].status_code == 200
    assert served.service.dispatcher.starts == starts + 2


def test_an_image_that_kills_the_worker_twice_is_answered_and_the_next_is_counted(plain: Served) -> None:
    served = plain
    answer = served.count("die")
    assert answer.status_code == 500
    assert "died of this image, twice" in answer.json()["detail"]
    assert served.count("next").json() == {"said": "next"}


def test_a_worker_killed_while_idle_is_replaced(plain: Served) -> None:
    served = plain
    pid = served.service.dispatcher.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert served.count("next").status_code == 200
    wait_for(lambda: served.service.dispatcher.state == "ready")


@pytest.mark.parametrize("content", [b"small", b"large " + bytes(3_000_000)], ids=["small", "large"])
def test_a_worker_that_lives_but_does_nothing_is_replaced_and_its_request_counted_again(
    serve: Callable[..., Served], content: bytes
) -> None:
    served = serve(silent_s=0.5)
    pid = served.service.dispatcher.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    # A large body fills the pipe: whoever writes to it is stuck until the process ends.
    answer = served.count(content)
    assert answer.status_code == 200
    assert answer.json()["said"].startswith(content[:5].decode())
    assert served.service.dispatcher.starts == 2


def test_a_worker_that_says_that_it_works_is_waited_for(serve: Callable[..., Served]) -> None:
    served = serve(silent_s=1)
    assert served.count("beat 2").status_code == 200
    assert served.service.dispatcher.starts == 1


def test_a_worker_that_cannot_be_started_now_is_started_later(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    dispatcher = served.service.dispatcher
    assert dispatcher.pid is not None
    start = SpawnProcess.start
    failures = iter([OSError(errno.EAGAIN, "Resource temporarily unavailable")])

    def begin(process: SpawnProcess) -> None:
        for error in failures:
            raise error
        start(process)

    monkeypatch.setattr(SpawnProcess, "start", begin)
    os.kill(dispatcher.pid, signal.SIGKILL)
    wait_for(lambda: dispatcher.state == "failed")
    assert dispatcher.reason == "The process that counts cannot be started (resource temporarily unavailable)."
    wait_for(lambda: dispatcher.state == "ready")
    assert served.count("next").status_code == 200


def test_a_worker_that_cannot_begin_is_said_and_not_waited_for(serve: Callable[..., Served]) -> None:
    served = serve(target=workers.unable)
    wait_for(lambda: served.service.dispatcher.state == "failed")
    answer = served.count("hello")
    assert answer.status_code == 503
    assert 'There is no model "nothing".' in answer.json()["detail"]
    ready = served.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "failed")
    assert served.client.get("/healthz").json() == {"status": "alive"}


def test_all_of_many_are_answered_once_each(serve: Callable[..., Served]) -> None:
    served = serve(limits=Limits(queue=4, deadline_s=20))
    running = [in_background(lambda n=n: served.count(f"number {n}")) for n in range(24)]
    for thread, _ in running:
        thread.join()
    statuses = [answers[0].status_code for _, answers in running]
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 5
    for number, (_, answers) in enumerate(running):
        if answers[0].status_code == 200:
            assert answers[0].json() == {"said": f"number {number}"}
    text = served.client.get("/metrics").text
    assert f'headcount_server_answers_total{{status="200"}} {float(statuses.count(200))}' in text
