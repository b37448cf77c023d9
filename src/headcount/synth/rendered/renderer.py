"""The renderer: OpenGL without a screen, through moderngl. It runs in a process of its own, see ``engine``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import HeadcountError, InputError
from headcount.core.image import RgbImage
from headcount.synth.rendered.camera import Camera
from headcount.synth.rendered.instances import LEAF
from headcount.synth.rendered.light import Fullness, Light
from headcount.synth.rendered.meshes import part
from headcount.synth.rendered.pipe import Arrays, receive, send

Floats = NDArray[np.float64]

_SHADOW_SIDE = 2048
_FINER = 1.5
"""Pictures are drawn so much larger, for smooth edges; without a GPU that is faster than several samples a pixel."""
_LAMPS = 8
_NAMES = ("row0", "row1", "row2", "tint_r", "tint_g", "marks")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One mesh with its instances, to be coloured or only to be told how far away it is."""

    picture: Any
    depth: Any
    rows: Any
    count: int
    leafy: bool

    def release(self) -> None:
        for one in (self.picture, self.depth, self.rows):
            one.release()


class Renderer:
    """Draws instances as a picture, and says of each pixel whose head it is.

    Raises:
        InputError: no OpenGL 3.3 can be had here.
    """

    def __init__(self) -> None:
        import moderngl

        self._gl = moderngl
        self._context = _context(moderngl)
        self._picture = self._program("thing_vertex", "thing")
        # A shader that may leave pixels out keeps the driver from testing depth first: leaves have one of their own.
        self._leaves = self._program("thing_vertex", "thing", define="HOLES")
        self._shadow = self._program("thing_vertex", "depth")
        self._sky = self._program("sky_vertex", "sky")
        self._sky_corners = self._context.vertex_array(
            self._sky, [(self._context.buffer(np.array([-1, -1, 3, -1, -1, 3], "f4").tobytes()), "2f", "at")]
        )
        self._shadow_depth = self._context.depth_texture((_SHADOW_SIDE, _SHADOW_SIDE))
        self._shadow_depth.compare_func = "<="
        self._shadow_depth.repeat_x = self._shadow_depth.repeat_y = False
        self._shadow_target = self._context.framebuffer(depth_attachment=self._shadow_depth)
        self._meshes: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._targets: dict[tuple[int, int], Any] = {}

    def draw(
        self, instances: Arrays, camera: Camera, light: Light, fullness: Fullness
    ) -> tuple[RgbImage, NDArray[np.int32]]:
        """As ``Engine.draw``; ``instances`` are rows by part/detail."""
        context = self._context
        drawn = []
        for key, rows in instances.items():
            name, _, detail = key.partition("/")
            leafy = rows[:, 18] == LEAF
            for chosen, program in ((rows[~leafy], self._picture), (rows[leafy], self._leaves)):
                if len(chosen):
                    drawn.append(self._drawn(self._mesh(name, detail), chosen, program))
        shadow_clip = light.shadow_clip(fullness.left, fullness.near, fullness.width, fullness.depth)
        context.enable(self._gl.DEPTH_TEST)
        if light.shadowed:
            self._shadow_target.use()
            self._shadow_target.clear(depth=1.0)
            _set(self._shadow, clip=shadow_clip)
            for one in drawn:
                one.depth.render(instances=one.count)
        target, size = self._frame(camera.size_wh)
        target.use()
        target.clear(depth=1.0)
        if not light.indoors:
            self._draw_sky(camera, light)
        crowd = self._set_picture(camera, light, fullness, shadow_clip)
        # First how far away each pixel's thing is, then its look: no pixel is coloured twice.
        _set(self._shadow, clip=camera.clip_matrix())
        target.color_mask = ((False,) * 4,) * 2
        for one in drawn:
            if not one.leafy:
                one.depth.render(instances=one.count)
        target.color_mask = ((True,) * 4,) * 2
        context.depth_func = "<="
        for one in drawn:
            one.picture.render(instances=one.count)
        context.depth_func = "<"
        pixels, told = (
            np.frombuffer(target.read(components=3, attachment=index, alignment=1), np.uint8).reshape(*size[::-1], 3)
            for index in (0, 1)
        )
        for one in drawn:
            one.release()
        crowd.release()
        smaller = cv2.resize(pixels[::-1], camera.size_wh, interpolation=cv2.INTER_AREA)
        low, middle, high = (told[::-1, :, channel].astype(np.int32) for channel in range(3))
        return smaller.astype(np.uint8, copy=False), low + 256 * middle + 65536 * high - 1

    def _program(self, vertex: str, fragment: str, *, define: str = "") -> Any:
        home = files("headcount.synth.rendered") / "shaders"
        first, second = ((home / f"{name}.glsl").read_text(encoding="utf-8") for name in (vertex, fragment))
        if define:
            second = second.replace("#version 330", f"#version 330\n#define {define}")
        return self._context.program(vertex_shader=first, fragment_shader=second)

    def _draw_sky(self, camera: Camera, light: Light) -> None:
        width, height = camera.size_wh
        reach = np.array([width / 2, height / 2]) / camera.focal_px
        _set(
            self._sky, rays=camera.frame.T @ np.diag([reach[0], -reach[1], 1.0]), zenith=light.zenith,
            horizon=light.horizon, cover=light.clouds, seed=light.seed, sun=light.sun, exposure=light.exposure,
            sun_light=light.sun_light if light.sun_seen else (0.0, 0.0, 0.0), bolt=light.bolt,
        )  # fmt: skip
        self._context.disable(self._gl.DEPTH_TEST)
        self._sky_corners.render()
        self._context.enable(self._gl.DEPTH_TEST)

    def _set_picture(self, camera: Camera, light: Light, fullness: Fullness, shadow_clip: Floats) -> Any:
        share = np.ascontiguousarray(np.rint(255 * np.clip(fullness.share, 0, 1)).astype(np.uint8))
        crowd = self._context.texture((share.shape[1], share.shape[0]), 1, share.tobytes(), alignment=1)
        crowd.repeat_x = crowd.repeat_y = False
        crowd.use(1)
        self._shadow_depth.use(0)
        lamp_at, lamp_light = np.zeros((_LAMPS, 3)), np.zeros((_LAMPS, 3))
        shown = min(len(light.lamps_at), _LAMPS)
        lamp_at[:shown], lamp_light[:shown] = light.lamps_at[:shown], light.lamps_light[:shown]
        for program in (self._picture, self._leaves):
            _set(
                program, clip=camera.clip_matrix(), eye=camera.centre, sun=light.sun, sun_light=light.sun_light,
                sky_light=light.sky_light, ground_light=light.ground_light, shadow_clip=shadow_clip,
                shadowed=light.shadowed, shadow=0, crowd=1, fog=light.fog, fog_per_m=light.fog_per_m, wet=light.wet,
                snow=light.snow, lamps=shown, lamp_at=lamp_at, lamp_light=lamp_light, exposure=light.exposure,
                crowd_place=(fullness.left, fullness.near, 1 / fullness.width, 1 / fullness.depth),
            )  # fmt: skip
        return crowd

    def _mesh(self, name: str, detail: str) -> tuple[Any, Any]:
        key = (name, detail)
        if key not in self._meshes:
            mesh = part(name, detail)
            data = np.concatenate([mesh.corners, mesh.normals], axis=1).astype("f4")
            self._meshes[key] = (
                self._context.buffer(data.tobytes()), self._context.buffer(mesh.triangles.astype("i4").tobytes())
            )  # fmt: skip
        return self._meshes[key]

    def _drawn(self, mesh: tuple[Any, Any], rows: NDArray[np.float32], program: Any) -> _Drawn:
        corners, triangles = mesh
        per_person = self._context.buffer(rows.tobytes())
        made = []
        for used in (program, self._shadow):
            wanted = [name if name in used else None for name in _NAMES]
            layout = " ".join("4f" if name else "16x" for name in wanted) + "/i"
            content = [(per_person, layout, *(name for name in wanted if name))]
            base = [name if name in used else None for name in ("at", "normal")]
            content.append((corners, " ".join("3f" if name else "12x" for name in base), *(n for n in base if n)))
            made.append(self._context.vertex_array(used, content, triangles))
        return _Drawn(made[0], made[1], per_person, len(rows), program is self._leaves)

    def _frame(self, size_wh: tuple[int, int]) -> tuple[Any, tuple[int, int]]:
        """The frame to draw into, with a second picture of whose head each pixel is; one is kept."""
        size = (round(_FINER * size_wh[0]), round(_FINER * size_wh[1]))
        if size not in self._targets:
            for old in self._targets.values():
                old.release()
            self._targets.clear()
            context = self._context
            self._targets[size] = context.framebuffer(
                [context.renderbuffer(size, 4), context.renderbuffer(size, 4)], context.depth_renderbuffer(size)
            )
        return self._targets[size], size


