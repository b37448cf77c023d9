"""Which shapes are drawn where: the list that goes to the renderer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CLOTH, SKIN, FACE, HAIR, HARD, LEAF, WALL, GROUND, GLOW, SHEET = range(10)
"""Materials; what each looks like is in the shader."""
NOBODY = -1


@dataclass(slots=True)
class Instances:
    """Shapes by (part, detail): for each a row of 24 float32.

    A row is a matrix (3, 4) in row order, two colours (3 each, linear light from 0 to 1), the material, its pattern, a
    seed from 0 to 1, the person (−1: nobody), whether it is a part of his head, and whether only its middle is.
    """

    rows: dict[tuple[str, str], list[NDArray[np.float32]]] = field(default_factory=dict)

    def add(
        self, part: str, matrices: Floats, colour: ArrayLike, other: ArrayLike | None = None, *,
        material: ArrayLike = HARD, pattern: ArrayLike = 0, seed: ArrayLike = 0.0, person: ArrayLike = NOBODY,
        head: bool = False, narrow: bool = False, detail: str = "middle",
    ) -> None:  # fmt: skip
        """Add ``matrices`` (n, 3, 4) of a part; the other values are one for all, or n."""
        n = len(matrices)
        if not n:
            return
        rows = np.zeros((n, 24), np.float32)
        rows[:, :12] = matrices.reshape(n, 12)
        rows[:, 12:15] = colour
        rows[:, 15:18] = colour if other is None else other
        rows[:, 18], rows[:, 19], rows[:, 20], rows[:, 21] = material, pattern, seed, person
        rows[:, 22], rows[:, 23] = head, narrow
        self.rows.setdefault((part, detail), []).append(rows)

    def groups(self) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
        """(part, detail, rows), each pair once, in a fixed order."""
        for (part, detail), rows in sorted(self.rows.items()):
            yield part, detail, np.concatenate(rows)


def placed(at: ArrayLike, size: ArrayLike, turn: ArrayLike = 0.0) -> Floats:
    """(n, 3, 4) matrices that scale by ``size`` (n, 3), turn by an angle about z, and move to ``at`` (n, 3)."""
    at, size = np.atleast_2d(np.asarray(at, float)), np.atleast_2d(np.asarray(size, float))
    lengths = (len(at), len(size), np.size(turn))
    n = max(lengths) if min(lengths) else 0
    return framed(np.broadcast_to(turned(turn), (n, 3, 3)), at, size)


def turned(angle: ArrayLike) -> Floats:
    """(n, 3, 3) rotations about z."""
    angle = np.atleast_1d(np.asarray(angle, float))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).reshape(-1, 3, 3)


def tilted(angle: ArrayLike) -> Floats:
    """(n, 3, 3) rotations about x: a positive angle lifts what lies ahead."""
    angle = np.atleast_1d(np.asarray(angle, float))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).reshape(-1, 3, 3)


def rolled(angle: ArrayLike) -> Floats:
    """(n, 3, 3) rotations about y."""
    angle = np.atleast_1d(np.asarray(angle, float))
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], 1).reshape(-1, 3, 3)


def framed(frames: Floats, at: Floats, size: Floats) -> Floats:
    """(n, 3, 4) matrices of frames (n, 3, 3) whose columns are scaled by ``size`` (n, 3), moved to ``at`` (n, 3)."""
    columns = frames * np.broadcast_to(size, (len(frames), 3))[:, None, :]
    return np.concatenate([columns, np.broadcast_to(at, (len(frames), 3))[:, :, None]], axis=2)


def bones(start: Floats, end: Floats, radius: ArrayLike, forward: Floats) -> Floats:
    """(n, 3, 4) matrices of limbs from ``start`` to ``end`` (n, 3); ``forward`` (n, 3) tells where y looks."""
    along = end - start
    axis = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.cross(forward, axis)
    weak = np.linalg.norm(side, axis=1) < 1e-3
    side[weak] = np.cross((0.0, 0.3, 1.0), axis[weak])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    front = np.cross(axis, side)
    wide = np.broadcast_to(np.asarray(radius, float), (len(start),))[:, None]
    return np.stack([side * wide, front * wide, along, start], axis=2)
