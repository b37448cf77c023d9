"""Which process of a run this is: from the recipe, or from what torchrun sets."""

from __future__ import annotations

from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.train.places import Place, place_of
from headcount.train.recipe import Recipe, read_recipe

torch = pytest.importorskip("torch")
TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}  # fmt: skip


def _recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate({"name": "tiny", "device": "cpu", "batch": 8, **changes})


def test_one_process_is_alone_whatever_the_batch() -> None:
    for recipe in (_recipe(batch=7), _recipe(devices="auto"), _recipe(strategy="ddp")):
        assert place_of(recipe, {"MASTER_ADDR": "10.0.0.1"}) == Place()
        assert place_of(recipe, {}).rows(7) == slice(0, 7)


def test_processes_take_the_rows_of_a_batch_one_after_the_other() -> None:
    place = place_of(_recipe(devices=4), {})
    assert place == Place(processes=4, local_processes=4, accelerator="cpu")
    rows = [Place(rank=rank, processes=4).rows(8) for rank in range(4)]
    assert [row for own in rows for row in range(8)[own]] == list(range(8))


def test_the_only_process_of_a_cluster_starts_the_others_itself() -> None:
    only = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "master", "MASTER_PORT": "23456"}
    assert place_of(_recipe(), only) == Place()
    assert place_of(_recipe(devices=2), only).processes == 2


def test_a_torch_that_cannot_let_processes_work_together_learns_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    assert place_of(_recipe(), {}) == Place()
    with pytest.raises(
        InputError, match=r"2 processes are asked for, but this build of torch has no torch\.distributed"
    ):
        place_of(_recipe(devices=2), {})


@pytest.mark.parametrize("devices", [2, "auto"])
def test_torchrun_says_which_of_all_machines_processes_this_is(devices: Any) -> None:
    place = place_of(_recipe(devices=devices, nodes=2), TORCHRUN)
    assert place == Place(3, 4, 1, 2, "cpu", started=True)
    assert place.rows(8) == slice(6, 8)


@pytest.mark.parametrize(
    ("changes", "environment", "told"),
    [
        ({"devices": 3}, {}, "A batch of 8 cannot be shared out evenly among 3 processes"),
        ({"devices": 4, "pieces": 3}, {}, "each of 4 processes .* has 2, which cannot be cut into pieces: 3"),
        ({"nodes": 2}, {}, "nodes is 2, but nothing tells this process which machine it is on"),
        ({"devices": 2}, {"RANK": "0", "WORLD_SIZE": "2"}, "has RANK, but lacks LOCAL_RANK"),
        ({"devices": 2, "nodes": 2}, {**TORCHRUN, "MASTER_PORT": ""}, "has RANK, but lacks MASTER_PORT"),
        ({"devices": 2, "nodes": 2}, {**TORCHRUN, "RANK": "first"}, 'has RANK="first", but a whole number'),
        ({"devices": 2, "nodes": 2}, {**TORCHRUN, "RANK": "4"}, "contradicts itself: RANK 4 of WORLD_SIZE 4"),
        ({}, TORCHRUN, "torchrun started 4 processes, 2 on this machine, but the recipe has devices: 1 and nodes: 1"),
        ({"devices": 2}, TORCHRUN, "the recipe has devices: 2 and nodes: 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    changes: dict[str, Any], environment: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told) as raised:
        place_of(_recipe(**changes), environment)
    assert raised.value.message.endswith(".")
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("change", ["devices=0", "devices=many", "nodes=0", "strategy=fsdp"])
def test_settings_that_are_none_are_refused_by_their_name(change: str) -> None:
    with pytest.raises(InputError, match=change.partition("=")[0]):
        read_recipe("man-small-solution5", [change])
