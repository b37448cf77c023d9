"""The database of a folder's labels: one SQLite file, to which every stroke is written before it is acknowledged.

A stroke is one transaction that the system has put on the disk (``synchronous=FULL``): a process that is killed, or a
machine that loses its power, loses none that was acknowledged. A stroke has an id, so that one sent twice counts once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headcount.core.errors import InputError
from headcount.label.page.document import Document, StrokeKind
from headcount.label.page.sums import COLUMNS, NEW_IMAGE, add_sums, is_sound, sum_of
from headcount.label.page.things import Changes

_VERSION = 2
"""1 had no sums: it gets them when it is opened to be written to."""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE image (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, heads INTEGER NOT NULL DEFAULT 0,
    suggestions INTEGER NOT NULL DEFAULT 0, blocks INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0,
    strokes INTEGER NOT NULL DEFAULT 0, width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
    presets TEXT NOT NULL DEFAULT '[]', sum TEXT NOT NULL
);
CREATE TABLE stroke (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, image INTEGER NOT NULL REFERENCES image(id),
    person TEXT NOT NULL, session TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, changes TEXT NOT NULL,
    refused TEXT NOT NULL DEFAULT '', sum TEXT NOT NULL
);
CREATE INDEX stroke_of_image ON stroke (image, seq);
CREATE TABLE claim (
    image INTEGER PRIMARY KEY, session TEXT NOT NULL, person TEXT NOT NULL, is_active INTEGER NOT NULL
);
"""
_DOCUMENTS_MAX = 32
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class StoreError(InputError):
    """The database cannot be read or written now; what was acknowledged is kept, and what was not may be sent again."""


class StoreFullError(StoreError):
    """The disk takes no more; what was acknowledged is kept."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a person: changes, or the undoing or redoing of one."""

    id: str
    kind: StrokeKind = "do"
    changes: Changes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a stroke: what it changed, or why it was refused. ``seq`` is its number in the log."""

    id: str
    seq: int
    changes: Changes
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What the list of images shows of one: how much is labelled on it."""

    id: int
    name: str
    heads: int = 0
    suggestions: int = 0
    blocks: int = 0
    done: bool = False
    strokes: int = 0


