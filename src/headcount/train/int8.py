"""int8: a model's graph once more, its convolutions in whole numbers of 8 bits, where it still counts as well.

NNCF finds the ranges of the values on training images, and puts the rounding into the graph. Where the counts of
validation images get worse by more than is allowed, the last layers of the density, whose sums the rounding shifts
most, stay as they were; then those of all maps.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from headcount.core.card import ModelCard, sha256_of
from headcount.core.errors import InputError, MissingExtraError, ModelError
from headcount.core.files import replacing, writing
from headcount.core.locks import held
from headcount.core.scene import Scene
from headcount.core.table import is_installed
from headcount.core.threads import limit_threads
from headcount.core.words import plural
from headcount.evaluate.run import evaluate_scenes
from headcount.infer import INT8
from headcount.infer.calibrate import read_choosing_sets
from headcount.infer.counter import Counter
from headcount.infer.models import check_weights, find_model, is_shipped
from headcount.infer.runtimes.graph import import_openvino
from headcount.infer.runtimes.openvino import OpenVinoRuntime

AT_MOST = 0.01
IMAGES = 160
_LONGEST_PX = 1280
"""Of the part of an image that ranges are found on: what the first look at a large photograph sees."""


@dataclass(frozen=True, slots=True)
class Form:
    """A graph that was tried.

    Attributes:
        kept: what of it is not in 8 bits, in words.
        mae: of each set, its mean absolute error.
        error: the mean over the sets of MAE ÷ mean count (÷ 1 where fewer than one is there).
    """

    kept: str
    mae: Mapping[str, float]
    error: float

    def line(self) -> str:
        """What to tell of it."""
        errors = ", ".join(f"{name} {mae:.2f}" for name, mae in self.mae.items())
        return f"{self.kept}: MAE {errors}; mean of MAE ÷ mean count {self.error:.4f}"


@dataclass(frozen=True, slots=True)
class Quantized:
    """What came of it: the forms that were tried, the float one first; the last one is the one that was written."""

    path: Path
    forms: tuple[Form, ...]

    def lines(self) -> list[str]:
        """What to tell of it."""
        return [form.line() for form in self.forms]


def quantize(
    model: str | Path,
    data: Sequence[str],
    *,
    split: str = "val",
    images: int = IMAGES,
    at_most: float = AT_MOST,
    threads: int | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Quantized:
    """Write a model's ``.int8.onnx`` beside its ``.onnx``, and both into its card.

    Args:
        model: the path of an ``.onnx`` file with its card beside it, or a shipped name with ``overwrite``.
        data: ``NAME=PATH`` of each set: its training images give the ranges, its ``split`` says how well it counts.
        split: which images are counted; never the test split of a published set. Of ``all``, which are the user's own,
            the ranges are found on the same.
        images: how many training images at most, of all sets alike.
        at_most: by which share of its value the mean of MAE ÷ mean count may get worse.
        threads: how many compute.
        overwrite: write into the package, or over an int8 file that is there.
        say: told in a line what is done.

    Raises:
        InputError: the data cannot be read, or a file is there already.
        ModelError: the model has no ``.onnx``, or counts too much worse in 8 bits, however much is left as it was.
        MissingExtraError: NNCF is not in this install.
    """
    if not is_installed("nncf"):
        raise MissingExtraError("Writing int8", "int8")
    found = find_model(model)
    weights, card = found.weights.get(".onnx"), found.card
    if weights is None or card.decoder is None:
        raise ModelError(f'"{card.name}" has no .onnx file that counts, of which one in int8 could be made.')
    check_weights(weights, card)
    target, own = weights.with_name(f"{weights.stem}{INT8}"), weights.with_suffix(".json")
    if not overwrite and (target.exists() or is_shipped(weights)):
        what = "exists already" if target.exists() else "would lie in the package"
        raise InputError(f'"{target}" {what}: choose another model.', remedy="overwrite")
    sets = read_choosing_sets(data, split)
    examples = _examples(data, "all" if split == "all" else "train", images)
    say(f"ranges are found on {plural(len(examples), 'image')}")
    threads = limit_threads(threads)

    def count(graph: Path, kept: str, precision: str) -> Form:
        runtime = OpenVinoRuntime(graph, precision=precision, threads=threads, size_divisor=card.input.size_divisor)
        counter, mae, errors = Counter(card, runtime), {}, []
        for key, read in sets.items():
            counted = evaluate_scenes(counter, read, metrics=(), keep_worst=0).images
            mae[" ".join(key)] = float(np.mean([abs(image.error) for image in counted]))
            errors.append(mae[" ".join(key)] / max(1.0, float(np.mean([image.true for image in counted]))))
        form = Form(kept, mae, float(np.mean(errors)))
        say(form.line())
        return form

    graph = float_graph(weights)
    forms = [count(weights, "f32", "f32")]
    with TemporaryDirectory() as folder, held(target), writing(target):
        for kept, layers in _choices(graph, card):
            tried = Path(folder) / target.name
            onnx.save(in_8_bits(graph, examples, layers, card.input.size_divisor), str(tried))
            forms.append(count(tried, kept, "int8"))
            if forms[-1].error <= (1 + at_most) * forms[0].error:
                break
        else:
            worse = min(form.error for form in forms[1:]) / forms[0].error - 1
            raise ModelError(
                f'"{card.name}" counts worse by {worse:.1%} in int8, {at_most:.1%} were allowed: it stays as it is.'
            )
        with replacing(own) as card_file, replacing(target) as file:
            file.write_bytes(tried.read_bytes())
            sums = {**card.sha256, target.name: sha256_of(file)}
            card_file.write_text(card.model_copy(update={"sha256": sums}).sealed_json(), encoding="utf-8")
    return Quantized(target, tuple(forms))


def _examples(data: Sequence[str], split: str, images: int) -> list[Scene]:
    """Images of every set, evenly spread over it."""
    scenes = []
    for read in read_choosing_sets(data, split).values():
        wanted = max(1, images // len(data))
        picked = np.unique(np.linspace(0, len(read.scenes) - 1, min(wanted, len(read.scenes))).round().astype(int))
        scenes += [read.scenes[index] for index in picked]
    return scenes


def float_graph(path: Path) -> onnx.ModelProto:
    """A model's graph with all of its weights as float32: rounding finds those alone."""
    model = onnx.load(str(path))
    halves = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), node.output[0]))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def own_layers(model: onnx.ModelProto, output: str) -> list[str]:
    """The convolutions, by name, that an output needs, and not all outputs do; a single output has none of its own."""
    producers = {name: node for node in model.graph.node for name in node.output}
    needed: list[set[str]] = []
    for given in model.graph.output:
        seen: set[str] = set()
        waiting = [given.name]
        while waiting:
            node = producers.get(waiting.pop())
            if node is not None and node.name not in seen:
                seen.add(node.name)
                waiting.extend(node.input)
        needed.append(seen)
    mine = needed[[given.name for given in model.graph.output].index(output)]
    mine -= needed[0].intersection(*needed)
    return [node.name for node in model.graph.node if node.op_type == "Conv" and node.name in mine]


