"""Two processes learn what one does with the same batches; whatever ends one of them ends both, at the same step."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tests.train.warm_processes import Warm, start_warm

import headcount
from headcount.core.errors import HeadcountError, InputError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_boxes
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train import processes
from headcount.train.batches import Batches
from headcount.train.checkpoint import Checkpoint, find_checkpoint, read_checkpoint
from headcount.train.loop import train
from headcount.train.pools import read_pools
from headcount.train.recipe import Recipe, load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
STEPS = 8
FUSED: dict[str, Any] = {
    "method": "fused",
    "model": {
        "backbone": "test_efficientnet", "width": 16, "density": {"width": 16},
        "boxes": {"width": 16, "least_heads": 1},
        "heads": ["density", "boxes"], "fixed_statistics": True, "fixed_neck_statistics": True,
    },
}  # fmt: skip
SGD = {"name": "sgd", "lr": 0.003, "warmup_steps": 1}
CASES: dict[str, dict[str, Any]] = {
    "adamw, then sgd": {"optimiser": {"name": "adamw", "lr": 1e-4, "warmup_steps": 1, "then_sgd_after_epoch": 1}},
    "instances": {
        "method": "iim",
        "model": {"predictor": "test_efficientnet", "width": 16, "map_stride": 2, "threshold_widths": [8, 8]},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature data set of painted crowds: from nobody, near which a loss divides by little, to a dozen."""
    folder = tmp_path_factory.mktemp("crowds")
    scenes = []
    for seed in range(10):
        painted = paint_scene(seed, size_wh=(128, 96), count=(0, 1, 12)[seed % 3])
        Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
        scenes.append(Scene(folder / f"{seed}.png", painted.points_xy, painted.boxes_xyxy))
    return write_boxes(scenes, folder / "boxes.csv")


