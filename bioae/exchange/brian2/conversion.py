"""Groups, synapses and inputs of a Brian2 script as populations and projections."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from brian2 import (
    CodeRunner,
    EventMonitor,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    Quantity,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    second,
)
from numpy.typing import NDArray

from bioae.equations.groups import model_of
from bioae.equations.model import NeuronModel
from bioae.errors import BioaeError, InputError
from bioae.exchange.brian2.inputs import INPUTS, constant_rates, frames, rates, size
from bioae.exchange.brian2.rules import DELIVERED_UNIT, WEIGHT_UNIT, paths
from bioae.exchange.brian2.synapses import Path, check_ends, whole
from bioae.networks import network as networks
from bioae.networks.config import NetworkConfig
from bioae.networks.layer_base import ENCODER
from bioae.networks.projections import SIGNS
from bioae.simulation.backend import STANDALONE
from bioae.simulation.brian2_internals.scripts import target_of
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.unit_text import readable, unit_name

_MONITORS = (SpikeMonitor, StateMonitor, PopulationRateMonitor, EventMonitor)

#: The values of a longer timed array are cut at the end of the run: models store them as text.
_MOST_VALUES = 100_000

#: Kinds of objects that are refused, and what they are.
_REASONS = {
    "SpatialNeuron": "a neuron of several compartments",
    "NetworkOperation": "Python code that runs in each step (use run_regularly or a TimedArray)",
    "Subgroup": "a part of a group (hand over the group)",
    "SpatialStateUpdater": "a neuron of several compartments",
    **dict.fromkeys(("list", "tuple", "set", "dict"), "a collection (write *objects)"),
}


class Conversion:
    """The conversion of some objects to the populations and projections of a network.

    Attributes
    ----------
    rows
        The objects by name, and what each became.
    """

    def __init__(self, objects: list[Any], duration: float, namespace: Mapping[str, Any]) -> None:
        self._objects, self.rows = objects, dict[str, str]()
        self._namespace = {name: _shortened(each, duration) for name, each in namespace.items()}
        groups = [each for each in objects if type(each) is NeuronGroup]
        self._groups = sorted(groups, key=lambda each: "spike" in each.events)  # outputs last
        self._names = dict[str, str]()
        for each in self._groups:
            self._names[each.name] = _name(each, {ENCODER, *self._names.values()})
        self._synapses = [each for each in objects if type(each) is Synapses]
        self._inputs = [each for each in objects if isinstance(each, INPUTS)]
        steps = {float(each.clock.dt) for each in (*self._groups, *self._synapses, *self._inputs)}
        self.dt = min(steps, default=1.0)
        self.steps = round(duration / self.dt)
        self.arrays: dict[str, NDArray[Any]] = {}
        self.projections: list[dict[str, Any]] = []
        self.rules: dict[str, dict[str, Any]] = {}
        self._reads = set[tuple[str, str, str]]()
        self._received = set[tuple[str, str]]()

    def converted(self, seed: int) -> tuple[networks.Network, NDArray[np.float64]]:
        """Return the network, and its input; draw the spikes of Poisson sources."""
        for each in self._objects:
            self._check_kind(each)
        if not self._groups:
            raise InputError("there is no NeuronGroup", where="from_brian2")
        encoder, data = self._encoded(seed)
        for synapses in self._synapses:
            self._add_synapses(synapses)
        for each in self._inputs:
            self._add_input(each)
        for error in self._conflicts():
            raise error
        neurons, populations = {}, []
        for group in self._groups:
            name = self._names[group.name]
            neurons[name] = self._model(group).to_mapping()
            populations.append({"name": name, "size": len(group), "neuron": name})
        fires = "spike" in self._groups[-1].events
        if not fires:
            populations[-1]["readout"] = name
        config = NetworkConfig.from_mapping({
            "input_shape": list(data.shape[2:] if encoder["kind"] == "frames" else data.shape[1:]),
                "dt": readable(self.dt * second), "steps": self.steps, "clock": "common",
            "encoder": encoder, "decoder": {"kind": "count" if fires else "last"},
            "task": {"kind": "representation", "outputs": len(self._groups[-1])},
            "populations": populations, "projections": self.projections, "neurons": neurons,
            "synapses": self.rules, "neuron": populations[0]["neuron"],
        }, where="from_brian2")  # fmt: skip
        return networks.Network(config, self.arrays), data

    def _conflicts(self) -> Iterator[InputError]:
        """Yield an error for each rule that reads what neurons receive later in the same step."""
        for where, group, variable in sorted(self._reads):
            if (self._names.get(group), variable) in self._received:
                yield InputError(
                    "a rule reads a variable to which spikes add", where=where,
                    expected="another variable of the neurons", found=variable,
                )  # fmt: skip

    def explained(self) -> Iterator[tuple[str, str]]:
        """Yield each object, and what it becomes, or why it cannot be converted."""
        steps: dict[type, Callable[[Any], object]] = {
            Synapses: self._add_synapses, NeuronGroup: self._model,
            PoissonInput: self._add_input,
            PoissonGroup: lambda each: rates(each, 1, self.dt, self._namespace),
        }  # fmt: skip
        for each in sorted(self._objects, key=lambda each: type(each) is not Synapses):
            try:
                self._check_kind(each)
                steps.get(type(each), str)(each)
            except BioaeError as error:
                self.rows[_label(each)] = f"refused: {error}"
        for conflict in self._conflicts():
            self.rows[str(conflict.where)] = f"refused: {conflict}"
        yield from ((_label(each), self.rows.get(_label(each), "input")) for each in self._objects)

    def _check_kind(self, each: Any) -> None:
        kind, where = type(each), _label(each)
        operations = [part for part in getattr(each, "contained_objects", ())
                      if type(part) is CodeRunner and kind is not NeuronGroup]  # fmt: skip
        if isinstance(each, _MONITORS):
            has = "results have all spikes, and states on request"
            if isinstance(each.source, Synapses):
                has = "learned networks have final weights"
            self.rows[each.name] = f"nothing: {has}"
        elif kind not in (NeuronGroup, Synapses, *INPUTS):
            raise InputError(
                f"{_REASONS.get(kind.__name__, 'this object')} has no meaning in a network",
                where=where, found=kind.__name__,
                expected="groups, synapses, spike generators, Poisson groups and inputs, monitors",
            )  # fmt: skip
        elif float(each.clock.dt) != self.dt:
            raise InputError(
                "it has another clock", where=where, found=f"{float(each.clock.dt) * 1e3:g} ms",
                expected=f"one time step of all objects, here {self.dt * 1e3:g} ms",
            )  # fmt: skip
        elif operations or not each.active:
            raise InputError(
                "only groups of neurons run code regularly" if operations else "it is not active",
                where=where, found="run_regularly" if operations else "active = False",
            )  # fmt: skip

    def _model(self, group: NeuronGroup) -> NeuronModel:
        """Return the neuron model of a group; values that differ between neurons are arrays."""
        name, own = self._names[group.name], dict[str, NDArray[np.float64]]()
        received = [each for each in self.projections if each["to"] == name]
        equations = group.user_equations
        variables = [each["target"] for each in received]
        variables += [*equations.diff_eq_names]
        variables += [
            each
            for each in equations.parameter_names
            if equations[each].var_type == "float" and not equations[each].flags
        ]
        if not variables:
            raise InputError("the group has no variable that receives input", where=group.name)
        for variable in {each["target"] for each in received}:
            self._scale([each for each in received if each["target"] == variable])
        keys: dict[str, Any] = {"name": name, "input": variables[0], "targets": {}}
        for each in received:
            if each["target"] == variables[0]:  # the model's usual input needs no second one
                keys["weight"] = each["weight"]
                del each["target"], each["weight"]
            else:
                keys["targets"][each["target"]] = each["weight"]
        model = model_of(group, keys, self._namespace, own)
        self.rows[group.name] = f"population {name!r} of {len(group)} neurons"
        self.arrays |= {f"{name}.{key}": values for key, values in own.items()}
        return model

    def _scale(self, projections: Sequence[dict[str, Any]]) -> None:
        """Give the weights onto a variable a unit in which they are about 1; state their sign.

        Steps of training and the grid suit such numbers. A power of two changes no bit of a sum.
        Weights of a rule may have another unit than the variable; without a unit they stay.
        """
        unit, ruled = projections[0]["weight"], any("synapse" in each for each in projections)
        rules = [self.rules.get(each.get("synapse", ""), {}) for each in projections]
        keys = [f"{each['to']}.{each['name']}" for each in projections]
        units = [each.get("parameters", {}).get(WEIGHT_UNIT, "1") if each else unit
                 for each in rules]  # fmt: skip
        scales = {
            text: _power([self.arrays[key] for key, own in zip(keys, units, strict=True)
                          if own == text and not (ruled and text == "1")])
            for text in {*units, unit}
        }  # fmt: skip
        scaled = {text: text.replace("1", repr(scale), 1) for text, scale in scales.items()}
        for key, each, rule, own in zip(keys, projections, rules, units, strict=True):
            weights = self.arrays[key] = self.arrays[key] / scales[own]
            each["weight"], parameters = scaled[unit], rule.get("parameters", {})
            for name in parameters.keys() & {WEIGHT_UNIT, DELIVERED_UNIT}:
                parameters[name] = scaled[parameters[name]]
            for sign, factor in SIGNS.items():
                one_sign = weights.any() and (factor * weights >= 0).all()
                if one_sign and not rule:
                    each["sign"] = sign

    # Input

    @cached_property
    def _first(self) -> dict[str, int]:
        """The place of the first neuron of each input."""
        sizes = np.cumsum([0, *map(size, self._inputs)]).tolist()
        return {each.name: first for each, first in zip(self._inputs, sizes, strict=False)}

    def _encoded(self, seed: int) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """Return the encoder of the inputs, and the data of the only presentation."""
        for each in self._inputs:
            drawn = ", with other random numbers" if type(each) is PoissonGroup else ""
            self.rows[each.name] = f"input, neurons {self._first[each.name]} and following{drawn}"
        found = (constant_rates(each, self.dt, self._namespace) for each in self._inputs)
        constant = [each for each in found if each is not None]
        if constant and len(constant) == len(self._inputs):
            values = np.clip(np.concatenate(constant) * self.dt, 0, 1)  # probabilities
            return {"kind": "bernoulli", "rate": 1.0}, values[None, None, None]
        data = frames(self._inputs, self.steps, self.dt, self._namespace, seed)
        return {"kind": "frames"}, data

    def _add_input(self, each: Any) -> None:
        """Add the projection of a Poisson input, each of whose neurons has one target."""
        if type(each) is not PoissonInput:
            return
        where, group, weight = str(each.name), target_of(each), each.weight
        if (each.when, each.order) != ("synapses", 0):
            raise InputError("it runs at an unusual time", where=where, found=each.when)
        if isinstance(weight, str):
            namespace = {**self._namespace, **(whole(group).namespace or {})}
            weight = namespace.get(weight.strip(), weight)
        try:
            values = np.full(len(group), float(weight))
        except (TypeError, ValueError):
            raise InputError(
                "the weight is no constant", where=where, found=str(weight),
                expected="a number, a quantity, or the name of one",
            ) from None  # fmt: skip
        numbers = np.arange(len(group))
        path = Path(each, each.target_var, values)
        ends = numbers + self._first[each.name], numbers + getattr(group, "start", 0)
        key = self._add_projection(each, (ENCODER, whole(group)), path, ends)
        self.rows[each.name] = f"input, and projection {key}"

    # Synapses

    def _add_synapses(self, synapses: Synapses) -> None:
        """Add the projections of synapses, one for each variable that they add to."""
        source = synapses.source
        count, made = len(synapses), list[str]()
        check_ends(synapses, (*self._names, *self._first))
        before = whole(source)
        first = getattr(source, "start", 0) + self._first.get(before.name, 0)
        if active_target() in STANDALONE:
            raise InputError(
                "synapses cannot be read in standalone mode", where=str(synapses.name),
                hint="Convert them before set_device",
            )  # fmt: skip
        i = np.asarray(synapses.i[:]) + first
        j = np.asarray(synapses.j[:]) + getattr(synapses.target, "start", 0)
        ends = self._names.get(before.name, ENCODER), whole(synapses.target)
        weights = dict[str, str]()
        for path in paths(synapses, self._namespace, _name(synapses)) if count else ():
            made.append(self._add_projection(synapses, ends, path, (i, j)))
            self._add_delay(path.pathway, made[-1])
            if path.rule is not None:
                weights[made[-1]], rule = path.weight or "1", _name(synapses, self.rules)
                self.projections[-1]["synapse"] = rule
                self.rules[rule] = path.rule.to_mapping()
                self.arrays |= {f"{made[-1]}_{key}": each for key, each in path.states.items()}
                self._reads |= {(synapses.name, *each) for each in path.reads}
        text = f"projection {', '.join(made)}" if made else "nothing"
        self.rows[synapses.name] = f"{text}, of {count:,} synapses"
        for each in self.projections[-len(weights) :] if len(weights) > 1 else ():
            key = f"{each['to']}.{each['name']}"
            self.rules[each["synapse"]]["copies"] = [other for other in weights if other != key]
        if weights:
            kept = ", ".join(f"{weight} is the weight of {key}" for key, weight in weights.items())
            self.rows[synapses.name] += (
                f", that learns in the script's order ({kept}); the last bits of weights are "
                "rounded otherwise"
            )

    def _add_projection(
        self, part: Any, ends: tuple[str, Any], path: Path, places: Sequence[NDArray[np.int64]]
    ) -> str:
        """Add a projection from the population of a name to a group; return its key."""
        group, to = ends[1], self._names[ends[1].name]
        own = {f"{name}{end}" for name in group.user_equations for end in ("", "_initial")}
        name = _name(part, own | {each["name"] for each in self.projections})
        unit, key = unit_name(group.variables[path.variable].dim), f"{to}.{name}"
        self._received.add((to, path.variable))
        self.projections.append({
            "from": ends[0], "to": to, "name": name, "kind": "sparse",
            "synapses": len(path.values), "autapses": True, "target": path.variable,
            "weight": f"1*{unit}" if unit != "1" else "1",
        })  # fmt: skip
        self.arrays[key] = path.values
        self.arrays[f"{key}_source"], self.arrays[f"{key}_target"] = places
        return key

    def _add_delay(self, pathway: Any, key: str) -> None:
        """Add the delay of a pathway to the last projection; single ones are an array."""
        delays = np.asarray(pathway.variables["delay"].get_value(), float).ravel()
        steps = np.floor(delays / self.dt + 0.5).astype(int)  # as Brian2 rounds them
        if not steps.any():
            return
        ends = [f"{int(each) * self.dt!r}*second" for each in (steps.min(), steps.max())]
        self.projections[-1]["delay"] = ends[0] if ends[0] == ends[1] else ends
        if ends[0] != ends[1]:
            self.arrays[f"{key}_delay"] = steps * self.dt


def _power(arrays: Iterable[NDArray[np.float64]]) -> float:
    """Return the power of two next to the median size of weights that are not 0; 1 if all are."""
    sizes = np.abs(np.concatenate([np.zeros(0), *arrays]))
    return float(2.0 ** np.rint(np.log2(np.median(sizes[sizes > 0])))) if sizes.any() else 1.0


def _shortened(value: Any, duration: float) -> Any:
    """Return a timed array that is too long for a model without the values after a duration."""
    if not isinstance(value, TimedArray) or value.values.size <= _MOST_VALUES:
        return value
    last = math.ceil(duration / float(value.dt)) + 1
    return TimedArray(Quantity(value.values[:last], dim=value.dim), value.dt * second)


def _label(part: Any) -> str:
    return str(getattr(part, "name", type(part).__name__))


def _name(part: Any, taken: Collection[str] = ()) -> str:
    """Return an object's name as that of a population or a projection, which is not taken."""
    name = re.sub(r"[^a-z0-9]+", "_", str(part.name).lower()).strip("_")
    name = name if re.match("[a-z]", name) else f"n_{name}"
    others = (f"{name}_{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], others) if each not in taken)
