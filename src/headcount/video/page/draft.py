"""A draft of the page as a camera's settings, and settings as a draft."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from headcount.core.words import plural
from headcount.video.page.schema import DraftBody, PointBody, ShapeBody
from headcount.video.site import CalibrationSettings, CameraSettings, GroundPoint, LineSettings, Name, ZoneSettings

LEAST_POINTS = 4
PERSON_M = 1.6
_MOST_M = 100_000.0
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_NAMES = "has 1 to 64 letters, without / \\ + # and quotation marks, and no space at its ends"


@dataclass(frozen=True, slots=True)
class Read:
    """A draft that was read as far as it goes.

    Attributes:
        name: of the camera.
        calibration: of the points whose places are typed whole, where those are enough.
        points: which those are, by their index in the draft.
        points_problem: what the points lack, in a sentence; empty where there are none, or they are enough.
        name_problem: what is wrong with the camera's name.
        zones, lines: each as its settings, or what is wrong with it.
    """

    name: str
    calibration: CalibrationSettings | None
    points: tuple[int, ...]
    points_problem: str
    name_problem: str
    zones: tuple[ZoneSettings | str, ...]
    lines: tuple[LineSettings | str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing or wrong, as far as can be said without a picture."""
        return not (
            self.name_problem
            or self.points_problem
            or any(isinstance(one, str) for one in (*self.zones, *self.lines))
        )  # fmt: skip

    def camera(self, before: CameraSettings) -> CameraSettings:
        """The camera's settings, without what is wrong; what the page does not show is as it was ``before``."""
        return before.model_copy(
            update={
                "name": self.name,
                "calibration": self.calibration,
                "zones": tuple(one for one in self.zones if not isinstance(one, str)),
                "lines": tuple(one for one in self.lines if not isinstance(one, str)),
            }
        )


def draft_of(camera: CameraSettings, site: str) -> dict[str, Any]:
    """A camera's settings as the page begins with them."""
    calibration = camera.calibration
    draft = DraftBody(
        site=site,
        name=camera.name,
        person=_shown(PERSON_M if calibration is None else calibration.person_m),
        fov=_shown(None if calibration is None else calibration.vertical_fov_degrees),
        height=_shown(None if calibration is None else calibration.camera_height_m),
        points=[
            PointBody(pixel=one.pixel, x=_shown(one.metres[0]), y=_shown(one.metres[1]))
            for one in (() if calibration is None else calibration.points)
        ],
        zones=[
            ShapeBody(name=one.name, corners=list(one.polygon), drawn=one.drawn or "", unit=one.unit, was=one.name)
            for one in camera.zones
        ],
        lines=[
            ShapeBody(name=one.name, corners=list(one.ends), drawn=one.drawn or "", unit=one.unit, was=one.name)
            for one in camera.lines
        ],
    )
    return draft.model_dump(mode="json")


def read_draft(draft: DraftBody, before: CameraSettings, size_wh: tuple[int, int]) -> Read:
    """Read a draft for pictures of ``size_wh``; ``before`` are the camera's settings that it began with."""
    places = [(_number(point.x), _number(point.y)) for point in draft.points]
    whole = tuple(at for at, (x, y) in enumerate(places) if x is not None and y is not None)
    problem = _points_problem(draft.points, places, whole) if draft.points else ""
    numbers, wrong = _numbers(draft)
    calibration = None
    if len(whole) >= LEAST_POINTS and not wrong:
        kept = before.calibration
        height = 0.0 if kept is None else kept.points[0].height_m
        points = tuple(
            GroundPoint(pixel=draft.points[at].pixel, metres=(places[at][0], places[at][1]), height_m=height)
            for at in whole
        )
        most = {} if kept is None else {"most_residual_m": kept.most_residual_m}
        calibration = CalibrationSettings(points=points, size_wh=size_wh, **numbers, **most)
    own = {zone.name: zone.alerts for zone in before.zones}
    return Read(
        name=draft.name.strip(),
        calibration=calibration,
        points=whole,
        points_problem=problem or (wrong if draft.points else ""),
        name_problem="" if is_name(draft.name.strip()) else f"A camera's name {_NAMES}.",
        zones=tuple(
            _problem_of(one, draft.zones, 3, calibration)
            or ZoneSettings(
                name=one.name.strip(),
                polygon=tuple(one.corners),
                unit=one.unit,
                drawn=one.drawn or None,
                alerts=own.get(one.was),
            )
            for one in draft.zones
        ),
        lines=tuple(
            _problem_of(one, draft.lines, 2, calibration)
            or LineSettings(
                name=one.name.strip(), ends=(one.corners[0], one.corners[-1]), unit=one.unit, drawn=one.drawn or None
            )
            for one in draft.lines
        ),
    )


