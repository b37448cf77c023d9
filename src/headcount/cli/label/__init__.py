"""`headcount label`: boxes for heads that so far are points."""

from __future__ import annotations

from headcount.cli.verbs import Verb, verb_group
from headcount.core.table import Table

LABEL_VERBS = Table(
    "commands.label",
    "command",
    [
        Verb(
            name="interpolate", target="headcount.cli.label.interpolate:interpolate",
            help="Give every head a box, its size taken from a few boxes you drew in the scene.",
        ),
        Verb(
            name="pseudo", target="headcount.cli.label.pseudo:pseudo",
            help="Give every head a box as large as a model estimates it to be.",
        ),
    ],
    Verb,
)  # fmt: skip

app = verb_group(LABEL_VERBS, "Give heads that are points a box each.")
