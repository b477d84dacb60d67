"""Spiking auto-encoders, written once as Brian2 equations.

Trained by gradient descent in PyTorch, through a mirror derived from the equations; run in Brian2;
measured in xarray. Here lies the core: networks, their simulation, data sets, the artefact, the
command line. Names are imported when they are first used: simulating and analysing never import
PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioae import analysis, datasets, equations, trainers
    from bioae.artefact import Artefact, load, save
    from bioae.equations import NeuronModel, load_model
    from bioae.errors import BioaeError
    from bioae.network import Network, NetworkConfig
    from bioae.simulation import BrianNetwork, build, simulate, write_result

__all__ = [
    "Artefact",
    "BioaeError",
    "BrianNetwork",
    "Network",
    "NetworkConfig",
    "NeuronModel",
    "analysis",
    "build",
    "datasets",
    "equations",
    "load",
    "load_model",
    "save",
    "simulate",
    "trainers",
    "write_result",
]

_HOMES = {
    "Artefact": "artefact",
    "BioaeError": "errors",
    "BrianNetwork": "simulation",
    "Network": "network",
    "NetworkConfig": "network",
    "NeuronModel": "equations",
    "build": "simulation",
    "load": "artefact",
    "load_model": "equations",
    "save": "artefact",
    "simulate": "simulation",
    "write_result": "simulation",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