def _choices(model: onnx.ModelProto, card: ModelCard) -> list[tuple[str, list[str]]]:
    """What may stay as it was, from the least on, in words and as layers."""
    own = {output.name: own_layers(model, output.name) for output in card.outputs}
    of_density = own.get("density", [])
    of_all = list(dict.fromkeys(layer for layers in own.values() for layer in layers))
    choices: list[tuple[str, list[str]]] = [("int8", [])]
    if of_density:
        choices.append(("int8, but the last layers of the density", of_density))
    if len(of_all) > len(of_density):
        choices.append(("int8, but the last layers of all maps", of_all))
    return choices


def in_8_bits(
    model: onnx.ModelProto, examples: Sequence[Scene], kept: Sequence[str], size_divisor: int
) -> onnx.ModelProto:
    """A graph whose convolutions compute in 8 bits, but those of the names ``kept``; the ranges are those of examples.

    Weights have 7 bits of the 8: processors without VNNI overflow otherwise.
    """
    nncf = _import_nncf()

    def pixels_of(scene: Scene) -> dict[str, NDArray[np.uint8]]:
        pixels = scene.pixels()
        height, width = (
            max(size_divisor, min(side, _LONGEST_PX) // size_divisor * size_divisor) for side in pixels.shape[:2]
        )
        filled = np.zeros((1, height, width, 3), np.uint8)
        part = pixels[:height, :width]
        filled[0, : part.shape[0], : part.shape[1]] = part
        return {"pixels": filled}

    # The largest values decide, not a mean: they are those of the densest crowds.
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    # It shows its progress on standard output, which is ours for results.
    with contextlib.redirect_stdout(io.StringIO()):
        result: onnx.ModelProto = nncf.quantize(
            copy.deepcopy(model),
            nncf.Dataset(list(examples), pixels_of),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(examples),
            ignored_scope=nncf.IgnoredScope(names=list(kept)) if kept else None,
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=ranges, overflow_fix=nncf.OverflowFix.ENABLE
            ),
        )
    result.doc_string = result.graph.doc_string = ""
    return result


def _import_nncf() -> Any:
    """NNCF without its reports to the vendor and its talk.

    It does without the package that reports where that cannot be imported; its own switch leaves files behind.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no GPU
    import_openvino()
    reporter = "openvino_telemetry"
    before = sys.modules.get(reporter)
    sys.modules[reporter] = None  # type: ignore[assignment]  # makes its import an ImportError
    try:
        import nncf
        import nncf.quantization.range_estimator
    finally:
        del sys.modules[reporter]
        if before is not None:
            sys.modules[reporter] = before
    nncf.set_log_level(logging.ERROR)
    return nncf
