"""Training: one loop, read from top to bottom. A run that is cut off and resumed ends bit-equal to one that was not."""

from __future__ import annotations

import copy
import errno
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from headcount.core.errors import HeadcountError, InputError, nearest
from headcount.core.files import discard, write_json, writing
from headcount.core.locks import held
from headcount.core.scene import Scene
from headcount.core.threads import limit_threads
from headcount.data.sets.registry import DATA_SETS
from headcount.draw.prediction import draw_density
from headcount.models.method import Method, TargetBatch
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.train.batches import Batches
from headcount.train.card import card_of
from headcount.train.checkpoint import (
    Checkpoint,
    find_checkpoint,
    flatten_optimiser,
    read_checkpoint,
    unflatten_optimiser,
    write_checkpoint,
)
from headcount.train.images import Record, differences, learned_from, merged, read_record, record_of
from headcount.train.initialisation import initial_weights
from headcount.train.pools import Pool, read_pools, read_validation
from headcount.train.recipe import Recipe
from headcount.train.resume import CHANGES, add_changes, check_same_recipe
from headcount.train.schedule import build_optimiser, lr_factor, optimiser_name, set_lr
from headcount.train.stopping import signals_wait
from headcount.train.validation import validate_counts, validation_loss

Say = Callable[[str], None]
RECIPE, IMAGES = "recipe.json", "images.json"
_MANY_IMAGES = 3_000


def train(recipe: Recipe, *, resume: bool = False, say: Say = print) -> Path:
    """Run a recipe and return its last checkpoint's folder.

    The run's folder holds ``recipe.json``, ``images.json`` (every image it ever learned from or was validated on),
    ``changes.json`` (what was changed when it was resumed), TensorBoard events, and the checkpoints ``last-…`` and
    ``best-…``. The seed, the recipe and the data decide the result; when checkpoints fall does not.

    Raises:
        InputError: the folder holds a run and ``resume`` was not asked for, another run holds the folder, the recipe
            of a resumed run differs, the data or the initialisation cannot be read, or the folder cannot be written.
        ModelError: the checkpoint to resume from is damaged.
        HeadcountError: the loss or its gradient is no longer finite; names the images of the batch.
    """
    folder = recipe.folder
    if resume and not (folder / RECIPE).is_file():
        raise InputError(f'There is no run in "{folder}" to resume: start one.')
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda was asked for, but torch finds no GPU here: use device=cpu.")
    unknown = recipe.data.sources.keys() - DATA_SETS.keys()
    if unknown:
        raise InputError(f'data.sources names "{min(unknown)}", which no reader has.{nearest(min(unknown), DATA_SETS)}')
    with _folder_of_one_run(folder), _failing_events_are_told_once():
        return _train(recipe, folder, resume=resume, say=say)


@contextmanager
def _folder_of_one_run(folder: Path) -> Iterator[None]:
    """Make a run's folder and hold it against other runs; a folder that nothing came into is taken away again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder):
            yield
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


@contextmanager
def _failing_events_are_told_once() -> Iterator[None]:
    """No traceback of TensorBoard's thread: what it cannot write is raised again where the next is given to it."""
    before = threading.excepthook

    def tell(failed: threading.ExceptHookArgs) -> None:
        of_events = type(failed.thread).__module__.startswith("tensorboard.")
        if not (of_events and isinstance(failed.exc_value, OSError)):
            before(failed)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = before


