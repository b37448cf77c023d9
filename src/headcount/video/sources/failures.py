"""Why a camera gives no frames, in one plain sentence: it never holds a name, a password or a path of its address."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from headcount.core.addresses import without_secrets
from headcount.core.errors import HeadcountError, InputError

if TYPE_CHECKING:
    from headcount.video.sources.source import Source

_ON = "check the address, and whether the camera is on"
_BY_NUMBER: dict[int, str] = {
    errno.ECONNREFUSED: f"Nothing listens at {{0}} (connection refused): {_ON}.",
    errno.EHOSTUNREACH: f"There is no way to {{0}} (no route to the host): {_ON}.",
    errno.ENETUNREACH: "There is no way to {0} (network unreachable): check this machine's network.",
    errno.ECONNRESET: "The camera at {0} broke the connection off.",
    errno.EPIPE: "The camera at {0} broke the connection off.",
    errno.ECONNABORTED: "The camera at {0} broke the connection off.",
}
_BY_STATUS: dict[str, str] = {
    "HTTPUnauthorizedError": "The camera at {0} wants another name or password (401): correct them in its address.",
    "HTTPForbiddenError": "The camera at {0} does not let this user watch (403): change what the user may do there.",
    "HTTPNotFoundError": "The camera at {0} has nothing at this path (404): check the address behind the host.",
    "HTTPBadRequestError": "The camera at {0} does not understand the request (400): check the address.",
    "HTTPTooManyRequestsError": "The camera at {0} is asked too often (429): let fewer programs watch it.",
    "HTTPOtherClientError": "The camera at {0} refuses the request (4xx): check the address.",
    "HTTPServerError": "The camera at {0} has a fault of its own (5xx): start it anew.",
    "InvalidDataError": "What {0} sends is no video that can be read: check the address behind the host.",
    "DecoderNotFoundError": "The video of {0} is of a kind that is not decoded here: set the camera to H.264.",
    "EOFError": "The camera at {0} ended the connection.",
}
_OF_WEBCAM: dict[int, str] = {
    errno.ENOENT: "There is no {0}: check its number, and its cable.",
    errno.ENODEV: "There is no {0}: check its number, and its cable.",
    errno.ENXIO: "There is no {0}: check its number, and its cable.",
    errno.EBUSY: "The {0} is used by another program: end that.",
    errno.EACCES: "The {0} may not be used by this user: change its permissions.",
    errno.ENOTTY: "The {0} is no camera: check its number.",
}


class SourceError(InputError):
    """A camera gives no frames: why, in a sentence."""


class NothingSentError(SourceError):
    """The connection stands, but nothing came for longer than the time-out."""


def nothing_sent(source: Source, timeout_s: float) -> NothingSentError:
    """What to say where nothing was sent for so long."""
    return NothingSentError(f"{_begin(source.shown)} sent nothing for {timeout_s:g} s: {_ON}.")


def no_frame(source: Source, timeout_s: float) -> NothingSentError:
    """What to say where something is sent, and no frame comes of it."""
    return NothingSentError(
        f"{_begin(source.shown)} sends data, but no whole frame came for {timeout_s:g} s: set the camera to more key "
        "frames, or give it more time."
    )


def failure(
    error: BaseException,
    source: Source,
    timeout_s: float,
    *,
    is_known: Callable[[str], bool] | None = None,
) -> SourceError:
    """An error of FFmpeg's, PyAV's or the system's as one that can be shown.

    ``is_known``: whether a host's name leads anywhere; asked where FFmpeg says no more than that something went wrong.
    """
    if isinstance(error, SourceError):
        return error
    if isinstance(error, HeadcountError):
        return SourceError(error.message)
    kind, number = type(error).__name__, getattr(error, "errno", None)
    if kind in ("ExitError", "TimeoutError") or number == errno.ETIMEDOUT:  # the first is of the interrupted call
        return nothing_sent(source, timeout_s)
    if source.kind == "webcam":
        known = _OF_WEBCAM.get(number or 0)
        return SourceError(known.format(source.shown) if known else _other(error, source))
    if source.is_local:
        return SourceError(
            f'"{source.shown}" is no video that can be read, or is damaged: copy it again from where it came.'
            if kind in ("InvalidDataError", "EOFError", "DecoderNotFoundError")
            else _other(error, source)
        )
    if number == errno.EIO and not (is_known or _is_known)(source.host):
        return SourceError(
            f'The name "{source.host}" is unknown: check how it is written, and this machine\'s network.'
        )
    known = _BY_STATUS.get(kind) or _BY_NUMBER.get(number or 0)
    return SourceError(known.format(source.shown) if known else _other(error, source))


def _other(error: BaseException, source: Source) -> str:
    why = getattr(error, "strerror", None) or type(error).__name__
    return f"{_begin(source.shown)} cannot be read ({without_secrets(str(why)).rstrip('.')})."


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("webcam") else text


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
