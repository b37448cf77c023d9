"""What is known of each data set: published counts by split and release, terms, where to ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headcount.core.errors import InputError, nearest

Counts = tuple[int, int | None]
"""(images, heads); the heads are None where none, or none that is sure, are published."""


@dataclass(frozen=True, slots=True)
class Release:
    """One circulating version of a data set: its (images, heads) by official split, or by ``all`` without splits.

    What is annotated only with the evaluation server is counted in images alone.
    """

    name: str
    counts: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A data set as published.

    ``releases``: the versions in circulation; a copy that matches any of them is whole.
    ``total``: (images, heads) of the whole set as its paper or page states them.
    ``annotated``: what is annotated, in a few words.
    ``paper``: where it was published.
    ``split_lists``: the package's own train/validation lists, where the set ships none.
    ``levels``: upper bounds of the density levels its papers report by.
    """

    name: str
    title: str
    releases: tuple[Release, ...]
    terms: str
    ask_at: str
    total: tuple[int | None, int | None] = (None, None)
    annotated: str = "points"
    paper: str = ""
    split_lists: str | None = None
    levels: tuple[int, ...] = ()


_RESEARCH = "no licence stated; research use only, not to be redistributed"
_MCNN = '"Single-Image Crowd Counting via Multi-Column Convolutional Neural Network" (CVPR 2016)'
_SHANGHAITECH = f"the authors of {_MCNN}"
_AS_PUBLISHED = "published"
_READ_THERE = "stated where it is handed out: read them there; take it for research use only"

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
                total=(482, 241_677),
                paper=_MCNN,
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
                total=(716, 88_488),
                paper=_MCNN,
                split_lists="shanghaitech-b.json",
            ),
            CatalogueEntry(
                name="ucf-cc-50",
                title="UCF_CC_50",
                releases=(Release(_AS_PUBLISHED, {"all": (50, 63_974)}),),
                terms=_READ_THERE,
                ask_at="crcv.ucf.edu/data/ucf-cc-50",
                total=(50, 63_974),
                annotated="points",
                paper='"Multi-source Multi-scale Counting in Extremely Dense Crowd Images" (CVPR 2013)',
            ),
            CatalogueEntry(
                name="ucf-qnrf",
                title="UCF-QNRF",
                releases=(
                    Release(
                        _AS_PUBLISHED, {"train": (1_201, None), "test": (334, None), "train+test": (1_535, 1_251_642)}
                    ),
                ),
                terms=_READ_THERE,
                ask_at="www.crcv.ucf.edu/research/data-sets/ucf-qnrf",
                total=(1_535, 1_251_642),
                annotated="points",
                paper=(
                    '"Composition Loss for Counting, Density Map Estimation and Localization '
                    'in Dense Crowds" (ECCV 2018)'
                ),
            ),
            CatalogueEntry(
                name="worldexpo10",
                title="WorldExpo'10",
                releases=(
                    Release(
                        _AS_PUBLISHED, {"train": (3_380, None), "test": (600, None), "train+test": (3_980, 199_923)}
                    ),
                    Release("as the page of UCF-QNRF counts it", {"train+test": (3_980, 225_216)}),
                ),
                terms="research use only, after a signed agreement",
                ask_at="the authors of the paper (www.ee.cuhk.edu.hk/~xgwang/expo.html)",
                total=(3_980, 199_923),
                annotated="points, region of interest",
                paper='"Cross-scene Crowd Counting via Deep Convolutional Neural Networks" (CVPR 2015)',
            ),
            CatalogueEntry(
                name="nwpu-crowd",
                title="NWPU-Crowd",
                releases=(Release(_AS_PUBLISHED, {"train": (3_109, None), "val": (500, None), "test": (1_500, None)}),),
                terms=(
                    "academic, non-commercial use, not to be redistributed; "
                    "the annotations of the test images are kept by its evaluation server"
                ),
                ask_at="crowdbenchmark.com",
                total=(5_109, 2_133_375),
                annotated="points, boxes, levels",
                paper='"NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization" (TPAMI 2020)',
            ),
            CatalogueEntry(
                name="jhu-crowd",
                title="JHU-CROWD",
                releases=(),
                terms=_READ_THERE,
                ask_at="crowd-counting.com; superseded by jhu-crowd++",
                total=(4_250, 1_114_785),
                annotated="points, sizes, weather",
                paper=(
                    '"Pushing the Frontiers of Unconstrained Crowd Counting: '
                    'New Dataset and Benchmark Method" (ICCV 2019)'
                ),
            ),
            CatalogueEntry(
                name="jhu-crowd++",
                title="JHU-CROWD++",
                releases=(
                    Release(
                        _AS_PUBLISHED,
                        {
                            "train": (2_272, None),
                            "val": (500, None),
                            "test": (1_600, None),
                            "train+val+test": (4_372, 1_515_005),
                        },
                    ),
                ),
                terms=_READ_THERE,
                ask_at="crowd-counting.com",
                total=(4_372, 1_515_005),
                annotated="points, sizes, weather",
                paper='"JHU-CROWD++: Large-Scale Crowd Counting Dataset and A Benchmark Method" (TPAMI 2020)',
            ),
            CatalogueEntry(
                name="fdst",
                title="Fudan-ShanghaiTech (FDST)",
                releases=(
                    Release(
                        _AS_PUBLISHED, {"train": (9_000, None), "test": (6_000, None), "train+test": (15_000, 394_081)}
                    ),
                ),
                terms=_READ_THERE,
                ask_at="github.com/sweetyy83/Lstn_fdst_dataset",
                total=(15_000, 394_081),
                annotated="points, boxes",
                paper='"Locality-constrained Spatial Transformer Network for Video Crowd Counting" (ICME 2019)',
            ),
            CatalogueEntry(
                name="mall",
                title="Mall",
                releases=(
                    Release(
                        _AS_PUBLISHED, {"train": (800, None), "test": (1_200, None), "train+test": (2_000, 62_325)}
                    ),
                    Release(
                        "as its own file of points holds them",
                        {"train": (800, 23_635), "test": (1_200, 38_680), "train+test": (2_000, 62_315)},
                    ),
                ),
                terms="research purposes only, not commercially; to be cited",
                ask_at="personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html",
                total=(2_000, 62_325),
                annotated="points, region of interest",
                paper='"Feature Mining for Localised Crowd Counting" (BMVC 2012)',
            ),
            CatalogueEntry(
                name="ucsd",
                title="UCSD pedestrians",
                releases=(
                    Release(
                        _AS_PUBLISHED, {"train": (800, None), "test": (1_200, None), "train+test": (2_000, 49_885)}
                    ),
                ),
                terms=_READ_THERE,
                ask_at="svcl.ucsd.edu/projects/peoplecnt",
                total=(2_000, 49_885),
                annotated="points, region of interest",
                paper='"Privacy Preserving Crowd Monitoring: Counting People without People Models…" (CVPR 2008)',
            ),
            CatalogueEntry(
                name="gcc",
                title="GTA5 Crowd Counting (GCC)",
                releases=(Release(_AS_PUBLISHED, {"train+test": (15_212, 7_625_843)}),),
                terms=_READ_THERE,
                ask_at="gjy3035.github.io/GCC-CL",
                total=(15_212, 7_625_843),
                annotated="points (synthetic)",
                paper='"Learning from Synthetic Data for Crowd Counting in the Wild" (CVPR 2019)',
            ),
            CatalogueEntry(
                name="scut-head-a",
                title="SCUT-HEAD part A",
                releases=(
                    Release(
                        _AS_PUBLISHED,
                        {"trainval": (1_500, None), "test": (500, None), "train+val+test": (2_000, 67_321)},
                    ),
                ),
                terms=_READ_THERE,
                ask_at="github.com/HCIILAB/SCUT-HEAD-Dataset-Release",
                total=(2_000, 67_321),
                annotated="head boxes",
                paper='"Detecting Heads using Feature Refine Net and Cascaded Multi-scale Architecture" (ICPR 2018)',
            ),
            CatalogueEntry(
                name="scut-head-b",
                title="SCUT-HEAD part B",
                releases=(
                    Release(
                        _AS_PUBLISHED,
                        {"trainval": (1_905, None), "test": (500, None), "train+val+test": (2_405, 43_930)},
                    ),
                ),
                terms=_READ_THERE,
                ask_at="github.com/HCIILAB/SCUT-HEAD-Dataset-Release",
                total=(2_405, 43_930),
                annotated="head boxes",
                paper='"Detecting Heads using Feature Refine Net and Cascaded Multi-scale Architecture" (ICPR 2018)',
            ),
            CatalogueEntry(
                name="crohd",
                title="CroHD (Head Tracking 21)",
                releases=(Release(_AS_PUBLISHED, {"train": (5_741, None), "test": (5_722, None)}),),
                terms=_READ_THERE,
                ask_at="motchallenge.net/data/Head_Tracking_21",
                total=(11_463, 2_276_838),
                annotated="head boxes, tracks",
                paper='"Tracking Pedestrian Heads in Dense Crowd" (CVPR 2021)',
            ),
            CatalogueEntry(
                name="gta-head",
                title="GTA_Head",
                releases=(Release(_AS_PUBLISHED, {"train+test": (5_096, 1_732_043)}),),
                terms="none stated; its images are GCC's",
                ask_at="github.com/gkw0010/GTAV_Head-dataset",
                total=(5_096, 1_732_043),
                annotated="head boxes (synthetic)",
                paper='"Mask Focal Loss: A unifying framework for dense crowd counting…" (2022)',
            ),
            CatalogueEntry(
                name="crowdhuman",
                title="CrowdHuman",
                releases=(
                    Release(_AS_PUBLISHED, {"train": (15_000, None), "val": (4_370, None), "test": (5_000, None)}),
                ),
                terms="non-commercial research; the annotations of the test images are not published",
                ask_at="crowdhuman.org",
                total=(24_370, None),
                annotated="head and body boxes",
                paper='"CrowdHuman: A Benchmark for Detecting Human in a Crowd" (2018)',
            ),
            CatalogueEntry(
                name="beijing-brt",
                title="Beijing-BRT",
                releases=(
                    Release(_AS_PUBLISHED, {"train": (720, None), "test": (560, None), "train+test": (1_280, 16_795)}),
                ),
                terms="none stated: ask the authors; take it for research use only",
                ask_at="github.com/XMU-smartdsp/Beijing-BRT-dataset",
                total=(1_280, 16_795),
                annotated="points",
                paper='"A Deeply-Recursive Convolutional Network For Crowd Counting" (ICASSP 2018)',
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


def find_entry(name: str) -> CatalogueEntry | None:
    """The catalogue's entry of a set, or of that which it is a fold or another split of, if there is one.

    >>> [entry.name for name in ("ucf-cc-50-fold1", "gcc-random") if (entry := find_entry(name))]
    ['ucf-cc-50', 'gcc']
    """
    return CATALOGUE.get(re.sub(r"-(fold\d+|camera|random)$", "", name))
