"""Neurons of NIR as neuron models: the files in ``neurons/``, and the parameters of a node."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.exchange.nir.folding import broadcast
from bioae.exchange.nir.graphs import NEURONS, SILENT, Reset
from bioae.exchange.nir.library import Graph, array_of, nir_error
from bioae.inputs import parse_toml

_TIMES = ("tau", "tau_mem", "tau_syn")
_SUBTRACTED = "v_threshold - v_reset"

_LOGGER = logging.getLogger("bioae")


@dataclass(frozen=True)
class Population:
    """Neurons of a layer.

    `parameters`: those that all neurons share, as text; `arrays`: those that differ, by name
    (neuron).
    """

    model: NeuronModel
    parameters: dict[str, str]
    arrays: dict[str, NDArray[np.float64]]


@cache
def model_of(kind: str, reset: Reset = "zero") -> NeuronModel:
    """Return the model of a type of node such as ``LIF``, with a reset if it has a threshold."""
    spiking = kind if kind not in SILENT else f"{kind}F"
    file = f"{NEURONS[spiking]}.toml"
    text = (files("bioae") / "exchange" / "nir" / "neurons" / file).read_bytes()
    fields = parse_toml(text, where=file, error=ModelError)
    if spiking != kind:  # the same equations without a threshold
        described = fields["description"].replace("integrate-and-fire neuron", "integrator")
        fields |= {"description": described.replace(spiking, kind), "potential": "v"}
        for key in ("threshold", "reset"):
            del fields[key], fields["parameters"][f"v_{key}"]
    model = NeuronModel.from_mapping(f"nir_{NEURONS[kind]}", fields, where=file)
    if model.threshold is None or reset == "zero":
        return model
    leak = next((f"1 - dt/{name}" for name in ("tau", "tau_mem") if name in fields["parameters"]),
                None)  # fmt: skip
    late = reset == "subtract_delayed" and leak is not None
    statement = f"v -= ({_SUBTRACTED})/({leak})" if late else f"v -= {_SUBTRACTED}"
    changes = {"name": f"{model.name}_{reset}", "reset": statement}
    return model.model_copy(update=changes)


def population_of(
    name: str, node: Graph, shape: tuple[int, ...], *, dt: float, reset: Reset
) -> Population:
    """Return the neurons of a node, whose input has a shape; the time step is in seconds."""
    kind = type(node).__name__
    model = model_of(kind, reset)
    parameters: dict[str, str] = {}
    arrays: dict[str, NDArray[np.float64]] = {}
    for field, default in model.parameters.items():
        values = broadcast(name, field, array_of(name, node, field), shape).ravel()
        if field == "v_threshold" and (values < 0).any():
            raise nir_error(name, "there is no rule for a negative threshold, at which neurons "
                            "fire before a presentation", found=values.min())  # fmt: skip
        if field in _TIMES:
            _check_times(name, field, values, dt, reset if model.threshold else "zero")
        if (values == values[0]).all():
            unit = "*second" if field in _TIMES else "*Hz" if default.endswith("Hz") else ""
            parameters[field] = f"{float(values[0])!r}{unit}"
        else:
            arrays[field] = values.copy()
    return Population(model, parameters, arrays)


def _check_times(
    name: str, field: str, values: NDArray[np.float64], dt: float, reset: Reset
) -> None:
    if (values <= 0).any():
        raise nir_error(name, f"{field} is not positive", expected="a time in seconds",
                        found=values.min())  # fmt: skip
    if values.max() > 1e6 or values.min() < 1e-12:
        raise nir_error(name, f"{field} is out of bounds", expected="from 1e-12 to 1e6 seconds")
    if reset == "subtract_delayed" and field != "tau_syn" and (values == dt).any():
        raise nir_error(
            name, f"{field} is the time step, so nothing is left of v from which to subtract",
            hint="Choose another reset",
        )  # fmt: skip
    if values.min() < dt * (1 - 1e-6):
        _LOGGER.warning(
            "NIR node %r: %s of %g s is shorter than dt = %g s, in which forward Euler overshoots. "
            "Is it the time step of the software that wrote the file?",
            name, field, values.min(), dt,
        )  # fmt: skip
