"""The shapes that rendered people are put together from, each made once and drawn many times.

A mesh is made in its own unit frame (x to the right, y forward, z up) and placed by a matrix. Limbs reach from z = 0
to z = 1 with a radius of about 1; the skull, hair and hats lie around the head's centre, whose half sizes are 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles: ``corners`` (n, 3), outward ``normals`` (n, 3) of length 1, ``triangles`` (t, 3) rows of corners."""

    corners: Floats
    normals: Floats
    triangles: NDArray[np.int32]

    def __add__(self, other: Mesh) -> Mesh:
        """Both as one."""
        return Mesh(
            np.concatenate([self.corners, other.corners]),
            np.concatenate([self.normals, other.normals]),
            np.concatenate([self.triangles, other.triangles + np.int32(len(self.corners))]),
        )


def _smooth(corners: Floats, triangles: NDArray[np.int32], like: NDArray[np.intp] | None = None) -> Mesh:
    """A mesh with normals from its faces; ``like`` names for each corner the one whose place it shares."""
    faces = np.cross(
        corners[triangles[:, 1]] - corners[triangles[:, 0]], corners[triangles[:, 2]] - corners[triangles[:, 0]]
    )
    normals = np.zeros_like(corners)
    rows = triangles if like is None else like[triangles]
    for side in range(3):
        np.add.at(normals, rows[:, side], faces)
    if like is not None:
        normals = normals[like]
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(corners, normals / np.maximum(lengths, 1e-12), triangles)


def loft(rings: Floats, around: int, *, square: float = 2.0) -> Mesh:
    """A closed skin over rings along z.

    ``rings`` (r, 5): z, half width, half depth, and the middle's x and y. ``square`` is the superellipse's exponent:
    2 is round, 4 nearly a rectangle.
    """
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    round_x = np.sign(cos) * np.abs(cos) ** (2 / square)
    round_y = np.sign(sin) * np.abs(sin) ** (2 / square)
    z, wide, deep, mid_x, mid_y = rings.T
    skin = np.stack(
        [
            mid_x[:, None] + wide[:, None] * round_x,
            mid_y[:, None] + deep[:, None] * round_y,
            np.broadcast_to(z[:, None], (len(rings), around)),
        ],
        axis=2,
    ).reshape(-1, 3)
    ends = np.array([[mid_x[0], mid_y[0], z[0]], [mid_x[-1], mid_y[-1], z[-1]]])
    ring, step = np.meshgrid(np.arange(len(rings) - 1), np.arange(around), indexing="ij")
    a, b = ring * around + step, ring * around + (step + 1) % around
    sides = np.concatenate([np.stack([a, b, b + around], 2), np.stack([a, b + around, a + around], 2)]).reshape(-1, 3)
    bottom, top, first = len(skin), len(skin) + 1, (len(rings) - 1) * around
    i = np.arange(around)
    j = (i + 1) % around
    caps = np.concatenate(
        [np.stack([np.full(around, bottom), j, i], 1), np.stack([np.full(around, top), first + i, first + j], 1)]
    )
    return _smooth(np.concatenate([skin, ends]), np.concatenate([sides, caps]).astype(np.int32))


def ball(around: int, rings: int, shape: Callable[[Floats], Floats] | None = None) -> Mesh:
    """A unit sphere; ``shape`` moves its (n, 3) corners."""
    down = np.linspace(0, np.pi, rings + 1)[1:-1]
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    skin = np.stack(
        [
            np.outer(np.sin(down), np.cos(turn)),
            np.outer(np.sin(down), np.sin(turn)),
            np.outer(np.cos(down), np.ones(around)),
        ],
        axis=2,
    ).reshape(-1, 3)
    corners = np.concatenate([skin, [[0, 0, 1.0], [0, 0, -1.0]]])
    ring, step = np.meshgrid(np.arange(rings - 2), np.arange(around), indexing="ij")
    a, b = ring * around + step, ring * around + (step + 1) % around
    sides = np.concatenate([np.stack([a, a + around, b + around], 2), np.stack([a, b + around, b], 2)]).reshape(-1, 3)
    i = np.arange(around)
    j = (i + 1) % around
    top, bottom, last = len(skin), len(skin) + 1, (rings - 2) * around
    caps = np.concatenate(
        [np.stack([np.full(around, top), i, j], 1), np.stack([np.full(around, bottom), last + j, last + i], 1)]
    )
    triangles = np.concatenate([sides, caps]).astype(np.int32)
    return _smooth(corners if shape is None else shape(corners), triangles)


