"""The shipped weights: each file named in a card with its hash, each hash that of its file."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import headcount
from headcount.core.errors import ModelError
from headcount.infer.counter import load

WEIGHTS = Path(headcount.__file__).parent / "weights"
CARDS = sorted(WEIGHTS.glob("*.json"))


def test_every_file_is_named_in_one_card() -> None:
    named = [name for card in CARDS for name in json.loads(card.read_text(encoding="utf-8"))["sha256"]]
    assert sorted(named) == sorted(path.name for path in WEIGHTS.iterdir() if path.suffix != ".json")
    assert len(named) == len(set(named)) > 0


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_every_hash_is_that_of_its_file(card: Path) -> None:
    hashes = json.loads(card.read_text(encoding="utf-8"))["sha256"]
    assert hashes == {name: hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest() for name in hashes}
    assert all(Path(name).name.startswith(card.stem) for name in hashes)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_shipped_model_with_one_changed_bit_is_refused(tmp_path: Path, runtime: str) -> None:
    for path in WEIGHTS.glob("headcount-n.*"):
        shutil.copy(path, tmp_path)
    weights = tmp_path / ("headcount-n.onnx" if runtime == "openvino" else "headcount-n.safetensors")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    if runtime == "torch":
        pytest.importorskip("torch")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load(weights, runtime=runtime)
