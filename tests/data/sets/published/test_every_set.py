"""What holds for every published set, tried on a miniature of each (``conftest``)."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.audit.findings import Finding
from headcount.data.formats.finish import finish
from headcount.data.formats.raw import RawScene
from headcount.data.sets.catalogue import SETS
from headcount.data.sets.registry import DATA_SETS, list_dataset, read_dataset

pytestmark = pytest.mark.slow

NAMES = list(SETS)
READERS = [name for name, row in SETS.items() if name == next(n for n in SETS if SETS[n].target == row.target)]
"""One name of each reader."""
PARTS = {
    "beijing-brt": (5, 1, 2, "1-20170411"), "crohd": (6, 2, 2, "HT21-01"), "crowdhuman": (2, 1, 1, ""),
    "fdst": (15, 3, 6, "train/1"), "gcc": (4, 2, 2, "scene_00"), "gcc-camera": (4, 2, 2, "scene_00"),
    "gcc-random": (3, 1, 4, "scene_00"), "gta-head": (8, 2, 4, "scene_01"), "jhu-crowd": (2, 1, 1, ""),
    "jhu-crowd++": (2, 1, 1, ""), "mall": (8, 2, 1, ""), "nwpu-crowd": (2, 1, 0, ""), "scut-head-a": (1, 1, 1, ""),
    "scut-head-b": (1, 1, 1, ""), "shanghaitech-a": (2, 60, 3, ""), "shanghaitech-b": (2, 80, 3, ""),
    **{f"ucf-cc-50-fold{number}": (32, 8, 10, "") for number in range(1, 6)}, "ucf-qnrf": (18, 2, 2, ""),
    "ucsd": (5, 1, 3, ""), "worldexpo10": (8, 2, 4, "100001"),
}  # fmt: skip
"""How many scenes of a miniature are for training, validation and test, and the group of the first."""
Write = Callable[[str], Path]
Miniatures = Mapping[str, Any]


def names_of(name: str, path: Path) -> list[str]:
    return [scene.name for scene in DATA_SETS[name].list_raw(path).scenes if scene.image is not None]


def scene_of(name: str, root: Path, scene: str) -> RawScene:
    return next(raw for raw in DATA_SETS[name].list_raw(root).scenes if raw.name == scene)


def part(name: str, root: Path, split: str) -> list[RawScene]:
    """The scenes of a split; none of a test whose labels are not published."""
    if split == "test" and "labels of test are not" in SETS[name].splits.says:
        with pytest.raises(InputError, match="not published"):
            list_dataset(f"{name}={root}", split)
        return []
    return list_dataset(f"{name}={root}", split)


def test_every_set_has_a_miniature(miniatures: Miniatures) -> None:
    assert miniatures.keys() == SETS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_read(name: str, write_set: Write, miniatures: Miniatures) -> None:
    root, expected = write_set(name), miniatures[name]
    raw = scene_of(name, root, expected.scene)
    assert (raw.image, raw.annotation) == (root / expected.image, root / expected.annotation)
    scene = finish(raw, data=name)
    assert scene.name == f"{name}/{expected.scene}"
    assert scene.points_xy.tolist() == [list(point) for point in expected.heads]
    assert pickle.loads(pickle.dumps(raw)).read().heads_xy.tolist() == scene.points_xy.tolist()  # in another process
    assert [scene.name for scene in read_dataset(f"{name}={root}", "val")]
    assert not DATA_SETS[name].list_raw(root).remarks


@pytest.mark.parametrize("name", READERS)
def test_a_mark_and_blank_lines_at_the_end_change_nothing(name: str, write_set: Write) -> None:
    root = write_set(name)

    def heads() -> list[tuple[str, object]]:
        scenes = DATA_SETS[name].list_raw(root).scenes
        return [(raw.name, raw.read().heads_xy.tolist()) for raw in scenes if raw.annotation and raw.image]

    before = heads()
    texts = [path for path in root.rglob("*") if path.suffix in (".txt", ".json", ".odgt", ".xml", ".ini", ".csv")]
    for path in texts:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n \r\n\n")
    assert heads() == before


@pytest.mark.parametrize("name", NAMES)
def test_its_splits_are_disjoint_whole_and_the_same_on_every_call(name: str, write_set: Write) -> None:
    root = write_set(name)
    scenes = {split: part(name, root, split) for split in ("train", "val", "trainval", "test", "all")}
    names = {split: [scene.name for scene in found] for split, found in scenes.items()}
    sizes = tuple(len(names[split]) for split in ("train", "val", "test"))
    assert (*sizes, scenes["trainval"][0].group) == PARTS[name]
    assert {found for found in names["all"] if found.startswith("test/")} <= set(names["test"])
    assert not set(names["train"]) & set(names["val"])
    assert sorted(names["train"] + names["val"]) == sorted(names["trainval"])
    assert not set(names["trainval"]) & set(names["test"])
    assert sorted(names["trainval"] + names["test"]) == sorted(names["all"]) == sorted(names_of(name, root))
    assert all(scene.split != "test" for scene in scenes["trainval"])
    if "validation is the last" not in SETS[name].splits.says:  # of one video
        groups = {split: {scene.group for scene in found if scene.group} for split, found in scenes.items()}
        assert not groups["train"] & groups["val"]
    assert names == {split: [scene.name for scene in part(name, root, split)] for split in names}


@pytest.mark.parametrize("name", READERS)
def test_its_order_does_not_depend_on_the_file_system(
    name: str, write_set: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(name)
    straight = names_of(name, root)
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(iterdir(self), reverse=True)))
    assert names_of(name, root) == straight


@pytest.mark.parametrize("name", READERS)
def test_a_layout_that_is_almost_right_says_what_was_expected(
    name: str, write_set: Write, miniatures: Miniatures
) -> None:
    root, renamed = write_set(name), miniatures[name].renamed
    for path in renamed:
        (root / path).rename(root / f"{path}_")
    if not renamed:
        assert names_of(name, root.rename(root.with_name("any"))) == names_of(name, root.with_name("any"))
        return
    with pytest.raises(InputError) as caught:
        DATA_SETS[name].list_raw(root)
    assert Path(renamed[0]).name in str(caught.value)
    assert "was expected" in str(caught.value)
    assert f'Is it "{Path(renamed[0]).name}_"' in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_one_level_up_or_down_is_read_or_the_right_one_is_named(name: str, write_set: Write) -> None:
    root = write_set(name)
    whole = set(names_of(name, root))
    for path in (root.parent, *(child for child in sorted(root.iterdir()) if child.is_dir())):
        found: set[str] = set()
        message = f"write {name}={root}"
        try:
            found = set(names_of(name, path))
        except InputError as error:
            message = str(error)
        assert found <= whole
        assert f"write {name}={root}" in message


@pytest.mark.parametrize("name", READERS)
def test_an_archive_or_nothing_is_no_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "set.zip").touch()
    with pytest.raises(InputError, match="is an archive: unpack it and give the folder that holds"):
        DATA_SETS[name].list_raw(tmp_path / "set.zip")
    with pytest.raises(InputError, match="There is no folder"):
        DATA_SETS[name].list_raw(tmp_path / "none")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"holds nothing, but .* was expected"):
        DATA_SETS[name].list_raw(tmp_path / "other")


def found_in(name: str, root: Path) -> list[Finding]:
    return check_dataset(f"{name}={root}")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_without_some_images_is_never_taken_for_whole(name: str, write_set: Write) -> None:
    codes = {finding.code for finding in found_in(name, write_set(name))}
    assert "count-differs" in codes
    assert "count-matches" not in codes


@pytest.mark.parametrize("name", READERS)
def test_an_annotation_without_its_image_is_named(name: str, write_set: Write, miniatures: Miniatures) -> None:
    root, expected = write_set(name), miniatures[name]
    (root / expected.image).unlink()
    assert scene_of(name, root, expected.scene).image is None
    found = [finding for finding in found_in(name, root) if finding.code == "missing-image"]
    assert any(finding.path == str(root / expected.annotation) for finding in found)
    assert any(f'"{expected.scene}"' in finding.message for finding in found)
    assert expected.scene not in {raw.name for raw in list_dataset(f"{name}={root}", "all")}


@pytest.mark.parametrize("name", READERS)
def test_an_image_without_its_annotation_is_named(name: str, write_set: Write, miniatures: Miniatures) -> None:
    root, expected = write_set(name), miniatures[name]
    expected.unannotate(root / expected.annotation)
    raw = scene_of(name, root, expected.scene)
    assert raw.annotation is None
    found = [finding.path for finding in found_in(name, root) if finding.code == "missing-annotation"]
    assert str(root / expected.image) in found
    with pytest.raises(InputError, match=re.escape(f'The annotation of "{root / expected.image}" is missing')):
        finish(raw)


@pytest.mark.parametrize("name", READERS)
def test_an_image_of_another_name_is_told_and_a_hidden_one_is_none(
    name: str, write_set: Write, miniatures: Miniatures
) -> None:
    root = write_set(name)
    image = root / miniatures[name].image
    listed = names_of(name, root)
    hidden, other = image.with_name(f".{image.name}"), image.with_stem("other (copy)")
    for path in (hidden, other):
        path.write_bytes(image.read_bytes())
    findings = [(finding.code, finding.path) for finding in found_in(name, root)]
    assert {("stray-file", str(other)), ("missing-annotation", str(other))} & set(findings)
    assert not [path for _, path in findings if path == str(hidden)]
    assert set(listed) <= set(names_of(name, root))


@pytest.mark.parametrize("name", READERS)
def test_a_copy_without_images_is_told(name: str, write_set: Write) -> None:
    root = write_set(name)
    for image in [path for path in root.rglob("*") if path.suffix in (".jpg", ".png")]:
        image.unlink()
    with pytest.raises(InputError, match="there are no images"):
        list_dataset(f"{name}={root}", "train")
    assert {finding.code for finding in found_in(name, root)} & {"empty", "missing-image"}


@pytest.mark.parametrize("damage", ["cut", "number", "field"])
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_annotation_is_named_with_its_place(
    name: str, damage: str, write_set: Write, miniatures: Miniatures
) -> None:
    root, expected = write_set(name), miniatures[name]
    path = root / expected.annotation
    content, place = path.read_bytes(), ""
    if damage == "cut":
        path.write_bytes(content[: -expected.cut])
    else:
        old, new, place = getattr(expected, damage)
        assert old in content
        path.write_bytes(content.replace(old, new))
    with pytest.raises(InputError) as caught:
        finish(scene_of(name, root, expected.scene))
    assert f'"{path}"' in str(caught.value)
    assert place in str(caught.value)
    codes = {
        finding.code for finding in found_in(name, root) if finding.path in (str(path), str(root / expected.image))
    }
    assert codes & {"unreadable-annotation", "point-not-finite"}


TOKEN = re.compile(rb'"[^"]*"|[A-Za-z_]+|[-0-9.]+')
ODD = [*b"nan true null [] {} 1e400 -1 1_0 \xff".split(), b'"x"', b"9" * 400, b"", b"\n", b"[" * 5000]


@pytest.mark.parametrize("name", READERS)
def test_any_damage_is_an_input_error_or_heads(
    name: str, tmp_path_factory: pytest.TempPathFactory, miniatures: Miniatures
) -> None:
    expected = miniatures[name]
    root = tmp_path_factory.mktemp("damaged") / expected.home
    expected.write(root)
    path = root / expected.annotation
    content = path.read_bytes()
    tokens = [match.span() for match in TOKEN.finditer(content)]

    @settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(content)), st.binary(max_size=12), st.sampled_from(tokens), st.sampled_from(ODD))
    def try_damage(at: int, noise: bytes, token: tuple[int, int], odd: bytes) -> None:
        for damaged in (
            content[:at] + noise + content[at + len(noise) :],
            content[: token[0]] + odd + content[token[1] :],
            content[:at],
            noise,
        ):
            path.write_bytes(damaged)
            with suppress(InputError, StopIteration):
                assert np.isfinite(finish(scene_of(name, root, expected.scene)).points_xy).all()

    try_damage()
