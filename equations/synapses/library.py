"""Find synapse models: shipped ones by name, others by the path of a file."""

from __future__ import annotations

from pathlib import Path

from bioae.equations.library import find, names_in
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError
from bioae.inputs import read_toml

__all__ = ["available_synapses", "is_synapse", "load_synapse"]

_FOLDER = Path(__file__).resolve().parent


def available_synapses() -> tuple[str, ...]:
    """Return the names of the shipped synapse models."""
    return names_in(_FOLDER)


def load_synapse(name_or_path: str | Path) -> SynapseModel:
    """Load a synapse model; nothing in its file is executed.

    Parameters
    ----------
    name_or_path
        The name of a shipped model (see `available_synapses`), or the path of a TOML file.

    Raises
    ------
    ModelError
        If there is no such model, or its file cannot be read or has the wrong keys.
    """
    path, where = find(name_or_path, _FOLDER, "synapse model")
    fields = read_toml(path, "synapse model file", error=ModelError)
    return SynapseModel.from_mapping(path.stem, fields, where=where)


def is_synapse(name_or_path: str | Path) -> bool:
    """Return whether this names a synapse model: a shipped one, or a file with ``[synapse]``.

    Raises
    ------
    ModelError
        If there is no such TOML file, or it cannot be read.
    """
    if str(name_or_path) in available_synapses():
        return True
    path = Path(name_or_path)
    if path.suffix != ".toml":
        return False
    if not path.exists():
        raise ModelError(
            "there is no such file", where=str(path), expected="a neuron model or a synapse model"
        )
    return path.is_file() and "synapse" in read_toml(path, "model file", error=ModelError)
