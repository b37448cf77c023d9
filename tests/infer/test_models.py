"""Models are found by name or file, and nothing that could run code is opened."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

import headcount
from headcount.core.errors import HeadcountError, ModelError
from headcount.infer import models
from headcount.infer.models import find_model, model_or_default, shipped_models


class Bomb:
    """Unpickling this would raise: the tests prove that nobody does."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (RuntimeError, ("a pickle was opened",))


@pytest.fixture
def shelf(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models that holds one, headcount-s."""
    shutil.copy(tiny_model_dir / "tiny.onnx", tmp_path / "headcount-s.onnx")
    shutil.copy(tiny_model_dir / "tiny.json", tmp_path / "headcount-s.json")
    monkeypatch.setattr(models, "_shipped_folder", lambda: tmp_path)
    return tmp_path


def test_without_a_name_the_default_is_taken_or_what_the_environment_names(
    shelf: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named in (None, "", " ", "headcount-s"):
        if named is not None:
            monkeypatch.setenv("HEADCOUNT_MODEL", named)
        assert model_or_default(None).weights == {".onnx": shelf / "headcount-s.onnx"}
    monkeypatch.setenv("HEADCOUNT_MODEL", tiny_model)
    assert model_or_default(None).weights == {".onnx": Path(tiny_model)}
    assert headcount.load().card.name == "tiny"
    assert model_or_default("headcount-s").weights == {".onnx": shelf / "headcount-s.onnx"}
    monkeypatch.setenv("HEADCOUNT_MODEL", "headcont-s")
    with pytest.raises(ModelError, match=r'HEADCOUNT_MODEL names no model .* no model "headcont-s"\. .*"headcount-s"'):
        headcount.load()


def test_shipped_models_are_found_by_name(shelf: Path) -> None:
    assert shipped_models() == ["headcount-s"]
    found = find_model("headcount-s")
    assert found.weights == {".onnx": shelf / "headcount-s.onnx"}
    assert found.named is None


@pytest.mark.parametrize("name", ["headcont-s", "headcount", "headcount-S"])
def test_unknown_names_suggest_the_nearest(shelf: Path, name: str) -> None:
    with pytest.raises(ModelError, match='Did you mean "headcount-s"'):
        headcount.load(name)


@pytest.mark.parametrize(
    "suffix", [".pth", ".pt", ".ckpt", ".pkl", ".bin", ".PTH", ".onnx", ".safetensors", ".dat", ""]
)
@pytest.mark.parametrize("guise", ["pickle 2", "pickle 4", "zip"])
def test_pickles_are_refused_unopened(tmp_path: Path, tiny_model_dir: Path, suffix: str, guise: str) -> None:
    path = tmp_path / f"model{suffix}"
    if guise == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    else:
        path.write_bytes(pickle.dumps(Bomb(), protocol=int(guise[-1])))
    shutil.copy(tiny_model_dir / "tiny.json", tmp_path / "model.json")
    with pytest.raises(ModelError, match=r"pickled checkpoint, which can run code"):
        headcount.load(path)


def test_a_text_pickle_is_no_model_either(tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copy(tiny_model_dir / "tiny.json", tmp_path / "model.json")
    for suffix in (".onnx", ".safetensors"):
        (tmp_path / f"model{suffix}").write_bytes(pickle.dumps(Bomb(), protocol=0))
        with pytest.raises(ModelError, match=f"model{suffix}"):
            headcount.load(tmp_path / f"model{suffix}")
        (tmp_path / f"model{suffix}").unlink()


@pytest.mark.parametrize("content", [b"", b"\0" * 8, struct.pack("<Q", 10**12) + b"{}", struct.pack("<Q", 2) + b"[]"])
def test_bad_safetensors_are_named(tmp_path: Path, tiny_model_dir: Path, content: bytes) -> None:
    shutil.copy(tiny_model_dir / "tiny.json", tmp_path / "model.json")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        find_model(tmp_path / "model.safetensors")


def test_text_named_onnx_never_reaches_the_runtime(tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copy(tiny_model_dir / "tiny.json", tmp_path / "model.json")
    (tmp_path / "model.onnx").write_text("version https://example.org\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.onnx\" is damaged or no ONNX model"):
        find_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("model", [3, b"headcount-s", "x" * 5000, "x" * 300 + ".onnx", ""])
def test_what_is_no_name(model: object) -> None:
    with pytest.raises(ModelError):
        headcount.load(model)  # type: ignore[arg-type]


def test_paths_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("hello", encoding="utf-8")
    (tmp_path / "tiny.json").write_text("{}", encoding="utf-8")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "clip").write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomavc1")
    (tmp_path / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "no.onnx", "no model file"),
        (tmp_path / "notes.md", "neither"),
        (tmp_path / "photo.jpg", r"is an image \(JPEG\) where a model was expected: name the .onnx"),
        (tmp_path / "clip", r"another kind \(video\) where a model was expected"),
        (tmp_path / "tiny.json", "may be the card of one"),
        (tmp_path / "pointer.onnx", "git lfs pull"),
        ("", "The name of the model is empty"),
    ):
        with pytest.raises(ModelError, match=words):
            find_model(path)


def test_a_card_must_lie_beside(tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copy(tiny_model_dir / "tiny.onnx", tmp_path / "tiny.onnx")
    with pytest.raises(ModelError, match="no model card"):
        headcount.load(tmp_path / "tiny.onnx")
    for text, words in (("{", "no JSON"), ('{"name": "x"}', "wrong at")):
        (tmp_path / "tiny.json").write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=words):
            headcount.load(tmp_path / "tiny.onnx")


def test_weights_must_be_the_cards(tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copytree(tiny_model_dir, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "tiny.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        headcount.load(tmp_path / "tiny.onnx")


def test_weights_must_be_the_cards_under_another_name_too(tmp_path: Path, tiny_model_dir: Path) -> None:
    for suffix in (".onnx", ".json"):
        shutil.copy(tiny_model_dir / f"tiny{suffix}", tmp_path / f"mine{suffix}")
    assert headcount.load(tmp_path / "mine.onnx").card.name == "tiny"
    content = bytearray((tmp_path / "mine.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mine.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        headcount.load(tmp_path / "mine.onnx")


def test_a_cards_decoder_must_exist(tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copytree(tiny_model_dir, tmp_path, dirs_exist_ok=True)
    card = json.loads((tmp_path / "tiny.json").read_text(encoding="utf-8"))
    card["decoder"]["name"] = "dense"
    (tmp_path / "tiny.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(HeadcountError, match="no decoder"):
        headcount.load(tmp_path / "tiny.onnx")
