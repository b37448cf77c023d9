"""Weights that are no numbers, and cards that no model could have: refused in a sentence, and no number is told."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import forked, run
from tests.trust.scenes import write_pictures

from headcount import load
from headcount.core.card import ModelCard, sha256_of
from headcount.core.errors import HeadcountError

MODEL = "headcount-n"
HUGE = 1e308
NOT_FINITE = (math.nan, math.inf, -math.inf)
PICTURE = np.zeros((64, 96, 3), np.uint8)


def copy_model(folder: Path, *suffixes: str) -> Path:
    """A shipped model of the smallest network in a folder of its own; its card, which may be changed by hand."""
    import headcount

    folder.mkdir(parents=True)
    shipped = Path(headcount.__file__).parent / "weights"
    for suffix in (*suffixes, ".json"):
        shutil.copy(shipped / f"{MODEL}{suffix}", folder)
    card = folder / f"{MODEL}.json"
    card.write_text(ModelCard.read(card).to_json(), encoding="utf-8")
    return card


def _put(path: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    """A card with another value at a path of keys: ``decoder.settings.block_px``, ``outputs.0.stride``."""

    def change(card: dict[str, Any]) -> dict[str, Any]:
        *inner, last = path.split(".")
        at: Any = card
        for key in inner:
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[int(last) if isinstance(at, list) else last] = value
        return card

    return change


def _maps(number: int) -> list[dict[str, Any]]:
    return [{"name": f"map{index}", "stride": 8} for index in range(number)]


def _deep(card: dict[str, Any]) -> str:
    return '{"a":' * 100_000 + "1" + "}" * 100_000


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a number for a name": _put("name", 5),
    "no name": _put("name", None),
    "an empty name": _put("name", ""),
    "a name of a million letters": _put("name", "n" * 1_000_000),
    "a name that clears the terminal": _put("name", "\x1b[2Jn"),
    "a method that is a list": _put("method", []),
    "text for the outputs": _put("outputs", "density"),
    "no outputs": _put("outputs", []),
    "a million maps": _put("outputs", _maps(1_000_000)),
    "two maps of one name": lambda card: {**card, "outputs": [*card["outputs"], card["outputs"][0]]},
    "maps that the network does not make": _put("outputs", _maps(5)),
    "a negative stride": _put("outputs.0.stride", -8),
    "a stride of nothing": _put("outputs.0.stride", 0),
    "a huge stride": _put("outputs.0.stride", 2**62),
    "a stride that is no whole number": _put("outputs.0.stride", 7.5),
    "another stride than the network's": _put("outputs.0.stride", 16),
    "negative channels": _put("outputs.3.channels", -2),
    "a thousand million channels": _put("outputs.3.channels", 10**9),
    "a map without a name": _put("outputs.0.name", None),
    "no decoder": _put("decoder", None),
    "an unknown decoder": _put("decoder.name", "oracle"),
    "a decoder that is a list": _put("decoder", []),
    "an unknown setting": _put("decoder.settings.wisdom", 1),
    "a scale of 1e308": _put("decoder.settings.density.density_scale", HUGE),
    "a scale that is NaN": _put("decoder.settings.density.density_scale", math.nan),
    "an infinite scale": _put("decoder.settings.density.density_scale", math.inf),
    "a negative scale": _put("decoder.settings.density.density_scale", -1),
    "a scale in words": _put("decoder.settings.density.density_scale", "large"),
    "a search of a million cells": _put("decoder.settings.density.peak_distance", 10**6),
    "blocks of nothing": _put("decoder.settings.block_px", 0),
    "weights of blocks of 1e308": _put("decoder.settings.boxes_weight", [HUGE, HUGE, HUGE]),
    "too few weights of blocks": _put("decoder.settings.boxes_weight", [1]),
    "a score above 1": _put("decoder.settings.boxes.score_threshold", 1.5),
    "no heads at most": _put("decoder.settings.boxes.max_heads", 0),
    "a spread of nothing": _put("input.std", [0, 0, 0]),
    "a negative spread": _put("input.std", [-0.2, 0.2, 0.2]),
    "an infinite mean": _put("input.mean", [math.inf, 0, 0]),
    "a mean of 1e308": _put("input.mean", [HUGE, HUGE, HUGE]),
    "two values for three channels": _put("input.mean", [0.5, 0.5]),
    "two channels": _put("input.channels", 2),
    "a divisor of nothing": _put("input.size_divisor", 0),
    "a divisor of a million": _put("input.size_divisor", 10**6),
    "an enlargement of 1e308": _put("input.enlarge", HUGE),
    "an enlargement that is NaN": _put("input.enlarge", math.nan),
    "huge tiles": _put("tile.size", 10**15),
    "tiles without a core": _put("tile.halo", 10**6),
    "a negative halo": _put("tile.halo", -1),
    "heads to aim at of 1e308 px": _put("scale", {"aim_px": HUGE}),
    "a first look of 1e15 px": _put("scale", {"look_px": 10**15}),
    "heads of an infinite size": _put("scale", {"most_px": math.inf}),
    "a range that is NaN": _put("interval.below", math.nan),
    "a range of 1e308": _put("interval.above", HUGE),
    "quantiles out of order": _put("interval.quantiles", [1, 0, -1]),
    "quantiles of 1e308": _put("interval.quantiles", [-HUGE, 0, HUGE]),
    "residuals of no images": _put("interval.images", 0),
    "evidence of no spread": _put("interval.evidence.0.spread", 0),
    "the hash of other weights": _put("sha256", {f"{MODEL}.onnx": "0" * 64}),
    **{
        f"weights at {place!r}": _put("sha256", {place: "0" * 64})
        for place in ("/etc/passwd", "../../outside.onnx", "..\\outside.onnx", "", "\x1b[2J.onnx", "m" * 1_000_000)
    },
    "a hash that is a number": _put("sha256", {f"{MODEL}.onnx": 7}),
    "a list for the hashes": _put("sha256", []),
    "another format": _put("format", 2),
    "an unknown task": _put("task", "prophesy"),
    "the task of another model": _put("task", "size"),
    "an unknown key": _put("wisdom", True),
    "an unknown key of a million letters": _put("w" * 1_000_000, True),
    "no keys": lambda card: {},
    "null": lambda card: None,
    "a list": lambda card: [card],
    "a number": lambda card: 7,
    "a hundred thousand levels": _deep,
    "no JSON": lambda card: "{]",
    "an empty file": lambda card: "",
    "a number of a million digits": lambda card: '{"seed": ' + "9" * 1_000_000 + "}",
}
"""What is wrong → the card that is so: a record, or the text of the file."""


def _refusal_of_card(card: Path, changed: Any) -> str:
    """What is to be said against a card that was read, and a picture counted: empty where it was refused as it must."""
    card.write_text(changed if isinstance(changed, str) else json.dumps(changed), encoding="utf-8")
    try:
        counted = load(card.with_suffix(".onnx")).count(PICTURE)
    except HeadcountError as error:
        return "" if 20 < len(str(error)) < 2000 else f"refused in {len(str(error)):,} letters"
    except Exception as error:
        return f"{type(error).__name__} instead of a sentence: {str(error)[:100]}"
    return f"it counts {counted.count}"


def _not_numbers(weights: Path, value: float) -> None:
    """Put a value into a weights file, and the file's hash into its card: nothing but the value tells."""
    if weights.suffix == ".safetensors":
        tensors = load_file(weights)
        tensors[max(tensors)].flat[0] = value
        save_file(tensors, weights)
    else:
        import onnx

        model = onnx.load(weights)
        tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
        numbers = onnx.numpy_helper.to_array(tensor).copy()
        numbers.flat[-1] = value
        tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
        onnx.save(model, weights)
    card = weights.with_suffix(".json")
    told = json.loads(card.read_text(encoding="utf-8"))
    told["sha256"] = {weights.name: sha256_of(weights)}
    card.write_text(json.dumps(told), encoding="utf-8")


