"""Adapting a model to one's own camera with a few labelled images, and never for the worse.

The backbone and all batch statistics stay as they are, which few images would spoil; neck and heads learn. How long is
chosen by images that were not learned from: each half of them is counted by the network that learned from the other.
Where that makes counts no better, nothing is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headcount.core.card import DataUse, ModelCard, Result
from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.core.notes import raise_first
from headcount.core.scene import Scene
from headcount.core.threads import limit_threads
from headcount.core.words import plural
from headcount.data.sets.catalogue import find_entry
from headcount.data.sets.registry import parse_spec
from headcount.evaluate.files import read_sets
from headcount.evaluate.metrics.counting import CountingResult, counting_result
from headcount.infer.counter import Counter
from headcount.infer.models import check_weights, find_model
from headcount.models.method import Method
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.models.weights import load_weights
from headcount.train.batches import Batches
from headcount.train.export import write_model
from headcount.train.pools import Pool
from headcount.train.recipe import DataSettings

FEWEST_IMAGES = 6
STEPS = (50, 100, 200)
"""For how long is tried: the steps after which the halves are counted."""
_BATCH, _CROP, _LR, _CLIP, _EMA = 4, 320, 1e-4, 5.0, 0.97
_WORTH = 0.05
"""The share by which the error must fall: of a few images less is chance."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning came to.

    Attributes:
        model: the model's name.
        before: the errors of the model as it was.
        after: by the number of steps, those where each half was counted by the network that learned from the other.
        steps: the number that is best; 0 where tuning does not help.
        output: the file that was written, or None.
    """

    model: str
    before: CountingResult
    after: Mapping[int, CountingResult]
    steps: int
    output: Path | None = None

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        heads = plural(int(self.before.heads), "head")
        lines = [
            f"{self.model} tuned on {plural(self.before.images, 'image')} with {heads}; MAE and bias of",
            f"{'steps':>8}{'MAE':>10}{'bias':>10}   each half counted by what learned from the other",
            f"{0:>8}{self.before.mae:>10.2f}{self.before.bias:>+10.2f}   the model as it was",
        ]
        for steps, found in self.after.items():
            mark = "   taken" if steps == self.steps else ""
            lines.append(f"{steps:>8}{found.mae:>10.2f}{found.bias:>+10.2f}{mark}")
        if not self.steps:
            lines.append(
                f"no length made the MAE better by {_WORTH:.0%}: the model stays as it was, nothing is written"
            )
        return lines


def tune(
    model: str | Path,
    data: Sequence[str],
    output: Path,
    *,
    split: str = "all",
    steps: Sequence[int] = STEPS,
    threads: int | None = None,
    seed: int = 1,
    say: Say = lambda text: None,
) -> Tuned:
    """Adapt a model to images with a known number, and write it where it counts them better.

    Args:
        model: a shipped name, or the path of a model file with its ``.safetensors`` and card beside it.
        data: ``NAME=PATH`` of each set.
        output: the ``.onnx`` (with a ``.safetensors`` beside it) or ``.safetensors`` to write.
        split: which of their images; never the test split of a published set.
        steps: the numbers of steps that are tried, ascending.
        threads: how many compute.
        seed: of crops and their order.
        say: told in a line what is done.

    Raises:
        InputError: there are fewer than six images, one cannot be read, or ``output`` cannot be written.
        ModelError: the model has no ``.safetensors``, or counts nobody.
    """
    found = find_model(model)
    weights = found.weights.get(".safetensors")
    if weights is None:
        raise ModelError(f'"{found.card.name}" has no .safetensors beside it, from which alone learning can go on.')
    if found.card.decoder is None:
        raise ModelError(f'The model "{found.card.name}" counts nobody: there is nothing to tune it by.')
    check_weights(weights, found.card)
    scenes, names = _scenes(data, split)
    if (limit := limit_threads(threads)) is not None:
        torch.set_num_threads(limit)
    start = build_method(found.card.method, found.card.architecture)
    load_weights(start, weights)
    true = [scene.count for scene in scenes]
    before = _counts(start, found.card, scenes)
    counts = {number: np.zeros(len(scenes)) for number in steps}
    for which in (0, 1):
        learned, held = scenes[1 - which :: 2], scenes[which::2]
        say(f"learning from {plural(len(learned), 'image')}, counting the other {len(held)}")
        method = copy.deepcopy(start)
        for number in _learning(method, learned, steps, seed=seed + which):
            counts[number][which::2] = _counts(method, found.card, held)
    after = {number: counting_result(list(map(float, found_)), true) for number, found_ in counts.items()}
    tuned = Tuned(found.card.name, counting_result(list(map(float, before)), true), after, 0)
    best = min(after, key=lambda number: after[number].mae)
    if after[best].mae > (1 - _WORTH) * tuned.before.mae:
        return tuned
    say(f"learning from all {plural(len(scenes), 'image')} for {best} steps")
    for _ in _learning(start, scenes, [best], seed=seed):
        pass
    card = _card(found.card, output, names, len(scenes), tuned.before, after[best], best)
    write_model(start.eval(), card, output)
    return Tuned(tuned.model, tuned.before, after, best, output)


def _scenes(data: Sequence[str], split: str) -> tuple[list[Scene], list[str]]:
    """The images of all sets in turn, and the sets' names."""
    for spec in data:
        name, path = parse_spec(spec)
        if find_entry(name) is not None and split in ("test", "all"):
            raise InputError(
                f'The split "{split}" of "{path}" holds test images, and nothing learns from those: take another one, '
                'such as "trainval".',
                remedy="split",
            )
    scenes: list[Scene] = []
    names = []
    for (name, _), read in read_sets(data, split).items():
        if read.skipped:
            raise_first(read.skipped)
        scenes += read.scenes
        names.append(name)
    if len(scenes) < FEWEST_IMAGES:
        raise InputError(
            f"Tuning takes {FEWEST_IMAGES} images with a known number, half of them to see whether it helps, but there "
            f"{'is' if len(scenes) == 1 else 'are'} {len(scenes)}: label some more."
        )
    return scenes, names


