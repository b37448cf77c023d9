"""Shapes: where a matrix puts them, and lists of none."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.synth.rendered.instances import Instances, bones, placed


def test_a_shape_is_scaled_then_turned_then_moved() -> None:
    matrix = placed((5.0, 6.0, 7.0), (2.0, 3.0, 4.0), np.pi / 2)[0]
    np.testing.assert_allclose(matrix @ (1.0, 0.0, 1.0, 1.0), (5.0, 8.0, 11.0), atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_as_many_shapes_as_places(n: int) -> None:
    at = np.zeros((n, 3))
    assert placed(at, (1.0, 1.0, 1.0)).shape == (n, 3, 4)
    assert placed(at, np.ones((n, 3)), np.zeros(n)).shape == (n, 3, 4)
    into = Instances()
    into.add("box", placed(at, (1.0, 1.0, 1.0)), (0.5, 0.5, 0.5))
    assert sum(len(rows) for _, _, rows in into.groups()) == n


def test_a_limb_reaches_from_joint_to_joint() -> None:
    start, end = np.array([[0.0, 0.0, 1.0]]), np.array([[0.3, 0.0, 0.4]])
    matrix = bones(start, end, 0.05, np.array([[0.0, 1.0, 0.0]]))[0]
    np.testing.assert_allclose(matrix @ (0, 0, 0, 1), start[0])
    np.testing.assert_allclose(matrix @ (0, 0, 1, 1), end[0])
    np.testing.assert_allclose(np.linalg.norm(matrix[:, :2], axis=0), 0.05)
    np.testing.assert_allclose(matrix[:, 0] @ matrix[:, 2], 0.0, atol=1e-12)
