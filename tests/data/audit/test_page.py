"""The page of findings: it holds every finding, draws what was found, and asks for nothing from elsewhere."""

from __future__ import annotations

import base64
import io
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.data.audit.accepted import judge
from headcount.data.audit.findings import CODES, NOTES, Finding
from headcount.data.audit.page import PICTURES_PER_CODE, write_page


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a <b>.png"
    Image.new("RGB", (800, 400), (10, 20, 30)).save(path)
    return path


def page_of(findings: list[Finding], folder: Path) -> str:
    write_page(folder / "page.html", "set=x", judge(findings, {}, folder), folder)
    return (folder / "page.html").read_text(encoding="utf-8")


def test_a_page_without_findings(tmp_path: Path) -> None:
    assert "0 to look at" in page_of([], tmp_path)


def test_every_code_and_finding_is_on_the_page(tmp_path: Path, image: Path) -> None:
    findings = [Finding(code, str(image), f"message & <{code}>", points_xy=((5, 5),)) for code in CODES]
    page = page_of(findings, tmp_path)
    for finding in findings:
        assert f"<br>message & <{finding.code}>" in unescape(page)
    assert page.count("<img ") == len(CODES)
    assert page.count(">note<") == len(NOTES)
    assert "a &lt;b&gt;.png" in page
    assert str(tmp_path) not in page


def test_the_page_needs_nothing_else(tmp_path: Path, image: Path) -> None:
    page = page_of([Finding("duplicate", str(image), "x", other=str(image))], tmp_path)
    assert set(re.findall(r'(?:src|href)="(data:image/jpeg;base64,|#s\d+|.*?)[^"]*"', page)) <= {
        "data:image/jpeg;base64,", "#s0",
    }  # fmt: skip
    assert "<script" not in page
    assert "http" not in page
    assert page.count("<img ") == 2


def test_more_findings_than_pictures_are_lines(tmp_path: Path, image: Path) -> None:
    findings = [Finding("point-outside", str(image), f"number {k};", points_xy=((5, 5),)) for k in range(600)]
    page = page_of(findings, tmp_path)
    assert page.count("<img ") == PICTURES_PER_CODE
    assert f"{600 - PICTURES_PER_CODE} more, without pictures" in page
    assert "number 523;" in page
    assert "and 76 more" in page


def test_what_has_no_picture_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    findings = [Finding("unreadable-image", str(tmp_path / "broken.jpg"), "damaged"), Finding("empty", "none", "empty")]
    page = page_of(findings, tmp_path)
    assert "<img " not in page
    assert "damaged" in page


def test_points_are_drawn_in_the_thumbnail(tmp_path: Path, image: Path) -> None:
    page = page_of([Finding("point-outside", str(image), "", points_xy=((-40, 100),))], tmp_path)
    coded = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    with Image.open(io.BytesIO(base64.b64decode(coded[0]))) as picture:
        assert picture.size == (380 + 2 * 31, 190)  # half the size, and a margin for the point
        rows, columns = np.nonzero(np.asarray(picture)[..., 0] > 150)
    assert (rows.mean(), columns.mean()) == pytest.approx((47.5, 12), abs=1.5)


def test_signs_that_steer_a_terminal_or_turn_the_writing_are_shown_as_text(tmp_path: Path) -> None:
    page = page_of([Finding("missing-image", str(tmp_path / "a\x1b[2J\u202egpj.png"), "it is <\x07>")], tmp_path)
    assert r"a\x1b[2J\u202egpj.png" in page
    assert r"it is &lt;\x07&gt;" in page
    assert not {"\x1b", "\x07", "\u202e"} & set(page)
