"""Jobs: uploads, videos and allowed folders, counted behind requests; bounded, resumed, deleted."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.infer.counter import load
from headcount.serve import job_store
from headcount.serve.job_store import JobFile, JobStore, NoRoomError
from headcount.serve.limits import Limits
from headcount.serve.work import Step

from .conftest import Served, jpeg_of


def finished(served: Served, job: dict[str, Any], timeout_s: float = 30) -> dict[str, Any]:
    end = time.monotonic() + timeout_s
    while (state := served.client.get(f"/api/jobs/{job['id']}").json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end, state
        time.sleep(0.02)
    found: dict[str, Any] = state
    return found


def results(served: Served, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.client.get(f"/api/jobs/{job['id']}/results").json()
    return found


def write_film(path: Path, frames: int = 20) -> None:
    """A film of two seconds."""
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 96))
    for number in range(frames):
        film.write(np.full((96, 160, 3), 10 * number, np.uint8))
    film.release()


@pytest.mark.slow
def test_images_and_a_film_are_counted_and_told_as_json_and_csv(
    serve: Callable[..., Served], tiny_model: str, tmp_path: Path, image: bytes
) -> None:
    served = serve(tiny_model)
    write_film(tmp_path / "queue.avi")
    files = [
        ("files", ("one.png", image)),
        ("files", ("../../etc/bad.jpg", b"no image")),
        ("files", ("=1+1.png", image)),
        ("files", ("queue.avi", (tmp_path / "queue.avi").read_bytes())),
    ]
    answer = served.client.post("/api/jobs", files=files, params={"every_s": 0.5})
    assert answer.status_code == 202
    state = finished(served, answer.json())
    assert (state["state"], state["files"], state["files_done"]) == ("done", 4, 4)
    found = results(served, state)
    counted = [each for each in found if "count" in each]
    assert [each["source"] for each in counted] == [
        "one.png", "=1+1.png", "queue.avi@0.0s", "queue.avi@0.5s", "queue.avi@1.0s", "queue.avi@1.5s",
    ]  # fmt: skip
    (problem,) = (each for each in found if "problem" in each)
    assert problem["source"] == "bad.jpg"
    assert "not an image" in problem["problem"]
    assert str(served.service.store.folder) not in json.dumps(found)
    assert counted[0]["count"] == pytest.approx(load(tiny_model, threads=1).count(image).count, abs=0.001)
    assert (state["counted"], state["problems"]) == (6, 1)
    table = served.client.get(f"/api/jobs/{state['id']}/results", params={"format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(table)))
    # A spreadsheet takes none of them for a formula.
    assert [row["source"].removeprefix("'") for row in rows] == [each["source"] for each in counted]
    assert rows[1]["source"] == "'=1+1.png"
    lines = served.client.get(f"/api/jobs/{state['id']}/results", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line) for line in lines] == found
    assert served.client.delete(f"/api/jobs/{state['id']}").status_code == 204
    assert served.client.get(f"/api/jobs/{state['id']}").status_code == 404
    assert list(served.service.store.folder.iterdir()) == []


@pytest.mark.slow
def test_only_what_lies_below_allowed_folders_is_read(
    serve: Callable[..., Served], tiny_model: str, tmp_path: Path, image: bytes
) -> None:
    for name in ("allowed", "allowed/inner", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(image)
    (tmp_path / "allowed" / "link.png").symlink_to(tmp_path / "secret" / "a.png")
    (tmp_path / "allowed" / "away").symlink_to(tmp_path / "secret")
    served = serve(tiny_model, roots=(tmp_path / "allowed",))

    def make(path: object, **more: Any) -> Any:
        return served.client.post("/api/jobs", json={"path": str(path), **more})

    for path in (
        tmp_path / "secret", tmp_path / "secret" / "a.png", tmp_path / "allowed" / ".." / "secret",
        tmp_path / "allowed" / "away", tmp_path / "gone", "/etc/passwd", "rtsp://10.0.0.2/live",
        "http://127.0.0.1/a.jpg", "file:///etc/passwd", "\0", "",
    ):  # fmt: skip
        answer = make(path)
        assert answer.status_code in (403, 422), path
        if answer.status_code == 403:
            assert answer.json()["detail"] == "This path is not below a folder that this server may read."
    state = finished(served, make(tmp_path / "allowed", recursive=True).json())
    assert {each["source"] for each in results(served, state)} == {"a.png", "inner/a.png"}
    assert "lead outside" in " ".join(state["notes"])
    assert served.client.get("/api/about").json()["folders"] == [str(tmp_path / "allowed")]


@pytest.mark.slow
def test_a_link_that_is_turned_after_the_job_was_made_is_not_followed(
    serve: Callable[..., Served], tiny_model: str, tmp_path: Path, image: bytes
) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "secret.png").write_bytes(image)
    (tmp_path / "allowed" / "link.png").symlink_to(tmp_path / "secret.png")
    served = serve(tiny_model, roots=(tmp_path / "allowed",))
    upload = served.service.store.new_upload()
    file = JobFile(tmp_path / "allowed" / "link.png", "link.png", is_video=False)
    job = served.service.store.add(upload.folder, (file,), model="", every_s=1)
    finished(served, {"id": job.id})
    assert "leads outside" in results(served, {"id": job.id})[0]["problem"]


def test_without_an_allowed_folder_no_path_is_read(plain: Served, tmp_path: Path) -> None:
    served = plain
    assert served.client.post("/api/jobs", json={"path": str(tmp_path)}).status_code == 403
    assert served.client.post("/api/jobs", json={"path": "x", "token": "y"}).status_code == 422
    assert (
        served.client.post("/api/jobs", content=b"{", headers={"content-type": "application/json"}).status_code == 422
    )


def test_jobs_are_bounded_in_number_files_and_bytes(serve: Callable[..., Served], image: bytes) -> None:
    served = serve(limits=Limits(most_jobs=1, job_files=2, job_bytes=5_000))
    many = [("files", ("a.png", b"x"))] * 3
    answer = served.client.post("/api/jobs", files=many)
    assert (answer.status_code, "at most 2 files" in answer.json()["detail"]) == (413, True)
    assert served.client.post("/api/jobs", content=bytes(6_000)).status_code == 413
    assert served.client.post("/api/jobs", files={"note": (None, "no file")}).status_code == 400
    assert served.client.post("/api/jobs", content=b"").status_code == 400
    assert list(served.service.store.folder.iterdir()) == []
    assert served.client.post("/api/jobs", content=b"image", params={"name": "a.png"}).status_code == 202
    answer = served.client.post("/api/jobs", content=b"image")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "delete those that are done" in answer.json()["detail"]


def job_in(store: JobStore, files: int = 3) -> Any:
    upload = store.new_upload()
    for number in range(files):
        upload.open(f"{number}.png").write(b"x")
    upload.close()
    return store.add(upload.folder, tuple(JobFile(p, n, False) for p, n in upload.files), model="", every_s=1)


def test_a_job_is_gone_on_with_where_it_stopped_and_no_line_is_lost_or_twice(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits())
    job = job_in(store)
    _, work = store.next_work()  # type: ignore[misc]
    store.took(job, Step('{"n": 1}', "a,1\n", is_last=True, is_counted=True))
    # The machine stops while the second line is written.
    with (job.folder / "results.jsonl").open("ab") as file:
        file.write(b'{"n": 2')
    again = JobStore(tmp_path, Limits())
    job, work = again.next_work()  # type: ignore[misc]
    assert work.name == "1.png"
    for number in (2, 3):
        again.took(job, Step(f'{{"n": {number}}}', f"a,{number}\n", is_last=True, is_counted=True))
    assert again.next_work() is None
    assert job.state == "done"
    assert [json.loads(line)["n"] for line in (job.folder / "results.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert (job.folder / "results.csv").read_text().splitlines()[1:] == ["a,1", "a,2", "a,3"]
    assert JobStore(tmp_path, Limits()).find(job.id).state == "done"  # type: ignore[union-attr]


def test_old_jobs_are_thrown_away_and_cut_off_uploads_too(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(keep_jobs_s=0.01))
    job = job_in(store)
    store.end(job)
    unfinished = store.new_upload()
    time.sleep(0.02)
    store.delete_old()
    assert store.find(job.id) is None
    assert unfinished.folder.exists()
    JobStore(tmp_path, Limits())
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_ends_the_job_and_says_so(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits())
    job = job_in(store)
    (job.folder / "results.jsonl").symlink_to("/dev/full")
    store.took(job, Step('{"n": 1}', is_last=True))
    assert job.state == "failed"
    assert "cannot be written" in job.reason


def test_a_disk_that_is_full_when_a_job_is_begun_ends_it_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JobStore(tmp_path, Limits())
    first, second = job_in(store), job_in(store)
    write = job_store.write_json

    def full(path: Path, content: Any) -> None:
        if path.parent == first.folder:
            raise InputError(f'"{path}" cannot be written (no space left on device).')
        write(path, content)

    monkeypatch.setattr(job_store, "write_json", full)
    found = store.next_work()
    assert found is not None
    assert found[0] is second
    assert (first.state, "no space left" in first.reason) == ("failed", True)


def test_uploads_that_arrive_take_places_and_bytes_from_the_first_on(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(most_jobs=2, jobs_bytes=1024))
    first, second = store.new_upload(), store.new_upload()
    with pytest.raises(NoRoomError, match="2 jobs are kept"):
        store.new_upload()
    first.arrived(1000)
    with pytest.raises(NoRoomError, match="all the disk"):
        second.arrived(1000)
    first.drop()
    second.drop()
    assert store.bytes == 0
    store.new_upload()


def test_all_jobs_together_are_bounded_on_the_disk(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(jobs_bytes=1024))
    job = job_in(store)
    store.took(job, Step("x" * 2000, is_last=True))
    assert "all the disk" in job.reason
    with pytest.raises(NoRoomError, match="all the disk"):
        store.new_upload()


@pytest.mark.slow
def test_jobs_wait_behind_requests_and_survive_a_killed_worker(
    serve: Callable[..., Served], tiny_model: str, image: bytes
) -> None:
    import signal

    served = serve(tiny_model)
    files = [("files", (f"{number}.png", jpeg_of(seed=number))) for number in range(12)]
    job = served.client.post("/api/jobs", files=files).json()
    assert served.count(image).status_code == 200
    pid = served.service.dispatcher.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    state = finished(served, job)
    assert (state["counted"], state["problems"]) == (12, 0)
    assert [each["source"] for each in results(served, job)] == [f"{number}.png" for number in range(12)]
