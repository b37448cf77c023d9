"""Answers to requests whose body nobody wants: told at once, and heard by who is still sending it.

A server that closes a connection on which bytes wait to be read resets it, and the answer is lost with it. So the
answer is sent whole, then what still comes is read and thrown away, for a while and up to a size, and only then is it
over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

Message = MutableMapping[str, Any]

IS_READ = "headcount.is_read"
"""In an ASGI scope: whether the body was read to its end."""
_SECONDS, _BYTES = 5.0, 128 * 2**20


async def answer_unread(
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    *,
    is_read: bool = False,
) -> None:
    """Send an answer with its ``content-length`` among the headers, and read the rest of the request's body.

    Args:
        receive, send: ASGI's.
        status, headers, body: the answer.
        is_read: the body was read to its end already: there is nothing to wait for.
    """
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if not is_read:
        with suppress(Exception):  # whatever the rest of it is
            async with asyncio.timeout(_SECONDS):
                await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Callable[[], Awaitable[Message]]) -> None:
    taken, is_more = 0, True
    while is_more and taken < _BYTES:
        message = await receive()
        taken += len(message.get("body", b""))
        is_more = message["type"] == "http.request" and bool(message.get("more_body", False))