def _train(recipe: Recipe, folder: Path, *, resume: bool, say: Say) -> Path:
    found = find_checkpoint(folder) or find_checkpoint(folder, "best")
    if not resume and found is not None:
        raise InputError(f'"{folder}" holds a run already: choose another output=FOLDER.', remedy="resume")
    saved = read_checkpoint(found) if found is not None else None
    longer = "" if saved is None else check_same_recipe(recipe, saved.state["recipe"], folder, step=saved.step)

    threads = limit_threads(recipe.threads)
    if threads is not None:
        torch.set_num_threads(threads)
    fabric = Fabric(
        accelerator=recipe.device, devices=1, precision="bf16-mixed" if recipe.precision == "bf16" else "32-true"
    )
    torch.manual_seed(recipe.seed)
    method = build_method(recipe.method, recipe.model)
    divisor = method.input_spec.size_divisor
    if any(side % divisor for side in recipe.data.crop_hw or ()):
        raise InputError(f"data.crop is {recipe.data.crop}, but this network takes multiples of {divisor}.")
    if recipe.initialisation not in (None, "none") and saved is None:
        start = method.initialise(initial_weights(str(recipe.initialisation)))
        say(f'Starting from "{recipe.initialisation}": {start}.')
    pools = read_pools(recipe.data, say)
    validation = read_validation(recipe.data, say)

    run = _Run(recipe, method, fabric, folder, say)
    for what in run.remember(pools, validation, saved, longer):
        say(f"{what[0].upper()}{what[1:]}.")
    run.restore(saved)
    seen = ", ".join(f"{len(pool.scenes)} {pool.name}" for pool in pools)
    if resume and saved is None:
        say("The run had no checkpoint yet: it starts from the beginning.")
    if not any(validation.values()):
        say("There is nothing to validate on: the last checkpoint is the result.")
    say(f"{recipe.name}: {seen} scenes; step {run.step} of {recipe.total_steps}; threads {torch.get_num_threads()}")
    batches = Batches(
        pools, method, recipe.data, batch=recipe.batch, steps_per_epoch=recipe.steps_per_epoch, seed=recipe.seed
    )
    with run.logging(), signals_wait() as stop:
        for step, (images, targets) in batches.run(run.step, recipe.total_steps):
            run.learn(step, images, targets, batches.names)
            stopping = bool(stop)  # asked once: a signal that comes later finds no checkpoint of this step
            if run.step % recipe.steps_per_epoch == 0:
                run.end_epoch(validation)
            elif stopping or time.monotonic() - run.saved_at >= recipe.checkpoint_seconds:
                run.checkpoint()
            if stopping:
                say(f"Stopped at step {run.step}: resume the run to go on from there.")
                break
    return run.checkpoint()


