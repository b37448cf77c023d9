"""The table of methods: name → the class that keeps the contract of ``method.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headcount.core.settings import checked
from headcount.core.table import Row, Table

if TYPE_CHECKING:
    from headcount.models.method import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow(Row):
    """A method: its target is the class that keeps the contract.

    Attributes:
        foreign: ``module:object`` of the ``ForeignWeights`` by which its authors' checkpoints are imported, or empty.
    """

    foreign: str = ""


def _row(name: str, target: str, title: str, *, foreign: str = "") -> MethodRow:
    return MethodRow(
        name=name,
        target=f"headcount.models.{target}",
        title=title,
        package="torch",
        extra="train",
        foreign=foreign and f"headcount.models.{foreign}",
    )


METHODS = Table(
    "methods",
    "method",
    [
        _row("mask_aware", "density.mask_aware:MaskAware", "The mask-aware network"),
        _row("csrnet", "density.csrnet:CsrNet", "CSRNet", foreign="density.foreign:CSRNET"),
        _row("cannet", "density.cannet:CanNet", "CANNet", foreign="density.foreign:CANNET"),
        _row("mcnn", "density.mcnn:Mcnn", "MCNN", foreign="density.foreign:MCNN"),
        _row("iim", "instance.iim.method:Iim", "Independent instance maps", foreign="instance.iim.foreign:FOREIGN"),
        _row("gaussian_prior", "instance.gaussian_prior:GaussianPrior", "A Gaussian prior on IIM's network"),
        _row("raz_loc", "instance.raz_loc:RazLoc", "Cross-shaped labels on IIM's network"),
        _row("centernet", "detection.centernet:CenterNet", "CenterNet"),
        _row("faster_rcnn", "detection.faster_rcnn:FasterRcnn", "Faster R-CNN"),
        _row("yolov5", "detection.yolov5:Yolov5", "YOLOv5"),
        _row("fcos", "detection.fcos:Fcos", "FCOS"),
        _row("retinanet", "detection.retinanet:RetinaNet", "RetinaNet"),
        _row("foveabox", "detection.foveabox:FoveaBox", "FoveaBox"),
        _row("fused", "fused.method:Fused", "Density, instances and boxes by one network"),
        _row("head_scale", "scale.head_scale:HeadScale", "The head-scale network"),
    ],
    MethodRow,
    in_files=True,
)


def method_class(name: str) -> type[Method]:
    """The class behind a method's name.

    Raises:
        InputError: there is no such method; the nearest name is suggested.
    """
    kind: type[Method] = METHODS.load(name)
    return kind


def build_method(name: str, options: Mapping[str, Any], *, where: str = "model") -> Method:
    """A method from its options, as a card's ``architecture`` or a recipe's ``model`` holds them.

    ``where`` names the options' origin in the message.

    Raises:
        InputError: an unknown method, or an unknown or unfit option, by its key.
    """
    kind = method_class(name)
    return kind(checked(kind.settings_type, options, where, prefix="model."))
