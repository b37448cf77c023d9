"""An OpenGL context, or a plain reason why there is none."""

from __future__ import annotations

import pytest

from headcount.core.errors import HeadcountError
from headcount.synth.rendered.engine import Engine, engine


@pytest.fixture
def gl() -> Engine:
    """The renderer; what needs it is skipped where it cannot be had."""
    try:
        return engine()
    except HeadcountError as error:
        pytest.skip(str(error))
