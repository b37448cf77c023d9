"""What many tests need: a tiny model with a known receptive field, and images of every kind."""

from __future__ import annotations

import os

# Importing headcount, further down, switches off what libraries would report, before any test imports them.
# Read when torch and others are imported: as many threads on every machine. Of two workers each has one, whatever was
# set before them: two that share two cores by four threads wait for each other, and take five times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.pop("HEADCOUNT_MODEL", None)  # a tester's own choice

import signal
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from headcount.core.card import DecoderSpec, InputSpec, ModelCard, OutputSpec, TileSpec, sha256_of

# Compiled files are kept, whatever the environment says: else each worker rewrites all tests at every run, and each
# process that a test starts compiles headcount.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A suite that is started in the background is handed signals that are ignored, and its tests send them.
for _signal in filter(None, (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.default_int_handler if _signal is signal.SIGINT else signal.SIG_DFL)

# How long one example takes says more of what else the machine does than of the code.
hypothesis.settings.register_profile("headcount", deadline=None)
hypothesis.settings.load_profile("headcount")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: workers get a file at a time, and all would wait for a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


if TYPE_CHECKING:
    from headcount.train.checkpoint import Checkpoint
    from headcount.train.recipe import Recipe

    TrainTwice = Callable[..., tuple[Checkpoint, Checkpoint]]

TINY_RADIUS_PX = 1 + 2 + 4 + 8  # three 3×3 convolutions of stride 2, and one at stride 8


def write_tiny_onnx(path: Path, *, seed: int = 3) -> None:
    """uint8 (1, h, w, 3) ``pixels`` → ``density`` and ``mask`` (1, 1, h/8, w/8); random weights, density ≥ 0."""
    onnx = pytest.importorskip("onnx", reason="the tiny test model is built with onnx (train extra)")
    helper, numpy_helper, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    draw = np.random.default_rng(seed)
    constants: dict[str, NDArray[np.float32]] = {
        "mean": np.full((1, 1, 1, 1), 127.5, np.float32), "std": np.full((1, 1, 1, 1), 64, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=types.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["nchw", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["x0"]),
    ]
    widths, strides = (3, 8, 8, 8, 8), (2, 2, 2, 1)
    for k, stride in enumerate(strides):
        weight = draw.normal(0, (2 / (9 * widths[k])) ** 0.5, (widths[k + 1], widths[k], 3, 3))
        constants[f"w{k}"] = weight.astype(np.float32)
        constants[f"b{k}"] = draw.normal(0, 0.1, widths[k + 1]).astype(np.float32)
        nodes.append(
            helper.make_node(
                "Conv", [f"x{k}", f"w{k}", f"b{k}"], [f"c{k}"], strides=[stride] * 2, pads=[1] * 4, kernel_shape=[3, 3]
            )
        )
        nodes.append(helper.make_node("Relu", [f"c{k}"], [f"x{k + 1}"]))
    for name, last, bias in (("density", "Softplus", -3.0), ("mask", "Sigmoid", 0.0)):
        constants[f"w_{name}"] = draw.normal(0, 0.5, (1, 8, 1, 1)).astype(np.float32)
        constants[f"b_{name}"] = np.array([bias], np.float32)
        nodes.append(helper.make_node("Conv", ["x4", f"w_{name}", f"b_{name}"], [f"{name}_in"], kernel_shape=[1, 1]))
        nodes.append(helper.make_node(last, [f"{name}_in"], [name]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", types.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info(name, types.FLOAT, [1, 1, "rows", "columns"]) for name in ("density", "mask")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@pytest.fixture(scope="module", autouse=True)
def _signals_kept() -> Iterator[None]:
    """Ray takes signals for itself in a process that joins a cluster: the tests of other files keep theirs."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(scope="module")
def threads_kept() -> Iterator[None]:
    """Training sets how many threads torch takes, of the whole process: the tests of other files keep theirs."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def trained_whole_and_cut() -> TrainTwice:
    """Trains a recipe, then another up to a step where it is cut off, goes on with that, and opens both ends."""
    from headcount.train.checkpoint import find_checkpoint, read_checkpoint
    from headcount.train.loop import train

    def both(whole: Recipe, cut: Recipe, *, at: int, say: Callable[[str], None] = str) -> tuple[Checkpoint, Checkpoint]:
        def stop(line: str) -> None:
            if line.startswith(f"step {at}/"):
                raise KeyboardInterrupt

        train(whole, say=say)
        with pytest.raises(KeyboardInterrupt):
            train(cut, say=stop)
        train(cut, resume=True, say=str)
        ends = [find_checkpoint(recipe.folder) for recipe in (whole, cut)]
        assert None not in ends
        first, second = (read_checkpoint(end) for end in ends if end is not None)
        return first, second

    return both


def _card(weights: Path | None = None, **changes: object) -> ModelCard:
    fields: dict[str, object] = {
        "name": "tiny",
        "method": "none",
        "input": InputSpec(size_divisor=32),
        "outputs": (OutputSpec(name="density", stride=8), OutputSpec(name="mask", stride=8)),
        "decoder": DecoderSpec(name="density"),
        "tile": TileSpec(size=256, halo=32),
        "sha256": {} if weights is None else {weights.name: sha256_of(weights)},
    }
    return ModelCard.model_validate({**fields, **changes})


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tiny.onnx`` and its card ``tiny.json``. Copy before changing anything in it."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_onnx(folder / "tiny.onnx")
    (folder / "tiny.json").write_text(_card(folder / "tiny.onnx").to_json(), encoding="utf-8")
    return folder


def write_spots_onnx(path: Path) -> None:
    """A detector of bright spots: ``heat`` is the brightness of a cell of 4×4 px, each head 8×8 px."""
    onnx = pytest.importorskip("onnx", reason="the test detector is built with onnx (train extra)")
    helper, numpy_helper, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    constants = {
        "gray": np.full((1, 3, 4, 4), 1 / (255 * 48), np.float32), "none": np.zeros((2, 1, 1, 1), np.float32),
        "side": np.full(1, 8, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=types.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "gray"], ["heat"], strides=[4, 4], kernel_shape=[4, 4]),
        helper.make_node("Conv", ["heat", "none"], ["offset"], kernel_shape=[1, 1]),
        helper.make_node("Add", ["offset", "side"], ["size"]),
    ]
    maps = {"heat": 1, "size": 2, "offset": 2}
    graph = helper.make_graph(
        nodes,
        "spots",
        [helper.make_tensor_value_info("pixels", types.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info(name, types.FLOAT, [1, n, "rows", "columns"]) for name, n in maps.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@pytest.fixture
def spots_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``spots.onnx``, a detector of bright spots with a score threshold of 0.3, and its card."""
    path = tmp_path_factory.mktemp("spots") / "spots.onnx"
    write_spots_onnx(path)
    outputs = tuple(
        OutputSpec(name=name, stride=4, channels=n) for name, n in (("heat", 1), ("size", 2), ("offset", 2))
    )
    card = _card(path, name="spots", task="detect", outputs=outputs, decoder=DecoderSpec(name="peaks"))
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return path


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    """Pictures with boxes: heads of brightness 0.5, 0.7 and 0.9 a row apart, and 0.4 where nobody is; ``boxes.csv``."""
    rows = ["image,x,y,x1,y1,x2,y2"]
    for number, heads in enumerate((0, 1, 3)):
        pixels = np.zeros((64, 96, 3), np.uint8)
        pixels[4:8, 4:84:12] = pixels[4:8, 5:84:12] = pixels[4:8, 6:84:12] = pixels[4:8, 7:84:12] = 102
        for head in range(heads):
            x, y = 12 + 16 * head, 24 + 12 * head
            pixels[y : y + 4, x : x + 4] = (128, 179, 230)[head]
            rows.append(f"{number}.png,{x + 2},{y + 2},{x - 2},{y - 2},{x + 6},{y + 6}")
        rows += [] if heads else [f"{number}.png,,,,,,"]
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "boxes.csv"


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> str:
    """The path of the tiny model, as a user would give it."""
    return str(tiny_model_dir / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_card() -> Callable[..., ModelCard]:
    """Makes the tiny model's card; keyword arguments replace its fields."""
    return _card


@pytest.fixture(scope="session")
def tiny_radius_px() -> int:
    """How far the tiny model sees around a cell's pixels."""
    return TINY_RADIUS_PX


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A small random picture, (96, 160, 3) uint8."""
    return np.random.default_rng(5).integers(0, 256, (96, 160, 3), dtype=np.uint8)


RED, BLUE = (200, 40, 40), (40, 40, 200)


@pytest.fixture(scope="session")
def odd_images(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Path, tuple[int, int], tuple[int, int, int]]]:
    """Images of every kind that must be read: name → path, upright (width, height), RGB of the top left pixel."""
    folder = tmp_path_factory.mktemp("odd")
    pixels = np.empty((48, 64, 3), np.uint8)
    pixels[:] = BLUE
    pixels[:24, :32] = RED
    image = Image.fromarray(pixels)
    clear = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    clear[:24, :32, 3] = 0
    gray = np.full((48, 64), 77, np.uint8)
    made: dict[str, tuple[Path, tuple[int, int], tuple[int, int, int]]] = {}

    def add(
        name: str,
        picture: Image.Image,
        colour: tuple[int, int, int],
        size: tuple[int, int] = (64, 48),
        **options: object,
    ) -> None:
        picture.save(folder / name, **options)  # type: ignore[arg-type]
        made[name] = (folder / name, size, colour)

    add("rgb.png", image, RED)
    add("gray.png", Image.fromarray(gray), (77, 77, 77))
    add("gray16.png", Image.fromarray(np.full((48, 64), 0x4D80, np.uint16)), (77, 77, 77))
    add("gray16.tif", Image.fromarray(np.full((48, 64), 0x4D80, np.uint16)), (77, 77, 77))
    add("bilevel.png", Image.fromarray(gray > 100), (0, 0, 0))
    add("gray-clear.png", Image.fromarray(np.dstack([gray, np.zeros_like(gray)]), "LA"), (255, 255, 255))
    add("rgba.png", Image.fromarray(clear), (255, 255, 255))
    add("palette.png", image.convert("P", palette=Image.Palette.ADAPTIVE), RED)
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    add("palette-clear.png", palette, (255, 255, 255), transparency=palette.getpixel((0, 0)))
    add("animated.gif", image, RED, save_all=True, append_images=[Image.new("RGB", (64, 48))])
    add("cmyk.jpg", image.convert("CMYK"), RED, quality=95)
    add("gray.jpg", Image.fromarray(gray), (77, 77, 77))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the lower left corner comes to the top left
    add("turned.jpg", image, BLUE, (48, 64), exif=exif, quality=95)
    add("one.png", Image.new("RGB", (1, 1), RED), RED, (1, 1))
    add("long.png", Image.new("RGB", (20000, 3), RED), RED, (20000, 3))
    add("tall.png", Image.new("RGB", (2, 9000), RED), RED, (2, 9000))
    made["rgb16.png"] = (_rgb16(folder / "rgb16.png"), (64, 48), (200, 40, 40))
    return made


def _png(header: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _rgb16(path: Path) -> Path:
    row = b"\0" + struct.pack(">HHH", *(value << 8 | 0x33 for value in RED)) * 64
    path.write_bytes(_png(struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0), zlib.compress(row * 48)))
    return path


@pytest.fixture(scope="session")
def bad_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Files that must be refused: name → path, and words of the error."""
    folder = tmp_path_factory.mktemp("bad")
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    Image.fromarray(noise).save(folder / "whole.png")
    for name in ("whole.jpg", "whole.png"):
        content = (folder / name).read_bytes()
        (folder / name.replace("whole", "cut")).write_bytes(content[: len(content) // 2])
        (folder / name).unlink()
    (folder / "zero.jpg").touch()
    (folder / "text.jpg").write_text("not an image at all\n", encoding="utf-8")
    # 90,000 × 90,000 pixels in a hundred bytes: must be refused by its header.
    (folder / "huge.png").write_bytes(_png(struct.pack(">IIBBBBB", 90000, 90000, 8, 2, 0, 0, 0), zlib.compress(b"")))
    (folder / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    words = {
        "cut.jpg": "damaged or cut short", "cut.png": "damaged or cut short", "zero.jpg": "0 bytes",
        "text.jpg": "not an image", "huge.png": "8,100,000,000 pixels, over the limit", "page.png": "not an image",
        "missing.jpg": "no file",
    }  # fmt: skip
    return {name: (folder / name, text) for name, text in words.items()}


RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCli:
    """Runs the command line here: ``run_cli("count", path)`` → exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        from headcount.cli.main import main

        monkeypatch.setattr(sys, "argv", ["headcount", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        return int(code or 0), out, err  # type: ignore[call-overload]

    return run
