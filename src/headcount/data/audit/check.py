"""What is wrong with a copy of a data set: pairs, images, annotations, splits and counts, judged on the raw files.

Readers clamp, skip or refuse; this looks at what the files hold before any of that, through the same functions. Each
image is decoded once. What is looked for stands in `findings.py`, one image's annotation in `faults.py` and
`head_sizes.py`, what takes the whole set in `origins.py` and `leaks.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from headcount.core.errors import InputError, MissingFileError, nearest
from headcount.core.files import file_size
from headcount.core.image import ImageHeader, VideoFrame, read_header, read_reduced
from headcount.core.notes import Progress, Skipped
from headcount.data.audit.faults import check_boxes, check_frame, check_left_out, check_points
from headcount.data.audit.findings import Finding
from headcount.data.audit.fingerprints import Fingerprint, fingerprint
from headcount.data.audit.head_sizes import check_sizes
from headcount.data.audit.leaks import check_duplicates, check_groups, splits_of
from headcount.data.audit.origins import Borders, borders, judge_origin
from headcount.data.formats.raw import RawScene, UnreadableAnnotationError, image_file
from headcount.data.parse.values import HAIR
from headcount.data.sets.catalogue import CatalogueEntry, Counts, find_entry
from headcount.data.sets.registry import DATA_SETS, parse_spec

OFFICIAL = ("train", "val", "test")
_ENOUGH_PX = 96  # of the short side, for a fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is kept of one scene; ``kept``: heads that a release without outside points would hold."""

    findings: tuple[Finding, ...]
    heads: int = 0
    kept: int = 0
    look: Fingerprint | None = None
    borders: Borders = field(default_factory=Borders)


def check_dataset(
    spec: str, *, split: str | None = None, workers: int = 2, progress: Progress | None = None
) -> list[Finding]:
    """Look through a data set given as ``NAME=PATH``; every image is decoded to its end.

    ``split`` is an official one (``train``, ``val`` or ``test``; a points file has none); None and ``all`` take those
    that are there. Findings come in the order of the files, those on folders first, those on the whole set and the
    counts last; ``progress`` is told (done, all).

    Raises:
        InputError: the name is unknown, or the path is not laid out so that anything could be checked.
    """
    name, path = parse_spec(spec)
    split = None if split == "all" else split
    if split is not None and split not in OFFICIAL:
        raise InputError(f'"{split}" is no official split.{nearest(split, OFFICIAL)}', remedy="split")
    data_set = DATA_SETS[name]
    try:
        listing = data_set.list_raw(path)
    except UnreadableAnnotationError as error:
        return [Finding("unreadable-annotation", str(path), error.message)]
    findings = [Finding(remark.code, str(remark.path), remark.message) for remark in listing.remarks]
    raw = [scene for scene in listing.scenes if split in (None, scene.split)]
    if split is not None and not raw:
        known = ", ".join(sorted({scene.split for scene in listing.scenes} - {""}))
        instead = f"only of {known}: check one of these" if known else "for it has no splits: check it whole"
        raise InputError(f'"{path}" has no images of the official split "{split}", {instead}.', remedy="split")
    findings += check_names(raw)
    seen: list[_Seen] = []
    tallies: dict[str, _Tally] = {}
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        # map keeps the order of the files, whichever thread is done first.
        for scene, one in zip(raw, pool.map(_check_scene, raw), strict=True):
            seen.append(one)
            findings += one.findings
            part = scene.split or "all"
            tallies[part] = _sum([tallies.get(part, (0, 0, 0)), (scene.image is not None, one.heads, one.kept)])
            if progress is not None:
                progress(len(seen), len(raw))
    splits = splits_of(listing.scenes, data_set.splits)
    if not data_set.general:  # the folders of one's own images need be no scenes
        findings += check_groups(raw, splits)
    findings += check_duplicates(raw, [one.look for one in seen], splits, by_group=not data_set.general)
    origin = judge_origin([one.borders for one in seen])
    if origin is not None:
        findings.append(Finding("off-by-one", str(path), origin))
    entry = find_entry(name)
    if entry is not None:
        findings += compare_counts(entry, tallies, str(path), whole=split is None)
    return findings


def check_names(scenes: Sequence[RawScene]) -> list[Finding]:
    """A finding for each name that more than one scene has."""
    findings = []
    for name, number in sorted(Counter(scene.name for scene in scenes).items()):
        if number > 1:
            places = sorted(str(scene.image or scene.annotation) for scene in scenes if scene.name == name)
            text = f'{number} images are named "{name}"'
            findings.append(Finding("name-repeated", places[-1], text, number - 1, other=places[0]))
    return findings


