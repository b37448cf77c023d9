"""Meshes: closed where they should be, facing outwards, and heads as large as is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from headcount.synth.rendered.meshes import (
    BRIM_REACH,
    BRIMS,
    CHIN,
    HEAD_PARTS,
    PARTS,
    Mesh,
    ball,
    box,
    loft,
    outline,
    part,
)

_SOLID = sorted(
    name for name in PARTS if not name.startswith("hair") and name not in
    ("cap", "beanie", "brim", "helmet", "hood", "headscarf", "umbrella", "plane", "box")
)  # fmt: skip


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.corners[mesh.triangles[:, side]] for side in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("detail", ["near", "middle", "far"])
@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_is_made_of_triangles_with_normals(name: str, detail: str) -> None:
    mesh = part(name, detail)
    assert mesh.triangles.min() == 0
    assert mesh.triangles.max() < len(mesh.corners)
    assert np.isfinite(mesh.corners).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", _SOLID)
def test_a_solid_part_is_closed_and_faces_outwards(name: str) -> None:
    mesh = part(name, "middle")
    edges = Counter(
        tuple(sorted((int(triangle[i]), int(triangle[(i + 1) % 3])))) for triangle in mesh.triangles for i in range(3)
    )
    assert set(edges.values()) == {2}
    assert _volume(mesh) > 0


def test_known_volumes() -> None:
    assert _volume(box()) == pytest.approx(1.0)
    assert _volume(ball(64, 48)) == pytest.approx(4 / 3 * np.pi, rel=0.01)
    cylinder = loft(np.array([(0.0, 1, 1, 0, 0), (1.0, 1, 1, 0, 0)]), 96)
    assert _volume(cylinder) == pytest.approx(np.pi, rel=0.01)


@pytest.mark.parametrize("detail", ["near", "middle", "far"])
@pytest.mark.parametrize("name", HEAD_PARTS)
def test_what_hangs_or_stands_out_is_no_outline(name: str, detail: str) -> None:
    at, whole = outline(name, detail), part(name, detail).corners
    assert len(at) > 20
    assert at[:, 2].max() == whole[:, 2].max()
    hangs, stands_out = bool(whole[:, 2].min() < CHIN), name in BRIMS
    assert (at[:, 2].min() > whole[:, 2].min()) == hangs
    assert hangs == (name in ("hair-long", "hair-bob", "hood", "headscarf"))
    assert at[:, 2].min() < CHIN + 0.1 or not hangs  # followed down to the chin
    reach = np.hypot(at[:, 0], at[:, 1]).max()
    assert 1.15 < reach <= BRIM_REACH if stands_out else reach < 1.6
