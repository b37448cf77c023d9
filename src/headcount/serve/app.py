"""The server as an ASGI application: its addresses in one place, each part's in a module of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import Receive, Scope, Send

from headcount import __version__
from headcount.core.errors import HeadcountError
from headcount.serve.camera_routes import camera_router
from headcount.serve.count_routes import count_router
from headcount.serve.early import EarlyRefusal
from headcount.serve.history_source import HistorySource
from headcount.serve.job_routes import job_router
from headcount.serve.schema import About, Health, Model, Problem, Readiness
from headcount.serve.service import Service
from headcount.serve.upload import GoneError
from headcount.web.drain import IS_READ, answer_unread
from headcount.web.guard import Guard
from headcount.web.page import add_page

_OPEN = ("/healthz", "/readyz")
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": Problem}
    for status, text in {
        401: "no token, or another",
        403: "another site, or another name of this machine",
        413: "too much at once",
        422: "a part of the request is malformed, and which",
    }.items()
}
_ABOUT = """Counts people in images, does jobs on many images and videos, and tells what cameras see.

Where all places are taken it answers 503 with `Retry-After` at once; what it accepts it answers. Errors are
`{"detail": "a sentence"}`. Where a token is set, send it as `Authorization: Bearer TOKEN`.
"""


class UnreadResponse(JSONResponse):
    """An answer that may come before the body was read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and read on."""
        is_read = bool(scope.get(IS_READ, False))
        await answer_unread(receive, send, self.status_code, self.raw_headers, bytes(self.body), is_read=is_read)


def create_app(
    service: Service,
    *,
    history: HistorySource | None = None,
    host: str = "127.0.0.1",
    token: str = "",
    names: Collection[str] = (),
) -> Guard:
    """The server as an ASGI application.

    Args:
        service: what it serves; whoever made it starts and closes it.
        history: where what was measured is read; None where no site is watched.
        host: the address that it will be bound to, by which foreign requests are told.
        token: what clients must know; empty: nothing.
        names: other names that it is reached by.
    """
    app = FastAPI(
        title="headcount", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", responses=_ERRORS,
        openapi_tags=[
            {"name": "count", "description": "One image, counted while you wait"},
            {"name": "jobs", "description": "Many images, videos, folders"},
            {"name": "cameras", "description": "Live state, history and alerts of a site that is watched"},
            {"name": "server", "description": "What this server is, and how it does"},
        ],
    )  # fmt: skip
    _add_errors(app)
    app.include_router(count_router(service))
    app.include_router(job_router(service))
    if service.live is not None:
        app.include_router(camera_router(service.live, service.monitor, history or HistorySource(service.live)))
    _add_server(app, service)
    add_page(app, "headcount.serve", token=token)
    most = max(service.limits.job_bytes, service.limits.most_bytes) + 2**16
    return Guard(EarlyRefusal(app, service), host=host, token=token, most_bytes=most, open_paths=_OPEN, names=names)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HeadcountError)
    def say(request: Request, error: HeadcountError) -> JSONResponse:
        return JSONResponse({"detail": error.message}, 400)

    @app.exception_handler(StarletteHTTPException)
    def say_at_once(request: Request, error: StarletteHTTPException) -> Response:
        # Whoever is too slow is not waited for any longer.
        kind = JSONResponse if error.status_code == 408 else UnreadResponse
        return kind({"detail": error.detail}, error.status_code, dict(error.headers or {}))

    @app.exception_handler(GoneError)
    def say_nothing(request: Request, error: GoneError) -> Response:
        return Response(status_code=499)

    @app.exception_handler(RequestValidationError)
    def say_where(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, 422)

    @app.exception_handler(Exception)
    def say_unforeseen(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": f"Something unforeseen went wrong ({type(error).__name__})."}, 500)


def _add_server(app: FastAPI, service: Service) -> None:
    @app.get("/api/about", tags=["server"], summary="What this server is")
    def about() -> About:
        return About(
            version=__version__,
            models=[
                Model(name=one.name, terms=one.terms, pictures=list(one.pictures)) for one in service.dispatcher.models
            ],
            site=None if service.live is None else service.live.site.name,
            folders=[str(root) for root in service.roots],
            most_bytes=service.limits.most_bytes, most_pixels=service.limits.most_pixels,
            deadline_s=service.limits.deadline_s, queue=service.limits.queue,
        )  # fmt: skip

    @app.get("/healthz", tags=["server"], summary="Whether it is alive; needs no token")
    async def alive() -> Health:
        return Health()

    @app.get(
        "/readyz", tags=["server"], summary="Whether it can count now; needs no token",
        responses={503: {"description": "not now", "model": Readiness}},
    )  # fmt: skip
    async def ready(response: Response) -> Readiness:
        state: Any = "stopping" if service.is_stopping.is_set() else service.dispatcher.state
        response.status_code = 200 if state == "ready" else 503
        reason = service.dispatcher.reason if state == "failed" else ""
        return Readiness(status=state, reason=reason, waiting=len(service.queue), places=service.queue.places)

    @app.get(
        "/metrics", tags=["server"], summary="Numbers for Prometheus", response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
