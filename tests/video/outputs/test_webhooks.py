"""Webhooks: a real server on this machine that checks signatures, fails, hangs, redirects and comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.video.measurement import OutputStatus
from headcount.video.outputs import Outputs
from headcount.video.outputs import webhooks as webhooks_module
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError, OutputGoneError, RefusedRecordError
from headcount.video.outputs.webhooks import Webhook, key_of, payload, signature
from headcount.video.site import WebhookSettings

from .receivers import free_port
from .records import alert, measured, site, status, wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """A server of a test's own; ``answers`` says what to do with the next messages, then all are taken."""

    def __init__(self, port: int = 0) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None] | int] = []
        self.taken: list[dict[str, Any]] = []
        self.tried: list[tuple[str, int]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.note(self, body)
                answer = receiver.answers.pop(0) if receiver.answers else 204
                if callable(answer):
                    answer(self)
                    return
                if 200 <= answer < 300:
                    receiver.taken.append(json.loads(body))
                self.send_response(answer)
                self.send_header("content-length", "0")
                if answer == 302:
                    self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # connections that a test cuts
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=fair"

    def note(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Check a message as the specification tells receivers to."""
        name, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        self.tried.append((name, int(sent)))
        self.headers.append(dict(request.headers))
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        digest = hmac.new(key, f"{name}.{sent}.{body.decode()}".encode(), hashlib.sha256).digest()
        expected = base64.b64encode(digest).decode()
        for fault, is_so in (
            ("signature", request.headers["webhook-signature"] != f"v1,{expected}"),
            ("time", abs(int(sent) - time.time()) > 60),
            ("path", request.path != "/hooks?from=fair"),
            ("type", request.headers["content-type"] != "application/json"),
        ):
            if is_so:
                self.faults.append(fault)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def webhook(receiver: Receiver, **more: Any) -> Webhook:
    settings = WebhookSettings.model_validate({"url": receiver.url, "secret": SECRET, **more})
    return Webhook(settings, site(), Path())


def waits(record: Any = None, name: str = "run-1") -> list[Waiting]:
    return [Waiting(name, record or alert())]


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of standardwebhooks.com's own libraries.
    message, sent = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
    body = b'{"test": 2432232314}'
    assert signature(key_of(SECRET), message, sent, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_signed_and_says_what_happened(receiver: Receiver) -> None:
    made = webhook(receiver)
    assert made.deliver(waits()) == 1
    made.close()
    assert receiver.faults == []
    (told,) = receiver.taken
    assert (told["type"], told["timestamp"]) == ("alert.raised", "2026-05-01T20:00:00Z")
    assert (told["data"]["site"], told["data"]["zone"], told["data"]["value"]) == ("Fair", "Main gate", 2.5)
    assert receiver.tried[0][0] == "msg_run-1"
    assert receiver.headers[0]["user-agent"].startswith("headcount/")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (alert("cleared"), "alert.cleared"),
        (status("offline"), "camera.offline"),
        (measured(3), "measurement"),
        (OutputStatus(output="mqtt", state="failing", since=alert().at), "output.failing"),
    ],
)
def test_types_are_dotted_words(record: Any, expected: str) -> None:
    told = payload(record, "Fair")
    assert told["type"] == expected
    assert told["data"]["kind"] == record.kind


def test_only_what_was_asked_for_is_told(receiver: Receiver) -> None:
    made = webhook(receiver, events=["alert", "camera"])
    assert [made.wants(record) for record in (alert(), status(), measured(1))] == [True, True, False]
    assert not webhook(receiver).wants(status())


def test_what_fails_is_tried_again_in_order_under_its_id(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [500, 503, 204, 429]
    told: list[OutputStatus] = []
    hooks = [{"url": receiver.url, "secret": SECRET}]
    outputs = Outputs(site(webhooks=hooks), tmp_path, changed=told.append, retry_s=0.05)
    for number in range(4):
        outputs.take(alert(name=f"a-{number}"))
    wait_until(lambda: len(receiver.taken) == 4)
    outputs.close()
    assert [one["data"]["id"] for one in receiver.taken] == [f"a-{number}" for number in range(4)]
    names = [name for name, _ in receiver.tried]
    assert len(names) == 7
    assert names[0] == names[1] == names[2] != names[3] == names[4]
    assert len(set(names)) == 4
    assert receiver.faults == []
    failing = next(one for one in told if one.state == "failing")
    assert failing.output == "webhook 1"
    assert failing.reason == 'The webhook at "http://127.0.0.1" answered 500: records wait.'
    assert told[-1].state == "working"


def test_what_cannot_be_reached_is_told_once_it_is_back_by_a_later_run_too(tmp_path: Path) -> None:
    port = free_port()
    hooks = [{"url": f"http://127.0.0.1:{port}/hooks?from=fair", "secret": SECRET}]
    for run in range(2):
        outputs = Outputs(site(webhooks=hooks), tmp_path, retry_s=0.05)
        outputs.take(alert(name=f"of run {run}"))
        wait_until(lambda outputs=outputs: any("Connection refused" in one.reason for one in outputs.statuses()))
        outputs.close(0.1)
    receiver = Receiver(port)
    outputs = Outputs(site(webhooks=hooks), tmp_path, retry_s=0.05)
    outputs.take(alert(name="of run 2"))
    wait_until(lambda: len(receiver.taken) == 3)
    outputs.close()
    receiver.close()
    assert [one["data"]["id"] for one in receiver.taken] == ["of run 0", "of run 1", "of run 2"]
    assert len({name for name, _ in receiver.tried}) == 3


def test_two_webhooks_do_not_hold_up_each_other(receiver: Receiver, tmp_path: Path) -> None:
    hooks = [{"url": f"http://127.0.0.1:{free_port()}", "secret": SECRET}] + 2 * [
        {"url": receiver.url, "secret": SECRET}
    ]
    outputs = Outputs(site(webhooks=hooks), tmp_path, retry_s=0.05)
    outputs.take(alert())
    wait_until(lambda: len(receiver.taken) == 2)
    states = {one.output: one.state for one in outputs.statuses()}
    wait_until(lambda: next(one for one in outputs.statuses() if one.output == "webhook 1").state == "failing")
    assert states["webhook 2"] == states["webhook 3"] == "working"
    outputs.close(0.1)


def test_gone_ends_it_and_says_so(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [410]
    hooks = [{"url": receiver.url, "secret": SECRET}]
    outputs = Outputs(site(webhooks=hooks), tmp_path, retry_s=0.05)
    outputs.take(alert())
    hook = lambda: next(one for one in outputs.statuses() if one.output == "webhook 1")  # noqa: E731
    wait_until(lambda: hook().lost == 1)
    outputs.take(alert(name="a-2"))
    wait_until(lambda: hook().lost == 2)
    for number in range(300):
        outputs.take(alert(name=f"b-{number}"))
    wait_until(lambda: (hook().lost, hook().waiting) == (302, 0))
    assert "answered 410 (Gone), and is not told any more" in hook().reason
    outputs.close()
    assert len(receiver.tried) == 1


def test_what_came_before_it_was_known_to_be_gone_does_not_wait_for_ever(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [410]
    outputs = Outputs(site(webhooks=[{"url": receiver.url}]), tmp_path, retry_s=0.05)
    for number in range(500):
        outputs.take(alert(name=f"b-{number}"))
    hook = lambda: next(one for one in outputs.statuses() if one.output == "webhook 1")  # noqa: E731
    wait_until(lambda: (hook().lost, hook().waiting) == (500, 0))
    outputs.close()
    assert len(receiver.tried) == 1


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [302]
    with pytest.raises(OutputDownError, match=r"refused a record \(302\)"):
        webhook(receiver).deliver(waits())
    assert len(receiver.tried) == 1


def test_a_message_that_is_refused_holds_up_the_others_for_an_hour(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = webhook(receiver)
    now = time.monotonic()
    for at, answer, expected in (
        (0, 422, OutputDownError), (3599, 400, OutputDownError), (3600, 401, OutputDownError),
        (3601, 422, RefusedRecordError), (3 * 86400 + 1, 404, RefusedRecordError), (9 * 86400, 500, OutputDownError),
    ):  # fmt: skip
        monkeypatch.setattr(webhooks_module.time, "monotonic", lambda at=at: now + at)
        receiver.answers = [answer]
        with pytest.raises(expected):
            made.deliver(waits())
    assert made.deliver(waits(name="run-2")) == 1


def test_the_time_that_it_was_down_does_not_count_as_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = webhook(receiver)
    now = time.monotonic()
    receiver.answers[:] = [503, 422, 422, 204]
    for at in (0, 4 * 86400, 4 * 86400 + 60):  # down for days, and refused as it comes back
        monkeypatch.setattr(webhooks_module.time, "monotonic", lambda at=at: now + at)
        with pytest.raises(OutputDownError):
            made.deliver(waits())
    assert made.deliver(waits()) == 1
    made.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [("7", 7.0), ("9999999", 3600.0), ("", 0.0), ("soon", 0.0), ("date", 60.0)],
)
def test_a_receiver_may_say_when(receiver: Receiver, given: str, expected: float) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(503)
        request.send_header("content-length", "0")
        request.send_header("retry-after", formatdate(time.time() + 60, usegmt=True) if given == "date" else given)
        request.end_headers()

    receiver.answers = [answer]
    with pytest.raises(OutputDownError) as caught:
        webhook(receiver).deliver(waits())
    assert caught.value.wait_s == pytest.approx(expected, abs=2)
    assert caught.value.most_s == 60


def test_a_receiver_that_hangs_or_dribbles_is_left_after_a_while(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks_module, "_ANSWER_S", 0.5)
    over = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        over.wait(10)

    def dribble(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(200):
            if over.wait(0.05):
                return
            try:
                request.wfile.write(b"x-more: x\r\n")
            except OSError:
                return

    made = webhook(receiver)
    for answer in (hang, dribble):
        receiver.answers = [answer]
        begin = time.monotonic()
        with pytest.raises(OutputDownError, match="cannot be reached"):
            made.deliver(waits())
        assert time.monotonic() - begin < 5
    over.set()
    assert made.deliver(waits()) == 1


def test_a_connection_that_was_kept_and_is_gone_is_made_anew(receiver: Receiver) -> None:
    made = webhook(receiver)
    assert made.deliver(waits()) == 1
    assert made._connection is not None
    receiver.answers = [lambda request: request.connection.shutdown(socket.SHUT_RDWR)]
    assert made.deliver(waits(name="run-2")) == 1
    assert [name for name, _ in receiver.tried] == ["msg_run-1", "msg_run-2", "msg_run-2"]


def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    def talk(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-length", str(10**9))
        request.end_headers()
        request.wfile.write(b"x" * 200_000)

    made = webhook(receiver)
    receiver.answers = [talk]
    assert made.deliver(waits()) == 1
    assert made._connection is None
    assert made.deliver(waits(name="run-2")) == 1


def test_a_name_and_password_are_sent_and_not_shown(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "a:b@c")
    url = receiver.url.replace("http://", "http://me:${HOOK_PASSWORD}@")
    made = webhook(receiver, url=url)
    assert made.deliver(waits()) == 1
    assert receiver.headers[0]["authorization"] == "Basic " + base64.b64encode(b"me:a:b@c").decode()
    receiver.answers = [500]
    with pytest.raises(OutputDownError) as caught:
        made.deliver(waits())
    assert not any(secret in str(caught.value) for secret in ("a:b@c", "hooks", "me:", "from=fair"))


def test_without_a_secret_there_is_no_signature(receiver: Receiver) -> None:
    made = webhook(receiver, secret="")
    assert made.deliver(waits()) == 1
    assert "webhook-signature" not in receiver.headers[0]


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "file:///etc/passwd", "http://", "host/x", "http://h:99999/", "http://h/a b"]
)
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r'The "url" of a webhook must be an address, http://… or https://…'):
        Webhook(WebhookSettings(url=url), site(), Path())


@pytest.mark.parametrize(
    ("secret", "expected"),
    [("whsec_!!", "must be Base64"), ("short", "has 5 bytes, but 16 or more"), ("whsec_YQ==", "has 1 bytes")],
)
def test_a_secret_of_no_use_is_refused_and_not_shown(secret: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        Webhook(WebhookSettings(url="http://host", secret=secret), site(), Path())
    assert secret not in str(caught.value)


def test_a_secret_comes_from_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert webhook(receiver, secret="${HOOK_SECRET}").deliver(waits()) == 1
    assert receiver.faults == []


def test_a_410_is_an_end(receiver: Receiver) -> None:
    receiver.answers = [410]
    with pytest.raises(OutputGoneError):
        webhook(receiver).deliver(waits())
