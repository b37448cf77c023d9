"""A check's findings as one HTML page that needs nothing else: thumbnails with what was found drawn on them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from headcount.core.files import atomic_text, is_file
from headcount.core.image import RgbImage, VideoFrame, read_header, read_reduced
from headcount.core.words import printable
from headcount.data.audit.accepted import Judged, key_of
from headcount.data.audit.findings import CODES, Finding, Numbers
from headcount.data.media.video import Video
from headcount.draw.findings import BOX_RGB, POINT_RGB, draw_findings

PICTURES_PER_CODE = 24
_LINES_PER_CODE = 500
_LONG_SIDE = 380
_BESIDE_SIDE = 300  # of each of two pictures
_MOST_MARKS = 1000

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1240px; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .2rem; }
code { font-family: ui-monospace, monospace; } p { margin: .2rem 0 .6rem; } nav a { margin-right: 1rem; }
.shelf { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; max-width: 620px; } figure.text { flex-basis: 100%; max-width: none; }
img { display: inline-block; max-width: 100%; height: auto; vertical-align: top; margin-right: 4px; }
figcaption { font-size: 13px; max-width: 380px; overflow-wrap: anywhere; } .text figcaption { max-width: none; }
.pair figcaption { max-width: 604px; } .quiet { opacity: .7; } ul { font-size: 13px; overflow-wrap: anywhere; }
"""


def write_page(file: Path, title: str, judged: Judged, folder: Path) -> None:
    """Write all findings to ``file``, by code, problems first; images are read again, small, for those drawn.

    Places are named as they are below ``folder``.

    Of each code the first 24 findings have pictures and 500 more a line each; how many more there are is said.

    Raises:
        InputError: it cannot be written.
    """
    kinds = {"": judged.problems, "accepted": judged.accepted, "note": judged.notes}
    parts = [(code, kind, [f for f in found if f.code == code]) for kind, found in kinds.items() for code in CODES]
    parts = [part for part in parts if part[2]]
    with atomic_text(file) as out:
        out.write(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n"
            f"<p>{len(judged.problems):,} to look at, {len(judged.accepted):,} accepted, {len(judged.notes):,} notes. "
            f'<span style="color:rgb{POINT_RGB}">●</span> points, <span style="color:rgb{BOX_RGB}">■</span> boxes; '
            "gray is outside the image.</p>\n<nav>"
        )
        for number, (code, kind, found) in enumerate(parts):
            out.write(f'<a href="#s{number}">{code}{kind and f" ({kind})"} {len(found):,}</a> ')
        out.write("</nav>\n")
        for number, (code, kind, found) in enumerate(parts):
            aside = kind and f' <span class="quiet">{kind}</span>'
            out.write(f'<h2 id="s{number}"><code>{code}</code>{aside}</h2>\n')
            out.write(f'<p>{_text(CODES[code])}: {len(found):,}</p>\n<div class="shelf">\n')
            for finding in found[:PICTURES_PER_CODE]:
                out.write(_figure(finding, folder))
            out.write("</div>\n" + _rest(found[PICTURES_PER_CODE:], folder))
        if judged.stale:
            out.write("<h2>Accepted, and no longer there</h2>\n<ul>\n")
            for code, path in judged.stale:
                out.write(f"<li><code>{code}</code> {_text(path)}</li>\n")
            out.write("</ul>\n")
        out.write("</body></html>\n")


def _rest(findings: Sequence[Finding], folder: Path) -> str:
    """Those without pictures, a line each."""
    if not findings:
        return ""
    lines = [f"{_text(key_of(f, folder)[1])}: {_text(f.message)}" for f in findings[:_LINES_PER_CODE]]
    if len(findings) > _LINES_PER_CODE:
        lines.append(f"and {len(findings) - _LINES_PER_CODE:,} more")
    items = "".join(f"<li>{line}</li>\n" for line in lines)
    return f"<details><summary>{len(findings):,} more, without pictures</summary><ul>\n{items}</ul></details>\n"


def _figure(finding: Finding, folder: Path) -> str:
    caption = f"<figcaption>{_text(key_of(finding, folder)[1])}<br>{_text(finding.message)}</figcaption></figure>\n"
    side = _BESIDE_SIDE if finding.other else _LONG_SIDE
    places = [finding.path, *([finding.other] if finding.other else [])]
    pictures = [picture for place in places if (picture := _draw(finding, place, side)) is not None]
    if not pictures:
        return f'<figure class="text">{caption}'
    images = "".join(f'<img alt="" src="{_data_uri(picture)}">' for picture in pictures)
    kind = ' class="pair"' if finding.other else ""
    return f"<figure{kind}>{images}{caption}"


def _draw(finding: Finding, place: str, side: int) -> RgbImage | None:
    """The image at ``place`` in at most ``side`` pixels, with the finding's points and boxes; None if it is none."""
    read = _thumbnail(place, side)
    if read is None:
        return None
    picture, scale = read
    return draw_findings(picture, _array(finding.points_xy, 2) * scale, _array(finding.boxes_xyxy, 4) * scale)


def _thumbnail(place: str, side: int) -> tuple[RgbImage, float] | None:
    """The image in at most ``side`` pixels, and what one of its pixels has become."""
    try:
        if is_file(Path(place)):
            width, height = read_header(place).size_wh
            reduction = next((by for by in (8, 4, 2) if max(width, height) // by >= side), 1)
            pixels = read_reduced(place, reduction).pixels
        elif (frame := _video_frame(place)) is not None:
            width, height = frame.size_wh
            pixels = frame.pixels()
        else:
            return None
    except Exception:  # what is wrong with it stands in its finding
        return None
    scale = min(1.0, side / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), scale


def _video_frame(place: str) -> VideoFrame | None:
    path, _, number = place.rpartition("#")
    return Video(Path(path)).frame(int(number)) if number.isdecimal() and is_file(Path(path)) else None


def _array(rows: Numbers, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(rows[:_MOST_MARKS], np.float64).reshape(-1, width)


def _data_uri(picture: RgbImage) -> str:
    done, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert done
    return f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode('ascii')}"


def _text(text: str) -> str:
    """For HTML: what steers a terminal, turns the direction of writing or is no text is shown as Python writes it."""
    return escape(printable(text, keep="\n"))
