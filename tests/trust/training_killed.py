"""A training that is killed, and killed again where it was resumed, ends with the weights of one that was not."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import Running, forked, run

from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.synth import paint_scene

STEPS, STEPS_PER_EPOCH = 16, 4
_STREAM, _KILLS_A_RUN, _MOST_DRAWS = 7401, 2, 5
KINDS = ("step", "writing", "start", "step")
"""Instants of a step, of the writing of a checkpoint, of the start."""
_START_S = 3.0
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


def _kill(kind: str, recipe: Path, folder: Path, draw: np.random.Generator) -> bool:
    """Start or resume a run and kill it at a random instant of a kind; False where it ended before."""
    within = draw.random()
    options = ["--resume"] if folder.exists() else []
    with Running("train", recipe, *options) as training:
        if kind == "writing":
            return training.kill_when(lambda: _is_writing(folder))
        if kind == "start":
            time.sleep(within * _START_S)
            return training.kill()
        begun = re.search(r"step (\d+) of", training.line("; step "))
        if begun is None:
            return False
        step = int(begun[1]) + int(within * (STEPS - int(begun[1])))
        if step > int(begun[1]):
            training.line(f"step {step}/{STEPS}")
        time.sleep(draw.random() * _STEP_S)
        return training.kill()


def _try(size: Size) -> Result:
    kills = 2 if size == "short" else 20
    instants: list[str] = []
    findings: list[str] = []
    with work_folder("training") as work, forked(when=size == "short"):
        points = write_crowds(work / "crowds")
        whole = run("train", write_recipe(work / "whole.yaml", points, work / "whole"))
        assert whole.code == 0, whole.err
        wanted = end_of(work / "whole")
        for number in range(kills // _KILLS_A_RUN):
            folder = work / f"killed-{number}"
            recipe = write_recipe(work / f"killed-{number}.yaml", points, folder)
            draw = generator(1, stream=_STREAM, index=number)
            at = [KINDS[(_KILLS_A_RUN * number + kill) % len(KINDS)] for kill in range(_KILLS_A_RUN)]
            for kind in at:
                killed = any(_kill(kind, recipe, folder, draw) for _ in range(_MOST_DRAWS))
                assert killed, f"it always ended before it could be killed ({kind})"
            done = run("train", recipe, *(["--resume"] if (folder / "recipe.json").exists() else []))
            instants += at
            if done.code:
                findings.append(f"Killed {at}, it does not go on: {done.sentence}")
            elif end_of(folder) != wanted:
                findings.append(f"Killed {at}, it ends otherwise.")
            elif any(folder.glob(".*.partial")):
                findings.append(f"Killed {at}, it leaves half a checkpoint behind.")
    how = (
        f"`headcount train` of {STEPS} steps, a checkpoint after each, killed {_KILLS_A_RUN} times a run: "
        f"{instants.count('writing')} times inside the writing of a checkpoint, {instants.count('start')} while it "
        f"started, {instants.count('step')} at a random instant of a random step; resumed to the end, all tensors and "
        "the state are bit-equal to those of a run that nobody killed"
    )
    return result_of(len(instants), findings, how)


EXPERIMENT = Experiment("training-killed", "SIGKILL of a training", _try)
