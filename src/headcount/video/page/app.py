"""The addresses that the page asks, in HTTP. What is done with it is ``Drawing``'s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from headcount.core.errors import HeadcountError
from headcount.video.page.schema import DraftBody, SaveBody
from headcount.video.page.session import Drawing
from headcount.web.guard import Guard
from headcount.web.page import add_page

_MOST_BYTES = 4 * 2**20


def create_app(drawing: Drawing, *, finish: Callable[[], None], host: str = "127.0.0.1", token: str = "") -> Guard:
    """The server of one camera's page as an ASGI application.

    Args:
        drawing: what it serves.
        finish: called when the person at the page is done.
        host: the address that it will be bound to, by which foreign requests are told.
        token: what browsers must know, once; empty: nothing.
    """
    app = FastAPI(title="Set up a camera", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(HeadcountError)
    def say(request: Request, error: HeadcountError) -> JSONResponse:
        return JSONResponse({"detail": error.message}, 400)

    @app.exception_handler(RequestValidationError)
    def say_where(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, 422)

    add_page(app, "headcount.video.page", token=token, days=1)

    @app.get("/api/place")
    def place() -> dict[str, Any]:
        return drawing.about()

    @app.get("/api/frame")
    def frame() -> Response:
        return Response(drawing.picture(), media_type="image/jpeg")

    @app.post("/api/look")
    def look(draft: Annotated[DraftBody, Body()]) -> dict[str, Any]:
        return drawing.look(draft)

    @app.post("/api/save")
    def save(body: Annotated[SaveBody, Body()]) -> dict[str, Any]:
        return drawing.save(body.draft, over=body.over)

    @app.post("/api/finish")
    def done() -> dict[str, Any]:
        finish()
        return {}

    return Guard(app, host=host, token=token, most_bytes=_MOST_BYTES)
