"""The GPUs that torch can compute on."""

from __future__ import annotations

import torch


def gpus() -> list[str]:
    """Name and memory of each, in the order in which torch numbers them."""
    found = (torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count()))
    return [f"{one.name}, {one.total_memory / 1e9:.0f} GB" for one in found]
