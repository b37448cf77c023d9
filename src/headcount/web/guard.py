"""Who may speak to the server, and how much at once: asked before anything else of every request.

A page of another site that is open in the same browser can send requests to this machine: they are told by their
``Origin`` and by ``Sec-Fetch-Site``; and by ``Host``, where a name of that site was made to lead here.
"""

from __future__ import annotations

import hmac
import html
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any

from headcount.web.drain import IS_READ, answer_unread

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""Of a request's body, where nothing else is said."""
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def cookie_name(host: str) -> str:
    """The cookie that keeps the token, by the Host header: browsers give cookies of one port to all others of a name.

    >>> cookie_name("10.0.0.7:8321"), cookie_name("[::1]")
    ('headcount_8321', 'headcount_80')
    """
    port = host.rpartition(":")[2]
    return f"headcount_{port if port.isdigit() else 80}"


class TooLargeError(Exception):
    """A body of more bytes than are taken."""


class Guard:
    """ASGI middleware around the application.

    Args:
        app: the application.
        host: the address that the server is bound to.
        token: what must be known to be let in; empty: nothing, as on an address that is this machine's alone.
        most_bytes: of a request's body.
        open_paths: what is answered without the token, as whoever starts servers asks whether they are alive.
        names: other names that it is reached by: those of a proxy before it, which may encrypt, or of a container.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        token: str = "",
        most_bytes: int = MOST_BYTES,
        open_paths: Collection[str] = (),
        names: Collection[str] = (),
    ) -> None:
        self._app, self._host, self._token, self._most_bytes = app, host, token, most_bytes
        self._open_paths = frozenset(open_paths)
        self._given = frozenset(name.lower() for name in names)
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._is_local = is_local(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(receive, send, *refusal, is_page=headers.get("sec-fetch-mode") == "navigate")
            return
        taken, has_begun = 0, False

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            scope[IS_READ] = not message.get("more_body", False)
            if taken > self._most_bytes:
                raise TooLargeError
            return message

        async def dressed(message: Message) -> None:
            nonlocal has_begun
            # What the application makes of the error is not what is to be said.
            if taken > self._most_bytes and not has_begun:
                return
            if message["type"] == "http.response.start":
                has_begun = True
                named = {key.lower() for key, _ in message["headers"]}
                more = {"cache-control": "no-store", **_HEADERS}
                message["headers"] = [
                    *message["headers"],
                    *((key.encode(), value.encode()) for key, value in more.items() if key.encode() not in named),
                ]
            await send(message)

        with suppress(TooLargeError):
            await self._app(scope, bounded, dressed)
        if taken > self._most_bytes and not has_begun:
            text = f"A request may hold {self._most_bytes:,} bytes, but this one has more: send less."
            await _answer(receive, send, 413, text, is_read=bool(scope.get(IS_READ, False)))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """A status and why, where a request is not let in."""
        host = headers.get("host", "")
        if not self._is_known(host):
            return 403, f'This server is not called "{host[:80]}": open the address that it printed when it started.'
        origin = headers.get("origin")
        own = {f"{scope.get('scheme', 'http')}://{host}"}
        if _name_of(host) in self._given:
            own |= {f"http://{host}", f"https://{host}"}
        is_foreign = origin is not None and origin not in own
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin"):
            is_foreign |= not (scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate")
        if is_foreign:
            return 403, "A page of another site sent this request: it is refused."
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            return 400, "The length of a request must be a number."
        if length > self._most_bytes:
            return 413, f"A request may hold {self._most_bytes:,} bytes, but this one has {length:,}: send less."
        if self._token and scope["path"].startswith("/enter/"):
            if not is_same(self._token, scope["path"].removeprefix("/enter/")):
                return 401, "This is not the token: open the link that was printed when the server started."
        elif self._token and scope["path"] not in self._open_paths and not self._is_known_token(headers):
            return 401, "Open the link with its token that was printed when the server started."
        return None

    def _is_known(self, host: str) -> bool:
        """Whether a Host header is this server's: a name that anybody could have made to lead here is not."""
        name = _name_of(host)
        if name in self._given:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in ({"localhost"} if self._is_local else self._names)
        return address.is_loopback if self._is_local else True

    def _is_known_token(self, headers: dict[str, str]) -> bool:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_name(headers.get("host", "")))
        except Exception:  # what another program left there
            cookie = None
        return any(is_same(self._token, one) for one in (given, cookie.value if cookie else "") if one)


def _name_of(host: str) -> str:
    """The name or address in a Host header, without the port."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.strip("[]").lower()


def is_same(token: str, given: str) -> bool:
    """Whether a token is the one, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(token.encode(), given.encode("utf-8", "replace"))


def is_local(host: str) -> bool:
    """Whether an address to bind to is this machine's alone.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _answer(
    receive: Receive, send: Send, status: int, text: str, *, is_page: bool = False, is_read: bool = False
) -> None:
    """Say a sentence to the page's scripts or, as a page, to somebody who opened the address."""
    body, kind = json.dumps({"detail": text}).encode(), "application/json"
    if is_page:
        page = f'<!doctype html><html lang="en"><title>headcount</title><p>{html.escape(text)}</p></html>'
        body, kind = page.encode(), "text/html; charset=utf-8"
    headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
    headers |= _HEADERS
    plain = [(key.encode(), value.encode()) for key, value in headers.items()]
    await answer_unread(receive, send, status, plain, body, is_read=is_read)
