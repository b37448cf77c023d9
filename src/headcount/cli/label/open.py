"""`headcount label open`: the labelling page of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import MaxPixelsOption, ModelOption
from headcount.cli.serving import HostOption, NoBrowserOption, TokenOption, tell_address, token_for
from headcount.core.limits import DEFAULT_MAX_PIXELS


def open_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the images are.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Take the images of inner folders, too.")
    ] = False,
    database: Annotated[
        Path | None,
        typer.Option(
            "--database", metavar="FILE", show_default=False, help="Keep the labels there; else in FOLDER itself."
        ),
    ] = None,
    model: ModelOption = None,
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="NUMBER", min=1, max=65535, show_default=False,
            help="Port to serve at; else that of last time, else the first free one from 8321 on.",
        ),
    ] = None,
    token: TokenOption = None,
    no_browser: NoBrowserOption = False,
    max_pixels: MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:  # fmt: skip
    """Label heads in the browser: points, a few boxes, regions; every stroke is kept.

    Serves a page for the images of FOLDER until it is stopped with Ctrl-C. Every stroke is written to
    FOLDER/headcount-labels.sqlite before it is acknowledged. "headcount label export" writes the labels in any format.

    Exit code: 0 it was stopped, 2 it could not start.
    """
    from contextlib import suppress

    from headcount.cli.console import error_console, printable
    from headcount.label.page.server import serve_folder

    known = token_for(token, host)

    def ready(address: str) -> None:
        tell_address(address, host, known, browser=not no_browser)

    def note(text: str) -> None:
        error_console().print(f"Note: {printable(text)}", soft_wrap=True)

    with suppress(KeyboardInterrupt):  # the way to end it
        serve_folder(
            folder, database=database, host=host, port=port, token=known, recursive=recursive, model=model,
            max_pixels=max_pixels, ready=ready, note=note,
        )  # fmt: skip
