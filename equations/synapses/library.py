"""Find synapse models: shipped ones by name, others by the path of a file."""

from __future__ import annotations

from pathlib import Path

from bioae.documents import read_toml
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError, did_you_mean
from bioae.inputs import as_path, check_input

__all__ = ["available_synapses", "load_synapse"]

_FOLDER = Path(__file__).resolve().parent


def available_synapses() -> tuple[str, ...]:
    """Return the names of the shipped synapse models."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


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
    path = as_path(name_or_path, ModelError, "synapse model")
    text = str(name_or_path)  # ./stdp_pair is no name
    if text in available_synapses():
        path = _FOLDER / f"{text}.toml"
    elif text.endswith(".toml"):
        path = check_input(path, ModelError, "synapse model")
    else:
        raise ModelError(
            f"unknown synapse model {text!r}",
            expected=f"one of {', '.join(available_synapses())}, or the path of a .toml file",
            mend=did_you_mean(text, available_synapses()),
        )
    where = f"{path.stem}.toml" if path.parent == _FOLDER else text
    fields = read_toml(path, "synapse model file", error=ModelError)
    return SynapseModel.from_mapping(path.stem, fields, where=where)
