"""Whether the receivers of a site can be reached: nothing is sent to them and nothing is written."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from headcount.core.addresses import without_secrets
from headcount.core.errors import HeadcountError, InputError
from headcount.video.outputs.environment import filled
from headcount.video.outputs.hub import wanted
from headcount.video.outputs.table import OutputRow
from headcount.video.outputs.webhooks import address_of
from headcount.video.site import Site

_WAIT_S = 3.0
_PORTS = {"postgresql": 5432, "mqtt": 1883, "mqtts": 8883, "http": 80, "https": 443}
_Told = tuple[str, Literal["right", "note", "wrong"], str]


def check_outputs(site: Site, folder: Path) -> Iterator[_Told]:
    """Each output of a site: its name, whether it is right, and what was found.

    Addresses are connected to, files looked for a place to be written; a receiver that does not answer is wrong now,
    though records would wait for it.
    """
    try:
        rows = list(wanted(site.outputs))
    except HeadcountError as error:
        yield "outputs", "wrong", error.message
        return
    for name, row, settings in rows:
        if settings is None:
            continue  # metrics that are kept, and served nowhere
        try:
            row.require()
            if row.pictures and not site.privacy.keep_pictures:
                yield (
                    name,
                    "wrong",
                    'it keeps pictures, which "privacy" forbids: set "keep_pictures" there, or leave it out',
                )
                continue
            yield name, "right", _reached(row, settings, folder)
        except HeadcountError as error:
            yield name, "wrong", error.message
        except OSError as error:
            yield name, "wrong", f"{_place(row, settings)} does not answer ({_reason(error)})."


def _reached(row: OutputRow, settings: Any, folder: Path) -> str:
    if row.name == "metrics":
        place = str(settings).rpartition(":")
        return _free(place[0], int(place[2]))
    if isinstance(settings, Path):
        return _writable(folder / settings, is_folder=row.name == "video")
    url = str(getattr(settings, "url", ""))
    if not url:
        return "set up by another package"
    url = filled(url, "url")
    parts = address_of(url) if row.name == "webhooks" else urlsplit(url)
    scheme = parts.scheme.partition("+")[0].lower()
    if scheme == "sqlite":
        return _writable(folder / url.partition(":///")[2], is_folder=False)
    host, port = parts.hostname or "localhost", parts.port or _PORTS.get(scheme, 0)
    if not port:
        return without_secrets(url)
    with socket.create_connection((host, port), timeout=_WAIT_S):
        return f"{host}:{port} answers"


def _free(host: str, port: int) -> str:
    if not 0 <= port < 2**16:
        raise InputError(f'"{host}:{port}" has no port of 1 to 65535: give HOST:PORT.')
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
    return f"to be read at http://{host}:{port}/metrics"


def _writable(path: Path, *, is_folder: bool) -> str:
    """Where a file or folder will be written.

    Raises:
        OSError: it cannot.
    """
    here = path if is_folder or path.exists() else path.parent
    while is_folder and not here.exists() and here != here.parent:
        here = here.parent
    if not here.exists():
        raise FileNotFoundError(f'there is no folder "{here}"')
    if not os.access(here, os.W_OK):
        raise PermissionError(f'"{here}" is closed to writing')
    return f'"{path.name}", {"which grows at its end" if path.is_file() else "to be made"}'


def _place(row: OutputRow, settings: Any) -> str:
    if isinstance(settings, Path | str):
        return f'"{settings}"'
    return f'"{without_secrets(str(getattr(settings, "url", row.name)))}"'


def _reason(error: OSError) -> str:
    return str(error.strerror or error or type(error).__name__).lower()
