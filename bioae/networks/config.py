"""The description of a network: its layers, its encoder and decoder, its timing."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal, get_args

from pydantic import ValidationError, model_validator

from bioae.checks import instance
from bioae.equations.expressions import Expression
from bioae.equations.library import is_neuron, load_neuron, load_synapse
from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import NetworkError, describe
from bioae.networks.description import NetworkDescription
from bioae.networks.encoders import Encoder
from bioae.networks.graph import Projection
from bioae.networks.layer_base import ENCODER, PopulationBase, Shape
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.placed_models import fitted
from bioae.networks.placing import check_graph, places
from bioae.networks.schedule import SCHEDULES, Timing
from bioae.showing import Shown, Summary

#: The rounding error of the steps of a point.
_ROUNDING = 1e-6


def presets() -> tuple[str, ...]:
    """Return the names of the shipped networks."""
    folder = files("bioae") / "networks"
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if ".toml" in f.name)
    )


class NetworkConfig(Shown, NetworkDescription):
    """The description of a network: its task, its layers, its encoder and decoder, its timing.

    Raises
    ------
    NetworkError
        If a key is unknown, or the layers do not fit together.
    """

    @model_validator(mode="after")
    def _consistent(self) -> NetworkConfig:
        self._check_encoder()
        if bool(self.layers) == bool(self.populations) or (self.layers and self.projections):
            raise ValueError("expected either `layers`, or `populations` and `projections`")
        if self.carry_over and self.clock != "common":
            raise ValueError('carry_over needs clock = "common": on a staggered one, spikes under '
                             "way at the end of a window have no step in the next")  # fmt: skip
        if self.rest is not None and not self.carry_over:
            raise ValueError("rest needs carry_over = true: presentations begin with a reset")
        names = [each.name for each in self.members]
        twice = {name for name in names if names.count(name) > 1 or name == "input"}
        if twice:
            raise ValueError(f"the name {min(twice)!r} is already used")
        if self.latent is not None and self.latent not in names:
            raise ValueError(f"the latent layer {self.latent!r} is not one of {', '.join(names)}")
        for name in self.neurons:  # those that no layer uses, too
            self.model(name)
        for name in self.synapses:
            self.synapse(name)
        outputs = self.decoder.outputs(math.prod(self._checked_shape()))
        if self.task.in_time != self.decoder.in_time:
            each = {True: "an output for each step", False: "one output for a presentation"}
            raise ValueError(
                f"the task {self.task.kind!r} has {each[self.task.in_time]}, the decoder "
                f"{self.decoder.kind!r} gives {each[self.decoder.in_time]}"
            )
        if self.in_time and self.task.target == "images":
            raise ValueError(
                f"the task {self.task.kind!r} is of images, and input_shape = "
                f"{list(self.input_shape)} for signals: choose another kind in [task]"
            )
        self.task.check_size(outputs, self.input_shape)
        self.task.points(self.steps)
        return self

    def _checked_shape(self) -> Shape:
        """Return the shape of the last layer; check that all layers fit together (ValueError)."""
        shape = self.encoded_shape
        if self.populations:
            check_graph(self.populations, self.projections, shape)
            return self.populations[-1].neurons
        for layer in self.layers:
            try:
                weights = math.prod(layer.weight_shape(shape))
                shape = layer.output_shape(shape)
                neurons = math.prod(shape)
                _check_indices(max(weights, neurons**2 if layer.recurrent else neurons))
            except ValueError as error:
                raise ValueError(f"layer {layer.name!r}: {error}") from None
        return shape

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**_with_names(values, "NetworkConfig"))
        except ValidationError as error:
            raise NetworkError(**describe(error, type(self)), where="NetworkConfig") from None

    # pydantic validates tables by itself: only direct calls have the errors of `__init__`.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_mapping(
        cls, values: Mapping[str, Any], *, where: str = "the network"
    ) -> NetworkConfig:
        """Build a description from a parsed file; ``preset`` names a shipped one to change.

        In Python, the ``neuron`` of the network, a layer or a population may also be a model, or a
        Brian2 `NeuronGroup`.

        Raises
        ------
        NetworkError
            If a key is unknown, a value is out of bounds, or the layers do not fit together.
        """
        hint = "Parse a file first: tomllib.loads(Path(file).read_text())"
        instance(values, "the description", Mapping, hint=hint, error=NetworkError)
        values = dict(values)
        preset = values.pop("preset", None)
        if preset is not None:
            if not isinstance(preset, str) or preset not in presets():
                expected = f"one of {', '.join(presets())}"
                raise NetworkError(f"unknown network {preset!r}", where=where, expected=expected)
            text = (files("bioae") / "networks" / f"{preset}.toml").read_text(encoding="utf-8")
            if values.get("populations"):  # in place of the layers
                values = {"layers": (), **values}
            values = {**tomllib.loads(text), **values}
        try:
            return cls.model_validate(_with_names(values, where))
        except ValidationError as error:
            raise NetworkError(**describe(error, cls), where=where) from None

    @classmethod
    def preset(cls, name: str, **changes: Any) -> NetworkConfig:
        """Return a shipped network, with some keys changed.

        Raises
        ------
        NetworkError
            If there is none of that name, or the changes do not fit.
        """
        return cls.from_mapping({"preset": name, **changes}, where=f"the network {name!r}")

    def _summary(self) -> Summary:
        neurons = sum(each.size for each in self.placed)
        heading = (
            f"NetworkConfig: {self.task.kind}, {neurons:,} neurons, {self.steps} steps of "
            f"{self.dt}, input {' x '.join(map(str, self.input_shape))} ({self.encoder.kind}), "
            f"output by {self.decoder.kind}"
        )
        second = "from" if self.populations else "kind"
        rows: list[tuple[str, ...]] = [("layer", second, "shape", "neuron")]
        for placed in self.placed:
            shape = " x ".join(map(str, placed.shape))
            latent = " (latent)" if placed.name == self.latent else ""
            sources = ", ".join(dict.fromkeys(each.source for each in placed.projections))
            kind = sources if self.populations else placed.kind
            rows.append((f"{placed.name}{latent}", kind, shape, placed.model.name))
        return Summary(heading, rows)

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables of the description, as in a file; `from_mapping` reads them."""
        return self.model_dump(mode="json", exclude_none=True)

    def model(self, name: str) -> NeuronModel:
        """Return a neuron model of the network, a shipped one, or one from a file (ModelError)."""
        if name in self.neurons:
            return NeuronModel.from_mapping(name, self.neurons[name], where=f"[neurons.{name}]")
        return load_neuron(name)

    def synapse(self, name: str) -> SynapseModel:
        """Return a synapse model of the network, a shipped one, or one from a file (ModelError)."""
        if name in self.synapses:
            where = f"[synapses.{name}]"
            return SynapseModel.from_mapping(name, self.synapses[name], where=where)
        return load_synapse(name)

    def models_elsewhere(self) -> list[tuple[str, str]]:
        """Return the models that are not part of the description, by kind (neuron, synapse)."""
        tables: list[PopulationBase | Projection] = [*self.members, *self.projections]
        used = {(kind, name) for each in tables for _, kind, name in self._used(each)}
        return sorted(each for each in used if each[1] not in getattr(self, f"{each[0]}s"))

    def self_contained(self) -> NetworkConfig:
        """Return the same description, with the full text of every model in it.

        Raises
        ------
        NetworkError
            If two different models have one name.
        """
        models: dict[str, dict[str, NeuronModel | SynapseModel]] = {"neuron": {}, "synapse": {}}
        tables: dict[str, list[Any]] = {"layers": [], "populations": [], "projections": []}
        for table, each in ((name, each) for name in tables for each in getattr(self, name)):
            names = {}
            for key, kind, name in self._used(each):
                model = self.model(name) if kind == "neuron" else self.synapse(name)
                names[key] = model.name
                if models[kind].setdefault(model.name, model) != model:
                    raise NetworkError(
                        f"two different {kind} models are called {model.name!r}",
                        where=f"layer {each.name!r}", hint="Rename one of their files",
                    )  # fmt: skip
            tables[table].append(each.model_copy(update=names))
        default = self.model(self.neuron).name
        texts = {
            f"{kind}s": {name: model.to_mapping() for name, model in known.items()}
            for kind, known in models.items()
        }
        first = (tables["layers"] or tables["populations"])[0]
        neuron = default if default in texts["neurons"] else first.neuron
        return self.varied(neuron=neuron, **texts, **{k: tuple(v) for k, v in tables.items()})

    def with_members(self, members: Iterable[PopulationBase], **changes: Any) -> NetworkConfig:
        """Return the description with other `members`."""
        key = "layers" if self.layers else "populations"
        return self.varied(**{key: tuple(members)}, **changes)

    def with_delays(self, delays: Mapping[str, str]) -> NetworkConfig:
        """Return the description with other delays of projections.

        Parameters
        ----------
        delays
            Times such as ``"2*ms"``, by the name of the weights (``LAYER.weight``).

        Raises
        ------
        NetworkError
            If there is no such projection.
        """
        known = [each.name for placed in self.placed for each in placed.projections]
        for name in delays:
            if name not in known:
                raise NetworkError(
                    f"no projection is called {name!r}", where="delays",
                    expected=f"one of {', '.join(known)}",
                )  # fmt: skip

        def changed(table: Any, keys: Mapping[str, str]) -> Any:
            new = {key: delays[name] for key, name in keys.items() if name in delays}
            return table.model_copy(update=new)

        return self.varied(
            layers=tuple(
                changed(each, {"delay": f"{n}.weight", "recurrent_delay": f"{n}.recurrent"})
                for each in self.layers
                for n in [each.name]
            ),
            projections=tuple(changed(each, {"delay": each.key}) for each in self.projections),
        )

    def _used(self, table: PopulationBase | Projection) -> Iterator[tuple[str, str, str]]:
        """Yield the key, the kind and the name of each model of a layer or a projection."""
        if isinstance(table, PopulationBase):
            yield "neuron", "neuron", table.neuron or self.neuron
            yield "readout", "neuron", table.readout
        for key in ("synapse", "recurrent_synapse"):
            if (name := getattr(table, key, None)) is not None:
                yield key, "synapse", name

    def varied(self, **changes: Any) -> NetworkConfig:
        """Return the description with some fields changed and validated."""
        # Not `model_copy`, which would also copy properties computed from the old fields.
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return self.from_mapping({**fields, **changes}, where="the network")

    @property
    def in_time(self) -> bool:
        """True if the network receives signals, which vary in time, and not images."""
        return len(self.input_shape) == 1

    @property
    def driven(self) -> bool:
        """True if a population receives input."""
        return any(each.source == ENCODER for placed in self.placed for each in placed.projections)

    @property
    def data_shape(self) -> Shape:
        """The shape of an example: (channel, y, x), or (point, channel) of a signal."""
        return (self.points, *self.input_shape) if self.in_time else self.input_shape

    @property
    def points(self) -> int:
        """The number of points in time of a signal."""
        return self.encoder.points(self.steps)

    @property
    def point_steps(self) -> int:
        """The steps that every point in time of signals and targets is a multiple of.

        0 where neither varies in time.
        """
        points = [self.points] if self.in_time else []
        points += [self.task.points(self.steps)] if self.task.in_time else []
        return math.gcd(*(self.steps // each for each in points))

    def parts_of_step(self, dt: float) -> Fraction:
        """Return the number of steps of `dt` seconds that replace one step of the network.

        It is 1 where input and targets are constant in time: steps then have no duration.

        Raises
        ------
        NetworkError
            If a point in time would not last a whole number of steps.
        """
        point = self.point_steps
        if not point:
            return Fraction(1)
        steps = point * self.dt_seconds / dt
        if not round(steps) or abs(steps - round(steps)) > _ROUNDING * steps:
            raise NetworkError(
                "the time step does not fit the points in time", where="dt",
                expected=f"{point * self.dt_seconds * 1e3:g} ms, which each point lasts, divided "
                "by a whole number",
                found=f"{dt * 1e3:g} ms",
            )  # fmt: skip
        return Fraction(round(steps), point)

    def in_other_steps(self, parts: Fraction, *, dt: str) -> NetworkConfig:
        """Return the description with each step divided into `parts` steps of `dt`.

        Presentations and points in time last as long as before, and the input per millisecond
        stays the same, if biases are divided by `parts`.

        Parameters
        ----------
        parts
            The number of new steps per step: a fraction below 1 for longer steps, by which all
            numbers of steps are divisible.
        dt
            The new time step.

        """
        return self.with_members(
            (_in_other_steps(placed, parts) for placed in self.placed),
            dt=dt,
            steps=int(self.steps * parts),
            encoder=self.encoder.in_finer_steps(parts),
            decoder=self.decoder.in_finer_steps(parts, default_scale=self.default_scale),
            task=self.task.in_finer_steps(parts),
            projections=tuple(self._in_other_steps(each, parts) for each in self.projections),
        )

    def _in_other_steps(self, projection: Projection, parts: Fraction) -> Projection:
        """Return a projection that adds as much to its target in steps of another length."""
        placed = next(each for each in self.placed if each.name == projection.to)
        unit = placed.model.targets.get(projection.target or "", "")
        if "dt" not in Expression(unit or "1").names:
            return projection
        return projection.model_copy(update={"weight": f"{parts}*({unit})"})

    @property
    def output_shape(self) -> Shape:
        """The shape of the decoded output for one example, as the task defines it."""
        return self.task.output_shape(self.input_shape, self.steps)

    @property
    def default_scale(self) -> float:
        """The divisor of the output where the decoder has no `scale`."""
        return self.task.default_scale(self.encoder.mean_drive(self.steps))

    @cached_property
    def noisy(self) -> bool:
        """True if presentations of one example differ: the encoder or a neuron model draws."""
        programs = [placed.program for placed in self.placed]
        if self.decoder.reads_potential:
            programs.append(self.placed[-1].readout_program)
        return self.encoder.draws or any(program.draws for program in programs)

    @cached_property
    def timing(self) -> Timing:
        """The steps of presentations."""
        schedule = SCHEDULES[self.schedule]
        if self.clock == "common":
            schedule = replace(schedule, lead_in=0)
        return Timing(schedule, self.steps, self._rest_steps, self.carry_over)

    @property
    def decoding_slot(self) -> Literal["after_groups", "end"]:
        """The slot in which U is read: at the end of a step, unless outputs would precede input.

        With a lead-in the input of the next step has arrived there.
        """
        early = self.decoder.in_time and self.timing.schedule.lead_in
        return "after_groups" if early else "end"

    @property
    def _rest_steps(self) -> int:
        from bioae.equations.quantities import time_in_seconds

        if self.rest is None:
            return 0
        rest = time_in_seconds(self.rest, where="network, rest", error=NetworkError)
        if (steps := round(rest / self.dt_seconds)) < 1:
            raise NetworkError(
                "the rest is shorter than a time step", where="network, rest",
                expected=f"at least {self.dt}", found=self.rest,
            )  # fmt: skip
        return steps

    @cached_property
    def placed(self) -> tuple[PlacedLayer, ...]:
        """The layers, each with its place in the network."""
        return tuple(
            PlacedLayer(layer, number, depth, shape, *fitted(self, layer, shape, received))
            for layer, number, depth, shape, received in places(self)
        )

    @property
    def depth(self) -> int:
        """The greatest depth of a layer."""
        return max(each.depth for each in self.placed)

    def _check_encoder(self) -> None:
        kind, shape, fitting = self.encoder.kind, self.input_shape, _encoders(signals=self.in_time)
        if kind not in fitting:
            found, wanted = ("signals", "images") if self.in_time else ("images", "signals")
            raise ValueError(
                f"the encoder {kind!r} is for {wanted}, input_shape = {list(shape)} is of {found}; "
                f"expected one of {', '.join(fitting)}"
            )
        if self.in_time:
            _ = self.points
        _check_indices(math.prod(self.encoded_shape))


def _encoders(*, signals: bool) -> list[str]:
    """Return the kinds of encoders of signals, or of images."""
    every = get_args(get_args(Encoder)[0])
    fitting = (each for each in every if (each.in_time if signals else each.of_images))
    return [each.model_fields["kind"].default for each in fitting]


def _check_indices(number: int) -> None:
    if number >= 2**31:
        raise ValueError(f"{number:,} neurons or weights, which indices of 32 bits cannot count")


def _in_other_steps(placed: PlacedLayer, parts: Fraction) -> PopulationBase:
    """Return a layer whose spikes add as much in steps of another length."""
    named = ["dt" in Expression(amount).names for amount in placed.model.received.values()]
    layer = placed.layer
    if not any(named):
        return layer
    if not all(named):
        raise NetworkError(
            "some of the inputs of a neuron model depend on dt and others do not",
            where=f"layer {placed.name!r}",
            hint="Write dt in all amounts of `weight` and `inputs`, or in none",
        )
    return layer.model_copy(update={"weight": f"{parts}*({placed.model.weight})"})


def _with_names(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a network's fields with names in place of neuron models, and the texts of these."""
    texts = values.get("neurons", {})
    if not isinstance(texts, Mapping):  # which is refused with the other fields
        return {**values}
    texts = {**texts}

    def named(fields: Mapping[str, Any]) -> dict[str, Any]:
        given = {key: fields.get(key) for key in ("neuron", "readout")}
        models = {key: load_neuron(each) for key, each in given.items() if is_neuron(each)}
        for model in models.values():
            if texts.setdefault(model.name, model.to_mapping()) != model.to_mapping():
                raise NetworkError(
                    f"two different neuron models are called {model.name!r}", where=where,
                    hint='Name them: NeuronModel.from_brian2(group, name="...")',
                )  # fmt: skip
        return {**fields, **{key: model.name for key, model in models.items()}}

    values = named(values)
    for key in ("layers", "populations"):
        if isinstance(tables := values.get(key), list | tuple):
            values[key] = [named(each) if isinstance(each, Mapping) else each for each in tables]
    return values | ({"neurons": texts} if texts else {})
