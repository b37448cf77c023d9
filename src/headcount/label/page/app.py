"""The labelling server's addresses: what the page asks, in HTTP. What is done with it is ``Labelling``'s."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from headcount.core.errors import HeadcountError
from headcount.label.page.pictures import ReplacedError
from headcount.label.page.schema import BoxesBody, ClaimBody, Name, SessionId, StrokesBody, Who
from headcount.label.page.session import Labelling, NotHeldError, UnreadableError
from headcount.label.page.store import StoreError, StoreFullError, Stroke
from headcount.label.page.things import WrongStrokeError
from headcount.web.guard import Guard, is_local
from headcount.web.page import add_page

ImageId = Annotated[int, Path(ge=1, le=2**53)]
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "what was sent cannot be done, and why",
        401: "no token",
        403: "another site, or another name of this machine",
        404: "no such image, tile or file",
        409: "the image is held by somebody else",
        410: "the image's file was replaced: open it anew",
        413: "too much at once",
        421: "another folder's labels are meant than those that are served here",
        422: "what was sent is malformed, and where",
        503: "the database, or the image, cannot be read or written now: send it again",
        507: "the disk is full; what was saved is kept",
    }.items()
}
_STATUSES: tuple[tuple[type[HeadcountError], int], ...] = (
    (StoreFullError, 507), (StoreError, 503), (UnreadableError, 503), (NotHeldError, 409),
    (ReplacedError, 410),
)  # fmt: skip
DATABASE_HEADER, DATABASE_QUERY = "headcount-database", "database"
"""Where a request says whose labels it means: a server of another folder may have taken the address meanwhile."""


def create_app(labelling: Labelling, *, host: str = "127.0.0.1", token: str = "") -> Guard:
    """The server of one folder as an ASGI application.

    Args:
        labelling: what it serves; whoever made it closes it.
        host: the address that it will be bound to, by which foreign requests are told.
        token: what browsers must know, once; empty: nothing.
    """
    app = FastAPI(
        title="Labels of a folder", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", responses=_ERRORS
    )

    @app.exception_handler(HeadcountError)
    def say(request: Request, error: HeadcountError) -> JSONResponse:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
        # What is wrong with a stroke stays so; whatever else is in its way may pass, and its sender keeps it.
        marks = {"is_stroke_wrong": True} if isinstance(error, WrongStrokeError) else {}
        return JSONResponse({"detail": error.message, **marks}, status)

    @app.exception_handler(RequestValidationError)
    def say_where(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the values themselves: a stroke of a thousand corners would be sent back whole.
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return JSONResponse({"detail": f"{where}: {first['msg']}"}, 422)

    def known(image: ImageId) -> int:
        if not labelling.has(image):
            raise HTTPException(
                404,
                f"There is no image {image} in this folder: if its file was taken away, put it back and start the "
                "server anew.",
            )
        return image

    def refuse_strangers(request: Request) -> None:
        meant = request.headers.get(DATABASE_HEADER) or request.query_params.get(DATABASE_QUERY)
        if meant and meant != labelling.database_id:
            raise HTTPException(421, "Another folder is served here now: load the page again.")

    api = APIRouter(prefix="/api/images", dependencies=[Depends(refuse_strangers)])

    add_page(app, "headcount.label.page", token=token)

    @app.get("/api/folder")
    def folder() -> dict[str, Any]:
        return labelling.about(is_local=is_local(host))

    @api.get("")
    def images(since: Annotated[int, Query(ge=0, le=2**53)] = 0) -> dict[str, Any]:
        return labelling.rows(since)

    @api.get("/{image}")
    def document(image: ImageId, person: Annotated[Name, Query()], session: Annotated[SessionId, Query()]) -> Any:
        return labelling.document(known(image), person, session)

    @api.get("/{image}/state")
    def state(image: ImageId, person: Annotated[Name, Query()], session: Annotated[SessionId, Query()]) -> Any:
        return labelling.state(known(image), person, session)

    @api.post("/{image}/claim")
    def claim(image: ImageId, body: Annotated[ClaimBody, Body()]) -> dict[str, Any]:
        return labelling.claim(
            known(image), body.session, body.person, over=body.over, former=body.former or "", renew=body.renew
        )

    @api.post("/{image}/release")
    def release(image: ImageId, body: Annotated[Who, Body()]) -> dict[str, Any]:
        labelling.release(known(image), body.session)
        return {}

    @api.post("/{image}/strokes")
    def strokes(image: ImageId, body: Annotated[StrokesBody, Body()]) -> dict[str, Any]:
        given = [Stroke(one.id, one.kind, one.plain()) for one in body.strokes]
        return labelling.strokes(known(image), body.session, body.person, given, version=body.version)

    @api.post("/{image}/late")
    def late(image: ImageId, body: Annotated[Who, Body()]) -> dict[str, Any]:
        return labelling.take_late(known(image), body.session, body.person)

    @api.post("/{image}/boxes")
    def boxes(image: ImageId, body: Annotated[BoxesBody, Body()]) -> dict[str, Any]:
        return labelling.boxes(known(image), body.plain(), body.within)

    @api.post("/{image}/suggest")
    def suggest(image: ImageId, body: Annotated[Who, Body()]) -> dict[str, Any]:
        return labelling.suggest(known(image), body.session, body.person)

    @api.get("/{image}/tiles/{level}/{column}/{row}", response_class=Response)
    def tile(
        image: ImageId,
        level: Annotated[int, Path(ge=0, le=20)],
        column: Annotated[int, Path(ge=0, le=10**6)],
        row: Annotated[int, Path(ge=0, le=10**6)],
        v: Annotated[str, Query(max_length=80)] = "",
    ) -> Response:
        content = labelling.tile(known(image), level, column, row, version=v)
        if content is None:
            raise HTTPException(404, "The image has no tile there.")
        # Where its address names the version of the file, it stays so.
        keep = "private, max-age=86400" if v else "no-store"
        return Response(content, media_type="image/jpeg", headers={"cache-control": keep})

    app.include_router(api)
    return Guard(app, host=host, token=token)
