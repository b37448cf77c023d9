"""Bodies of requests: forms in any pieces, names without folders, and limits."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the server needs the serve extra")
from fastapi import HTTPException, Request

from headcount.serve.upload import Form, Held, file_name

HEADERS = [(b"content-type", b"multipart/form-data; boundary=cut")]


def body_of(*files: tuple[str, bytes]) -> bytes:
    parts = [
        b'--cut\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in files
    ]
    return b"".join(parts) + b'--cut\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--cut--\r\n'


def read(pieces: list[bytes]) -> dict[str, bytes]:
    found: dict[str, io.BytesIO] = {}
    form = Form(Request({"type": "http", "headers": HEADERS}), lambda name: found.setdefault(name, io.BytesIO()))
    for piece in pieces:
        form.write(piece)
    form.close()
    return {name: file.getvalue() for name, file in found.items()}


@given(st.binary(max_size=300), st.lists(st.integers(0, 700), max_size=6))
def test_a_form_is_the_same_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    if b"--cut" in content:
        return
    whole = body_of(("a.jpg", content), ("b.mp4", b"film"))
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    assert read([whole[a:b] for a, b in pairwise(edges) if a < b]) == {
        "a.jpg": content, "b.mp4": b"film",
    }  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"--cut\r\n", body_of(("a.jpg", b"x"))[:-10]])
def test_a_form_that_is_cut_short_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException, match="400"):
        read([body] if body else [])


def test_a_form_of_very_many_empty_fields_is_refused() -> None:
    part = b'--cut\r\nContent-Disposition: form-data; name="n"\r\n\r\n\r\n'
    assert read([part * 100 + b"--cut--\r\n"]) == {}
    with pytest.raises(HTTPException, match="413"):
        read([part * 101 + b"--cut--\r\n"])


def test_what_is_no_form_is_refused() -> None:
    with pytest.raises(HTTPException, match="400"):
        read([b"hello, this is no form at all"])


def test_names_have_no_folders_and_nothing_that_cannot_be_printed() -> None:
    names = {
        "../../etc/passwd": "passwd",
        "C:\\x\\a.jpg": "a.jpg",
        "a%2Fb.png": "b.png",
        "\0\n": "image",
        "é.jpg": "é.jpg",
    }
    assert {given: file_name(given) for given in names} == names
    assert len(file_name("a" * 5000)) == 200


def test_bytes_in_hand_are_bounded_and_given_back() -> None:
    held = Held(100)
    with held.holding() as one, held.holding() as other:
        one.add(60)
        with pytest.raises(HTTPException, match="503"):
            other.add(50)
        other.add(40)
    assert held.bytes == 0
