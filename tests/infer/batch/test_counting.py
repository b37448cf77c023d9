"""RowCounter: a row an image, whatever becomes of it."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headcount
from headcount.core.errors import HeadcountError, InputError
from headcount.core.region import Region
from headcount.synth import paint_scene

pa = pytest.importorskip("pyarrow")

from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.rows import ENTRIES, ROWS  # noqa: E402
from headcount.infer.batch.settings import BatchSettings, fingerprint, what_differs  # noqa: E402


def table(*addresses: str | Path, member: str | None = None) -> pa.Table:
    return pa.table({
        "number": range(len(addresses)), "address": list(map(str, addresses)),
        "member": pa.array([member] * len(addresses), pa.string()),
    })  # fmt: skip


def test_a_row_says_what_a_prediction_does(counter: RowCounter, photos: list[Path]) -> None:
    rows = counter(table(photos[0]))
    assert rows.schema == ROWS
    (row,) = rows.to_pylist()
    found = headcount.load("headcount-n", precision="f32", threads=1).count(photos[0])
    content = photos[0].read_bytes()
    assert (row["sha256"], row["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (row["width"], row["height"], row["count"]) == (*found.size_wh, found.count)
    assert (row["low"], row["high"], row["level"]) == (*(found.interval or (None, None)), found.interval_level)
    assert len(row["points"]) == len(found.points_xy)
    np.testing.assert_allclose([[p["x"], p["y"]] for p in row["points"]], found.points_xy, rtol=1e-6)
    assert row["error"] is None
    assert (row["model"], row["fingerprint"]) == ("headcount-n", counter.fingerprint)
    assert row["seconds"] > 0


def test_a_bad_image_is_a_row(counter: RowCounter, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("text", encoding="utf-8")
    (tmp_path / "folder.jpg").mkdir()
    bad = [photos[4], photos[8], tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "folder.jpg"]
    rows = counter(table(photos[0], *bad, photos[1])).to_pylist()
    assert [row["number"] for row in rows] == list(range(7))
    assert [row["error"] is None for row in rows] == [True, *[False] * 5, True]
    for row, path in zip(rows[1:-1], bad, strict=True):
        assert path.name in row["error"]
        assert (row["count"], row["points"], row["width"]) == (None, None, None)
    assert rows[1]["sha256"] == hashlib.sha256(photos[4].read_bytes()).hexdigest()


def test_no_entries_are_no_rows(counter: RowCounter) -> None:
    rows = counter(ENTRIES.empty_table())
    assert (len(rows), rows.schema) == (0, ROWS)


def test_a_member_of_a_tar_is_found_by_its_name_and_by_its_place(
    counter: RowCounter, photos: list[Path], tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path in (photos[0], photos[1]):
            info = tarfile.TarInfo(f"../{path.name}")
            info.size = path.stat().st_size
            tar.addfile(info, io.BytesIO(path.read_bytes()))
    named = counter(table(tmp_path / "a.tar", member=f"../{photos[1].name}")).to_pylist()[0]
    alone = counter(table(photos[1])).to_pylist()[0]
    assert (named["sha256"], named["count"], named["points"]) == (alone["sha256"], alone["count"], alone["points"])
    missing = counter(table(tmp_path / "a.tar", member="no.jpg")).to_pylist()[0]
    assert 'holds no image "no.jpg"' in missing["error"]


def test_a_video_has_a_row_a_frame(counter: RowCounter, tmp_path: Path) -> None:
    import cv2

    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for number in range(25):
        film.write(paint_scene(number, size_wh=(96, 64), count=5).pixels()[:, :, ::-1].copy())
    film.release()
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    rows = counter(table(tmp_path / "film.avi", tmp_path / "bad.mp4")).to_pylist()
    assert [(row["number"], row["frame"], row["second"]) for row in rows] == [
        (0, 0, 0.0), (0, 1, 1.0), (0, 2, 2.0), (1, None, None),
    ]  # fmt: skip
    assert rows[0]["sha256"] == hashlib.sha256((tmp_path / "film.avi").read_bytes()).hexdigest()
    assert "bad.mp4" in rows[3]["error"]


def test_it_can_be_stopped_in_the_midst_of_a_video(counter: RowCounter, photos: list[Path], tmp_path: Path) -> None:
    import cv2

    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 1, (96, 64))
    for number in range(40):
        film.write(np.full((64, 96, 3), number, np.uint8))
    film.release()
    asked: list[int] = []

    def is_stopped() -> bool:
        asked.append(1)
        return len(asked) > 4

    given = list(counter.each(table(photos[0], tmp_path / "film.avi", photos[1]), is_stopped))
    assert [(number, len(rows)) for number, rows in given] == [(0, 1)]
    assert len(asked) == 5


def test_threads_change_no_row(counter: RowCounter, photos: list[Path]) -> None:
    two = RowCounter(BatchSettings(model="headcount-n", precision="f32", threads=2))
    assert two.fingerprint == counter.fingerprint
    entries = table(photos[1], photos[11])
    assert two(entries).drop_columns("seconds").equals(counter(entries).drop_columns("seconds"))


def test_a_file_of_several_pictures_says_so(counter: RowCounter, tmp_path: Path) -> None:
    pages = [Image.fromarray(paint_scene(seed, size_wh=(96, 64), count=5).pixels()) for seed in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    (row,) = counter(table(tmp_path / "scan.tif")).to_pylist()
    assert row["warnings"][-1] == "The file holds 3 pictures, of which the first was counted."


def test_points_and_boxes_can_be_left_out(settings: BatchSettings, photos: list[Path]) -> None:
    short = BatchSettings(model=settings.model, precision="f32", threads=1, points=False, boxes=False)
    (row,) = RowCounter(short)(table(photos[0])).to_pylist()
    assert (row["points"], row["boxes"]) == (None, None)
    assert row["count"] is not None


def test_settings_go_to_other_processes(settings: BatchSettings) -> None:
    region = Region((np.array([[0, 0], [1, 0], [1, 0.5]]),))
    for one in (settings, BatchSettings(region=region)):
        assert pickle.loads(pickle.dumps(one)).every_s == one.every_s
    with pytest.raises(InputError, match="corners in pixels"):
        BatchSettings(region=Region((np.array([[0, 0], [90, 0], [90, 50]]),)))


def test_a_region_counts_in_every_row(photos: list[Path], settings: BatchSettings, counter: RowCounter) -> None:
    region = Region((np.array([[0, 0], [1, 0], [1, 0.5], [0, 0.5]]),))
    inside = RowCounter(BatchSettings(model="headcount-n", precision="f32", threads=1, region=region))
    assert inside.fingerprint != counter.fingerprint
    assert inside(table(photos[11]))["count"][0].as_py() < counter(table(photos[11]))["count"][0].as_py()


def test_a_video_that_a_region_does_not_fit_is_one_row(tmp_path: Path) -> None:
    import cv2

    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for _ in range(60):
        film.write(np.zeros((64, 96, 3), np.uint8))
    film.release()
    region = Region(mask=np.ones((50, 50), bool))
    rows = RowCounter(BatchSettings(model="headcount-n", threads=1, region=region))(table(tmp_path / "film.avi"))
    assert len(rows) == 1
    assert "images of 50×50 pixels" in rows["error"][0].as_py()


def test_another_fingerprint_than_the_expected_one_is_refused(settings: BatchSettings) -> None:
    with pytest.raises(HeadcountError, match="have the fingerprint 0123"):
        RowCounter(settings, "0123")


def test_the_fingerprint_knows_neither_threads_nor_the_place_of_the_model(counter: RowCounter) -> None:
    described = counter.described
    assert not {"threads", "path"} & described.keys()
    for key in described:
        other = {**described, key: "another"}
        assert fingerprint(other) != fingerprint(described)
        assert what_differs(described, other)
    assert what_differs(described, dict(described)) == ""


def test_a_name_that_is_no_text_is_counted_all_the_same(
    counter: RowCounter, photos: list[Path], tmp_path: Path
) -> None:
    odd = tmp_path / "odd-\udcff.jpg"
    try:
        odd.write_bytes(photos[0].read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")
    (row,) = counter(table(str(odd).encode("utf-8", "backslashreplace").decode())).to_pylist()
    assert row["error"] is None
    assert row["address"].endswith("odd-\\udcff.jpg")
