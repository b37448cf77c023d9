"""A checkpoint is whole or not there; nothing in it is a pickle."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from headcount.core.errors import ModelError
from headcount.train import checkpoint as module
from headcount.train.checkpoint import (
    STATE,
    SUMS,
    TENSORS,
    Checkpoint,
    find_checkpoint,
    flatten_optimiser,
    is_whole,
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


def test_the_last_two_and_the_best_stay(tmp_path: Path) -> None:
    for step in (1, 5, 20):
        write_checkpoint(tmp_path, "last", _checkpoint(step))
    for step in (1, 5):
        write_checkpoint(tmp_path, "best", _checkpoint(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-00000005", "last-00000005", "last-00000020"]
    assert find_checkpoint(tmp_path) == tmp_path / "last-00000020"
    assert find_checkpoint(tmp_path, "best") == tmp_path / "best-00000005"


def test_a_run_that_goes_on_from_an_older_one_lets_go_of_what_came_after(tmp_path: Path) -> None:
    for step in (5, 20):
        write_checkpoint(tmp_path, "last", _checkpoint(step))
    write_checkpoint(tmp_path, "last", _checkpoint(12))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last-00000005", "last-00000012"]


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
        monkeypatch.setattr(module, "save", fail)
    elif stage == "state":
        monkeypatch.setattr(module.json, "dumps", fail)
    elif stage == "flush":
        monkeypatch.setattr(module.os, "fsync", fail)
    else:
        monkeypatch.setattr(module.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_checkpoint(tmp_path, "last", _checkpoint(2))
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["last-00000001"]  # nothing half done is left
    assert read_checkpoint(find_checkpoint(tmp_path) or tmp_path).step == 1


def test_what_a_kill_left_goes_with_the_next(tmp_path: Path) -> None:
    for name in (".last-00000002.partial", ".last-00000001.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / TENSORS).write_bytes(b"half")
    write_checkpoint(tmp_path, "last", _checkpoint(2))
    assert [p.name for p in tmp_path.iterdir()] == ["last-00000002"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_that_cannot_grow_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A real short write, as on a full disk: the system lets a file have 1,000 bytes."""
    import resource

    write_checkpoint(tmp_path, "last", _checkpoint(1))
    large = Checkpoint(2, {"model.w": torch.zeros(4096)}, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError) as caught:
            write_checkpoint(tmp_path, "last", large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert caught.value.errno == errno.EFBIG
    assert [p.name for p in tmp_path.iterdir()] == ["last-00000001"]
    assert is_whole(tmp_path / "last-00000001")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """File semantics of Windows, as far as checkpoints meet them; the folders that hold an open file are returned.

    No folder can be opened; a file opened for reading alone cannot be flushed; a folder with an open file in it can be
    neither renamed nor deleted; a rename does not take the place of what is there.
    """
    import fcntl

    in_use: set[Path] = set()
    really_open, really_sync, really_rename = os.open, os.fsync, os.replace

    def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if named.get("dir_fd") is None and Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, flags, *more, **named)

    def synced(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        really_sync(descriptor)

    def renamed(source: Any, target: Any, **named: Any) -> None:
        if Path(target).exists() or Path(source) in in_use:
            raise PermissionError(5, "Access is denied", str(source))
        really_rename(source, target, **named)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(shutil, "rmtree", _rmtree_by_path)
    return in_use


def _rmtree_by_path(path: Path, *, ignore_errors: bool) -> None:
    """As shutil's on Windows, which opens no folder."""
    assert ignore_errors
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink()
    if path.is_dir():
        path.rmdir()


@pytest.mark.skipif(sys.platform == "win32", reason="faked there is what is so there")
def test_checkpoints_are_written_where_files_behave_as_on_windows(tmp_path: Path, windows: set[Path]) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, "last", _checkpoint(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last-00000002", "last-00000003"]
    windows.add(tmp_path / "last-00000002")  # a scanner reads it: it stays as it is
    write_checkpoint(tmp_path, "last", _checkpoint(4))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last-00000002", "last-00000003", "last-00000004"]
    assert is_whole(tmp_path / "last-00000002")
    windows.clear()
    write_checkpoint(tmp_path, "last", _checkpoint(5))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last-00000004", "last-00000005"]


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
    with pytest.raises(ModelError, match=r'"[^"]*last-00000003" is damaged'):
        read_checkpoint(path)
    assert not is_whole(path)


@pytest.mark.parametrize("file", [TENSORS, STATE, SUMS])
def test_one_flipped_bit_is_found_wherever_it_is(tmp_path: Path, file: str) -> None:
    path = write_checkpoint(tmp_path, "last", _checkpoint())
    whole = (path / file).read_bytes()
    for place in range(0, 8 * len(whole), max(1, len(whole) // 8)):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        (path / file).write_bytes(content)
        with pytest.raises(ModelError, match="is damaged"):
            read_checkpoint(path)
    (path / file).write_bytes(whole)
    assert read_checkpoint(path).step == 3


def test_a_damaged_one_names_the_whole_one_beside_it(tmp_path: Path) -> None:
    for step in (1, 5, 20):
        write_checkpoint(tmp_path, "last", _checkpoint(step))
    write_checkpoint(tmp_path, "best", _checkpoint(3))
    found = []
    for name in ("last-00000020", "last-00000005", "best-00000003"):
        file = tmp_path / name / TENSORS
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        with pytest.raises(ModelError) as caught:
            read_checkpoint(tmp_path / "last-00000020")
        found.append(str(caught.value))
    assert 'its "state.safetensors" is not as it was written' in found[0]
    assert 'move it away and use "last-00000005" beside it, of step 5, which is whole' in found[0]
    assert 'use "best-00000003" beside it, of step 3' in found[1]
    assert "no whole one lies beside it" in found[2]


def test_a_damaged_one_of_the_same_step_is_written_again(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "best", _checkpoint(3))
    (path / STATE).write_text("{}")
    assert write_checkpoint(tmp_path, "best", _checkpoint(3)) == path
    assert [p.name for p in tmp_path.iterdir()] == ["best-00000003"]
    assert read_checkpoint(path).step == 3


def test_one_of_an_older_version_has_no_sums_and_is_read(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, "last", _checkpoint())
    (path / SUMS).unlink()
    with pytest.raises(ModelError, match=r'it lacks "SHA256SUMS"'):
        read_checkpoint(path)
    state = json.loads((path / STATE).read_text())
    assert state.pop("format") == 2
    (path / STATE).write_text(json.dumps(state))
    assert read_checkpoint(path).step == 3
    assert is_whole(path)


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
