"""`headcount watch CONFIG`: the cameras of a site, live on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, output_option


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The site's file (YAML).")],
    check: Annotated[
        bool,
        typer.Option("--check", help="Look at everything, draw each camera's zones on a frame, and watch nothing."),
    ] = False,
    save_dir: Annotated[
        Path | None,
        typer.Option(
            "--save-dir", metavar="DIR", show_default=False,
            help="Where the pictures of --check go; else a folder named after CONFIG, as in site-check.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop as soon as every camera has been measured, and print the numbers.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="NUMBER", min=0.1, show_default=False, help="Stop after so long.")
    ] = None,
    output: Annotated[
        Path | None,
        output_option("Write every record to this file, too (.jsonl, or .csv for a table); it grows at its end."),
    ] = None,
    force: ForceOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors, and the numbers of --once.")] = False,
) -> None:  # fmt: skip
    """Watch the cameras of a place: people, persons per square metre, flow, alerts.

    CONFIG is a site's file. It names the cameras, zones and lines, the thresholds of alerts, and who is told. On a
    terminal it shows a line a camera; otherwise it prints a line whenever a camera, an alert or an output changes. Stop
    it with Ctrl-C.

    Exit code: 0 it was stopped, or all films have ended; 1 --check found something wrong, or with --once a camera
    could not be measured; 2 it could not start.
    """
    from headcount.cli.watch.running import watch_site
    from headcount.core.errors import InputError
    from headcount.video.site import problems_of, read_site

    if check and (once or seconds is not None or output is not None):
        raise InputError("--check watches nothing: leave out --once, --seconds and --output.")
    if save_dir is not None and not check:
        raise InputError("--save-dir is where the pictures of --check go: add --check.")
    folder = config.absolute().parent
    if check:
        from headcount.cli.watch.checking import check_site_and_show, show_problems

        if problems := problems_of(config):
            show_problems(problems)
            raise typer.Exit(1)
        site = read_site(config)
        place = Path(f"{config.stem}-check") if save_dir is None else save_dir
        is_right = check_site_and_show(site, folder, place, overwrite=force, quiet=quiet)
        raise typer.Exit(0 if is_right else 1)
    raise typer.Exit(watch_site(read_site(config), folder, once=once, seconds=seconds, output=output, quiet=quiet))
