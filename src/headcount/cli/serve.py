"""`headcount serve`: the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import (
    DeviceOption,
    IntervalOption,
    MaxPixelsOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
)
from headcount.cli.serving import HostOption, PortOption, tell_address, token_for
from headcount.core.limits import DEFAULT_LEVEL, DEFAULT_MAX_PIXELS


def serve(
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="CONFIG", show_default=False, help="Watch the cameras of this site's file too."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="NAME|FILE", show_default=False,
            help="A model to have open, the first being the default; give the option again for more.",
        ),
    ] = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="WORD", show_default=False, envvar="HEADCOUNT_TOKEN",
            help="What clients must know (letters and digits); made up where one is needed and none is given.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", show_default=False,
            help="Another name by which the server is reached: a proxy's, or a container's; again for more.",
        ),
    ] = None,
    allow: Annotated[
        list[Path] | None,
        typer.Option(
            "--allow", metavar="FOLDER", show_default=False,
            help="Let jobs read the files below this folder; give the option again for more. Else none are read.",
        ),
    ] = None,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--jobs", metavar="FOLDER", show_default=False,
            help="Keep jobs there, and go on with them after a restart; else they end with the server.",
        ),
    ] = None,
    keep_jobs: Annotated[
        float, typer.Option("--keep-jobs", metavar="HOURS", min=0.01, help="Keep a job so long after its end.")
    ] = 24,
    queue: Annotated[
        int, typer.Option("--queue", metavar="NUMBER", min=0, max=10_000, help="Requests that may wait; more get 503.")
    ] = 16,
    deadline: Annotated[
        float,
        typer.Option("--deadline", metavar="SECONDS", min=0.1, max=3600, help="Answer 504 to what takes longer."),
    ] = 30,
    most_megabytes: Annotated[
        int, typer.Option("--most-megabytes", metavar="NUMBER", min=1, max=2048, help="Refuse images with more bytes.")
    ] = 64,
    max_pixels: MaxPixelsOption = DEFAULT_MAX_PIXELS,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    interval: IntervalOption = DEFAULT_LEVEL,
) -> None:  # fmt: skip
    """Serve counting over HTTP, a page to use it, and the cameras of a site.

    Prints the address of the page; the interface is described at ADDRESS/api/openapi.json. Ctrl-C ends it: requests
    that were accepted are answered first.

    Exit code: 0 it was stopped, 2 it could not start.
    """
    from contextlib import suppress

    from headcount.serve.limits import MEGABYTE, Limits
    from headcount.serve.server import serve as run_server
    from headcount.serve.work import WorkerSettings
    from headcount.video.site import read_site

    known = token_for(token, host)
    limits = Limits(
        queue=queue, deadline_s=deadline, most_bytes=most_megabytes * MEGABYTE, most_pixels=max_pixels,
        keep_jobs_s=3600 * keep_jobs,
    )  # fmt: skip
    watched = None if site is None else read_site(site)
    models = tuple(model or ([watched.model] if watched is not None else [None]))
    settings = WorkerSettings(
        models, device=device, runtime=runtime, precision=precision, threads=threads, max_pixels=max_pixels,
        interval=interval, roots=tuple(allow or ()),
    )  # fmt: skip

    def ready(address: str) -> None:
        tell_address(address, host, known, what="Serving at this address; stop with Ctrl-C.")

    with suppress(KeyboardInterrupt):  # the way to end it
        run_server(
            settings, limits, site=watched, folder=None if site is None else site.absolute().parent, jobs=jobs,
            host=host, port=port, token=known, names=tuple(name or ()), ready=ready,
        )  # fmt: skip
