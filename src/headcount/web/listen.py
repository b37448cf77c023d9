"""Where a server listens: its socket and address, its token, and how it runs until it is stopped."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from headcount.core.errors import InputError
from headcount.web.guard import is_local

FIRST_PORT = 8321
_PORTS = 50


def check_token(token: str, host: str) -> None:
    """Refuse a server that strangers could use.

    Raises:
        InputError: ``host`` can be reached from other machines and there is no token, or the token is none.
    """
    if not token and not is_local(host):
        raise InputError(f"{host} can be reached from other machines: give a token that browsers must know.")
    if token and not (token.isascii() and token.isalnum() and 8 <= len(token) <= 128):
        raise InputError("A token has 8 to 128 letters and digits.")


def bound_socket(host: str, port: int | None, *, last: str = "") -> socket.socket:
    """A socket that listens at ``host``; without a ``port``, at that of the ``last`` address if it is free, since what
    waits in a browser is found again at the same address only; else at the first free one from 8321 on.

    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    wanted = [port] if port is not None else [*port_of(last), *range(FIRST_PORT, FIRST_PORT + _PORTS)]
    try:
        family, *_, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f'"{host}" is no address of this machine ({error.strerror or error}).') from error
    reason: OSError | None = None
    for each in wanted:
        # Said to be TCP, else asyncio lets answers wait (Nagle) until what came before was acknowledged: 40 ms each.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def port_of(address: str) -> list[int]:
    """The port in an address as a list of one, or of none where there is none."""
    digits = address.rpartition(":")[2].rstrip("/")
    return [int(digits)] if digits.isdigit() and 0 < int(digits) < 2**16 else []


def address_of(host: str, port: int) -> str:
    """What is opened in a browser."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def run(
    app: Any,
    listening: socket.socket,
    ready: Callable[[], None],
    *,
    graceful_s: int = 3,
    stopping: Callable[[], None] = lambda: None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Serve an ASGI application at a socket until the process is asked to stop; ``ready`` is called as soon as it
    answers.

    Args:
        graceful_s: how long requests that were begun may take to be answered then.
        stopping: is called first then, and ends what would never end.
        settings: more of uvicorn's.

    Raises:
        ImportError: uvicorn is not installed.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            stopping()
            await super().shutdown(sockets=sockets)

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=graceful_s,
        **settings,
    )  # fmt: skip
    Server(config).run(sockets=[listening])
