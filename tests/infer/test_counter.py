"""A Counter counts what it is given, of any kind and size."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import headcount
from headcount import Counter, InputError, ModelError, Prediction, Scene
from headcount.core.card import DecoderSpec, InputSpec, ModelCard, OutputSpec, TileSpec
from headcount.core.image import as_rgb_array
from headcount.infer.models import find_model, shipped_models
from headcount.synth import paint_scene


@pytest.fixture(scope="module")
def counter(tiny_model: str) -> Counter:
    return headcount.load(tiny_model, precision="f32")


@pytest.fixture
def picture_file(tmp_path: Path, picture: np.ndarray) -> Path:
    Image.fromarray(picture).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_all_kinds_of_source_agree(counter: Counter, picture: np.ndarray, picture_file: Path) -> None:
    scene = Scene(image=picture_file, source="camera 1")
    found = [counter.count(source) for source in (picture, picture_file, str(picture_file), scene)]
    assert len({prediction.count for prediction in found}) == 1
    assert [prediction.source for prediction in found] == ["", str(picture_file), str(picture_file), "camera 1"]


async def _awaited() -> bytes:
    return b""


def test_a_prediction_is_complete(counter: Counter, picture_file: Path) -> None:
    found = counter.count(picture_file)
    assert found.model == "tiny"
    assert found.runtime == "openvino cpu f32"
    assert found.size_wh == (160, 96)
    assert found.density is not None
    assert found.density.shape == (12, 20)
    assert found.count == pytest.approx(found.density.sum(dtype=np.float64))
    assert found.points_kind == "peaks"
    assert found.warnings == ()
    steps = dict(found.timing_ms)
    assert steps.pop("total") == pytest.approx(sum(steps.values()), abs=0.1)
    assert set(steps) == {"read", "network", "decode"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({1: 2}, "a dict was given"),
        (None, "NoneType was given"),
        ([[1, 2]], "a list was given"),
        (b"photo.jpg", "the image given, of 9 bytes.* is not an image"),
        (b"", "is empty"),
        (SimpleNamespace(read=_awaited), r"pass its \.file"),
        (io.BytesIO(b""), r"seek\(0\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), "as a list of them"),
        (io.StringIO("photo"), 'open it with "rb"'),
        (np.zeros((8, 8, 3)), "must be uint8"),
        ("x" * 5000, "File name too long"),
    ],
    ids=["dict", "None", "list", "bytes", "no bytes", "upload", "read to its end", "batch", "text", "floats", "long"],
)
def test_what_is_no_source_is_named(counter: Counter, source: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        counter.count(source)  # type: ignore[arg-type]


def test_what_people_hold_in_python_counts_as_its_file_does(counter: Counter, picture_file: Path) -> None:
    content = picture_file.read_bytes()
    image = Image.open(picture_file)
    bgr = cv2.imread(str(picture_file))
    rgba = np.dstack([np.asarray(image), np.full(image.size[::-1], 255, np.uint8)])
    expected = counter.count(picture_file).count
    with picture_file.open("rb") as file:
        given = [content, bytearray(content), io.BytesIO(content), file, image, image.convert("RGBA"), rgba]
        assert [counter.count(one).count for one in given] == [expected] * 7  # type: ignore[arg-type]
    assert counter.count(bgr, channels="bgr").count == expected != counter.count(bgr).count
    assert counter.count(cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA), channels="bgr").count == expected
    assert [found.count for found in counter.count([image, content, str(picture_file)])] == [expected] * 3
    assert counter.count([]) == []
    assert counter.count(image).source == str(picture_file)


def test_gray_and_turned_pil_images_are_upright_rgb(counter: Counter, odd_images: dict) -> None:
    for path, size_wh, _ in odd_images.values():
        if max(size_wh) < 100:
            with Image.open(path) as image:
                mode, size = image.mode, image.size
                found = counter.count(image)
                assert (image.mode, image.size) == (mode, size)
            assert found.count == pytest.approx(counter.count(path).count, abs=1e-6), path
            assert found.size_wh == size_wh


def test_what_is_clear_lies_on_white() -> None:
    array = np.zeros((4, 5, 4), np.uint8)
    array[:, 2:] = (10, 20, 30, 255)
    pixels = as_rgb_array(array, channels="bgr")
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 3].tolist() == [30, 20, 10]
    with pytest.raises(InputError, match="'rbg' was given"):
        as_rgb_array(array, channels="rbg")  # type: ignore[arg-type]


def test_large_images_in_memory_are_refused_by_their_header(tiny_model: str, picture_file: Path) -> None:
    strict = headcount.load(tiny_model, max_pixels=100)
    for source in (picture_file.read_bytes(), Image.open(picture_file)):
        with pytest.raises(InputError, match="over the limit of 100"):
            strict.count(source)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_threads_share_a_counter(tiny_model: str, picture: np.ndarray, runtime: str) -> None:
    if runtime != "openvino":
        pytest.importorskip(runtime, reason="it is in the train extra")
    counter = headcount.load(tiny_model, runtime=runtime, precision="f32")
    pictures = [picture[: 32 + 8 * k] for k in range(8)] * 5
    alone = [counter.count(one).count for one in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert [found.count for found in pool.map(counter.count, pictures)] == alone
        assert [found.count for found in counter.count_many(pictures)] == alone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_told_to_load_its_own(counter: Counter, picture: np.ndarray) -> None:
    counter.count(picture)
    receive, send = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            counter.count(picture)
            send.send("counted")
        except BaseException as error:
            send.send(str(error))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert receive.poll(1)
    assert 'start processes by "spawn"' in receive.recv()


def test_a_counter_is_not_sent_to_another_process(counter: Counter) -> None:
    with pytest.raises(InputError, match=r"load the model there"):
        pickle.dumps(counter)


def test_one_line_says_what_there_is(counter: Counter, picture_file: Path) -> None:
    found = counter.count(picture_file)
    assert repr(counter) == "<Counter tiny, count, on openvino cpu f32>"
    assert repr(found).startswith("<Prediction: count ")
    assert str(picture_file) in repr(found)
    assert "160×96, " in repr(found)
    assert "density 12×20" in repr(found)
    scene = Scene(np.zeros((2000, 3000, 3), np.uint8), np.zeros((400, 2)), np.tile([0, 0, 1, 1], (400, 1)))
    assert repr(scene) == "<Scene: pixels 3000×2000, 400 points, 400 boxes>"


def test_the_package_shows_what_it_loads_late() -> None:
    import pydoc

    assert {"load", "Counter", "Prediction", "Scene"} <= set(dir(headcount))
    assert {"Any", "TYPE_CHECKING", "os"}.isdisjoint(dir(headcount))
    page = pydoc.plain(pydoc.render_doc(headcount))
    for words in ("class Counter", "class Prediction", "load(model"):
        assert words in page


def test_count_many_reads_ahead_while_it_counts(tiny_card: Callable[..., ModelCard], picture_file: Path) -> None:
    """The second image is read before the first is counted."""
    both = threading.Barrier(2, timeout=10)

    class Waiting(_Constant):
        def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            if not both.broken and len(waited) < 1:
                waited.append(both.wait())
            return super().run(pixels)

    class Announcing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            both.wait()
            return super().read(size)

    waited: list[int] = []
    sources = [picture_file, Announcing(picture_file.read_bytes())]
    assert len(list(Counter(_card(), Waiting()).count_many(sources))) == 2
    assert waited


def test_count_many_raises_at_the_image_concerned(counter: Counter, picture: np.ndarray) -> None:
    results = counter.count_many([picture, "nothing.jpg", picture])
    assert next(results).size_wh == (160, 96)
    with pytest.raises(InputError, match=r"nothing\.jpg"):
        next(results)


@pytest.mark.parametrize(
    "one",
    ["a.png", Path("a.png"), b"a.png", io.BytesIO(), np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)],
    ids=["name", "path", "bytes", "file", "pixels", "gray"],
)
def test_count_many_takes_no_single_image_for_many(counter: Counter, one: Any) -> None:
    with pytest.raises(InputError, match="put it into a list"):
        list(counter.count_many(one))
    with pytest.raises(InputError, match="put it into a list"):
        list(counter.count_many(Image.fromarray(np.zeros((8, 8, 3), np.uint8))))  # type: ignore[arg-type]


def test_a_stack_of_pixels_is_many(counter: Counter, picture: np.ndarray) -> None:
    assert len(list(counter.count_many(np.stack([picture, picture])))) == 2


def test_any_object_that_is_a_path_is_one(counter: Counter, picture_file: Path) -> None:
    class Elsewhere(os.PathLike[str]):
        def __fspath__(self) -> str:
            return str(picture_file)

    assert counter.count(Elsewhere()).count == counter.count(picture_file).count


def test_count_many_is_lazy_and_in_order(counter: Counter, picture: np.ndarray) -> None:
    pictures = [picture, picture[:40], picture[:, :50], *[picture] * 9]
    asked: list[int] = []

    def sources() -> object:
        for number, one in enumerate(pictures):
            asked.append(number)
            yield one

    results = counter.count_many(sources())  # type: ignore[arg-type]
    first = next(results)
    assert len(asked) <= 3  # those that are read ahead
    sizes = [first.size_wh, *(prediction.size_wh for prediction in results)]
    assert sizes == [(160, 96), (160, 40), (50, 96), *[(160, 96)] * 9]


def test_odd_images_are_counted(counter: Counter, odd_images: dict) -> None:
    for path, size_wh, _ in odd_images.values():
        found = counter.count(path)
        assert found.size_wh == size_wh
        assert np.isfinite(found.count)
        assert (found.points_xy <= size_wh).all()
        assert bool(found.warnings) == (min(size_wh) < 32)


def test_a_gray_picture_counts_like_its_three_channels(counter: Counter, picture: np.ndarray) -> None:
    gray = picture[..., 0]
    assert counter.count(gray).count == counter.count(np.dstack([gray] * 3)).count


@pytest.mark.parametrize("name", ["missing.jpg", "zero.jpg", "text.jpg", "cut.jpg", "huge.png"])
def test_bad_images_are_refused(counter: Counter, bad_images: dict, name: str) -> None:
    path, words = bad_images[name]
    with pytest.raises(InputError, match=words):
        counter.count(path)


def test_max_pixels(tiny_model: str, picture_file: Path) -> None:
    with pytest.raises(InputError, match="over the limit of 100"):
        headcount.load(tiny_model, max_pixels=100).count(picture_file)


def test_tiled_models_that_pool_say_so(counter: Counter, tiny_card: Callable[..., ModelCard]) -> None:
    pooling = Counter(tiny_card(tile=TileSpec(size=256, halo=32, exact=False)), counter.runtime)
    assert pooling.count(np.zeros((64, 64, 3), np.uint8)).warnings == ()
    (warning,) = pooling.count(np.zeros((500, 500, 3), np.uint8)).warnings
    assert "in tiles" in warning


def test_a_model_that_learned_from_black_surroundings_sees_them_so(
    counter: Counter, tiny_card: Callable[..., ModelCard], picture: np.ndarray
) -> None:
    region = np.zeros(picture.shape[:2], np.bool_)
    region[16:64, 24:100] = True
    black = np.where(region[:, :, None], picture, np.uint8(0))
    blank = Counter(tiny_card(blank_outside=True), counter.runtime)
    scene = Scene(picture, region=region)
    assert blank.count(scene).count == counter.count(black).count != counter.count(scene).count
    inside = blank.count(picture, region=region).count
    assert inside == counter.count(black, region=region).count != counter.count(picture, region=region).count
    assert blank.count(picture).count == counter.count(picture).count
    with pytest.raises(InputError, match="region of interest is 10×10, but its image is 160×96"):
        blank.count(Scene(picture, region=region[:10, :10]))


def test_a_wrong_card_is_a_model_error(counter: Counter, tiny_card: Callable[..., ModelCard]) -> None:
    wrong = Counter(tiny_card(outputs=(OutputSpec(name="mask", stride=8),)), counter.runtime)
    with pytest.raises(ModelError, match="density"):
        wrong.count(np.zeros((64, 64, 3), np.uint8))


def test_save_works_after_load(counter: Counter, picture_file: Path, tmp_path: Path) -> None:
    found = counter.count(picture_file)
    for suffix in (".json", ".jsonl", ".csv", ".png", ".jpg"):
        assert found.save(tmp_path / f"out{suffix}").stat().st_size > 0


class _Constant:
    """A runtime of one number of people in every cell, or in every image."""

    name, device, precision = "fake", "cpu", "f32"

    def __init__(self, *, in_cell: float = 0.0, in_image: float = 0.0) -> None:
        self.in_cell, self.in_image = in_cell, in_image

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        cells = np.full((1, 1, pixels.shape[1] // 8, pixels.shape[2] // 8), self.in_cell, np.float32)
        return {"density": cells + np.float32(self.in_image / cells.size)}


def _card() -> ModelCard:
    return ModelCard(
        name="constant",
        method="none",
        outputs=(OutputSpec(name="density", stride=8),),
        decoder=DecoderSpec(name="density"),
        tile=TileSpec(size=8192, halo=0),
    )


@pytest.mark.parametrize(
    ("runtime", "size_wh", "warned"),
    [
        (_Constant(in_cell=0.01), (3200, 2400), True),  # 1,200 people, a quarter of them when shrunk
        (_Constant(in_cell=0.01), (3072, 2304), False),  # not large
        (_Constant(in_cell=0.01), (6400, 320), False),  # too thin to be shrunk
        (_Constant(in_image=500), (3200, 2400), False),  # the same at both sizes
        (_Constant(in_cell=0.00001), (3200, 2400), False),  # hardly anybody at either
    ],
)
def test_a_large_photograph_that_counts_otherwise_shrunk_is_warned_of(
    runtime: _Constant, size_wh: tuple[int, int], warned: bool
) -> None:
    found = Counter(_card(), runtime).count(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))
    assert [("1,200 at full size" in warning) for warning in found.warnings] == [True] * warned
    if warned:
        assert "shrunk to 1280×960" in found.warnings[0]
        assert found.timing_ms["check"] > 0


class _Bright:
    """Confidence 1 where a pixel is bright."""

    name, device, precision = "bright", "cpu", "f32"

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return {"confidence": (pixels[..., 0] > 127).astype(np.float32)[:, None]}


def test_what_is_found_in_an_enlarged_image_is_told_in_the_pixels_given() -> None:
    card = ModelCard(
        name="bright",
        method="none",
        input=InputSpec(size_divisor=16, enlarge=2),
        outputs=(OutputSpec(name="confidence", stride=1),),
        decoder=DecoderSpec(name="instances", settings={"min_area_px": 20}),
    )
    pixels = np.zeros((45, 61, 3), np.uint8)
    pixels[10:14, 20:26] = 255
    found = Counter(card, _Bright()).count(pixels)
    assert (found.count, found.size_wh) == (1, (61, 45))
    np.testing.assert_allclose(found.points_xy, [[23, 12]])
    assert found.boxes_xyxy is not None
    np.testing.assert_allclose(found.boxes_xyxy, [[20, 10, 26, 14]], atol=0.5)
    pixels[30:32, 40:42] = 255  # 4 pixels as given, but 16 or so in the image that is searched
    small = card.model_copy(update={"input": InputSpec(size_divisor=16), "decoder": DecoderSpec(name="instances")})
    assert Counter(small, _Bright()).count(pixels).count == 2
    assert Counter(card, _Bright()).count(pixels).count == 1


def test_a_density_in_an_enlarged_image_has_cells_of_the_pixels_given() -> None:
    card = _card().model_copy(update={"input": InputSpec(enlarge=2)})
    found = Counter(card, _Constant(in_cell=0.01)).count(np.zeros((64, 96, 3), np.uint8))
    assert found.density is not None
    assert (found.density.shape, found.density_stride, found.size_wh) == ((16, 24), 4, (96, 64))
    card = _card().model_copy(update={"input": InputSpec(enlarge=1.5)})
    with pytest.raises(ModelError, match="no whole pixels"):
        Counter(card, _Constant(in_cell=0.01)).count(np.zeros((64, 96, 3), np.uint8))


def test_a_card_cannot_enlarge_without_a_limit() -> None:
    card = _card().model_copy(update={"input": InputSpec(enlarge=8)})
    small, pixels = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 640, 3), np.uint8)
    counter = Counter(card, _Constant(), max_pixels=64 * 64 * 64)
    assert counter.count(small).size_wh == (64, 64)
    with pytest.raises(InputError, match=r"640×64 pixels is enlarged by 8 .* over the limit of 262,144") as caught:
        counter.count(pixels)
    assert caught.value.remedy == "max_pixels"


def test_maps_are_decoded_once_more_down_to_a_lower_score(
    spots_model: Path, spots: Path, counter: Counter, picture: np.ndarray
) -> None:
    detector = headcount.load(spots_model, precision="f32")
    scene = Scene(spots.parent / "1.png")
    found, again = detector.count_keeping_maps(scene)
    assert found.count == detector.count(scene).count == 8  # one head of 0.5, seven of 0.4
    assert found.scores is not None
    weaker, same = again(0.01), again(0.45)
    assert weaker is not None
    assert same is not None
    np.testing.assert_array_equal(same.boxes_xyxy, found.boxes_xyxy)  # lowered, never raised
    assert weaker.count >= found.count
    higher = Counter(detector.card.calibrated({"score_threshold": 0.45}), detector.runtime)
    found, again = higher.count_keeping_maps(scene)
    weaker = again(0.01)
    assert weaker is not None
    assert (found.count, weaker.count) == (1, 8)
    assert counter.count_keeping_maps(Scene(picture))[1](0.01) is None  # a density has no threshold


LEFT = np.zeros((96, 160), np.bool_)
LEFT[:, :75] = True


def test_what_is_inside_does_not_depend_on_where_the_region_ends(counter: Counter, picture: np.ndarray) -> None:
    whole = counter.count(picture)
    left, right = counter.count(picture, region=LEFT), counter.count(picture, region=~LEFT)
    assert left.count + right.count == pytest.approx(whole.count, abs=1e-4)
    assert 0 < left.count < whole.count
    assert left.density is not None
    assert whole.density is not None
    np.testing.assert_array_equal(left.density[:, :9], whole.density[:, :9])
    assert not left.density[:, 10:].any()
    assert (left.points_xy[:, 0] < 75).all()
    assert len(left.points_xy) + len(right.points_xy) == len(whole.points_xy)
    assert left.region is not None
    assert left.region.to_dict()["mask_sha256"]


def test_a_region_in_every_form_and_call_counts_alike(counter: Counter, picture: np.ndarray, tmp_path: Path) -> None:
    corners = [[0, 0], [75, 0], [75, 96], [0, 96]]
    (tmp_path / "left.csv").write_text("0,0\n75,0\n75,96\n0,96\n", encoding="utf-8")
    forms = [LEFT, corners, np.array(corners) / [160, 96], [corners], tmp_path / "left.csv", str(tmp_path / "left.csv")]
    expected = counter.count(picture, region=LEFT).count
    assert [counter.count(picture, region=form).count for form in forms] == [expected] * 6
    assert [found.count for found in counter.count([picture] * 4, region=corners)] == [expected] * 4
    scene = Scene(picture, region=LEFT)
    assert counter.count(scene).count == counter.count(picture).count
    assert counter.count(scene, region=scene.region).count == expected


def test_a_region_that_does_not_fit_is_refused_before_anything_is_counted(
    counter: Counter, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "_maps", None)
    with pytest.raises(InputError, match="4×4 pixels, but the image has 160×96"):
        counter.count(picture, region=np.ones((4, 4), np.bool_))


def test_pixels_of_a_region_are_those_of_images_of_one_size(
    counter: Counter, picture_file: Path, tmp_path: Path
) -> None:
    Image.open(picture_file).resize((200, 120)).save(tmp_path / "b.png")
    corners = np.array([[0.0, 0.0], [75, 0], [75, 96]])
    counts = counter.count_many([picture_file, tmp_path / "b.png"], region=corners)
    next(counts)
    with pytest.raises(InputError, match=r'is of images of 160×96 pixels, but ".*b\.png" has 200×120'):
        next(counts)
    assert len(counter.count([picture_file, tmp_path / "b.png"], region=corners / [160, 96])) == 2


def test_the_second_look_at_a_large_photograph_is_of_the_region(counter: Counter, picture: np.ndarray) -> None:
    large = cv2.resize(picture, (3200, 1920))
    found = counter.count(large, region=[[0, 0], [0.01, 0], [0.01, 0.01], [0, 0.01]])
    assert found.count < 10
    assert "check" in found.timing_ms
    assert found.warnings == ()


def test_a_map_of_the_network_and_the_side_of_its_cells() -> None:
    counter = headcount.load("headcount-detect-s", runtime="openvino", precision="f32")
    scene = Scene(paint_scene(3, size_wh=(192, 128)).pixels(), np.zeros((0, 2)))
    heat, side = counter.map_of(scene, "heat")
    assert counter.has_map("heat")
    assert not counter.has_map("density")
    assert (heat.shape, side) == ((32, 48), 4)
    assert 0 <= heat.min() <= heat.max() <= 1
    with pytest.raises(ModelError, match='no output "density"'):
        counter.map_of(scene, "density")


def _told(prediction: Prediction) -> dict[str, Any]:
    """All of a prediction but how long it took."""
    return {**prediction.to_dict(), "timing_ms": None}


REGIONS = [
    [[0, 0], [0.5, 0], [0.5, 1], [0, 1]],
    [[0.3, 0.2], [0.9, 0.4], [0.6, 0.9]],
    [[0.1, 0.8], [0.3, 0.8], [0.2, 1]],
]


@pytest.mark.parametrize("name", [name for name in shipped_models() if find_model(name).card.interval is not None])
def test_regions_of_one_run_are_those_of_separate_ones(name: str) -> None:
    counter = headcount.load(name, threads=1)
    pixels = paint_scene(5, count=40, size_wh=(640, 384)).pixels()
    whole, parts = counter.count_regions(pixels, REGIONS)
    assert whole.interval is not None
    assert _told(whole) == _told(counter.count(pixels))
    for part, region in zip(parts, REGIONS, strict=True):
        alone = counter.count(pixels, region=region)
        assert part.interval is not None
        assert part.interval_level == 0.9
        assert _told(part) == _told(alone)
        assert set(part.timing_ms) == set(alone.timing_ms)
        if part.density is not None:
            np.testing.assert_array_equal(part.density, alone.density)


def test_the_network_runs_once_for_all_regions(counter: Counter, picture: np.ndarray, monkeypatch: Any) -> None:
    runs: list[int] = []
    run = counter.runtime.run
    monkeypatch.setattr(counter.runtime, "run", lambda *args: runs.append(1) or run(*args))
    counter.count(picture)
    once = len(runs)
    whole, parts = counter.count_regions(picture, REGIONS)
    assert (len(parts), len(runs)) == (3, 2 * once)
    assert counter.count_regions(picture, [])[1] == []
    assert whole.region is None


def test_a_large_photograph_is_looked_at_twice_in_each_region(counter: Counter) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (800, 3200, 3), np.uint8)
    whole, (part,) = counter.count_regions(pixels, REGIONS[:1])
    assert _told(whole) == _told(counter.count(pixels))
    assert _told(part) == _told(counter.count(pixels, region=REGIONS[0]))
    assert "check" in part.timing_ms


def test_a_region_that_does_not_fit_is_told_before_the_network_runs(counter: Counter, picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="outside"):
        counter.count_regions(picture, [REGIONS[0], [[5, 5], [900, 5], [900, 50]]])