def _context(moderngl: Any) -> Any:
    tried = []
    # A machine without a screen has EGL; one with a screen (or of another system) its own way.
    kinds = [{"backend": "egl"}, {}] if os.name == "posix" else [{}]
    for kind in kinds:
        try:
            return moderngl.create_context(standalone=True, require=330, **kind)
        except Exception as error:
            tried.append(str(error).strip() or type(error).__name__)
    raise InputError(
        f"Rendered crowds need OpenGL 3.3, which cannot be had here ({tried[0]}): install Mesa's EGL "
        "(on Debian: libegl1 and libgl1-mesa-dri), or paint the crowds instead."
    )


def _set(program: Any, **values: Any) -> None:
    for name, value in values.items():
        if name not in program:  # a driver leaves out what it finds unused
            continue
        given = np.asarray(value)
        if given.shape in ((4, 4), (3, 3)):
            program[name].write(np.ascontiguousarray(given.T, "f4").tobytes())
        elif given.ndim == 2:
            program[name].write(np.ascontiguousarray(given, "f4").tobytes())
        else:
            program[name].value = tuple(float(one) for one in given) if given.ndim else given.item()


def serve() -> None:
    """Draw what comes in on standard input until nothing more comes; the first answer says whether that can be done."""
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a driver's own words are no answer
    try:
        renderer = Renderer()
    except HeadcountError as error:
        send(outgoing, {"error": error.message}, {})
        return
    send(outgoing, {}, {})
    while True:
        try:
            words, arrays = receive(incoming)
        except EOFError:
            return
        share = arrays.pop("share")
        light = words["light"]
        light |= {name: np.array(light[name], float) for name in ("sun", "lamps_at", "lamps_light")}
        light["lamps_at"], light["lamps_light"] = (light[name].reshape(-1, 3) for name in ("lamps_at", "lamps_light"))
        words["camera"]["size_wh"] = tuple(words["camera"]["size_wh"])
        pixels, whose = renderer.draw(
            arrays, Camera(**words["camera"]), Light(**light), Fullness(share, **words["fullness"])
        )
        send(outgoing, {}, {"pixels": pixels, "whose": whose})
