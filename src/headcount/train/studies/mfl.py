"""The study of the Mask Focal Loss: each detector with the focal loss and with the Mask Focal Loss in its place.

"Mask Focal Loss…" (Zhong et al.), Tables VI to VIII.
"""

from __future__ import annotations

from headcount.train.studies.study import Arm, Scale, Study

_FOCAL, _MASK = "focal", "mask_focal"
_DETECTORS = {"CenterNet": "centernet"}
_SCUT_HEAD = ("scut-head-a", "scut-head-b")


def _small(group: str, called: str, *, seeds: int) -> tuple[Arm, ...]:
    """The two arms of a detector, trained on both parts of SCUT-HEAD at once."""
    return tuple(
        Arm(
            recipe=f"mfl-small-{called}{end}", group=group, variant=variant, seeds=seeds,
            papers=tuple(f"mfl-{called}-{data}{end}" for data in _SCUT_HEAD),
        )
        for variant, end in ((_FOCAL, "-focal"), (_MASK, ""))
    )  # fmt: skip


MFL = Study(
    name="mfl",
    title="Mask Focal Loss",
    scales={
        "small": Scale(
            arms=tuple(
                arm
                for group, called in _DETECTORS.items()
                for arm in _small(group, called, seeds=3 if called == "centernet" else 1)
            ),
            split="val",
        ),
    },
    baseline=_FOCAL,
)
