"""Start the server of the page that sets a camera up, until whoever draws there is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from headcount.video.page.session import Drawing
from headcount.web.listen import address_of, bound_socket, check_token, run

_PAUSE_S = 0.3


def serve_drawing(
    drawing: Drawing,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page until somebody finishes there, or the process is asked to stop.

    ``ready`` is told the address to open as soon as the server listens there; a token is part of it.

    Raises:
        InputError: the address cannot be used: it is not this machine's alone and no token is given, or the port is
            taken.
        MissingExtraError: uvicorn is not installed.
        KeyboardInterrupt: it was stopped, by the page too.
    """
    check_token(token, host)
    from headcount.video.page.app import create_app

    def finish() -> None:
        # After the answer is on its way: as if Ctrl-C was pressed, which the server ends by.
        timer = threading.Timer(_PAUSE_S, signal.raise_signal, (signal.SIGINT,))
        timer.daemon = True
        timer.start()

    with bound_socket(host, port) as listening:
        address = address_of(host, listening.getsockname()[1])
        link = f"{address}enter/{token}" if token else address
        run(create_app(drawing, finish=finish, host=host, token=token), listening, lambda: ready(link))
