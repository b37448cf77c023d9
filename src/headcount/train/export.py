"""Export: a checkpoint or a model becomes an ONNX file for counting, safetensors for going on, and one card for both.

Or OpenVINO's own two files and a card.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxscript.optimizer import fold_constants, inline, remove_unused_nodes
from safetensors.torch import save
from torch import Tensor, nn
from torch.export import Dim
from tqdm import tqdm

from headcount.core.card import DataUse, ModelCard, Result, sha256_of
from headcount.core.errors import InputError, ModelError
from headcount.core.files import replacing, writing
from headcount.core.locks import held
from headcount.core.settings import checked
from headcount.data.sets.catalogue import find_entry
from headcount.decode.table import decoder_of
from headcount.infer.models import check_weights, find_model, model_files
from headcount.infer.runtimes.graph import import_openvino, read_graph
from headcount.infer.runtimes.onnx import open_session
from headcount.infer.tiling import Maps
from headcount.models.method import Method
from headcount.models.normalise import normalise
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.models.weights import load_tensors, read_tensors
from headcount.train.card import card_of
from headcount.train.checkpoint import TENSORS, Checkpoint, find_checkpoint, read_checkpoint
from headcount.train.parity import compare_tiled, compare_whole
from headcount.train.pools import PAINTED
from headcount.train.recipe import Recipe
from headcount.train.validation import chosen_settings

_SAME = 1e-3


def _is_halved(shape: Sequence[int]) -> bool:
    """Whether a tensor is stored as float16: convolutions are, nothing else.

    Variances of batch norms lie far beyond what float16 holds (up to 4e5 in the shipped model): as infinities they
    moved counts by a tenth.
    """
    return len(shape) > 1


def export_checkpoint(
    checkpoint: Path, output: Path, *, reports: Sequence[Path] = (), decoder: Mapping[str, float] | None = None
) -> ModelCard:
    """Write ``output``, as ``write_model`` does.

    ``checkpoint`` is a run's folder (its best checkpoint is taken, else its last) or one checkpoint's folder; the
    averaged weights are exported. ``reports`` are JSON files of ``headcount evaluate``, whose figures go into the card.
    ``decoder`` are settings of its decoder that were calibrated on validation images; a detector's score threshold is
    else the one that its last validation until the checkpoint chose.

    Raises:
        ModelError: there is no whole checkpoint, the decoder has no such setting, or the ONNX file does not repeat the
            network.
        InputError: a report is not one.
    """
    saved = _read(checkpoint)
    recipe = checked(Recipe, saved.state.get("recipe", {}), f"the recipe in {checkpoint}")
    method = build_method(recipe.method, recipe.model).eval()
    method.load_state_dict(saved.part("ema"))
    card = (
        card_of(recipe, method)
        .model_copy(
            update={
                "data": _data_uses(saved.state.get("scenes", {})),
                "terms": _terms(saved.state.get("scenes", {})),
                "notes": tuple(_note(change) for change in saved.state.get("changes", [])),
            }
        )
        .calibrated(chosen_settings(saved.state.get("history", [])))
    )
    return write_model(method, _completed(card, output, reports, decoder), output)


def export_model(
    model: str | Path, output: Path, *, reports: Sequence[Path] = (), decoder: Mapping[str, float] | None = None
) -> ModelCard:
    """Write a model anew, as ``write_model`` does: in another format, under another name, or with more in its card.

    ``model`` is a shipped name or a model's file; ``reports`` and ``decoder`` as of ``export_checkpoint``, where
    figures take the place of those that the card has of the same data, split and metric.

    Raises:
        ModelError: as ``find_model``, it has no ``.safetensors`` file, or as ``export_checkpoint``.
        InputError: a report is not one.
    """
    found = find_model(model)
    weights = found.weights.get(".safetensors")
    if weights is None:
        raise ModelError(f'"{model}" has no .safetensors file beside it, of which another file could be made.')
    check_weights(weights, found.card)
    method = build_method(found.card.method, found.card.architecture).eval()
    tensors = read_tensors(weights)
    load_tensors(method, tensors, str(weights))
    halved = any(tensor.dtype == torch.float16 for tensor in tensors.values())
    return write_model(method, _completed(found.card, output, reports, decoder), output, halved=halved)


def _completed(
    card: ModelCard, output: Path, reports: Sequence[Path], decoder: Mapping[str, float] | None
) -> ModelCard:
    told = [result for report in reports for result in read_report(report)]
    known = {(result.data, result.split, result.metric) for result in told}
    kept = [result for result in card.results if (result.data, result.split, result.metric) not in known]
    card = card.model_copy(update={"name": output.stem, "results": (*kept, *told)}).calibrated(decoder or {})
    if decoder:
        decoder_of(card)  # a wrong setting is told before anything is written
    return card


def _note(change: Mapping[str, Any]) -> str:
    return f"While it was trained, at step {change['step']:,}: {change['what']}."


def write_model(method: Method, card: ModelCard, output: Path, *, halved: bool = True) -> ModelCard:
    """Write a method as ``output``, and its card (``.json``).

    That is an ``.onnx`` with a ``.safetensors`` beside it, or a ``.safetensors`` alone, or OpenVINO's ``.xml`` with its
    ``.bin``. ``halved`` stores convolutions as float16. The card as written, with the files' SHA-256, is returned.

    Raises:
        ModelError: the graph does not repeat the network, on a whole image and in tiles, to a thousandth; or this
            method has none.
        InputError: the files cannot be written, or another run writes them.
    """
    kind = output.suffix.lower()
    if kind != ".safetensors" and method.torch_only:
        raise ModelError(f"{method.torch_only}: export it to a .safetensors file.", remedy="output")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    stored = {
        key: value.half() if halved and value.is_floating_point() and _is_halved(value.shape) else value
        for key, value in method.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    weights = output.with_suffix(".safetensors")
    rounded = method
    if kind != ".safetensors" and halved:
        rounded = copy.deepcopy(method)
        load_tensors(rounded, stored, str(weights))
    # All are whole before the first takes its place.
    with held(output), contextlib.ExitStack() as files:
        parts = {path: files.enter_context(replacing(path)) for path in reversed(model_files(output))}  # the card last
        if weights in parts:
            with writing(weights):
                parts[weights].write_bytes(save({key: value.contiguous() for key, value in stored.items()}))
        if kind == ".onnx":
            _write_onnx(method, rounded, card, parts[output])
        elif kind == ".xml":
            with tempfile.TemporaryDirectory() as folder:
                graph = Path(folder) / "graph.onnx"
                _write_onnx(method, rounded, card, graph)
                _write_openvino(rounded, card, graph, parts[output], parts[output.with_suffix(".bin")])
        own = output.with_suffix(".json")
        card = card.model_copy(update={"sha256": {p.name: sha256_of(at) for p, at in parts.items() if p != own}})
        with writing(own):
            parts[own].write_text(card.sealed_json(), encoding="utf-8")
    return card


def _write_openvino(rounded: Method, card: ModelCard, graph: Path, xml: Path, weights: Path) -> None:
    """Write OpenVINO's form of an ONNX file, once it is seen to compute what the method does."""
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.xml"
        # The network's constants have their precision already: variances would overflow in float16.
        openvino.save_model(read_graph(graph, size_divisor=card.input.size_divisor), str(made), compress_to_fp16=False)
        compiled = openvino.Core().compile_model(str(made), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        names = [output.name for output in card.outputs]

        def run(pixels: NDArray[np.uint8]) -> Maps:
            return {name: np.asarray(values) for name, values in zip(names, compiled(pixels).values(), strict=True)}

        network = TorchRuntime(rounded, card.input).run
        compare_whole(network, run, card, at_most=_SAME)
        compare_tiled(network, run, card, at_most=_SAME)
        with writing(xml):
            shutil.copyfile(made, xml)
            shutil.copyfile(made.with_suffix(".bin"), weights)


def _read(path: Path) -> Checkpoint:
    if not (path / TENSORS).is_file():
        found = find_checkpoint(path, "best") or find_checkpoint(path, "last")
        if found is None:
            raise ModelError(f'"{path}" holds no checkpoint: name the folder of a run, or of one of its checkpoints.')
        path = found
    return read_checkpoint(path)


def _data_uses(scenes: Mapping[str, int]) -> tuple[DataUse, ...]:
    return tuple(
        DataUse(name=name, split="train", images=images, terms=_terms_of(name)) for name, images in scenes.items()
    )


def _terms_of(data: str) -> str:
    entry = find_entry(data)
    return entry.terms if entry is not None else "made by headcount" if data == PAINTED else "the user's own"


def _terms(scenes: Mapping[str, int]) -> str:
    if any(find_entry(name) for name in scenes):
        return "The weights are for research use, on the terms of the data they were trained on (listed under data)."
    return ""


def read_report(path: Path) -> list[Result]:
    """The figures of a ``headcount evaluate`` report, as a card holds them.

    Raises:
        InputError: the file is no such report.
    """
    try:
        reports = json.loads(path.read_text(encoding="utf-8"))["reports"]
        return [_result(report, figure) for report in reports for figure in report["figures"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'"{path}" is no report of an evaluation ({type(error).__name__}: {error}).') from error


def _result(report: Mapping[str, Any], figure: Mapping[str, Any]) -> Result:
    return Result(
        data=report["data"],
        split=report["split"],
        images=report["images"],
        metric=figure["metric"],
        value=round(float(figure["value"]), 3),
        protocol=figure["protocol"],
    )


class _FromPixels(nn.Module):
    """uint8 NHWC pixels → the method's maps, in the order of its outputs: normalising is part of the graph."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        maps = self.method(normalise(pixels.permute(0, 3, 1, 2), self.method.input_spec))
        return tuple(maps[output.name] for output in self.method.outputs)


def _write_onnx(method: Method, rounded: Method, card: ModelCard, path: Path) -> None:
    """Write the rounded method's graph, once it is seen to compute what the method does."""
    divisor = card.input.size_divisor
    names = [output.name for output in card.outputs]
    example = torch.zeros(1, 4 * divisor, 6 * divisor, 3, dtype=torch.uint8)
    shapes = {1: divisor * Dim("rows", min=1), 2: divisor * Dim("columns", min=1)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    tqdm.monitor_interval = 0  # the exporter's progress bars would leave a thread behind
    # The exporter reports its progress on standard output, which is ours for results.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _FromPixels(rounded).eval(), (example,), None, input_names=["pixels"], output_names=names,
            dynamic_shapes=(shapes,), dynamo=True, optimize=False,
        )  # fmt: skip
        assert program is not None
        # Batch norms stay by themselves: weights that took one in would be rounded once more, and differ from torch's.
        # Runtimes join the two when they load the model.
        inline(program.model)
        fold_constants(program.model)
        remove_unused_nodes(program.model)
        model = program.model_proto
    _strip(model)
    if rounded is not method:
        _halve(model)
        onnx.checker.check_model(model)
    _save(model, path)
    session = open_session(path)

    def run(pixels: NDArray[np.uint8]) -> Maps:
        return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))

    network = TorchRuntime(rounded, card.input).run
    compare_whole(network, run, card, at_most=_SAME)
    compare_tiled(network, run, card, at_most=_SAME)
    if rounded is not method:
        # Weights are rounded: a network that was hardly trained amplifies that.
        compare_whole(TorchRuntime(method, card.input).run, run, card, at_most=5e-2)


def _save(model: onnx.ModelProto, path: Path) -> None:
    with writing(path):
        onnx.save(model, str(path))


def _strip(model: onnx.ModelProto) -> None:
    """Take off what the exporter wrote for its own debugging: stack traces with paths of this machine."""
    del model.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    model.graph.name = "headcount"
    del model.graph.metadata_props[:]
    for thing in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output,
                  *model.graph.value_info):  # fmt: skip
        thing.doc_string = ""
        del thing.metadata_props[:]


def _halve(model: onnx.ModelProto) -> None:
    """Store convolutions' weights as float16, each behind a Cast to float32: half the file, the arithmetic unchanged.

    Runtimes fold the casts when they load the model.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or not _is_halved(values.shape):
            continue
        # Weights are rounded already; what is not (the mean and spread of pixels) stays as it is.
        if not np.array_equal(values.astype(np.float16).astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
