"""Neuron models: one plain TOML file each, the loader, and their lowering to plain statements.

What belongs here is what a neuron *is*. It knows nothing of networks, of training or of analysis.
A model is data (`NeuronModel`); `lower` asks Brian2 for the statements that it runs for that model
(`Program`), which a Brian2 simulation and the PyTorch mirror then share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.lazy import lazily

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


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
