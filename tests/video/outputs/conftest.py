"""What tests of outputs share: one PostgreSQL for all of them, an empty database in it for each, and brokers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .receivers import MOSQUITTO, NO_MOSQUITTO, Mosquitto, Postgres, postgres_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    with postgres_cluster() as running:
        yield running


@pytest.fixture
def postgres(cluster: Postgres) -> Postgres:
    """A running PostgreSQL whose database is empty."""
    import sqlalchemy as sa

    engine = sa.create_engine(cluster.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept.sqlite"
    found: str = request.getfixturevalue("postgres").url
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running mosquitto."""
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    running = Mosquitto(tmp_path)
    running.start()
    try:
        yield running
    finally:
        running.stop()
