"""Videos of many makes are counted to their end, and what of them was not is said."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from headcount.data.media.sources import Item, SourceFile, expand_source, read_items

RATE, SECONDS = 25, 8


def write(path: Path, codec: str, seconds: int = SECONDS) -> Path:
    """A video of noise, which no codec makes small; skips where this OpenCV does not write it."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), RATE, (96, 64))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix}")
    for number in range(RATE * seconds):
        writer.write(np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    writer.release()
    return path


def read(path: Path) -> tuple[list[float], list[Item]]:
    """The seconds of the frames, and what is remarked."""
    items = list(read_items(SourceFile(path, "video")))
    assert [item.problem for item in items if item.problem] == []
    return [float(item.name.rpartition("@")[2][:-1]) for item in items if item.scene], [i for i in items if i.remark]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.flv", "FLV1"), ("a.vob", "MPG2"), ("a.asf", "WMV2"), ("a.mxf", "MPG2"), ("a.dat", "MPG2"), ("a", "MJPG"),
     ("a.jpg", "mp4v")],
)  # fmt: skip
def test_a_video_is_one_whatever_it_is_called(tmp_path: Path, name: str, codec: str) -> None:
    made = {"a.dat": "made.mpg", "a": "made.avi", "a.jpg": "made.mp4"}.get(name, name)
    path = write(tmp_path / made, codec, 3).rename(tmp_path / name)
    (file,) = expand_source(str(path))
    assert isinstance(file, SourceFile)
    assert file.kind == "video"
    assert read(path) == ([0, 1, 2], [])


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mp4v"), ("a.mkv", "mp4v"), ("a.webm", "VP80"), ("a.ts", "MPG2"), ("a.mpg", "MPG2")]
)
@pytest.mark.parametrize("holes", [[(0.3, 0.55)], [(0.05, 0.3)], [(0.2, 0.4), (0.6, 0.8)], [(0.7, 0.99)]])
def test_a_hole_is_named_and_makes_the_video_incomplete(
    tmp_path: Path, name: str, codec: str, holes: list[tuple[float, float]]
) -> None:
    path = write(tmp_path / name, codec)
    assert read(path) == (list(range(SECONDS)), [])
    content = bytearray(path.read_bytes())
    for start, stop in holes:
        content[int(start * len(content)) : int(stop * len(content))] = bytes(
            int(stop * len(content)) - int(start * len(content))
        )
    path.write_bytes(content)
    seconds, remarks = read(path)
    assert seconds[0] == 0
    if path.suffix == ".mpg" and holes[0][1] > 0.9:
        return  # it does not say how long it is
    assert any(remark.is_incomplete for remark in remarks)
    if path.suffix in (".mp4", ".ts", ".mpg") and holes[0][1] < 0.9:  # the others find no way back into some streams
        assert seconds[-1] == pytest.approx(SECONDS - 1, abs=1)
    assert all(" s" in remark.remark for remark in remarks)


def _shown_from(content: bytes, skipped_s: float) -> bytes:
    """An MP4 whose edit list leaves out its beginning."""
    at = content.index(b"elst") + 4
    version, _, entries = content[at], content[at + 1 : at + 4], struct.unpack_from(">I", content, at + 4)[0]
    assert (version, entries) == (0, 1)
    moov = content.index(b"mvhd") + 4
    per_second, length = struct.unpack_from(">II", content, moov + 12)
    media = content.index(b"mdhd") + 4
    (ticks,) = struct.unpack_from(">I", content, media + 12)
    shown = length - int(skipped_s * per_second)
    changed = bytearray(content)
    struct.pack_into(">I", changed, moov + 16, shown)
    struct.pack_into(">I", changed, content.index(b"tkhd") + 4 + 20, shown)
    struct.pack_into(">II", changed, at + 8, shown, int(skipped_s * ticks))
    return bytes(changed)


def test_what_an_edit_list_leaves_out_is_not_missed(tmp_path: Path) -> None:
    content = write(tmp_path / "a.mp4", "mp4v").read_bytes()
    (tmp_path / "b.mp4").write_bytes(_shown_from(content, 3.0))
    seconds, remarks = read(tmp_path / "b.mp4")
    assert seconds == [0, 1, 2, 3, 4]
    assert remarks == []


def test_recordings_joined_end_to_end_are_counted_whole(tmp_path: Path) -> None:
    one = write(tmp_path / "a.ts", "MPG2", 4).read_bytes()
    (tmp_path / "b.ts").write_bytes(one * 3)
    seconds, remarks = read(tmp_path / "b.ts")
    assert seconds == list(range(12))
    (remark,) = remarks
    assert "a clock that starts anew after 4.0 s, 8.0 s" in remark.remark
    assert not remark.is_incomplete
