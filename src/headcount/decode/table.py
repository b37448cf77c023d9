"""The table of decoders: name → the function that turns maps into a Prediction, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.kinds import PictureKind
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings, checked
from headcount.core.table import Row, Table

Decode = Callable[[Mapping[str, NDArray[np.float32]], Mapping[str, int], tuple[int, int]], Prediction]
"""``(maps, strides, size_wh)`` → Prediction. ``maps`` are (c, h', w') float32 by name, ``strides`` the side of their
cells in pixels, ``size_wh`` the image without its padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderRow(Row):
    """A decoder: its target is called with ``(maps, strides, settings, size_wh)``.

    Attributes:
        settings: ``module:class`` of its settings, a ``Settings``: what a card may say to it.
        gives: what its predictions hold, and pictures of them can show; empty where it is not known beforehand.
    """

    settings: str
    gives: tuple[PictureKind, ...] = ()


def _row(name: str, module: str, function: str, settings: str, gives: tuple[PictureKind, ...]) -> DecoderRow:
    module = f"headcount.decode.{module}"
    return DecoderRow(name=name, target=f"{module}:{function}", settings=f"{module}:{settings}", gives=gives)


DECODERS = Table(
    "decoders",
    "decoder",
    [
        _row("density", "density", "decode_density", "DensityDecoderSettings", ("points", "density")),
        _row("dense_boxes", "dense_boxes", "decode_dense_boxes", "DenseBoxesDecoderSettings", ("points", "boxes")),
        _row("fused", "fused", "decode_fused", "FusedDecoderSettings", ("points", "boxes", "density")),
        _row(
            "gaussian_prior",
            "gaussian_prior",
            "decode_gaussian_prior",
            "GaussianPriorDecoderSettings",
            ("points", "density"),
        ),
        _row("given_boxes", "given_boxes", "decode_given_boxes", "GivenBoxesDecoderSettings", ("points", "boxes")),
        _row("instances", "instance", "decode_instances", "InstanceDecoderSettings", ("points", "boxes")),
        _row("peaks", "peaks", "decode_peaks", "PeaksDecoderSettings", ("points", "boxes")),
        _row(
            "point_to_region",
            "point_to_region",
            "decode_point_to_region",
            "PointToRegionDecoderSettings",
            ("points",),
        ),
        _row("raz_loc", "raz_loc", "decode_raz_loc", "RazLocDecoderSettings", ("points",)),
    ],
    DecoderRow,
    error=ModelError,
    in_files=True,
)


def settings_of(name: str, settings: Mapping[str, Any], *, where: str = "model") -> Settings:
    """The settings of a decoder, those that are not given as they are by default.

    Raises:
        ModelError: as ``open_decoder``.
    """
    row = DECODERS.find(name)
    kind: type[Settings] = row.load(row.settings)
    try:
        return checked(kind, settings, where, prefix="decoder.settings.")
    except InputError as error:
        raise ModelError(error.message) from error


def score_threshold_of(card: ModelCard) -> float | None:
    """The least score of a head by a card's decoder; None of one that knows no such threshold.

    Raises:
        ModelError: as ``decoder_of``.
    """
    if card.decoder is None:
        return None
    settings = settings_of(card.decoder.name, card.decoder.settings, where=_origin(card))
    threshold: float | None = getattr(settings, "score_threshold", None)
    return threshold


def open_decoder(name: str, settings: Mapping[str, Any], *, where: str = "model") -> Decode:
    """The decoder of a name, with its settings; ``where`` names their origin in messages.

    Raises:
        ModelError: there is none of that name, or a setting is unknown or out of its range, by its key.
    """
    typed = settings_of(name, settings, where=where)
    function = DECODERS.find(name).load()

    def decode(
        maps: Mapping[str, NDArray[np.float32]], strides: Mapping[str, int], size_wh: tuple[int, int]
    ) -> Prediction:
        found: Prediction = function(maps, strides, typed, size_wh)
        return found

    return decode


def decoder_of(card: ModelCard) -> Decode:
    """The decoder that a card names, with the card's settings.

    Raises:
        ModelError: the model counts nobody; or as ``open_decoder`` does.
    """
    if card.decoder is None:
        raise ModelError(
            "This model tells how large heads are whose places are known, and counts nobody: count with another one.",
            remedy="estimate",
        )
    return open_decoder(card.decoder.name, card.decoder.settings, where=_origin(card))


def _origin(card: ModelCard) -> str:
    return f"the card of {card.name}"
