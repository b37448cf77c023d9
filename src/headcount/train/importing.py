"""Import: the checkpoints of a method's authors become models that are read as ours are.

Which methods, and how, say the rows of ``METHODS``; only tensors are read (``models.weights.read_foreign``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from headcount.core.card import DataUse, ModelCard, sha256_of
from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.table import load_object
from headcount.data.sets.catalogue import CATALOGUE
from headcount.models.table import METHODS, build_method
from headcount.models.weights import ForeignWeights, read_foreign, some_of, without_wrappers
from headcount.train.card import method_card
from headcount.train.export import write_model


def import_weights(method_name: str, file: Path, output: Path, *, data: str = "") -> ModelCard:
    """Turn a checkpoint of a method's authors into a model: ``output``, and beside it the card.

    ``output`` is an ``.onnx``, with the ``.safetensors`` beside it, or that alone. Weights stay in float32, and the
    card asks for it: the maps are the authors' own, to 1e-5. ``data`` is what the checkpoint was trained on, which it
    does not say: the image's normalisation and enlargement go by it, where they differ. Without it, that of most of
    the authors' checkpoints is taken where it matters, and the card names none where it does not.

    Raises:
        InputError: there is no rule for the method, or its authors have trained on no such data set.
        ModelError: the file is no checkpoint, holds more than tensors, or lacks some of the network's or has others.
    """
    foreign = _rule_of(method_name)
    data = data or foreign.usual
    if data and data not in foreign.data:
        raise InputError(
            f'The authors of {foreign.title} have trained on no data set "{data}".{nearest(data, foreign.data)}'
        )
    theirs = without_wrappers(read_foreign(file))
    found = foreign.options_of(theirs.keys())
    if found is None:
        raise ModelError(
            f'"{file}" is no checkpoint of the {foreign.title} authors: it has {foreign.telling}, but '
            f"{some_of(theirs)}."
        )
    options = {**foreign.options, **found, **foreign.data.get(data, {})}
    with torch.device("meta"):  # drawing random weights takes longer than all the rest
        method = build_method(method_name, options)
    method = method.to_empty(device="cpu").eval()
    foreign.put(method, theirs, options, str(file))
    card = method_card(
        method_name,
        options,
        method,
        name=output.stem,
        summary=_summary(foreign.title, found, data),
        data=(_data_use(data),) if data else (),
        precision="f32",
        terms="The authors' weights; the data they were trained on is for research use only.",
        initialisation=f"imported from {file.name} (SHA-256 {sha256_of(file)})",
    )
    return write_model(method, card, output, halved=False)


def _summary(title: str, found: Mapping[str, Any], data: str) -> str:
    kinds = ", ".join(value for value in found.values() if isinstance(value, str))
    return f"{title}{f' ({kinds})' if kinds else ''} by its authors{f', trained on {data}' if data else ''}."


def _rule_of(method_name: str) -> ForeignWeights:
    row = METHODS.find(method_name)
    if not row.foreign:
        known = [name for name, other in METHODS.items() if other.foreign]
        raise InputError(
            f'There is no rule to import weights of the method "{method_name}".{nearest(method_name, known)}'
        )
    rule: ForeignWeights = load_object(row.foreign)
    return rule


def _data_use(data: str) -> DataUse:
    entry = CATALOGUE[data]
    images = next((r.counts["train"][0] for r in entry.releases if "train" in r.counts), 0)
    return DataUse(name=data, split="train", images=images, terms=entry.terms)
