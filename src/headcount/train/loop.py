"""Training: one loop, read from top to bottom. A run that is cut off and resumed ends bit-equal to one that was not."""

from __future__ import annotations

import copy
import errno
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from headcount.core.errors import HeadcountError, InputError, nearest
from headcount.core.files import discard, write_json, writing
from headcount.core.locks import held
from headcount.core.scene import Scene
from headcount.data.sets.registry import DATA_SETS
from headcount.draw.prediction import draw_density
from headcount.models.method import Method, TargetBatch
from headcount.models.runtime import TorchRuntime
from headcount.train.card import card_of
from headcount.train.checkpoint import (
    Checkpoint,
    find_checkpoint,
    flatten_optimiser,
    read_checkpoint,
    unflatten_optimiser,
    write_checkpoint,
)
from headcount.train.follow import batches_of, check_same, follow, network_of
from headcount.train.group import Group
from headcount.train.images import Record, differences, learned_from, merged, read_record, record_of
from headcount.train.initialisation import initial_weights
from headcount.train.learning import Learned, Learner
from headcount.train.places import Place, place_of
from headcount.train.pools import Pool, read_pools, read_validation
from headcount.train.processes import joined
from headcount.train.recipe import Recipe
from headcount.train.resume import CHANGES, add_changes, check_same_recipe
from headcount.train.schedule import optimiser_name
from headcount.train.stopping import signals_wait
from headcount.train.validation import validate_counts, validation_loss

Say = Callable[[str], None]
RECIPE, IMAGES = "recipe.json", "images.json"
_MANY_IMAGES = 3_000


