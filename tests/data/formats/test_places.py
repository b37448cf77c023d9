"""Where no link can be made, copies are advised; where nothing can be written, another place."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.data.formats.places import put_image


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (OSError(errno.EPERM, "Operation not permitted"), "copy the images", "copy_images"),
        (NotImplementedError("no links"), "copy the images", "copy_images"),
        (ValueError("path is on mount 'D:'"), "copy the images", "copy_images"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left.*choose another place", ""),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only.*choose another place", ""),
    ],
)
def test_what_keeps_a_link_from_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, remedy: str
) -> None:
    def fails(path: Path, target: str) -> None:
        raise error

    (tmp_path / "a.png").write_bytes(b"image")
    monkeypatch.setattr(Path, "symlink_to", fails)
    with pytest.raises(InputError, match=words) as told:
        put_image(tmp_path / "a.png", tmp_path / "set" / "a.png", copy=False)
    assert told.value.remedy == remedy
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["a.png"]
