"""Splits are made once: shipped as lists, the same whoever makes them again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.formats.raw import RawAnnotation, RawScene
from headcount.data.sets.registry import DATA_SETS
from headcount.data.sets.splits import (
    SPLITS,
    SplitRule,
    by_group,
    fold,
    last_block,
    official,
    own,
    own_videos,
    select,
    shipped_validation,
    stratified,
    without_test,
)  # fmt: skip

REAL = Path(__file__).parents[3] / "../shared/data/ShanghaiTech"
LISTS = [("shanghaitech-a.json", 60, 300), ("shanghaitech-b.json", 80, 400)]


@pytest.mark.parametrize(("file", "validation", "images"), LISTS)
def test_the_shipped_lists_are_fixed_and_disjoint_from_training(file: str, validation: int, images: int) -> None:
    chosen = shipped_validation(file)
    everything = [f"IMG_{n}" for n in range(1, images + 1)]
    assert len(chosen) == validation
    assert chosen <= set(everything)
    train, val = select(everything, chosen, "train"), select(everything, chosen, "val")
    assert not set(train) & set(val)
    assert sorted(train + val) == sorted(everything) == sorted(select(everything, chosen, "trainval"))
    assert len(train) == images - validation
    assert train == [name for name in everything if name in set(train)]  # in order


def test_a_validation_image_that_is_missing_is_named() -> None:
    assert [select([], frozenset(), split) for split in ("train", "val", "trainval")] == [[], [], []]
    assert select(["a"], frozenset({"b"}), "train") == ["a"]
    with pytest.raises(InputError, match=r'1 of the 1 images.*"b"'):
        select(["a"], frozenset({"b"}), "val")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.data(), st.integers(0, 9))
def test_stratified_draws_one_from_each_stratum(counts: list[int], data: st.DataObject, seed: int) -> None:
    validation = data.draw(st.integers(1, len(counts)))
    chosen = stratified(counts, validation=validation, seed=seed)
    assert chosen == stratified(counts, validation=validation, seed=seed)
    assert chosen == sorted(set(chosen))
    order = sorted(range(len(counts)), key=lambda index: (counts[index], index))
    strata = np.array_split(order, validation)
    assert [len(set(stratum.tolist()) & set(chosen)) for stratum in strata] == [1] * validation


def test_seeds_draw_different_splits() -> None:
    draws = {tuple(stratified(range(40), validation=8, seed=seed)) for seed in range(5)}
    assert len(draws) == 5


@pytest.mark.parametrize(("counts", "validation"), [([], 0), ([], 1), ([3], 0), ([3], 2), ([3, 4], -1)])
def test_an_impossible_split_is_refused(counts: list[int], validation: int) -> None:
    with pytest.raises(InputError, match=f"{validation} images cannot be drawn from {len(counts)}"):
        stratified(counts, validation=validation, seed=1)


@pytest.mark.skipif(not REAL.is_dir(), reason="ShanghaiTech is not here: ../shared/data/ShanghaiTech")
@pytest.mark.parametrize(("part", "validation"), [("a", 60), ("b", 80)])
def test_the_shipped_lists_can_be_made_again(part: str, validation: int) -> None:
    scenes = [s for s in DATA_SETS[f"shanghaitech-{part}"].list_raw(REAL).scenes if s.split == "train"]
    counts = [len(scene.read().heads_xy) for scene in scenes]
    chosen = {scenes[index].name for index in stratified(counts, validation=validation, seed=1)}
    assert chosen == {f"train/{name}" for name in shipped_validation(f"shanghaitech-{part}.json")}


def _scenes(split: str, number: int, groups: int = 0) -> list[RawScene]:
    found = []
    for i in range(1, number + 1):
        group = f"g{i % groups}" if groups else ""
        found.append(RawScene(f"{split}/{i}", split, Path(f"{i}.jpg"), Path(f"{i}.txt"), RawAnnotation, group))
    return found


RULES = [official(), without_test("them"), by_group(), by_group(0.1), last_block(), own(), own_videos()]
SETS_OF_SCENES = [
    [],
    _scenes("train", 40, 8) + _scenes("test", 5, 2),
    _scenes("train", 12) + _scenes("val", 3),
    _scenes("", 50),
    _scenes("", 30, 6),
    _scenes("train", 1),
]


def _parts(rule: SplitRule, scenes: list[RawScene]) -> dict[str, list[RawScene]]:
    asked = [split for split in SPLITS if split != "test" or "labels of test are not" not in rule.says]
    return {split: rule.apply(scenes, split) for split in asked}


@pytest.mark.parametrize("rule", [*RULES, fold(2, size=10)])
@pytest.mark.parametrize("scenes", SETS_OF_SCENES)
def test_training_and_validation_share_no_image_and_no_group(rule: SplitRule, scenes: list[RawScene]) -> None:
    parts = _parts(rule, scenes)
    names = {split: [scene.name for scene in part] for split, part in parts.items()}
    assert names["all"] == [scene.name for scene in scenes]
    assert sorted(names["train"] + names["val"]) == sorted(names["trainval"])
    assert not set(names["train"]) & set(names["val"])
    if "last" not in rule.says and "images 11 to 20" not in rule.says and any(scene.group for scene in scenes):
        assert not {scene.group for scene in parts["train"]} & {scene.group for scene in parts["val"]}
    assert names == {split: [scene.name for scene in part] for split, part in _parts(rule, scenes).items()}
    if rule in RULES[:-1]:  # one's own videos have no official test
        assert all(scene.split != "test" for split in ("train", "val", "trainval") for scene in parts[split])


def test_each_rule_takes_what_it_says() -> None:
    train = _scenes("train", 40, 8)
    assert len(by_group(0.25).apply(train, "val")) == 10
    assert {scene.group for scene in by_group(0.25).apply(train, "val")} == {"g5", "g6"}  # the hash's, everywhere
    assert [scene.name for scene in last_block(0.1).apply(train, "val")] == [f"train/{n}" for n in range(37, 41)]
    fifty = _scenes("", 50)
    tests = [[scene.name for scene in fold(n, size=10).apply(fifty, "test")] for n in range(1, 6)]
    assert sum(tests, []) == [scene.name for scene in fifty]  # noqa: RUF017
    assert [len(fold(3, size=10).apply(fifty, split)) for split in ("train", "val", "trainval")] == [32, 8, 40]


def test_ones_own_official_splits_are_kept() -> None:
    scenes = _scenes("train", 12) + _scenes("val", 3)
    assert [len(own().apply(scenes, split)) for split in SPLITS] == [12, 3, 0, 15, 15]


def test_a_test_without_labels_says_who_has_them() -> None:
    with pytest.raises(InputError, match='use "val", or ask the server') as caught:
        without_test("the server").apply(_scenes("train", 3), "test")
    assert caught.value.remedy == "split"