class _Run:
    """What moves while training: the weights, their average, the optimiser, the best so far."""

    def __init__(self, recipe: Recipe, method: Method, fabric: Fabric, folder: Path, say: Say) -> None:
        self.recipe, self.fabric, self.folder, self.say = recipe, fabric, folder, say
        self.method = method.to(memory_format=torch.channels_last)
        self.averaged: Method = copy.deepcopy(self.method)
        self.step, self.best, self.history = 0, float("inf"), list[dict[str, Any]]()
        self.scenes: dict[str, int] = {}
        self.changes: list[dict[str, Any]] = []
        self.saved_at = self.clock = time.monotonic()

    def remember(
        self, pools: Sequence[Pool], validation: Mapping[str, Sequence[Scene]], saved: Checkpoint | None, longer: str
    ) -> list[str]:
        """Write the recipe, and the images beside those learned from before; return what is new since, in words.

        ``longer`` are the words on more epochs, if there are.
        """
        sets = {"train": {pool.name: pool.scenes for pool in pools}, "val": validation}
        file, before = self.folder / IMAGES, Record()
        changed = [longer] if longer else []
        if saved is None:
            discard(self.folder / CHANGES)  # of a run that came to no checkpoint
        elif file.exists():
            before = read_record(file)
        else:
            changed.append(f'"{IMAGES}" was lost, and with it which images were learned from until here')
        images = sum(len(scenes) for scenes_of in sets.values() for scenes in scenes_of.values())
        if images >= _MANY_IMAGES:
            self.say(f"Taking note of {images:,} images: each file is read once.")
        record = now = record_of(sets, before)
        if before and saved is not None:
            record = merged(before, now, saved.step)
            if what := differences(before, now):
                changed.append(f"the data is not what it was ({what}), so the run ends otherwise than it would have")
        write_json(self.folder / RECIPE, json.loads(self.recipe.model_dump_json()))
        write_json(file, record)
        self.scenes = learned_from(record)
        self.changes = add_changes(self.folder, 0 if saved is None else saved.step, changed)
        return changed

    @contextmanager
    def saving(self) -> Iterator[None]:
        """What the system says against writing to the run's folder, and what to do."""
        try:
            yield
        except OSError as error:
            do = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "mend that"
            last = find_checkpoint(self.folder)
            then = f'resume the run from "{last.name}", its last whole checkpoint' if last else "start the run again"
            raise InputError(
                f'The run\'s folder "{self.folder}" cannot be written ({error.strerror or error}): {do}, then {then}.'
            ) from error

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Close the events at the end, whatever ends it."""
        try:
            yield
        except BaseException:
            with suppress(OSError):  # said already
                self.writer.close()
            raise
        with self.saving():
            self.writer.close()

    def restore(self, saved: Checkpoint | None) -> None:
        """Take up a checkpoint, or start afresh."""
        if saved is not None:
            self.step, self.best, self.history = saved.step, saved.state["best"], saved.state["history"]
            self.method.load_state_dict(saved.part("model"))
            self.averaged.load_state_dict(saved.part("ema"))
        self._set_up(optimiser_name(self.step, self.recipe))
        # A checkpoint on the very step of a change of optimiser holds the old one's state.
        if saved is not None and saved.state["optimiser"] == self.optimiser_kind:
            self.optimiser.load_state_dict(unflatten_optimiser(saved.part("optimiser"), saved.state["optimiser_state"]))
        self.averaged.to(self.fabric.device)
        with self.saving():
            self.writer = SummaryWriter(str(self.folder), purge_step=self.step + 1 if self.step else None)

    def _set_up(self, kind: str) -> None:
        settings = self.recipe.optimiser
        self.optimiser_kind = kind
        groups = self.method.parameter_groups(settings.lr, settings.backbone_lr_factor)
        optimiser = build_optimiser(kind, groups, settings)
        self.wrapped, self.optimiser = self.fabric.setup(self.method, optimiser)
        self.wrapped.mark_forward_method("training_forward")

    def learn(
        self, step: int, images: Tensor, targets: TargetBatch, names: Callable[[int], Sequence[str]]
    ) -> None:  # fmt: skip
        """One step; ``names`` gives the images of a step's batch."""
        recipe = self.recipe
        kind = optimiser_name(step, recipe)
        if kind != self.optimiser_kind:
            self._set_up(kind)
        self.method.train()
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout, if any, is a function of the step as well
        images = self.fabric.to_device(images.contiguous(memory_format=torch.channels_last))
        targets = targets.to(self.fabric.device)
        set_lr(self.optimiser, lr_factor(step, recipe))
        self.optimiser.zero_grad()
        losses: dict[str, Tensor] = {}
        for rows in _cut(len(images), recipe.pieces):
            piece = targets.rows(rows)
            # A marked method of a module that no strategy wraps is called without autocast.
            with self.fabric.autocast(), _cells_enough(images[rows]):
                maps = self.wrapped.training_forward(images[rows], piece)
            found = {
                name: value * (len(images[rows]) / len(images)) for name, value in self.method.loss(maps, piece).items()
            }
            if not torch.isfinite(found["total"]):
                raise _not_finite(f"The loss is no longer finite at step {step}{_broken(maps)}", names(step)[rows])
            self.fabric.backward(found["total"])
            losses = {name: losses.get(name, 0) + value.detach() for name, value in found.items()}
        norm = self.fabric.clip_gradients(
            self.wrapped, self.optimiser, max_norm=recipe.optimiser.clip_norm, error_if_nonfinite=False
        )
        if norm is not None and not torch.isfinite(norm):
            raise _not_finite(f"The gradient of the loss is no longer finite at step {step}", names(step))
        self.optimiser.step()
        self._average(step)
        self.step = step + 1
        if step == 0 or self.step % recipe.log_steps == 0:
            self._log(losses, norm)

    def _average(self, step: int) -> None:
        """The exponential moving average of weights and batch statistics, warmed up from the first step."""
        decay = 0.0 if self.recipe.ema is None else min(self.recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(self.averaged.state_dict().values(), self.method.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)

    def _log(self, losses: dict[str, Tensor], norm: Tensor | None) -> None:
        seconds, self.clock = time.monotonic() - self.clock, time.monotonic()
        rate = self.optimiser.param_groups[0]["lr"]
        with self.saving():
            for name, value in losses.items():
                self.writer.add_scalar(f"loss/{name}", float(value.detach()), self.step)
            self.writer.add_scalar("optimiser/lr", rate, self.step)
            if norm is not None:
                self.writer.add_scalar("optimiser/gradient_norm", float(norm), self.step)
        text = " ".join(f"{name} {float(value.detach()):.4f}" for name, value in losses.items())
        self.say(f"step {self.step}/{self.recipe.total_steps} {text} lr {rate:.2e} ({seconds:.1f} s)")

    def end_epoch(self, validation: dict[str, list[Scene]]) -> None:
        """Validate where it is due, keep the best, and write a checkpoint."""
        epoch = self.step // self.recipe.steps_per_epoch
        due = epoch % self.recipe.validate_every == 0 or epoch == self.recipe.epochs
        if due and any(validation.values()):
            if self.method.task != "size":
                score, found = self._validate(validation)
            else:
                losses = {name: self._validate_loss(name, scenes) for name, scenes in validation.items() if scenes}
                score = sum(losses.values()) / len(losses)
                found = {"loss": losses}
            self.history.append({"step": self.step, "score": score, **found})
            if score < self.best:
                self.best = score
                with self.saving():
                    write_checkpoint(self.folder, "best", self._state())
        self.checkpoint()

    def _validate(self, validation: Mapping[str, Sequence[Scene]]) -> tuple[float, dict[str, Any]]:
        """The error that the best checkpoint has the least of, and what else of it is kept."""
        method = copy.deepcopy(self.averaged)
        runtime = TorchRuntime(method, method.input_spec, device=self.fabric.device.type)
        counted = validate_counts(card_of(self.recipe, method), runtime, validation)
        for name, result in counted.results.items():
            with self.saving():
                for metric, value in (("MAE", result.mae), ("RMSE", result.rmse), ("bias", result.bias)):
                    self.writer.add_scalar(f"val-{name}/{metric}", value, self.step)
            for rank, worst in enumerate(counted.worst[name]):
                seen = worst.prediction
                if seen.density is not None:
                    picture = draw_density(worst.scene.pixels(), seen.density, seen.density_stride)
                    with self.saving():
                        self.writer.add_image(f"val-{name}/worst-{rank}", picture, self.step, dataformats="HWC")
            at = "" if counted.threshold is None else f" at score {counted.threshold:g}"
            self.say(f"validation {name}: MAE {result.mae:.2f} RMSE {result.rmse:.2f} bias {result.bias:+.2f}{at}")
        found: dict[str, Any] = {"mae": {name: round(result.mae, 3) for name, result in counted.results.items()}}
        if counted.threshold is not None:
            found["score_threshold"] = counted.threshold
            with self.saving():
                self.writer.add_scalar("val/score_threshold", counted.threshold, self.step)
        elif counted.chosen:
            found["decoder"] = counted.chosen
        return counted.error, found

    def _validate_loss(self, name: str, scenes: list[Scene]) -> float:
        recipe = self.recipe
        loss = validation_loss(self.averaged, scenes, recipe.data, batch=recipe.batch, seed=recipe.seed)
        with self.saving():
            self.writer.add_scalar(f"val-{name}/loss", loss, self.step)
        self.say(f"validation {name}: loss {loss:.4f}")
        return loss

    def checkpoint(self) -> Path:
        """Write the state as ``last``."""
        with self.saving():
            path = write_checkpoint(self.folder, "last", self._state())
        self.saved_at = time.monotonic()
        return path

    def _state(self) -> Checkpoint:
        tensors, rest = flatten_optimiser(self.optimiser.state_dict())
        return Checkpoint(
            self.step,
            {
                **{f"model.{k}": v for k, v in self.method.state_dict().items()},
                **{f"ema.{k}": v for k, v in self.averaged.state_dict().items()},
                **{f"optimiser.{k}": v for k, v in tensors.items()},
            },
            {
                "recipe": json.loads(self.recipe.model_dump_json()),
                "best": self.best,
                "history": self.history,
                "scenes": self.scenes,
                "changes": self.changes,
                "optimiser": self.optimiser_kind,
                "optimiser_state": rest,
            },
        )


def _not_finite(what: str, images: Sequence[str]) -> HeadcountError:
    listed = ", ".join(f'"{name}"' for name in dict.fromkeys(images))  # all: any of them may be the one
    return HeadcountError(
        f"{what}, of the batch of {listed}: look at what is annotated there, or lower optimiser.lr, and resume."
    )


def _cut(number: int, pieces: int) -> list[slice]:
    """``number`` rows in so many pieces, as equal as can be."""
    bounds = [number * piece // pieces for piece in range(pieces + 1)]
    return [slice(*ends) for ends in pairwise(bounds)]


@contextmanager
def _cells_enough(images: Tensor) -> Iterator[None]:
    """A batch norm that is given one value to learn the spread of, in a sentence; torch says it of a tensor."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        size = f"{images.shape[3]}×{images.shape[2]}"
        raise InputError(
            f"{size} pixels of {len(images)} image at a time leave this network's batch norms one cell to learn from: "
            "give a larger data.crop, a larger batch, or fewer pieces of it."
        ) from error


def _broken(maps: Mapping[str, Tensor]) -> str:
    """Which of the network's maps holds NaN or infinity, in words."""
    names = [name for name, values in maps.items() if not torch.isfinite(values).all()]
    return f' (the map "{names[0]}" is not)' if names else ""
