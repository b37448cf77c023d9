"""Labels out of the database and into it: every format, nothing overwritten, every box with how it came to be."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_boxes, write_points
from headcount.data.formats.table import FORMATS
from headcount.data.sets.convert import convert_scenes
from headcount.data.sets.registry import read_dataset
from headcount.label.page import exchange
from headcount.label.page.boxes import region_of
from headcount.label.page.exchange import export_labels, import_labels, things_of
from headcount.label.page.server import DATABASE
from headcount.label.page.store import Store, Stroke

WRITTEN = [row.name for row in FORMATS.rows() if row.writes]
OUT = {"boxes": "out.json", "points": "out.csv", "coco": "out.json", "cvat": "out.xml"}


@pytest.fixture
def labelled(folder: Path) -> Path:
    """Two presets, a head between them and one that a model boxed on a.png, with a region; b.png is done and empty."""
    store = Store(folder / DATABASE)
    a, b, _ = store.images(["a.png", "b.png", "c.jpg"])
    things: dict[str, Any] = {
        "far": {"t": "head", "x": 20.0, "y": 20.0, "box": [16.0, 16.0, 24.0, 24.0], "made": "annotated"},
        "between": {"t": "head", "x": 20.0, "y": 60.0},
        "near": {"t": "head", "x": 20.0, "y": 100.0, "box": [12.0, 92.0, 28.0, 108.0], "made": "annotated"},
        "model": {"t": "head", "x": 90.0, "y": 50.0, "box": [85.0, 44.0, 95.0, 56.0], "made": "pseudo"},
        "maybe": {"t": "suggestion", "x": 5.0, "y": 5.0},
        "region": {"t": "area", "rings": [[[0.0, 0.0], [100.0, 0.0], [100.0, 120.0], [0.0, 120.0]]]},
    }
    store.write(a.id, [Stroke("stroke1", "do", things)], person="ann", size_wh=(160, 120))
    store.write(b.id, [Stroke("stroke2", "do", {"done": {"t": "done"}})], person="ann", size_wh=(160, 120))
    store.close()
    return folder


@pytest.mark.parametrize("form", WRITTEN)
def test_every_format_gives_the_labels_back(labelled: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out" / OUT.get(form, "")
    exported = export_labels(labelled, out, form)
    assert exported.report.images == 2
    scenes = {Path(str(scene.image)).name: scene for scene in read_dataset(f"{form}={out}", "all")}
    assert set(scenes) == {"a.png", "b.png"}
    scene = scenes["a.png"]
    assert scene.count == 4
    assert scenes["b.png"].count == 0
    holds = FORMATS[form].holds_at(out)
    order = np.argsort(scene.points_xy[:, 0] * 1000 + scene.points_xy[:, 1])
    if holds.points:
        assert scene.points_xy[order].tolist() == [[20, 20], [20, 60], [20, 100], [90, 50]]
    if holds.boxes:
        assert scene.boxes_xyxy is not None
        boxes = scene.boxes_xyxy[order]
        expected = [[16, 16, 24, 24], [14, 54, 26, 66], [12, 92, 28, 108], [85, 44, 95, 56]]
        assert np.allclose(boxes, expected, atol=0.02)
    if holds.boxes and holds.provenance:
        made = [scene.box_provenance[row] for row in order]
        assert made == ["annotated", "interpolated", "annotated", "pseudo"]
    if holds.region:
        assert scene.region is not None
        assert scene.region.sum() == 100 * 120


@pytest.mark.parametrize("form", WRITTEN)
def test_every_format_is_read_in_and_comes_out_the_same(folder: Path, tmp_path: Path, form: str) -> None:
    holds = FORMATS[form].holds_at(tmp_path / OUT.get(form, "x"))
    points = np.array([[30.5, 40.25], [80.0, 90.0], [120.0, 30.0]])
    half = np.array([6.0, 8.0])
    boxes = np.concatenate([points - half, points + half], axis=1) if holds.boxes else None
    made: Any = ("annotated", "interpolated", "pseudo") if holds.boxes and holds.provenance else ()
    source = tmp_path / "in" / OUT.get(form, "")
    scene = Scene(folder / "a.png", points, boxes, made, name="a")
    convert_scenes([scene, Scene(folder / "b.png", name="b")], form, source)
    result = import_labels(folder, f"{form}={source}")
    assert (result.images, result.heads, result.kept, result.strangers) == (2, 3, [], [])
    out = tmp_path / "again" / OUT.get(form, "")
    export_labels(folder, out, form)
    read = {Path(str(one.image)).name: one for one in read_dataset(f"{form}={out}", "all")}
    assert np.allclose(read["a.png"].points_xy, points, atol=0.02)
    if boxes is not None:
        assert read["a.png"].boxes_xyxy is not None
        assert np.allclose(read["a.png"].boxes_xyxy, boxes, atol=0.02)
    if made:
        assert read["a.png"].box_provenance == made
    assert read["b.png"].count == 0


def test_formats_that_are_only_read_are_read_in(folder: Path, tmp_path: Path) -> None:
    via = tmp_path / "via.csv"
    via.write_text(
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        'a.png,-1,"{}",1,0,"{""name"":""point"",""cx"":30,""cy"":40}","{}"\n',
        encoding="utf-8",
    )
    (tmp_path / "a.png").symlink_to(folder / "a.png")
    assert import_labels(folder, f"via={via}").heads == 1


def test_work_that_is_there_is_not_overwritten_unasked(labelled: Path, tmp_path: Path) -> None:
    source = write_points([Scene(labelled / "a.png", np.array([[1.0, 1.0]]))], tmp_path / "points.csv")
    result = import_labels(labelled, f"points={source}")
    assert (result.images, result.kept) == (0, ["a.png"])
    assert len(Store(labelled / DATABASE).document(1).things) == 6
    result = import_labels(labelled, f"points={source}", overwrite=True)
    assert (result.images, result.heads) == (1, 1)
    store = Store(labelled / DATABASE)
    assert len(store.document(1).things) == 1
    # What was there is still in the strokes: undoing the import brings it back.
    store.write(1, [Stroke("undo1", "undo")], person="import")
    assert len(store.document(1).things) == 6


def test_images_elsewhere_are_named(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "other.png")
    scenes = [Scene(tmp_path / "other.png", np.array([[1.0, 1.0]]), name="other")]
    source = write_points([*scenes, Scene(folder / "a.png", np.array([[2.0, 2.0]]))], tmp_path / "points.json")
    result = import_labels(folder, f"points={source}")
    assert (result.images, len(result.strangers)) == (1, 1)
    with pytest.raises(InputError, match="No image of"):
        import_labels(folder, f"points={write_points(scenes, tmp_path / 'only.csv')}")


def test_nothing_labelled_is_nothing_to_export(folder: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no labels"):
        export_labels(tmp_path, tmp_path / "out.csv", "points")
    assert export_labels(labelled, tmp_path / "done.csv", "points", done_only=True).report.images == 1
    (labelled / "a.png").unlink()
    exported = export_labels(labelled, tmp_path / "rest.csv", "points")
    assert exported.report.images == 1
    assert [one.name for one in exported.skipped] == ["a.png"]


def test_boxes_without_presets_are_left_out_of_points_alone(folder: Path, tmp_path: Path) -> None:
    source = write_points([Scene(folder / "a.png", np.array([[9.0, 9.0]]))], tmp_path / "points.csv")
    import_labels(folder, f"points={source}")
    with pytest.raises(InputError, match="holds heads as boxes"):
        export_labels(folder, tmp_path / "boxes.csv", "boxes")
    export_labels(folder, tmp_path / "coco.json", "coco")
    (scene,) = read_dataset(f"coco={tmp_path / 'coco.json'}", "all")
    assert scene.count == 1


def test_a_box_outside_its_point_stays_its_own(folder: Path, tmp_path: Path) -> None:
    scene = Scene(
        folder / "a.png", np.array([[9.0, 9.0], [50.0, 50.0]]), np.array([[40.0, 40, 60, 60], [4, 4, 12, 12]])
    )
    source = write_boxes([scene], tmp_path / "boxes.csv")
    import_labels(folder, f"boxes={source}")
    export_labels(folder, tmp_path / "again.csv", "boxes")
    (read,) = read_dataset(f"boxes={tmp_path / 'again.csv'}", "all")
    assert read.boxes_xyxy is not None
    assert read.boxes_xyxy.tolist() == [[40, 40, 60, 60], [4, 4, 12, 12]]


def test_masks_of_regions_are_made_one_at_a_time(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(folder / DATABASE)
    area = {"t": "area", "rings": [[[0.0, 0.0], [100.0, 0.0], [100.0, 120.0]]]}
    names = [f"{number}.png" for number in range(12)]
    for name in names:
        Image.new("RGB", (160, 120)).save(folder / name)
    for row in store.images(names):
        things = {"r": area, "h": {"t": "head", "x": 5.0, "y": 5.0}}
        store.write(row.id, [Stroke(f"s{row.id}", "do", things)], person="ann", size_wh=(160, 120))
    store.close()
    held: list[weakref.ref[Any]] = []
    most = 0

    def watched(*given: Any) -> Any:
        nonlocal most
        mask = region_of(*given)
        held.append(weakref.ref(mask))
        most = max(most, sum(one() is not None for one in held))
        return mask

    monkeypatch.setattr(exchange, "region_of", watched)
    export_labels(folder, tmp_path / "out.json", "coco", copy_images=True)
    assert len(held) >= 12
    assert most <= 4  # the one that is being made, and the last ones of loops
    for scene in read_dataset(f"coco={tmp_path / 'out.json'}", "all"):
        assert scene.region is not None
        assert 0.3 < scene.region.mean() < 0.4


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names of files are text there")
def test_names_that_are_no_text_are_left_out_and_said(labelled: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd\xff.png")
    (labelled / "a.png").rename(labelled / odd)
    exported = export_labels(labelled, tmp_path / "out.csv", "points")
    assert (exported.report.images, [one.name for one in exported.skipped]) == (1, ["a.png"])
    source = tmp_path / "points.json"  # our writers refuse such names, others may not
    named = [{"file": str(labelled / name), "points": [[1.0, 1.0]]} for name in (odd, "b.png")]
    source.write_text(json.dumps({"images": named[:1]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"odd\\xff.png.* is no UTF-8: rename the file"):
        import_labels(labelled, f"points={source}")
    source.write_text(json.dumps({"images": named}), encoding="utf-8")
    result = import_labels(labelled, f"points={source}", overwrite=True)
    assert (result.images, [one.name for one in result.skipped]) == (1, [odd])


def test_a_region_that_is_too_fine_leaves_out_its_own_image(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_CORNERS", 3)
    region = np.zeros((120, 160), np.bool_)
    region[10:50, 10:50] = True
    scenes = [Scene(folder / "a.png", np.array([[9.0, 9.0]]), region=region, name="a")]
    scenes.append(Scene(folder / "b.png", np.array([[9.0, 9.0], [20.0, 20.0]]), name="b"))
    convert_scenes(scenes, "coco", tmp_path / "in.json")
    result = import_labels(folder, f"coco={tmp_path / 'in.json'}")
    assert (result.images, result.heads, [one.name for one in result.skipped]) == (1, 2, ["a.png"])
    assert 'The region of interest of "' in result.skipped[0].text
    convert_scenes(scenes[:1], "coco", tmp_path / "one.json")
    with pytest.raises(InputError, match="has an area of more than 3 corners"):
        import_labels(folder, f"coco={tmp_path / 'one.json'}")


def test_labels_in_a_folder_that_cannot_be_written_to_are_exported(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = (labelled / DATABASE).read_bytes()
    connect = sqlite3.connect
    asked: list[str] = []

    def read_only(place: Any, **settings: Any) -> Any:
        asked.append(str(place))
        if not str(place).startswith("file:"):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        if "mode=ro" in str(place):  # SQLite would make a file beside it
            return connect(f"file:{tmp_path}/nowhere/x?mode=ro", **settings)
        return connect(place, **settings)

    assert export_labels(labelled, tmp_path / "one.csv", "points").report.images == 2
    names = sorted(each.name for each in labelled.iterdir())
    monkeypatch.setattr(sqlite3, "connect", read_only)
    assert export_labels(labelled, tmp_path / "out.csv", "points").report.images == 2
    assert [place.rpartition("?")[2] for place in asked] == ["mode=ro", "immutable=1"]
    assert sorted(each.name for each in labelled.iterdir()) == names
    assert (labelled / DATABASE).read_bytes() == base
    # What is only in the log beside it is not left out without a word.
    (labelled / f"{DATABASE}-wal").write_bytes(b"strokes")
    with pytest.raises(InputError, match="cannot be read or written"):
        export_labels(labelled, tmp_path / "again.csv", "points")


@settings(max_examples=60)
@given(mask=arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_a_region_of_pixels_comes_back_pixel_by_pixel(mask: np.ndarray) -> None:
    pixels = np.zeros((*mask.shape, 3), np.uint8)
    size = (mask.shape[1], mask.shape[0])
    things = things_of(Scene(pixels, region=mask))
    found = region_of({key: thing for key, thing in things.items() if thing is not None}, size)
    if mask.any() and not mask.all():
        assert found is not None
        assert (found == mask).all()
