"""Backbones by name: any timm `features_only` network, or a classic one; their initialisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.settings import Settings
from headcount.models.parts.base import Backbone
from headcount.models.parts.classic import LightBackbone, VggBackbone
from headcount.models.parts.published import names_in_whole, whole_network
from headcount.models.weights import is_counter, read_tensors, some_of


class TimmBackbone(Backbone):
    """A timm network's feature maps at the given strides.

    ``frozen_stages`` of the network's first blocks (and its stem) keep their weights and batch statistics: their
    features are general, and most of a training step's time and memory is spent there. With ``fixed_statistics`` every
    batch norm keeps its mean and variance, and learns its scale and shift alone. ``options`` go to timm.

    Raises:
        InputError: timm has no such network, or it has no map at a stride asked for.
    """

    def __init__(
        self,
        name: str,
        *,
        strides: Sequence[int] = (8, 16, 32),
        in_channels: int = 3,
        frozen_stages: int = 0,
        fixed_statistics: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        from headcount.models.parts.timm_networks import timm  # a second to import

        if name not in timm.list_models():
            raise InputError(f'"{name}" is no network that timm has.{nearest(name, timm.list_models())}')
        wanted: dict[str, Any] = {
            "pretrained": False,
            "features_only": True,
            "in_chans": in_channels,
            **(options or {}),
        }
        with torch.device("meta"):  # only to ask which maps there are
            asked: Any = timm.create_model(name, **wanted)
        reductions = asked.feature_info.reduction()
        missing = [stride for stride in strides if stride not in reductions]
        if missing:
            raise InputError(f'"{name}" has maps at strides {reductions}, but stride {missing[0]} was asked for.')
        # What lies beyond the coarsest map in use is not built.
        last = max(reductions.index(stride) for stride in strides)
        indices = tuple(asked.feature_info.out_indices)[: last + 1]  # some networks leave out their first
        whole = timm.create_model(name, **{"out_indices": indices, **wanted})
        info: Any = whole.feature_info
        self.name, self.network = name, whole
        self.picked = [reductions.index(stride) for stride in strides]
        self.channels = [info.channels()[index] for index in self.picked]
        self.strides = list(strides)
        self.frozen = self._first_parts(frozen_stages)
        for part in self.frozen:
            part.requires_grad_(False)
        norms = [part for part in whole.modules() if isinstance(part, nn.BatchNorm2d)] if fixed_statistics else []
        self.steady = [*self.frozen, *norms]
        self.depthwise = any(
            isinstance(part, nn.Conv2d) and 1 < part.groups == part.in_channels for part in whole.modules()
        )

    def _first_parts(self, stages: int) -> list[nn.Module]:
        if stages == 0:
            return []
        blocks = getattr(self.network, "blocks", None)
        if blocks is None or not hasattr(self.network, "conv_stem") or stages > len(blocks):
            raise InputError(f"frozen_stages={stages} is only known for networks of a stem and that many blocks.")
        return [self.network.conv_stem, self.network.bn1, *list(blocks)[:stages]]

    def train(self, mode: bool = True) -> TimmBackbone:
        super().train(mode)
        for part in self.steady:
            part.eval()  # batch statistics stay those of the initialisation
        return self

    def published_names(self) -> tuple[Mapping[str, str], set[str]]:
        whole = set(whole_network(self.name).state_dict())
        names = names_in_whole(self.network.state_dict(), whole)
        return {f"network.{key}": name for key, name in names.items()}, whole

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, c, h, w) → one (b, channels[i], h/strides[i], w/strides[i]) each."""
        if self.depthwise and images.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # In bf16 the backward pass of depthwise convolutions takes a processor twice as long.
            with torch.autocast("cpu", enabled=False):
                features = self.network(images.float())
        else:
            features = self.network(images)
        return [features[index] for index in self.picked]


class TimmOptions(Settings):
    """Options of a timm backbone."""

    strides: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(8, 16, 32), min_length=1)
    """Which of the network's maps are used."""
    frozen_stages: int = Field(default=0, ge=0)
    """How many of its first stages keep the weights of their initialisation."""
    fixed_statistics: bool = False
    """Whether batch norms keep the mean and variance of the initialisation, as they will count: where small batches mix
    very unlike pictures, those of a batch are nobody's, and the densest crowds are counted otherwise than learned."""


def build_backbone(name: str, *, in_channels: int = 3, options: TimmOptions | None = None) -> Backbone:
    """``light``, ``vgg16`` (the paper's "csr"), or the name of a timm network with its options.

    Raises:
        InputError: timm has no such network, an option does not fit it, or options are given to another.
    """
    if name in ("light", "vgg16"):
        if options is not None:
            raise InputError(f'The backbone "{name}" takes no options: they are for timm networks.')
        return LightBackbone(in_channels=in_channels) if name == "light" else VggBackbone(in_channels=in_channels)
    options = options or TimmOptions()
    return TimmBackbone(name, in_channels=in_channels, **dict(options))


def initialise_he(module: nn.Module, *, std: float | None = None) -> None:
    """He initialisation of every convolution; with ``std``, the printed normal(0, std) instead."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            if std is None:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            else:
                nn.init.normal_(part.weight, 0.0, std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def load_backbone(backbone: Backbone, file: Path) -> None:
    """Put a safetensors file's weights into a backbone.

    Their names are the backbone's own, or those of timm's whole network, of which it may be a part.

    Raises:
        InputError: there is no such file.
        ModelError: tensors are missing, left over or of another shape; some are named.
    """
    if not file.is_file():
        raise InputError(
            f'There is no initialisation "{file}": import the weights of the backbone to a file of that name, name '
            "another with initialisation=FILE, or set initialisation=none.",
            remedy="import_backbone",
        )
    tensors = read_tensors(file)
    own = backbone.state_dict()
    bare = {key: key.removeprefix("network.") if isinstance(backbone, TimmBackbone) else key for key in own}
    missing, extra = _misfits(own, bare, tensors)
    names: Mapping[str, str] = bare
    if missing or extra:
        published, known = backbone.published_names()
        names = {key: bare[key] if bare[key] in tensors else published.get(key, bare[key]) for key in own}
        missing, extra = _misfits(own, names, tensors)
        extra -= known
    wrong = [key for key, name in names.items() if name in tensors and tensors[name].shape != own[key].shape]
    if missing or extra or wrong:
        kind, keys = (
            ("lacks", missing) if missing else ("has also", extra) if extra else ("has in another shape", wrong)
        )
        raise ModelError(f'"{file}" does not fit the backbone: it {kind} {some_of(keys)}.')
    backbone.load_state_dict({**own, **{k: tensors[name].float() for k, name in names.items() if name in tensors}})


def _misfits(
    own: Mapping[str, Tensor], names: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> tuple[set[str], set[str]]:
    """The names that a backbone's tensors have in a file, and are not there; and those of the file that it has not."""
    missing = {name for key, name in names.items() if name not in tensors and not is_counter(key)}
    return missing, {name for name in tensors.keys() - set(names.values()) if not is_counter(name)}
