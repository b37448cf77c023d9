"""`headcount watch init`: one camera is set up in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.cli.options import ForceOption, ModelOption
from headcount.cli.serving import HostOption, NoBrowserOption, PortOption, TokenOption, tell_address, token_for

if TYPE_CHECKING:
    from headcount.core.image import RgbImage
    from headcount.video.site import CameraSettings, PrivacySettings, Site


def init(
    camera: Annotated[
        str,
        typer.Argument(
            metavar="CAMERA",
            help="A video file, a folder of frames, rtsp://…, http://… or webcam:0; with --add also the name of a "
            "camera in the site's file, which is changed then.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The site's file to write.")
    ] = Path("site.yaml"),
    add: Annotated[
        bool, typer.Option("--add", help="Add the camera to the site's file that is there, which keeps all else.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Name of the camera; else after its source.")
    ] = None,
    model: ModelOption = None,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=600, help="How long to wait for a frame.")
    ] = 10.0,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    token: TokenOption = None,
    no_browser: NoBrowserOption = False,
    force: ForceOption = False,
) -> None:  # fmt: skip
    """Set a camera up in the browser: mark its ground, draw zones and lines, write the site's file.

    Takes one frame of CAMERA and serves a page with it until you finish there, or stop it with Ctrl-C. Heads in the
    frame are blurred, or hidden as the site's file says. FILE is written when you save on the page.

    Exit code: 0 it was finished or stopped, 2 it could not start.
    """
    from contextlib import suppress

    from headcount.cli.console import error_console, output_console, printable
    from headcount.core.errors import InputError
    from headcount.core.files import refuse_suffix, refuse_taken
    from headcount.video.page.server import serve_drawing
    from headcount.video.page.session import Drawing
    from headcount.video.site import PrivacySettings, read_site

    refuse_suffix(output, ".yaml", ".yml")
    if add and not output.exists():
        raise InputError(f'--add needs a site\'s file, but there is no "{output}": leave it out, or name the file.')
    site = read_site(output) if add else None
    if site is None:
        refuse_taken(output, overwrite=force)
    settings = _settings(camera, name, site, output)
    privacy = PrivacySettings() if site is None else site.privacy
    chosen = model if model is not None or site is None else site.model
    frame = _frame(settings, output.absolute().parent if add else Path(), privacy, chosen, wait)
    if site is None:
        settings = _below(settings, output)
    drawing = Drawing(
        frame, settings, file=output, site=site, name=_plain_name(output.stem), overwrite=force,
        next_step=f"headcount watch {output} --check",
    )  # fmt: skip
    known = token_for(token, host)

    def ready(address: str) -> None:
        tell_address(address, host, known, browser=not no_browser)

    with suppress(KeyboardInterrupt):  # the way to end it, and how the page does
        serve_drawing(drawing, host=host, port=port, token=known, ready=ready)
    if drawing.saved:
        output_console().print(f"{printable(drawing.saved)} is in {printable(str(output))}", soft_wrap=True)
        error_console().print(f"Next: headcount watch {printable(str(output))} --check", soft_wrap=True)
    else:
        error_console().print("Nothing was saved; what was drawn is kept in the browser.")


def _settings(camera: str, name: str | None, site: Site | None, output: Path) -> CameraSettings:
    """The settings to begin with: those of a camera in the file, or a new one's.

    Raises:
        InputError: the name is none.
    """
    from headcount.core.settings import checked
    from headcount.video.site import CameraSettings

    for known in () if site is None else site.cameras:
        if known.name == camera:
            return known
    wanted = name if name is not None else _plain_name(_called(camera))
    return checked(CameraSettings, {"name": wanted, "source": camera}, "the camera")


def _called(camera: str) -> str:
    """What a camera is called after its source."""
    from urllib.parse import urlsplit

    if "://" in camera:
        try:
            return urlsplit(camera).hostname or "camera"
        except ValueError:
            return "camera"
    return Path(camera).stem


def _plain_name(text: str) -> str:
    """A text without the signs that no name has."""
    return "".join(" " if sign in "/\\+#\"'\n\r\t" else sign for sign in text).strip()[:64].strip() or "camera"


def _below(settings: CameraSettings, output: Path) -> CameraSettings:
    """A camera whose file is found from the folder of the site's file, too."""
    import os

    path = Path(settings.source)
    if "://" in settings.source or settings.source.startswith("webcam:") or path.is_absolute():
        return settings
    try:
        found = os.path.relpath(path.absolute(), output.absolute().parent)
    except ValueError:  # another drive
        found = str(path.absolute())
    return settings.model_copy(update={"source": Path(found).as_posix()})


def _frame(
    settings: CameraSettings, folder: Path, privacy: PrivacySettings, model: str | None, wait_s: float
) -> RgbImage:
    """A frame of a camera, heads hidden."""
    from headcount.draw.privacy import hide_heads
    from headcount.video.sources.live import grab

    pixels = grab(settings.source, folder=folder, timeout_s=wait_s)
    if privacy.heads == "off":
        return pixels
    from headcount.infer.counter import load

    return hide_heads(pixels, load(model).count(pixels), privacy.heads)
