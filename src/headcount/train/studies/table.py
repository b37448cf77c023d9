"""The table of studies: name → the object that lists its trainings. One is data, not code.

Another package adds one by the entry-point group ``headcount.studies``.
"""

from __future__ import annotations

from headcount.core.table import Row, Table

STUDIES = Table(
    "studies",
    "study",
    [
        Row(
            name="mfl", target="headcount.train.studies.mfl:MFL", title="The Mask Focal Loss against the focal loss",
            package="torch", extra="train",
        ),
        Row(
            name="man-ablation", target="headcount.train.studies.man:MAN_ABLATION",
            title="Mask-aware networks: solutions, baselines and losses", package="torch", extra="train",
        ),
        Row(
            name="fused", target="headcount.train.studies.fused:FUSED",
            title="Density, instances and boxes: each head alone, in pairs, and all", package="torch", extra="train",
        ),
    ],
    Row,
)  # fmt: skip