def cut(mesh: Mesh, keep: Callable[[Floats], NDArray[np.bool_]]) -> Mesh:
    """The triangles of a mesh whose middles ``keep`` holds; seen from both sides as a thin shell."""
    middles = mesh.corners[mesh.triangles].mean(axis=1)
    kept = mesh.triangles[keep(middles)]
    used, rows = np.unique(kept, return_inverse=True)
    shell = Mesh(mesh.corners[used], mesh.normals[used], rows.reshape(-1, 3).astype(np.int32))
    return shell + Mesh(shell.corners * 0.985, -shell.normals, shell.triangles[:, ::-1])


@cache
def box() -> Mesh:
    """The cube from −0.5 to 0.5 in x and y and from 0 to 1 in z, with flat faces."""
    corners: list[Floats] = []
    normals: list[Floats] = []
    triangles: list[NDArray[np.int32]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            face = np.zeros((4, 3))
            face[:, axis] = sign * 0.5
            face[:, u] = (-0.5, 0.5, 0.5, -0.5)
            face[:, v] = (-0.5, -0.5, 0.5, 0.5)
            normal = np.zeros(3)
            normal[axis] = sign
            first = 4 * len(corners)
            corners.append(np.add(face, (0, 0, 0.5)))
            normals.append(np.tile(normal, (4, 1)))
            order = [[0, 1, 2], [0, 2, 3]] if sign > 0 else [[0, 2, 1], [0, 3, 2]]
            triangles.append(np.array(order, np.int32) + np.int32(first))
    return Mesh(np.concatenate(corners), np.concatenate(normals), np.concatenate(triangles))


@cache
def plane() -> Mesh:
    """The square from −0.5 to 0.5 at z = 0, seen from above."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
    return Mesh(corners, np.tile([0.0, 0, 1], (4, 1)), np.array([[0, 1, 2], [0, 2, 3]], np.int32))


_DETAIL = {"near": (14, 10), "middle": (9, 7), "far": (6, 5)}
"""Corners around and rings along, by how large a head is in the picture."""


def _rings(*rows: tuple[float, ...]) -> Floats:
    return np.array([row + (0.0,) * (5 - len(row)) for row in rows])


def _skull(at: Floats) -> Floats:
    """A sphere made a head: narrow below, flat at the sides, a nose, a chin and ears."""
    x, y, z = at.T
    low = np.clip(-z, 0, 1)
    x = x * (1 - 0.30 * low**1.5) * (1 - 0.04 * np.clip(z, 0, 1))
    y = np.where(y > 0, y * (1 - 0.10 * np.abs(z)), y * (1 - 0.42 * low))
    nose = np.exp(-((at[:, 0] / 0.16) ** 2) - ((z + 0.12) / 0.2) ** 2) * (at[:, 1] > 0)
    chin = np.exp(-((at[:, 0] / 0.35) ** 2) - ((z + 0.85) / 0.2) ** 2) * (at[:, 1] > 0)
    ear = np.exp(-((at[:, 1] / 0.2) ** 2) - ((z + 0.05) / 0.22) ** 2)
    y = y + 0.16 * nose + 0.14 * chin
    x = x * (1 + 0.10 * ear)
    return np.stack([x, y, z], axis=1)


def _above_face(at: Floats) -> NDArray[np.bool_]:
    """Where hair grows: over a line that falls from the forehead to the neck."""
    return at[:, 2] > 0.42 * np.clip(at[:, 1], -1, 1) - 0.02 + 0.12 * (at[:, 1] > 0.55)


def _hair(scale: float, low: float) -> Callable[[Floats], Floats]:
    def shape(at: Floats) -> Floats:
        moved = _skull(at) * scale
        fall = np.clip(-at[:, 2], 0, 1) * (at[:, 1] < 0.45)
        moved[:, 2] -= low * fall
        moved[:, :2] *= 1 + 0.25 * (low > 0) * fall[:, None]
        return moved

    return shape


@cache
def part(name: str, detail: str) -> Mesh:
    """A body part by its name (a key of ``PARTS``), ``detail`` near, middle or far."""
    around, rings = _DETAIL[detail]
    return PARTS[name](around, rings)


def _torso(around: int, rings: int) -> Mesh:
    # z 0: the hips; 1: the base of the neck. Half width and depth are in units of the shoulders' half width.
    return loft(
        _rings(
            (-0.12, 0.72, 0.56), (0.0, 0.80, 0.62), (0.28, 0.72, 0.56), (0.55, 0.84, 0.62, 0, 0.03),
            (0.80, 0.98, 0.58), (0.91, 0.92, 0.46), (1.0, 0.34, 0.30), (1.03, 0.2, 0.2),
        ),
        around, square=2.5,
    )  # fmt: skip


def _coat(around: int, rings: int) -> Mesh:
    return loft(
        _rings(
            (-0.85, 0.98, 0.84), (-0.5, 0.94, 0.76), (0.0, 0.88, 0.72), (0.3, 0.82, 0.66), (0.6, 0.92, 0.68, 0, 0.03),
            (0.82, 1.04, 0.62), (0.93, 0.95, 0.5), (1.02, 0.42, 0.38), (1.06, 0.34, 0.32),
        ),
        around, square=2.5,
    )  # fmt: skip


def _limb(first: float, middle: float, last: float) -> Callable[[int, int], Mesh]:
    def make(around: int, rings: int) -> Mesh:
        around = max(5, around * 2 // 3)
        return loft(
            _rings(
                (-0.04, 0.6 * first, 0.6 * first), (0.04, first, first), (0.35, middle, middle), (0.92, last, last),
                (1.03, 0.6 * last, 0.6 * last),
            ),
            around,
        )  # fmt: skip

    return make


def _shell(scale: float, keep: Callable[[Floats], NDArray[np.bool_]], low: float = 0.0) -> Callable[[int, int], Mesh]:
    def make(around: int, rings: int) -> Mesh:
        around, rings = around + 4, rings + 2
        return cut(ball(around, rings, _hair(scale, low)), keep)

    return make


def _cap(around: int, rings: int) -> Mesh:
    crown = _shell(1.14, lambda at: at[:, 2] > 0.26)(around, rings)
    brim = loft(_rings((0.27, 0.72, 0.62, 0, 1.05), (0.33, 0.70, 0.60, 0, 1.03)), around)
    return crown + brim


def _brim_hat(around: int, rings: int) -> Mesh:
    crown = _shell(1.16, lambda at: at[:, 2] > 0.2)(around, rings)
    return crown + loft(_rings((0.24, 1.75, 1.75), (0.30, 1.72, 1.72), (0.34, 1.0, 1.0)), around + 4)


def _umbrella(around: int, rings: int) -> Mesh:
    # Its tip is at z = 1, its rim at 0.62, the handle goes down to 0.
    canopy = cut(
        ball(max(around, 8), 8, lambda at: np.stack([at[:, 0], at[:, 1], 0.62 + 0.38 * at[:, 2]], 1)),
        lambda at: at[:, 2] > 0.62,
    )
    return canopy + loft(_rings((0.0, 0.02, 0.02), (0.98, 0.015, 0.015)), 5)


PARTS: dict[str, Callable[[int, int], Mesh]] = {
    "torso": _torso,
    "coat": _coat,
    "skirt": lambda a, r: loft(_rings((-1.0, 1.25, 1.1), (-0.4, 1.0, 0.85), (0.0, 0.82, 0.64), (0.12, 0.76, 0.6)), a),
    "hips": lambda a, r: loft(_rings((-0.34, 0.62, 0.5), (-0.1, 0.82, 0.64), (0.1, 0.8, 0.6), (0.3, 0.7, 0.55)), a),
    "neck": lambda a, r: loft(_rings((-0.2, 1.15, 1.1), (0.5, 1.0, 1.0), (1.1, 1.0, 1.0)), max(5, a * 2 // 3)),
    "arm": _limb(1.0, 0.95, 0.8),
    "forearm": _limb(0.85, 0.85, 0.6),
    "hand": lambda a, r: loft(
        _rings((0, 0.5, 0.4), (0.35, 1.0, 0.5), (0.8, 0.9, 0.4), (1.0, 0.4, 0.25)), max(5, a // 2)
    ),
    "thigh": _limb(1.0, 0.95, 0.72),
    "shin": _limb(0.74, 0.8, 0.52),
    "shoe": lambda a, r: loft(
        _rings((0.0, 0.42, 1.0, 0, 0.45), (0.3, 0.45, 1.05, 0, 0.45), (0.6, 0.4, 0.85, 0, 0.3), (1.0, 0.3, 0.35)), a
    ),
    "head": lambda a, r: ball(a + 4, r + 4, _skull),
    "hair-short": _shell(1.07, _above_face),
    "hair-crop": _shell(1.035, lambda at: _above_face(at - (0, 0, 0.12))),
    "hair-long": _shell(1.12, lambda at: (at[:, 1] < 0.25) | (at[:, 2] > 0.45), low=1.0),
    "hair-bob": _shell(1.12, lambda at: (at[:, 1] < 0.3) | (at[:, 2] > 0.45), low=0.3),
    "hair-afro": _shell(1.34, lambda at: _above_face(at * 0.8)),
    "hair-bun": lambda a, r: (
        _shell(1.07, _above_face)(a, r) + ball(a, r, lambda at: at * 0.42 + np.array([0, -0.95, 0.62]))
    ),
    "cap": _cap,
    "beanie": _shell(1.15, lambda at: at[:, 2] > 0.12 + 0.1 * at[:, 1]),
    "brim": _brim_hat,
    "helmet": _shell(1.25, lambda at: at[:, 2] > 0.15),
    "hood": _shell(1.24, lambda at: (at[:, 1] < 0.32) | (at[:, 2] > 0.62), low=0.25),
    "headscarf": _shell(1.13, lambda at: (at[:, 1] < 0.42) | (at[:, 2] > 0.5), low=0.7),
    "backpack": lambda a, r: loft(
        _rings((0, 0.75, 0.5), (0.1, 1.0, 0.9), (0.7, 0.95, 0.85), (0.95, 0.7, 0.5), (1, 0.4, 0.3)), a, square=3.5
    ),
    "bag": lambda a, r: loft(
        _rings((0, 0.9, 0.8), (0.05, 1, 1), (0.9, 0.9, 0.7), (1, 0.6, 0.5)), max(6, a // 2), square=4
    ),
    "phone": lambda a, r: loft(_rings((0, 1, 1), (1, 1, 1)), 8, square=6),
    "umbrella": _umbrella,
    "ball": ball,
    "box": lambda a, r: box(),
    "plane": lambda a, r: plane(),
    "post": lambda a, r: loft(_rings((0, 1, 1), (1, 1, 1)), max(6, a // 2)),
}
"""Body parts, what people wear and carry, and a few plain shapes: each from corners around and rings along."""

HEAD_PARTS = ("head", "hair-short", "hair-crop", "hair-long", "hair-bob", "hair-afro", "hair-bun", "cap", "beanie",
              "brim", "helmet", "hood", "headscarf")  # fmt: skip
"""The parts that make a head's outline, as far down as the chin."""


BRIMS = ("brim", "cap")
"""Those whose edge stands out from the head."""
CHIN, BRIM_REACH = -1.02, 1.25
"""Below the one and beyond the other, in half sizes of the skull, nothing is a head's outline; the shader has them."""


@cache
def outline(name: str, detail: str) -> Floats:
    """(n, 3) places on a head part that span its outline: of its skull, hair and hat, from the chin up.

    A brim's edge and hair that falls below the chin are no part of a head: edges that lead there are followed as far as
    they count.
    """
    mesh = part(name, detail)
    at = mesh.corners
    inside = _counts(at, name)
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    crossing = edges[inside[edges[:, 0]] & ~inside[edges[:, 1]]]
    share = np.linspace(0, 1, 33)[None, :, None]
    along = (at[crossing[:, 0], None] + share * (at[crossing[:, 1], None] - at[crossing[:, 0], None])).reshape(-1, 3)
    return np.concatenate([at[inside], along[_counts(along, name)]])


def _counts(at: Floats, name: str) -> NDArray[np.bool_]:
    kept = at[:, 2] >= CHIN
    return np.asarray(kept & (np.hypot(at[:, 0], at[:, 1]) <= BRIM_REACH) if name in BRIMS else kept)
