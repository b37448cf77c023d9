"""What is known of each data set: published counts by split and release, terms, where to ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headcount.core.errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class Release:
    """One circulating version of a data set: its (images, heads) by official split."""

    name: str
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A data set as published.

    ``releases``: the versions in circulation; a copy that matches any of them is whole.
    ``split_lists``: the package's own train/validation lists, where the set ships none.
    ``levels``: upper bounds of the density levels its papers report by.
    """

    name: str
    title: str
    releases: tuple[Release, ...]
    terms: str
    ask_at: str
    split_lists: str | None = None
    levels: tuple[int, ...] = ()


_RESEARCH = "no licence stated; research use only, not to be redistributed"
_SHANGHAITECH = 'the authors of "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network" (CVPR 2016)'

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            CatalogueEntry(
                name="shanghaitech-a",
                title="ShanghaiTech part A",
                releases=(
                    Release("original", {"train+test": (482, 241_677)}),
                    Release(
                        "without the points outside the image",
                        {"train": (300, 162_413), "test": (182, 78_862), "train+test": (482, 241_275)},
                    ),
                ),
                terms=_RESEARCH,
                ask_at=_SHANGHAITECH,
                split_lists="shanghaitech-a.json",
                levels=(300, 700),
            ),
            CatalogueEntry(
                name="shanghaitech-b",
                title="ShanghaiTech part B",
                releases=(
                    Release("original", {"train+test": (716, 88_488)}),
                    Release(
                        "without the points outside the image",
                        {"train": (400, 49_151), "test": (316, 39_121), "train+test": (716, 88_272)},
                    ),
                ),
                terms=_RESEARCH,
                ask_at=_SHANGHAITECH,
                split_lists="shanghaitech-b.json",
            ),
        )
    }
)


def entry(name: str) -> CatalogueEntry:
    """The catalogue's entry of a name.

    Raises:
        InputError: there is none; the nearest name is suggested.
    """
    if name not in CATALOGUE:
        raise InputError(f'"{name}" is no data set that headcount knows.{nearest(name, CATALOGUE)}')
    return CATALOGUE[name]
