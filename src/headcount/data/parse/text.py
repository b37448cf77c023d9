"""Text files of anybody: one reader, whatever their encoding says of itself and however their lines end.

UTF-8 with or without a byte-order mark; UTF-16 and UTF-32 with one. Everything else is refused by its first wrong byte.
"""

from __future__ import annotations

import re
from pathlib import Path

from headcount.core.errors import InputError, MissingFileError
from headcount.core.files import file_size, is_folder

TEXT_MAX_BYTES = 2**30
# The mark of UTF-32 begins with that of UTF-16.
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LINE_END = re.compile("\r\n|\r|\n")


def read_text(path: Path, kind: str, *, max_bytes: int = TEXT_MAX_BYTES) -> str:
    """The text of a file, line ends as written; ``kind`` says what was expected (``COCO file``).

    Raises:
        InputError: there is none, it is a folder or a pipe, too large, or no text in a known encoding.
    """
    return decode(read_bytes(path, kind, max_bytes=max_bytes), path)


def read_lines(path: Path, kind: str, *, max_bytes: int = TEXT_MAX_BYTES) -> list[str]:
    """The lines of a file without their ends, which are LF, CRLF or CR; ``line n`` is at n − 1.

    Raises:
        InputError: as ``read_text``.
    """
    return split_lines(read_text(path, kind, max_bytes=max_bytes))


def split_lines(text: str) -> list[str]:
    r"""The lines of a text; unlike ``str.splitlines`` at nothing but LF, CRLF and CR.

    >>> split_lines("a\r\nb\u2028c\rd\n")
    ['a', 'b\u2028c', 'd']
    """
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def read_bytes(path: Path, kind: str, *, max_bytes: int = TEXT_MAX_BYTES) -> bytes:
    """The content of a file.

    Raises:
        InputError: there is none, it is a folder or a pipe, too large, or may not be read.
    """
    if is_folder(path):
        raise InputError(f'"{path}" is a folder where a {kind} was expected: name the file in it.')
    try:
        size = file_size(path)
        if size > max_bytes:
            raise InputError(f'"{path}" has {size:,} bytes, over the limit of {max_bytes:,} for a {kind}: split it.')
        return path.read_bytes()
    except (MissingFileError, FileNotFoundError) as error:
        raise MissingFileError(f'There is no {kind} "{path}": check the path.') from error
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}).') from error


def decode(content: bytes, path: Path) -> str:
    """Bytes as text; ``path`` is only named in messages.

    Raises:
        InputError: the encoding is none of the known ones, or there is a zero byte.

    >>> decode("\\ufeffé".encode("utf-16-le"), Path("a.txt")), decode(b"\\xef\\xbb\\xbfa", Path("a.txt"))
    ('é', 'a')
    """
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        # The decoder of a marked text counts from behind the mark.
        start = error.start + (3 if encoding == "utf-8-sig" and content.startswith(b"\xef\xbb\xbf") else 0)
        value = f"0x{error.object[error.start]:02X}"
        name = "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
        raise InputError(f'"{path}" is no {name} text (byte {start} is {value}): save it as UTF-8.') from error
    if (at := text.find("\0")) >= 0:
        line = len(split_lines(text[:at] + "."))
        raise InputError(f'"{path}", line {line}: there is a zero byte, so this is no UTF-8 text: save it as UTF-8.')
    return text
