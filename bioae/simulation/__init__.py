"""A network in Brian2: its objects, its targets, its results.

`build` makes ordinary Brian2 objects of a network; `simulate` runs them on images and returns a
result. Nothing here imports PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioae.simulation.brian_network import BrianNetwork
    from bioae.simulation.objects import build
    from bioae.simulation.result import LayerSpikes, build_result, write_result
    from bioae.simulation.run import simulate
    from bioae.simulation.targets import TARGETS

__all__ = [
    "TARGETS",
    "BrianNetwork",
    "LayerSpikes",
    "build",
    "build_result",
    "simulate",
    "write_result",
]

_HOMES = {
    "TARGETS": "targets",
    "BrianNetwork": "brian_network",
    "LayerSpikes": "result",
    "build": "objects",
    "build_result": "result",
    "simulate": "run",
    "write_result": "result",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
