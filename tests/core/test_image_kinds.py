"""What a file is by its first bytes, and what is said of kinds that are not read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.core.image import IMAGE_SUFFIXES, is_image_name, read_image
from headcount.core.image_kinds import kind_of, read_kinds, unread_suffixes, why_unread

HEADS = {
    b"\0\0\0\x1cftypheic\0\0\0\0mif1heic": "HEIC",
    b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic": "HEIC",
    b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf": "AVIF",
    b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf": "AVIF",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "camera raw",
    b"\0\0\0\x18ftypisom\0\0\2\0isomavc1": "video",
    b"\0\0\0\x14ftypqt  \0\0\2\0qt  ": "video",
    b"RIFF\0\0\0\0AVI LIST": "video",
    b"RIFF\0\0\0\0WAVEfmt ": "",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JP2",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JXL",
    b"8BPS\0\1": "PSD",
    b"%PDF-1.7": "PDF",
    b"  <!DOCTYPE HTML><html>": "web page",
    b"version https://git-lfs.github.com/spec/v1": "git-lfs",
    b"P6\n8 8\n255\n": "PPM",
    b"P6": "",
    b"": "",
    b"hello": "",
}


@pytest.mark.parametrize(("head", "kind"), HEADS.items())
def test_a_file_is_known_by_its_beginning(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", r"does not read \(JP2\): convert it to JPEG or PNG"),
        (b"%PDF-1.7", "is a PDF, not an image"),
        (b"<html><body>404", "is a web page, not an image: download it again"),
        (b"version https://git-lfs", "git lfs pull"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomavc1", "is a video with the name of an image"),
        (b"hello", r"is not an image that can be read \(JPEG, PNG, "),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / "a.jpg")
    assert "a.jpg" in str(caught.value)


def test_each_suffix_is_read_or_not() -> None:
    assert not IMAGE_SUFFIXES & unread_suffixes().keys()
    assert {".jpg", ".tif"} <= IMAGE_SUFFIXES
    assert unread_suffixes()[".jp2"] == "JP2"
    assert is_image_name(Path("A.JPG"))
    assert not is_image_name(Path("a.jp2"))


def test_without_the_extra_a_heic_is_named_with_what_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")
    code = f"""
import sys
sys.modules["pillow_heif"] = None
from headcount.core.errors import InputError
from headcount.core.image import IMAGE_SUFFIXES, read_image
from headcount.core.image_kinds import unread_suffixes
assert ".heic" not in IMAGE_SUFFIXES and unread_suffixes()[".heic"] == "HEIC"
try:
    read_image({str(tmp_path / "a.heic")!r})
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "does not read (HEIC): convert it to JPEG or PNG, or install what reads HEIC" in done.stdout
    assert "heif]" in done.stdout


def test_kinds_that_are_read_have_no_sentence_of_their_own() -> None:
    assert set(read_kinds()) >= {"JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "PPM"}
    assert why_unread("a.jpg", "") == (
        f'"a.jpg" is not an image that can be read ({", ".join(read_kinds())} was expected).'
    )