def _weights_that_are_no_numbers(work: Path, values: tuple[float, ...]) -> tuple[int, list[str]]:
    tried, findings = 0, []
    pictures = write_pictures(work / "pictures", 1)
    for value in values:
        for suffix, runtime in ((".onnx", "auto"), (".onnx", "onnxruntime"), (".safetensors", "torch")):
            folder = work / f"{value}-{runtime}"
            weights = copy_model(folder, suffix).with_suffix(suffix)
            _not_numbers(weights, value)
            done = run("count", pictures, "--model", weights, "--runtime", runtime)
            tried += 1
            if not done.is_told_in_a_sentence(weights.name, "not finite"):
                findings.append(f"Weights of {value}, on {runtime}: {done.code}, {done.sentence or done.out}")
    return tried, findings


def _try(size: Size) -> Result:
    with work_folder("absurd") as work, forked():
        tried, findings = _weights_that_are_no_numbers(work, (math.nan,) if size == "short" else NOT_FINITE)
        card = copy_model(work / "cards", ".onnx")
        text = card.read_text(encoding="utf-8")
        for what, change in CHANGES.items():
            said = _refusal_of_card(card, change(json.loads(text)))
            findings += [f"A card with {what[:80]}: {said}."] if said else []
        card.write_text(text, encoding="utf-8")
        assert load(card.with_suffix(".onnx")).card.name == MODEL
    how = (
        f"{tried} weights files with a NaN or infinity whose hashes fit (OpenVINO, ONNX Runtime, torch), and "
        f"{len(CHANGES)} cards: wrong types, huge, negative and missing values, unknown decoders, hashes of other "
        "weights; each refused with one sentence when it is loaded or, where the network must tell, at the first image"
    )
    return result_of(tried + len(CHANGES), findings, how)


EXPERIMENT = Experiment("absurd-models", "Weights that are no numbers, absurd model cards", _try)
