"""How long the focal family takes, forward and backward, beside torchvision's sigmoid_focal_loss on the same tensors.

    python -m benchmarks.losses
prints medians of rounds in which all take turns, compiled and eager, on one thread, in milliseconds of the processor
(what else runs on it does not count); then how long the heat of 2,000 heads takes, by the sides of the heads. Heads are
drawn at random; functions are compiled before the clock starts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from benchmarks.timing import medians_ms
from headcount.losses.focal import focal_loss, heatmap_focal_loss, mask_focal_loss
from headcount.targets.heatmap import Combine, HeatMask, heatmap_target

THEIRS = "torchvision"
HEADS = 2_000
SIDES_PX = ((6, 16), (12, 40), (40, 200))  # of a crowd, of a hall, of people before the camera
SIZES_WH = ((1088, 608), (1920, 1088))  # the paper's training images, and whole frames: 272×152 and 480×272 cells
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

LOSSES: dict[str, Loss] = {
    THEIRS: lambda logits, binary, heat, mask: sigmoid_focal_loss(logits, binary, alpha=0.25, reduction="sum"),
    "focal_loss": lambda logits, binary, heat, mask: focal_loss(logits, binary, num_objects=100),
    "focal_loss, poly-1": lambda logits, binary, heat, mask: focal_loss(logits, binary, poly_eps=1.0, num_objects=100),
    "heatmap_focal_loss": lambda logits, binary, heat, mask: heatmap_focal_loss(logits, heat, num_objects=100),
    "mask_focal_loss, Eq. 6": lambda logits, binary, heat, mask: mask_focal_loss(
        logits, heat, mask, poly_eps=0.0, num_objects=100
    ),
    "mask_focal_loss, Eq. 7": lambda logits, binary, heat, mask: mask_focal_loss(logits, heat, mask, num_objects=100),
}


def case(size_wh: tuple[int, int], batch: int, *, heads: int = 100, seed: int = 0) -> tuple[Tensor, ...]:
    """Logits, hard labels, heat and mask, (batch, 1, h/4, w/4) each."""
    draws = np.random.default_rng(seed)
    targets = [heatmap_target(boxes(draws, heads, size_wh, (8, 48)), size_wh) for _ in range(batch)]
    heat, mask = (torch.from_numpy(np.stack([getattr(t, name) for t in targets]))[:, None] for name in ("heat", "mask"))
    logits = torch.randn(heat.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 2
    return logits.requires_grad_(), mask, heat, mask


def boxes(
    draws: np.random.Generator, heads: int, size_wh: tuple[int, int], sides_px: tuple[int, int]
) -> NDArray[np.float64]:
    """(n, 4) boxes of heads, a fifth higher than wide."""
    middles = draws.uniform(0, size_wh, (heads, 2))
    half = draws.uniform(*sides_px, (heads, 1)) / 2 * np.array([1.0, 1.2])
    return np.concatenate([middles - half, middles + half], axis=1)


def step(loss: Loss, tensors: Sequence[Tensor]) -> Callable[[], None]:
    """One forward and backward."""

    def run() -> None:
        tensors[0].grad = None
        loss(*tensors).backward()

    return run


def compared(size_wh: tuple[int, int], batch: int, *, rounds: int, compiled: bool) -> dict[str, float]:
    """Median milliseconds of forward and backward by loss."""
    tensors = case(size_wh, batch)
    made = {name: torch.compile(loss, fullgraph=True) if compiled else loss for name, loss in LOSSES.items()}
    steps = {name: step(loss, tensors) for name, loss in made.items()}
    return medians_ms(steps, rounds=rounds, warmup=3, clock=time.process_time)


def heat(rounds: int) -> None:
    """The heat of a crowd, by mask, combination and size of heads."""
    size_wh = SIZES_WH[0]
    crowds = {sides: boxes(np.random.default_rng(0), HEADS, size_wh, sides) for sides in SIDES_PX}
    print(f"heat of {HEADS:,} heads on {size_wh[0] // 4}×{size_wh[1] // 4} cells, by sides of heads: median ms")
    print(f"  {'':<16}" + "".join(f"{f'{low} to {high} px':>16}" for low, high in SIDES_PX))
    for mask in get_args(HeatMask):
        for combine in get_args(Combine):
            made = {
                str(sides): partial(heatmap_target, crowd, size_wh, mask=mask, combine=combine)
                for sides, crowd in crowds.items()
            }
            took = medians_ms(made, rounds=rounds, clock=time.process_time)
            print(f"  {f'{mask}, {combine}':<16}" + "".join(f"{value:>16.1f}" for value in took.values()), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=41, help="turns that are timed (default: 41)")
    parser.add_argument("--batch", type=int, default=16, help="images a batch (default: 16)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for compiled in (True, False):
        for size_wh in SIZES_WH:
            took = compared(size_wh, options.batch, rounds=options.rounds, compiled=compiled)
            shape = f"{options.batch}×1×{size_wh[1] // 4}×{size_wh[0] // 4}"
            print(f"{shape}, {'compiled' if compiled else 'eager'}: forward and backward, ms")
            for name, value in took.items():
                print(f"  {name:<26}{value:>9.2f}{value / took[THEIRS]:>8.2f} ×", flush=True)
    heat(options.rounds)


if __name__ == "__main__":
    main()
