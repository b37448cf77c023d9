"""`headcount label open`: the labelling page of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import MaxPixelsOption, ModelOption
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
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Address to serve at; others than this machine's need a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="NUMBER", min=1, max=65535, show_default=False,
            help="Port to serve at; else that of last time, else the first free one from 8321 on.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="WORD", show_default=False,
            help="What browsers must know (letters and digits); made up where one is needed and none is given.",
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open no browser.")] = False,
    max_pixels: MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:  # fmt: skip
    """Label heads in the browser: points, a few boxes, regions; every stroke is kept.

    Serves a page for the images of FOLDER until it is stopped with Ctrl-C. Every stroke is written to
    FOLDER/headcount-labels.sqlite before it is acknowledged. "headcount label export" writes the labels in any format.

    Exit code: 0 it was stopped, 2 it could not start.
    """
    import secrets
    import webbrowser
    from contextlib import suppress

    from headcount.cli.console import error_console, printable
    from headcount.cli.streams import standard_output
    from headcount.label.page.server import serve_folder
    from headcount.web.guard import is_local

    if token is None and not is_local(host):
        token = secrets.token_hex(16)

    def ready(address: str) -> None:
        standard_output().write(f"{address}\n")
        standard_output().flush()
        error_console().print("Open this address in a browser; stop with Ctrl-C.")
        if token and not is_local(host):
            error_console().print("The token in it lets everybody in who has it; the connection is not encrypted.")
        if not no_browser and is_local(host):
            webbrowser.open(address)

    def note(text: str) -> None:
        error_console().print(f"Note: {printable(text)}", soft_wrap=True)

    with suppress(KeyboardInterrupt):  # the way to end it
        serve_folder(
            folder, database=database, host=host, port=port, token=token or "", recursive=recursive, model=model,
            max_pixels=max_pixels, ready=ready, note=note,
        )  # fmt: skip
