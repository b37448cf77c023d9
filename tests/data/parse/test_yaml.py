"""YAML is read as plain values, and what would be lost or grow without a word is refused by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.data.parse.yaml import read_yaml


def read(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    return read_yaml(tmp_path / "a.yaml", "settings file", max_bytes=200_000)


def test_plain_values_are_read(tmp_path: Path) -> None:
    text = "\ufeffa: {b: 1, c: [x, {b: 2}, {b: 3}]}\n? long\n: {1: [], 2: {}}\nb: a\n"
    assert read(tmp_path, text) == {
        "a": {"b": 1, "c": ["x", {"b": 2}, {"b": 3}]}, "long": {1: [], 2: {}}, "b": "a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: {c: 1, d: [x], c: 2}\n", "line 2: 'c' stands there twice"),
        ("a: &x [1]\nb: *x\n", "an alias"),
        ("a: " + "- " * 70_000, "settings file|valid YAML"),
        ("a:" + "\n- " + "[" * 5_000, "nested too deeply to be a settings file"),
        ("a: " + "9" * 5_000, "is no settings file"),
        ("? [1]\n: 2\n", "is no settings file|valid YAML"),
        ("1: 2\n", "lines such as"),
        ("a: !!python/object:os.system x\n", "no valid YAML"),
        ("a: " + "x" * 200_000, "over the limit of 200,000"),
    ],
)
def test_what_would_be_lost_or_grow_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"a\.yaml.*({words})"):
        read(tmp_path, text)
