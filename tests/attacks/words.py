"""Words that steer a terminal, that a spreadsheet computes, or that a page runs, where people read them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.attacks.attack import Attack, Told
from tests.attacks.make import ESCAPES, SCRIPT

from headcount.data.parse.csv import text_of_cell

_MODEL = ("--model", "tiny.onnx")
EVIL = f"a{ESCAPES}.png"
SUMS = (
    "=1+1.png",
    "+1.png",
    "-1.png",
    "@SUM(1).png",
    "\t=1.png",
    "\r=1.png",
    "＝1.png",
    "'=1.png",
    "=cmd|' C calc'!A0.png",
)
_COMPUTED = tuple("=+-@\t\r\n＝＋－＠")


def harmless(path: Path) -> list[list[str]]:
    """The rows of a table, none of whose cells a spreadsheet computes."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    for row in rows:
        for cell in row:
            assert not cell.startswith(_COMPUTED) or _is_number(cell), cell
    return rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts_are_plain(folder: Path, told: Told) -> None:
    rows = harmless(folder / "out.csv")
    assert {text_of_cell(row[0]) for row in rows[1:]} == {f"in/{name}" for name in SUMS} | {"=1+1.png"}


def _heads_are_plain(folder: Path, told: Told) -> None:
    from headcount.data.formats.head_list import read_points

    harmless(folder / "out.csv")
    assert [Path(str(scene.image)).name for scene in read_points(folder / "out.csv")] == ["=1+1.png"]


def _page_is_plain(folder: Path, told: Told) -> None:
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "\x1b" not in page


def _json_is_whole(folder: Path, told: Told) -> None:
    (one,) = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert one["source"] == EVIL


WORDS: tuple[Attack, ...] = (
    *(
        Attack(
            f"a file's name that steers {where}",
            ("count", EVIL, *_MODEL, "-o", "out.json"),
            {EVIL: "image.png"},
            "read",
            check=_json_is_whole,
            terminal=terminal,
        )
        for where, terminal in (("what is read", False), ("a terminal", True))
    ),
    *(
        Attack(
            f"a refused file's name that steers {where}",
            ("count", EVIL, *_MODEL),
            {EVIL: "trap.pkl"},
            says="not an image",
            terminal=terminal,
        )
        for where, terminal in (("what is read", False), ("a terminal", True))
    ),
    Attack(
        "skipped files' names that steer a terminal",
        ("count", ".", *_MODEL),
        {EVIL: "trap.pkl", f"b{EVIL}": "drawing.svg"},
        "left out",
        says="not an image",
        terminal=True,
    ),
    Attack(
        "a folder's name that steers a terminal",
        ("count", f"in{ESCAPES}", *_MODEL),
        {f"in{ESCAPES}/a.png": "trap.pkl"},
        says="not an image",
        terminal=True,
    ),
    Attack(
        "EXIF and comments that steer a terminal",
        ("count", "words.jpg", *_MODEL),
        {"words.jpg": "words.jpg"},
        "read",
        terminal=True,
    ),
    Attack(
        "a card that steers a terminal",
        ("count", "image.png", "-m", "m.onnx"),
        {"m.json": "words-card.json", "m.onnx": "trap.pkl"},
        says="m",
        terminal=True,
    ),
    *(
        Attack(
            f"annotations' words that steer a terminal, {kind}",
            ("datasets", "check", f"{kind}={name}", "--page", "page.html"),
            {name: name},
            must,
            check=_page_is_plain,
            says=kind,
            terminal=True,
        )
        for kind, name, must in (("coco", "words.json", "read"), ("points", "words.csv", "left out"))
    ),
    Attack(
        "a page of findings on names that are scripts",
        ("datasets", "check", "points=words.csv", "--page", "page.html"),
        {"words.csv": "words.csv", f"a{SCRIPT.replace('/', '')}.png": "trap.pkl"},
        "left out",
        check=_page_is_plain,
        says="points",
    ),
    *(
        Attack(
            f"a site that steers a terminal, {kept}",
            ("watch", "site.yaml", "--check"),
            {"site.yaml": kept},
            must,
            says=says,
            terminal=True,
        )
        for kept, must, says in (("words-site.yaml", "left out", "name"), ("sql-site.yaml", "left out", "queue.avi"))
    ),
    *(
        Attack(
            f"line ends in a {what} of a site",
            ("watch", "site.yaml", "--check"),
            {"site.yaml": f"lines-{what}.yaml"},
            "left out",
            says=says,
        )
        for what, says in (("site", "name"), ("camera", "name"), ("topic", "prefix"), ("webhook", "without spaces"))
    ),
    Attack(
        "names that are formulas in the table of counts",
        ("count", "in", "=1+1.png", *_MODEL, "-o", "out.csv"),
        {"=1+1.png": "image.png", **{f"in/{name}": "image.png" for name in SUMS}},
        "read",
        check=_counts_are_plain,
    ),
    Attack(
        "names that are formulas in the table of heads",
        ("datasets", "convert", "points=in.csv", "out.csv", "--to", "points"),
        {"in.csv": "formula.csv", "=1+1.png": "image.png"},
        "read",
        check=_heads_are_plain,
    ),
    Attack(
        "an option as a file's name",
        ("count", ".", *_MODEL, "-o", "out.json"),
        {"--force.png": "image.png", "-o.png": "image.png"},
        "read",
    ),
    Attack(
        "a command as a file's name",
        ("count", ".", *_MODEL),
        {
            "$(mkdir headcount-was-here).png": "image.png",
            "`mkdir headcount-was-here`;.png": "image.png",
            "| mkdir headcount-was-here.png": "image.png",
        },
        "read",
    ),
)
