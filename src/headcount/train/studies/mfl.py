"""The study of the Mask Focal Loss: each detector with the focal loss and with the Mask Focal Loss in its place.

"Mask Focal Loss…" (Zhong et al.), Tables VI to VIII.
"""

from __future__ import annotations

from headcount.train.studies.study import Arm, Scale, Study

_FOCAL, _MASK = "focal", "mask_focal"
_DETECTORS = {
    "CenterNet": ("centernet", "centernet"), "FCOS": ("fcos", "fcos"), "FoveaBox": ("foveabox", "foveabox"),
    "RetinaNet": ("retinanet", "retinanet"), "YOLOv5": ("yolov5", "yolov5x"),
}  # fmt: skip
"""Title → as the small recipe and the paper's call it."""
_SCUT_HEAD = ("scut-head-a", "scut-head-b")


def _pair(group: str, recipe: str, *, papers: tuple[str, ...] = (), seeds: int = 1) -> tuple[Arm, ...]:
    """The two arms of a detector: a recipe, and its twin with the focal loss."""
    return tuple(
        Arm(
            recipe=f"{recipe}{end}", group=group, variant=variant, seeds=seeds,
            papers=tuple(f"{paper}{end}" for paper in papers),
        )
        for variant, end in ((_FOCAL, "-focal"), (_MASK, ""))
    )  # fmt: skip


def _small() -> tuple[Arm, ...]:
    """Each detector on one small backbone, trained on both parts of SCUT-HEAD at once."""
    arms: tuple[Arm, ...] = ()
    for group, (small, called) in _DETECTORS.items():
        papers = tuple(f"mfl-{called}-{data}" for data in _SCUT_HEAD)
        arms += _pair(group, f"mfl-small-{small}", papers=papers, seeds=3 if group == "CenterNet" else 1)
    return arms


def _paper() -> tuple[Arm, ...]:
    """Tables VI to VIII."""
    arms: tuple[Arm, ...] = ()
    for data in (*_SCUT_HEAD, "crohd", "gta-head"):
        for group, (_, called) in _DETECTORS.items():
            arms += _pair(group, f"mfl-{called}-{data}")
        if data != "gta-head":
            arms += (Arm(recipe=f"mfl-faster-rcnn-{data}", group="Faster R-CNN", variant="its own"),)
        for network in ("CSRNet", "CANNet"):  # which count by density
            arms += (Arm(recipe=f"{network.lower()}-{data}", group=network, variant="its own"),)
    return arms


MFL = Study(
    name="mfl",
    title="Mask Focal Loss",
    scales={"small": Scale(arms=_small(), split="val"), "paper": Scale(arms=_paper(), split="test")},
    baseline=_FOCAL,
)
