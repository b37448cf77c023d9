"""A checkpoint is whole or not there; nothing in it is a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from headcount.core.errors import ModelError
from headcount.train import checkpoint as module
from headcount.train.checkpoint import (
    STATE,
    TENSORS,
    Checkpoint,
    find_checkpoint,
    flatten_optimiser,
    read_checkpoint,
    unflatten_optimiser,
    write_checkpoint,
)
from headcount.train.recipe import OptimiserSettings
from headcount.train.schedule import build_optimiser, set_lr


def _checkpoint(step: int = 3, **state: Any) -> Checkpoint:
    draw = torch.Generator().manual_seed(step)
    tensors = {
        "model.w": torch.randn(2, 3, 4, 4, generator=draw).to(memory_format=torch.channels_last),
        "model.n": torch.tensor(step),
        "ema.w": torch.randn(2, generator=draw).double(),
        "optimiser.0.step": torch.tensor(float(step)),
    }
    return Checkpoint(step, tensors, {"best": float("inf"), "history": [{"step": 1}], **state})


def test_it_is_read_as_written(tmp_path: Path) -> None:
    one = _checkpoint()
    path = write_checkpoint(tmp_path / "run", "last", one)
    assert path == find_checkpoint(tmp_path / "run") == tmp_path / "run" / "last-00000003"
    two = read_checkpoint(path)
    assert (two.step, two.state) == (one.step, one.state)
    assert two.tensors.keys() == one.tensors.keys()
    for key, value in one.tensors.items():
        assert torch.equal(two.tensors[key], value)
        assert two.tensors[key].dtype == value.dtype
    assert two.part("model").keys() == {"w", "n"}


def test_there_is_none_in_an_empty_or_missing_folder(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / "none") is None


def test_only_the_newest_of_a_kind_stays(tmp_path: Path) -> None:
    for step in (1, 5, 20):
        write_checkpoint(tmp_path, "last", _checkpoint(step))
    write_checkpoint(tmp_path, "best", _checkpoint(5))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-00000005", "last-00000020"]
    assert find_checkpoint(tmp_path, "best") == tmp_path / "best-00000005"


def test_the_newest_is_found_by_number(tmp_path: Path) -> None:
    for name in ("last-00000009", "last-00000100", "last-x", "best-00000999", ".last-00000200.partial"):
        (tmp_path / name).mkdir()
    assert find_checkpoint(tmp_path) == tmp_path / "last-00000100"


@pytest.mark.parametrize("stage", ["tensors", "state", "flush", "rename"])
def test_a_failure_at_any_stage_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    write_checkpoint(tmp_path, "last", _checkpoint(1))

    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no space left on the disk")

    if stage == "tensors":
        monkeypatch.setattr(module, "save_file", fail)
    elif stage == "state":
        monkeypatch.setattr(module.json, "dumps", fail)
    elif stage == "flush":
        monkeypatch.setattr(module, "_flush", fail)
    else:
        monkeypatch.setattr(module.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_checkpoint(tmp_path, "last", _checkpoint(2))
    monkeypatch.undo()
    assert read_checkpoint(find_checkpoint(tmp_path) or tmp_path).step == 1
    write_checkpoint(tmp_path, "last", _checkpoint(7))
    assert [p.name for p in tmp_path.iterdir()] == ["last-00000007"]  # what was left half done is gone as well


def test_the_same_step_again_is_kept_as_it_is(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "last", _checkpoint(1, note="first"))
    write_checkpoint(tmp_path, "last", _checkpoint(1, note="second"))
    assert read_checkpoint(tmp_path / "last-00000001").state["note"] == "first"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (TENSORS, b""), (TENSORS, None), (TENSORS, b"\x80\x02}q\x00."), (TENSORS, "cut"), (STATE, b""), (STATE, None),
        (STATE, b"{}"), (STATE, b"[1]"), (STATE, b'{"step": 1'), (STATE, b"\xff\xff"),
    ],
)  # fmt: skip
def test_a_damaged_one_is_refused_by_name(tmp_path: Path, file: str, content: bytes | str | None) -> None:
    path = write_checkpoint(tmp_path, "last", _checkpoint())
    if content is None:
        (path / file).unlink()
    elif content == "cut":
        whole = (path / file).read_bytes()
        (path / file).write_bytes(whole[: len(whole) // 2])
    else:
        (path / file).write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="last-00000003"):
        read_checkpoint(path)


def _trained(name: str, steps: int, model: nn.Module) -> torch.optim.Optimizer:
    groups = [{"params": [p], "lr": 0.1 * (k + 1)} for k, p in enumerate(model.parameters())]
    optimiser = build_optimiser(name, groups, OptimiserSettings())
    _learn(model, optimiser, steps)
    return optimiser


def _learn(model: nn.Module, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        set_lr(optimiser, 1 / (1 + step))
        optimiser.zero_grad()
        model(torch.ones(2, 3)).square().sum().backward()
        optimiser.step()


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_optimiser_goes_on_from_a_file_as_if_never_stopped(tmp_path: Path, name: str, steps: int) -> None:
    torch.manual_seed(0)
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    first = _trained(name, steps, one)
    tensors, rest = flatten_optimiser(first.state_dict())
    path = write_checkpoint(tmp_path, "last", Checkpoint(steps, tensors, {"rest": rest}))
    saved = read_checkpoint(path)
    two.load_state_dict(one.state_dict())
    second = _trained(name, 0, two)
    second.load_state_dict(unflatten_optimiser(saved.tensors, saved.state["rest"]))
    for model, optimiser in ((one, first), (two, second)):
        _learn(model, optimiser, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
