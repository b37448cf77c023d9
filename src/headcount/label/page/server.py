"""Start the labelling server: one for a database, at an address that stays the same from one day to the next."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headcount.core.errors import HeadcountError, InputError
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.locks import held
from headcount.infer.models import find_model
from headcount.label.page.guard import is_local
from headcount.label.page.session import Labelling
from headcount.label.page.store import address_in

DATABASE = "headcount-labels.sqlite"
"""The name of a folder's database, where no other is given."""
FIRST_PORT = 8321
_PORTS = 50


@contextmanager
def held_database(path: Path) -> Iterator[None]:
    """Hold a database against every other server and import.

    Raises:
        InputError: a server has it open, whose address is given, or another run holds it; or its folder cannot be
            written to.
    """
    if path.is_dir():
        raise InputError(f'"{path}" is a folder: name a file for the labels.')
    with _held_or_where(path):
        yield


@contextmanager
def _held_or_where(path: Path) -> Iterator[None]:
    lock = held(path)
    try:
        lock.__enter__()
    except InputError as error:
        address = address_in(path) if path.exists() else ""
        if not address:
            raise
        raise InputError(
            f'"{path}" is open in another server already: use that one, at {address}, or stop it first.'
        ) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def bound_socket(host: str, port: int | None, *, last: str = "") -> socket.socket:
    """A socket that listens at ``host``; without a ``port``, at that of the ``last`` address if it is free, since
    strokes that wait in a browser are found again at the same address only; else at the first free one from 8321 on.

    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    wanted = [port] if port is not None else [*_port_of(last), *range(FIRST_PORT, FIRST_PORT + _PORTS)]
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f'"{host}" is no address of this machine ({error.strerror or error}).') from error
    reason: OSError | None = None
    for each in wanted:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place[0], each))
            listening.listen(128)
            return listening
        except (OSError, OverflowError) as error:
            listening.close()
            if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
                raise InputError(
                    f'"{host}" is no address of this machine: give one of its own, or 0.0.0.0 for all of them.'
                ) from error
            reason = error if isinstance(error, OSError) else OSError(str(error))
    told = f"port {port}" if port is not None else f"none of the ports {FIRST_PORT} to {FIRST_PORT + _PORTS - 1}"
    raise InputError(f"At {host} {told} is free ({(reason and reason.strerror) or reason}): choose another.")


def _port_of(address: str) -> list[int]:
    digits = address.rpartition(":")[2].rstrip("/")
    return [int(digits)] if digits.isdigit() and 0 < int(digits) < 2**16 else []


def serve_folder(
    folder: Path,
    *,
    database: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    recursive: bool = False,
    model: str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    ready: Callable[[str], None] = lambda address: None,
    note: Callable[[str], None] = lambda text: None,
) -> None:
    """Serve a folder's labelling page until the process is asked to stop.

    ``ready`` is told the address to open as soon as the server listens there; a token is part of it.
    ``note`` is told what should be known of it: that the address is not that of last time.

    Raises:
        InputError: the folder holds no image, its database is open in another server, whose address is given, or the
            address cannot be used: it is not this machine's alone and no token is given, or the port is taken.
        ModelError: there is no such model.
        MissingExtraError: uvicorn is not installed.
    """
    if not token and not is_local(host):
        raise InputError(f"{host} can be reached from other machines: give a token that browsers must know.")
    if token and not (token.isascii() and token.isalnum() and 8 <= len(token) <= 128):
        raise InputError("A token has 8 to 128 letters and digits.")
    database = folder / DATABASE if database is None else database
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}": name the one that the images are in.')
    if model is not None:
        find_model(model)  # said now, rather than when suggestions are first asked for
    with held_database(database):
        labelling = Labelling(folder, database, recursive=recursive, model=model, max_pixels=max_pixels)
        try:
            last = labelling.store.meta("last_address")
            with bound_socket(host, port, last=last) as listening:
                address = _address(host, listening.getsockname()[1])
                if last and address != last:
                    note(_moved(last, listening.getsockname()[1], port))
                labelling.store.set_meta(address=address, last_address=address)
                link = f"{address}enter/{token}" if token else address
                try:
                    _run(labelling, listening, host, token, lambda: ready(link))
                finally:
                    with suppress(HeadcountError):
                        labelling.store.set_meta(address="")
        finally:
            labelling.close()


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def _moved(last: str, port: int, asked: int | None) -> str:
    """Why the address is another than last time, and what that means."""
    if _port_of(last) == [port]:
        why = "another host was asked for"
    else:
        why = "its port is taken" if asked is None else "another port was asked for"
    return f"Last time the address was {last}, but {why}: strokes that wait in browsers are sent only from there."


def _run(labelling: Labelling, listening: socket.socket, host: str, token: str, ready: Callable[[], None]) -> None:
    import uvicorn

    from headcount.label.page.app import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

    config = uvicorn.Config(
        create_app(labelling, host=host, token=token), log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    Server(config).run(sockets=[listening])
