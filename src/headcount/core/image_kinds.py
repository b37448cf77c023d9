"""Kinds of image files: what a file is by its first bytes and by its name, and which kinds are read.

HEIC is read where pillow-heif is installed, AVIF where Pillow has a decoder for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from headcount.core.errors import MissingExtraError
from headcount.core.table import is_installed

HEAD_BYTES = 64
"""As much of a file's beginning as ``kind_of`` looks at."""

GIT_LFS = "git-lfs"
"""The kind of what Git LFS leaves in place of a file that was not fetched."""

_READ = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # a phone's MPO is a JPEG with more behind it
    "PNG": (".png", ".apng"),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
_READ_WITH_EXTRA = {"HEIC": (".heic", ".heif", ".hif"), "AVIF": (".avif",)}
_NEVER_READ = {
    "JP2": (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
    "JXL": (".jxl",),
    "camera raw": (
        ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".rwl", ".raf", ".pef",
        ".srw", ".gpr", ".3fr", ".fff", ".iiq", ".x3f", ".kdc", ".dcr", ".erf", ".mrw",
    ),
    "PSD": (".psd", ".psb"),
    "TGA": (".tga",),
    "EXR": (".exr",),
    "PCX": (".pcx",),
    "DDS": (".dds",),
    "QOI": (".qoi",),
}  # fmt: skip
_EXTRA = "heif"

_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II\0*", "TIFF"),  # some writers turn the number round
    (b"MM*\0", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  ", "JP2"),
    (b"\xff\x4f\xff\x51", "JP2"),
    (b"\0\0\0\x0cJXL ", "JXL"),
    (b"\xff\x0a", "JXL"),
    (b"8BPS", "PSD"),
    (b"v/1\x01", "EXR"),
    (b"IIU\0", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"%PDF", "PDF"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"version https://git-lfs", GIT_LFS),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_OTHER_BOXES = {b"crx ": "camera raw", b"jxl ": "JXL"}
_UNREAD_WHY = {
    "PDF": "is a PDF, not an image: export its pages as JPEG or PNG.",
    "video": "is a video with the name of an image: give it the name of a video (.mp4).",
    "web page": "is a web page, not an image: download it again.",
    GIT_LFS: "holds only what Git LFS left in place of the file: fetch it with git lfs pull.",
}


@cache
def read_kinds() -> Mapping[str, tuple[str, ...]]:
    """The kinds that this install reads, each with its suffixes."""
    found = dict(_READ)
    if is_installed("pillow_heif"):
        found["HEIC"] = _READ_WITH_EXTRA["HEIC"]
    if is_installed("PIL._avif"):
        found["AVIF"] = _READ_WITH_EXTRA["AVIF"]
    return MappingProxyType(found)


@cache
def unread_suffixes() -> Mapping[str, str]:
    """Suffix → kind, of image files that this install does not read."""
    kinds = {**_READ_WITH_EXTRA, **_NEVER_READ}
    return MappingProxyType(
        {suffix: kind for kind, suffixes in kinds.items() if kind not in read_kinds() for suffix in suffixes}
    )


def kind_of(head: bytes) -> str:
    """What a file is by its first ``HEAD_BYTES``, whatever its name says; empty where that is not known.

    >>> kind_of(b"\\x89PNG\\r\\n\\x1a\\n"), kind_of(b"\\0\\0\\0\\x18ftypheic"), kind_of(b"hello")
    ('PNG', 'HEIC', '')
    """
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF"):
        return {b"WEBP": "WebP", b"AVI ": "video"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _of_boxes(head)
    if head[:1] == b"P" and head[1:2] in b"1234567fFy" and len(head) > 2 and head[2:3].isspace():
        return "PPM"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "web page"
    return ""


def _of_boxes(head: bytes) -> str:
    """The kind of a file of boxes (ISO 14496-12), by the brands it says it goes by."""
    major = head[8:12]
    length = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {major, *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        return "HEIC"
    return _OTHER_BOXES.get(major, "video")


def why_unread(name: str, kind: str) -> str:
    """One sentence on a file of a kind that this install does not read, with what to do about it."""
    if kind in _UNREAD_WHY:
        return f'"{name}" {_UNREAD_WHY[kind]}'
    if kind:
        return f'"{name}" is an image of a kind that this install does not read ({kind}): {conversion([kind], "it")}.'
    known = ", ".join(read_kinds())
    return f'"{name}" is not an image that can be read ({known} was expected).'


def conversion(kinds: Iterable[str], what: str = "images") -> str:
    """What to do about images of kinds that are not read: half a sentence.

    >>> conversion(["JP2"])
    'convert images to JPEG or PNG'
    """
    text = f"convert {what} to JPEG or PNG"
    if set(kinds) & _READ_WITH_EXTRA.keys():
        text += f", or install what reads HEIC and AVIF (from a checkout: {MissingExtraError.hint(_EXTRA)})"
    return text
