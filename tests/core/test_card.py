"""The model card: read back as written, and errors that name the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from headcount.core.card import DataUse, DecoderSpec, InputSpec, ModelCard, OutputSpec, Result, TileSpec, sha256_of
from headcount.core.errors import ModelError
from headcount.infer.models import find_model


def _card(**changes: object) -> ModelCard:
    fields: dict[str, object] = {
        "name": "m", "method": "mask_aware", "outputs": (OutputSpec(name="density", stride=8),),
        "decoder": DecoderSpec(name="density", settings={"density_scale": 1.5}),
    }  # fmt: skip
    return ModelCard.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "architecture": {"width": 96, "backbone_options": {"strides": [8, 16]}},
            "input": InputSpec(channels=1, mean=(0.4,), std=(0.2,), size_divisor=16),
            "tile": TileSpec(size=512, halo=128, overlap="average", exact=False),
            "data": (DataUse(name="d", split="train", images=3, terms="free"),),
            "results": (Result(data="d", split="val", images=3, metric="MAE", value=1.25),),
            "notes": ("größer",),
            "sha256": {"m.onnx": "0" * 64},
            "seed": 1,
        },
    ],
)
def test_a_card_is_read_back_as_written(tmp_path: Path, changes: dict[str, object]) -> None:
    card = _card(**changes)
    (tmp_path / "m.json").write_text(card.to_json(), encoding="utf-8")
    assert ModelCard.read(tmp_path / "m.json") == card


def test_opencvs_gray_is_for_one_channel() -> None:
    assert InputSpec(channels=1, mean=(0,), std=(1,), opencv_gray=True).opencv_gray
    with pytest.raises(ValidationError, match="opencv_gray is for one channel"):
        InputSpec(opencv_gray=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.clear(), ["name"]),
        (lambda d: d.pop("method"), ["method"]),
        (lambda d: d.update(metod="x"), ["metod", "no such key"]),
        (lambda d: d.update(format=2), ["format"]),
        (lambda d: d["outputs"][0].update(stride=0), ["outputs.0.stride"]),
        (lambda d: d["outputs"][0].update(kind="boxes"), ["outputs.0", "5 channels"]),
        (lambda d: d["outputs"].append({"name": "b", "channels": 5, "kind": "boxes"}), ["no other output"]),
        (lambda d: d["input"].update(mean=[0.5]), ["input", "each of 3 channels"]),
        (lambda d: d["input"].update(channels=2), ["input.channels"]),
        (lambda d: d["tile"].update(size=512, halo=256), ["tile", "leaves no core"]),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: Callable[[dict], object], words: list[str]) -> None:
    fields = json.loads(_card().to_json())
    change(fields)
    (tmp_path / "m.json").write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        ModelCard.read(tmp_path / "m.json")
    for word in ["m.json", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no model card"),
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"9" * 5000, "no JSON"),
    ],
)
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(ModelError, match=words):
        ModelCard.read(tmp_path / "m.json")


def test_a_mark_of_byte_order_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(_card().to_json(), encoding="utf-8-sig")
    assert ModelCard.read(tmp_path / "m.json") == _card()


def test_weights_are_held_to_their_checksum(tmp_path: Path) -> None:
    weights = tmp_path / "m.onnx"
    weights.write_bytes(b"weights")
    card = _card(sha256={"m.onnx": sha256_of(weights)})
    card.verify(weights)
    weights.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="SHA-256"):
        card.verify(weights)


def test_weights_the_card_does_not_name_are_not_judged(tmp_path: Path) -> None:
    (tmp_path / "m.int8.onnx").write_bytes(b"")
    _card(sha256={"m.onnx": "0" * 64}).verify(tmp_path / "m.int8.onnx")


def test_a_stride_is_found_by_the_name_of_its_output() -> None:
    card = _card(outputs=(OutputSpec(name="density", stride=8), OutputSpec(name="mask", stride=4)))
    assert (card.stride("density"), card.stride("mask")) == (8, 4)
    with pytest.raises(ModelError, match=r'no output "densty".*"density"'):
        card.stride("densty")


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        _card().name = "other"  # type: ignore[misc]


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_every_task_but_size_has_a_decoder() -> None:
    assert _card(decoder=None, task="size").decoder is None
    with pytest.raises(ValidationError, match='the key "decoder" is missing'):
        _card(decoder=None)
    with pytest.raises(ValidationError, match="has no decoder"):
        _card(task="size")


@pytest.mark.parametrize(("name", "task"), [("headcount-s", "detect"), ("headcount-crowds-s", "count")])
def test_shipped_cards_say_what_their_models_do(name: str, task: str) -> None:
    assert find_model(name).card.task == task


def test_a_sealed_card_tells_that_it_was_damaged(tmp_path: Path) -> None:
    card, path = _card(), tmp_path / "m.json"
    text = card.sealed_json()
    path.write_text(text, encoding="utf-8")
    read = ModelCard.read(path)
    assert read == card
    assert read.sealed_json() == text
    assert read.to_json() == card.to_json()
    path.write_text(json.dumps(json.loads(text), sort_keys=True), encoding="utf-8")  # spaces and order are no damage
    assert ModelCard.read(path) == read
    path.write_text(text.replace('"density_scale": 1.5', '"density_scale": 1.7'), encoding="utf-8")
    with pytest.raises(ModelError, match=r'"[^"]*m.json" is not as it was written'):
        ModelCard.read(path)
    path.write_text(card.to_json().replace("1.5", "1.7"), encoding="utf-8")  # changed by hand, and not sealed
    assert ModelCard.read(path).decoder == DecoderSpec(name="density", settings={"density_scale": 1.7})
    path.write_text(card.to_json().replace('"seed"', '"card_sha256": 7, "seed"'), encoding="utf-8")
    with pytest.raises(ModelError, match="is not as it was written"):
        ModelCard.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "\x1b[2J"},
        {"name": "n" * 1000},
        {"outputs": ()},
        {"outputs": ({"name": "a"}, {"name": "a"})},
        {"outputs": ({"name": "a", "stride": 2**40},)},
        {"outputs": ({"name": "a", "channels": 10**9},)},
        {"input": {"std": (0, 1, 1)}},
        {"input": {"mean": (1e308, 0, 0)}},
        {"tile": {"size": 10**15}},
        {"scale": {"aim_px": 1e308}},
        {"scale": {"look_px": 10**15}},
    ],
)
def test_what_no_model_can_have_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _card(**change)
