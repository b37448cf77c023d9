"""What a run starts from: found, whole, or told where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.train.initialisation import initial_weights


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("headcount-s-base.safetensors", 'train the recipe "headcount-s-base" and export it to that name first'),
        ("headcount-s.safetensors", "set initialisation=headcount-s for the shipped model"),
        ("hrnet_w48_imagenet.safetensors", "import the published weights of the network"),
    ],
)
def test_a_missing_one_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f'no initialisation "{name}": {words}.*initialisation=none'):
        initial_weights(name)


def test_a_shipped_models_name_is_its_weights() -> None:
    assert initial_weights("headcount-s").name == "headcount-s.safetensors"


def test_one_flipped_bit_is_told_by_the_card_beside(tmp_path: Path, tiny_card: Callable[..., ModelCard]) -> None:
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(b"weights")
    assert initial_weights(str(file)) == file  # no card
    (tmp_path / "tiny.json").write_text('{"of": "another kind"}')
    assert initial_weights(str(file)) == file
    (tmp_path / "tiny.json").write_text(tiny_card(file).to_json())
    assert initial_weights(str(file)) == file
    file.write_bytes(b"veights")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        initial_weights(str(file))
