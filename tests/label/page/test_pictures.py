"""Images as the page sees them: listed, refused with a reason, and cut into tiles that lie where they belong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.label.page import pictures as pages
from headcount.label.page.pictures import TILE_PX, Pictures, ReplacedError, halved, image_names


def pixels_of(tile: bytes | None) -> np.ndarray:
    assert tile is not None
    return np.asarray(Image.open(io.BytesIO(tile)).convert("RGB"))


def test_images_are_listed_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.png", "x.jp2", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.jpg").touch()
    assert image_names(tmp_path) == ["9.png", "10.jpg", "x.jp2"]
    assert image_names(tmp_path, recursive=True) == ["9.png", "10.jpg", "x.jp2", "in/1.jpg"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no image"):
        image_names(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        image_names(tmp_path / "gone")


def test_what_cannot_be_read_is_told_without_its_folder(bad_images: dict[str, tuple[Path, str]]) -> None:
    folder = next(iter(bad_images.values()))[0].parent
    pictures = Pictures(folder, list(bad_images))
    for index, (name, (_, words)) in enumerate(bad_images.items()):
        if name.startswith("cut"):  # its header is whole
            assert pictures.look(index).problem == ""
            with pytest.raises(InputError, match=words):
                pictures.tile(index, 0, 0, 0)
        problem = pictures.look(index).problem
        assert problem != ""
        assert str(folder) not in problem


def test_a_damaged_image_is_known_as_such_until_its_file_changes(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (90, 90, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:3000])
    pictures = Pictures(tmp_path, ["a.png"])
    with pytest.raises(InputError, match="damaged"):
        pictures.tile(0, 0, 0, 0)
    assert "damaged" in pictures.look(0, anew=True).problem
    (tmp_path / "a.png").write_bytes(whole)
    assert pictures.tile(0, 0, 0, 0) is not None


def test_tiles_put_together_are_the_image(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(700), np.arange(1100))[..., None] // 8 * np.ones(3, np.int64)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "a.png")
    pictures = Pictures(tmp_path, ["a.png"])
    size = pictures.look(0).size_wh
    assert pictures.levels(size) == 4
    for level in range(4):
        width, height = (-(-side // 2**level) for side in size)
        rows = range(-(-height // TILE_PX))
        columns = range(-(-width // TILE_PX))
        tiles = [[pixels_of(pictures.tile(0, level, c, r)) for c in columns] for r in rows]
        whole = np.concatenate([np.concatenate(row, axis=1) for row in tiles])
        assert whole.shape == (height, width, 3)
        # The middle of each pixel of the level is the ramp there.
        centre = (np.add.outer(np.arange(height), np.arange(width)) * 2**level + (2**level - 1)) // 8
        inner = np.s_[: height - 1, : width - 1]
        assert np.abs(whole[..., 0].astype(int) - centre)[inner].max() <= 6
    for beyond in ((4, 0, 0), (0, 3, 0), (0, 0, 2)):
        assert pictures.tile(0, *beyond) is None


def test_images_are_upright(odd_images: dict[str, tuple[Path, tuple[int, int], tuple[int, int, int]]]) -> None:
    path, size, colour = odd_images["turned.jpg"]
    pictures = Pictures(path.parent, [path.name])
    assert pictures.look(0).size_wh == size
    assert np.abs(pixels_of(pictures.tile(0, 0, 0, 0))[2, 2].astype(int) - colour).max() < 12


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (250, 0, 0)).save(tmp_path / "a.png")
    pictures = Pictures(tmp_path, ["a.png"])
    assert pixels_of(pictures.tile(0, 0, 0, 0))[5, 5, 0] > 200
    Image.new("RGB", (40, 30), (0, 0, 250)).save(tmp_path / "a.png")
    assert pixels_of(pictures.tile(0, 0, 0, 0)).shape == (30, 40, 3)


def test_tiles_of_two_files_are_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (20, 10), (250, 0, 0)).save(tmp_path / "a.png")
    pictures = Pictures(tmp_path, ["a.png"])
    version = pictures.look(0).version
    assert pictures.tile(0, 0, 0, 0, version=version) is not None
    Image.new("RGB", (40, 30), (0, 0, 250)).save(tmp_path / "a.png")
    with pytest.raises(ReplacedError, match="open it anew"):
        pictures.tile(0, 0, 0, 0, version=version)
    # Nor where the file is replaced between the look at its header and the reading of its pixels.
    read = pages.read_image

    def read_late(path: Path, **settings: Any) -> Any:
        Image.new("RGB", (40, 30), (0, 250, 0)).resize((50, 30)).save(path)
        return read(path, **settings)

    monkeypatch.setattr(pages, "read_image", read_late)
    with pytest.raises(ReplacedError):
        pictures.tile(0, 0, 0, 0)


def test_memory_is_bounded(tmp_path: Path) -> None:
    for name in "abc":
        Image.new("RGB", (600, 600)).save(tmp_path / f"{name}.png")
    pictures = Pictures(tmp_path, ["a.png", "b.png", "c.png"], cache_bytes=3_000_000, tile_bytes=20_000)
    for index in (0, 1, 2, 0):
        for column in (0, 1):
            pictures.tile(index, 0, column, 0)
    assert pictures._pyramids._held <= 3_000_000
    assert pictures._tiles._held <= 20_000


def test_an_odd_side_is_repeated() -> None:
    assert halved(np.array([[[9], [9], [4]]] * 3, np.uint8))[..., 0].tolist() == [[9, 4], [9, 4]]
