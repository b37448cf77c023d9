"""The trajectories of students03: people on a square of a university, with pixels and metres of one camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).resolve().parents[3] / "shared/reference/ground_plane/students03.csv"
FRAMES_A_SECOND = 2.5
"""Every tenth frame of a film of 25 a second."""
needed = pytest.mark.skipif(not FILE.is_file(), reason="shared/reference/ground_plane/students03.csv is not there")


def students() -> np.ndarray:
    """Rows of frame, person, x_px, y_px, x_m, y_m; frames counted from 0."""
    table = np.genfromtxt(FILE, delimiter=",", skip_header=1)
    table[:, 0] = (table[:, 0] - table[:, 0].min()) / 10
    return table
