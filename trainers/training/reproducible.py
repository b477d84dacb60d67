"""Where a run's bits could depend on chance: generators, kernels and threads.

No generator has a state that a checkpoint would have to keep: what an epoch needs is computed from
the run's seed and the epoch's number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["VALIDATION", "encoder_seed", "example_order", "reproducible"]

#: The epoch whose input spikes the held-out images see every time; training counts from 1.
VALIDATION = 0


def example_order(seed: int, epoch: int, examples: int) -> NDArray[np.int64]:
    """Return the order in which an epoch sees the images, a permutation of their positions.

    Drawn from a counter-based generator (Philox 4x64; Salmon et al. 2011, SC '11).
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, 0))))
    return generator.permutation(examples)


def encoder_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch's input spikes, below 2^32."""
    return int(np.random.SeedSequence((seed, epoch, 1)).generate_state(1)[0])


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Let PyTorch compute the same bits every time, with that many threads.

    Raises
    ------
    RuntimeError
        Inside the block, from PyTorch, if an operation has no deterministic form.
    """
    # cuBLAS reads it when it is first used; it asks for exactly this on deterministic runs.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    filling: Any = torch.utils.deterministic
    fill = filling.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Filling every new tensor guards against reading it unset, at the price of one more pass.
    filling.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        filling.fill_uninitialized_memory = fill
        torch.set_num_threads(before[1])
