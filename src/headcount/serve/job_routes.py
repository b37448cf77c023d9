"""`/api/jobs`: many images, a video, or a folder of this machine, counted behind the requests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, StreamingResponse

from headcount.core.errors import InputError
from headcount.data.media.sources import SourceFile
from headcount.data.media.video import is_video
from headcount.infer.job import find_sources
from headcount.serve.count_routes import known_model
from headcount.serve.job_store import Job, JobFile, NoRoomError, Upload
from headcount.serve.schema import FolderJob, Jobs, JobState, Problem
from headcount.serve.service import Service
from headcount.serve.upload import Form, chunks_of, file_name, read_json_body

_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"files": {"type": "array", "items": _FILE}}, "required": ["files"]}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "A form with image and video files; the bytes of one file; or, as JSON, a folder of the server.",
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/octet-stream": {"schema": _FILE},
            "application/json": {"schema": FolderJob.model_json_schema()},
        },
    }
}
_EveryS = Annotated[float, Query(gt=0, le=86400, description="Seconds between the frames of a video.")]
_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}


def job_router(service: Service) -> APIRouter:
    """The addresses of jobs."""
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])
    store = service.store

    def known(job_id: str) -> Job:
        job = store.find(job_id)
        if job is None:
            raise HTTPException(404, "There is no such job: it was deleted, or its time was over.")
        return job

    @router.post(
        "", status_code=202, summary="Have many images, a video or a folder counted", response_model=JobState,
        openapi_extra=_BODY,
        responses={
            400: {"description": "nothing of it can be counted, and why", "model": Problem},
            403: {"description": "the folder is none that jobs may read", "model": Problem},
            408: {"description": "the body did not arrive in time", "model": Problem},
            413: {"description": "too many bytes, or files", "model": Problem},
            503: {"description": "no job more is kept now", "model": Problem},
            507: {"description": "the disk is full", "model": Problem},
        },
    )  # fmt: skip
    async def make(
        request: Request,
        model: Annotated[str, Query(max_length=200)] = "",
        every_s: _EveryS = 1.0,
        name: Annotated[str, Query(max_length=400, description="Of the file, where the body is one.")] = "",
    ) -> JobState:
        """Files are kept until the job is deleted, or its time is over. No address on the network is ever opened.

        Of a folder on the server's machine, which must lie below one that its operator allowed, send
        `{"path": "/data/photos"}` as JSON.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            given = await read_json_body(request, FolderJob, within_s=service.limits.upload_s)
            known_model(service, given.model)
            job = await run_in_threadpool(_of_folder, service, given)
        else:
            known_model(service, model)
            job = await _of_upload(service, request, model, every_s, name)
        service.runner.wake()
        return store.state(job)

    @router.get("", summary="All jobs that are kept")
    def jobs() -> Jobs:
        return Jobs(jobs=store.states())

    @router.get("/{job_id}", summary="A job", responses={404: {"model": Problem}})
    def one(job_id: str) -> JobState:
        return store.state(known(job_id))

    @router.get(
        "/{job_id}/results", summary="What was counted so far", response_class=Response,
        responses={
            200: {
                "description": "Counts as of `/api/count`, or `problem` or `remark` for what could not be counted",
                "content": {
                    "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
                    "application/jsonl": {"schema": {"type": "string"}},
                    "text/csv": {"schema": {"type": "string"}},
                },
            },
            404: {"model": Problem},
        },
    )  # fmt: skip
    def results(
        job_id: str,
        file_format: Annotated[Literal["json", "jsonl", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        job = known(job_id)
        path = job.folder / ("results.csv" if file_format == "csv" else "results.jsonl")
        if file_format == "json":
            return StreamingResponse(_as_list(path), media_type="application/json")
        headers = {"content-disposition": f'attachment; filename="job-{job.id}.{file_format}"'}
        if not path.exists():
            return Response(b"", media_type=_TYPES[file_format], headers=headers)
        return FileResponse(path, media_type=_TYPES[file_format], headers=headers)

    @router.delete("/{job_id}", status_code=204, summary="Stop and forget a job", responses={404: {"model": Problem}})
    def delete(job_id: str) -> Response:
        store.delete(known(job_id))
        return Response(status_code=204)

    return router


def _as_list(path: Path) -> Iterator[bytes]:
    yield b"["
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break  # it is being written
                yield (b"," if number else b"") + line.rstrip(b"\n")
    yield b"]"


async def _of_upload(service: Service, request: Request, model: str, every_s: float, name: str) -> Job:
    """A job of what was sent; where anything goes wrong nothing of it stays."""
    limits = service.limits
    try:
        upload = service.store.new_upload()
    except NoRoomError as error:
        raise HTTPException(503, str(error), {"retry-after": "60"}) from error
    except OSError as error:
        raise _unwritten(error) from error
    try:
        most = min(limits.job_bytes, max(1, limits.jobs_bytes - service.store.bytes))
        await _received(request, upload, most, limits.job_upload_s, name)
        upload.close()
        files = await run_in_threadpool(_files_of, upload)
        return await run_in_threadpool(_add, service, upload.folder, files, model, every_s)
    except BaseException as error:
        await run_in_threadpool(upload.drop)
        if isinstance(error, NoRoomError):
            raise HTTPException(413, str(error)) from error
        if isinstance(error, OSError):
            raise _unwritten(error) from error
        raise


async def _received(request: Request, upload: Upload, most_bytes: int, within_s: float, name: str) -> None:
    """Write a body's files to the disk as they arrive."""
    chunks = chunks_of(request, most_bytes=most_bytes, within_s=within_s)
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = Form(request, upload.open)
        async for chunk in chunks:
            upload.arrived(len(chunk))
            await run_in_threadpool(form.write, chunk)
        form.close()
        return
    file = upload.open(file_name(name))
    async for chunk in chunks:
        upload.arrived(len(chunk))
        await run_in_threadpool(file.write, chunk)


def _files_of(upload: Upload) -> tuple[JobFile, ...]:
    files = [(path, name) for path, name in upload.files if path.stat().st_size]
    if not files:
        raise HTTPException(400, 'The body holds no file: send images or a video as files called "files".')
    return tuple(JobFile(path, name, is_video(path)) for path, name in files)


def _add(service: Service, folder: Path, files: tuple[JobFile, ...], model: str, every_s: float) -> Job:
    try:
        return service.store.add(folder, files, model=model, every_s=every_s)
    except InputError as error:
        raise HTTPException(507, error.message) from error


def _of_folder(service: Service, given: FolderJob) -> Job:
    """A job on files of this machine.

    Raises:
        HTTPException: they are not below an allowed folder, or none of them can be counted.
    """
    allowed = "This path is not below a folder that this server may read."
    try:
        real = Path(given.path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        # The same words: whoever asks does not learn what else lies on this machine.
        raise HTTPException(403, allowed) from None
    if not _is_inside(real, service.roots):
        raise HTTPException(403, allowed)
    try:
        sources = find_sources([str(real)], recursive=given.recursive)
    except InputError as error:
        raise HTTPException(400, error.message) from error
    if len(sources.files) > service.limits.job_files:
        raise HTTPException(
            413, f"A job has at most {service.limits.job_files:,} files, but {len(sources.files):,} are there."
        )
    files = tuple(_job_file(file, real) for file in sources.files if _is_inside(file.path, service.roots))
    notes = tuple(event.text for event in sources.events)
    outside = len(sources.files) - len(files)
    if outside:
        notes += (f"{outside:,} links lead outside the folders that this server may read, and are left out.",)
    if not files:
        raise HTTPException(400, "Nothing there can be counted. " + " ".join(notes))
    try:
        upload = service.store.new_upload()
    except NoRoomError as error:
        raise HTTPException(503, str(error), {"retry-after": "60"}) from error
    except OSError as error:
        raise _unwritten(error) from error
    try:
        return service.store.add(upload.folder, files, model=given.model, every_s=given.every_s, notes=notes)
    except (NoRoomError, InputError) as error:
        upload.drop()
        raise HTTPException(503 if isinstance(error, NoRoomError) else 507, str(error)) from error


def _is_inside(path: Path, roots: tuple[Path, ...]) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(root) for root in roots)


def _job_file(file: SourceFile, base: Path) -> JobFile:
    name = file.path.name if file.path == base else str(file.path.relative_to(base))
    return JobFile(file.path, name, file.kind == "video")


def _unwritten(error: OSError) -> HTTPException:
    return HTTPException(507, f"The files cannot be kept ({(error.strerror or str(error)).lower()}).")
