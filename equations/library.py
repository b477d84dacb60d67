"""Find neuron and synapse models: shipped ones by name, others by the path of a file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from bioae.equations.limits import MOST_VALUES
from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError, did_you_mean
from bioae.inputs import as_path, check_input, read_input, read_toml

_NEURONS, _SYNAPSES = (Path(__file__).resolve().parent / name for name in ("neurons", "synapses"))


def available() -> tuple[str, ...]:
    """Return the names of the shipped neuron models."""
    return _names_in(_NEURONS)


def available_synapses() -> tuple[str, ...]:
    """Return the names of the shipped synapse models."""
    return _names_in(_SYNAPSES)


def load_neuron(name_or_path: str | Path) -> NeuronModel:
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
    path, where = _find(name_or_path, _NEURONS, "neuron model")
    fields = read_toml(path, "neuron model file", error=ModelError)
    fields = _with_values(fields, path.parent, where)
    return NeuronModel.from_mapping(path.stem, fields, where=where)


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
    path, where = _find(name_or_path, _SYNAPSES, "synapse model")
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


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def _find(name_or_path: str | Path, folder: Path, kind: str) -> tuple[Path, str]:
    """Return the path of a model's file, shipped or the user's, and its name in errors."""
    path = as_path(name_or_path, ModelError, kind)
    text = str(name_or_path)  # ./lif is no name
    names = _names_in(folder)
    if text in names:
        return folder / f"{text}.toml", f"{text}.toml"
    if text.endswith(".toml"):
        path = check_input(path, ModelError, kind)
        return path, f"{path.stem}.toml" if path.parent == folder else text
    raise ModelError(
        f"unknown {kind} {text!r}",
        expected=f"one of {', '.join(names)}, or the path of a .toml file",
        hint=did_you_mean(text, names),
    )


def _with_values(fields: dict[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """Return the fields with the numbers of timed arrays in place of the paths of their files."""
    arrays = fields.get("timed_arrays")
    if not isinstance(arrays, dict):
        return fields
    read = {}
    for name, each in arrays.items():
        read[name] = each
        if isinstance(each, dict) and isinstance(each.get("values"), str):
            place = f"{where}, [timed_arrays.{name}] values"
            read[name] = {**each, "values": _read_values(folder, each["values"], place)}
    return {**fields, "timed_arrays": read}


def _read_values(folder: Path, name: str, where: str) -> list[float]:
    """Return the numbers of a `.csv` or `.npy` file (time), at most one more than is allowed."""
    expected = "a .csv or .npy file in the model's folder, with one number per interval"
    if Path(name).name != name or Path(name).suffix not in (".csv", ".npy"):
        raise ModelError("this is not a file of values", where=where, expected=expected, found=name)
    path = check_input(folder / name, ModelError, where)
    try:
        content = read_input(path)
        numbers = _from_npy(content) if path.suffix == ".npy" else _from_csv(content)
    except (OSError, ValueError) as reason:
        found = getattr(reason, "strerror", None) or " ".join(str(reason).split())[:80]
        raise ModelError(
            "these values cannot be read", where=where, expected=expected, found=f"{name}: {found}"
        ) from reason
    return numbers[: MOST_VALUES + 1]


def _from_csv(content: bytes) -> list[float]:
    rows = [line.strip() for line in content.decode().splitlines() if line.strip()]
    parts = rows[0].split(",") if len(rows) == 1 else rows
    return [float(part) for part in parts]


def _from_npy(content: bytes) -> list[float]:
    # Not `np.load`, which allocates what a header declares.
    stream = BytesIO(content)
    read: Any = np.lib.format
    if read.read_magic(stream) != (1, 0):
        raise ValueError("another version than 1.0 of the format")
    shape, _, dtype = read.read_array_header_1_0(stream)
    if len(shape) != 1 or dtype.kind not in "fiu":
        raise ValueError(f"{dtype} of shape {shape}")
    numbers = np.frombuffer(content, dtype, count=shape[0], offset=stream.tell())
    return [float(number) for number in numbers]