def _recipe(folder: Path, boxes: Path, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "tiny",
        "model": {
            "backbone": "test_efficientnet", "width": 8, "density_activation": "softplus", "density_loss": "blocks",
        },
        "initialisation": "none", "data": {"sources": {"boxes": str(boxes)}, "crop": 64}, "optimiser": SGD,
        "batch": 4, "steps_per_epoch": 4, "epochs": STEPS // 4, "validate_every": 2, "ema": 0.9,
        "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": 0, "seed": 5,
        "output": str(folder / "run"), **changes,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_recipe(str(folder / "tiny.yaml"))


def _end(folder: Path) -> Checkpoint:
    found = find_checkpoint(folder / "run")
    assert found is not None
    return read_checkpoint(found)


def _cut(at: int, act: Callable[[], object]) -> Callable[[str], None]:
    """What a run says goes here; after a step something happens."""

    def say(text: str) -> None:
        if text.startswith(f"step {at}/"):
            act()

    return say


def _stop() -> None:
    raise KeyboardInterrupt


def _assert_near(one: Checkpoint, two: Checkpoint) -> None:
    """Weights, their average, the optimiser and the batch statistics are the same but for rounding."""
    assert one.step == two.step == STEPS
    assert one.tensors.keys() == two.tensors.keys()
    for key, value in one.tensors.items():
        assert (two.tensors[key] - value).abs().max() <= 2e-3 * max(0.1, float(value.abs().max())), key
    scores = [one.state["history"][-1]["score"], two.state["history"][-1]["score"]]
    assert scores[1] == pytest.approx(scores[0], rel=1e-2)


def _assert_equal(one: Checkpoint, two: Checkpoint) -> None:
    assert one.step == two.step == STEPS
    assert [key for key, value in one.tensors.items() if not torch.equal(value, two.tensors[key])] == []
    assert one.state["history"] == two.state["history"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The processes that training starts: none of them is left at the end."""
    start_warm(monkeypatch)
    torch.set_num_threads(2)
    seen: list[Any] = []
    start = processes._start
    monkeypatch.setattr(processes, "_start", lambda *given: seen.append(start(*given)) or seen[-1])
    before = _environment()
    yield seen
    assert seen
    assert all(process.returncode is not None for process in seen)
    assert not torch.distributed.is_initialized()
    assert _environment() == before
    assert torch.get_num_threads() == 2


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


@pytest.fixture(scope="module")
def alone(boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run by one process."""
    folder = tmp_path_factory.mktemp("alone")
    train(_recipe(folder, boxes), say=str)
    return folder


@pytest.fixture(scope="module")
def together(boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run by two."""
    folder = tmp_path_factory.mktemp("together")
    said: list[str] = []
    train(_recipe(folder, boxes, devices=2), say=said.append)
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def test_two_processes_give_the_weights_of_one_batch_norms_and_all(alone: Path, together: Path) -> None:
    one, two = _end(alone), _end(together)
    _assert_near(one, two)
    moved = [key for key in one.tensors if key.startswith("model.") and key.endswith("running_var")]
    assert any(not torch.equal(one.tensors[key], torch.ones_like(one.tensors[key])) for key in moved)


def test_one_process_speaks_and_writes(together: Path) -> None:
    said = json.loads((together / "said.json").read_text())
    assert said[0].endswith("threads 1; 2 processes")
    assert sum(line.startswith("step ") for line in said) == STEPS
    assert sum(line.startswith("validation boxes") for line in said) == 1
    assert len([*(together / "run").glob("events.*")]) == 1


@pytest.mark.usefixtures("started")
def test_losses_that_divide_by_what_is_there_divide_by_what_is_in_the_whole_batch(
    tmp_path: Path, boxes: Path
) -> None:  # fmt: skip
    """Heads as density and as boxes: in one process, in pieces, and in two processes of two pieces each."""
    ends = []
    for name, changes in (("one", {}), ("pieces", {"pieces": 2}), ("two", {"devices": 2, "pieces": 2})):
        train(_recipe(tmp_path / name, boxes, **FUSED, **changes), say=str)
        ends.append(_end(tmp_path / name))
    _assert_near(ends[0], ends[1])
    _assert_near(ends[0], ends[2])


def test_one_is_resumed_by_two_and_when_one_of_them_dies_that_by_one(
    tmp_path: Path, boxes: Path, alone: Path, started: list[Any]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_recipe(tmp_path, boxes), say=_cut(3, _stop))
    with pytest.raises(HeadcountError, match=r"Process 2 of 2 ended without a word \(signal 9\)") as raised:
        train(_recipe(tmp_path, boxes, devices=2), resume=True, say=_cut(5, lambda: started[0].kill()))
    assert raised.value.remedy == "resume"
    step = _end(tmp_path).step
    assert step in (4, 5)
    said: list[str] = []
    train(_recipe(tmp_path, boxes), resume=True, say=said.append)
    _assert_near(_end(alone), _end(tmp_path))
    changes = json.loads((tmp_path / "run" / "changes.json").read_text())
    assert [(one["step"], one["what"].partition(" from here")[0]) for one in changes] == [
        (2, "the number of processes is 2"), (step, "the number of processes is 1")
    ]  # fmt: skip
    assert any(line.startswith("The number of processes is 1 from here, where it was 2") for line in said)


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("changes", CASES.values(), ids=list(CASES))
def test_other_optimisers_and_methods_learn_the_same_in_two_processes(
    tmp_path: Path, boxes: Path, changes: dict[str, Any]
) -> None:
    """How far weights end from those of one process is little beside how far they went."""
    recipes = [_recipe(tmp_path / str(devices), boxes, devices=devices, **changes) for devices in (1, 2)]
    torch.manual_seed(recipes[0].seed)
    start = build_method(recipes[0].method, recipes[0].model).state_dict()
    ends = []
    for recipe in recipes:
        train(recipe, say=str)
        ends.append(_end(recipe.folder.parent).part("model"))
    moved, apart = (
        torch.cat([(one[key] - other[key]).flatten().float() for key in start]).norm()
        for one, other in ((ends[0], start), (ends[0], ends[1]))
    )
    assert moved > 0
    assert apart <= 0.02 * moved


class _Running:
    """`headcount train` of two processes, from the command line: the second is started as everybody's is."""

    def __init__(self, folder: Path, *options: str) -> None:
        sources = str(Path(headcount.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])}
        self.output = folder / "output.txt"
        self.process = Warm(
            [sys.executable, "-m", "headcount", "train", str(folder / "tiny.yaml"), "devices=2", *options],
            env=environment, output=str(self.output),
        )  # fmt: skip

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines() if self.output.exists() else []

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + 300
        while not any(line.startswith(text) for line in self.lines()):
            assert self.process.poll() is None, self.lines()
            assert time.monotonic() < until, self.lines()
            time.sleep(0.02)

    def children(self) -> list[int]:
        """The process ids of those that it started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if not listed.exists():
            pytest.skip("the system does not tell who started whom")
        found = [int(one) for one in listed.read_text().split()]
        return [one for one in found if b"headcount.train.worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


def _is_there(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    try:
        return "State:\tZ" not in status.read_text()  # one that has ended, and waits to be asked how
    except OSError:
        return False


def _assert_gone(process: int) -> None:
    until = time.monotonic() + 60
    while _is_there(process) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _is_there(process)


def test_stopped_and_killed_two_processes_end_bit_equal(
    tmp_path: Path, boxes: Path, together: Path, started: list[Any]
) -> None:
    recipe = _recipe(tmp_path, boxes, devices=2)
    with pytest.raises(HeadcountError, match="Another process of the run was told to stop") as raised:
        train(recipe, say=_cut(1, lambda: started[0].send_signal(signal.SIGTERM)))
    assert raised.value.remedy == "resume"
    first = _end(tmp_path).step
    assert 1 <= first < STEPS
    handler = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)):
            train(recipe, resume=True, say=_cut(first + 1, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, handler)
    step = _end(tmp_path).step
    assert step == first + 1
    run = _Running(tmp_path, "--resume")
    run.wait_for("tiny: ")
    (child,) = run.children()
    run.wait_for(f"step {step + 1}/")
    run.process.kill()
    run.process.wait(300)
    _assert_gone(child)
    train(recipe, resume=True, say=str)
    _assert_equal(_end(together), _end(tmp_path))
    assert not (tmp_path / "run" / "changes.json").exists()


def _by_torchrun(folder: Path, *changes: tuple[str, ...]) -> tuple[list[int], list[list[str]]]:
    """Exit codes and output of processes as torchrun starts them, each with changes of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sources, size = str(Path(headcount.__file__).parents[1]), len(changes)
    running = []
    for rank, own in enumerate(changes):
        of_all = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_PORT": port}
        environment = {
            **os.environ, **{name: str(value) for name, value in of_all.items()}, "MASTER_ADDR": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")]),
        }  # fmt: skip
        running.append(
            Warm(
                [sys.executable, "-m", "headcount", "train", str(folder / "tiny.yaml"), *own],
                env=environment, output=str(folder / f"said{rank}.txt"),
            )
        )  # fmt: skip
    try:
        codes = [process.wait(300) for process in running]
    finally:
        for process in running:
            process.kill()
    return codes, [(folder / f"said{rank}.txt").read_text().splitlines() for rank in range(size)]


def test_processes_that_torchrun_started_find_each_other(tmp_path: Path, boxes: Path, together: Path) -> None:
    _recipe(tmp_path, boxes, devices=2)
    codes, said = _by_torchrun(tmp_path, (), ())
    assert codes == [0, 0], said
    assert any(line.startswith("Done: ") for line in said[0])
    assert said[1] == []
    _assert_equal(_end(together), _end(tmp_path))


def test_processes_that_were_given_other_settings_do_not_learn_together(tmp_path: Path, boxes: Path) -> None:
    _recipe(tmp_path, boxes, devices=2)
    codes, said = _by_torchrun(tmp_path, (), ("optimiser.lr=0.1", f"output={tmp_path / 'other'}"))
    assert [code > 0 for code in codes] == [True, True]
    for lines in said:
        assert '"optimiser.lr" is not the same in all processes of the run' in lines[-1], lines
    assert find_checkpoint(tmp_path / "run") is None


def _second_half(recipe: Recipe) -> str:
    """The image that only the second process meets in the first step."""
    method = build_method(recipe.method, recipe.model)
    order = Batches(
        read_pools(recipe.data), method, recipe.data, batch=recipe.batch, steps_per_epoch=recipe.steps_per_epoch,
        seed=recipe.seed,
    )  # fmt: skip
    names = order.names(0)
    return next(name for name in names[len(names) // 2 :] if name not in names[: len(names) // 2])


def test_an_image_that_one_process_cannot_read_ends_both_in_its_sentence(
    tmp_path: Path, boxes: Path, started: list[Any]
) -> None:
    recipe = _recipe(tmp_path, boxes, devices=2)
    image = Path(_second_half(recipe))
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(InputError) as raised:
            train(recipe, say=str)
    finally:
        image.write_bytes(whole)
    assert f'"{image}"' in raised.value.message
    assert "\n" not in raised.value.message
    assert not (tmp_path / "run" / ".lock").exists()


def test_each_process_makes_its_own_rows_ready_and_no_others(
    tmp_path: Path, boxes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(tmp_path, boxes)
    method = build_method(recipe.method, recipe.model)
    made: list[int] = []
    sample = Batches._sample
    monkeypatch.setattr(
        Batches, "_sample", lambda self, epoch, index: made.append(index) or sample(self, epoch, index)
    )  # fmt: skip
    pools = read_pools(recipe.data)
    rows = [None, slice(0, 2), slice(2, 4)]
    settings = {"batch": 4, "steps_per_epoch": 4, "seed": 5}
    whole, first, second = (Batches(pools, method, recipe.data, rows=own, **settings).at(5) for own in rows)
    assert made == [4, 5, 6, 7, 4, 5, 6, 7]
    assert np.array_equal(torch.cat([first[0], second[0]]).numpy(), whole[0].numpy())
    for name, values in whole[1].maps.items():
        assert torch.equal(torch.cat([first[1].maps[name], second[1].maps[name]]), values)
