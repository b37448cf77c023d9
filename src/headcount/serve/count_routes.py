"""`POST /api/count`: one image in, the count or its overlay out."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response

from headcount.core.kinds import Hiding, PictureKind
from headcount.serve.schema import Count, Problem
from headcount.serve.service import Service
from headcount.serve.upload import GoneError, file_name, read_image_body
from headcount.serve.work import CountWork, Done, Refused

_GONE = 499  # as nginx calls it; nobody reads it
_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"image": _FILE}, "required": ["image"]}
BODY = {
    "requestBody": {
        "required": True,
        "description": "The image: the bytes of its file, or a form with one file.",
        "content": {
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The count, or the overlay",
        "content": {"image/png": {"schema": _FILE}, "image/jpeg": {"schema": _FILE}},
        "model": Count,
    },
    400: {"description": "the body is no image that can be counted, and why", "model": Problem},
    408: {"description": "the body did not arrive in time", "model": Problem},
    413: {"description": "the image has too many bytes", "model": Problem},
    500: {"description": "the image ended the process that counts, twice", "model": Problem},
    503: {
        "description": "all places are taken, or nothing can be counted now: come again",
        "model": Problem,
        "headers": {"Retry-After": {"description": "in so many seconds", "schema": {"type": "integer"}}},
    },
    504: {"description": "it was not counted before the deadline, and will not be", "model": Problem},
}  # fmt: skip
_ModelName = Annotated[
    str, Query(max_length=200, description="One of the models that the server has open; empty: its first.")
]
_Picture = Annotated[
    PictureKind | None,
    Query(description="Answer with an overlay that shows this, instead of JSON; `Accept: image/png` does the same."),
]
_Format = Annotated[
    Literal["png", "jpeg"] | None, Query(alias="format", description="Of the overlay; else as `Accept` says, else PNG.")
]
_Hide = Annotated[Hiding, Query(description="Hide the heads that were found in the overlay.")]
_Heat = Annotated[bool, Query(description="Add a coarse density map to the JSON.")]
_Name = Annotated[str, Query(max_length=400, description="What the answer calls the image.")]


def count_router(service: Service) -> APIRouter:
    """The addresses of counting."""
    router = APIRouter(tags=["count"])

    @router.post(
        "/api/count", summary="Count the people in an image", response_class=Response, responses=ANSWERS,
        openapi_extra=BODY,
    )  # fmt: skip
    async def count(
        request: Request,
        model: _ModelName = "",
        picture: _Picture = None,
        file_format: _Format = None,
        hide: _Hide = "off",
        heat: _Heat = False,
        name: _Name = "",
    ) -> Response:
        """Send the bytes of an image file, or a form with one file.

        The answer is the count with its range, points and warnings, as JSON; with `picture=` or `Accept: image/png` it
        is the image with the result drawn on it. Where all places are taken, 503 says when to come again.
        """
        began = perf_counter()
        status = 500
        try:
            known_model(service, model)
            wanted, kind = _wanted(request, picture, file_format)
            response = await _counted(service, request, model, wanted, kind, hide, heat, name)
            status = response.status_code
            return response
        except HTTPException as error:
            status = error.status_code
            raise
        except GoneError:
            status = _GONE
            return Response(status_code=_GONE)
        except asyncio.CancelledError:
            status = _GONE
            raise
        finally:
            service.metrics.answered(status, perf_counter() - began)

    return router


async def _counted(
    service: Service,
    request: Request,
    model: str,
    picture: PictureKind | None,
    kind: str,
    hide: Hiding,
    heat: bool,
    name: str,
) -> Response:
    limits = service.limits
    with service.held.holding() as holding:
        content, sent_name = await read_image_body(
            request, holding, most_bytes=limits.most_bytes, within_s=limits.upload_s
        )
        called = file_name(name) if name else sent_name
        work = CountWork(content, called, model, picture, kind, hide if picture else "off", heat)
        answer = await service.answer(work, request)
    if isinstance(answer, Refused):
        raise HTTPException(answer.status, answer.sentence)
    assert isinstance(answer, Done)
    return Response(answer.content, media_type=answer.media_type, headers={"vary": "accept"})


def _wanted(request: Request, picture: PictureKind | None, file_format: str | None) -> tuple[PictureKind | None, str]:
    """What the overlay shows (None: no overlay) and its format."""
    accepted = request.headers.get("accept", "").lower()
    asked = next((kind for kind in ("png", "jpeg") if f"image/{kind}" in accepted), None)
    if "application/json" in accepted:
        asked = None
    kind = file_format or asked or "png"
    wanted: PictureKind | None = picture or ("auto" if asked or file_format else None)
    return wanted, kind.upper()


def known_model(service: Service, model: str) -> None:
    """Refuse a model that the server does not have open.

    Raises:
        HTTPException: so it is.
    """
    names = [one.name for one in service.dispatcher.models]
    if model and model not in names:
        told = ", ".join(names) or "none yet"
        raise HTTPException(400, f'This server does not have the model "{model[:80]}" open: it has {told}.')
