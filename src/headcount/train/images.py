"""What a run has learned from: the record of its images, which forgets none, and what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from headcount.core.card import sha256_of
from headcount.core.errors import InputError
from headcount.core.image import VideoFrame
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.models.weights import some_of

Entry = dict[str, Any]
Record = dict[str, dict[str, dict[str, Entry]]]
"""``train`` and ``val`` → data set → the name of an image → what it was: SHA-256 of its file and of its annotation."""


def record_of(sets: Mapping[str, Mapping[str, Sequence[Scene]]], before: Record) -> Record:
    """The record of the images that are there now: ``train`` and ``val`` → data set → scenes.

    A file of the size and time of ``before`` is taken for the same and not read.

    Raises:
        InputError: an image cannot be read.
    """
    found: Record = {"train": {}, "val": {}}  # both are there in every record
    digest = lru_cache(maxsize=1)(sha256_of)  # the frames of a video come one after the other
    for role, scenes_of in sets.items():
        for name, scenes in scenes_of.items():
            entries = found.setdefault(role, {}).setdefault(name, {})
            known = before.get(role, {}).get(name, {})
            for scene in scenes:
                key = scene.name if scene.name and scene.name not in entries else str(scene.image)
                entries[key] = _image_entry(scene, known.get(key, {}), digest) | {"annotation": _annotation(scene)}
    return found


def _image_entry(scene: Scene, known: Entry, digest: Any) -> Entry:
    if not isinstance(scene.image, Path | VideoFrame):
        return {"image": hashlib.sha256(scene.image.tobytes()).hexdigest()}
    path = scene.image if isinstance(scene.image, Path) else scene.image.path
    try:
        status = path.stat()
        entry: Entry = {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        is_known = all(known.get(key) == value for key, value in entry.items()) and "image" in known
        return {"image": known["image"] if is_known else digest(path), **entry}
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}): mend it, or leave it out.') from error


def _annotation(scene: Scene) -> str:
    digest = hashlib.sha256(scene.points_xy.tobytes())
    for array in (scene.boxes_xyxy, scene.region):
        digest.update(b"none" if array is None else array.tobytes())
    return digest.hexdigest()


def read_record(file: Path) -> Record:
    """The record in a run's folder; that of an older run knows names alone.

    Raises:
        InputError: it is damaged.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {role: {name: _entries(of) for name, of in found[role].items()} for role in ("train", "val")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'"{file}", the record of what the run has learned from, cannot be read ({type(error).__name__}): '
            "copy it again from where you have it, or start a new run."
        ) from error


def _entries(read: Mapping[str, Entry] | Sequence[str]) -> dict[str, Entry]:
    return {key: dict(read[key]) for key in read} if isinstance(read, Mapping) else {str(key): {} for key in read}


def merged(before: Record, now: Record, step: int) -> Record:
    """The record with what was there before and is no longer, as of a step; of what has changed, what it was."""
    found: Record = {"train": {}, "val": {}}
    for role in ("train", "val"):
        for name in dict.fromkeys([*before.get(role, {}), *now.get(role, {})]):
            old, new = before.get(role, {}).get(name, {}), now.get(role, {}).get(name, {})
            entries = found.setdefault(role, {}).setdefault(name, {})
            for key in dict.fromkeys([*old, *new]):
                entries[key] = _merged(old.get(key), new.get(key), step)
    return found


def _merged(old: Entry | None, new: Entry | None, step: int) -> Entry:
    if new is None:
        assert old is not None
        return {"gone_at_step": step, **old}
    if old is None:
        return {**new, "new_at_step": step}
    entry: Entry = {key: old[key] for key in ("new_at_step", "earlier") if key in old}
    entry |= new
    if _differs(old, new, "image") or _differs(old, new, "annotation") or "gone_at_step" in old:
        was = {key: old[key] for key in ("image", "annotation", "gone_at_step") if key in old}
        entry["earlier"] = [*old.get("earlier", []), {**was, "until_step": old.get("gone_at_step", step)}]
    return entry


def _differs(old: Entry, new: Entry, key: str) -> bool:
    return key in old and key in new and old[key] != new[key]


def differences(before: Record, now: Record) -> str:
    """What has changed between two records, in words; empty if nothing has.

    >>> differences({"train": {"points": {"a": {}, "b": {}}}, "val": {}}, {"train": {"points": {"b": {}}}, "val": {}})
    'points: 1 image is gone ("a")'
    """
    parts = []
    for role, title in (("train", ""), ("val", ", for validation")):
        for name in dict.fromkeys([*before.get(role, {}), *now.get(role, {})]):
            old, new = before.get(role, {}).get(name, {}), now.get(role, {}).get(name, {})
            there = {key for key, entry in old.items() if "gone_at_step" not in entry}
            both = there & new.keys()
            groups = {
                "gone": there - new.keys(),
                "new": new.keys() - there,
                "changed": {key for key in both if _differs(old[key], new[key], "image")},
                "annotated otherwise": {key for key in both if _differs(old[key], new[key], "annotation")},
            }
            words = [
                f"{plural(len(keys), 'image')} {'is' if len(keys) == 1 else 'are'} {what} ({some_of(keys, most=3)})"
                for what, keys in groups.items()
                if keys
            ]
            if words:
                parts.append(f"{name}{title}: {', '.join(words)}")
    for name, entries in now.get("val", {}).items():
        known = before.get("val", {}).get(name, {}).keys()
        learned = (entries.keys() - known) & before.get("train", {}).get(name, {}).keys()
        if learned:
            parts.append(f"{name}: {plural(len(learned), 'image')} for validation ({some_of(learned, most=3)}) "
                         "it has learned from")  # fmt: skip
    return "; ".join(parts)


def learned_from(record: Record) -> dict[str, int]:
    """Data set → how many images of it were learned from, ever."""
    return {name: len(entries) for name, entries in record["train"].items()}
