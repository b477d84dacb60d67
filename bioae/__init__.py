"""Spiking auto-encoders, written once as Brian2 equations.

Trained by gradient descent in PyTorch, through a mirror derived from the equations; run in Brian2;
measured in xarray. Here lies the core: networks, their simulation, data sets, the artefact, the
command line. Names are imported when they are first used: simulating and analysing never import
PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.lazy import lazily

if TYPE_CHECKING:
    from bioae import analysis, datasets, equations, trainers
    from bioae.artefact import Artefact, load, save
    from bioae.equations import NeuronModel, load_model
    from bioae.errors import BioaeError
    from bioae.network import Network, NetworkConfig
    from bioae.simulation import BrianNetwork, build, simulate, simulate_to, write_result

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
    "simulate_to",
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
    "analysis": "",
    "build": "simulation",
    "datasets": "",
    "equations": "",
    "load": "artefact",
    "load_model": "equations",
    "save": "artefact",
    "simulate": "simulation",
    "simulate_to": "simulation",
    "trainers": "",
    "write_result": "simulation",
}


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
