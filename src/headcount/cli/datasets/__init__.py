"""`headcount datasets`: what data sets there are, what is wrong with a copy of one, one format into another."""

from __future__ import annotations

from headcount.cli.verbs import Verb, verb_group
from headcount.core.table import Table

_HOME = "headcount.cli.datasets"

DATASETS_VERBS = Table(
    "commands.datasets",
    "command",
    [
        Verb(
            name="list", target=f"{_HOME}.list:list_datasets",
            help="List the data sets; of one, tell its splits, terms and where to ask for it.",
        ),
        Verb(
            name="check", target=f"{_HOME}.check:check",
            help="Find what is wrong with a data set: pairs, images, points, boxes, splits, counts.",
        ),
        Verb(
            name="convert", target=f"{_HOME}.convert:convert",
            help="Convert a data set to another format, and say what that format cannot hold.",
        ),
    ],
    Verb,
)  # fmt: skip

app = verb_group(DATASETS_VERBS, "List the known data sets; check or convert a copy of one.")
