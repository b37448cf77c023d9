"""Answers before the body was read: whole at the client's end, whatever it still sends; and bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headcount.web import drain
from headcount.web.drain import answer_unread


def answered(messages: list[dict[str, Any]], *, hangs: bool = False) -> tuple[list[dict[str, Any]], int]:
    """What was sent, and how many messages were left."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not messages and hangs:
            await asyncio.sleep(60)
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(answer_unread(receive, send, 503, [(b"content-length", b"2")], b"no"))
    return sent, len(messages)


def chunk(size: int, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": bytes(size), "more_body": more}


def test_the_answer_comes_first_and_the_body_is_read_to_its_end() -> None:
    sent, left = answered([chunk(10, more=True), chunk(10, more=True), chunk(5, more=False), chunk(1, more=False)])
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body", "http.response.body"]
    assert (sent[0]["status"], sent[1]["body"], sent[1]["more_body"]) == (503, b"no", True)
    assert not sent[2].get("more_body")
    assert left == 1


def test_who_went_away_is_not_read_on() -> None:
    assert answered([{"type": "http.disconnect"}, chunk(1, more=True)])[1] == 1


def test_a_body_that_was_read_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(answer_unread(receive, send, 404, [], b"no", is_read=True))
    assert len(sent) == 3


def test_it_ends_after_so_many_bytes_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_BYTES", 100)
    assert answered([chunk(60, more=True) for _ in range(5)])[1] == 3
    monkeypatch.setattr(drain, "_SECONDS", 0.05)
    sent, _ = answered([chunk(1, more=True)], hangs=True)
    assert len(sent) == 3
