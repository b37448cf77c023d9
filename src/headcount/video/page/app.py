"""The addresses that the page asks, in HTTP. What is done with it is ``Drawing``'s."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse

from headcount.core.errors import HeadcountError
from headcount.video.page.schema import DraftBody, SaveBody
from headcount.video.page.session import Drawing
from headcount.web.guard import Guard, cookie_name

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
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
    files = {
        each.name: each.read_bytes()
        for each in resources.files("headcount.video.page").joinpath("static").iterdir()
        if each.name.endswith(tuple(_TYPES))
    }

    @app.exception_handler(HeadcountError)
    def say(request: Request, error: HeadcountError) -> JSONResponse:
        return JSONResponse({"detail": error.message}, 400)

    @app.exception_handler(RequestValidationError)
    def say_where(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"detail": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, 422)

    @app.get("/")
    def page() -> Response:
        return Response(files["page.html"], media_type="text/html", headers={"cache-control": "no-cache"})

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "There is no such file.")
        kind = _TYPES["." + name.rpartition(".")[2]]
        return Response(files[name], media_type=kind, headers={"cache-control": "no-cache"})

    @app.get("/enter/{given}")
    def enter(given: str, request: Request) -> Response:
        # Whether it is the token, the guard has looked already. The page is loaded by this one: a browser that came
        # from another site's link sends no strict cookie along.
        response = HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>headcount</title>')
        if token:
            name = cookie_name(request.headers.get("host", ""))
            response.set_cookie(name, token, httponly=True, samesite="strict", path="/", max_age=86400)
        return response

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
