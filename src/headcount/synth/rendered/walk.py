"""How people walk: a social-force model, for rendered sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.synth.rendered.crowd import Area
from headcount.synth.rendered.people import WALK, Stance

Floats = NDArray[np.float64]

_STEP_S = 0.05
_RELAX_S = 0.5  # how soon somebody walks as he wants to again
# Helbing and Molnár, Physical Review E 51 (1995), 4282; people look ahead, too: who will be near is given way to.
_PUSH, _REACH_M, _RADIUS_M = 2.1, 0.3, 0.22
_AHEAD_S, _NEAR_M = 1.5, 4.0
_STRIDE_M = 1.45  # two steps


def walk(
    rng: np.random.Generator, stance: Stance, area: Area, obstacles: Floats, *, frames: int, per_second: float
) -> Iterator[Stance]:
    """The stances of ``frames`` pictures, ``per_second`` of them a second; the first is ``stance`` itself.

    Those who walk keep a pace of their own, make way for others and for ``obstacles`` (k, 3: x, y, radius in metres),
    and turn back at the edges of ``area``; all others stay where they are.
    """
    walking = np.flatnonzero(stance.doing == WALK)
    at, facing, stride = stance.at.copy(), stance.facing.copy(), stance.stride.copy()
    pace = np.clip(rng.normal(1.25, 0.22, len(walking)), 0.6, 2.0)
    want = np.stack([-np.sin(facing[walking]), np.cos(facing[walking])], 1)
    velocity = want * pace[:, None]
    steps = max(1, math.ceil(1 / per_second / _STEP_S))
    for frame in range(frames):
        if frame:
            for _ in range(steps):
                seconds = 1 / per_second / steps
                want = _turned_back(at[walking, :2], want, area)
                speed = np.zeros((len(at), 2))
                speed[walking] = velocity
                push = _pushes(at[:, :2], speed, walking, obstacles)
                velocity += seconds * ((want * pace[:, None] - velocity) / _RELAX_S + push)
                quick = np.linalg.norm(velocity, axis=1)
                velocity *= np.minimum(1.0, 1.3 * pace / np.maximum(quick, 1e-9))[:, None]
                at[walking, :2] += seconds * velocity
                stride[walking] += 2 * math.pi * seconds * np.linalg.norm(velocity, axis=1) / _STRIDE_M
            moving = np.linalg.norm(velocity, axis=1) > 0.15
            rows = walking[moving]
            aim = np.arctan2(-velocity[moving, 0], velocity[moving, 1])
            turn = (aim - facing[rows] + math.pi) % (2 * math.pi) - math.pi
            facing[rows] += np.clip(turn, -4.0 / per_second, 4.0 / per_second)
        yield replace(stance, at=at.copy(), facing=facing.copy(), stride=stride.copy())


def _turned_back(at: Floats, want: Floats, area: Area) -> Floats:
    """The directions (n, 2) people want, towards the area again where they have left it."""
    left, near, right, far = area
    want = want.copy()
    for axis, (low, high) in enumerate(((left, right), (near, far))):
        want[at[:, axis] < low, axis] = np.abs(want[at[:, axis] < low, axis])
        want[at[:, axis] > high, axis] = -np.abs(want[at[:, axis] > high, axis])
    return want


def _pushes(at: Floats, speed: Floats, walking: NDArray[np.intp], obstacles: Floats) -> Floats:
    """(n, 2) accelerations that keep those who walk from others and obstacles, in m/s²; ``speed`` (m, 2) of all."""
    push = np.zeros((len(at), 2))
    pairs = cKDTree(at).query_pairs(_NEAR_M, output_type="ndarray")
    if len(pairs):
        force = _away(at[pairs[:, 0]] - at[pairs[:, 1]], speed[pairs[:, 0]] - speed[pairs[:, 1]], 2 * _RADIUS_M)
        np.add.at(push, pairs[:, 0], force)
        np.add.at(push, pairs[:, 1], -force)
    push = push[walking]
    for x, y, radius in obstacles:
        push += _away(at[walking] - (x, y), speed[walking], radius + _RADIUS_M)
    return np.clip(push, -20.0, 20.0)


def _away(way: Floats, speed: Floats, apart: float) -> Floats:
    """(n, 2) accelerations away from things along ``way`` (n, 2), the nearer they come at this ``speed`` the more."""
    soon = np.clip(-(way * speed).sum(axis=1) / np.maximum((speed**2).sum(axis=1), 1e-9), 0.0, _AHEAD_S)[:, None]
    meeting = way + soon * speed
    gap = np.maximum(np.linalg.norm(meeting, axis=1, keepdims=True), 1e-6)
    now = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    push = _PUSH * np.exp((apart - gap) / _REACH_M - soon / _AHEAD_S) * meeting / gap
    return np.asarray(push + _PUSH * np.exp((apart - now) / _REACH_M) * way / now)
