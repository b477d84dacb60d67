"""The engine of each target: a composition root, as that of PyTorch is in `bioae.trainers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.extras import need_torch

if TYPE_CHECKING:
    from bioae.networks.network import Network
    from bioae.simulation.backend import Backend
    from bioae.simulation.engine import Engine

__all__ = ["engine_of"]


def engine_of(network: Network, backend: Backend) -> Engine:
    """Return the engine that runs a network on a target.

    Raises
    ------
    LibraryError
        If the target is ``"torch"``, and PyTorch is not installed.
    """
    if backend.target == "torch":
        need_torch('the target "torch"')
        from bioae.trainers.mirror.engine import MirrorEngine

        return MirrorEngine(network, backend)
    from bioae.simulation.workers.job import Brian2Engine

    return Brian2Engine(network, backend)
