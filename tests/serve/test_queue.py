"""The queue: bounded, requests first, and every ticket answered exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the server needs the serve extra")

from headcount.serve.queue import FullError, Queue, Ticket


def take(queue: Queue) -> Ticket:
    ticket = queue.take(0)
    assert ticket is not None
    return ticket


def test_a_queue_takes_one_in_work_and_its_places() -> None:
    queue = Queue(2)
    first = queue.submit("a")
    assert take(queue) is first
    queue.submit("b")
    queue.submit("c")
    assert queue.is_full
    with pytest.raises(FullError) as error:
        queue.submit("d")
    assert error.value.retry_after_s >= 1


def test_a_queue_without_places_takes_one_at_a_time() -> None:
    queue = Queue(0)
    queue.submit("a")
    with pytest.raises(FullError):
        queue.submit("b")
    ticket = take(queue)
    with pytest.raises(FullError):
        queue.submit("b")
    queue.done(ticket)
    queue.submit("b")


def test_whoever_goes_away_frees_the_place() -> None:
    queue = Queue(0)
    ticket = queue.submit("a")
    queue.give_up(ticket)
    assert ticket.future.cancelled()
    assert not queue.is_full
    assert queue.take(0) is None


def test_requests_go_first_but_jobs_get_one_turn_of_ten() -> None:
    queue = Queue(100)
    queue.submit("job", is_job=True)
    for number in range(20):
        queue.submit(number)
    order = [take(queue).work for _ in range(12)]
    assert order.index("job") == 9
    assert [each for each in order if each != "job"] == list(range(11))


def test_what_was_in_work_when_the_worker_died_comes_first_again() -> None:
    queue = Queue(1)
    first = queue.submit("a")
    queue.submit("b")
    taken = take(queue)
    queue.put_back(taken)
    assert take(queue) is first
    assert first.tries == 2


def test_a_ticket_is_answered_once() -> None:
    ticket = Ticket("a")
    assert ticket.answer(1)
    assert not ticket.answer(2)
    assert not ticket.fail(ValueError())
    assert not ticket.cancel()
    assert ticket.future.result() == 1


@given(st.lists(st.sampled_from(["submit", "take", "answer", "die", "leave", "job"]), max_size=60))
def test_whatever_happens_each_ticket_is_answered_and_places_are_bounded(steps: list[str]) -> None:
    queue = Queue(3)
    tickets: list[Ticket] = []
    working: Ticket | None = None
    for step in steps:
        if step == "submit":
            try:
                tickets.append(queue.submit(len(tickets)))
            except FullError:
                assert len(queue) >= 3
        elif step == "job":
            tickets.append(queue.submit("job", is_job=True))
        elif step == "take" and working is None:
            working = queue.take(0)
        elif step == "answer" and working is not None:
            queue.done(working, 0.1)
            working.answer("counted")
            working = None
        elif step == "die" and working is not None:
            if working.given_up_at is None and working.tries < 2:
                queue.put_back(working)
            else:
                queue.done(working)
                working.fail(RuntimeError())
            working = None
        elif step == "leave" and tickets:
            queue.give_up(tickets[-1])
        assert len(queue) <= 5
    if working is not None:
        queue.done(working)
        working.answer("counted")
    while (ticket := queue.take(0)) is not None:
        queue.done(ticket)
        ticket.answer("counted")
    assert all(ticket.future.done() for ticket in tickets)
