"""Going on with a run that was cut off: which rows of its file stay, and which images are counted (again)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headcount.core.errors import InputError
from headcount.core.files import discard
from headcount.core.writers import TextWriter
from headcount.data.formats.predictions import PredictionFile
from headcount.data.media.sources import SourceFile
from headcount.infer.runtimes.table import words_of

if TYPE_CHECKING:
    from headcount.core.region import Region
    from headcount.data.formats.kept_rows import KeptRow
    from headcount.infer.counter import Counter

Settings = Mapping[str, Any]
State = tuple[int, int]
"""A file's bytes, and its time of change in nanoseconds."""


def settings_of(counter: Counter, *, every_s: float, region: Region | None = None) -> dict[str, Any]:
    """What a count depends on, as plain data."""
    card = counter.card
    return {
        "model": card.name, "runtime": words_of(counter.runtime), "sha256": dict(card.sha256), "every_s": every_s,
        "interval": counter.interval,
        "region": None if region is None else region.to_dict(),
    }  # fmt: skip


class RunRecord:
    """What a run has done: a hidden file beside its results, ``.NAME.run``, which is there until the run has ended.

    A line of settings, then one for each file of which all is counted and written, and the state it was in.
    """

    def __init__(self, results: Path) -> None:
        target = Path(os.path.realpath(results))
        self.path = target.with_name(f".{target.name}.run")

    def read(self) -> tuple[Settings, dict[str, State]] | None:
        """The settings, and the state of each file; None where there is no record."""
        try:
            first, *lines = self.path.read_text(encoding="utf-8").splitlines()
            settings = dict(json.loads(first))
            done: dict[str, State] = {}
            for line in lines:
                with suppress(ValueError):  # half a line, at the end
                    name, size, changed = json.loads(line)
                    done[name] = (size, changed)
        except (OSError, ValueError, TypeError):
            return None
        return settings, done

    def start(self, settings: Settings, done: Mapping[str, State]) -> None:
        """Begin it anew, with what was done before."""
        lines = [json.dumps(settings), *(json.dumps([name, *state]) for name, state in done.items())]
        with suppress(OSError):  # without it the run can do all but be gone on with
            self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def add(self, file: SourceFile, state: State) -> None:
        """A file is done, which was in this state before it was read."""
        with suppress(OSError), self.path.open("a", encoding="utf-8") as text:
            text.write(json.dumps([str(file.path), *state]) + "\n")

    def end(self) -> None:
        """The run has ended: its file of results says all."""
        discard(self.path)


def go_on(
    results: PredictionFile, files: Sequence[SourceFile], settings: Settings
) -> tuple[list[KeptRow], list[SourceFile]]:
    """Take over the rows of a file of results; returns them, and the files that are still to be counted.

    A row stays where its file was counted whole and has not changed since, or is not among ``files``, whichever of its
    paths was written then. Of a run that had ended, a video's rows stay where they are as far apart as now. The record
    of the run is begun.

    Raises:
        InputError: the rows were counted by another model, runtime or precision, in another region, or a video with
            another time between frames.
    """
    record = RunRecord(results.path)
    before, rows = record.read(), results.rows_before
    named = {str(file.path): file for file in files}
    of_file = _files_of(rows, named)
    _refuse_others(results.path, rows, None if before is None else before[0], settings, files)
    written_ns = results.written_before_ns
    done = {} if before is None else {_place(name): state for name, state in before[1].items()}
    states: dict[str, State] = {}
    frames: dict[str, list[str]] = {}
    for source, name in of_file.items():
        frames.setdefault(name, []).append(source)
    for name, of_it in frames.items():
        state = state_of(named[name].path)
        if before is not None:
            unchanged = done.get(_place(name)) == state
        else:
            unchanged = state[1] <= written_ns
            if named[name].kind == "video":
                unchanged &= _are_apart(of_it, settings["every_s"])
        if unchanged:
            states[name] = state
    kept = [row for row in rows if row.source not in of_file or of_file[row.source] in states]
    results.keep(kept)
    record.start(settings, states)
    return kept, [file for name, file in named.items() if name not in states]


def _files_of(rows: Sequence[KeptRow], named: Mapping[str, SourceFile]) -> dict[str, str]:
    """A row's source → the name of its file, for the rows of these files, whichever path was written."""
    by_place = {_place(name): name for name in named}
    # CSV holds names that are no valid Unicode as TextWriter.encode writes them, and they cannot be read back.
    as_written = {TextWriter.encode(name).decode(): name for name in named}
    found: dict[str, str] = {}
    for row in rows:
        for source in (row.source, row.source.rpartition("@")[0]):  # an image, or a frame
            name = as_written.get(source) or (by_place.get(_place(source)) if source else None)
            if name is not None:
                found[row.source] = name
                break
    return found


def _place(path: str) -> str:
    """Where a path leads; what is no path leads to itself."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def _are_apart(frames: Sequence[str], every_s: float) -> bool:
    """Whether the frames of a video that was counted are about ``every_s`` apart, by their names."""
    try:
        seconds = sorted(float(name.rpartition("@")[2].removesuffix("s")) for name in frames)
    except ValueError:
        return False
    gaps = len(seconds) - 1
    return gaps > 0 and 0.75 * every_s <= (seconds[-1] - seconds[0]) / gaps <= 1.34 * every_s


def _refuse_others(
    path: Path, rows: Sequence[KeptRow], before: Settings | None, now: Settings, files: Sequence[SourceFile]
) -> None:
    instead = "go on with the same, or write to another file"
    other = next(((r.model, r.runtime) for r in rows if (r.model, r.runtime) != (now["model"], now["runtime"])), None)
    if other is not None:
        raise InputError(
            f'"{path}" was counted by the model "{other[0]}" on {other[1]}, but now it is "{now["model"]}" on '
            f"{now['runtime']}: {instead}.",
            remedy="overwrite",
        )
    elsewhere = next((row.region for row in rows if not _same_region(row.region, now["region"])), now["region"])
    if elsewhere is not now["region"]:
        was, is_now = _in_words(elsewhere), _in_words(now["region"])
        if was == is_now:  # of one name: its file was changed
            is_now = "another one"
        raise InputError(f'"{path}" was counted in {was}, but now it is in {is_now}: {instead}.', remedy="overwrite")
    if not rows or before is None:
        return
    if before.get("sha256") != now["sha256"]:
        raise InputError(
            f'"{path}" was counted by other weights of the model "{now["model"]}": {instead}.', remedy="overwrite"
        )
    if before.get("every_s") != now["every_s"] and any(file.kind == "video" for file in files):
        raise InputError(
            f'"{path}" has a frame every {before.get("every_s")} s, but now it is one every {now["every_s"]} s: '
            f"{instead}.",
            remedy="overwrite",
        )


def _same_region(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two regions are the same, whatever their files are called."""
    if one is None or other is None:
        return one is other
    return all(one.get(key) == other.get(key) for key in ("polygons_xy", "mask_sha256"))


def _in_words(region: Mapping[str, Any] | None) -> str:
    if region is None:
        return "whole images"
    return "a region of interest" + (f' ("{region["file"]}")' if region.get("file") else "")


def state_of(path: Path) -> State:
    """By what a file is seen to have changed: its size, and when it was last written or put there."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    # A file that took the place of another may be older than it, but not its entry in the folder (not on Windows,
    # where st_ctime is when it was made).
    return status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)
