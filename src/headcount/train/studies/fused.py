"""The study of the fused network: each head alone, in pairs, and all three."""

from __future__ import annotations

from itertools import combinations

from headcount.train.studies.study import Arm, Scale, Study

_HEADS = ("density", "instances", "boxes")


def _arms() -> tuple[Arm, ...]:
    chosen = [heads for number in range(1, len(_HEADS) + 1) for heads in combinations(_HEADS, number)]
    return tuple(
        Arm(
            recipe="fused-small", group="Heads", variant="+".join(heads) if len(heads) < len(_HEADS) else "all",
            changes=(f"model.heads=[{', '.join(heads)}]",),
        )
        for heads in chosen
    )  # fmt: skip


FUSED = Study(
    name="fused",
    title="Density, instances and boxes",
    scales={"small": Scale(arms=_arms(), split="val")},
    baseline="density",
    figures=("MAE", "RMSE", "F1"),
)
