"""A page that lies in a package: its files, and the link by which a browser is let in once."""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from headcount.web.guard import cookie_name

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_DAY_S = 86400


def add_page(app: FastAPI, package: str, *, token: str = "", days: int = 30) -> None:
    """Answer ``/`` with a package's ``static/page.html``, ``/static/NAME`` with what lies beside it, and
    ``/enter/TOKEN`` with a cookie that lets the browser in for so many days.

    Args:
        app: whose addresses they become.
        package: the package with the folder ``static``, as in ``headcount.serve``.
        token: what browsers must know; empty: nothing.
        days: how long a browser that knew it once is let in.
    """
    files = {
        each.name: each.read_bytes()
        for each in resources.files(package).joinpath("static").iterdir()
        if each.name.endswith(tuple(_TYPES))
    }

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return Response(files["page.html"], media_type="text/html", headers={"cache-control": "no-cache"})

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "There is no such file.")
        kind = _TYPES["." + name.rpartition(".")[2]]
        return Response(files[name], media_type=kind, headers={"cache-control": "no-cache"})

    @app.get("/enter/{given}", include_in_schema=False)
    def enter(given: str, request: Request) -> Response:
        # Whether it is the token, the guard has looked already.
        # The page is loaded by this one: a browser that came from another site's link sends no strict cookie along.
        response = HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>headcount</title>')
        if token:
            name = cookie_name(request.headers.get("host", ""))
            response.set_cookie(name, token, httponly=True, samesite="strict", path="/", max_age=days * _DAY_S)
        return response
