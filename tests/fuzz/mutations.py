"""Damage to annotation files, of the kinds that break parsers: what ``fuzzer.py`` feeds them with."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence

import numpy as np

MAX_BYTES = 2**20
"""No input is larger: what is looked for is wrong content, not much of it."""

Draw = np.random.Generator
Mutation = Callable[[bytes, bytes, Draw], bytes]
"""(what is damaged, another valid file of the format, the draws) → the damaged bytes."""

_TOKEN = re.compile(rb'-?[0-9]+(?:\.[0-9]+)?|"[^"\n]*"|[A-Za-z_]+|[^\sA-Za-z0-9_]')
_HUGE = b"9" * 5000
TOKENS: tuple[bytes, ...] = (
    b"nan", b"NaN", b"inf", b"-Infinity", b"1e308", b"-1e308", b"1e999", b"-1", b"-0.0", b"0", b"1", b"1e7",
    b"2147483648", b"18446744073709551616", b"1_000", b"0x10", b"1.5", b"\xd9\xa3", b"\xc2\xb2", _HUGE, b"-" + _HUGE,
    b"0." + _HUGE,
    b"", b'""', b"null", b"true", b"false", b"[]", b"{}", b"[[]]", b"[1,2]", b'{"a":1}', b"~", b"''", b"'", b'"', b"\\",
    b'"\\ud800"', b"\xed\xa0\x80", b'"\\u0000"', b"\0", b"\r\n", b"\n", b"\r", b"\t", b"\x0b", b"\x1c", b"\xc2\x85",
    b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc0\x80", b"\xe9", b"a" * 300, b"/" + b"a/" * 3000, b"../../..",
    b"..", b".", b"/", b"/dev/null", b"/proc/self/mem", b"~root", b"C:\\x", b"[" * 20_000, b'{"a":' * 20_000,
    b"<a>" * 2000, b"&amp;", b"&lt;", b"&#0;", b"&#xD800;", b"&a;", b"<![CDATA[x]]>", b"<!-- -->", b"<?x y?>", b"%s",
    b"%(x)s", b"${x}", b"*a", b"*x6", b"&a", b"!!python/object/apply:os.getcwd []", b"!!binary x",
    b"2001-13-45", b"1:2:3",
    b"<<: [1]", b"? [1, 2]", b"#", b";", b"=", b",", b",,,,", b"|", b">", b"-", b"- ", b"---", b"...", b"@", b"`",
)  # fmt: skip
"""What stands where a number, a name or a mark was."""

_LAUGHS = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (ord("a") + depth, b"&%c;" % (ord("a") + depth - 1) * 10) for depth in range(1, 10)
) + b"]>"  # fmt: skip
_ALIASES = b"x0: &x0 [a, a, a, a, a, a, a, a, a]\n" + b"".join(
    b"x%d: &x%d [%s]\n" % (depth, depth, b", ".join([b"*x%d" % (depth - 1)] * 9)) for depth in range(1, 7)
)  # fmt: skip
HEADS: tuple[bytes, ...] = (
    _LAUGHS, _ALIASES, b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>', b'<!DOCTYPE a SYSTEM "a.dtd">',
    b'<?xml version="1.0" encoding="utf-16"?>', b'<?xml version="1.0" encoding="idna"?>',
    b'<?xml version="1.0" encoding="cp037"?>', b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"\0",
    b"\n" * 1000, b"[DEFAULT]\n", b"\x89HDF\r\n\x1a\n",
    b"---\n", b"%YAML 9.9\n---\n", b"//", b"[" * 100_000, b"- " * 5000,
)  # fmt: skip
"""What is put in front of a file."""

_WORDS = (0, 1, 2, 3, 5, 6, 7, 9, 14, 15, 16, 17, 255, 0x7FFF, 0xFFFF, 0x10000, 2**28, 2**31 - 1, 2**31, 2**32 - 1)


def mutate(seeds: Sequence[bytes], draw: Draw) -> bytes:
    """One of the seeds with one to four damages, at most ``MAX_BYTES`` long."""
    data, other = (seeds[int(draw.integers(len(seeds)))] for _ in range(2))
    # Mostly one: what is damaged all over is refused at its first byte, and nothing behind that is met.
    for _ in range(min(4, int(draw.geometric(0.6)))):
        data = MUTATIONS[int(draw.integers(len(MUTATIONS)))](data, other, draw)[:MAX_BYTES]
    return data


def _span(data: bytes, draw: Draw, longest: int = 64) -> tuple[int, int]:
    start = int(draw.integers(len(data) + 1))
    return start, min(len(data), start + int(draw.integers(1, longest + 1)))


def noise(data: bytes, other: bytes, draw: Draw) -> bytes:
    """Random bytes over, or in between, those that are there."""
    start, end = _span(data, draw, 16)
    return data[:start] + draw.bytes(int(draw.integers(1, 17))) + data[end if draw.random() < 0.5 else start :]


def flip(data: bytes, other: bytes, draw: Draw) -> bytes:
    """One to eight bits turned over."""
    found = bytearray(data)
    for _ in range(int(draw.integers(1, 9)) if found else 0):
        found[int(draw.integers(len(found)))] ^= 1 << int(draw.integers(8))
    return bytes(found)


def delete(data: bytes, other: bytes, draw: Draw) -> bytes:
    """A piece taken out."""
    start, end = _span(data, draw)
    return data[:start] + data[end:]


def duplicate(data: bytes, other: bytes, draw: Draw) -> bytes:
    """A piece repeated, up to a hundred times."""
    start, end = _span(data, draw)
    return data[:end] + data[start:end] * int(draw.choice([1, 2, 100])) + data[end:]


def splice(data: bytes, other: bytes, draw: Draw) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: int(draw.integers(len(data) + 1))] + other[int(draw.integers(len(other) + 1)) :]


def truncate(data: bytes, other: bytes, draw: Draw) -> bytes:
    """The end cut off."""
    return data[: int(draw.integers(len(data) + 1))]


def swap_lines(data: bytes, other: bytes, draw: Draw) -> bytes:
    """Two lines in each other's place, or one twice, or another end to each line."""
    lines = data.split(b"\n")
    one, two = (int(draw.integers(len(lines))) for _ in range(2))
    way = int(draw.integers(3))
    if way == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif way == 1:
        lines.insert(one, lines[two])
    return (b"\r\n" if way == 2 else b"\n").join(lines)


