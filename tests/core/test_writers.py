"""A file's suffix finds its writer; a row says what its files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.writers import WRITERS, TextWriter, writer_row

IMAGE = np.zeros((24, 32, 3), np.uint8)


def _heads() -> Prediction:
    boxes = np.array([[2.0, 2, 8, 9], [12, 3, 17, 9]])
    return Prediction(
        2,
        (32, 24),
        np.array([[5.0, 5.5], [14.5, 6]]),
        "heads",
        np.array([0.5, 0.9]),
        boxes,
        density=np.full((3, 4), 1 / 6, np.float32),
        density_stride=8,
        source="7.jpg",
    )


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.json", ".json"),
        ("A.JSONL", ".jsonl"),
        ("a.b.csv", ".csv"),
        ("a.coco.json", ".coco.json"),
        (".coco.json", ".json"),
    ],
)
def test_the_longest_suffix_after_a_name_finds_the_writer(name: str, suffix: str) -> None:
    assert writer_row(Path("folder") / name).name == suffix


@pytest.mark.parametrize(("name", "words"), [("a.jsn", r'Did you mean "\.json'), ("a", "Known"), (".json", "Known")])
def test_a_suffix_that_is_none_names_the_nearest(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        writer_row(Path(name))


def test_pictures_hold_no_many() -> None:
    assert writer_row(Path("a.png")).name == ".png"
    with pytest.raises(InputError, match=r'"a\.png" would hold one image.*\.jsonl, \.csv'):
        writer_row(Path("a.png"), many=True)


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_writer_keeps_its_contract(tmp_path: Path, suffix: str) -> None:
    row = WRITERS[suffix]
    writer = row.load()
    assert isinstance(writer, TextWriter) == row.many
    content = writer.one(_heads(), IMAGE)
    assert content
    assert _heads().save(tmp_path / f"7{suffix}", image=IMAGE).read_bytes() == content
    if row.boxes or row.points:
        nobody = Prediction(0, (32, 24), points_kind="heads", boxes_xyxy=np.zeros((0, 4)), source="7.jpg")
        assert writer.one(nobody, IMAGE) != content
