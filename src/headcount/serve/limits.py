"""How much a server takes on: places, bytes, pixels and seconds. All of it is bounded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.settings import Positive, Settings

MEGABYTE = 2**20


class Limits(Settings):
    """What a server takes on.

    Attributes:
        queue: requests that may wait for the one that is being counted; more are told to come again.
        deadline_s: from the arrival of a request's body to its answer.
        most_bytes: of one image.
        most_pixels: of one image, from its header, before it is decoded.
        held_bytes: of all images that are in hand at once, arriving or waiting.
        upload_s: how long a body of one image may take to arrive…
        job_upload_s: …and that of a job.
        most_jobs: that are kept, running, waiting and done.
        job_bytes: of the files of one job.
        jobs_bytes: of all jobs together, on the disk.
        job_files: files of one job.
        keep_jobs_s: how long a job is kept after its end.
        listeners: pages that are told of cameras as they go, at once.
    """

    queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    deadline_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    most_bytes: Annotated[int, Field(ge=1024, le=2**31)] = 64 * MEGABYTE
    most_pixels: Annotated[int, Field(ge=1)] = DEFAULT_MAX_PIXELS
    held_bytes: Annotated[int, Field(ge=1024)] = 512 * MEGABYTE
    upload_s: Positive = 30.0
    job_upload_s: Positive = 600.0
    most_jobs: Annotated[int, Field(ge=0, le=10_000)] = 50
    job_bytes: Annotated[int, Field(ge=1024)] = 1024 * MEGABYTE
    jobs_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * MEGABYTE
    job_files: Annotated[int, Field(ge=1)] = 100_000
    keep_jobs_s: Positive = 24 * 3600.0
    listeners: Annotated[int, Field(ge=1, le=10_000)] = 64
