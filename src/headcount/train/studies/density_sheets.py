"""Density maps of several variants beside the true one, their masks, and what the density regressor makes of them.

Fig. 4 and 5 of "Mask-aware networks for crowd counting" (Jiang et al.).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from headcount.core.image import RgbImage
from headcount.core.scene import Scene
from headcount.draw.heat import draw_heat, draw_peaks
from headcount.infer.tiling import is_tiled, network_maps
from headcount.targets.density import density_map
from headcount.train.studies.measure import Trained

_COLUMNS = 4
_BRIGHTEST = 0.995
"""The quantile of the true density's people that is drawn brightest."""
_STRIDE = 8
"""Of the true density: that of most of these networks. What a variant learns by may be another map, or none."""
_MASK = "mask"
_FEATURES = {"feedback": "feedback feature", "regressor.1": "fused feature"}
"""Of a regressor that listens to its mask: the mask's convolution, and the first layer after both meet (Fig. 5c, d)."""
Pictures = list[tuple[str, RgbImage]]


def density_rows(scene: Scene, trained: Mapping[str, Trained]) -> list[Pictures]:
    """Captioned pictures in rows: the photograph, the true density and each variant's; masks; features."""
    size_wh = scene.size_wh
    pixels = scene.pixels()
    densities: Pictures = [(f"{scene.count} heads", pixels)]
    masks: Pictures = []
    features: list[Pictures] = []
    per_pixel = density_map(scene.points_xy, size_wh, stride=_STRIDE) / np.float32(_STRIDE**2)
    brightest = _brightest(per_pixel)
    densities.append(("true density", draw_heat(per_pixel / brightest, _STRIDE, size_wh)))
    for variant, one in trained.items():
        found = one.counter.count(scene)
        caption = f"{variant}: {found.people}"
        if found.density is None:
            densities.append((caption, draw_peaks(found.points_xy, size_wh)))
        else:
            shown = found.density / (found.density_stride**2 * brightest)
            densities.append((caption, draw_heat(shown, found.density_stride, size_wh)))
        if any(output.name == _MASK for output in one.card.outputs):
            stride = one.card.stride(_MASK)
            if not masks:
                true = one.method.targets(scene).maps[_MASK][0]
                masks.append(("true mask", draw_heat(true, stride, size_wh)))
            with _listening(one.method) as heard:
                posterior = network_maps(pixels, one.runtime.run, one.card)[_MASK][0]
            seen = (f"{variant}: posterior", draw_heat(posterior, stride, size_wh))
            if len(heard) == len(_FEATURES) and not is_tiled(size_wh, one.card):
                maps = [(f"{variant}: {name}", draw_heat(heard[name], stride, size_wh)) for name in heard]
                features.append([seen, *maps, densities[-1]])
            else:
                masks.append(seen)
    return [*_rows(densities), *_rows(masks), *features]


def _rows(pictures: Pictures) -> Iterator[Pictures]:
    for start in range(0, len(pictures), _COLUMNS):
        yield pictures[start : start + _COLUMNS]


def _brightest(density: NDArray[np.float32]) -> float:
    there = density[density > 0]
    return float(np.quantile(there, _BRIGHTEST)) if there.size else 1.0


@contextmanager
def _listening(method: nn.Module) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The most varied channel of each feature of the next image, 0…1, where the method has them."""
    heard: dict[str, NDArray[np.float32]] = {}
    handles = []

    def hear(name: str, values: Tensor) -> None:
        channels = values[0].detach().float().cpu().numpy()  # (c, h', w')
        most = channels[int(channels.var(axis=(1, 2)).argmax())]
        heard[name] = (most - most.min()) / max(float(np.ptp(most)), 1e-6)

    if getattr(method, "feedback", None) is not None:
        for path, name in _FEATURES.items():
            part = method.get_submodule(path)
            handles.append(part.register_forward_hook(lambda _, __, values, name=name: hear(name, values)))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()
