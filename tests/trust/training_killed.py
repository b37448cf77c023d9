"""A training that is killed, and killed again where it was resumed, ends with the weights of one that was not."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tests.trust.experiment import Experiment, Result, Size, work_folder
from tests.trust.processes import Running, forked, run

from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.synth import paint_scene

STEPS, STEPS_PER_EPOCH = 16, 4
_STREAM, _MOST_DRAWS = 7401, 5
_KILLS_A_RUN = {"short": 2, "long": 4}
KINDS = ("step", "writing", "start", "step")
"""Instants of a step, of the writing of a checkpoint, of the start."""
_STEP_S = 0.15
"""About as long as a step takes; a kill comes at a random instant of one."""


def write_crowds(folder: Path, images: int = 10) -> Path:
    """A miniature data set of painted crowds; its list of points."""
    folder.mkdir(parents=True)
    scenes = []
    for seed in range(images):
        painted = paint_scene(seed, size_wh=(128 + 32 * (seed % 3), 96), count=6 + seed)
        Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
        scenes.append(Scene(folder / f"{seed}.png", painted.points_xy))
    return write_points(scenes, folder / "points.csv")


def write_recipe(path: Path, points: Path, output: Path, **changes: Any) -> Path:
    """A recipe whose run takes seconds, of a tiny network; a checkpoint after every step."""
    path.write_text(
        yaml.safe_dump({
            "name": "tiny",
            "model": {
                "backbone": "test_efficientnet", "width": 8, "density_activation": "softplus", "density_loss": "blocks",
            },
            "initialisation": "none",
            "data": {"sources": {"points": str(points)}, "painted_scenes": 1, "shares": {"painted": 0.2}, "crop": 64},
            "optimiser": {"lr": 0.01, "warmup_steps": 3, "then_sgd_after_epoch": 2},
            "batch": 2, "steps_per_epoch": STEPS_PER_EPOCH, "epochs": STEPS // STEPS_PER_EPOCH, "validate_every": 2,
            "ema": 0.9, "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": 0, "seed": 5,
            "output": str(output), **changes,
        }),
        encoding="utf-8",
    )  # fmt: skip
    return path


def end_of(folder: Path) -> dict[str, Any]:
    """What a run's last and best checkpoints hold: the SHA-256 of all tensors, and the plain state."""
    found: dict[str, Any] = {}
    for kind in ("last", "best"):
        *_, checkpoint = sorted(folder.glob(f"{kind}-*"))
        state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
        tensors, _ = (checkpoint / "SHA256SUMS").read_text(encoding="utf-8").split(maxsplit=1)
        found[kind] = {"tensors": tensors, **{key: value for key, value in state.items() if key != "recipe"}}
    return found


def _is_writing(folder: Path) -> bool:
    """Whether a checkpoint is half written."""
    names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208  (the quicker of the two)
    return any(name.endswith(".partial") for name in names)


def _whole(recipe: Path) -> float:
    """Train without being killed; the seconds until the first step was told."""
    with Running("train", recipe) as training:
        begun = time.monotonic()
        assert training.line("; step "), "it does not train"
        start_s = time.monotonic() - begun
        training.line("no such line: to its end")
        training.process.wait()
        assert training.process.returncode == 0
    return start_s


def _kill(kind: str, recipe: Path, folder: Path, start_s: float, draw: np.random.Generator) -> bool:
    """Start or resume a run and kill it at a random instant of a kind; False where it ended before."""
    within = draw.random()
    with Running("train", recipe, *_resumed(folder)) as training:
        if kind == "writing":
            return training.kill_when(lambda: _is_writing(folder))
        if kind == "start":
            time.sleep(within * start_s)
            return training.kill()
        begun = re.search(r"step (\d+) of", training.line("; step "))
        if begun is None:
            return False
        step = int(begun[1]) + int(within * (STEPS - int(begun[1])))
        if step > int(begun[1]):
            training.line(f"step {step}/{STEPS}")
        time.sleep(draw.random() * _STEP_S)
        return training.kill()


def _resumed(folder: Path) -> list[str]:
    """What is written to go on with a run, where it was not killed before there was one."""
    return ["--resume"] if (folder / "recipe.json").exists() else []


def _killed(
    at: list[str], recipe: Path, folder: Path, wanted: dict[str, Any], start_s: float, draw: np.random.Generator
) -> list[str]:
    """Kill a run at instants of these kinds, and resume it each time; what is wrong with its end.

    Where it ends before it can be killed, that end is looked at, and it begins anew.
    """
    findings = []
    for kind in at:
        for _ in range(_MOST_DRAWS):
            if _kill(kind, recipe, folder, start_s, draw):
                break
            findings.append(_finding(recipe, folder, wanted, at))
            shutil.rmtree(folder, ignore_errors=True)
        else:
            raise AssertionError(f"it always ended before it could be killed ({kind})")
    findings.append(_finding(recipe, folder, wanted, at))
    return [finding for finding in findings if finding][:1]


def _finding(recipe: Path, folder: Path, wanted: dict[str, Any], at: list[str]) -> str:
    """Resume a run to its end; what is wrong with that."""
    done = run("train", recipe, *_resumed(folder))
    if done.code:
        return f"Killed {at}, it does not go on: {done.sentence}"
    if end_of(folder) != wanted:
        return f"Killed {at}, it ends otherwise."
    if any(folder.glob(".*.partial")):
        return f"Killed {at}, it leaves half a checkpoint behind."
    return ""


def _try(size: Size) -> Result:
    kills, kills_a_run = 2 if size == "short" else 20, _KILLS_A_RUN[size]
    instants: list[str] = []
    findings: list[str] = []
    with work_folder("training") as work, forked():
        points = write_crowds(work / "crowds")
        start_s = _whole(write_recipe(work / "whole.yaml", points, work / "whole"))
        wanted = end_of(work / "whole")
        for number in range(kills // kills_a_run):
            folder = work / f"killed-{number}"
            recipe = write_recipe(work / f"killed-{number}.yaml", points, folder)
            draw = generator(1, stream=_STREAM, index=number)
            at = [KINDS[(kills_a_run * number + kill) % len(KINDS)] for kill in range(kills_a_run)]
            findings += _killed(at, recipe, folder, wanted, start_s, draw)
            instants += at
    how = (
        f"`headcount train` of {STEPS} steps, a checkpoint after each, killed {kills_a_run} times a run: "
        f"{instants.count('writing')} times inside the writing of a checkpoint, {instants.count('start')} while it "
        f"started, {instants.count('step')} at a random instant of a random step; resumed to the end, all tensors and "
        "the state are bit-equal to those of a run that nobody killed"
    )
    return Result(len(instants), len(instants) - kills_a_run * len(findings), how, tuple(findings))


EXPERIMENT = Experiment("training-killed", "SIGKILL of a training", _try)
