"""`/api/cameras`, `/api/alerts`, `/api/live`: what a site's cameras see now and saw before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from headcount.serve.history_source import HistorySource, alert_rows
from headcount.serve.live import Listener, Live
from headcount.serve.schema import Acknowledgement, Alert, Alerts, Camera, Cameras, History, Marks, Problem
from headcount.serve.schema import Live as LiveNow
from headcount.serve.supervise import Supervisor
from headcount.serve.upload import read_json_body
from headcount.serve.wire import Look

_BEAT_S = 10.0
_WHO_WITHIN_S = 10.0
_PICTURE_WITHIN_S = 3.0
_STEP_S = 0.05
_LONGEST = timedelta(days=366)
_NONE: dict[int | str, dict[str, Any]] = {
    404: {"description": "there is no such camera, or nothing of it yet", "model": Problem}
}
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_WHO = {
    "requestBody": {
        "required": True, "content": {"application/json": {"schema": Acknowledgement.model_json_schema()}}
    }
}  # fmt: skip
_Since = Annotated[datetime | None, Query(description="In ISO 8601, UTC where no zone is given; else an hour ago.")]
_Until = Annotated[datetime | None, Query(description="As `since`; else now.")]


def camera_router(live: Live, monitor: Supervisor | None, history: HistorySource) -> APIRouter:
    """The addresses of a site that is watched."""
    router = APIRouter(prefix="/api", tags=["cameras"])

    def known(name: str) -> str:
        if not live.has(name):
            raise HTTPException(404, f'The site has no camera "{name[:80]}".')
        return name

    @router.get("/cameras", summary="All cameras now")
    def cameras() -> Cameras:
        return Cameras(cameras=live.cameras())

    @router.get("/cameras/{name}", summary="A camera now", responses=_NONE)
    def camera(name: str) -> Camera:
        return live.camera(known(name))

    @router.get(
        "/cameras/{name}/picture", summary="Its newest picture, heads hidden as the site says", response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}, **_NONE},
    )  # fmt: skip
    async def picture(name: str) -> Response:
        """Pictures are made while somebody looks, are kept in memory alone, and only the newest."""
        known(name)
        if monitor is not None:
            await asyncio.to_thread(monitor.tell, Look(name))
        until = _now() + _PICTURE_WITHIN_S
        while (seen := live.picture(name)) is None and live.may_come(name) and _now() < until:
            await asyncio.sleep(_STEP_S)
        if seen is None:
            raise HTTPException(404, "There is no picture of this camera yet.", {"retry-after": "2"})
        return Response(seen.jpeg, media_type="image/jpeg", headers={"headcount-at": seen.at})

    @router.get("/cameras/{name}/marks", summary="What lies over its newest picture", responses=_NONE)
    def marks(name: str) -> Marks:
        return live.marks(known(name))

    @router.get("/cameras/{name}/history", summary="What was measured", responses=_NONE)
    def measured(
        name: str, since: _Since = None, until: _Until = None, most: Annotated[int, Query(ge=1, le=5000)] = 600
    ) -> History:
        first, last = _stretch(since, until)
        points = history.points(known(name), first, last, most)
        return History(camera=name, since=first, until=last, points=points)

    @router.get("/cameras/{name}/history.csv", summary="The same as a table", responses={**_CSV, **_NONE})
    def table(name: str, since: _Since = None, until: _Until = None) -> StreamingResponse:
        first, last = _stretch(since, until)
        rows = history.rows(known(name), first, last)
        return StreamingResponse(rows, media_type="text/csv", headers=_attached(f"{name}.csv"))

    @router.get("/alerts", summary="Alerts, the newest first")
    def alerts(open_only: bool = False) -> Alerts:
        found = live.alerts()
        return Alerts(alerts=[one for one in found if one.cleared is None] if open_only else found)

    @router.get("/alerts.csv", summary="The same as a table", responses=_CSV)
    def alert_table() -> StreamingResponse:
        return StreamingResponse(alert_rows(live.alerts()), media_type="text/csv", headers=_attached("alerts.csv"))

    @router.post(
        "/alerts/{alert_id}/acknowledge", summary="Say that it was seen", openapi_extra=_WHO,
        responses={
            404: {"description": "there is no such alert", "model": Problem},
            408: {"description": "the body did not arrive in time", "model": Problem},
        },
    )  # fmt: skip
    async def acknowledge(alert_id: str, request: Request) -> Alert:
        # Read here: what reads bodies elsewhere would take as many bytes as a job may have, into memory.
        given = await read_json_body(request, Acknowledgement, within_s=_WHO_WITHIN_S)
        alert = await run_in_threadpool(history.acknowledge, alert_id, given.who, datetime.now(UTC))
        if alert is None:
            raise HTTPException(404, "There is no such alert.")
        return alert

    @router.get(
        "/live", summary="What changes, as it does", response_class=StreamingResponse,
        responses={
            200: {
                "description": "Server-sent events: `now` first, then `camera`, `picture`, `alert`, `output` and "
                "`monitor` as they change, and `beat` where ten seconds go by without",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            503: {"description": "too many listen", "model": Problem},
        },
    )  # fmt: skip
    async def changes() -> StreamingResponse:
        listener = live.listen()
        if listener is None:
            raise HTTPException(503, "Too many pages are open at once: close one.", {"retry-after": "30"})
        return StreamingResponse(_events(live, listener), media_type="text/event-stream")

    @router.get("/live/now", summary="What `/api/live` tells first")
    def now() -> LiveNow:
        return live.now()

    return router


async def _events(live: Live, listener: Listener) -> AsyncIterator[bytes]:
    try:
        yield _event("now", live.now().model_dump_json())
        while not listener.is_closed:
            changed = await listener.take(_BEAT_S)
            yield b"".join(_event(event, data) for event, data in changed) or _event("beat", "{}")
    finally:
        live.leave(listener)


def _event(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _stretch(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    last = _utc(until) if until is not None else datetime.now(UTC)
    first = _utc(since) if since is not None else last - timedelta(hours=1)
    if first > last:
        raise HTTPException(400, "The stretch of time ends before it begins: exchange since and until.")
    if last - first > _LONGEST:
        raise HTTPException(400, "At most a year is told at once: ask for less.")
    return first, last


def _utc(at: datetime) -> datetime:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise HTTPException(400, "There is no such time.") from None


def _attached(name: str) -> dict[str, str]:
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)
    return {"content-disposition": f'attachment; filename="{plain}"'}
