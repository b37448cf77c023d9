"""Videos are known by their content; MP4 says how much of it is shown, and its codec."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from headcount.data.media.containers import codec_name, kind_of_video, matroska_ends_s, mp4_facts

WRITTEN = {
    "a.mp4": ("mp4v", "MP4"), "a.mov": ("mp4v", "MP4"), "a.3gp": ("mp4v", "MP4"), "a.mkv": ("mp4v", "Matroska"),
    "a.webm": ("VP80", "Matroska"), "a.avi": ("MJPG", "AVI"), "a.flv": ("FLV1", "FLV"), "a.asf": ("WMV2", "ASF"),
    "a.wmv": ("WMV2", "ASF"), "a.vob": ("MPG2", "MPEG-PS"), "a.mpg": ("MPG2", "MPEG-PS"), "a.ts": ("MPG2", "MPEG-TS"),
    "a.m2ts": ("MPG2", "MPEG-TS"), "a.mxf": ("MPG2", "MXF"), "a.ivf": ("VP80", "IVF"), "a.y4m": ("I420", "YUV4MPEG"),
    "a.nut": ("mp4v", "NUT"), "a.rm": ("RV10", "RealMedia"),
}  # fmt: skip


def write(path: Path, codec: str, frames: int = 50, rate: float = 25) -> Path:
    """A video of noise, which no codec makes small; skips where this OpenCV does not write it."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, (96, 64))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix}")
    for number in range(frames):
        writer.write(np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("name", WRITTEN)
def test_a_video_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    codec, kind = WRITTEN[name]
    path = write(tmp_path / name, codec)
    assert kind_of_video(path.rename(tmp_path / "a")) == kind


@pytest.mark.parametrize(
    "content",
    [b"", b"G", b"G" * 40, b"\0" * 3000, b"a text\n" * 500, b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WAVE",
     b"\0\0\0\x18ftypheic\0\0\0\0", b"\0\0\0\x1cftypavif\0\0\0\0", b"\x89PNG\r\n\x1a\n"],
)  # fmt: skip
def test_what_is_no_video_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert kind_of_video(tmp_path / "a") == ""
    assert kind_of_video(tmp_path / "nothing") == ""
    assert (mp4_facts(tmp_path / "a").seconds, mp4_facts(tmp_path / "a").codec) == (0, "")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".tif", ".bmp", ".webp", ".ppm"])
def test_images_are_no_videos(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (64, 48), (71, 71, 71)).save(tmp_path / f"a{suffix}")
    assert kind_of_video(tmp_path / f"a{suffix}") == ""


def test_mp4_says_its_length_and_codec(tmp_path: Path) -> None:
    facts = mp4_facts(write(tmp_path / "a.mp4", "mp4v"))
    assert (facts.seconds, facts.codec) == (pytest.approx(2.0, abs=0.05), "mp4v")


def test_a_damaged_mp4_says_nothing_and_ends(tmp_path: Path) -> None:
    content = write(tmp_path / "a.mp4", "mp4v").read_bytes()
    at = content.index(b"moov") - 4
    for length in (0, 1, 7, 8, 0xFFFFFFFF):
        (tmp_path / "b.mp4").write_bytes(content[:at] + struct.pack(">I", length) + content[at + 4 :])
        assert mp4_facts(tmp_path / "b.mp4").seconds >= 0
    draw = np.random.default_rng(2)
    for _ in range(60):
        noise = bytearray(content[at:])
        for place in draw.integers(0, len(noise), 12):
            noise[place] = draw.integers(0, 256)
        (tmp_path / "b.mp4").write_bytes(bytes(noise))
        assert mp4_facts(tmp_path / "b.mp4").seconds >= 0


def test_codecs_have_the_names_people_know() -> None:
    assert [codec_name(letters) for letters in ("av01", "hev1", "avc1", "XVID", "\0\0\0\0")] == [
        "AV1", "H.265", "H.264", "XVID", "",
    ]  # fmt: skip


def test_matroska_says_where_each_track_ends(tmp_path: Path) -> None:
    assert matroska_ends_s(write(tmp_path / "a.mkv", "mp4v")) == [pytest.approx(2.0, abs=0.05)]
    assert matroska_ends_s(tmp_path / "nothing.mkv") == []
    (tmp_path / "b.mkv").write_bytes(b"DURATION\x44\x87\x92" + b"01:00:20.015000000\0\0" + b"DURATION\x44\x87\x92xx:")
    assert matroska_ends_s(tmp_path / "b.mkv") == [3620.015]