class Store:
    """The database; several threads may use it at once.

    With ``read_only`` it is read as it is, be it in a folder that cannot be written to, and while a server goes on.
    Every method raises a StoreError where the file cannot be read or written now, as while another program locks it.

    Raises:
        InputError: the file is no database of headcount, or is of a later version; StoreError: it cannot be written,
            or it is damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = path, clock
        self._lock = threading.RLock()
        self._documents: OrderedDict[int, Document] = OrderedDict()
        self._has_sums = True
        try:
            if read_only:
                self._base = _for_reading(path)
                self._has_sums = self._check() > 1
            else:
                self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                self._prepare()
        except sqlite3.Error as error:
            raise _refused(path, error) from error

    def _prepare(self) -> None:
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        version = self._check(may_be_new=True)
        if not version:
            self._base.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={_VERSION};COMMIT;")
        elif version < _VERSION:
            add_sums(self._base)

    def _check(self, *, may_be_new: bool = False) -> int:
        """The version of the file; 0: nothing is in it yet."""
        version: int = self._base.execute("PRAGMA user_version").fetchone()[0]
        tables = {row[0] for row in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version > _VERSION:
            raise InputError(
                f'"{self.path}" was written by a later headcount (version {version} of the file, {_VERSION} is known): '
                "update headcount."
            )
        if not version and (tables or not may_be_new):
            raise InputError(f'"{self.path}" is a database, but none of labels: choose another name.')
        if not is_sound(self._base):
            raise _damaged(self.path)
        return version

    def close(self) -> None:
        """Give the file back; what was written stays."""
        with self._lock:
            self._base.close()

    def meta(self, key: str) -> str:
        """A value that was kept by ``set_meta``, or empty."""
        with self._reading():
            row = self._base.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else ""

    def set_meta(self, **values: str) -> None:
        """Keep some words about the whole.

        Raises:
            StoreFullError: the disk takes no more.
        """
        with self._writing():
            self._base.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    def images(self, names: Sequence[str]) -> list[ImageRow]:
        """The rows of images by their names, in that order; those that are new are added.

        Images that are gone keep their strokes, in case they come back.

        Raises:
            StoreFullError: the disk takes no more.
        """
        with self._writing():
            known = {row[0] for row in self._base.execute("SELECT name FROM image")}
            new = [(name, sum_of(name, *NEW_IMAGE)) for name in names if name not in known]
            self._base.executemany("INSERT INTO image (name, sum) VALUES (?, ?)", new)
            rows = {row.name: row for row in self._rows()}
        return [rows[name] for name in names]

    def labelled(self) -> list[ImageRow]:
        """The rows of all images that anybody has ever touched, whether they are still there or not."""
        with self._reading():
            return [row for row in self._rows() if row.strokes]

    def row(self, image: int) -> ImageRow:
        """The row of one image."""
        with self._reading():
            return next(self._rows("WHERE id = ?", (image,)))

    def size_wh(self, image: int) -> tuple[int, int]:
        """(width, height) of an image when something was last labelled on it; 0, 0: nothing ever was."""
        with self._reading():
            width, height = self._base.execute("SELECT width, height FROM image WHERE id = ?", (image,)).fetchone()
        return width, height

    def _rows(self, where: str = "", values: Sequence[object] = ()) -> Iterator[ImageRow]:
        query = f"SELECT {self._sum}, id, {', '.join(COLUMNS)} FROM image {where}"
        for written, image, *values_of in self._base.execute(query, values):
            if self._has_sums and written != sum_of(*values_of):
                raise _damaged(self.path)
            name, heads, suggestions, blocks, done, strokes, *_ = values_of
            yield ImageRow(image, name, heads, suggestions, blocks, bool(done), strokes)

    @property
    def _sum(self) -> str:
        return "sum" if self._has_sums else "''"

    def document(self, image: int) -> Document:
        """What is labelled on an image; not to be changed by the caller, nor read while others write: see ``reading``.

        Read again from its strokes where it is not at hand.
        """
        with self._reading():
            document = self._documents.pop(image, None)
            if document is None:
                document = Document()
                strokes = self._base.execute(
                    f"SELECT {self._sum}, id, image, person, kind, changes, refused FROM stroke WHERE image = ?"
                    " ORDER BY seq",
                    (image,),
                )
                for written, *values in strokes:
                    if self._has_sums and written != sum_of(*values):
                        raise _damaged(self.path)
                    _, _, person, kind, changes, refused = values
                    if not refused:
                        document.apply(kind, person, json.loads(changes))
            self._documents[image] = document
            while len(self._documents) > _DOCUMENTS_MAX:
                self._documents.popitem(last=False)
            return document

    @contextmanager
    def reading(self, image: int) -> Iterator[Document]:
        """The document of an image, while nobody changes it."""
        with self._lock:
            yield self.document(image)

    def write(
        self,
        image: int,
        strokes: Sequence[Stroke],
        *,
        person: str,
        session: str = "",
        size_wh: tuple[int, int] = (0, 0),
        refused: str = "",
    ) -> list[Receipt]:
        """Keep strokes, all of them or none; when it returns, they are on the disk.

        A stroke whose id is known already is not taken in again. ``refused``: why they change nothing; they are kept
        all the same. ``size_wh`` is the image's, with which presets are shared.

        Raises:
            StoreFullError: the disk takes no more; nothing was changed.
        """
        with self._lock:
            try:
                with self._writing():
                    receipts = [self._write_one(image, one, person, session, refused) for one in strokes]
                    if not refused:
                        self._count(image, size_wh)
            except BaseException:
                self._documents.pop(image, None)  # it is read again, as it was before
                raise
        return receipts

    def _write_one(self, image: int, stroke: Stroke, person: str, session: str, refused: str) -> Receipt:
        known = self._base.execute("SELECT seq, refused FROM stroke WHERE id = ?", (stroke.id,)).fetchone()
        if known is not None:
            return Receipt(stroke.id, known[0], {}, known[1])
        document, changes_said = self.document(image), _text(stroke.changes)
        added = self._base.execute(
            "INSERT INTO stroke (id, image, person, session, at, kind, changes, refused, sum)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (
                stroke.id, image, person, session, self._clock(), stroke.kind, changes_said, refused,
                sum_of(stroke.id, image, person, stroke.kind, changes_said, refused),
            ),
        )  # fmt: skip
        seq = added.lastrowid or 0
        changes = {} if refused else document.apply(stroke.kind, person, stroke.changes)
        return Receipt(stroke.id, seq, changes, refused)

    def _count(self, image: int, size_wh: tuple[int, int]) -> None:
        document = self.document(image)
        numbers = document.numbers
        heads = document.of_kind("head").values() if numbers["head"] else ()
        presets = [head["box"] for head in heads if "box" in head and head.get("made") == "annotated"]
        name, strokes = self._base.execute("SELECT name, strokes FROM image WHERE id=?", (image,)).fetchone()
        now = (
            numbers["head"], numbers["suggestion"], numbers["block"], numbers["done"], strokes + 1, *size_wh,
            json.dumps(presets),
        )  # fmt: skip
        self._base.execute(
            "UPDATE image SET heads=?, suggestions=?, blocks=?, done=?, strokes=?, width=?, height=?, presets=?, sum=?"
            " WHERE id=?",
            (*now, sum_of(name, *now), image),
        )

    def presets_of_folder(self, image: int, *, but_itself: bool = False) -> list[list[float]]:
        """The boxes that were drawn on all images of an image's folder and size, itself among them or not."""
        with self._reading():
            name, *size = self._base.execute("SELECT name, width, height FROM image WHERE id=?", (image,)).fetchone()
            folder = name.rpartition("/")[0]
            rows = self._base.execute(
                "SELECT name, presets FROM image WHERE width=? AND height=? AND presets != '[]' ORDER BY id", size
            )
            others = [
                boxes for other, boxes in rows
                if other.rpartition("/")[0] == folder and not (but_itself and other == name)
            ]  # fmt: skip
            return [box for boxes in others for box in json.loads(boxes)]

    def refused(self, image: int, person: str) -> list[str]:
        """The ids of a person's strokes on an image that were refused and kept, and not taken in since.

        Those that the person took back afterwards, in strokes that were refused as well, are not among them.
        """
        with self._reading():
            rows = self._base.execute(
                "SELECT id, kind, EXISTS (SELECT 1 FROM stroke AS late WHERE late.id = 'late.' || stroke.id"
                " AND late.refused = '') FROM stroke WHERE image=? AND person=? AND refused != '' ORDER BY seq",
                (image, person),
            ).fetchall()
        taken = {stroke for stroke, _, is_taken in rows if is_taken}
        return [stroke for stroke in _left((stroke, kind) for stroke, kind, _ in rows) if stroke not in taken]

    def late_strokes(self, image: int, person: str) -> list[Stroke]:
        """Those of ``refused`` as new strokes, to be written once more."""
        with self._reading():
            return [
                Stroke(f"late.{one}", "do", json.loads(changes))
                for one in self.refused(image, person)
                for (changes,) in self._base.execute("SELECT changes FROM stroke WHERE id=?", (one,))
            ]

    def claims(self) -> dict[int, tuple[str, str, bool]]:
        """Who held which image last, as that was written: image → (session, person, whether it was not given back)."""
        with self._reading():
            rows = self._base.execute("SELECT image, session, person, is_active FROM claim")
            return {image: (session, person, bool(is_active)) for image, session, person, is_active in rows}

    def set_claim(self, image: int, session: str, person: str, *, is_active: bool) -> None:
        """Keep who holds an image, or has given it back.

        Raises:
            StoreFullError: the disk takes no more.
        """
        with self._writing():
            self._base.execute("INSERT OR REPLACE INTO claim VALUES (?,?,?,?)", (image, session, person, is_active))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """The file, while nobody else of this process uses it."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise _refused(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise _refused(self.path, error) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._base.in_transaction:
            self._base.execute("ROLLBACK")


def address_in(path: Path) -> str:
    """The address of the server that has a database open, as it wrote it there; empty where that is not known."""
    try:
        with _closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as base:
            row = base.execute("SELECT value FROM meta WHERE key = 'address'").fetchone()
    except sqlite3.Error:
        return ""
    return row[0] if row else ""


def _for_reading(path: Path) -> sqlite3.Connection:
    """A database that nothing is written to."""
    place = path.resolve().as_uri()
    try:
        return _opened(f"{place}?mode=ro")
    except sqlite3.OperationalError:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise  # the last strokes are in there, and would be left out without a word
        # Reading needs a file beside it that cannot be made; nobody writes where that is so.
        return _opened(f"{place}?immutable=1")


def _opened(address: str) -> sqlite3.Connection:
    base = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        base.close()
        raise
    return base


@contextmanager
def _closing(base: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield base
    finally:
        base.close()


def _left(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Of a person's strokes (id, kind), in order, the changes that no undo took back.

    >>> _left([("a", "do"), ("b", "do"), ("u", "undo"), ("v", "undo"), ("r", "redo")])
    ['a']
    """
    done: list[str] = []
    undone: list[str] = []  # empty where a stroke was taken back that is not among these
    for stroke, kind in rows:
        if kind == "do":
            done.append(stroke)
            undone.clear()
        elif kind == "undo":
            undone.append(done.pop() if done else "")
        elif undone and (again := undone.pop()):
            done.append(again)
    return done


def _text(changes: Changes) -> str:
    return json.dumps(changes, separators=(",", ":"))


def _damaged(path: Path) -> StoreError:
    return StoreError(f'"{path}" is damaged (what is in it is not as it was written): take a copy of it that is whole.')


def _refused(path: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _FULL:
        return StoreFullError(
            f'The disk takes no more ("{path}": {error}): make room; what was saved before is kept, and what was not '
            "is sent again."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(path)
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(f'"{path}" is no database of labels: choose another name.')
    return StoreError(f'"{path}" cannot be read or written ({error}): check the folder and its permissions.')
