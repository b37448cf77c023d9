"""The shortest way to say that all places are taken: before anything of the request is looked at but its address."""

from __future__ import annotations

import json
from time import perf_counter

from fastapi import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from headcount.serve.service import Service
from headcount.web.drain import answer_unread

COUNT = "/api/count"


class EarlyRefusal:
    """ASGI middleware: requests to count for which there is no place are answered here."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "http" and scope["path"] == COUNT and scope["method"] == "POST":
            began = perf_counter()
            try:
                self._service.refuse_full()
            except HTTPException as error:
                self._service.metrics.answered(error.status_code, perf_counter() - began)
                body = json.dumps({"detail": error.detail}).encode()
                headers = {"content-type": "application/json", "content-length": str(len(body))}
                headers |= dict(error.headers or {})
                plain = [(key.encode(), value.encode()) for key, value in headers.items()]
                await answer_unread(receive, send, error.status_code, plain, body)
                return
        await self._app(scope, receive, send)
