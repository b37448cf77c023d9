"""Bodies of requests: read as they arrive, within bytes and seconds, and never more than fits into memory or disk."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar
from urllib.parse import unquote

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from headcount.data.parse.values import cut

_FORM = "multipart/form-data"
_MOST_JSON = 64 * 1024
_FORMS_REST = 64 * 1024
"""What a form may hold beside its files."""
_FORMS_FIELDS = 100
"""Parts of a form that are no files."""


class Held:
    """How many bytes of images are in hand at once, of all requests."""

    def __init__(self, most: int) -> None:
        self.most, self.bytes = most, 0

    @contextmanager
    def holding(self) -> Iterator[Holding]:
        """A request's share, given back at the end."""
        share = Holding(self)
        try:
            yield share
        finally:
            self.bytes -= share.bytes


class Holding:
    """What one request holds."""

    def __init__(self, held: Held) -> None:
        self._held, self.bytes = held, 0

    def add(self, number: int) -> None:
        """Hold so many bytes more.

        Raises:
            HTTPException: there is no room for them now.
        """
        if self._held.bytes + number > self._held.most:
            raise HTTPException(503, "The server has as many images in hand as it can hold.", {"retry-after": "2"})
        self.bytes += number
        self._held.bytes += number


async def chunks_of(request: Request, *, most_bytes: int, within_s: float) -> AsyncIterator[bytes]:
    """A body as it arrives.

    Raises:
        HTTPException: it has more bytes, or takes longer; or its sender went away.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most_bytes:
        raise _too_large(most_bytes)
    taken, loop = 0, asyncio.get_running_loop()
    until = loop.time() + within_s
    while True:
        try:
            message = await asyncio.wait_for(request.receive(), until - loop.time())
        except TimeoutError:
            text = f"The body did not arrive within {within_s:g} s: send it again over a faster connection, or less."
            raise HTTPException(408, text, {"connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise GoneError
        chunk: bytes = message.get("body", b"")
        taken += len(chunk)
        if taken > most_bytes:
            raise _too_large(most_bytes)
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


class GoneError(Exception):
    """Whoever sent the request does not wait for an answer."""


def _too_large(most_bytes: int) -> HTTPException:
    return HTTPException(
        413,
        f"At most {most_bytes:,} bytes are taken at once: shrink the image, or send fewer.",
        {"connection": "close"},
    )


async def read_image_body(request: Request, holding: Holding, *, most_bytes: int, within_s: float) -> tuple[bytes, str]:
    """The one image of a body, and its file's name where the body tells it: raw, or the only file of a form.

    Raises:
        HTTPException: there is none, or more than one, or as ``chunks_of``.
    """
    chunks = chunks_of(request, most_bytes=most_bytes + _FORMS_REST * _is_form(request), within_s=within_s)
    if not _is_form(request):
        raw = bytearray()
        async for chunk in chunks:
            holding.add(len(chunk))
            raw += chunk
        if not raw:
            raise HTTPException(400, "The body is empty: send the bytes of an image file.")
        return bytes(raw), ""
    files: list[tuple[str, io.BytesIO]] = []

    def open_file(name: str) -> BinaryIO:
        if files:
            raise HTTPException(400, "One image is counted at a time, but the form holds several files: make a job.")
        files.append((name, io.BytesIO()))
        return files[-1][1]

    form = Form(request, open_file)
    async for chunk in chunks:
        holding.add(len(chunk))
        form.write(chunk)
    form.close()
    if not files or not files[0][1].getbuffer().nbytes:
        raise HTTPException(400, 'The form holds no file: send the image as a file called "image".')
    return files[0][1].getvalue(), files[0][0]


_Model = TypeVar("_Model", bound=BaseModel)


async def read_json_body(request: Request, model: type[_Model], *, within_s: float) -> _Model:
    """A small body of JSON.

    Raises:
        HTTPException: it is not as the model says, or as ``chunks_of``.
    """
    body = bytearray()
    async for chunk in chunks_of(request, most_bytes=_MOST_JSON, within_s=within_s):
        body += chunk
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise HTTPException(422, f"{where}: {first['msg']}") from error


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(_FORM)


class Form:
    """The files of a form, each written to what ``open_file`` gives for its name; other fields are passed over.

    Raises:
        HTTPException: it is no form.
    """

    def __init__(self, request: Request, open_file: Callable[[str], BinaryIO]) -> None:
        _, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise HTTPException(400, "The form says no boundary.")
        self._open_file = open_file
        self._file: BinaryIO | None = None
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._is_whole = False
        self._rest = self._fields = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._end,
                "on_end": self._on_whole,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Take the next piece."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise HTTPException(400, f"The form cannot be read ({error}).") from error

    def close(self) -> None:
        """Say that all of it was written.

        Raises:
            HTTPException: its end is missing.
        """
        if not self._is_whole:
            raise HTTPException(400, "The form ends before its last boundary: send all of it.")

    def _begin(self) -> None:
        self._headers, self._field, self._value, self._file = {}, b"", b"", None

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in options:
            self._file = self._open_file(file_name(options[b"filename"].decode("utf-8", "replace")))
            return
        self._fields += 1
        if self._fields > _FORMS_FIELDS:
            raise HTTPException(413, f"A form may hold {_FORMS_FIELDS} fields beside its files, but this one has more.")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._rest += end - start
        if self._rest > _FORMS_REST:
            raise HTTPException(413, "The form holds too much beside its files.")

    def _end(self) -> None:
        self._file = None

    def _on_whole(self) -> None:
        self._is_whole = True


def file_name(given: str) -> str:
    """What a client calls a file, without folders: shown, and never opened.

    >>> file_name("C:/photos/a.jpg"), file_name("../../etc/passwd"), file_name("")
    ('a.jpg', 'passwd', 'image')
    """
    name = unquote(given).replace("\\", "/").rpartition("/")[2]
    name = "".join(sign for sign in name if sign.isprintable()).strip()
    return cut(name, 200) or "image"
