"""A network in Brian2: its objects, its targets, its results.

`build` makes ordinary Brian2 objects of a network; `simulate` runs them on images and returns a
result. Nothing here imports PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.lazy import lazily

if TYPE_CHECKING:
    from bioae.simulation.brian_network import BrianNetwork
    from bioae.simulation.objects import build
    from bioae.simulation.result import LayerSpikes, build_result, write_result
    from bioae.simulation.run import simulate
    from bioae.simulation.targets import TARGETS
    from bioae.simulation.to_file import simulate_to

__all__ = [
    "TARGETS",
    "BrianNetwork",
    "LayerSpikes",
    "build",
    "build_result",
    "simulate",
    "simulate_to",
    "write_result",
]

_HOMES = {
    "TARGETS": "targets",
    "BrianNetwork": "brian_network",
    "LayerSpikes": "result",
    "build": "objects",
    "build_result": "result",
    "simulate": "run",
    "simulate_to": "to_file",
    "write_result": "result",
}


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
