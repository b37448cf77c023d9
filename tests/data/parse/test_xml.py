"""XML is read without trusting it: no entities, bounded, and every element knows its line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.parse import xml as xml_safe
from headcount.data.parse.xml import child_number, element_line, parse_xml, parse_xml_bytes

HERE = Path("some.xml")
LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<annotation>&c;</annotation>"""


def test_elements_know_their_lines_and_keep_their_text(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text('<a>\n  <!-- no -->\n  <b k="v">7 &amp; 8</b>\n\n  <b/></a>', encoding="utf-8")
    root = parse_xml(tmp_path / "a.xml", "a")
    assert [(element.tag, element_line(element)) for element in root.iter()] == [("a", 1), ("b", 3), ("b", 5)]
    assert root[0].text == "7 & 8"
    assert root[0].attrib == {"k": "v"}
    assert element_line(ElementTree.Element("made")) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_that_tools_write_are_read(encoding: str) -> None:
    header = "" if encoding.startswith("utf") else f'<?xml version="1.0" encoding="{encoding}"?>'
    assert parse_xml_bytes(f"{header}<a>é</a>".encode(encoding), HERE).text == "é"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b" \n", ["is empty"]),
        (LAUGHS, ["line 2", "document type", "refuses"]),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', ["line 1", "refuses"]),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', ["refuses"]),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>".encode("utf-16"), ["refuses"]),
        (b"<annotation>\n&x;</annotation>", ["line 2", "undefined entity"]),
        (b"<annotation>\n<b></annotation>", ["line 2", "no valid XML"]),
        (b"<annotation>", ["no valid XML"]),
        (b"\x89PNG\r\n", ["line 1", "no valid XML"]),
        (b"<annotations/>", ["<annotation> was expected, got <annotations>"]),
        (b"<?xml version='1.0' encoding='klingon'?><annotation/>", ["no known encoding", "UTF-8"]),
        (b"<?xml version='1.0' encoding='utf-7'?><annotation/>", ["no known encoding"]),
        (b"<annotation>" * 100, ["line 1", "too deeply"]),
    ],
)
def test_what_is_refused_is_named_with_its_line(content: bytes, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_xml_bytes(content, HERE, "annotation")
    for word in ["some.xml", *words]:
        assert word in str(caught.value)


def test_size_and_number_of_elements_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xml").write_bytes(b"<a>" + b"<b/>" * 20 + b"</a>")
    with pytest.raises(InputError, match="87 bytes, over the limit of 50"):
        parse_xml(tmp_path / "a.xml", max_bytes=50)
    monkeypatch.setattr(xml_safe, "MAX_ELEMENTS", 20)
    with pytest.raises(InputError, match="over 20 elements"):
        parse_xml(tmp_path / "a.xml")


def test_numbers_are_told_by_their_line() -> None:
    element = parse_xml_bytes(b"<a>\n<b><x> 7.5 </x><y>nan</y></b></a>", HERE)[0]
    assert child_number(HERE, element, "x") == 7.5
    with pytest.raises(InputError, match="line 2: y must be a number, got 'nan'"):
        child_number(HERE, element, "y")


def test_a_missing_child_is_named_with_the_nearest() -> None:
    element = parse_xml_bytes(b'<a xmn="1"><xmn>1</xmn></a>', HERE)
    with pytest.raises(InputError, match=r'<a> has no <xmin>. Did you mean "xmn"'):
        child_number(HERE, element, "xmin")


names = st.sampled_from(["a", "b", "box"])
trees = st.recursive(
    st.builds(lambda tag, text: f"<{tag}>{text}</{tag}>", names, st.sampled_from(["", "7", "x\ny"])),
    lambda inner: st.builds(lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>", names, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None)
@given(trees)
def test_it_reads_what_the_standard_library_reads(text: str) -> None:
    ours, theirs = parse_xml_bytes(text.encode(), HERE), ElementTree.fromstring(text)
    assert [(e.tag, e.text) for e in ours.iter()] == [(e.tag, e.text) for e in theirs.iter()]


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), trees.map(str.encode).flatmap(lambda good: _mutated(good))))
def test_any_bytes_are_elements_or_an_input_error(content: bytes) -> None:
    with suppress(InputError):
        assert parse_xml_bytes(content, HERE).tag


def _mutated(good: bytes) -> st.SearchStrategy[bytes]:
    """A valid file with a stretch of it replaced."""
    ends = st.integers(0, len(good))
    return st.builds(
        lambda a, b, middle: good[: min(a, b)] + middle + good[max(a, b) :], ends, ends, st.binary(max_size=6)
    )
