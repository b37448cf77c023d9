"""The tables of a database of measures, and opening one: SQLite or PostgreSQL, the same tables in both."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.types import TypeDecorator

from headcount.core.addresses import without_secrets
from headcount.core.errors import InputError
from headcount.core.table import is_installed
from headcount.video.outputs.environment import filled
from headcount.video.outputs.table import OutputDownError

# What they say of a lost connection is said in our own words; whoever sets up logging still hears them.
for _name in ("psycopg", "sqlalchemy"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

VERSION = 1
"""Of the tables; a database of a newer one is refused."""
_LOCK = 0x68656164  # "head": whoever makes the tables holds it, in PostgreSQL
_CONNECT_S = 5
_STATEMENT_S = 30


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone, in UTC; SQLite, which has no zones, keeps it without."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As it is kept."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As it is read."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")


def _amount(name: str) -> list[Column[Any]]:
    return [Column(name, Double), Column(f"{name}_low", Double), Column(f"{name}_high", Double)]


schema_version = Table("headcount_schema", METADATA, Column("version", Integer, nullable=False))

measurements = Table(
    "measurements",
    METADATA,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("record_id", Text, nullable=False, unique=True),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("frame", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    *_amount("people"),
    Column("level", Double),
    *_amount("trend_per_min"),
    Column("skipped", BigInteger, nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("model", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Index("measurements_camera_at", "camera", "at", "site"),
    Index("measurements_at", "at"),
)
"""A row a frame and camera. ``warnings`` is a JSON list."""

zones = Table(
    "zones",
    METADATA,
    Column("measurement_id", _Id, ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    *_amount("people"),
    Column("area_m2", Double),
    *_amount("density"),
    *_amount("voronoi"),
    *_amount("fullest"),
    Column("fullest_x_m", Double),
    Column("fullest_y_m", Double),
    *_amount("trend_per_min"),
    Column("refused", Text, nullable=False),
    sqlite_with_rowid=False,  # a frame's rows lie together, and take less room
)
"""A row a zone of each frame. ``refused`` is a JSON table of what is missing and why."""

lines = Table(
    "lines",
    METADATA,
    Column("measurement_id", _Id, ForeignKey("measurements.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("forward", BigInteger, nullable=False),
    Column("backward", BigInteger, nullable=False),
    *_amount("forward_per_min"),
    *_amount("backward_per_min"),
    *_amount("flow_per_m_min"),
    Column("level", Double),
    Column("refused", Text, nullable=False),
    sqlite_with_rowid=False,  # a frame's rows lie together, and take less room
)
"""A row a line of each frame."""

alerts = Table(
    "alerts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("run", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("raised_at", UtcTime),
    Column("value", Double, nullable=False),
    Column("peak", Double, nullable=False),
    Column("cleared_at", UtcTime),
    Column("reason", Text, nullable=False),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", Text),
    Index("alerts_raised_at", "raised_at"),
    Index("alerts_open", "cleared_at"),
)
"""A row an alert. ``run`` is the time of running in which it was raised; ``reason`` why it was cleared."""

states = Table(
    "states",
    METADATA,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("record_id", Text, nullable=False, unique=True),
    Column("site", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("frames", BigInteger),
    Column("skipped", BigInteger),
    Column("damaged", BigInteger),
    Column("reconnects", BigInteger),
    Column("last_frame_at", UtcTime),
    Column("waiting", BigInteger),
    Column("lost", BigInteger),
    Index("states_name_since", "kind", "name", "since"),
    Index("states_since", "since"),
)
"""A row each time a camera (``kind`` is ``camera``) or an output (``output``) changed its state."""


def open_engine(url: str, folder: Path) -> Engine:
    """A way to a database; nothing is connected yet.

    Args:
        url: as in ``DatabaseSettings``.
        folder: relative paths of files are below it.

    Raises:
        InputError: the address is none of a database that can be used, or its folder is not there.
        MissingExtraError: the driver is not installed.
    """
    try:
        address = make_url(filled(url, "url"))
    except sa.exc.ArgumentError as error:
        raise InputError(f'"{without_secrets(url)}" is no address of a database: {_EXPECTED}.') from error
    kind = address.get_backend_name()
    if kind == "sqlite":
        return _sqlite(address, folder)
    if kind in ("postgresql", "postgres"):
        if not is_installed("psycopg"):
            raise InputError('PostgreSQL needs the package "psycopg", which is not installed: install it.')
        return _postgresql(address)
    raise InputError(f'A database "{kind}" cannot be used: {_EXPECTED}.')


_EXPECTED = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME was expected"


def shown(engine: Engine) -> str:
    """A database's address as people see it, without name and password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _sqlite(address: URL, folder: Path) -> Engine:
    if not address.database or address.database == ":memory:" or address.database.startswith("file:"):
        raise InputError("A database in memory keeps nothing: name a file, as in sqlite:///FILE.")
    path = folder / address.database
    if path.is_dir():
        raise InputError(f'"{path}" is a folder: name a file in it.')
    if not path.parent.is_dir():
        raise InputError(f'There is no folder "{path.parent}" to write to: make it first.')
    engine = sa.create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": _CONNECT_S})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        # WAL: who reads waits for nobody. FULL: what was committed lasts over a power failure.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(address: URL) -> Engine:
    options = f"-c statement_timeout={1000 * _STATEMENT_S} -c idle_in_transaction_session_timeout={1000 * _STATEMENT_S}"
    given = {
        "connect_timeout": _CONNECT_S,
        "application_name": "headcount",
        "options": options,
        # A server whose machine is gone is told within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * _STATEMENT_S,
    }
    ours = {key: value for key, value in given.items() if key not in address.query}
    return sa.create_engine(address.set(drivername="postgresql+psycopg"), connect_args=ours, pool_size=4)


def prepare(engine: Engine) -> None:
    """Make the tables where they are missing.

    Raises:
        InputError: the database is of a newer version of headcount.
        OutputDownError: it cannot be reached or used now.
    """
    try:
        try:
            _make_tables(engine)
        except sa.exc.DBAPIError as error:
            if "already exists" not in str(error):
                raise
            _make_tables(engine)  # another process made them at the same time
    except sa.exc.SQLAlchemyError as error:
        raise down(engine, error) from error


def _make_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        found = _version(connection)
        if found is not None and found > VERSION:
            raise InputError(
                f'The database "{shown(engine)}" has tables of version {found}, but this headcount knows {VERSION}: '
                "use a newer headcount, or another database."
            )
        METADATA.create_all(connection)
        if found is None:
            connection.execute(schema_version.insert().values(version=VERSION))


def _version(connection: Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    found: int | None = connection.execute(sa.select(sa.func.max(schema_version.c.version))).scalar()
    return found


def down(engine: Engine, error: Exception) -> OutputDownError:
    """What people are told of a database that takes nothing now."""
    said = " ".join(str(getattr(error, "orig", None) or error).split("\n")[0].split())
    return OutputDownError(f'The database "{shown(engine)}" cannot be used now ({said[:300].rstrip(".")}).')
