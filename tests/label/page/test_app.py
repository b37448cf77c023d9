"""The server's addresses: what the page asks, what strangers ask, and what is malformed."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from headcount.label.page.assist import Job
from headcount.label.page.session import Labelling
from headcount.label.page.store import StoreFullError

pytest.importorskip("fastapi", reason="the page needs the label extra")

from starlette.testclient import TestClient

from headcount.label.page.app import create_app
from headcount.web.guard import MOST_BYTES

ANN, BEN = {"session": "annannann", "person": "Ann"}, {"session": "benbenben", "person": "Ben"}
HEAD = {"t": "head", "x": 10.5, "y": 20.5}
LOCAL = "http://127.0.0.1:8321"


@pytest.fixture
def client(labelling: Labelling) -> TestClient:
    return TestClient(create_app(labelling), base_url=LOCAL)


def send(client: TestClient, number: str, changes: dict[str, Any], who: dict[str, str] = ANN, image: int = 1) -> Any:
    stroke = {"id": f"stroke{number}xx", "changes": changes}
    return client.post(f"/api/images/{image}/strokes", json={**who, "strokes": [stroke]})


def claim(client: TestClient, who: dict[str, str], **more: bool | str) -> dict[str, Any]:
    holder: dict[str, Any] = client.post("/api/images/1/claim", json={**who, **more}).json()["holder"]
    return holder


def test_the_page_and_its_files_are_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert client.get("/static/page.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/nothing.js").status_code == 404
    assert client.get("/static/..%2Fapp.py").status_code == 404


def test_the_list_says_what_cannot_be_shown(client: TestClient, labelling: Labelling) -> None:
    labelling._looker.join()
    rows = client.get("/api/images").json()["rows"]
    assert [row[2] for row in rows] == ["a.png", "b.png", "c.jpg"]
    assert [bool(row[8]) for row in rows] == [False, False, True]
    assert client.get(f"/api/images?since={client.get('/api/images').json()['version']}").json()["rows"] == []


def test_strokes_are_acknowledged_and_shown(client: TestClient) -> None:
    claim(client, ANN)
    answer = send(client, "1", {"h1": HEAD}).json()
    assert answer["receipts"] == [{"id": "stroke1xx", "seq": 1, "changes": {"h1": HEAD}, "refused": ""}]
    assert answer["can"] == [1, 0]
    shown = client.get("/api/images/1", params=ANN).json()
    assert (shown["size"], shown["things"], shown["holder"]["mine"]) == ([160, 120], {"h1": HEAD}, True)
    undo = {"id": "stroke2xx", "kind": "undo"}
    answer = client.post("/api/images/1/strokes", json={**ANN, "strokes": [undo]}).json()
    assert answer["receipts"][0]["changes"] == {"h1": None}


def test_another_looks_on_and_its_strokes_are_refused_and_kept(client: TestClient) -> None:
    claim(client, ANN)
    assert claim(client, BEN)["mine"] is False
    answer = send(client, "1", {"h1": HEAD}, BEN).json()
    assert "taken this image over" in answer["receipts"][0]["refused"]
    assert (answer["late"], answer["holder"]["person"]) == (1, "Ann")
    assert client.get("/api/images/1", params=BEN).json()["things"] == {}
    assert client.post("/api/images/1/late", json=BEN).status_code == 409
    client.post("/api/images/1/release", json=ANN)
    claim(client, BEN)
    assert client.post("/api/images/1/late", json=BEN).json()["things"] == {"h1": HEAD}


def test_an_image_is_taken_from_the_session_that_is_named_alone(client: TestClient) -> None:
    claim(client, ANN)
    later = {**ANN, "session": "annlater1"}
    assert claim(client, later, **{"from": "annearlier"})["mine"] is False
    assert claim(client, later, **{"from": ANN["session"]})["mine"] is True


def test_strokes_that_come_after_another_had_the_image_are_refused(client: TestClient, clock: Any) -> None:
    claim(client, ANN)
    clock.now += 61
    assert claim(client, BEN)["mine"] is True
    send(client, "1", {"h1": HEAD}, BEN)
    client.post("/api/images/1/release", json=BEN)
    # Nobody holds it now, but what Ann drew was drawn without Ben's.
    assert send(client, "2", {"h1": None}).json()["receipts"][0]["refused"] != ""
    assert client.get("/api/images/1", params=ANN).json()["things"] == {"h1": HEAD}
    assert client.post("/api/images/1/claim", json={**ANN, "renew": True}).json()["holder"] is None


def test_a_late_stroke_is_good_where_nobody_took_the_image(client: TestClient, clock: Any) -> None:
    claim(client, ANN)
    clock.now += 3600
    assert send(client, "1", {"h1": HEAD}).json()["receipts"][0]["refused"] == ""


def test_boxes_follow_the_presets_without_being_kept(client: TestClient) -> None:
    claim(client, ANN)
    send(client, "1", {"h1": HEAD, "h2": {**HEAD, "x": 100.0}})
    assert client.post("/api/images/1/boxes", json={}).json() == {"ids": [], "boxes": []}
    preset = {"t": "head", "x": 50.0, "y": 50.0, "box": [45.0, 40.0, 55.0, 60.0], "made": "annotated"}
    boxes = client.post("/api/images/1/boxes", json={"changes": {"p": preset}}).json()
    assert boxes == {"ids": ["h1", "h2"], "boxes": [5.5, 10.5, 15.5, 30.5, 95.0, 10.5, 105.0, 30.5]}
    near = client.post("/api/images/1/boxes", json={"changes": {"p": preset}, "within": [0, 0, 50, 50]}).json()
    assert near["ids"] == ["h1"]
    assert set(client.get("/api/images/1", params=ANN).json()["things"]) == {"h1", "h2"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"h": {"t": "head", "x": 161, "y": 1}}, 400),
        ({"h": {"t": "head", "x": "one", "y": 1}}, 422),
        ({"h": {"t": "what"}}, 422),
        ({"no id": HEAD}, 422),
    ],
)
def test_strokes_that_are_none_are_refused_with_a_reason(
    client: TestClient, changes: dict[str, Any], status: int
) -> None:
    answer = send(client, "1", changes)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_images_are_named_by_their_number_alone(client: TestClient) -> None:
    assert client.get("/api/images/99", params=ANN).status_code == 404
    assert client.get("/api/images/..%2F..%2Fetc", params=ANN).status_code in (404, 422)


def test_a_tile_of_an_image_that_is_damaged_says_why(client: TestClient, folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:2000])
    answer = client.get("/api/images/2/tiles/0/0/0")
    assert answer.status_code == 400
    assert "damaged" in answer.json()["detail"]
    row = client.get("/api/images").json()["rows"][1]
    assert "damaged" in row[8]
    assert client.get("/api/images/1/tiles/0/0/0").headers["content-type"] == "image/jpeg"


def test_a_full_disk_is_said(client: TestClient, labelling: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    claim(client, ANN)

    def full(*_: object, **__: object) -> None:
        raise StoreFullError("The disk takes no more.")

    monkeypatch.setattr(labelling.store, "write", full)
    answer = send(client, "1", {"h1": HEAD})
    assert (answer.status_code, answer.json()) == (507, {"detail": "The disk takes no more."})


def test_another_folders_requests_are_told(client: TestClient, labelling: Labelling) -> None:
    own, other = ({"headcount-database": each} for each in (labelling.database_id, "another"))
    tile = "/api/images/1/tiles/0/0/0"
    for headers, status in ((own, 200), (other, 421), ({}, 200)):
        assert client.get("/api/images", headers=headers).status_code == status
        assert client.post("/api/images/1/claim", json=ANN, headers=headers).status_code == status
        assert client.get("/api/folder", headers=headers).status_code == 200
        assert client.get(tile, params={"database": "".join(headers.values())}).status_code == status
    # Before anything else of it is looked at: what is refused as malformed is not sent again.
    assert client.post("/api/images/99/strokes", json={"no": "strokes"}, headers=other).status_code == 421


def test_a_database_that_is_locked_is_said_as_what_passes(client: TestClient, labelling: Labelling) -> None:
    claim(client, ANN)
    labelling.store._base.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(labelling.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = send(client, "1", {"h1": HEAD})
    assert answer.status_code == 503
    assert "locked" in answer.json()["detail"]
    other.close()
    assert send(client, "1", {"h1": HEAD}).status_code == 200


def test_only_what_is_wrong_with_a_stroke_itself_is_marked_so(client: TestClient, folder: Path) -> None:
    claim(client, ANN)
    assert send(client, "1", {"h": {**HEAD, "x": 161}}).json()["is_stroke_wrong"] is True
    assert send(client, "2", {"h1": HEAD}).status_code == 200
    away = folder.parent / "a.png"
    (folder / "a.png").rename(away)
    # Its size is known from the stroke before: it is checked by that, and kept.
    assert send(client, "3", {"h2": HEAD}).json()["receipts"][0]["refused"] == ""
    assert send(client, "4", {"h": {**HEAD, "x": 161}}).json()["is_stroke_wrong"] is True
    # Of an image that nobody labelled before nothing is known.
    (folder / "b.png").rename(folder.parent / "b.png")
    answer = send(client, "5", {"h": HEAD}, image=2)
    assert (answer.status_code, "is_stroke_wrong" in answer.json()) == (503, False)
    (folder.parent / "b.png").rename(folder / "b.png")
    assert send(client, "5", {"h": HEAD}, image=2).status_code == 200


def test_what_was_drawn_on_another_file_is_kept_apart(client: TestClient, folder: Path) -> None:
    claim(client, ANN)
    version = client.get("/api/images/1", params=ANN).json()["version"]
    tile = "/api/images/1/tiles/0/0/0"
    assert "max-age" in client.get(tile, params={"v": version}).headers["cache-control"]
    assert client.get(tile).headers["cache-control"] == "no-store"
    Image.new("RGB", (60, 50)).save(folder / "a.png")
    assert client.get(tile, params={"v": version}).status_code == 410
    now = client.get("/api/images/1/state", params=ANN).json()["version"]
    assert now not in ("", version)
    strokes = [{"id": "stroke1xx", "changes": {"h": HEAD}}, {"id": "stroke2xx", "changes": {"g": {**HEAD, "x": 150}}}]
    answer = client.post("/api/images/1/strokes", json={**ANN, "strokes": strokes, "version": version}).json()
    assert all("file was replaced" in receipt["refused"] for receipt in answer["receipts"])
    assert (answer["version"], answer["late"]) == (now, 2)
    # Whoever looks at the new picture may take in what fits it.
    taken = client.post("/api/images/1/late", json=ANN).json()
    assert (taken["things"], taken["late"]) == ({"h": HEAD}, 1)
    answer = client.post("/api/images/1/late", json=ANN)
    assert (answer.status_code, "lies outside the picture" in answer.json()["detail"]) == (400, True)
    strokes = [{"id": "stroke3xx", "changes": {"f": HEAD}}]
    answer = client.post("/api/images/1/strokes", json={**ANN, "strokes": strokes, "version": now}).json()
    assert answer["receipts"][0]["refused"] == ""


def test_the_list_tells_one_start_from_another(
    client: TestClient, labelling: Labelling, open_labelling: Callable[..., Labelling]
) -> None:
    start = client.get("/api/images").json()["start"]
    assert client.get("/api/images?since=5").json()["start"] == start
    labelling.close()
    assert open_labelling().rows()["start"] != start


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names of files are text there")
def test_a_name_that_is_no_text_is_listed_and_the_rest_goes_on(
    folder: Path, open_labelling: Callable[..., Labelling]
) -> None:
    (folder / "b.png").rename(folder / os.fsdecode(b"b\xff.png"))
    labelling = open_labelling()
    client = TestClient(create_app(labelling), base_url=LOCAL)
    rows = client.get("/api/images").json()["rows"]
    assert [(row[1], row[2]) for row in rows] == [(1, "a.png"), (2, "c.jpg"), (-1, "b\\xff.png")]
    assert rows[2][8] == "Its name is no UTF-8: rename the file."
    assert [row[0] for row in rows] == [0, 1, 2]
    assert send(client, "1", {"h": HEAD}).status_code == 200


def test_suggestions_are_for_who_holds_the_image(client: TestClient, labelling: Labelling) -> None:
    claim(client, ANN)
    assert client.post("/api/images/1/suggest", json=BEN).status_code == 409
    labelling.assistant.ask = lambda image: Job("waiting")  # type: ignore[method-assign]
    assert client.post("/api/images/1/suggest", json=ANN).json()["job"]["state"] == "waiting"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8321"},
        {"host": "192.168.0.7:8321"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    for path in ("/", "/api/images", "/api/images/1/tiles/0/0/0"):
        assert client.get(path, headers=headers).status_code == 403
    assert client.post("/api/images/1/claim", json=ANN, headers=headers).status_code == 403


def test_this_machines_own_names_are_let_in(client: TestClient) -> None:
    for host in ("127.0.0.1:8321", "localhost:8321", "[::1]:8321", "127.0.0.1"):
        assert client.get("/api/folder", headers={"host": host}).status_code == 200
    same = {"origin": LOCAL, "sec-fetch-site": "same-origin"}
    assert client.post("/api/images/1/claim", json=ANN, headers=same).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


def test_bodies_are_bounded_and_must_say_that_they_are_json(client: TestClient) -> None:
    large = b" " * (MOST_BYTES + 1)
    assert client.post("/api/images/1/claim", content=large).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 2**20 + 1):
            yield b" " * 2**20

    kind = {"content-type": "application/json"}
    assert client.post("/api/images/1/claim", content=pieces(), headers=kind).status_code == 413
    form = {"content-type": "text/plain"}
    assert client.post("/api/images/1/claim", content=b'{"session": "annannann"}', headers=form).status_code == 422


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/api/folder", "/static/main.js"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
    assert client.get("/docs").status_code == 404


@pytest.fixture
def guarded(labelling: Labelling) -> Callable[[], TestClient]:
    return lambda: TestClient(
        create_app(labelling, host="0.0.0.0", token="opensesame42"), base_url="http://10.0.0.7:8321"
    )


def test_a_token_is_asked_for_where_others_can_come(guarded: Callable[[], TestClient]) -> None:
    client = guarded()
    assert client.get("/").status_code == 401
    assert client.get("/enter/wrong").status_code == 401
    assert client.get("/api/folder", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/api/folder", headers={"authorization": "Bearer opensesame42"}).status_code == 200
    assert client.get("/api/folder", headers={"host": "evil.example"}).status_code == 403


def test_a_name_is_offered_where_the_server_is_this_machines_alone(
    client: TestClient, guarded: Callable[[], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    assert client.get("/api/folder").json()["person"] == "ann"
    headers = {"authorization": "Bearer opensesame42"}
    assert guarded().get("/api/folder", headers=headers).json()["person"] == ""


def test_the_link_lets_a_browser_in(guarded: Callable[[], TestClient]) -> None:
    client = guarded()
    cookie = client.get("/enter/opensesame42").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/folder").status_code == 200


def test_two_servers_of_one_machine_let_a_browser_in_side_by_side(labelling: Labelling) -> None:
    cookies: dict[str, str] = {}  # a browser has them by the name of a machine, for all of its ports
    servers = {}
    for port, token in ((8321, "opensesame42"), (8322, "opensesame43")):
        client = TestClient(create_app(labelling, host="0.0.0.0", token=token), base_url=f"http://10.0.0.7:{port}")
        client.get(f"/enter/{token}")
        cookies |= dict(client.cookies)
        client.cookies.clear()
        servers[port] = client
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    assert [each.get("/api/folder", headers=headers).status_code for each in servers.values()] == [200, 200]
    assert [each.get("/api/folder").status_code for each in servers.values()] == [401, 401]


@pytest.mark.parametrize("path", ["/", "/enter/wrong"])
def test_who_opens_the_address_without_its_token_is_told_on_a_page(
    guarded: Callable[[], TestClient], path: str
) -> None:
    answer = guarded().get(path, headers={"sec-fetch-mode": "navigate"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "the link" in answer.text
    headers = {"sec-fetch-mode": "navigate", "host": "<b>evil.example"}
    answer = guarded().get(path, headers=headers)
    assert answer.status_code == 403
    assert "&lt;b&gt;evil.example" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.filterwarnings("ignore")
def test_whatever_is_sent_gets_an_answer_of_the_contract(labelling: Labelling) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="the contract is tested with schemathesis (dev extra)")
    from hypothesis import HealthCheck, Phase, given, settings

    labelling.assistant.ask = lambda image: Job("waiting")  # type: ignore[method-assign]
    client = TestClient(create_app(labelling), base_url=LOCAL, raise_server_exceptions=False)
    schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 11
    for operation in operations:

        @settings(max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            made = case.as_transport_kwargs(base_url=LOCAL)
            made = {key: value for key, value in made.items() if key in ("method", "url", "json", "params", "headers")}
            made["headers"] = {key: value for key, value in made["headers"].items() if value.isprintable()}
            answer = client.request(**made)
            assert answer.status_code < 500, answer.text
            assert answer.status_code == 200 or str(answer.status_code) in case.operation.definition.raw["responses"]
            kind = answer.headers["content-type"]
            assert kind == "application/json" or (answer.status_code == 200 and kind == "image/jpeg")

        check()