def train(recipe: Recipe, *, resume: bool = False, say: Say = print) -> Path:
    """Run a recipe and return its last checkpoint's folder.

    With ``devices`` above 1 this process is the first of several, starts the others, and they end with it; what it
    does and returns is the same. Processes that torchrun started find each other; where this is not the first of them,
    it learns, and says and writes nothing.

    The run's folder holds ``recipe.json``, ``images.json`` (every image it ever learned from or was validated on),
    ``changes.json`` (what was changed when it was resumed), TensorBoard events, and the checkpoints ``last-…`` and
    ``best-…``. The seed, the recipe and the data decide the result; when checkpoints fall does not.

    Raises:
        InputError: the folder holds a run and ``resume`` was not asked for, another run holds the folder, the recipe
            of a resumed run differs, the data or the initialisation cannot be read, the folder cannot be written, or
            as ``places.place_of``.
        ModelError: the checkpoint to resume from is damaged.
        HeadcountError: the loss or its gradient is no longer finite; names the images of the batch. Or what ended
            another process.
    """
    folder = recipe.folder
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda was asked for, but torch finds no GPU here: use device=cpu.")
    place = place_of(recipe)
    if place.rank > 0:
        with _threads_kept(), joined(recipe, place) as group:
            return folder / f"last-{follow(recipe, group):08d}"
    if resume and not (folder / RECIPE).is_file():
        raise InputError(f'There is no run in "{folder}" to resume: start one.')
    unknown = recipe.data.sources.keys() - DATA_SETS.keys()
    if unknown:
        raise InputError(f'data.sources names "{min(unknown)}", which no reader has.{nearest(min(unknown), DATA_SETS)}')
    with _folder_of_one_run(folder), _failing_events_are_told_once(), _threads_kept():
        return _train(recipe, folder, place, resume=resume, say=say)


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
def _threads_kept() -> Iterator[None]:
    """A run's number of threads is its own: the next one in this process chooses from as many as this one did."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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


def _train(recipe: Recipe, folder: Path, place: Place, *, resume: bool, say: Say) -> Path:
    found = find_checkpoint(folder) or find_checkpoint(folder, "best")
    if not resume and found is not None:
        raise InputError(f'"{folder}" holds a run already: choose another output=FOLDER.', remedy="resume")
    saved = read_checkpoint(found) if found is not None else None
    longer = "" if saved is None else check_same_recipe(recipe, saved.state["recipe"], folder, step=saved.step)

    method = network_of(recipe, place)
    if recipe.initialisation not in (None, "none") and saved is None:
        start = method.initialise(initial_weights(str(recipe.initialisation)))
        say(f'Starting from "{recipe.initialisation}": {start}.')
    pools = read_pools(recipe.data, say)
    validation = read_validation(recipe.data, say)
    batches = batches_of(recipe, method, pools, place)
    with joined(recipe, place) as group:
        check_same(recipe, group, pools)
        run = _Run(recipe, method, group, folder, say)
        for what in run.remember(pools, validation, saved, longer):
            say(f"{what[0].upper()}{what[1:]}.")
        run.restore(saved)
        seen = ", ".join(f"{len(pool.scenes)} {pool.name}" for pool in pools)
        if resume and saved is None:
            say("The run had no checkpoint yet: it starts from the beginning.")
        if not any(validation.values()):
            say("There is nothing to validate on: the last checkpoint is the result.")
        together = "" if group.is_alone else f"; {place.processes} processes"
        say(
            f"{recipe.name}: {seen} scenes; step {run.step} of {recipe.total_steps}; "
            f"threads {torch.get_num_threads()}{together}"
        )
        stopping = False
        with run.logging(), signals_wait() as stop:
            for step, (images, targets) in group.each(batches.run(run.step, recipe.total_steps)):
                run.learn(step, images, targets, batches.names)
                # Asked once: a signal that comes later finds no checkpoint of this step.
                stopping = group.any(bool(stop))
                if run.step % recipe.steps_per_epoch == 0:
                    run.end_epoch(validation)
                elif stopping or time.monotonic() - run.saved_at >= recipe.checkpoint_seconds:
                    run.checkpoint()
                if stopping:
                    say(f"Stopped at step {run.step}: resume the run to go on from there.")
                    break
        last = run.checkpoint()
        if stopping and not stop:
            raise HeadcountError("Another process of the run was told to stop: resume the run.", remedy="resume")
        return last


class _Run:
    """What moves while training: the weights, their average, the optimiser, the best so far."""

    def __init__(self, recipe: Recipe, method: Method, group: Group, folder: Path, say: Say) -> None:
        self.recipe, self.group, self.folder, self.say = recipe, group, folder, say
        self.learner = Learner(recipe, method, group)
        self.averaged: Method = copy.deepcopy(self.method)
        self.best, self.history = float("inf"), list[dict[str, Any]]()
        self.scenes: dict[str, int] = {}
        self.changes: list[dict[str, Any]] = []
        self.saved_at = self.clock = time.monotonic()

    @property
    def method(self) -> Method:
        """The network that learns."""
        return self.learner.method

    @property
    def step(self) -> int:
        """How many steps are done."""
        return self.learner.step

    def remember(
        self, pools: Sequence[Pool], validation: Mapping[str, Sequence[Scene]], saved: Checkpoint | None, longer: str
    ) -> list[str]:
        """Write the recipe, and the images beside those learned from before; return what is new since, in words.

        ``longer`` are the words on more epochs, if there are.
        """
        sets = {"train": {pool.name: pool.scenes for pool in pools}, "val": validation}
        file, before = self.folder / IMAGES, Record()
        changed = [longer] if longer else []
        processes = self.group.place.processes
        if saved is not None and (then := saved.state.get("processes", 1)) != processes:
            changed.append(
                f"the number of processes is {processes} from here, where it was {then}, so the run ends as it would "
                "have, but for rounding"
            )
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
            self.learner.step, self.best, self.history = saved.step, saved.state["best"], saved.state["history"]
            self.method.load_state_dict(saved.part("model"))
            self.averaged.load_state_dict(saved.part("ema"))
        learner = self.learner
        learner.set_up(optimiser_name(self.step, self.recipe))
        # A checkpoint on the very step of a change of optimiser holds the old one's state.
        if saved is not None and saved.state["optimiser"] == learner.optimiser_kind:
            state = unflatten_optimiser(saved.part("optimiser"), saved.state["optimiser_state"])
            learner.optimiser.load_state_dict(state)
        learner.share()
        self.averaged.to(learner.fabric.device)
        with self.saving():
            self.writer = SummaryWriter(str(self.folder), purge_step=self.step + 1 if self.step else None)

    def learn(
        self, step: int, images: Tensor, targets: TargetBatch, names: Callable[[int], Sequence[str]]
    ) -> None:  # fmt: skip
        """One step; ``names`` gives the images of a step's batch."""
        learned = self.learner.learn(step, images, targets, names)
        self._average(step)
        if self.learner.is_logged:
            self._log(learned)

    def _average(self, step: int) -> None:
        """The exponential moving average of weights and batch statistics, warmed up from the first step."""
        decay = 0.0 if self.recipe.ema is None else min(self.recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(self.averaged.state_dict().values(), self.method.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)

    def _log(self, learned: Learned) -> None:
        losses, norm = learned
        seconds, self.clock = time.monotonic() - self.clock, time.monotonic()
        rate = self.learner.optimiser.param_groups[0]["lr"]
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
        runtime = TorchRuntime(method, method.input_spec, device=self.learner.fabric.device.type)
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
        tensors, rest = flatten_optimiser(self.learner.optimiser.state_dict())
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
                "processes": self.group.place.processes,
                "optimiser": self.learner.optimiser_kind,
                "optimiser_state": rest,
            },
        )
