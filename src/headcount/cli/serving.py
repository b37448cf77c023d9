"""What commands that serve have in common: their options, the token, and how the address is told."""

from __future__ import annotations

from typing import Annotated

import typer

HostOption = Annotated[
    str,
    typer.Option("--host", metavar="ADDRESS", help="Address to serve at; others than this machine's need a token."),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", metavar="NUMBER", min=1, max=65535, show_default=False,
        help="Port to serve at; else the first free one from 8321 on.",
    ),
]  # fmt: skip
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token", metavar="WORD", show_default=False,
        help="What browsers must know (letters and digits); made up where one is needed and none is given.",
    ),
]  # fmt: skip
NoBrowserOption = Annotated[bool, typer.Option("--no-browser", help="Print the address, and open no browser.")]


def token_for(given: str | None, host: str) -> str:
    """The token that was given; else one that is made up where others could reach the server, and none elsewhere."""
    import secrets

    from headcount.web.guard import is_local

    if given is None and not is_local(host):
        return secrets.token_hex(16)
    return given or ""


def tell_address(address: str, host: str, token: str, *, what: str = "", browser: bool = False) -> None:
    """Print the address that is served at, and what to do with it; open it in a browser of this machine alone."""
    import webbrowser

    from headcount.cli.console import error_console
    from headcount.cli.streams import standard_output
    from headcount.web.guard import is_local

    standard_output().write(f"{address}\n")
    standard_output().flush()
    error_console().print(what or "Open this address in a browser; stop with Ctrl-C.")
    if token and not is_local(host):
        error_console().print("The token in it lets everybody in who has it; the connection is not encrypted.")
    if browser and is_local(host):
        webbrowser.open(address)
