"""Networks from the objects of a Brian2 script: groups and synapses become a graph."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from brian2 import (
    EventMonitor,
    Network,
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    Quantity,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    get_device,
    get_dimensions,
    second,
)
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.devices.device import runtime_device
from brian2.groups.group import CodeRunner
from numpy.typing import NDArray

from bioae.checks import number
from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression
from bioae.equations.groups import callers_namespace, fields_of
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.errors import BioaeError, InputError, NetworkError
from bioae.networks import network as networks
from bioae.networks.config import NetworkConfig
from bioae.networks.layer_base import ENCODER
from bioae.showing import Shown, Summary
from bioae.unit_text import readable, unit_name
from bioae.units import has_unit

_MONITORS = (SpikeMonitor, StateMonitor, PopulationRateMonitor, EventMonitor)
_INPUTS = (PoissonGroup, SpikeGeneratorGroup)


@dataclass(frozen=True, repr=False)
class Explained(Shown):
    """The objects of a Brian2 script by name, and what each becomes, or why it cannot."""

    rows: tuple[tuple[str, str], ...]

    def _summary(self) -> Summary:
        return Summary(f"{len(self.rows)} objects of Brian2", [("object", "becomes"), *self.rows])


@dataclass(frozen=True, repr=False)
class Converted(Explained):
    """A network from the objects of a Brian2 script, and its input.

    Attributes
    ----------
    network
        The network, on a common clock: its only presentation is the run of the script.
    data
        Its input, as `bioae.simulate` takes it.
    rows
        The objects by name, and what each became.
    """

    network: networks.Network
    data: NDArray[np.float64]


def from_brian2(
    *objects: Any, duration: Quantity | float, namespace: Mapping[str, Any] | None = None
) -> Converted:
    """Convert the objects of a Brian2 script to a network; nothing is run.

    Groups become populations that start in their present state; synapses whose ``on_pre`` adds
    expressions of their own parameters to variables become sparse projections, with their weights
    and delays. Spike generators and Poisson groups become the input. Sums are rounded otherwise
    than in the script: weights that arrive in one step are added first.

    Parameters
    ----------
    objects
        A `brian2.Network`, or its objects; before the first run.
    duration
        The length of the run.
    namespace
        Constants by name, besides those of the objects; by default, as in Brian2, those that the
        caller sees.

    Raises
    ------
    InputError
        If an object has no meaning here.
    ModelError, NetworkError
        If a group is no neuron model, or values do not fit.
    """
    names = callers_namespace() if namespace is None else namespace
    length = float(
        number(duration / second if has_unit(duration) else duration, "duration", above=0)
    )
    return _Conversion(_single(objects), length, names).converted()


def explain(*objects: Any, namespace: Mapping[str, Any] | None = None) -> Explained:
    """List the objects of a Brian2 script, and what `from_brian2` makes of each; nothing is run.

    Parameters
    ----------
    objects, namespace
        As for `from_brian2`.
    """
    names = callers_namespace() if namespace is None else namespace
    return Explained(tuple(_Conversion(_single(objects), 1.0, names).explained()))


def _single(objects: Iterable[Any]) -> list[Any]:
    """Return objects one by one: those of a network, which has not run yet."""
    parts: list[Any] = []
    for one in objects:
        if isinstance(one, Network) and one.t_ > 0:
            raise InputError(
                "the network has run already", where=str(one.name), found=str(one.t),
                hint="Convert it before its first run",
            )  # fmt: skip
        parts += one.objects if isinstance(one, Network) else [one]
    return parts


class _Path(NamedTuple):
    """What a statement of synapses adds: a variable of the target, and a value per synapse."""

    variable: str
    values: NDArray[np.float64]


def _refuse(where: str, unusual: Iterable[str | None]) -> None:
    """Raise an InputError for what synapses may not have."""
    for what in filter(None, unusual):
        raise InputError(
            "these synapses have no meaning as a projection", where=where, found=what,
            expected="an on_pre that adds values to variables of the target",
        )  # fmt: skip


class _Conversion:
    """The conversion of some objects."""

    def __init__(self, objects: list[Any], duration: float, namespace: Mapping[str, Any]) -> None:
        self._objects, self._namespace, self.rows = objects, namespace, dict[str, str]()
        self._groups = [each for each in objects if type(each) is NeuronGroup]
        self._synapses = [each for each in objects if type(each) is Synapses]
        self._inputs = [each for each in objects if isinstance(each, _INPUTS)]
        steps = {float(each.clock.dt) for each in (*self._groups, *self._synapses, *self._inputs)}
        self.dt = min(steps, default=1.0)
        self._clocks = ", ".join(f"{each * 1e3:g} ms" for each in sorted(steps))
        self.steps = round(duration / self.dt)
        self.arrays: dict[str, NDArray[Any]] = {}
        self.projections: list[dict[str, Any]] = []

    def converted(self) -> Converted:
        """Return the network, and its input."""
        for each in self._objects:
            self._check_kind(each)
        if not self._groups:
            raise InputError("there is no NeuronGroup", where="from_brian2")
        if "," in self._clocks:
            raise InputError(
                "objects have different clocks", where="from_brian2", expected="one time step",
                found=self._clocks,
            )  # fmt: skip
        encoder, data = self._encoded()
        for synapses in self._synapses:
            self._add_synapses(synapses)
        neurons, populations = {}, []
        for group in self._groups:
            name = _name(group)
            neurons[name] = self._model(group).to_mapping()
            populations.append({"name": name, "size": len(group), "neuron": name})
        fires = "threshold" in neurons[_name(self._groups[-1])]
        config = NetworkConfig.from_mapping({
            "input_shape": list(data.shape[2:] if encoder["kind"] == "frames" else data.shape[1:]),
                "dt": readable(self.dt * second), "steps": self.steps, "clock": "common",
            "encoder": encoder, "decoder": {"kind": "count" if fires else "last"},
            "task": {"kind": "representation", "outputs": len(self._groups[-1])},
            "populations": populations, "projections": self.projections, "neurons": neurons,
            "neuron": populations[0]["neuron"],
        }, where="from_brian2")  # fmt: skip
        rows = tuple((each.name, self.rows[each.name]) for each in self._objects)
        return Converted(rows, networks.Network(config, self.arrays), data)

    def explained(self) -> Iterator[tuple[str, str]]:
        """Yield each object, and what it becomes, or why it cannot be converted."""
        steps: dict[type, Callable[[Any], object]] = {
            Synapses: self._add_synapses, NeuronGroup: lambda each: lower(self._model(each)),
            PoissonGroup: self._rates,
        }  # fmt: skip
        for each in sorted(self._objects, key=lambda each: type(each) is not Synapses):
            try:
                self._check_kind(each)
                steps.get(type(each), str)(each)
            except BioaeError as error:
                self.rows[each.name] = f"refused: {error}"
        yield from ((each.name, self.rows.get(each.name, "input")) for each in self._objects)

    def _check_kind(self, each: Any) -> None:
        if isinstance(each, _MONITORS):
            self.rows[each.name] = "nothing: results have all spikes, and states on request"
        elif type(each) not in (NeuronGroup, Synapses, *_INPUTS):
            raise InputError(
                "this object has no meaning in a network",
                where=str(getattr(each, "name", "from_brian2")), found=type(each).__name__,
                expected="groups, synapses, spike generators, Poisson groups and monitors",
            )  # fmt: skip

    def _model(self, group: NeuronGroup) -> NeuronModel:
        """Return the neuron model of a group; values that differ between neurons are arrays."""
        name, own = _name(group), dict[str, NDArray[np.float64]]()
        received = [each for each in self.projections if each["to"] == name]
        variables = [each["target"] for each in received] or [*group.user_equations.diff_eq_names]
        if not variables:
            raise InputError("the group has no variable that receives input", where=group.name)
        keys: dict[str, Any] = {"name": name, "input": variables[0], "targets": {}}
        for each in received:
            if each["target"] == variables[0]:  # the model's usual input needs no second one
                keys["weight"] = each["weight"]
                del each["target"], each["weight"]
            else:
                keys["targets"][each["target"]] = each["weight"]
        fields = fields_of(group, keys, self._namespace, own)
        self.rows[group.name] = f"population {name!r} of {len(group)} neurons"
        self.arrays |= {f"{name}.{key}": values for key, values in own.items()}
        return NeuronModel(**fields)

    # Input

    @cached_property
    def _first(self) -> dict[str, int]:
        """The place of the first neuron of each input group."""
        sizes = np.cumsum([0, *map(len, self._inputs)]).tolist()
        return {each.name: first for each, first in zip(self._inputs, sizes, strict=False)}

    def _encoded(self) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """Return the encoder of the input groups, and the data of the only presentation."""
        kinds = {type(each) for each in self._inputs}
        if len(kinds) > 1:
            raise InputError(
                "there are spike generators and Poisson groups", where="from_brian2",
                expected="one kind of input",
            )  # fmt: skip
        for each in self._inputs:
            self.rows[each.name] = f"input, neurons {self._first[each.name]} and following"
        if PoissonGroup in kinds:
            rates = np.concatenate([self._rates(each) for each in self._inputs])
            return {"kind": "bernoulli", "rate": 1.0}, (rates * self.dt)[None, None, None]
        size = max(sum(map(len, self._inputs)), 1)
        frames = np.zeros((1, self.steps, size))
        for each in self._inputs:
            step = np.rint(np.asarray(each._spike_time) / self.dt).astype(int)
            inside = step < self.steps
            neuron = self._first[each.name] + np.asarray(each._neuron_index, int)
            np.add.at(frames[0], (step[inside], neuron[inside]), 1.0)
        return {"kind": "frames"}, frames

    def _rates(self, group: PoissonGroup) -> NDArray[np.float64]:
        if isinstance(group._rates, str):
            raise InputError(
                "rates that are an expression have no meaning here", where=group.name,
                expected="a rate, or one of each neuron", found=group._rates,
            )  # fmt: skip
        return np.broadcast_to(np.asarray(group._rates, float), len(group))

    # Synapses

    def _add_synapses(self, synapses: Synapses) -> None:
        """Add the projections of synapses, one for each variable that they add to."""
        source, to = synapses.source, _name(_whole(synapses.target))
        count, made = len(synapses), []
        before = _whole(source)
        first = getattr(source, "start", 0) + self._first.get(before.name, 0)
        if get_device() is not runtime_device:
            raise InputError(
                "synapses cannot be read in standalone mode", where=str(synapses.name),
                hint="Convert them before set_device",
            )  # fmt: skip
        regular = any(type(each) is CodeRunner for each in synapses.contained_objects)
        unusual = (
            "summed variables" if synapses.summed_updaters else None,
            "differential equations" if synapses.equations.diff_eq_names else None,
            "run_regularly" if regular else None,
        )
        _refuse(str(synapses.name), unusual)
        i = np.asarray(synapses.i[:]) + first
        j = np.asarray(synapses.j[:]) + getattr(synapses.target, "start", 0)
        for pathway in synapses._pathways if count else ():
            for path in self._paths(synapses, pathway):
                taken = {each["name"] for each in self.projections}
                names = (f"{_name(synapses)}_{n}" for n in itertools.count(2))
                name = next(n for n in itertools.chain([_name(synapses)], names) if n not in taken)
                key = f"{to}.{name}"
                unit = unit_name(get_dimensions(getattr(_whole(synapses.target), path.variable)))
                self.projections.append({
                    "from": ENCODER if before in self._inputs else _name(before), "to": to,
                    "name": name, "kind": "sparse", "synapses": count, "autapses": True,
                    "target": path.variable, "weight": f"1*{unit}" if unit != "1" else "1",
                    "delay": self._delay(pathway, key),
                })  # fmt: skip
                self.arrays |= {key: path.values, f"{key}_source": i, f"{key}_target": j}
                made.append(key)
        text = f"projection {', '.join(made)}" if made else "nothing"
        self.rows[synapses.name] = f"{text}, of {count:,} synapses"

    def _delay(self, pathway: Any, key: str) -> Any:
        """Return the delay of a pathway; single ones are an array."""
        delays = np.asarray(pathway.variables["delay"].get_value(), float).ravel()
        steps = np.rint(delays / self.dt).astype(int)
        if not steps.any():
            return None
        ends = [f"{int(each) * self.dt!r}*second" for each in (steps.min(), steps.max())]
        if ends[0] == ends[1]:
            return ends[0]
        self.arrays[f"{key}_delay"] = steps * self.dt
        return ends

    def _paths(self, synapses: Synapses, pathway: Any) -> Iterator[_Path]:
        """Yield what each statement of a pathway adds."""
        where = f"{synapses.name}.{pathway.objname}"
        unusual = (
            "on_post" if pathway.prepost != "pre" else None,
            f"event {pathway.event}" if pathway.event != "spike" else None,
            "when or order" if (pathway.when, pathway.order) != ("synapses", -1) else None,
        )
        _refuse(where, unusual)
        lines = "\n".join(line.strip() for line in pathway.code.splitlines())
        for statement in ast.parse(lines).body:
            yield self._path(synapses, statement, where)

    def _path(self, synapses: Synapses, statement: ast.stmt, where: str) -> _Path:
        match statement:
            case ast.AugAssign(ast.Name(target), ast.Add() | ast.Sub() as sign, value):
                variable = target.removesuffix("_post")
            case _:
                target = variable = ""
        group = _whole(synapses.target)
        known = variable in group.user_equations and target not in synapses.equations
        if not known or target.endswith("_pre"):
            raise InputError(
                "this statement has no meaning here", where=where, found=ast.unparse(statement),
                expected="VARIABLE += EXPRESSION, for a variable of the target",
            )  # fmt: skip
        added = self._values(synapses, ast.unparse(value), where)
        return _Path(variable, -added if isinstance(sign, ast.Sub) else added)

    def _values(self, synapses: Synapses, text: str, where: str) -> NDArray[np.float64]:
        """Return the values of an expression (synapse), in base units."""
        expression = Expression(text)
        namespace = {**self._namespace, **(synapses.namespace or {})}
        values: dict[str, Any] = {"dt": self.dt}
        for name in expression.names - DEFAULT_FUNCTIONS.keys():
            own = synapses.equations.get(name)
            if own is not None and own.expr is None:
                values[name] = np.asarray(synapses.variables[name].get_value(), float)
            elif name in namespace and np.ndim(namespace[name]) == 0:
                values[name] = float(namespace[name])
            elif name in synapses.variables and not name.endswith(("_pre", "_post")):
                values[name] = np.asarray(synapses.variables[name].get_value())
            elif name not in values:
                raise InputError(
                    "synapses add what is no parameter of theirs", where=where, found=name,
                    expected="their parameters, and constants",
                )  # fmt: skip
        found = compile_expression(expression, array_functions(np))(values)
        return np.array(np.broadcast_to(found, len(synapses)), np.float64)


def _whole(group: Any) -> Any:
    """Return the group of a subgroup."""
    return getattr(group, "source", group) if type(group).__name__ == "Subgroup" else group


def _name(part: Any) -> str:
    """Return an object's name as that of a population or a projection."""
    name = re.sub(r"[^a-z0-9]+", "_", str(part.name).lower()).strip("_")
    if not re.match("[a-z]", name):
        raise NetworkError("this name does not begin with a letter", where=str(part.name))
    return name
