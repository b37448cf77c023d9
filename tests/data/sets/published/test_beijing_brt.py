"""Beijing-BRT: what is its own beside ``test_every_set``.

Layout: the README and `densityMap.m` of github.com/XMU-smartdsp/Beijing-BRT-dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headcount.data.sets.registry import list_dataset


def test_validation_is_whole_days(write_set: Callable[[str], Path]) -> None:
    train, val = (list_dataset(f"beijing-brt={write_set('beijing-brt')}", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (5, 1)
    assert {len(raw.group) for raw in (*train, *val)} == {len("1-20170411")}
