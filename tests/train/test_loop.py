"""A run that is cut off and resumed ends bit-equal to one that was not; a real run, killed at several instants."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import headcount
from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.models.parts.necks import TopDownNeck
from headcount.synth import paint_scene
from headcount.train import checkpoint
from headcount.train.batches import Batches
from headcount.train.checkpoint import find_checkpoint, read_checkpoint
from headcount.train.loop import train
from headcount.train.recipe import Recipe, load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
STEPS = 16
NEVER = 1e9
TO_SGD = {"then_sgd_after_epoch": 2}


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature data set of painted crowds."""
    folder = tmp_path_factory.mktemp("crowds")
    scenes = []
    for seed in range(10):  # two of them for validation
        painted = paint_scene(seed, size_wh=(128 + 32 * (seed % 3), 96), count=6 + seed)
        Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
        scenes.append(Scene(folder / f"{seed}.png", painted.points_xy))
    return write_points(scenes, folder / "points.csv")


def _write(folder: Path, points: Path, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "name": "tiny",
        "model": {
            "backbone": "test_efficientnet", "width": 8, "density_activation": "softplus", "density_loss": "blocks",
        },
        "initialisation": "none",
        "data": {"sources": {"points": str(points)}, "painted_scenes": 1, "shares": {"painted": 0.2}, "crop": 64},
        "optimiser": {"lr": 0.01, "warmup_steps": 3},
        "batch": 2, "steps_per_epoch": 4, "epochs": STEPS // 4, "validate_every": 2, "ema": 0.9,
        "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": NEVER, "seed": 5,
        "output": str(folder / "run"),
    }  # fmt: skip
    values["optimiser"] = {**values["optimiser"], **changes.pop("optimiser", {})}
    values["data"] = {**values["data"], **changes.pop("data", {})}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return path


def _recipe(folder: Path, points: Path, **changes: Any) -> Recipe:
    return load_recipe(str(_write(folder, points, **changes)))


def _train(recipe: Recipe, **options: Any) -> list[str]:
    said: list[str] = []
    train(recipe, say=said.append, **options)
    return said


def _assert_equal_ends(one: Path, two: Path) -> None:
    first, second = (read_checkpoint(find_checkpoint(folder) or folder) for folder in (one, two))
    assert first.step == second.step == STEPS
    assert first.tensors.keys() == second.tensors.keys()
    different = [key for key, value in first.tensors.items() if not torch.equal(value, second.tensors[key])]
    assert different == []
    for key in ("history", "best", "optimiser", "optimiser_state"):
        assert first.state[key] == second.state[key], key
    assert [entry["step"] for entry in first.state["history"]] == [8, 16]
    best = [find_checkpoint(folder, "best") for folder in (one, two)]
    assert [path.name for path in best if path] == [path.name for path in best[:1] if path] * 2


