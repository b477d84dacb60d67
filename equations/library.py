"""Find neuron and synapse models: shipped ones by name, others by the path of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bioae.equations.model import NeuronModel as NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError, did_you_mean
from bioae.inputs import as_path, read_toml

if TYPE_CHECKING:
    from brian2 import Equations, NeuronGroup, Quantity

#: A neuron model, or what `load_neuron` makes one of.
NeuronLike: TypeAlias = "str | Path | NeuronModel | NeuronGroup | Equations"

_NEURONS, _SYNAPSES = (Path(__file__).resolve().parent / name for name in ("neurons", "synapses"))


def available() -> tuple[str, ...]:
    """Return the names of the shipped neuron models."""
    return _names_in(_NEURONS)


def available_synapses() -> tuple[str, ...]:
    """Return the names of the shipped synapse models."""
    return _names_in(_SYNAPSES)


def load_neuron(neuron: NeuronLike, **keys: Any) -> NeuronModel:
    """Load a neuron model; nothing in its file is executed.

    Parameters
    ----------
    neuron
        The name of a shipped model (see `available`), the path of a TOML file, a model, or a
        Brian2 `NeuronGroup`, or equations.
    keys
        Of a group or equations, as for `NeuronModel.from_brian2`, such as ``input="I"``.

    Raises
    ------
    ModelError
        If there is no such model, its file cannot be read or has the wrong keys, or a group cannot
        be converted.
    """
    if is_neuron(neuron) and not isinstance(neuron, NeuronModel):
        return from_brian2(neuron, **keys)
    for key in keys:
        expected = "a NeuronGroup or equations: files and models have their keys"
        raise ModelError("this takes no such argument", where=key, expected=expected)
    if isinstance(neuron, NeuronModel):
        return neuron
    path, where = _find(neuron, _NEURONS, "neuron model")
    fields = read_toml(path, "neuron model file", error=ModelError)
    fields = _with_values(fields, path.parent, where)
    return NeuronModel.from_mapping(path.stem, fields, where=where)


def is_neuron(source: Any) -> bool:
    """Return whether this is a model, a Brian2 group or equations, rather than a name."""
    kinds = ("user_equations", "diff_eq_names")  # of groups and of equations
    return isinstance(source, NeuronModel) or any(hasattr(source, kind) for kind in kinds)


def from_brian2(
    source: NeuronGroup | Equations | str,
    *,
    input: str | None = None,  # noqa: A002 - the key's name
    weight: str | Quantity | None = None,
    namespace: Mapping[str, Any] | None = None,
    **keys: Any,
) -> NeuronModel:
    """Return the model of a Brian2 script's neurons; nothing is run.

    A group's threshold, reset, refractoriness, events, operations, method, time step and
    present values are the model's: constants as parameters, other variables as initial values.
    Where values differ from neuron to neuron, the model has their mean, with a warning.

    Parameters
    ----------
    source
        A group, or equations, or their text with ``threshold`` and others as `keys`.
    input
        The variable that presynaptic spikes add to; the only differential one by default.
    weight
        What a network weight of 1 adds to it; by default 1 mV, 1 nS or 1 nA.
    namespace
        Constants and timed arrays by name, besides the group's own; by default, as in Brian2,
        those that the caller sees.
    keys
        Further keys of a model, such as ``reset="v = v_r"``, ``refractory=2*ms``,
        ``inhibition="g_i"``; they replace a group's.

    Raises
    ------
    ModelError
        If Brian2 rejects the model, a name is no constant of the namespace, the input is not
        determined, the group has linked variables, or its values cannot be read in standalone mode.

    Examples
    --------
    >>> from brian2 import ms, mV
    >>> tau = 20*ms
    >>> lif = NeuronModel.from_brian2(
    ...     "dv/dt = -v/tau : volt", threshold="v > 20*mV", reset="v = 0*mV", weight=2*mV
    ... )
    >>> lif.parameters
    {'tau': '20*ms'}
    """
    from bioae.equations.groups import callers_namespace, model_of

    names = callers_namespace() if namespace is None else namespace
    keys |= {key: v for key, v in (("input", input), ("weight", weight)) if v is not None}
    return model_of(source, keys, names)


NeuronModel.from_brian2 = staticmethod(from_brian2)


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


def _read_values(folder: Path, name: str, where: str) -> Any:
    """Return the numbers of a `.csv` or `.npy` file (time), or (time, neuron)."""
    expected = (
        "a .csv or .npy file in the model's folder, with a number, or a row of them, per interval"
    )
    if Path(name).name != name or Path(name).suffix not in (".csv", ".npy"):
        raise ModelError("this is not a file of values", where=where, expected=expected, found=name)
    path = folder / name
    try:
        text = path.suffix == ".csv"
        numbers = np.asarray(np.loadtxt(path, delimiter=",", ndmin=1) if text else np.load(path))
        if numbers.ndim not in (1, 2) or numbers.dtype.kind not in "fiu" or not numbers.size:
            raise ValueError(f"{numbers.dtype} of shape {numbers.shape}")
        return numbers.astype(np.float64).tolist()
    except (OSError, ValueError, EOFError) as reason:
        found = (
            getattr(reason, "strerror", None) or " ".join(str(reason).split(";")[0].split())[:80]
        )
        raise ModelError(
            "these values cannot be read", where=where, expected=expected, found=f"{name}: {found}"
        ) from reason
