"""Counter-based randomness: what is drawn depends on what it is drawn for, never on what was drawn before."""

from __future__ import annotations

import numpy as np


def generator(seed: int, *, stream: int, epoch: int = 0, index: int = 0) -> np.random.Generator:
    """The generator of one decision, keyed by (seed, stream, epoch, index).

    Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): the same key and counter give the same
    draws on every machine, in any order, on any worker. That is what makes a resumed run equal an unbroken one.

    >>> float(generator(1, stream=2, index=3).random()) == float(generator(1, stream=2, index=3).random())
    True
    """
    # The low counter word is left to the generator, which counts its own draws there.
    counter = np.array([0, index, epoch, stream], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64), counter=counter))
