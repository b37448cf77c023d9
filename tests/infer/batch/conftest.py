"""Small pictures, one opened model, and what two tables of a batch must have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from headcount.synth import paint_scene

pa = pytest.importorskip("pyarrow", reason="batches need the batch extra")

from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.settings import BatchSettings  # noqa: E402


def same_rows(one: pa.Table, other: pa.Table) -> bool:
    """All but the time they took is the same."""
    return bool(one.drop_columns("seconds").equals(other.drop_columns("seconds")))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve photographs, the fifth of which is damaged and the ninth of which is not there."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number:02d}.jpg" for number in range(12)]
    for number, path in enumerate(paths):
        picture = paint_scene(number, size_wh=(96, 64), count=3 + number).pixels()
        Image.fromarray(picture).save(path, quality=92)
    paths[4].write_bytes(paths[4].read_bytes()[:200])
    paths[8].unlink()
    return paths


@pytest.fixture(scope="session")
def entries(photos: list[Path]) -> list[Entry]:
    return [Entry(str(path)) for path in photos]


@pytest.fixture(scope="session")
def settings() -> BatchSettings:
    return BatchSettings(model="headcount-n", precision="f32", threads=1)


@pytest.fixture(scope="session")
def counter(settings: BatchSettings) -> RowCounter:
    return RowCounter(settings)
