"""The sums of what lies in the database of labels, by which damage to the file is told: SQLite itself keeps none.

A file's structure SQLite can check; a coordinate of which one bit is another it cannot.
"""

from __future__ import annotations

import json
import sqlite3
import zlib

COLUMNS = ("name", "heads", "suggestions", "blocks", "done", "strokes", "width", "height", "presets")
"""What is summed of an image's row."""
NEW_IMAGE = (0, 0, 0, 0, 0, 0, 0, "[]")
"""What stands behind the name of a new one."""


def sum_of(*values: object) -> str:
    """The CRC-32 of some values, in hexadecimal.

    >>> sum_of("a", 1) == sum_of("a", 1), sum_of("a", 1) == sum_of("a", 2)
    (True, False)
    """
    return f"{zlib.crc32(json.dumps(values, separators=(',', ':')).encode()):08x}"


def add_sums(base: sqlite3.Connection) -> None:
    """Give a database of the version before its sums: of what is in it now."""
    base.execute("BEGIN IMMEDIATE")
    try:
        for table in ("stroke", "image"):
            base.execute(f"ALTER TABLE {table} ADD COLUMN sum TEXT NOT NULL DEFAULT ''")
        for row in base.execute("SELECT seq, id, image, person, kind, changes, refused FROM stroke").fetchall():
            base.execute("UPDATE stroke SET sum = ? WHERE seq = ?", (sum_of(*row[1:]), row[0]))
        for row in base.execute(f"SELECT id, {', '.join(COLUMNS)} FROM image").fetchall():
            base.execute("UPDATE image SET sum = ? WHERE id = ?", (sum_of(*row[1:]), row[0]))
        base.execute("PRAGMA user_version = 2")
        base.execute("COMMIT")
    except BaseException:
        base.execute("ROLLBACK")
        raise


def is_sound(base: sqlite3.Connection) -> bool:
    """Whether the file's structure is whole: its pages, and that its indexes fit its tables."""
    return bool(base.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
