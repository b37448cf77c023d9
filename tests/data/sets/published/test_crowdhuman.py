"""CrowdHuman: what is its own beside ``test_every_set``; layout: crowdhuman.org/download.html."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.data.sets.published.crowdhuman import list_crowdhuman, parse_line
from headcount.data.sets.registry import read_dataset

HERE = Path("annotation_train.odgt")


def person(hbox: object, *, tag: str = "person", **more: object) -> dict[str, Any]:
    return {"tag": tag, "hbox": hbox, "extra": {"box_id": 0}, "head_attr": {"ignore": 0}, **more}


def line(name: str, *persons: dict[str, Any]) -> str:
    return json.dumps({"ID": name, "gtboxes": list(persons)}) + "\n"


PERSONS = (
    person([4, 2, 10, 12]),
    person([-3, -2, 6, 6]),
    person([5, 5, 0, 4]),
    person([8, 8, 4, 4], head_attr={"ignore": 1}),
    person([8, 8, 4, 4], extra={"ignore": 1, "box_id": 3}),
    person([0, 0, 0, 0], tag="mask"),
)


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    return write_set("crowdhuman")


@pytest.mark.parametrize("folder", ["Images", "CrowdHuman_train01/Images"])
def test_heads_are_read_and_ignored_ones_counted_apart(root: Path, folder: str) -> None:
    (root / "annotation_train.odgt").write_text("\n" + line("273271,a", *PERSONS) + line("273271,b"))
    (root / folder).parent.mkdir(exist_ok=True)
    (root / "CrowdHuman_train/Images").rename(root / folder)
    raw = list_crowdhuman(root).scenes[0].read()
    assert raw.boxes_xyxy is not None
    assert raw.boxes_xyxy.tolist() == [[4, 2, 14, 14], [-3, -2, 3, 4], [5, 5, 5, 9]]
    assert raw.ignored == 3
    assert raw.where == ("line 2, gtboxes[0]", "line 2, gtboxes[1]", "line 2, gtboxes[2]")
    train = read_dataset(f"crowdhuman={root}", "train")
    assert [(scene.name, scene.count) for scene in train] == [
        ("crowdhuman/train/273271,a", 2), ("crowdhuman/train/273271,b", 0),
    ]  # fmt: skip
    assert train[0].points_xy.tolist() == [[9, 8], [0, 1]]


def test_images_without_annotation_are_listed_where_their_archive_tells_their_split(root: Path) -> None:
    found = list_crowdhuman(root).scenes[-1]
    assert (found.name, found.split, found.annotation) == ("test/99,d", "test", None)
    (root / "CrowdHuman_test").rename(root / "all")
    assert "99,d" not in [scene.name[-4:] for scene in list_crowdhuman(root).scenes]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (line("a") + line("a"), ['line 2: the ID "a"', "line 1 already"]),
        (line("a") + "{}\n", ['line 2: an "ID"']),
        ("{\n", ["line 1", "no valid JSON"]),
        ("[1]\n", ["line 1", '{"ID"']),
        (line("../../x"), ["line 1", '"ID"']),
        ('{"ID": 7}\n', ["line 1", '"ID"']),
    ],
)
def test_a_line_without_its_id_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "annotation_train.odgt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list_crowdhuman(tmp_path)
    for word in ["annotation_train.odgt", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"ID": "a"}', ["gtboxes: a list was expected, got None"]),
        ('{"gtboxes": [7]}', ["gtboxes[0]: an object"]),
        (line("a", PERSONS[0], person([1, 2, 3])), ["gtboxes[1].hbox: [x, y, width, height]"]),
        (line("a", person([1, 2, -3, 4])), ["must not be negative"]),
        (line("a", person([1, 2, 3, 4], head_attr=[])), ["gtboxes[0].head_attr: an object"]),
    ],
)
def test_a_malformed_head_is_named_with_line_and_key(text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_line(HERE, 5, text.encode())
    for word in ["annotation_train.odgt", "line 5", *words]:
        assert word in str(caught.value)
