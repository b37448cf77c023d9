"""One camera being set up: its picture, what the draft comes to, and the file that it is saved in; without HTTP."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headcount.core.addresses import without_secrets
from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.video.page.draft import draft_of, is_name, read_draft
from headcount.video.page.schema import DraftBody
from headcount.video.shapes import Shapes, Tried, shapes_of
from headcount.video.site import CameraSettings, Site, read_site
from headcount.video.sitefile import write_site
from headcount.video.zones import Zone

_QUALITY = 92


class Drawing:
    """What the server does; several threads may use it at once.

    Args:
        frame: (h, w, 3) a picture of the camera, heads hidden where they shall be.
        camera: its settings so far: no more than a name and a source; or one of the site's, which is changed then.
        file: the site's file to write.
        site: what is in the file so far; None: it is written anew.
        name: of a site that is written anew.
        overwrite: whether a file that is there may be written anew.
        next_step: what to do afterwards, as the page shows it.
    """

    def __init__(
        self,
        frame: RgbImage,
        camera: CameraSettings,
        *,
        file: Path,
        site: Site | None = None,
        name: str = "",
        overwrite: bool = False,
        next_step: str = "",
    ) -> None:
        self.frame, self.file, self._next = frame, file, next_step
        self._before, self._site, self._overwrite = camera, site, overwrite
        self._name = name if site is None else site.name
        self._lock = threading.Lock()
        self.saved = ""
        """The name of the camera that was saved last; empty before."""
        self._is_in_file = site is not None and camera in site.cameras

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the picture."""
        return self.frame.shape[1], self.frame.shape[0]

    def about(self) -> dict[str, Any]:
        """What the page begins with."""
        known = f"{self.file.absolute()}\n{self._before.source}\n{self.size_wh}"
        return {
            "id": hashlib.sha256(known.encode()).hexdigest()[:16],
            "mode": "new" if self._site is None else "change" if self._is_in_file else "add",
            "site": self._name,
            "source": without_secrets(self._before.source),
            "size": self.size_wh,
            "draft": draft_of(_scaled(self._before, self.size_wh), self._name),
        }

    def picture(self) -> bytes:
        """The camera's picture as JPEG."""
        buffer = io.BytesIO()
        Image.fromarray(self.frame).save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()

    def look(self, draft: DraftBody) -> dict[str, Any]:
        """What a draft comes to: how well its points fit, the grid of metres, each zone's area, and what is wrong."""
        read = read_draft(draft, self._before, self.size_wh)
        shapes = shapes_of(read.camera(self._before), self.size_wh)
        zones, lines = _merged(read.zones, shapes.zones), _merged(read.lines, shapes.lines)
        wrong = any(one["problem"] for one in (*zones, *lines))
        state, text = self._fit(shapes, read.points_problem)
        name_problem = read.name_problem or self._taken(read.name)
        return {
            "fit": {"state": state, "text": text},
            "points": _points(shapes, read.points, len(draft.points)),
            "grid": [] if shapes.fit is None else [_rounded(line) for line in shapes.fit.grid(self.size_wh)],
            "people": [] if shapes.fit is None else [_rounded(one) for one in shapes.fit.people(self.size_wh)],
            "zones": zones,
            "lines": lines,
            "name_problem": name_problem,
            "ready": read.is_whole and not (shapes.problem or wrong or name_problem),
        }

    def save(self, draft: DraftBody, *, over: bool = False) -> dict[str, Any]:
        """Write the camera into the site's file.

        ``taken`` in what is returned says why it was not, where ``over`` would do it: the file was changed meanwhile.

        Raises:
            InputError: something in the draft is missing or wrong, or the file cannot be written.
        """
        read = read_draft(draft, self._before, self.size_wh)
        camera = read.camera(self._before)
        shapes = shapes_of(camera, self.size_wh)
        site_name = draft.site.strip() if self._site is None else self._name
        problems = [read.name_problem, self._taken(read.name), read.points_problem, shapes.problem]
        problems += [one if isinstance(one, str) else "" for one in (*read.zones, *read.lines)]
        problems += [one.problem for one in (*shapes.zones, *shapes.lines)]
        if not is_name(site_name):
            problems.insert(0, "The place needs a name of 1 to 64 letters, without / \\ + # and quotation marks.")
        if any(problems):
            raise InputError(next(filter(None, problems)))
        with self._lock:
            if self._site is None:
                return self._save_new(site_name, camera, over=over)
            return self._save_into(camera, over=over)

    def _save_new(self, name: str, camera: CameraSettings, *, over: bool) -> dict[str, Any]:
        if self.file.exists() and not (over or self._overwrite):
            return {"taken": f"“{self.file}” is there already."}
        site = Site(name=name, cameras=(camera,))
        write_site(self.file, site)
        self._overwrite = True  # what is there now is ours
        return self._said(camera)

    def _save_into(self, camera: CameraSettings, *, over: bool) -> dict[str, Any]:
        assert self._site is not None
        now = read_site(self.file)
        if now != self._site and not over:
            return {"taken": f"“{self.file}” was changed meanwhile; the camera alone is written, and the rest stays."}
        old = self._before.name if self._is_in_file else ""
        before = self.file.read_text(encoding="utf-8")
        there = {one.name for one in now.cameras}
        if old in there:
            cameras = tuple(camera if one.name == old else one for one in now.cameras)
        elif camera.name in there:
            raise InputError(f'"{self.file}" has a camera "{camera.name}" now: choose another name.')
        else:
            old, cameras = "", (*now.cameras, camera)
        site = now.model_copy(update={"cameras": cameras})
        write_site(self.file, site, before=before, camera=camera, instead_of=old)
        self._site, self._before, self._is_in_file = site, camera, True
        return self._said(camera)

    def _said(self, camera: CameraSettings) -> dict[str, Any]:
        self.saved = camera.name
        text = f"The camera “{camera.name}” is in “{self.file}”."
        return {"file": str(self.file), "text": text, "next": self._next}

    def _taken(self, name: str) -> str:
        """Whether another camera of the site has the name, in a sentence."""
        if self._site is None or (self._is_in_file and name == self._before.name):
            return ""
        if name not in {one.name for one in self._site.cameras}:
            return ""
        return f"The place has a camera “{name}” already: choose another name."

    def _fit(self, shapes: Shapes, points_problem: str) -> tuple[str, str]:
        fit = shapes.fit
        if fit is None:
            if points_problem:
                return "incomplete", points_problem
            return "none", "Without points of the ground there are no persons per square metre, and no metres."
        if shapes.problem:
            return "refused", shapes.problem
        text = f"{fit.text} {points_problem}".strip()
        if points_problem:
            return "incomplete", text
        return ("unchecked" if fit.is_exact else "good"), text


