"""Where models come from: the shipped ones by name, anybody's own by file, and nothing that could run code."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from headcount.core.card import ModelCard
from headcount.core.errors import ModelError, nearest
from headcount.core.files import is_file, is_folder
from headcount.core.image_kinds import GIT_LFS, kind_of, read_kinds, why_unread
from headcount.infer import DEFAULT_MODEL, INT8, MODEL_VARIABLE, OPENVINO, WEIGHTS

_PICKLES = (".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin", ".pt2", ".tar", ".joblib")
_ONNX_FIRST_BYTE = 0x08  # protobuf's key of the first field, ir_version


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk: its card, and its weights by suffix (``.onnx``, ``.safetensors``, ``.int8.onnx``).

    ``named`` is the suffix of the file that was asked for, None where the model was asked for by name.
    """

    card: ModelCard
    weights: dict[str, Path]
    named: str | None = None


def shipped_models() -> list[str]:
    """Names of the models inside the package, sorted."""
    return sorted(path.stem for path in _shipped_folder().glob("*.json") if _weights_beside(path))


def find_model(model: str | Path) -> ModelFiles:
    """A model by its shipped name, or by the path of an ``.onnx`` or ``.safetensors`` file with its card beside it.

    Raises:
        ModelError: there is no such model, its card is missing or wrong, or the file is another thing (a pickled
            checkpoint above all, which can run code when opened).
    """
    path = _as_path(model)
    if str(model) in shipped_models():
        card = _shipped_folder() / f"{model}.json"
        return ModelFiles(ModelCard.read(card), _weights_beside(card))
    if path.suffix.lower() == OPENVINO:
        raise ModelError(
            f'"{path}" is for OpenVINO\'s own tools: name the .onnx or .safetensors file that it was made of.'
        )
    if path.suffix.lower() in _PICKLES:
        raise ModelError(_refusal(path), remedy="import")
    if is_folder(path):
        raise ModelError(f'"{model}" is a folder: name the .onnx or .safetensors file in it.')
    if path.suffix.lower() in WEIGHTS:
        if not is_file(path):
            raise ModelError(f'There is no model file "{model}": check the path.')
        _check_content(path)
        suffix = INT8 if path.name.lower().endswith(INT8) else path.suffix.lower()
        card = path.with_name(path.name[: -len(suffix)] + ".json")
        return ModelFiles(ModelCard.read(card), {**_weights_beside(card), suffix: path}, suffix)
    if is_file(path):
        if _is_pickle(_head(path)):
            raise ModelError(_refusal(path), remedy="import")
        raise ModelError(_no_model(path))
    raise ModelError(f'There is no model "{model}".{nearest(str(model), shipped_models())}', remedy="models")


def default_model() -> str:
    """The model that is taken where none is named: what ``HEADCOUNT_MODEL`` says, else the shipped default."""
    return os.environ.get(MODEL_VARIABLE, "").strip() or DEFAULT_MODEL


def model_or_default(model: str | Path | None) -> ModelFiles:
    """As ``find_model``; None is the model that ``HEADCOUNT_MODEL`` names, or the shipped default where it is not set.

    Raises:
        ModelError: as ``find_model``; of one that the variable names it says so.
    """
    if model is not None:
        return find_model(model)
    named = default_model()
    if named == DEFAULT_MODEL:
        return find_model(named)
    try:
        return find_model(named)
    except ModelError as error:
        raise ModelError(
            f"{MODEL_VARIABLE} names no model to count with: {error.message}", remedy=error.remedy
        ) from error


def model_files(output: Path) -> list[Path]:
    """The files that a model written as ``output`` has: the graph and the weights as its suffix asks, and the card.

    >>> [path.name for path in model_files(Path("a.onnx"))], [path.name for path in model_files(Path("a.xml"))]
    (['a.onnx', 'a.safetensors', 'a.json'], ['a.xml', 'a.bin', 'a.json'])
    """
    beside = {".onnx": ".safetensors", OPENVINO: ".bin"}.get(output.suffix.lower())
    return [output, *([output.with_suffix(beside)] if beside else []), output.with_suffix(".json")]


def is_shipped(path: Path) -> bool:
    """Whether a file lies among the models inside the package."""
    return path.absolute().parent.resolve() == _shipped_folder().resolve()


def check_weights(path: Path, card: ModelCard) -> None:
    """Refuse weights that are not what their suffix or their card says.

    Raises:
        ModelError: the content is a pickle, a zip or no such format, or its SHA-256 is not the card's.
    """
    _check_content(path)
    card.verify(path)


def _as_path(model: object) -> Path:
    if not isinstance(model, (str, Path)):
        raise ModelError(f"A model is a name or the path of a file, but {model!r} was given.", remedy="models")
    if not str(model).strip():
        raise ModelError(f"The name of the model is empty: leave it out for {DEFAULT_MODEL}.", remedy="models")
    return Path(model)


def models_folder() -> Path:
    """Where the models inside the package lie."""
    return _shipped_folder()


def _shipped_folder() -> Path:
    return Path(str(files("headcount"))) / "weights"


def _weights_beside(card: Path) -> dict[str, Path]:
    return {suffix: card.with_suffix(suffix) for suffix in (*WEIGHTS, INT8) if is_file(card.with_suffix(suffix))}


def _refusal(path: Path) -> str:
    return (
        f'"{path}" is a pickled checkpoint, which can run code when it is opened, and is never read for counting: use '
        "the .onnx or .safetensors file of the model."
    )


def _no_model(path: Path) -> str:
    """What to say of a file of another kind."""
    wanted = "name the .onnx or .safetensors file of a model"
    kind = kind_of(_head(path))
    if kind == GIT_LFS:
        return why_unread(str(path), kind)
    if kind:
        what = f"an image ({kind})" if kind in read_kinds() else f"a file of another kind ({kind})"
        return f'"{path}" is {what} where a model was expected: {wanted}, or a shipped one.'
    if path.suffix.lower() == ".json":
        return f'"{path}" is no model, but may be the card of one: {wanted}, which lies beside it.'
    return f'"{path}" is neither an .onnx nor a .safetensors file: {wanted}, or export one.'


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise ModelError(f'"{path}" cannot be read ({error.strerror or error}): check its permissions.') from error


def _is_pickle(head: bytes) -> bool:
    # A pickle of protocol 2 and later, torch's zip around one, or a compressed file that may hold either.
    return head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x1f\x8b", b"BZh"))


def _check_content(path: Path) -> None:
    """Judge a file by its first bytes, whatever its name says."""
    head = _head(path)
    if not head:
        raise ModelError(f'"{path}" is empty (0 bytes): copy it again from where it came.')
    if _is_pickle(head):
        raise ModelError(_refusal(path), remedy="import")
    if kind_of(head) == GIT_LFS:
        raise ModelError(why_unread(str(path), GIT_LFS))
    if path.suffix.lower() == ".onnx" and head[0] != _ONNX_FIRST_BYTE:
        raise ModelError(f'"{path}" is damaged or no ONNX model: copy it again, or export it anew.')
    if path.suffix.lower() == ".safetensors":
        # Eight bytes say how long the JSON header is that follows them.
        length = struct.unpack("<Q", head[:8])[0] if len(head) > 8 else 0
        if not 2 <= length <= path.stat().st_size - 8 or head[8:9] != b"{":
            raise ModelError(f'"{path}" is damaged or no safetensors file: copy it again, or export it anew.')
