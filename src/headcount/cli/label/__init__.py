"""`headcount label`: the labelling page, its labels in and out, and boxes for heads that so far are points."""

from __future__ import annotations

from headcount.cli.verbs import Verb, verb_group
from headcount.core.table import Table

LABEL_VERBS = Table(
    "commands.label",
    "command",
    [
        Verb(
            name="open", target="headcount.cli.label.open:open_", title="headcount label open", package="fastapi",
            extra="label", help="Label heads in the browser: points, a few boxes, regions; every stroke is kept.",
        ),
        Verb(
            name="export", target="headcount.cli.label.export:export",
            help="Write the labels of a folder in a format that training and other tools read.",
        ),
        Verb(
            name="import", target="headcount.cli.label.import_:import_",
            help="Read labels of any data set or format, to go on with them on the page.",
        ),
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

app = verb_group(LABEL_VERBS, "Label heads in the browser, or give heads that are points a box each.")
