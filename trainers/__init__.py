"""The PyTorch side: the mirror of a network, its gradients, and what trains it.

What belongs here is all that imports PyTorch. Names are imported when they are first used, so that
``import bioae.trainers`` itself costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.lazy import lazily

if TYPE_CHECKING:
    from bioae.trainers.config import TrainingConfig, load_config
    from bioae.trainers.derivatives import SpikeDerivative, derivative, spike
    from bioae.trainers.losses import loss_function
    from bioae.trainers.mirror.activity import LayerActivity
    from bioae.trainers.mirror.network import Activity, NetworkMirror
    from bioae.trainers.mirror.simulate import simulate_mirror
    from bioae.trainers.parity import Parity, model_parity
    from bioae.trainers.training import TrainingResult, train

__all__ = [
    "Activity",
    "LayerActivity",
    "NetworkMirror",
    "Parity",
    "SpikeDerivative",
    "TrainingConfig",
    "TrainingResult",
    "derivative",
    "load_config",
    "loss_function",
    "model_parity",
    "simulate_mirror",
    "spike",
    "train",
]

_HOMES = {
    "Activity": "mirror.network",
    "LayerActivity": "mirror.layer",
    "NetworkMirror": "mirror.network",
    "Parity": "parity",
    "SpikeDerivative": "derivatives",
    "TrainingConfig": "config",
    "TrainingResult": "training",
    "derivative": "derivatives",
    "load_config": "config",
    "loss_function": "losses",
    "model_parity": "parity",
    "simulate_mirror": "mirror.simulate",
    "spike": "derivatives",
    "train": "training",
}


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
