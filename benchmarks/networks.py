"""Trained networks to measure: trained once, and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from bioae.cli.progress import training_progress
from bioae.files import user_cache
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.trainers import train

__all__ = ["CASES", "Case", "trained"]

_ROOT = Path(__file__).parents[1]


class Case(NamedTuple):
    """A network, and the files that say how it is trained.

    Attributes
    ----------
    name
        What it is called in the tables.
    config
        The training configuration.
    """

    name: str
    config: Path


#: The paper's auto-encoder, and the one of ``bioae demo``.
CASES = (
    Case("stride 1, 13.3 M synapses", _ROOT / "benchmarks" / "stride1.toml"),
    Case("stride 2, 0.6 M synapses", _ROOT / "bioae" / "cli" / "demo.toml"),
)


def trained(case: Case) -> Network:
    """Return the trained network of a case, its weights on a dyadic grid.

    The paper's takes half an hour to train; what an interrupted run has done is kept.
    """
    said = hashlib.sha256(case.config.read_bytes()).hexdigest()[:12]
    out = user_cache() / "benchmarks" / f"{case.config.stem}-{said}"
    if (out / "model").exists():
        return artefact.load(out / "model").network
    with training_progress() as progress:
        begun = (out / "checkpoint.safetensors").exists()
        return train(case.config, out, resume=begun, progress=progress).network