def replace_token(data: bytes, other: bytes, draw: Draw) -> bytes:
    """A number, a name or a mark replaced by one of ``TOKENS``, or by another token of the file."""
    tokens = list(_TOKEN.finditer(data[:65_536]))
    if not tokens:
        return data
    at = tokens[int(draw.integers(len(tokens)))]
    own = tokens[int(draw.integers(len(tokens)))][0]
    new = own if draw.random() < 0.2 else TOKENS[int(draw.integers(len(TOKENS)))]
    return data[: at.start()] + new + data[at.end() :]


def replace_word(data: bytes, other: bytes, draw: Draw) -> bytes:
    """Four bytes at a multiple of four (a type, a size, a dimension of a MAT file) made another number."""
    if len(data) < 4:
        return data
    at = 4 * int(draw.integers(len(data) // 4))
    order = "<>"[int(draw.integers(2))]
    near = struct.unpack_from("<I", data, at)[0] + int(draw.integers(-8, 9))
    word = near % 2**32 if draw.random() < 0.3 else _WORDS[int(draw.integers(len(_WORDS)))]
    return data[:at] + struct.pack(order + "I", word) + data[at + 4 :]


def prepend(data: bytes, other: bytes, draw: Draw) -> bytes:
    """A declaration, a mark of another encoding or a deep nesting in front."""
    return HEADS[int(draw.integers(len(HEADS)))] + data


def recode(data: bytes, other: bytes, draw: Draw) -> bytes:
    """The text in another encoding."""
    encoding = ("utf-16", "utf-16-le", "utf-32", "utf-7", "cp037")[int(draw.integers(5))]
    return data.decode("latin-1").encode(encoding, "replace")


MUTATIONS: tuple[Mutation, ...] = (
    *[replace_token] * 8, *[replace_word] * 3, *[delete] * 2, *[swap_lines] * 2, *[splice] * 2, noise, flip, duplicate,
    truncate, prepend, recode,
)  # fmt: skip