def _learning(method: Method, scenes: Sequence[Scene], steps: Sequence[int], *, seed: int) -> Iterator[int]:
    """Train a method in place, and stop at each number of steps, when it is in evaluation mode with averaged weights.

    The backbone keeps its weights, and every batch norm its mean and variance. Few images make each step a large one
    in some direction: what counts is the moving average of the weights.
    """
    side = -(-_CROP // method.input_spec.size_divisor) * method.input_spec.size_divisor
    settings = DataSettings(crop=side, scale=(0.7, 1.4), colour=0.1, gray=0.0, cache_mb=1000)
    last = max(steps)
    batches = Batches([Pool("own", list(scenes), 1.0)], method, settings, batch=_BATCH, steps_per_epoch=last, seed=seed)
    free = {name: part.requires_grad for name, part in method.named_parameters()}
    for name, part in method.named_parameters():
        part.requires_grad_(free[name] and not name.startswith("backbone."))
    moved = [part for part in method.parameters() if part.requires_grad]
    optimiser = torch.optim.AdamW(moved, lr=_LR, weight_decay=0.0)
    averages = [part.detach().clone() for part in moved]
    for step, (images, targets) in batches.run(0, last):
        method.train()
        for module in method.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        torch.manual_seed(seed * 1_000_003 + step)
        optimiser.zero_grad()
        loss = method.loss(method.training_forward(images, targets), targets)["total"]
        if not torch.isfinite(loss):
            raise HeadcountError(
                f"The loss is no longer finite at step {step} ({', '.join(batches.names(step))}): check their labels."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(moved, _CLIP)
        optimiser.step()
        with torch.no_grad():
            for average, part in zip(averages, moved, strict=True):
                average.lerp_(part, 1 - min(_EMA, (1 + step) / (10 + step)))
        if step + 1 in steps:
            method.eval()
            running = [part.detach().clone() for part in moved]
            _put(moved, averages)
            yield step + 1
            if step + 1 < last:
                _put(moved, running)
    for name, part in method.named_parameters():
        part.requires_grad_(free[name])


def _put(parts: Sequence[nn.Parameter], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for part, value in zip(parts, values, strict=True):
            part.copy_(value)


def _card(
    card: ModelCard, output: Path, names: Sequence[str], images: int, before: CountingResult, after: CountingResult,
    steps: int,
) -> ModelCard:  # fmt: skip
    """The card of what was tuned: what it was, what it learned from now, and how it counted what it did not."""
    name = " and ".join(names)
    protocol = f"{after.protocol}; each half of the images counted by what learned from the other"
    result = Result(
        data=name, split="all", images=images, metric="MAE", value=round(after.mae, 3), protocol=protocol
    )  # fmt: skip
    note = (
        f"Tuned from {card.name} on {plural(images, 'image')} of {name}, {steps} steps of its neck and heads: MAE "
        f"{before.mae:.2f} before, {after.mae:.2f} after, each half counted by what learned from the other."
    )
    used = tuple(DataUse(name=one, split="train", images=images, terms="the user's own") for one in names)
    return card.with_interval(None).model_copy(
        update={
            "name": output.stem,
            "data": (*card.data, *used),
            "results": (result,),  # those of before are another network's
            "notes": (*card.notes, note),
        }
    )


def _counts(method: Method, card: ModelCard, scenes: Sequence[Scene]) -> NDArray[np.float64]:
    """The counts of scenes by a method as it stands."""
    counter = Counter(card, TorchRuntime(method, card.input))
    return np.array([counter.count(scene).count for scene in scenes])
