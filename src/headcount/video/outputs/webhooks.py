"""Records posted to an address, signed as Standard Webhooks (standardwebhooks.com) describes, and tried until taken.

Each message has an id that stays the same however often it is tried, so that a receiver can drop what it has. 2xx is
taken; 410 (Gone) ends the output; 3xx is not followed. What cannot be reached, answers 5xx or is too busy (408, 425,
429) is tried again for as long as records have room on the disk, after 1 s at first and 60 s at most, or after what
``Retry-After`` says, an hour at most. Another 4xx is no fault of the network, and may be mended by people: it is tried
for three days, every 15 minutes in the end; but a message that is itself refused (400, 413, 415, 422) for an hour,
since all others wait behind it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import headcount
from headcount.core.errors import HeadcountError, InputError
from headcount.video.measurement import CameraStatus, Measurement, OutputStatus, Record
from headcount.video.outputs.columns import iso
from headcount.video.outputs.environment import filled
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError, OutputGoneError, RefusedRecordError
from headcount.video.site import Site, WebhookSettings

_CONNECT_S, _ANSWER_S = 5.0, 15.0
_BUSY = {408, 425, 429}
_OF_THIS_MESSAGE = {400, 413, 415, 422}
_GIVE_UP_S, _GIVE_UP_MESSAGE_S = 3 * 86400.0, 3600.0
_MOST_WAIT_S, _MOST_REFUSED_WAIT_S, _MOST_ASKED_WAIT_S = 60.0, 900.0, 3600.0
_PREFIX = "whsec_"


class Webhook:
    """Posts records to one address, in order.

    Raises:
        InputError: the address is no http or https address, or the secret cannot be used.
    """

    name = "webhook"
    batch = 1

    def __init__(self, settings: WebhookSettings, site: Site, folder: Path) -> None:
        self._address = address_of(filled(settings.url, "url"))
        self._key = key_of(filled(settings.secret, "secret")) if settings.secret else b""
        self._events, self._site = set(settings.events), site.name
        self._shown = f"{self._address.scheme}://{self._address.hostname}"
        self._connection: http.client.HTTPConnection | None = None
        self._trying, self._refused_at = "", -1.0  # of the monotonic clock; below 0: not refused yet
        self._tls = ssl.create_default_context()

    def wants(self, record: Record) -> bool:
        """Whether it is one of the events that were asked for."""
        return record.kind in self._events

    def deliver(self, waiting: Sequence[Waiting]) -> int:
        """Post the first record."""
        first = waiting[0]
        if self._trying != first.id:
            self._trying, self._refused_at = first.id, -1.0
        body = json.dumps(payload(first.record, self._site), ensure_ascii=False).encode()
        try:
            status, retry_after = self._post(f"msg_{first.id}", body)
        except (OSError, http.client.HTTPException) as error:
            self._forget_connection()
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise self._later(f"cannot be reached ({said})") from error
        if 200 <= status < 300:
            return 1
        raise self._refusal(status, retry_after)

    def close(self) -> None:
        """End its connection."""
        self._forget_connection()

    def _refusal(self, status: int, retry_after: str) -> HeadcountError:
        if status == 410:
            return OutputGoneError(
                f'The webhook at "{self._shown}" answered 410 (Gone), and is not told any more: take it out, or mend '
                "it and start again."
            )
        if status >= 500 or status in _BUSY:
            return self._later(f"answered {status}", asked_s=_seconds(retry_after))
        limit_s = _GIVE_UP_MESSAGE_S if status in _OF_THIS_MESSAGE else _GIVE_UP_S
        if self._refused_at < 0:  # from the first refusal on: a receiver that was down for long is not given up by that
            self._refused_at = time.monotonic()
        if time.monotonic() - self._refused_at >= limit_s:
            return RefusedRecordError(f'The webhook at "{self._shown}" refused a record ({status}) to the end.')
        return self._later(f"refused a record ({status})", most_s=_MOST_REFUSED_WAIT_S)

    def _later(self, what: str, *, asked_s: float = 0.0, most_s: float = _MOST_WAIT_S) -> OutputDownError:
        wait_s = min(asked_s, _MOST_ASKED_WAIT_S)
        return OutputDownError(f'The webhook at "{self._shown}" {what}: records wait.', wait_s=wait_s, most_s=most_s)

    def _post(self, message: str, body: bytes) -> tuple[int, str]:
        """The answer's status and its Retry-After. A kept connection that the receiver has ended is made anew."""
        headers = self._headers(message, body)
        is_kept = self._connection is not None
        try:
            return self._ask(headers, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._forget_connection()
            if not is_kept:
                raise
            return self._ask(headers, body)

    def _ask(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        connection = self._connection = self._connection or self._connect()
        # A time-out of a socket is that of one byte: a receiver that dribbles is cut off by a watch.
        is_over = threading.Event()
        watch = threading.Timer(_ANSWER_S, _cut, [connection, is_over])
        watch.daemon = True
        watch.start()
        try:
            path = self._address.path or "/"
            query = f"?{self._address.query}" if self._address.query else ""
            connection.request("POST", path + query, body, headers)
            answer = connection.getresponse()
            answer.read(2**16)
            if is_over.is_set():
                raise TimeoutError(f"it did not answer in {_ANSWER_S:g} s")
            if answer.will_close or not answer.isclosed():
                self._forget_connection()
            return answer.status, answer.headers.get("Retry-After", "")
        finally:
            watch.cancel()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_S, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=_CONNECT_S)
        made.connect()
        if made.sock is not None:
            made.sock.settimeout(_ANSWER_S)
        return made

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _headers(self, message: str, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "user-agent": f"headcount/{headcount.__version__}",
            "webhook-id": message,
            "webhook-timestamp": str(int(time.time())),
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, message, headers["webhook-timestamp"], body)
        if self._address.username is not None:
            who = f"{unquote(self._address.username)}:{unquote(self._address.password or '')}"
            headers["authorization"] = f"Basic {base64.b64encode(who.encode()).decode()}"
        return headers


def key_of(secret: str) -> bytes:
    """The key of a secret: the bytes that stand behind ``whsec_`` in Base64, or else the text itself.

    Raises:
        InputError: what stands behind ``whsec_`` is no Base64, or the key has fewer than 16 bytes.

    >>> key_of("whsec_MDEyMzQ1Njc4OWFiY2RlZg==")
    b'0123456789abcdef'
    """
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError('The "secret" of a webhook must be Base64 behind "whsec_", but is not.') from error
    if len(key) < 16:
        raise InputError(
            f'The "secret" of a webhook has {len(key)} bytes, but 16 or more were expected: make one of 32 random '
            'bytes, as "whsec_" and their Base64.'
        )
    return key


def signature(key: bytes, message: str, timestamp: str, body: bytes) -> str:
    """The header ``webhook-signature``: ``v1,`` and the Base64 of the HMAC-SHA256 of ``id.timestamp.body``."""
    digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def payload(record: Record, site: str) -> dict[str, Any]:
    """What is posted: its type (``alert.raised``, ``camera.offline``, ``measurement``), its time, and the record."""
    state = "" if isinstance(record, Measurement) else f".{record.state}"
    at = record.since if isinstance(record, CameraStatus | OutputStatus) else record.at
    return {
        "type": f"{record.kind}{state}",
        "timestamp": iso(at),
        "data": {"site": site, **record.model_dump(mode="json")},
    }


def address_of(url: str) -> SplitResult:
    """The parts of an address that can be posted to.

    Raises:
        InputError: it is none, or has spaces or line ends.
    """
    try:
        address = urlsplit(url)
        is_known = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        is_known = False
    if not is_known or any(sign <= " " for sign in url) or not url.isascii():
        raise InputError('The "url" of a webhook must be an address, http://… or https://…, without spaces.')
    return address


def _seconds(retry_after: str) -> float:
    """What Retry-After says, in seconds or as a date; 0 where it says nothing."""
    if retry_after.isdigit():
        return float(retry_after[:6])
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return 0.0


def _cut(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
