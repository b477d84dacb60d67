"""Trained networks by name or path: the rule by which every command finds them."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from bioae.errors import ArtefactError, InputError, shortened
from bioae.inputs import check_input
from bioae.networks import artefact
from bioae.networks.artefact import Artefact
from bioae.networks.network import Network
from bioae.networks.trained.cards import FOLDER, available, unknown_name

__all__ = [
    "ModelKind", "NetworkLike", "kind_of", "load", "locate", "network_of",
]  # fmt: skip

#: What a name or a path means where models and networks are accepted.
ModelKind: TypeAlias = Literal["neuron", "synapse", "network"]

#: A network, a trained network with its record, or the path or the name of one.
NetworkLike: TypeAlias = Network | Artefact | Path | str


def kind_of(name_or_path: str | os.PathLike[str]) -> ModelKind:
    """Return whether a neuron model, a synapse model or a trained network is meant.

    Parameters
    ----------
    name_or_path
        A name or a path. The name of a model takes precedence over the path of a network. What is
        neither a name nor a path was meant as the name that is nearest to it.
    """
    from bioae.equations import available as neurons
    from bioae.equations import available_synapses
    from bioae.equations.synapses.library import is_synapse

    text, path = os.fspath(name_or_path), Path(name_or_path)
    if text not in neurons() and is_synapse(text):
        return "synapse"
    if text in neurons() or path.suffix == ".toml":
        return "neuron"
    if path.exists() or path.suffix == ".zip" or len(path.parts) > 1:
        return "network"
    near = get_close_matches(text, (*neurons(), *available_synapses(), *available()), n=1)
    if set(near) & {*available()}:
        return "network"
    return "synapse" if set(near) & {*available_synapses()} else "neuron"


def load(name_or_path: Path | str) -> Artefact:
    """Load a trained network; nothing in it is executed.

    Parameters
    ----------
    name_or_path
        The path of a folder or of an archive of one, or the name of a network that comes with
        bioae (`bioae.networks.trained.available`). A path that exists takes precedence over a name.

    Raises
    ------
    ArtefactError
        If there is none, it is truncated or of another kind, or its version or shapes do not fit.
    """
    return artefact.read(locate(name_or_path))


def network_of(source: NetworkLike) -> Network:
    """Return a network: as it is, that of an artefact, or loaded by a name or a path.

    Raises
    ------
    ArtefactError
        If there is none of this name or at this path, or it does not fit.
    InputError
        If it is anything else.
    """
    if isinstance(source, Network):
        return source
    if isinstance(source, Artefact):
        return source.network
    if isinstance(source, str | os.PathLike):
        return load(source).network
    raise InputError(  # type: ignore[unreachable, unused-ignore]
        "this is not a network",
        expected="a bioae.Network, an artefact, or the path or name of one",
        found=shortened(type(source).__name__),
    )


def locate(name_or_path: Path | str) -> Path:
    """Return the path of a trained network, which need not exist if it was given as a path.

    Parameters
    ----------
    name_or_path
        As for `load`. What is neither a path that exists nor a name, and has no folder and no
        ``.zip`` in it, was meant as a name.
    """
    path = check_input(name_or_path, ArtefactError, "trained network")
    if os.path.lexists(path):  # a link that leads nowhere, too
        return path
    if str(name_or_path) in available():
        return FOLDER / str(name_or_path)
    if str(name_or_path) == path.name and path.suffix != ".zip":
        raise unknown_name(path.name, "a folder, a .zip file, or one of")
    return path
