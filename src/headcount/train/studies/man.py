"""The study of the mask-aware network: its five solutions and three baselines, then the losses on the best of them.

"Mask-aware networks for crowd counting" (Jiang et al.), Tables I to V.
"""

from __future__ import annotations

from headcount.train.studies.study import Arm, Scale, SecondStage, Study, Variation

_GROUP = "Mask-aware"
_BASELINES = ("baseline1", "baseline2", "baseline3")
_SOLUTIONS = ("solution1", "solution2", "solution3", "solution4", "solution5")
_FUSING = ("solution4", "solution5")
"""The solutions whose density is not multiplied by their mask."""
_OTHERS = {"CSRNet": "csrnet", "MCNN": "mcnn"}
"""Networks to compare with, run where they are asked for: one takes hours, the other learns little in so few steps."""
_LOSSES = ("mse", "bayesian", "dm_count", "zip", "p2r")
"""Beside ``blocks``, by which the first stage learns."""


def _small() -> Scale:
    """Each variant on one small backbone, with two seeds; then the losses."""
    arms = tuple(
        Arm(
            recipe=f"man-small-{variant}", group=_GROUP, variant=variant, seeds=2,
            papers=(f"man-shanghaitech-a-{variant}",),
        )
        for variant in (*_BASELINES, *_SOLUTIONS)
    )  # fmt: skip
    arms += tuple(
        Arm(
            recipe=f"man-small-{name}", group="Others", variant=title, seeds=2, papers=(f"{name}-shanghaitech-a",),
            is_extra=True,
        )
        for title, name in _OTHERS.items()
    )  # fmt: skip
    losses = SecondStage(
        group="losses",
        among=("baseline1", "baseline2", *_FUSING),  # the other densities cannot learn by zip and p2r
        variations={
            "blocks": Variation(),
            **{loss: Variation(changes=(f"model.density_loss={loss}",)) for loss in _LOSSES},
            "mask focal": Variation(changes=("model.mask_gamma=2",), needs=_FUSING),
        },
        seeds=2,
    )
    return Scale(arms=arms, split="val", then=losses)


def _paper() -> Scale:
    """Tables I, II, III and V; Table IV is a cross-validation, a command of its own."""
    variants = (*_BASELINES, *_SOLUTIONS, "solution5-bce", "csr")
    arms = tuple(Arm(recipe=f"man-shanghaitech-a-{variant}", group=_GROUP, variant=variant) for variant in variants)
    for data in ("shanghaitech-a", "shanghaitech-b", "worldexpo10"):
        if data != "shanghaitech-a":
            arms += tuple(
                Arm(recipe=f"man-{data}-{variant}", group=_GROUP, variant=variant) for variant in ("solution5", "csr")
            )
        arms += tuple(Arm(recipe=f"{name}-{data}", group="Others", variant=title) for title, name in _OTHERS.items())
    return Scale(arms=arms, split="test")


MAN_ABLATION = Study(
    name="man-ablation",
    title="Mask-aware networks",
    scales={"small": _small(), "paper": _paper()},
    baseline="baseline1",
    figures=("MAE", "RMSE", "≤300", "301–700", ">700"),
)
