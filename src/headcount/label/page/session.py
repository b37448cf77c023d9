"""One folder being labelled: its images, its database, who works on what, and the model that helps."""

from __future__ import annotations

import getpass
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from headcount.core.errors import InputError
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.prediction import Prediction
from headcount.label.page.assist import Assistant, suggestions
from headcount.label.page.boxes import boxed, region_of
from headcount.label.page.claims import LEASE_S, Claims, Holder
from headcount.label.page.pictures import (
    NO_UTF8,
    TILE_PX,
    Looked,
    Pictures,
    blocks_of,
    image_names,
    kept_names,
    shown_name,
)
from headcount.label.page.store import ImageRow, Receipt, Store, Stroke
from headcount.label.page.things import SIZES, Changes, WrongStrokeError, refuse_outside

_LOOKED_AT_ONCE, _PAUSE_S = 25, 0.02


class UnreadableError(InputError):
    """A picture that cannot be read now: what is meant for it may be sent again."""


class NotHeldError(InputError):
    """A stroke of a session that does not hold the image."""


class Labelling:
    """What the server does, without a word of HTTP; several threads may use it at once.

    Args:
        folder: where the images are.
        database: the SQLite file; made where it is not there.
        recursive: take the images of inner folders, too.
        model: what makes suggestions; None: the default.
        lease_s: how long a claim lasts of which nothing is heard.
        clock: gives seconds that only go forward.

    Raises:
        InputError: the folder holds no image, or the database cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        database: Path,
        *,
        recursive: bool = False,
        model: str | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        lease_s: float = LEASE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        names, self._aside = kept_names(image_names(folder, recursive=recursive))
        self.store = Store(database)
        self.database_id = _id_of(self.store)
        rows = self.store.images(names)
        self.pictures = Pictures(folder, names, max_pixels=max_pixels)
        self.claims = Claims(self.store, lease_s=lease_s, clock=clock)
        self._index = {row.id: index for index, row in enumerate(rows)}
        self._rows = rows
        self._versions = [1] * len(rows)
        self._version = 1
        self._start = f"{time.time_ns():x}"
        self._lock = threading.Lock()
        self._asked: dict[int, tuple[str, str]] = {}
        self.assistant = Assistant(model, self.path, self._take_suggestions, max_pixels=max_pixels)
        self._closing = threading.Event()
        self._looker = threading.Thread(target=self._look_at_all, name="looker", daemon=True)
        self._looker.start()

    def close(self) -> None:
        """End the threads and give the database back."""
        self._closing.set()
        self._looker.join()
        self.assistant.close()
        self.store.close()

    def _look_at_all(self) -> None:
        """Open each image's header once, so that the list says which cannot be shown, and how large the others are."""
        for index, row in enumerate(self._rows):
            # Whoever opens the page comes first.
            if index % _LOOKED_AT_ONCE == 0 and self._closing.wait(_PAUSE_S):
                return
            if self.pictures.seen(index) is None:
                self.pictures.look(index)
                self._touch(row.id)

    def _touch(self, image: int, *, read: bool = False) -> None:
        """Note that the list has something new to show of an image."""
        index = self._index[image]
        row = self.store.row(image) if read else None
        with self._lock:
            if row is not None:
                self._rows[index] = row
            self._version += 1
            self._versions[index] = self._version

    def has(self, image: int) -> bool:
        """Whether there is an image of this id."""
        return image in self._index

    def path(self, image: int) -> Path:
        """The file of an image."""
        return self.pictures.path(self._index[image])

    def size_wh(self, image: int) -> tuple[int, int]:
        """(width, height) of an image.

        Raises:
            InputError: it cannot be read.
        """
        looked = self.pictures.look(self._index[image])
        if looked.problem:
            raise InputError(looked.problem)
        return looked.size_wh

    def _look(self, image: int) -> Looked:
        """What an image's file says of itself now; the list tells where that is something new."""
        index = self._index[image]
        before, looked = self.pictures.seen(index), self.pictures.look(index, anew=True)
        if looked != before:
            self._touch(image)
        return looked

    def about(self, *, is_local: bool = True) -> dict[str, Any]:
        """What the page is told first.

        ``is_local``: whoever asks sits at this machine, so that its user's name may be theirs. To others it is not
        offered: all would be called the same, and take images for their own that somebody else works on.
        """
        person = ""
        if is_local:
            with suppress(Exception):  # no such user is known here
                person = getpass.getuser()
        return {
            "folder": shown_name(self.folder.resolve().name),
            "images": len(self._rows),
            "database": self.database_id,
            "person": person,
            "lease_s": self.claims.lease_s,
            "tile_px": TILE_PX,
        }

    def rows(self, since: int = 0) -> dict[str, Any]:
        """The list of images as far as it changed after version ``since``; a row is a short list, see the page.

        Versions, and the places of images, are good for one ``start``: where it is another, all is asked for anew.
        """
        for image in self.claims.lapsed():
            if image in self._index:
                self._touch(image)
        with self._lock:
            version = self._version
            changed = [index for index, each in enumerate(self._versions) if each > since]
            rows = [(index, self._rows[index]) for index in changed]
        found = [self._row(index, row) for index, row in rows]
        if not since:
            # The database cannot hold these: they have places in the list, but no labels, and no ids that it knows.
            found += [
                [len(self._rows) + number, -1 - number, name, 0, 0, 0, 1, False, NO_UTF8, ""]
                for number, name in enumerate(self._aside)
            ]
        return {"start": self._start, "version": version, "rows": found}

    def _row(self, index: int, row: ImageRow) -> list[Any]:
        looked = self.pictures.seen(index)
        size, problem = (looked.size_wh, looked.problem) if looked else ((0, 0), "")
        columns, across = blocks_of(size)
        holder = self.claims.holder(row.id)
        person = holder.person if holder is not None and holder.is_active else ""
        blocks = columns * across
        return [index, row.id, row.name, row.heads, row.suggestions, row.blocks, blocks, row.done, problem, person]

    def document(self, image: int, person: str, session: str) -> dict[str, Any]:
        """All that the page needs to show an image."""
        index = self._index[image]
        looked = self._look(image)
        plain: dict[str, Any] = {
            "id": image,
            "name": self.pictures.names[index],
            "problem": looked.problem,
            "size": looked.size_wh,
            "blocks": blocks_of(looked.size_wh),
            "levels": self.pictures.levels(looked.size_wh),
            "version": looked.version,  # of the file that all this is about
            "things": {},
        }
        with self.store.reading(image) as document:
            plain |= {"strokes": document.strokes, "can": document.can(person), "things": dict(document.things)}
        return self.state(image, person, session) | plain  # of the things that are given, not of later ones

    def state(self, image: int, person: str, session: str) -> dict[str, Any]:
        """What may change of an image while somebody looks at it: its file, its strokes, holder and model's work."""
        with self.store.reading(image) as document:
            strokes, can = document.strokes, document.can(person)
        job = self.assistant.job(image)
        return {
            "version": self._look(image).version,
            "strokes": strokes,
            "can": can,
            "holder": told(self.claims.holder(image), session),
            "job": None if job is None else asdict(job),
            "late": len(self.store.refused(image, person)),
        }

    def claim(
        self, image: int, session: str, person: str, *, over: bool = False, former: str = "", renew: bool = False
    ) -> dict[str, Any]:
        """Claim an image, as ``Claims.take``; tells how it stands now.

        ``renew``: only go on with a claim that nobody took over.
        """
        before = self.claims.holder(image)
        if renew:
            now = self.claims.renew(image, session)
        else:
            now = self.claims.take(image, session, person, over=over, former=former)
        if now is not None and (before is None or not before.is_active or before.session != now.session):
            self._touch(image)
        return self.state(image, person, session)

    def release(self, image: int, session: str) -> None:
        """Give an image back."""
        self.claims.release(image, session)
        self._touch(image)

    def strokes(
        self, image: int, session: str, person: str, strokes: Sequence[Stroke], *, version: str = ""
    ) -> dict[str, Any]:
        """Keep strokes; those of a session that no longer holds the image change nothing, and are kept apart.

        So are those that were made on another ``version`` of its file: they may not fit the one that is there.

        Raises:
            WrongStrokeError: something in them lies outside the image.
            UnreadableError: the image cannot be read now, and nothing of it is labelled that tells its size.
            StoreError: the database cannot be written now, as where the disk takes no more.
        """
        looked = self._look(image)
        # They were drawn while it could be read: a file that is away for a while costs nobody a stroke.
        size = self.store.size_wh(image) if looked.problem else looked.size_wh
        if not all(size):
            raise UnreadableError(looked.problem)
        is_replaced = bool(version) and not looked.problem and version != looked.version
        for stroke in () if is_replaced else strokes:
            refuse_outside(stroke.changes, size)
        holder = self.claims.holder(image)
        if holder is None:
            holder = self.claims.take(image, session, person)
        refused = ""
        if holder.session != session:
            refused = f"{holder.person} has taken this image over: the stroke changed nothing, and is kept apart."
        elif holder.is_active:
            self.claims.renew(image, session)
        if is_replaced and not refused:
            refused = "The picture's file was replaced meanwhile: the stroke changed nothing, and is kept apart."
        receipts = self.store.write(image, strokes, person=person, session=session, size_wh=size, refused=refused)
        if not refused:
            self._touch(image, read=True)
        return {"receipts": [_plain(one) for one in receipts], **self.state(image, person, session)}

    def take_late(self, image: int, session: str, person: str) -> dict[str, Any]:
        """Take in a person's strokes that came late and were kept apart, as far as they fit the picture.

        Raises:
            NotHeldError: the session does not hold the image.
            InputError: none fits: the picture was replaced by a smaller one.
        """
        if self.claims.take(image, session, person).session != session:
            raise NotHeldError("Somebody else holds this image: take it over first.")
        late, size = self.store.late_strokes(image, person), self.size_wh(image)
        fitting = [stroke for stroke in late if _fits(stroke, size)]
        if late and not fitting:
            raise InputError("What was kept apart lies outside the picture, which is smaller now: draw it anew.")
        self.store.write(image, fitting, person=person, session=session, size_wh=size)
        self._touch(image, read=True)
        return self.document(image, person, session)

    def boxes(
        self, image: int, changes: Changes, within: tuple[float, float, float, float] | None
    ) -> dict[str, list[Any]]:
        """The boxes of heads that have none of their own, as they were if the changes were made; none is.

        Raises:
            InputError: something in the changes lies outside the image, or it cannot be read.
        """
        size = self.size_wh(image)
        refuse_outside(changes, size)
        with self.store.reading(image) as document:
            things = {**document.things, **changes}
        there = {key: thing for key, thing in things.items() if thing is not None}
        others: Sequence[Sequence[float]] = ()
        if there.get(SIZES, {}).get("share") == "folder":
            # Its own presets may be as changed: of itself those in the document count.
            others = self.store.presets_of_folder(image, but_itself=True)
        found = boxed(there, size, others)
        shown = np.array([made == "interpolated" and "box" not in there[key]
                          for key, made in zip(found.ids, found.provenance, strict=True)], np.bool_)  # fmt: skip
        if within is not None:
            x, y = found.points_xy.T
            shown &= (x >= within[0]) & (y >= within[1]) & (x <= within[2]) & (y <= within[3])
        rows = np.flatnonzero(shown)
        return {"ids": [found.ids[row] for row in rows], "boxes": found.boxes_xyxy[rows].round(2).ravel().tolist()}

    def tile(self, image: int, level: int, column: int, row: int, *, version: str = "") -> bytes | None:
        """A tile as JPEG; None where there is none; see ``Pictures.tile``.

        Raises:
            InputError: the image cannot be read, which the list says from now on.
            ReplacedError: its file is of another version now.
        """
        try:
            return self.pictures.tile(self._index[image], level, column, row, version=version)
        except InputError:
            self._touch(image)
            raise

    def suggest(self, image: int, session: str, person: str) -> dict[str, Any]:
        """Have the model look at an image.

        Raises:
            NotHeldError: the session does not hold the image; InputError: it cannot be read.
        """
        self.size_wh(image)
        if self.claims.take(image, session, person).session != session:
            raise NotHeldError("Somebody else holds this image: suggestions are made for its holder.")
        self._asked[image] = (session, person)
        return {"job": asdict(self.assistant.ask(image))}

    def _take_suggestions(self, image: int, found: Prediction) -> str:
        """Keep what the model found as a stroke of who asked for it."""
        session, person = self._asked[image]
        if found.points_kind == "none":
            return "This model does not tell where heads are: choose one that does."
        holder = self.claims.holder(image)
        if holder is None or holder.session != session:
            return "The image was given up meanwhile: the suggestions were dropped."
        size = self.size_wh(image)
        with self.store.reading(image) as document:
            things = dict(document.things)
        mark = f"s{time.time_ns():x}"
        known = {(thing["x"], thing["y"]) for thing in things.values() if thing["t"] == "suggestion"}
        changes = suggestions(found, boxed(things, size), region_of(things, size), known, mark=mark)
        if not changes:
            return f"{found.model} sees no further head."
        self.store.write(image, [Stroke(mark, "do", changes)], person=person, session=session, size_wh=size)
        self._touch(image, read=True)
        heads = "1 head" if len(changes) == 1 else f"{len(changes):,} heads"
        return f"{found.model} suggests {heads}."


def _fits(stroke: Stroke, size_wh: tuple[int, int]) -> bool:
    try:
        refuse_outside(stroke.changes, size_wh)
    except WrongStrokeError:
        return False
    return True


def _id_of(store: Store) -> str:
    """What tells this database from any other, for strokes that wait in a browser; made where it has none."""
    known = store.meta("id")
    if not known:
        known = f"{time.time_ns():x}"
        store.set_meta(id=known)
    return known


def told(holder: Holder | None, session: str) -> dict[str, Any] | None:
    """A claim as a session is told it: never another session's id, by which it could be taken for that."""
    if holder is None or not holder.is_active:
        return None
    return {"mine": holder.session == session, "person": holder.person, "left_s": round(holder.left_s, 1)}


def _plain(receipt: Receipt) -> dict[str, Any]:
    return {"id": receipt.id, "seq": receipt.seq, "changes": receipt.changes, "refused": receipt.refused}
