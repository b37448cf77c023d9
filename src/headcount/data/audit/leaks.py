"""What should not be in two splits: nearly the same picture, or a scene's images. The splits are those of training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from headcount.core.errors import InputError
from headcount.data.audit.findings import Finding
from headcount.data.audit.fingerprints import Fingerprint, alike
from headcount.data.formats.raw import RawScene
from headcount.data.sets.splits import SplitRule


def splits_of(scenes: Sequence[RawScene], rule: SplitRule) -> dict[str, str]:
    """The split of each scene's name: ``train``, ``val`` or ``test``, as training and evaluation take them.

    Where a rule cannot be applied (a copy without some images), the official split; where everything is the test
    too, as one's own images are, train and validation.
    """
    splits: dict[str, str] = {}
    present = [scene for scene in scenes if scene.image is not None]
    for split in ("val", "train", "test"):
        with suppress(InputError):
            for scene in rule.apply(present, split):
                splits.setdefault(scene.name, split)
    return {scene.name: splits.get(scene.name, scene.split) for scene in scenes}


def check_groups(scenes: Sequence[RawScene], splits: Mapping[str, str]) -> list[Finding]:
    """A finding for each scene or video of which images lie in more than one split."""
    findings = []
    grouped = sorted((scene for scene in scenes if scene.group and scene.image), key=lambda s: (s.group, s.name))
    for group, members in groupby(grouped, key=lambda scene: scene.group):
        listed = list(members)
        numbers = Counter(splits[scene.name] for scene in listed)
        if len(numbers) > 1:
            parts = ", ".join(f"{numbers[split]:,} in {split or 'none'}" for split in sorted(numbers))
            text = f'"{group}" has {len(listed):,} images: {parts}'
            findings.append(Finding("leak-group", str(listed[0].image), text, min(numbers.values())))
    return findings


def check_duplicates(
    scenes: Sequence[RawScene], prints: Sequence[Fingerprint | None], splits: Mapping[str, str], *, by_group: bool
) -> list[Finding]:
    """A finding for each image that looks like another of another split, or like an earlier one of its own.

    Of two splits the image of the smaller part is named: the copy in ``test`` or ``val`` makes the measurement
    too good. ``by_group``: images of one scene or video are alike by nature, and not named.
    """
    kept = sorted(((s, p) for s, p in zip(scenes, prints, strict=True) if p is not None), key=lambda pair: pair[0].name)
    rank = {"test": 2, "val": 1}
    across: dict[int, list[tuple[float, int]]] = {}
    within: dict[int, list[tuple[float, int]]] = {}
    for pair in alike([each for _, each in kept]):
        one, other = kept[pair.first][0], kept[pair.second][0]
        if by_group and one.group and one.group == other.group:
            continue
        named, twin = pair.second, pair.first
        if splits[one.name] == splits[other.name]:
            within.setdefault(named, []).append((-pair.correlation, twin))
            continue
        if rank.get(splits[one.name], 0) > rank.get(splits[other.name], 0):
            named, twin = twin, named
        across.setdefault(named, []).append((-pair.correlation, twin))
    findings = []
    for code, found in (("leak-duplicate", across), ("duplicate", within)):
        for index in sorted(found):
            correlation, nearest = min(found[index])
            scene, like_scene = kept[index][0], kept[nearest][0]
            more = f", and {len(found[index]) - 1} more" if len(found[index]) > 1 else ""
            split, twin_split = (splits[each.name] or "unsplit" for each in (scene, like_scene))
            text = f"looks like {_name(like_scene)}"
            if split != twin_split:
                text = f"{split}: {text} of {twin_split}"
            text += f" ({-correlation:.3f} of 1{more})"
            findings.append(Finding(code, str(scene.image), text, len(found[index]), other=str(like_scene.image)))
    return findings


def _name(scene: RawScene) -> str:
    return Path(str(scene.image)).name
