"""Real receivers on this machine's own address: a PostgreSQL cluster and a mosquitto broker, each a test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_VERSIONS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
NO_POSTGRESQL = "PostgreSQL is not installed here: make services installs it"
NO_MOSQUITTO = "mosquitto is not installed here: make services installs it"


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _as_other_user(user: str) -> list[str]:
    """PostgreSQL and mosquitto do not run as root, or not as what they are."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


def has_postgres() -> bool:
    """Whether a cluster can be made here."""
    return bool(_VERSIONS)


class Postgres:
    """A cluster of its own, at a free port; ``stop`` and ``start`` again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._bin = _VERSIONS[-1].parent
        self._as = _as_other_user("postgres")
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [*self._as, self._bin / "initdb", "--pgdata", folder / "data", "--username=tester", "--auth=trust",
             "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Of its database; the password is never asked for, and must never be shown."""
        return f"postgresql://tester:hidden-word@127.0.0.1:{self.port}/postgres"

    def start(self, *, fsync: str = "off") -> None:
        """Start it, and wait until it answers."""
        options = {"fsync": fsync, "full_page_writes": fsync, "listen_addresses": "127.0.0.1", "port": self.port}
        options |= {"unix_socket_directories": str(self.folder), "max_connections": 20, "shared_buffers": "16MB"}
        given = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, self._bin / "postgres", "-D", self.folder / "data", *given],
                stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        end = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a failure would: SIGQUIT lets nobody finish."""
        if self._process is not None:
            self._process.send_signal(3)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        asked = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(asked, check=False, cwd="/").returncode == 0


@contextmanager
def postgres_cluster() -> Iterator[Postgres]:
    """A running cluster, ended afterwards; the test is skipped where there is none to be had."""
    if not has_postgres():
        pytest.skip(NO_POSTGRESQL)
    folder = Path(tempfile.mkdtemp(prefix="headcount-pg-", dir="/tmp"))  # a socket's path must be short
    cluster: Postgres | None = None
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        cluster = Postgres(folder)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Mosquitto:
    """A broker of its own, at a free port; ``stop`` and ``start`` again."""

    def __init__(self, folder: Path, more: str = "", listener: str = "") -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        user = "" if os.getuid() else "user root\n"
        text = f"{user}persistence false\nlistener {self.port} 127.0.0.1\n{listener}"
        (folder / "mosquitto.conf").write_text(
            f"{more}{text}{'' if 'password_file' in more else 'allow_anonymous true'}\n"
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(MOSQUITTO), "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "mosquitto.log").read_text())

    def stop(self) -> None:
        """Kill it: nobody is told goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None
