"""PSNR and SSIM of density maps, against the definitions written out and against golden numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.density import Density, DensityResult, psnr, ssim, true_density
from headcount.evaluate.metrics.table import EvaluationSettings, NotMeasured


def maps(seed: int, shape: tuple[int, int] = (17, 23)) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.Generator(np.random.Philox(seed))
    true = draw.random(shape) ** 4
    return true / true.max(), np.clip(true + 0.1 * draw.standard_normal(shape), 0, None)


def slow_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Window by window, as Wang et al. (2004) define it."""
    steps = np.arange(-5, 6)
    weight = np.exp(-(steps[:, None] ** 2 + steps[None, :] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    found = []
    for row in range(one.shape[0] - 10):
        for column in range(one.shape[1] - 10):
            x, y = (each[row : row + 11, column : column + 11] for each in (one, other))
            mx, my = (weight * x).sum(), (weight * y).sum()
            vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
            cov = (weight * (x - mx) * (y - my)).sum()
            found.append(
                (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4))
            )  # fmt: skip
    return float(np.mean(found))


@pytest.mark.parametrize("shape", [(11, 11), (17, 23), (40, 12)])
def test_ssim_is_that_of_its_definition(shape: tuple[int, int]) -> None:
    one, other = maps(shape[0], shape)
    assert ssim(one, other) == pytest.approx(slow_ssim(one, other), abs=1e-10)
    assert ssim(one, other) == pytest.approx(ssim(other, one))
    assert ssim(one, one) == pytest.approx(1)


def test_golden_numbers() -> None:
    """Of scikit-image 0.26 with gaussian_weights, sigma 1.5, use_sample_covariance False, data_range 1."""
    one, other = maps(0)
    assert ssim(one, other) == pytest.approx(0.954392034, abs=1e-6)
    assert psnr(one, other) == pytest.approx(21.768545220, abs=1e-6)


def test_against_scikit_image_where_it_is_installed() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    for seed in range(5):
        one, other = maps(seed, (30 + seed, 20))
        kwargs = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        assert ssim(one, other) == pytest.approx(metrics.structural_similarity(one, other, **kwargs), abs=1e-9)
        assert psnr(one, other) == pytest.approx(metrics.peak_signal_noise_ratio(one, other, data_range=1), abs=1e-9)


def measured(pairs: list[tuple[Scene, Prediction]]) -> DensityResult | NotMeasured | None:
    metric = Density(EvaluationSettings())
    for scene, prediction in pairs:
        metric.add(scene, prediction, 0.0)
    return metric.result()


def scene_of(points: int, size_wh: tuple[int, int] = (128, 96), region: np.ndarray | None = None) -> Scene:
    draw = np.random.Generator(np.random.Philox(points))
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    return Scene(image, draw.random((points, 2)) * size_wh, region=region, name="a")


def seen(scene: Scene, stride: int = 8, factor: float = 1.0) -> Prediction:
    width, height = scene.size_wh
    blank = Prediction(0.0, (width, height), density=np.zeros((-(-height // stride), -(-width // stride)), np.float32),
                       density_stride=stride)  # fmt: skip
    density = (factor * true_density(scene, blank)).astype(np.float32)
    return Prediction(float(density.sum()), (width, height), density=density, density_stride=stride)


def test_the_true_map_is_alike_and_half_of_it_less() -> None:
    scene = scene_of(20)
    found = measured([(scene, seen(scene))])
    assert isinstance(found, DensityResult)
    assert found.psnr > 90
    assert found.ssim == pytest.approx(1, abs=1e-6)
    assert seen(scene).count == pytest.approx(20, abs=1e-4)
    half = measured([(scene, seen(scene, factor=0.5))])
    assert isinstance(half, DensityResult)
    true = true_density(scene, seen(scene))
    assert half.psnr == pytest.approx(-10 * math.log10(np.square(0.5 * true / true.max()).mean()), abs=1e-4)
    assert half.ssim < 0.99
    assert all(len(line) <= 80 for line in half.lines())
    assert json.loads(json.dumps(half.to_dict())) == half.to_dict()


def test_images_without_heads_and_small_ones_are_left_out_and_told() -> None:
    empty, small, full = scene_of(0), scene_of(3, (64, 96)), scene_of(9)
    found = measured([(one, seen(one)) for one in (empty, small, full)])
    assert isinstance(found, DensityResult)
    assert (found.images, found.without_heads, found.small) == (1, 1, 1)
    assert "1 image without heads" in found.lines()[1]
    assert measured([(empty, seen(empty))]) is None


def test_the_truth_ends_where_the_region_does() -> None:
    region = np.zeros((96, 128), np.bool_)
    region[:, :64] = True
    true = true_density(scene_of(30, region=region), seen(scene_of(30)))
    assert true[:, 8:].sum() == 0
    assert true[:, :8].sum() > 0


def test_a_model_without_maps_says_why_there_are_no_figures() -> None:
    found = measured([(scene_of(3), seen(scene_of(3))), (scene_of(3), Prediction(3.0, (128, 96)))])
    assert isinstance(found, NotMeasured)
    assert "no density map" in found.lines()[0]
