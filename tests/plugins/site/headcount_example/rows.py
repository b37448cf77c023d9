"""The rows that the entry points name; they import neither torch nor a reader."""

from headcount.data.formats.table import FormatRow, Holds
from headcount.models.table import MethodRow

ONE_LAYER = MethodRow(
    name="one_layer",
    target="headcount_example.one_layer:OneLayer",
    title="One layer",
    package="torch",
    extra="train",
)

DOTS = FormatRow(
    name="dots",
    title="Dots",
    target="headcount_example.dots:list_dots",
    writer="headcount_example.dots:write_dots",
    holds=Holds(boxes=False, provenance=False, splits=False),
    file_suffixes=(".dots",),
    folder=False,
)
