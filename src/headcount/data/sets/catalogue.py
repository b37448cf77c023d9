"""The published sets: how each is read and split, its published counts by release, its terms, where to ask for it.

All that is known of a set stands in its row: what the command line lists, the audit compares with and cards quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headcount.core.table import Row, Table
from headcount.data.sets.splits import SplitRule, by_group, fold, last_block, official, shipped, without_test

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

    Attributes:
        name: what its rows are called, perhaps with an ending (a fold, another split).
        title: as it is written for people.
        releases: the versions in circulation; a copy that matches any of them is whole.
        terms: on which it is handed out, in words.
        ask_at: where to ask for it.
        total: (images, heads) of the whole set as its paper or page states them; where it is not given, the last
            counts of the first release.
        annotated: what is annotated, in a few words.
        paper: where it was published.
        levels: upper bounds of the density levels its papers report by.
        scene_key: the attribute of images that names their scene, where errors are averaged scene by scene.
        scenes: those of the test, in the order in which papers number them.
    """

    name: str
    title: str
    releases: tuple[Release, ...]
    terms: str
    ask_at: str
    total: tuple[int | None, int | None] = (None, None)
    annotated: str = "points"
    paper: str = ""
    levels: tuple[int, ...] = ()
    scene_key: str = ""
    scenes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.total == (None, None) and self.releases:
            object.__setattr__(self, "total", list(self.releases[0].counts.values())[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRow(Row):
    """A published set, or one of several ways to split it: ``target`` is its reader, from a path to a Listing.

    Attributes:
        entry: what is published of it; its name, or its name and an ending behind a ``-``, is the row's.
        splits: how train, validation and test are made.
        default_split: what is evaluated where nothing is asked for.
    """

    entry: CatalogueEntry
    splits: SplitRule
    default_split: str = "val"


def _rows(
    name: str,
    title: str,
    ways: Mapping[str, tuple[str, SplitRule]],
    *,
    terms: str,
    ask_at: str,
    releases: tuple[Release, ...] = (),
    total: tuple[int | None, int | None] = (None, None),
    annotated: str = "points",
    paper: str = "",
    levels: tuple[int, ...] = (),
    scene_key: str = "",
    scenes: tuple[str, ...] = (),
) -> Iterator[SetRow]:
    """A row for each way to split a set: the ending of its name → its reader in ``published/``, its splits."""
    entry = CatalogueEntry(name, title, releases, terms, ask_at, total, annotated, paper, levels, scene_key, scenes)
    for ending, (reader, splits) in ways.items():
        target = f"headcount.data.sets.published.{reader}"
        yield SetRow(name=name + ending, title=title, target=target, entry=entry, splits=splits)


def _published(counts: Mapping[str, Counts]) -> Release:
    return Release("published", counts)


_INSIDE = "without the points outside the image"
_RESEARCH = "no licence stated; research use only, not to be redistributed"
_READ_THERE = "stated where it is handed out: read them there; take it for research use only"
_MCNN = '"Single-Image Crowd Counting via Multi-Column Convolutional Neural Network" (CVPR 2016)'
_REFINE = '"Detecting Heads using Feature Refine Net and Cascaded Multi-scale Architecture" (ICPR 2018)'

SETS = Table(
    "sets",
    "published data set",
    [
        *_rows(
            "shanghaitech-a", "ShanghaiTech part A", {"": ("shanghaitech:list_part_a", shipped("shanghaitech-a.json"))},
            releases=(
                Release("original", {"train+test": (482, 241_677)}),
                Release(_INSIDE, {"train": (300, 162_413), "test": (182, 78_862), "train+test": (482, 241_275)}),
            ),
            terms=_RESEARCH, ask_at=f"the authors of {_MCNN}", paper=_MCNN, levels=(300, 700),
        ),
        *_rows(
            "shanghaitech-b", "ShanghaiTech part B", {"": ("shanghaitech:list_part_b", shipped("shanghaitech-b.json"))},
            releases=(
                Release("original", {"train+test": (716, 88_488)}),
                Release(_INSIDE, {"train": (400, 49_151), "test": (316, 39_121), "train+test": (716, 88_272)}),
            ),
            terms=_RESEARCH, ask_at=f"the authors of {_MCNN}", paper=_MCNN,
        ),
        *_rows(
            "ucf-cc-50", "UCF_CC_50",
            {f"-fold{number}": ("ucf_cc_50:list_ucf_cc_50", fold(number, size=10)) for number in range(1, 6)},
            releases=(_published({"all": (50, 63_974)}),), terms=_READ_THERE, ask_at="crcv.ucf.edu/data/ucf-cc-50",
            paper='"Multi-source Multi-scale Counting in Extremely Dense Crowd Images" (CVPR 2013)',
        ),
        *_rows(
            "ucf-qnrf", "UCF-QNRF", {"": ("ucf_qnrf:list_ucf_qnrf", by_group(0.1))},
            releases=(_published({"train": (1_201, None), "test": (334, None), "train+test": (1_535, 1_251_642)}),),
            terms=_READ_THERE, ask_at="www.crcv.ucf.edu/research/data-sets/ucf-qnrf",
            paper='"Composition Loss for Counting, Density Map Estimation and Localization in Dense Crowds" '
            '(ECCV 2018)',
        ),
        *_rows(
            "worldexpo10", "WorldExpo'10", {"": ("worldexpo10:list_worldexpo10", by_group())},
            releases=(
                _published({"train": (3_380, None), "test": (600, None), "train+test": (3_980, 199_923)}),
                Release("as the page of UCF-QNRF counts it", {"train+test": (3_980, 225_216)}),
            ),
            terms="research use only, after a signed agreement",
            ask_at="the authors of the paper (www.ee.cuhk.edu.hk/~xgwang/expo.html)",
            annotated="points, region of interest", scene_key="scene",
            scenes=("104207", "200608", "200702", "202201", "500717"),
            paper='"Cross-scene Crowd Counting via Deep Convolutional Neural Networks" (CVPR 2015)',
        ),
        *_rows(
            "nwpu-crowd", "NWPU-Crowd",
            {"": ("nwpu_crowd:list_nwpu_crowd", without_test("its server, crowdbenchmark.com"))},
            releases=(_published({"train": (3_109, None), "val": (500, None), "test": (1_500, None)}),),
            terms="academic, non-commercial use, not to be redistributed; "
            "the annotations of the test images are kept by its evaluation server",
            ask_at="crowdbenchmark.com", total=(5_109, 2_133_375), annotated="points, boxes, levels",
            paper='"NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization" (TPAMI 2020)',
        ),
        *_rows(
            "jhu-crowd", "JHU-CROWD", {"": ("jhu:list_jhu", official())}, terms=_READ_THERE,
            ask_at="crowd-counting.com; superseded by jhu-crowd++", total=(4_250, 1_114_785),
            annotated="points, sizes, weather",
            paper='"Pushing the Frontiers of Unconstrained Crowd Counting: New Dataset and Benchmark Method" '
            '(ICCV 2019)',
        ),
        *_rows(
            "jhu-crowd++", "JHU-CROWD++", {"": ("jhu:list_jhu", official())},
            releases=(_published({
                "train": (2_272, None), "val": (500, None), "test": (1_600, None), "train+val+test": (4_372, 1_515_005),
            }),),
            terms=_READ_THERE, ask_at="crowd-counting.com", annotated="points, sizes, weather",
            paper='"JHU-CROWD++: Large-Scale Crowd Counting Dataset and A Benchmark Method" (TPAMI 2020)',
        ),
        *_rows(
            "fdst", "Fudan-ShanghaiTech (FDST)", {"": ("fdst:list_fdst", by_group())},
            releases=(_published({"train": (9_000, None), "test": (6_000, None), "train+test": (15_000, 394_081)}),),
            terms=_READ_THERE, ask_at="github.com/sweetyy83/Lstn_fdst_dataset", annotated="points, boxes",
            paper='"Locality-constrained Spatial Transformer Network for Video Crowd Counting" (ICME 2019)',
        ),
        *_rows(
            "mall", "Mall", {"": ("mall:list_mall", last_block())},
            releases=(
                _published({"train": (800, None), "test": (1_200, None), "train+test": (2_000, 62_325)}),
                Release(
                    "as its own file of points holds them",
                    {"train": (800, 23_635), "test": (1_200, 38_680), "train+test": (2_000, 62_315)},
                ),
            ),
            terms="research purposes only, not commercially; to be cited",
            ask_at="personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html", annotated="points, region of interest",
            paper='"Feature Mining for Localised Crowd Counting" (BMVC 2012)',
        ),
        *_rows(
            "ucsd", "UCSD pedestrians", {"": ("ucsd:list_ucsd", last_block())},
            releases=(_published({"train": (800, None), "test": (1_200, None), "train+test": (2_000, 49_885)}),),
            terms=_READ_THERE, ask_at="svcl.ucsd.edu/projects/peoplecnt", annotated="points, region of interest",
            paper='"Privacy Preserving Crowd Monitoring: Counting People without People Models…" (CVPR 2008)',
        ),
        *_rows(
            "gcc", "GTA5 Crowd Counting (GCC)",
            {
                "": ("gcc:list_by_location", by_group(0.1, test="as published: other places")),
                "-camera": ("gcc:list_by_camera", by_group(0.1, test="as published: other cameras of the same places")),
                "-random": ("gcc:list_at_random", by_group(0.1, test="as published: at random, of the same scenes")),
            },
            releases=(_published({"train+test": (15_212, 7_625_843)}),), terms=_READ_THERE,
            ask_at="gjy3035.github.io/GCC-CL", annotated="points (synthetic)",
            paper='"Learning from Synthetic Data for Crowd Counting in the Wild" (CVPR 2019)',
        ),
        *_rows(
            "scut-head-a", "SCUT-HEAD part A", {"": ("scut_head:list_part_a", official())},
            releases=(_published({"trainval": (1_500, None), "test": (500, None), "train+val+test": (2_000, 67_321)}),),
            terms=_READ_THERE, ask_at="github.com/HCIILAB/SCUT-HEAD-Dataset-Release", annotated="head boxes",
            paper=_REFINE,
        ),
        *_rows(
            "scut-head-b", "SCUT-HEAD part B", {"": ("scut_head:list_part_b", official())},
            releases=(_published({"trainval": (1_905, None), "test": (500, None), "train+val+test": (2_405, 43_930)}),),
            terms=_READ_THERE, ask_at="github.com/HCIILAB/SCUT-HEAD-Dataset-Release", annotated="head boxes",
            paper=_REFINE,
        ),
        *_rows(
            "crohd", "CroHD (Head Tracking 21)", {"": ("crohd:list_crohd", by_group(0.25))},
            releases=(_published({"train": (5_741, None), "test": (5_722, None)}),), terms=_READ_THERE,
            ask_at="motchallenge.net/data/Head_Tracking_21", total=(11_463, 2_276_838), annotated="head boxes, tracks",
            paper='"Tracking Pedestrian Heads in Dense Crowd" (CVPR 2021)',
        ),
        *_rows(
            "gta-head", "GTA_Head", {"": ("gta_head:list_gta_head", by_group())},
            releases=(_published({"train+test": (5_096, 1_732_043)}),), terms="none stated; its images are GCC's",
            ask_at="github.com/gkw0010/GTAV_Head-dataset", annotated="head boxes (synthetic)",
            paper='"Mask Focal Loss: A unifying framework for dense crowd counting…" (2022)',
        ),
        *_rows(
            "crowdhuman", "CrowdHuman", {"": ("crowdhuman:list_crowdhuman", official())},
            releases=(_published({"train": (15_000, None), "val": (4_370, None), "test": (5_000, None)}),),
            terms="non-commercial research; the annotations of the test images are not published",
            ask_at="crowdhuman.org", total=(24_370, None), annotated="head and body boxes",
            paper='"CrowdHuman: A Benchmark for Detecting Human in a Crowd" (2018)',
        ),
        *_rows(
            "beijing-brt", "Beijing-BRT", {"": ("beijing_brt:list_beijing_brt", by_group())},
            releases=(_published({"train": (720, None), "test": (560, None), "train+test": (1_280, 16_795)}),),
            terms="none stated: ask the authors; take it for research use only",
            ask_at="github.com/XMU-smartdsp/Beijing-BRT-dataset",
            paper='"A Deeply-Recursive Convolutional Network For Crowd Counting" (ICASSP 2018)',
        ),
    ],
    SetRow,
)  # fmt: skip
"""The published sets that can be read, by name."""


class _Catalogue(Mapping[str, CatalogueEntry]):
    """What is published, by the set's own name: the folds and splits of one set are one entry."""

    def __getitem__(self, name: str) -> CatalogueEntry:
        # By the names first: a row of another package is loaded only where it may be meant.
        for known in SETS:
            if (known == name or known.startswith(f"{name}-")) and SETS[known].entry.name == name:
                return SETS[known].entry
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys(row.entry.name for row in SETS.rows())

    def __len__(self) -> int:
        return sum(1 for _ in self)


CATALOGUE: Mapping[str, CatalogueEntry] = _Catalogue()


def find_entry(name: str) -> CatalogueEntry | None:
    """The catalogue's entry of a set, or of that which it is a fold or another split of, if there is one.

    >>> [entry.name for name in ("ucf-cc-50", "ucf-cc-50-fold1", "gcc-random") if (entry := find_entry(name))]
    ['ucf-cc-50', 'ucf-cc-50', 'gcc']
    """
    return SETS[name].entry if name in SETS else CATALOGUE.get(name)