def test_bf16_is_what_the_network_computes_in(tmp_path: Path, points: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[torch.dtype] = set()
    forward = TopDownNeck.forward

    def noted(neck: TopDownNeck, features: list[torch.Tensor]) -> torch.Tensor:
        feature = forward(neck, features)
        seen.add(feature.dtype)
        return feature

    monkeypatch.setattr(TopDownNeck, "forward", noted)
    for precision, dtype in (("bf16", torch.bfloat16), ("f32", torch.float32)):
        seen.clear()
        _train(
            _recipe(tmp_path / precision, points, precision=precision, epochs=1, validate_every=2, data={"sources": {}})
        )
        assert seen == {dtype}


@pytest.fixture(scope="module")
def unbroken(points: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Uninterrupted runs: with one optimiser, and with the change to SGD half-way."""
    folder = tmp_path_factory.mktemp("unbroken")
    for name, optimiser in (("adamw", {}), ("sgd", TO_SGD)):
        _train(_recipe(folder / name, points, optimiser=optimiser))
    return {name: folder / name / "run" for name in ("adamw", "sgd")}


class _Running:
    """`headcount train` in a process of its own."""

    def __init__(self, recipe: Path, *options: str) -> None:
        sources = str(Path(headcount.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headcount", "train", str(recipe), *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip

    def stop(self, number: int) -> tuple[int, list[str]]:
        """Send a signal; the exit code, and what was said from then on."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=120)
        return self.process.returncode, out.splitlines()

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(text):
                return
        raise AssertionError(f"the run ended without saying {text!r}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def kill_while_writing(self, folder: Path) -> bool:
        """Kill in the middle of a checkpoint's writing, an earlier one being there; whether that came about."""
        end = time.monotonic() + 180
        while self.process.poll() is None and time.monotonic() < end:
            names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 (quicker)
            if any(name.endswith(".partial") for name in names) and any(name.startswith("last-") for name in names):
                self.process.send_signal(signal.SIGSTOP)
                if any(folder.glob(".last-*.partial")):
                    self.kill()
                    return True
                self.process.send_signal(signal.SIGCONT)
        self.kill()
        return False


def test_killed_before_any_checkpoint(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    path = _write(tmp_path, points)
    run = _Running(path)
    run.wait_for("step 1/")
    run.kill()
    said = _train(load_recipe(str(path)), resume=True)
    assert any(line.startswith("step 16/16") for line in said)
    _assert_equal_ends(tmp_path / "run", unbroken["adamw"])


def test_killed_while_writing_a_checkpoint_then_again_at_random(
    tmp_path: Path, points: Path, unbroken: dict[str, Path]
) -> None:
    path = _write(tmp_path, points, optimiser=TO_SGD, checkpoint_seconds=0.0)
    assert _Running(path).kill_while_writing(tmp_path / "run")
    assert any((tmp_path / "run").glob(".last-*.partial"))
    saved = find_checkpoint(tmp_path / "run")
    assert saved is not None
    step = read_checkpoint(saved).step  # whole, though the next was half written
    run = _Running(path, "--resume")
    run.wait_for(f"tiny: 8 points, 1 painted scenes; step {step} of 16")
    time.sleep(random.Random().uniform(0, 0.5))
    run.kill()
    _train(load_recipe(str(path)), resume=True)
    _assert_equal_ends(tmp_path / "run", unbroken["sgd"])
    assert not any((tmp_path / "run").glob(".*.partial"))


@pytest.mark.parametrize("line", ["step 5/", "step 8/"])
def test_ctrl_c_finishes_the_step_and_keeps_it(
    tmp_path: Path, points: Path, unbroken: dict[str, Path], line: str
) -> None:
    recipe = _recipe(tmp_path, points, optimiser=TO_SGD)
    said: list[str] = []

    def interrupt(text: str) -> None:
        said.append(text)
        if text.startswith(line):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, say=interrupt)
    step = 5 if line == "step 5/" else 8
    assert said[-1] == f"Stopped at step {step}: resume the run to go on from there."
    assert signal.getsignal(signal.SIGINT) is before
    _train(recipe, resume=True)
    _assert_equal_ends(tmp_path / "run", unbroken["sgd"])


def test_sigterm_finishes_the_step_and_keeps_it(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    path = _write(tmp_path, points, optimiser=TO_SGD)
    run = _Running(path)
    run.wait_for("step 5/")
    code, said = run.stop(signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    step = int(said[-1].removeprefix("Stopped at step ").partition(":")[0])
    assert 5 <= step < STEPS
    saved = find_checkpoint(tmp_path / "run")
    assert saved is not None
    assert saved.name == f"last-{step:08d}"
    assert not (tmp_path / "run" / ".lock").exists()
    _train(load_recipe(str(path)), resume=True)
    _assert_equal_ends(tmp_path / "run", unbroken["sgd"])


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    run = _Running(_write(tmp_path, points))
    run.wait_for("step 2/")
    assert run.process.stdout is not None
    run.process.stdout.close()
    assert run.process.wait(timeout=120) == 0
    _assert_equal_ends(tmp_path / "run", unbroken["adamw"])


@pytest.mark.parametrize("stop", [1, 8, 11])
def test_stopped_at_any_step_it_ends_the_same(
    tmp_path: Path, points: Path, unbroken: dict[str, Path], stop: int
) -> None:
    """Also on an epoch's end, and on the very step at which the optimiser changes (8)."""
    recipe = _recipe(tmp_path, points, optimiser=TO_SGD, checkpoint_seconds=0.0)

    class CutError(Exception):
        pass

    def cut(text: str) -> None:
        if text.startswith(f"step {stop + 1}/"):
            raise CutError

    with pytest.raises(CutError):
        train(recipe, say=cut)
    saved = find_checkpoint(tmp_path / "run")
    assert saved is not None
    assert saved.name == f"last-{stop:08d}"
    assert _train(recipe, resume=True)[0].split("; ")[1] == f"step {stop} of 16"
    _assert_equal_ends(tmp_path / "run", unbroken["sgd"])


WHOLE = {"crop": "whole", "scale": [1, 1], "mirror": False, "colour": 0, "gray": 0, "painted_scenes": 0, "shares": {}}


@pytest.mark.parametrize("stop", [7, 8, 9])
def test_whole_images_and_the_change_to_sgd_end_the_same_after_a_cut(
    tmp_path: Path, points: Path, stop: int
) -> None:  # fmt: skip
    """As the paper trains its VGG network: images of several sizes, one a step; cut before, at and after the change."""
    kind = {"data": WHOLE, "batch": 1, "optimiser": {"name": "adam", **TO_SGD}, "checkpoint_seconds": 0.0}
    if not (whole := tmp_path.parent / "whole" / "run").is_dir():  # once for all cuts
        _train(_recipe(whole.parent, points, **kind))
    recipe = _recipe(tmp_path, points, **kind)

    def cut(text: str) -> None:
        if text.startswith(f"step {stop + 1}/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, say=cut)
    _train(recipe, resume=True)
    _assert_equal_ends(tmp_path / "run", whole)


def test_when_checkpoints_fall_changes_nothing(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    _train(_recipe(tmp_path, points, checkpoint_seconds=0.0))
    _assert_equal_ends(tmp_path / "run", unbroken["adamw"])


def test_another_seed_gives_other_weights(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    _train(_recipe(tmp_path, points, seed=6))
    one, two = (read_checkpoint(find_checkpoint(f) or f).part("model") for f in (tmp_path / "run", unbroken["adamw"]))
    assert not torch.equal(one["regressor.0.weight"], two["regressor.0.weight"])


def test_a_finished_run_resumed_does_nothing(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    recipe = _recipe(tmp_path, points).model_copy(update={"output": str(unbroken["adamw"])})
    state = unbroken["adamw"] / "last-00000016" / "state.json"
    before = (state.read_bytes(), state.stat().st_mtime_ns)
    assert len(_train(recipe, resume=True)) == 1
    assert (state.read_bytes(), state.stat().st_mtime_ns) == before


def test_a_runs_folder_holds_what_it_should(points: Path, unbroken: dict[str, Path]) -> None:
    folder = unbroken["sgd"]
    names = sorted(path.name for path in folder.iterdir())
    assert [name for name in names if name.startswith(".")] == []
    assert "recipe.json" in names
    assert "last-00000016" in names
    assert any(name.startswith("best-") for name in names)
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert Recipe.model_validate(json.loads((folder / "recipe.json").read_text())).name == "tiny"
    images = json.loads((folder / "images.json").read_text())
    assert len(images["train"]["points"]) > len(images["val"]["points"]) > 0
    assert not set(images["train"]["points"]) & set(images["val"]["points"])
    files = sorted(path.name for path in (folder / "last-00000016").iterdir())
    assert files == ["SHA256SUMS", "state.json", "state.safetensors"]
    state = read_checkpoint(folder / "last-00000016").state
    assert state["optimiser"] == "sgd"
    assert state["best"] == min(entry["score"] for entry in state["history"])


def test_the_average_follows_the_weights_without_being_them(unbroken: dict[str, Path]) -> None:
    saved = read_checkpoint(unbroken["adamw"] / "last-00000016")
    weights, average = saved.part("model"), saved.part("ema")
    assert weights.keys() == average.keys()
    key = "regressor.0.weight"
    assert not torch.equal(weights[key], average[key])
    assert (weights[key] - average[key]).abs().max() < 0.3


def test_scalars_and_pictures_are_logged_from_the_first_step(unbroken: dict[str, Path]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(unbroken["adamw"]))
    events.Reload()
    tags = events.Tags()
    for tag in ("loss/total", "loss/density", "loss/mask", "optimiser/lr", "optimiser/gradient_norm"):
        assert [event.step for event in events.Scalars(tag)] == list(range(1, STEPS + 1)), tag
    assert [event.step for event in events.Scalars("val-points/MAE")] == [8, 16]
    assert "val-points/worst-0" in tags["images"]


def test_a_folder_that_holds_a_run_is_not_written_over(points: Path, unbroken: dict[str, Path], tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, points).model_copy(update={"output": str(unbroken["adamw"])})
    before = (unbroken["adamw"] / "recipe.json").read_bytes()
    with pytest.raises(InputError, match=r"holds a run already: choose another output=FOLDER") as caught:
        _train(recipe)
    assert caught.value.remedy == "resume"
    assert (unbroken["adamw"] / "recipe.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": 6}, "seed"), ({"batch": 3}, "batch"),
        ({"optimiser": {"lr": 0.02}}, "optimiser.lr"),
        ({"data": {"crop": 96}}, "data.crop"), ({"model": {"width": 16}}, "model.width"),
    ],
)  # fmt: skip
def test_another_recipe_does_not_resume_a_run(
    tmp_path: Path, points: Path, unbroken: dict[str, Path], changes: dict[str, Any], key: str
) -> None:
    recipe = _recipe(tmp_path, points, **changes).model_copy(update={"output": str(unbroken["adamw"])})
    with pytest.raises(InputError, match=f'another "{key}"'):
        _train(recipe, resume=True)


def test_settings_that_change_no_result_may_differ(points: Path, unbroken: dict[str, Path], tmp_path: Path) -> None:
    data = {"workers": 1, "cache_mb": 1}
    recipe = _recipe(tmp_path, points, log_steps=7, checkpoint_seconds=1.0, summary="other", data=data)
    _train(recipe.model_copy(update={"output": str(unbroken["adamw"])}), resume=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"sources": {"point": "x"}}}, 'names "point".*Did you mean "points"'),
        ({"data": {"sources": {}, "painted_scenes": 0, "shares": {}}}, "nothing to train on"),
        ({"data": {"sources": {"points": "none.csv"}}}, r"none\.csv"),
        ({"initialisation": "none.safetensors"}, r"none\.safetensors"),
    ],
)
def test_what_cannot_be_read_stops_the_run_before_it_begins(
    tmp_path: Path, points: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        _train(_recipe(tmp_path, points, **changes))
    assert not (tmp_path / "run").exists()


def test_a_run_is_lengthened_on_purpose(tmp_path: Path, points: Path, unbroken: dict[str, Path]) -> None:
    shutil.copytree(unbroken["adamw"], tmp_path / "run")
    said = _train(_recipe(tmp_path, points, epochs=5), resume=True)
    told = "engthened from 4 to 5 epochs; the learning rate (cosine) is spread over the new length: "
    assert said[0].startswith(f"L{told}")
    assert any(line.startswith("step 20/20") for line in said)
    changes = json.loads((tmp_path / "run" / "changes.json").read_text())
    assert [one["step"] for one in changes] == [16]
    assert changes[0]["what"].startswith(f"l{told}")
    saved = read_checkpoint(find_checkpoint(tmp_path / "run") or tmp_path)
    assert (saved.step, saved.state["changes"], saved.state["recipe"]["epochs"]) == (20, changes, 5)
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["epochs"] == 5
    assert len(_train(_recipe(tmp_path, points, epochs=5), resume=True)) == 1  # no longer a change
    with pytest.raises(InputError, match="epochs=5 or more"):
        _train(_recipe(tmp_path, points), resume=True)


def test_data_that_changed_is_told_and_no_image_forgotten(tmp_path: Path, points: Path) -> None:
    shutil.copytree(points.parent, tmp_path / "crowds")
    there = tmp_path / "crowds" / points.name
    _train(_recipe(tmp_path, there, epochs=1))
    before = json.loads((tmp_path / "run" / "images.json").read_text())["train"]["points"]
    gone, changed = sorted(before)[:2]
    lines = there.read_text().splitlines(keepends=True)
    there.write_text("".join(line for line in lines if not line.startswith(f"{gone},")))
    with Image.open(tmp_path / "crowds" / changed) as image:
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "crowds" / changed)
    said = _train(_recipe(tmp_path, there, epochs=2), resume=True)
    assert f'1 image is gone ("{gone}")' in said[1]
    assert f'1 image is changed ("{changed}")' in said[1]
    after = json.loads((tmp_path / "run" / "images.json").read_text())["train"]["points"]
    assert after.keys() >= before.keys()
    assert after[gone]["gone_at_step"] == 4
    assert after[changed]["earlier"][0]["image"] == before[changed]["image"] != after[changed]["image"]
    state = read_checkpoint(find_checkpoint(tmp_path / "run") or tmp_path).state
    assert state["scenes"]["points"] == len(after)  # what a card says of its data
    assert gone in state["changes"][1]["what"]


def test_a_second_run_in_a_folder_is_refused(tmp_path: Path, points: Path) -> None:
    recipe = _recipe(tmp_path, points, epochs=1)
    refused = []

    def second(text: str) -> None:
        if text.startswith("step 1/"):
            for resume in (False, True):
                with pytest.raises(InputError, match=rf"written by another run \(process {os.getpid()} ") as caught:
                    train(recipe, resume=resume)
                refused.append(caught.value)

    train(recipe, say=second)
    assert len(refused) == 2
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_disk_that_fills_ends_the_run_in_one_sentence(
    tmp_path: Path, points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(tmp_path, points, checkpoint_seconds=0.0)
    said = []

    def fill(text: str) -> None:
        said.append(text)
        if text.startswith("step 2/"):
            monkeypatch.setattr(checkpoint, "_write_flushed", full)

    def full(path: Path, content: bytes) -> None:
        path.write_bytes(content[:50])
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError) as caught:
        train(recipe, say=fill)
    assert str(caught.value) == (
        f'The run\'s folder "{tmp_path / "run"}" cannot be written (No space left on device): make room there, then '
        'resume the run from "last-00000001", its last whole checkpoint.'
    )
    names = sorted(path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith("events."))
    assert names == ["images.json", "last-00000001", "recipe.json"]


def test_events_that_cannot_be_written_end_the_run_in_one_sentence(
    tmp_path: Path, points: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tensorboard.compat.tensorflow_stub.io.gfile.LocalFileSystem._write", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\): make room there"):
        _train(_recipe(tmp_path, points, epochs=1))
    assert "Traceback" not in capfd.readouterr().err


def test_one_flipped_bit_is_told_and_the_older_checkpoint_goes_on(
    tmp_path: Path, points: Path, unbroken: dict[str, Path]
) -> None:
    shutil.copytree(unbroken["adamw"], tmp_path / "run")
    damaged = tmp_path / "run" / "last-00000016"
    content = bytearray((damaged / "state.safetensors").read_bytes())
    content[-3] ^= 1
    (damaged / "state.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r'last-00000016" is damaged.*use "(last-00000012|best-0000\d+)" beside it'):
        _train(_recipe(tmp_path, points), resume=True)
    shutil.rmtree(damaged)
    _train(_recipe(tmp_path, points), resume=True)
    _assert_equal_ends(tmp_path / "run", unbroken["adamw"])


@pytest.mark.parametrize(("batch", "pieces"), [(2, 1), (12, 1), (12, 2)])
def test_a_loss_that_is_no_longer_finite_is_told_with_all_its_images(
    tmp_path: Path, points: Path, batch: int, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[str]] = []
    names = Batches.names
    monkeypatch.setattr(Batches, "names", lambda self, step: drawn.append(names(self, step)) or drawn[-1])
    model = {"backbone": "test_efficientnet", "width": 8, "alpha": 1e39}
    data = {"painted_scenes": 0, "shares": {}}
    with pytest.raises(HeadcountError, match="no longer finite at step 0, of the batch of ") as raised:
        _train(_recipe(tmp_path, points, model=model, batch=batch, pieces=pieces, data=data))
    assert len(drawn[0]) == batch
    first = drawn[0][: batch // pieces]  # its pieces are learned one after the other
    assert re.findall(r'"(.+?)"', raised.value.message) == list(dict.fromkeys(first))


def test_a_gradient_that_is_no_longer_finite_is_told_with_its_images(
    tmp_path: Path, points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning.fabric.Fabric.clip_gradients", lambda *_, **__: torch.tensor(float("nan")))
    with pytest.raises(HeadcountError, match=r"gradient of the loss is no longer finite at step 0, of the batch of \""):
        _train(_recipe(tmp_path, points))


def test_a_batch_in_pieces_moves_the_weights_as_a_whole_one(tmp_path: Path) -> None:
    # Every crop is the same whole image: batch norms then see in a piece what they see in the batch.
    painted = paint_scene(1, size_wh=(96, 96), count=8)
    Image.fromarray(painted.pixels()).save(tmp_path / "1.png")
    points = write_points([Scene(tmp_path / "1.png", painted.points_xy)], tmp_path / "points.csv")
    alike = {
        "sources": {"points": str(points)}, "painted_scenes": 0, "shares": {}, "crop": 96, "scale": [1, 1],
        "mirror": False, "colour": 0, "gray": 0,
    }  # fmt: skip
    weights = []
    for pieces in (1, 2, 3):
        recipe = _recipe(
            tmp_path / str(pieces), points, batch=3, pieces=pieces, steps_per_epoch=2, epochs=1, data=alike,
            optimiser={"name": "sgd", "schedule": "constant", "warmup_steps": 0},
        )  # fmt: skip
        weights.append(read_checkpoint(train(recipe, say=lambda _: None)).part("model"))
    for name, value in weights[0].items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):  # moved once a piece
            for other in weights[1:]:
                torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-5)


def test_it_learns_a_toy(tmp_path: Path) -> None:
    """White discs on black: after 90 steps it counts them better than the mean count would."""
    rng = np.random.default_rng(0)
    scenes = []
    rows, columns = np.mgrid[0:96, 0:96] + 0.5
    for k in range(12):
        points = rng.uniform(6, 90, (2 + 2 * k, 2))
        squared = ((columns - points[:, 0, None, None]) ** 2 + (rows - points[:, 1, None, None]) ** 2).min(axis=0)
        pixels = np.repeat(np.where(squared < 16, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2)
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
        scenes.append(Scene(tmp_path / f"{k}.png", points))
    path = write_points(scenes, tmp_path / "points.csv")
    recipe = _recipe(
        tmp_path, path, batch=4, steps_per_epoch=90, epochs=1, ema=0.8,
        data={"painted_scenes": 0, "shares": {}, "crop": 96, "scale": [1.0, 1.0], "colour": 0.0, "gray": 0.0},
    )  # fmt: skip
    said = _train(recipe)
    losses = [float(line.split("total ")[1].split()[0]) for line in said if line.startswith("step")]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    counts = [scene.count for scene in scenes]
    state = read_checkpoint(find_checkpoint(tmp_path / "run") or tmp_path).state
    assert state["history"][-1]["mae"]["points"] < np.abs(np.array(counts) - np.mean(counts)).mean()
