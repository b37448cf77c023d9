"""Whether a site can be watched: every camera, its calibration, zones and lines, the model, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from headcount.core.errors import HeadcountError
from headcount.core.image import RgbImage
from headcount.core.words import people, with_range
from headcount.draw.privacy import hide_heads
from headcount.video.measures.amounts import not_told
from headcount.video.reach import check_outputs
from headcount.video.shapes import Shapes, Tried, shapes_of
from headcount.video.site import AlertSettings, CameraSettings, Site

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction
    from headcount.infer.counter import Counter

Verdict = Literal["right", "note", "wrong"]
_AT_ONCE = 8
"""Cameras that are asked for a frame at the same time."""
_OF_GROUND = ("density", "voronoi", "fullest")
"""Measures of alerts that need a calibration."""
_OF_PEOPLE = ("people", "fullest")
"""Those that are numbers of people."""


class Grab(Protocol):
    """Gets one frame of a source, as ``headcount.video.sources.live.grab``."""

    def __call__(self, source: str, *, folder: Path, timeout_s: float = 10) -> RgbImage: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at.

    Attributes:
        about: what, as in ``zone "door"``.
        verdict: ``right``; ``note``, which should be known; or ``wrong``: it will not work so.
        text: what was found, in a sentence or a few words.
    """

    about: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What was found of a camera, or of what is not a camera's.

    Attributes:
        camera: its name; empty for the model, the outputs and the alerts of the whole site.
        findings: in the order of the site's file.
        picture: (h, w, 3) a frame with all that is set up drawn into it, heads hidden as the site says; None where
            there is no frame.
    """

    camera: str
    findings: tuple[Finding, ...]
    picture: RgbImage | None = None

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.verdict != "wrong" for finding in self.findings)


def check_site(
    site: Site, folder: Path, *, counter: Counter | None = None, grab: Grab | None = None
) -> Iterator[Checked]:
    """Look at everything that a site's file says, and stop at nothing: first the site's own, then camera by camera.

    Args:
        site: the settings.
        folder: of the site's file; relative paths are below it.
        counter: what counts; None: that of the site is loaded.
        grab: gets a frame; None: ``headcount.video.sources.live.grab``.
    """
    if grab is None:
        from headcount.video.sources.live import grab as grab_live

        grab = grab_live
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check")
    try:
        frames = [
            pool.submit(grab, camera.source, folder=folder, timeout_s=camera.timeout_s) for camera in site.cameras
        ]
        counter, model = _counter(site, counter)
        outputs = tuple(Finding(*one) for one in check_outputs(site, folder))
        yield Checked("", (model, *outputs, *_alerts_of_site(site)))
        for camera, frame in zip(site.cameras, frames, strict=True):
            yield _checked(site, camera, frame, counter)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _counter(site: Site, counter: Counter | None) -> tuple[Counter | None, Finding]:
    if counter is None:
        from headcount.infer.counter import load

        try:
            counter = load(site.model, interval=site.interval)
        except HeadcountError as error:
            return None, Finding("model", "wrong", error.message)
    return counter, Finding("model", "right", counter.card.name)


def _checked(site: Site, camera: CameraSettings, frame: Future[RgbImage], counter: Counter | None) -> Checked:
    """What there is to say of a camera whose frame was asked for."""
    try:
        pixels = frame.result()
    except HeadcountError as error:
        # Without a picture its shapes are looked at in the one that they were marked in.
        known = camera.calibration.size_wh if camera.calibration is not None else None
        rest = () if known is None else _of_shapes(shapes_of(camera, known))
        return Checked(camera.name, (Finding("source", "wrong", error.message), *rest, *_alerts(site, camera)))
    size_wh = pixels.shape[1], pixels.shape[0]
    shapes = shapes_of(camera, size_wh)
    findings = [Finding("source", "right", f"a frame of {size_wh[0]}×{size_wh[1]} pixels")]
    picture, heads = None, None
    if counter is not None:
        try:
            prediction = counter.count(pixels)
            heads = prediction.points_xy
            picture = hide_heads(pixels, prediction, site.privacy.heads)
            findings.append(_counted(prediction, site.privacy.least_people))
        except HeadcountError as error:
            findings.append(Finding("count", "wrong", error.message))
    elif site.privacy.heads == "off":
        picture = pixels
    findings += [*_of_shapes(shapes), *_alerts(site, camera)]
    return Checked(camera.name, tuple(findings), None if picture is None else shapes.draw(picture, heads))


def _counted(prediction: Prediction, least: int) -> Finding:
    if least > 1 and prediction.count < least:
        return Finding("count", "right", not_told(least, "are in view"))
    text = people(prediction.people) + with_range(prediction.interval, prediction.interval_level)
    notes = list(prediction.warnings)
    if prediction.interval is None:
        notes.insert(0, "The model has no range: numbers are told without one.")
    return Finding("count", "note" if notes else "right", ". ".join([text, " ".join(notes)]) if notes else text)


def _of_shapes(shapes: Shapes) -> tuple[Finding, ...]:
    findings = []
    if shapes.fit is None:
        text = "none: no persons per square metre, and no metres"
        findings.append(Finding("calibration", "note", text))
    elif shapes.problem:
        findings.append(Finding("calibration", "wrong", shapes.problem))
    else:
        findings.append(Finding("calibration", "note" if shapes.fit.is_exact else "right", shapes.fit.text))
    for kind, shapes_of_kind in (("zone", shapes.zones), ("line", shapes.lines)):
        findings += [_of_shape(kind, one) for one in shapes_of_kind]
    return tuple(findings)


def _of_shape(kind: str, tried: Tried) -> Finding:
    about = f'{kind} "{tried.settings.name}"'
    if tried.problem:
        return Finding(about, "wrong", tried.problem)
    return Finding(about, "note" if tried.warnings else "right", ". ".join([tried.text, *tried.warnings]))


def _alerts_of_site(site: Site) -> tuple[Finding, ...]:
    if site.alerts is False:
        return (Finding("alerts", "note", "none, but for zones with their own"),)
    return (Finding("alerts", "right", ladder(site.alerts)),)


def _alerts(site: Site, camera: CameraSettings) -> tuple[Finding, ...]:
    """Alerts that can never be raised, since what they compare is not measured."""
    if not camera.zones and isinstance(site.alerts, AlertSettings) and site.alerts.measure != "people":
        text = f"none for this camera: {site.alerts.measure} is of zones, and it has none"
        return (Finding("alerts", "note", text),)
    least, findings = site.privacy.least_people, []
    ladders = {zone.name: site.alerts if zone.alerts is None else zone.alerts for zone in camera.zones}
    for name, alerts in ladders.items() if camera.zones else [("the whole view", site.alerts)]:
        if isinstance(alerts, AlertSettings) and alerts.measure in _OF_PEOPLE and alerts.thresholds[0] < least:
            text = (
                f"they compare {alerts.measure} with {alerts.thresholds[0]:g}, but numbers below {least} are not told "
                f"here (least_people): set thresholds of {least} or more"
            )
            findings.append(Finding(f'alerts of "{name}"', "note", text))
    if camera.calibration is not None:
        return tuple(findings)
    for zone in camera.zones:
        alerts = ladders[zone.name]
        if not isinstance(alerts, AlertSettings) or alerts.measure not in _OF_GROUND:
            continue
        text = (
            f"they compare {alerts.measure}, which needs a calibration, so that none is ever raised here: mark points "
            "of the ground, or compare people"
        )
        verdict: Verdict = "note" if zone.alerts is None else "wrong"
        findings.append(Finding(f'alerts of "{zone.name}"', verdict, text))
    return tuple(findings)


def ladder(alerts: AlertSettings) -> str:
    """A ladder in a few words.

    >>> ladder(AlertSettings())
    'density at 2, 3.5 and 5, for 10 s'
    """
    numbers = [f"{one:g}" for one in alerts.thresholds]
    at = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    return f"{alerts.measure} at {at}, for {alerts.hold_s:g} s"
