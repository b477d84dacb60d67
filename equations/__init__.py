"""Neuron models: one plain TOML file each, the loader, and their lowering to plain statements.

What belongs here is what a neuron *is*. It knows nothing of networks, of training or of analysis.
A model is data (`NeuronModel`); `lower` asks Brian2 for the statements that it runs for that model
(`Program`), which a Brian2 simulation and the PyTorch mirror then share.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioae.equations.library import available, load_model
    from bioae.equations.lowering import lower
    from bioae.equations.model import NeuronModel, Surrogate
    from bioae.equations.program import Program, Statement

__all__ = [
    "NeuronModel",
    "Program",
    "Statement",
    "Surrogate",
    "available",
    "load_model",
    "lower",
]

_HOMES = {
    "NeuronModel": "model",
    "Program": "program",
    "Statement": "program",
    "Surrogate": "model",
    "available": "library",
    "load_model": "library",
    "lower": "lowering",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