def _merged(read: Sequence[Any], tried: Sequence[Tried]) -> list[dict[str, Any]]:
    """What there is to say of each zone or line of a draft, in its order: those that were tried, and the others."""
    rest = iter(tried)
    return [_wrong(one) if isinstance(one, str) else _plain(next(rest)) for one in read]


def _wrong(problem: str) -> dict[str, Any]:
    return {"problem": problem, "text": "", "area_m2": None, "heads": None, "corners": None}


def _plain(tried: Tried) -> dict[str, Any]:
    zone = tried.found if isinstance(tried.found, Zone) else None
    area = None if zone is None else zone.area_m2
    # Where heads of people on the ground are is another place than the ground that was drawn around.
    heads = zone.heads_xy[0] if zone is not None and area is not None and len(zone.heads_xy) == 1 else None
    return {
        "problem": tried.problem,
        "text": " ".join([f"{tried.text[:1].upper()}{tried.text[1:]}.", *tried.warnings]) if tried.found else "",
        "area_m2": area,
        "heads": None if heads is None or tried.settings.drawn == "heads" else _rounded(heads),
        "corners": _rounded(tried.drawn_xy) if tried.settings.unit == "metres" else None,
    }


def _points(shapes: Shapes, whole: tuple[int, ...], number: int) -> list[dict[str, Any]]:
    """Of each point of a draft: where the fit puts it, how far off that is, and whether that is too far."""
    points: list[dict[str, Any]] = [{"fitted": None, "off_m": None, "is_bad": False} for _ in range(number)]
    fit = shapes.fit
    if fit is None or fit.homography is None or fit.is_exact:
        return points
    fitted = fit.fitted_xy(shapes.size_wh)
    for at, place, off in zip(whole, fitted, fit.residuals_m, strict=True):
        if np.isfinite(place).all() and np.isfinite(off):
            is_bad = bool(off > fit.settings.most_residual_m)
            if fit.suspect is not None:
                is_bad = at == whole[fit.suspect]
            points[at] = {"fitted": _rounded(place), "off_m": round(float(off), 4), "is_bad": is_bad}
    return points


def _rounded(places: Any) -> Any:
    return np.asarray(places).round(1).tolist()


def _scaled(camera: CameraSettings, size_wh: tuple[int, int]) -> CameraSettings:
    """A camera's settings in the pixels of a picture of another size, as far as they are in pixels."""
    if camera.calibration is None or camera.calibration.size_wh == size_wh:
        return camera
    scale = np.array(size_wh) / camera.calibration.size_wh

    def moved(places: Any) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in (np.array(places) * scale).round(2))

    points = tuple(point.model_copy(update={"pixel": moved([point.pixel])[0]}) for point in camera.calibration.points)
    return camera.model_copy(
        update={
            "calibration": camera.calibration.model_copy(update={"points": points, "size_wh": size_wh}),
            "zones": tuple(
                zone.model_copy(update={"polygon": moved(zone.polygon)}) if zone.unit == "pixels" else zone
                for zone in camera.zones
            ),
            "lines": tuple(
                line.model_copy(update={"ends": moved(line.ends)}) if line.unit == "pixels" else line
                for line in camera.lines
            ),
        }
    )
