"""Start the labelling server: one for a database, at an address that stays the same from one day to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headcount.core.errors import HeadcountError, InputError
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.locks import held
from headcount.infer.models import find_model
from headcount.label.page.session import Labelling
from headcount.label.page.store import address_in
from headcount.web.listen import address_of, bound_socket, check_token, port_of, run

DATABASE = "headcount-labels.sqlite"
"""The name of a folder's database, where no other is given."""


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
    check_token(token, host)
    database = folder / DATABASE if database is None else database
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}": name the one that the images are in.')
    if model is not None:
        find_model(model)  # said now, rather than when suggestions are first asked for
    from headcount.label.page.app import create_app

    with held_database(database):
        labelling = Labelling(folder, database, recursive=recursive, model=model, max_pixels=max_pixels)
        try:
            last = labelling.store.meta("last_address")
            with bound_socket(host, port, last=last) as listening:
                address = address_of(host, listening.getsockname()[1])
                if last and address != last:
                    note(_moved(last, listening.getsockname()[1], port))
                labelling.store.set_meta(address=address, last_address=address)
                link = f"{address}enter/{token}" if token else address
                try:
                    app = create_app(labelling, host=host, token=token)
                    run(app, listening, lambda: ready(link))
                finally:
                    with suppress(HeadcountError):
                        labelling.store.set_meta(address="")
        finally:
            labelling.close()


def _moved(last: str, port: int, asked: int | None) -> str:
    """Why the address is another than last time, and what that means."""
    if port_of(last) == [port]:
        why = "another host was asked for"
    else:
        why = "its port is taken" if asked is None else "another port was asked for"
    return f"Last time the address was {last}, but {why}: strokes that wait in browsers are sent only from there."