def is_name(text: str) -> bool:
    """Whether a text can be the name of a site, a camera, a zone or a line."""
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _points_problem(
    points: Sequence[PointBody], places: Sequence[tuple[float | None, float | None]], whole: tuple[int, ...]
) -> str:
    for at, (point, place) in enumerate(zip(points, places, strict=True), start=1):
        for axis, text, value in zip("xy", (point.x, point.y), place, strict=True):
            if text.strip() and value is None:
                return f'Point {at}: "{text.strip()}" is no number of metres for {axis}: type one as in 2.5.'
    if len(whole) < LEAST_POINTS:
        missing = LEAST_POINTS - len(points)
        if missing > 0:
            return f"Mark {plural(missing, 'point')} more, and type where each is, in metres."
        first = next(at for at in range(len(points)) if at not in whole)
        return f"Type where point {first + 1} is, in metres."
    if len(whole) < len(points):
        first = next(at for at in range(len(points)) if at not in whole)
        return f"Type where point {first + 1} is, in metres, or remove it."
    return ""


def _numbers(draft: DraftBody) -> tuple[dict[str, float], str]:
    """The numbers beside the points, and what is wrong with them."""
    found: dict[str, float] = {}
    fields = (
        ("person_m", draft.person, "Heads are", 0.1, 3.0, "metres above the ground"),
        ("vertical_fov_degrees", draft.fov, "The angle of view is", 1.0, 169.0, "degrees"),
        ("camera_height_m", draft.height, "The camera hangs", 0.1, 1000.0, "metres high"),
    )
    for key, text, what, low, high, unit in fields:
        if not text.strip():
            continue
        value = _number(text)
        if value is None or not low <= value <= high:
            return found, f'{what} {low:g} to {high:g} {unit}, but "{text.strip()}" was typed.'
        found[key] = value
    return found, ""


def _problem_of(
    shape: ShapeBody, shapes: Sequence[ShapeBody], least: int, calibration: CalibrationSettings | None
) -> str:
    """What is wrong with a zone or line; empty where nothing is."""
    what, corners = ("zone", "corners") if least == 3 else ("line", "ends")
    if not is_name(shape.name.strip()):
        return f"A {what}'s name {_NAMES}."
    if sum(one.name.strip() == shape.name.strip() for one in shapes) > 1:
        return f'There are two {what}s of the name "{shape.name.strip()}": give each its own.'
    if len(shape.corners) < least:
        return f"A {what} has {least} {corners}{' or more' if least == 3 else ''}."
    if calibration is None and (shape.unit == "metres" or shape.drawn == "ground"):
        return f"A {what} on the ground needs four points of the ground: mark them, or draw it around heads."
    return ""


def _number(text: str) -> float | None:
    """A number that was typed, with a point or a comma; None where it is none."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= _MOST_M else None


def _shown(value: float | None) -> str:
    """A number as it is typed.

    >>> _shown(1.60), _shown(12.0), _shown(None)
    ('1.6', '12', '')
    """
    return "" if value is None else f"{value:.6g}"
