"""The server's addresses: who is let in, what every answer carries, and the document that describes them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headcount.video.site import Site

from .conftest import Served

TOKEN = "correcthorse99"


def test_without_the_token_only_health_is_told(serve: Callable[..., Served]) -> None:
    served = serve(token=TOKEN)
    paths = ("/", "/api/about", "/api/jobs", "/metrics", "/api/openapi.json", "/static/page.css")
    assert {served.client.get(path).status_code for path in paths} == {401}
    assert served.count("hello").status_code == 401
    for path in ("/healthz", "/readyz"):
        assert served.client.get(path).status_code == 200
    with_token = {"authorization": f"Bearer {TOKEN}"}
    assert served.client.get("/api/about", headers=with_token).status_code == 200
    assert served.client.get("/api/about", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert TOKEN not in served.client.get("/api/about", headers=with_token).text
    entered = served.client.get(f"/enter/{TOKEN}")
    assert "httponly" in entered.headers["set-cookie"].lower()
    assert served.client.get("/api/about").status_code == 200


def test_each_address_and_method_needs_the_token(serve: Callable[..., Served], site: Site, site_folder: Path) -> None:
    served = serve(token=TOKEN, site=site, folder=site_folder)
    with_token = {"authorization": f"Bearer {TOKEN}"}
    document = served.client.get("/api/openapi.json", headers=with_token).json()
    others = {"/", "/static/main.js", "/api/openapi.json", "/docs", "/redoc", "/enter/wrong", "/enter/", "/healthz/x"}
    fill = {"{name}": "north", "{job_id}": "x", "{alert_id}": "breach1", "{given}": "wrong"}
    tried = 0
    for path in sorted({*document["paths"], *others} - {"/healthz", "/readyz"}):
        for old, new in fill.items():
            path = path.replace(old, new)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for headers in ({}, {"authorization": f"Bearer {TOKEN[:-1]}"}, {"cookie": f"headcount_80={TOKEN}"}):
                assert served.client.request(method, path, headers=headers).status_code == 401, (method, path)
                tried += 1
    assert tried > 300
    (alert,) = served.client.get("/api/alerts", headers=with_token).json()["alerts"]
    assert alert["acknowledged_by"] == ""


def test_the_server_itself_loads_nothing_that_only_its_worker_needs() -> None:
    text = "import sys, headcount.serve.server; print([name for name in sys.modules if name in %r])"
    heavy = ("cv2", "scipy", "onnxruntime", "av", "torch", "shapely")
    ran = subprocess.run([sys.executable, "-c", text % (heavy,)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_other_sites_and_names_are_refused_and_no_origin_is_invited(plain: Served) -> None:
    served = plain
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = served.client.post("/api/count", content=b"hello", headers=headers)
        assert answer.status_code == 403
    answer = served.client.options(
        "/api/count", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
    )
    assert answer.status_code == 403
    answer = served.client.get("/api/about")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


def test_names_of_a_proxy_are_known_where_they_are_given() -> None:
    from starlette.testclient import TestClient

    from headcount.web.guard import App, Guard

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def status(guard: App, **headers: str) -> int:
        return TestClient(guard, base_url="http://count.example").post("/", headers=headers).status_code

    named = Guard(app, names=("Count.example",))
    assert status(Guard(app)) == 403
    assert status(named) == 204
    for origin, expected in (("https://count.example", 204), ("https://evil.example", 403), ("null", 403)):
        assert status(named, origin=origin) == expected


def test_the_page_and_its_files_are_there(plain: Served) -> None:
    served = plain
    page = served.client.get("/")
    assert "text/html" in page.headers["content-type"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert served.client.get("/static/page.css").headers["content-type"].startswith("text/css")
    for wrong in ("/static/nothing.js", "/static/..%2Fapp.py", "/api/nothing", "/api/cameras"):
        assert served.client.get(wrong).status_code == 404


def test_the_document_describes_every_address(square: Served) -> None:
    served = square
    document = served.client.get("/api/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert {"/api/count", "/api/jobs", "/api/cameras/{name}/history", "/api/live", "/readyz"} <= set(document["paths"])
    assert all(one.get("summary") for one in operations)
    count = document["paths"]["/api/count"]["post"]
    assert {"image/*", "multipart/form-data"} <= set(count["requestBody"]["content"])
    assert {"200", "400", "408", "413", "422", "500", "503", "504"} <= set(count["responses"])
    assert document["components"]["schemas"]["Count"]["properties"]["people"]["examples"] == [117]


@pytest.mark.slow
def test_what_is_answered_is_as_the_document_says(
    serve: Callable[..., Served], tiny_model: str, site: Site, site_folder: Path
) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="the document is tested with schemathesis (dev extra)")
    from hypothesis import HealthCheck, Phase, settings

    served = serve(tiny_model, site=site, folder=site_folder)
    schema = schemathesis.openapi.from_url(f"{served.address}api/openapi.json")
    checks = schemathesis.checks
    tried: list[str] = []
    for result in schema.exclude(path="/api/live").get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate], database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def conforms(case: object) -> None:
            response = case.call(timeout=20)  # type: ignore[attr-defined]
            case.validate_response(  # type: ignore[attr-defined]
                response,
                checks=[
                    checks.not_a_server_error, checks.response_schema_conformance, checks.content_type_conformance,
                ] if response.status_code not in (503,) else [checks.response_schema_conformance],
            )  # fmt: skip

        schemathesis_given = operation.as_strategy()
        from hypothesis import given

        given(case=schemathesis_given)(conforms)()
        tried.append(operation.label)
    assert len(tried) >= 15


def test_errors_are_answered_without_waiting_for_more_of_a_body_that_was_read(plain: Served) -> None:
    served = plain
    connections = [served.client, served.client]
    began = time.monotonic()
    for _ in range(5):
        for client in connections:
            assert client.post("/api/jobs", json={"path": "/nowhere"}).status_code == 403
            assert client.post("/api/count", content=b"").status_code == 400
            assert client.get("/api/nothing").status_code == 404
    assert time.monotonic() - began < 4.9  # one wait would be five seconds


def test_a_listener_that_never_reads_holds_nobody_up(square: Served) -> None:
    import socket

    served = square
    host = served.address.split("/")[2]
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))) as one:
        one.sendall(f"GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(0.3)
        done = threading.Event()
        threading.Thread(target=lambda: (served.count("hello"), done.set())).start()
        assert done.wait(10)
