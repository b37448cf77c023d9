"""Checkpoints: a folder of `state.safetensors` and `state.json`, whole or not there at all. Nothing is pickled.

`SHA256SUMS` beside them says what was written, as `sha256sum --check` reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from headcount.core.card import sha256_of
from headcount.core.errors import ModelError
from headcount.core.files import flush_folder, rename_over

CheckpointKind = Literal["last", "best"]
TENSORS, STATE, SUMS = "state.safetensors", "state.json", "SHA256SUMS"
_KEPT: dict[CheckpointKind, int] = {"last": 2, "best": 1}
"""How many of a kind stay: the last but one is there for when the last is damaged."""
_FORMAT = 2
"""Of 1, which had no sums, older runs are."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood: tensors by name (``model.…``, ``ema.…``, ``optimiser.…``) and plain data."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under ``prefix.``, without it."""
        return {k.removeprefix(f"{prefix}."): v for k, v in self.tensors.items() if k.startswith(f"{prefix}.")}


def write_checkpoint(folder: Path, kind: CheckpointKind, checkpoint: Checkpoint) -> Path:
    """Write ``folder/kind-step`` and let go of older ones of its kind.

    Written under a temporary name, flushed to the disk and renamed: a kill at any instant leaves the old checkpoint,
    the new one, or both; a failure leaves nothing half-written.

    Raises:
        OSError: the folder cannot be written, or its disk is full.
    """
    final = folder / f"{kind}-{checkpoint.step:08d}"
    if is_whole(final):  # the same step again, at a run's end or after a resume: equal by construction
        return final
    for left_by_a_kill in (*folder.glob(f".{kind}-*.partial"), *folder.glob(f".{kind}-*.old")):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    state = {"format": _FORMAT, "step": checkpoint.step, **checkpoint.state}
    contents = {
        TENSORS: save({name: tensor.contiguous().cpu() for name, tensor in checkpoint.tensors.items()}),
        STATE: json.dumps(state, indent=1).encode(),
    }
    sums = _sums({name: hashlib.sha256(content).hexdigest() for name, content in contents.items()})
    partial = folder / f".{final.name}.partial"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        for name, content in {**contents, SUMS: sums.encode()}.items():
            _write_flushed(partial / name, content)
        flush_folder(partial)
        if final.exists():  # damaged
            _remove(final)
        rename_over(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    flush_folder(folder)
    finished = _finished(folder, kind)
    older = [path for path in finished if path.name < final.name]
    kept = {final, *older[len(older) - _KEPT[kind] + 1 :]}
    for path in finished:
        if path not in kept:
            _remove(path)
    return final


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(checkpoint: Path) -> None:
    """Take a checkpoint away, whole: what is half deleted has no name of a checkpoint any more.

    Where one of its files is in use, which Windows does not let go, it stays as it is until the next is written.
    """
    hidden = checkpoint.with_name(f".{checkpoint.name}.old")
    with suppress(OSError):
        checkpoint.replace(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _finished(folder: Path, kind: CheckpointKind) -> list[Path]:
    return sorted(path for path in folder.glob(f"{kind}-*") if path.name[len(kind) + 1 :].isdigit())


def find_checkpoint(folder: Path, kind: CheckpointKind = "last") -> Path | None:
    """The newest finished checkpoint of a kind, or None."""
    finished = _finished(folder, kind) if folder.is_dir() else []
    return finished[-1] if finished else None


def is_whole(path: Path) -> bool:
    """Whether a checkpoint lies there and is as it was written."""
    try:
        if (path / SUMS).is_file():
            _check_sums(path)
        else:
            _read(path)
    except _READING:
        return False
    return True


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        ModelError: it is not whole, or its files are not what was written; names a whole one beside it.
    """
    try:
        return _read(path)
    except _READING as error:
        raise ModelError(f'The checkpoint "{path}" is damaged ({_reason(error, path)}): {_instead(path)}.') from error


_READING = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError)


def _read(path: Path) -> Checkpoint:
    if (path / SUMS).is_file():
        _check_sums(path)
    state = json.loads((path / STATE).read_text(encoding="utf-8"))
    step, is_of_sums = int(state.pop("step")), int(state.pop("format", 1)) > 1
    if is_of_sums and not (path / SUMS).is_file():
        raise FileNotFoundError(2, "", str(path / SUMS))
    # Not mapped into memory: on Windows, a file that is mapped can be neither moved nor deleted.
    return Checkpoint(step, load((path / TENSORS).read_bytes()), state)


def _sums(digests: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _check_sums(path: Path) -> None:
    written = (path / SUMS).read_bytes().decode()
    digests = {name: sha256_of(path / name) for name in (TENSORS, STATE)}
    if written != _sums(digests):
        wrong = [name for name, digest in digests.items() if digest not in written] or [SUMS]
        raise ValueError(f'its "{wrong[0]}" is not as it was written: SHA-256 differs')


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, FileNotFoundError) and error.filename is not None and path.is_dir():
        return f'it lacks "{Path(error.filename).name}"'
    return str(error) if str(error).startswith("its ") else f"{type(error).__name__}: {error}"


def _instead(path: Path) -> str:
    """What to do where a checkpoint is of no use."""
    others = [*_finished(path.parent, "last"), *_finished(path.parent, "best")]
    others.sort(key=lambda other: other.name.rpartition("-")[2])
    for other in reversed(others):
        if other != path and is_whole(other):
            step = int(other.name.rpartition("-")[2])
            return f'move it away and use "{other.name}" beside it, of step {step:,}, which is whole'
    return "no whole one lies beside it, so copy it again from where you have it, or start the run again"


def flatten_optimiser(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state dict as tensors (``index.name``) and the plain rest."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def unflatten_optimiser(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten_optimiser``."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *rest["numbers"].items()]:
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": rest["param_groups"]}
