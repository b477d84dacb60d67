"""Find neuron models: shipped ones by name, others by the path of a file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from bioae.documents import read_toml
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.inputs import as_path, check_input

__all__ = ["available", "load_model"]

_FOLDER = Path(__file__).resolve().parent / "neurons"


def available() -> tuple[str, ...]:
    """Return the names of the shipped neuron models."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_model(name_or_path: str | Path) -> NeuronModel:
    """Load a neuron model; nothing in its file is executed.

    Parameters
    ----------
    name_or_path
        The name of a shipped model (see `available`), or the path of a TOML file.

    Raises
    ------
    ModelError
        If there is no such model, or its file cannot be read or has the wrong keys.
    """
    path = as_path(name_or_path, ModelError, "neuron model")
    text = str(name_or_path)  # ./lif is no name
    if text in available():
        path = _FOLDER / f"{text}.toml"
    elif text.endswith(".toml"):
        path = check_input(path, ModelError, "neuron model")
    else:
        raise _unknown(text)
    fields = read_toml(path, "neuron model file", error=ModelError)
    where = text if path.suffix == ".toml" and path.parent != _FOLDER else f"{path.stem}.toml"
    return NeuronModel.from_mapping(path.stem, fields, where=where)


def _unknown(name: str) -> ModelError:
    close = get_close_matches(name, available(), n=1)
    return ModelError(
        f"unknown neuron model {name!r}",
        expected=f"one of {', '.join(available())}, or the path of a .toml file",
        mend=f"Did you mean {close[0]!r}?" if close else None,
    )
