"""XML from anywhere, read without trusting it: the one parser of all XML formats.

A document type declaration is refused whole, and with it every entity of one's own: no file is opened on a file's
behalf, and nothing grows while it is read (the "billion laughs"). Bytes, elements and depth are bounded. Each element
knows its line, so that whoever finds a wrong number in it can say where.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element
from xml.parsers import expat

from headcount.core.errors import InputError, nearest
from headcount.data.parse import values
from headcount.data.parse.text import read_bytes

XML_MAX_BYTES = 64 * 2**20
MAX_ELEMENTS = 2_000_000
MAX_DEPTH = 64


class LinedElement(Element):
    """An element that knows the line on which its tag begins."""

    __slots__ = ("line",)
    line: int


def parse_xml(path: Path, root: str = "", *, max_bytes: int = XML_MAX_BYTES) -> Element:
    """The root element of an XML file. Text is kept as written; comments, and text after a child, are left out.

    ``root`` is the tag that the root must have, if any.

    Raises:
        InputError: the file is missing, too large, malformed, declares a document type or entities, is nested too
            deeply, or has another root; the message names file and line.
    """
    return parse_xml_bytes(read_bytes(path, "annotation", max_bytes=max_bytes), path, root)


def parse_xml_bytes(content: bytes, path: Path, root: str = "") -> Element:
    """As ``parse_xml``, of bytes that are there already; ``path`` is only named in messages.

    >>> found = parse_xml_bytes(b"<a>\\n <b>7</b></a>", Path("x.xml"))
    >>> found.tag, found[0].text, element_line(found[0])
    ('a', '7', 2)
    """
    if not content.strip():
        raise InputError(f'"{path}" is empty: XML was expected.')
    builder = _Builder(path)
    try:
        builder.parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) if error.code else str(error)
        raise InputError(f'"{path}", line {error.lineno}: this is no valid XML ({reason}).') from error
    except (LookupError, ValueError) as error:  # an encoding that is not known, or not of single bytes
        raise InputError(f'"{path}", line 1: this XML is in no known encoding ({error}): save it as UTF-8.') from error
    found = builder.root
    assert found is not None, "expat reports a document without elements"
    if root and found.tag != root:
        raise xml_error(path, found, f"<{root}> was expected, got <{found.tag[:40]}>: this is another format.")
    return found


class _Builder:
    """expat's callbacks, and the elements they have opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: LinedElement | None = None
        self.open: list[LinedElement] = []
        self.elements = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.StartDoctypeDeclHandler = self.refuse
        # Never reached once the declaration above is refused; kept, so that no entity depends on one line.
        parser.EntityDeclHandler = self.refuse
        parser.ExternalEntityRefHandler = self.refuse

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        element = LinedElement(tag, attributes)
        element.line = self.parser.CurrentLineNumber
        self.elements += 1
        if self.open:
            self.open[-1].append(element)
        else:
            self.root = element
        self.open.append(element)
        if self.elements > MAX_ELEMENTS:
            raise xml_error(
                self.path, element, f"there are over {MAX_ELEMENTS:,} elements in one annotation: split it."
            )
        if len(self.open) > MAX_DEPTH:
            raise xml_error(self.path, element, "this is nested too deeply to be an annotation.")

    def end(self, tag: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        if self.open and not len(self.open[-1]):
            self.open[-1].text = (self.open[-1].text or "") + data

    def refuse(self, *_: object) -> NoReturn:
        raise InputError(
            f'"{self.path}", line {self.parser.CurrentLineNumber}: a document type or an entity is declared, which '
            "annotations do not need and headcount refuses: remove the declaration."
        )


def element_line(element: Element) -> int:
    """The 1-based line on which an element begins; 0 for one that was not read from a file."""
    return element.line if isinstance(element, LinedElement) else 0


def xml_error(path: Path, element: Element, message: str) -> InputError:
    """An error to raise: ``message`` behind the file and the element's line."""
    return InputError(f'"{path}", line {element_line(element)}: {message}')


def need_child(path: Path, element: Element, tag: str) -> Element:
    """The first child of that tag.

    Raises:
        InputError: there is none; the nearest tag that is there is suggested.
    """
    child = element.find(tag)
    if child is None:
        hint = nearest(tag, {each.tag for each in element[:50]})
        raise xml_error(path, element, f"<{element.tag[:40]}> has no <{tag}>.{hint}")
    return child


def child_number(path: Path, element: Element, tag: str) -> float:
    """The number in the first child of that tag.

    Raises:
        InputError: no such child, or what it holds is no finite number.
    """
    child = need_child(path, element, tag)
    return number(path, child, tag, child.text)


def number(path: Path, element: Element, what: str, text: str | None) -> float:
    """Text as a finite number that some image could have.

    Raises:
        InputError: it is none; the message names file, line and ``what``.
    """
    return values.number((text or "").strip(), what, path, f"line {element_line(element)}")
