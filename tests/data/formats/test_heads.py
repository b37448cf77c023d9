"""Which box belongs to which head, and names of files that do not meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.heads import annotation_of, heads_of
from headcount.data.formats.places import place_names, put_image


def test_nobody_is_an_image_without_boxes_and_points() -> None:
    annotation = annotation_of(heads_of(Scene(np.zeros((4, 4, 3), np.uint8))))
    assert annotation.boxes_xyxy is not None
    assert annotation.boxes_xyxy.shape == (0, 4)
    assert annotation.heads_xy.shape == (0, 2)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.text(min_size=1, max_size=6), max_size=6), st.booleans())
def test_no_two_images_are_placed_in_one_file(names: list[str], flat: bool) -> None:
    scenes = [Scene(Path("x.jpg"), name=name) for name in names]
    found = place_names(scenes, ["train"] * len(names), flat=flat)
    assert len({name.casefold() for name in found}) == len(names)
    assert not any(part in ("", ".", "..") for name in found for part in name.split("/"))
    assert not flat or not any("/" in name or " " in name for name in found)


def test_where_no_link_can_be_made_copies_are_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")

    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(InputError, match="copy the images"):
        put_image(tmp_path / "a.png", tmp_path / "out" / "a.png", copy=False)
    assert not list((tmp_path / "out").iterdir())