def _check_scene(scene: RawScene) -> _Seen:
    findings: list[Finding] = []
    header, look = _look(scene, findings)
    if scene.annotation is None:
        findings.append(Finding("missing-annotation", str(scene.image), "the annotation of this image is not there"))
        return _Seen(tuple(findings), look=look)
    try:
        annotation = scene.read()
    except Exception as error:
        text = Skipped(str(scene.annotation), error).text
        return _Seen((*findings, Finding("unreadable-annotation", str(scene.annotation), text)), look=look)
    # A points file annotates many images: there the image names the place.
    place = str(scene.image or scene.annotation)
    heads_xy = annotation.heads_xy
    size_wh = None if header is None else header.size_wh
    comparable = size_wh
    if header is not None:
        found, as_shown = check_frame(annotation, header.size_wh, header.orientation, place)
        findings += found
        comparable = size_wh if as_shown else None
    if scene.found_by:
        findings.append(Finding("name-differs", place, f"its name is written otherwise ({scene.found_by})"))
    if header is not None and not len(heads_xy):
        findings.append(Finding("no-heads", place, "nobody is annotated"))
    findings += check_left_out(annotation, place)
    if annotation.points_xy is not None:
        findings += check_points(heads_xy, comparable, place, slack=HAIR if scene.refuse_outside else 0.0)
    near = heads_xy
    if annotation.boxes_xyxy is not None:
        boxes = annotation.boxes_xyxy.reshape(-1, 4)
        findings += check_boxes(boxes, comparable, place)
        stated = annotation.box_provenance
        provenance = stated if isinstance(stated, tuple) else (stated,) * len(boxes)
        findings += check_sizes(boxes[[each == "annotated" for each in provenance]], place)
        if annotation.points_xy is None:
            near = boxes
    # The release of ShanghaiTech without outside points holds those with 0 ≤ x ≤ width in the 1-based numbers as
    # they are written (measured: from 0.001 up to 0.05 below the width), which is not quite what lies inside.
    inside = (heads_xy >= -0.5) & (heads_xy <= np.subtract(size_wh or np.inf, 0.5))
    return _Seen(
        tuple(findings),
        len(heads_xy),
        int(inside.all(axis=1).sum()),
        look,
        Borders() if comparable is None else borders(near, comparable[0]),
    )


def _look(scene: RawScene, findings: list[Finding]) -> tuple[ImageHeader | None, Fingerprint | None]:
    """Decode a scene's image, as small as a fingerprint allows but to its end; what is wrong is appended."""
    if scene.image is None:
        text = f'the image "{scene.name}" of this annotation is not there'
        findings.append(Finding("missing-image", str(scene.annotation), text))
        return None, None
    try:
        file_size(image_file(scene.image))
    except InputError as error:
        is_absent = isinstance(error, MissingFileError)
        text = "this image is annotated but not there" if is_absent else error.message
        findings.append(Finding("missing-image", str(scene.image), text))
        return None, None
    try:
        if isinstance(scene.image, VideoFrame):
            return ImageHeader(scene.image.size_wh, "video", "RGB", 1), fingerprint(scene.image.pixels())
        header = read_header(scene.image)
        # A JPEG's every block is read for a smaller image too, so that a truncated one is found all the same.
        short = min(header.size_wh)
        reduction = next((by for by in (8, 4, 2) if short // by >= _ENOUGH_PX), 1)
        return header, fingerprint(read_reduced(scene.image, reduction).pixels)
    except Exception as error:
        text = Skipped(str(scene.image), error).text
        findings.append(Finding("unreadable-image", str(scene.image), text))
        return None, None


_Tally = tuple[int, int, int]
"""Images, heads, and the heads that a release without those outside their images would hold."""


def compare_counts(
    entry: CatalogueEntry, tallies: Mapping[str, _Tally], place: str, *, whole: bool = True
) -> list[Finding]:
    """One finding per split: which published release it is of, or that it is of none.

    ``tallies`` maps a split to what was counted: a split of the original is known by its heads within the images where
    only its total is published. ``whole``: these are all the splits there are; where none of them, nor all together,
    is published, they are compared with what is stated of the whole set.
    """
    joined = dict(tallies)
    if len(tallies) > 1:
        if "train" in tallies and "val" in tallies:  # some sets publish only their sum
            joined["trainval"] = _sum([tallies["train"], tallies["val"]])
        joined["+".join(tallies)] = _sum(tallies.values())
    published = {
        split: {release.name: release.counts[split] for release in entry.releases if split in release.counts}
        for split in joined
    }
    images, heads = entry.total
    if tallies and whole and images is not None and not any(published.values()):
        published[list(joined)[-1]] = {"stated in all": (images, heads)}
    return [_compare(split, joined[split], known, place) for split, known in published.items() if known]


def _sum(tallies: Iterable[_Tally]) -> _Tally:
    images, heads, kept = np.sum(list(tallies), axis=0).tolist()
    return images, heads, kept


def _compare(split: str, tally: _Tally, published: Mapping[str, Counts], place: str) -> Finding:
    images, heads, kept = tally
    text = f"{split}: {images:,} images, {heads:,} heads"
    for name, counts in published.items():
        if _matches(counts, images, heads):
            return Finding("count-matches", place, f'{text}, as in the release "{name}"')
    for name, counts in published.items():
        if _matches(counts, images, kept):
            text += f', and without the {heads - kept:,} outside as many as in the release "{name}"'
            return Finding("count-matches", place, text)
    known = "; ".join(f'{n:,} and {_heads(h)} ("{name}")' for name, (n, h) in published.items())
    return Finding("count-differs", place, f"{text}, but published are {known}")


def _matches(counts: Counts, images: int, points: int) -> bool:
    """Whether the counts are the published ones, whose heads may not be stated."""
    return counts[0] == images and counts[1] in (None, points)


def _heads(number: int | None) -> str:
    return "an unstated number" if number is None else f"{number:,}"
