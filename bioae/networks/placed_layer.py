"""A layer in a network: its input, and its neuron models after lowering."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import CONNECTED, WEIGHT, SynapseModel
from bioae.errors import ModelError, NetworkError
from bioae.networks.inputs import rate_in_hz
from bioae.networks.layer_base import Delay, PopulationBase, Shape
from bioae.networks.projections import PlacedProjection
from bioae.networks.structure import Structure
from bioae.noise import PARAMETER_STEP, Key, draw, population_number

if TYPE_CHECKING:
    from bioae.equations.program import Draw, Program


class Slot(NamedTuple):
    """The place of an array among those that a layer learns.

    `owner`: the name of the weights of a pathway; of persistent variables of neurons, the layer.
    `kind`: ``"synapse"``, ``"pre"`` or ``"post"`` for traces of a side, or ``"neuron"``.
    `variable`: the variable of the rule or of the neurons.
    `shape`: (target, source) for synapses, or (synapse,) where they are listed, (source,) and
        (target,) for traces, (neuron,) for neurons.
    """

    owner: str
    kind: str
    variable: str
    shape: Shape


@dataclass(frozen=True)
class PlacedLayer:
    """A layer in a network.

    Attributes
    ----------
    layer
        Its description.
    number
        Its number among the layers, from 1, on which random numbers depend.
    depth
        The least number of projections from the input to it; 1 for the first layer.
    shape
        The population's shape: (channel, y, x), or (neuron,).
    model, readout
        Its neuron model, and the model of its potential U: parameters that the two have in common,
        with their unit, are those of the neuron.
    projections
        The projections that it receives.
    """

    layer: PopulationBase
    number: int
    depth: int
    shape: Shape
    model: NeuronModel
    readout: NeuronModel
    projections: tuple[PlacedProjection, ...]

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def kind(self) -> str:
        """The kind of the layer, as in a file; that of a population in a graph is ``"neurons"``."""
        return getattr(self.layer, "kind", "neurons")

    @property
    def input_shape(self) -> Shape:
        """The shape of the source of its first projection; empty if it receives none."""
        return self.projections[0].source_shape if self.projections else ()

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    @property
    def can_fire(self) -> bool:
        """True if its neurons have a threshold; else the decoder reads their potential."""
        return self.model.threshold is not None

    @cached_property
    def shared_parameters(self) -> frozenset[str]:
        """The parameters that the read-out takes over from the neuron."""
        from bioae.equations.declarations import shared_parameters

        return shared_parameters(self.model, self.readout)

    @cached_property
    def program(self) -> Program:
        """The neuron model, lowered, with the layer's background input."""
        from bioae.equations.lowering.lowering import lower
        from bioae.equations.lowering.noise import with_background_noise, with_background_spikes

        try:
            program, background = lower(self.model), self.layer.background
        except ModelError as error:
            key = (error.where or "").removeprefix(f"{self.model.name}.toml, ")
            own = {
                "weight": self.layer.weight, "[initial]": getattr(self.layer, "initial", None),
                "[targets]": any(each.target for each in self.projections),
            }  # fmt: skip
            if not own.get(key.partition(" ")[0]):
                raise
            raise error.at(f"layer {self.name!r}, {key}") from None
        if background is None:
            return program
        if isinstance(background, tuple):
            weight, rate = background
            return with_background_spikes(program, weight, rate_in_hz(rate))
        return with_background_noise(program, background)

    @cached_property
    def readout_program(self) -> Program:
        """The read-out model, lowered."""
        from bioae.equations.lowering.lowering import lower

        return lower(self.readout)

    @cached_property
    def weight_shapes(self) -> dict[str, Shape]:
        """The shapes of its arrays of trained weights, by name (``LAYER.weight``)."""
        return {each.name: each.weight_shape for each in self.projections if each.fixed is None}

    @cached_property
    def fixed_weights(self) -> dict[str, NDArray[np.float64]]:
        """The weights that are not trained, by name (``LAYER.weight``)."""
        return {each.name: each.fixed for each in self.projections if each.fixed is not None}

    @cached_property
    def synapses(self) -> dict[str, SynapseModel]:
        """The synapse models of the projections that learn, by the name of their weights."""
        return {each.name: each.synapse for each in self.projections if each.synapse is not None}

    def projection(self, name: str) -> PlacedProjection:
        """Return the projection of some weights."""
        return next(each for each in self.projections if each.name == name)

    @cached_property
    def bias_shapes(self) -> dict[str, Shape]:
        """The shape of its biases, by name (``LAYER.bias``); empty if it has none."""
        shape = self.layer.bias_shape(self.input_shape)
        return {f"{self.name}.bias": shape} if self.layer.bias else {}

    @property
    def delays(self) -> dict[str, Delay]:
        """The delays of its connections as text, by the name of their weights."""
        return {each.name: each.delay for each in self.projections}

    @cached_property
    def delay_shapes(self) -> dict[str, Shape]:
        """The shapes of the arrays of single connections' delays (``LAYER.weight_delay``)."""
        return {
            f"{name}_delay": self.weight_shapes[name]
            for name, delay in self.delays.items()
            if isinstance(delay, tuple)
        }

    @cached_property
    def persistent(self) -> dict[str, str]:
        """The array names of its neurons' persistent variables (``LAYER.PARAMETER``)."""
        return {name: self.array_of(self.model.initial[name]) for name in self.model.persistent}

    def array_of(self, parameter: str) -> str:
        """Return the name of the array of a parameter; raise NetworkError if weights have it."""
        array = f"{self.name}.{parameter}"
        if array in self.array_shapes or array in self.fixed_weights:
            raise NetworkError(
                "this parameter has the name of an array of weights or biases",
                where=f"layer {self.name!r}, neuron model {self.model.name}",
                found=parameter,
                hint="Rename it in the model's file",
            )
        return array

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """The learned arrays of the layer, by name.

        ``LAYER.weight`` for the weight `WEIGHT`, ``LAYER.weight_NAME`` for others of its rules,
        such as `CONNECTED`, and ``LAYER.PARAMETER`` for persistent variables of its neurons.
        """
        slots: dict[str, Slot] = {}
        for weights, model in self.synapses.items():
            shape = self.weight_shapes[weights]
            shapes = {"synapse": shape, "pre": shape[-1:], "post": shape[:1]}
            slots[weights] = Slot(weights, "synapse", WEIGHT, shapes["synapse"])
            variables = dict(model.persistent_variables)
            if model.structure is not None:
                variables[CONNECTED] = "synapse", CONNECTED
            for name, (kind, variable) in variables.items():
                array = f"{weights}_{name}"
                if array in {**self.array_shapes, **self.parameter_shapes}:
                    raise NetworkError(
                        "an array of what a rule learns has the name of another one",
                        where=f"synapse model {model.name}",
                        found=array,
                        hint="Choose another name for the variable or the parameter",
                    )
                slots[array] = Slot(weights, kind, variable, shapes[kind])
        for variable, array in self.persistent.items():
            slots[array] = Slot(self.name, "neuron", variable, (self.size,))
        return slots

    @property
    def start_shapes(self) -> dict[str, Shape]:
        """The shapes of possible arrays ``LAYER.weight_VARIABLE``: variables as they start.

        Those of synapses whose rule has the order of a script.
        """
        from bioae.equations.synapses.tables import Tables

        shapes: dict[str, Shape] = {}
        for weights, model in self.synapses.items():
            if model.timing == "script" and model.synapse.equations is not None:
                found = Tables(model).parsed(model.synapse.equations, "synapse")
                names = found.diff_eq_names | found.parameter_names
                shapes |= {f"{weights}_{each}": self.weight_shapes[weights] for each in names}
        return shapes

    @property
    def connections(self) -> dict[str, str]:
        """The arrays of connections that change (``LAYER.weight_connected``), by weight name."""
        return {
            weights: f"{weights}_{CONNECTED}"
            for weights, model in self.synapses.items()
            if model.structure is not None
        }

    def potential_connections(self, name: str) -> NDArray[np.bool_]:
        """Return the potential connections of some weights (target, source), a mask."""
        possible = self.projection(name).possible
        return np.ones(self.weight_shapes[name], bool) if possible is None else possible

    def structure(self, name: str) -> Structure:
        """Return the structural plasticity of some weights, whose rule has a ``[structure]``."""
        model = self.synapses[name]
        table, sources = model.structure, int(self.potential_connections(name)[0].sum())
        if table is None:
            raise ValueError(f"the synapse model of {name} has no [structure]")
        fan_in = table.fan_in
        if isinstance(fan_in, float):
            fan_in = max(1, round(fan_in * sources))
        if fan_in > sources:
            raise NetworkError(
                "targets have fewer sources than the rule needs",
                where=f"layer {self.name!r}, synapse model {model.name!r}, [structure] fan_in",
                expected=f"at most {sources}, or a fraction",
                found=str(fan_in),
            )
        return Structure(fan_in, table.period, table.swaps, table.by_fan_out)

    @cached_property
    def array_shapes(self) -> dict[str, Shape]:
        """The shapes of all arrays of its connections and biases, by name."""
        indices = (each.index_shapes for each in self.projections)
        shapes = {**self.weight_shapes, **self.bias_shapes, **self.delay_shapes}
        return {**shapes, **{name: shape for each in indices for name, shape in each.items()}}

    def random_parameters(self, seed: int) -> dict[str, NDArray[np.float64]]:
        """Draw the parameters that are random in the files of the models, by name (neuron)."""
        if not self.model.drawn and not self.readout.drawn:
            return {}
        from bioae.equations.arrays.start import drawn_parameters
        from bioae.equations.declarations import random_parameters

        arrays: dict[str, NDArray[np.float64]] = {}
        own = random_parameters(self.model)
        for model, prefix in ((self.model, ""), (self.readout, "readout.")):
            number = population_number(self.number, readout=model is self.readout)
            drawn = drawn_parameters(model, partial(_drawn, number, self.size, seed))
            for name, values in drawn.items():
                if model is self.model or name not in own:
                    arrays[self.array_of(f"{prefix}{name}")] = values
        return arrays

    @property
    def separate_inhibition(self) -> bool:
        """True if a model of the layer receives inhibition at a separate variable."""
        return any(model.inhibition is not None for model in (self.model, self.readout))

    @cached_property
    def parameter_shapes(self) -> dict[str, tuple[Shape, ...]]:
        """The shapes that arrays of parameters may have, by name (``LAYER.PARAMETER``).

        One value, or one for each neuron where no variable that neurons share depends on it.
        """
        # A parameter with the name of another array keeps the model's value.
        taken = self.array_shapes.keys() | self.fixed_weights.keys()
        shapes = self._shapes(self.program, self.name)
        return {name: shapes[name] for name in shapes if name not in taken}

    @cached_property
    def readout_shapes(self) -> dict[str, tuple[Shape, ...]]:
        """The shapes of the read-out's own parameters (``LAYER.readout.PARAMETER``)."""
        return self._shapes(self.readout_program, f"{self.name}.readout")

    def _shapes(self, program: Program, prefix: str) -> dict[str, tuple[Shape, ...]]:
        return {
            f"{prefix}.{name}": ((),) if name in program.common else ((), (self.size,))
            for name in program.parameters
        }


def _drawn(population: int, size: int, seed: int, each: Draw) -> NDArray[np.float64]:
    """Return the random numbers of one call in a parameter (neuron)."""
    numbers = draw(
        each.distribution, Key(seed, [0]), step=PARAMETER_STEP, call=each.call,
        population=population, count=size,
    )  # fmt: skip
    return np.asarray(numbers[0])
