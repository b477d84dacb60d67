"""Networks: a description and its weights, and the changes that experiments make to them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import second
from brian2.units.fundamentalunits import Quantity
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from bioae.checks import array, instance, number, one_of, whole
from bioae.equations.arrays.functions import rounded
from bioae.equations.library import NeuronLike, available, load_neuron
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError, NetworkError, describe, shortened
from bioae.networks.arrays import FrozenArrays, check_arrays
from bioae.networks.config import NetworkConfig
from bioae.networks.graph import Population, Projection
from bioae.networks.initial import draw_parameters, initial_arrays
from bioae.networks.inputs import Steps, check_variation, in_steps
from bioae.networks.layer_base import Background, as_text
from bioae.networks.own_parameters import check_own, own_parameters, own_texts, settings
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import random_start, starting_state
from bioae.random import check_key
from bioae.showing import Shown, Summary
from bioae.units import has_unit

if TYPE_CHECKING:
    from bioae.responses.calibration import Calibration

#: The neuron models, with time steps, that were looked at, and the warnings that were given.
_SEEN: set[tuple[str, str]] = set()
_WARNED: set[str] = set()


@dataclass(frozen=True, repr=False, eq=False)
class Network(Shown):
    """A network: its description and its weights.

    Every method that changes something returns another network, and raises NetworkError if the
    change does not fit. Arrays cannot be changed in place.

    Parameters
    ----------
    config
        The description.
    weights
        Arrays by name. ``LAYER.weight`` and ``LAYER.recurrent``: weights (target, source) in
        PyTorch's order. ``LAYER.bias``: biases (channel) or (neuron). ``LAYER.weight_delay`` and
        ``LAYER.recurrent_delay``: delays in seconds, where each connection has its own.
        ``LAYER.PARAMETER``: any constant parameter of the layer's neuron model that replaces the
        model's value, in base units, one value or one per neuron; those that are random in the
        model's file are drawn with seed 0 if they are missing. ``LAYER.readout.PARAMETER``: one
        that the read-out does not share with the neuron. ``LAYER.weight_VARIABLE`` and
        ``LAYER.recurrent_VARIABLE``: what a persistent variable of the synapse model has learned,
        or, in the order of a script, the values from which a variable starts.
        ``LAYER.weight_connected`` and ``LAYER.recurrent_connected``: 1 for connections that exist,
        0 for others, where the synapse model changes them.
    spread
        Coefficients of variation that `Network.with_spread` gave to parameters, by name. They
        describe how some of the weights were made; nothing depends on them, and an artefact does
        not store them.

    Raises
    ------
    NetworkError
        If an array is missing, unknown, not finite or of the wrong shape.
    """

    config: NetworkConfig
    weights: Mapping[str, NDArray[np.floating]] = field(repr=False)
    spread: Mapping[str, float] = field(
        default_factory=dict, kw_only=True, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        instance(self.config, "the description", NetworkConfig, error=NetworkError)
        instance(self.weights, "weights", Mapping, error=NetworkError)
        drawn = self._random_parameters(0)
        if drawn.keys() - self.weights.keys():
            object.__setattr__(self, "weights", {**drawn, **self.weights})
        check_arrays(self.config.placed, self.weights)
        for placed in self.config.placed:
            self.delays(placed)  # refuses those that do not fit
        object.__setattr__(self, "weights", FrozenArrays(self.weights))

    @classmethod
    def initialise(cls, config: NetworkConfig, *, seed: int = 0) -> Network:
        """Return a network with random weights; each array has a separate stream of random numbers.

        Biases are 0. Where a rule exchanges connections, those that exist are drawn too.

        Parameters
        ----------
        config
            The network's description.
        seed
            The seed of the weights.

        Raises
        ------
        NetworkError
            If it is no description.
        """
        hint = "Make one of tables by NetworkConfig.from_mapping"
        instance(config, "the description", NetworkConfig, hint=hint, error=NetworkError)
        weights: dict[str, NDArray[np.float64]] = {}
        for placed in config.placed:
            weights |= initial_arrays(placed, seed, dt=config.dt_seconds)
            weights |= random_start(placed, seed)
        _warn_of_models(config)
        return cls(config, weights)

    def with_random_parameters(self, seed: int) -> Network:
        """Return the network with new draws of the parameters that are random in neuron files.

        `initialise` draws them with the seed of the weights; a network made without them, or given
        another neuron model, draws them with seed 0. Trained weights are unchanged.
        """
        check_key(seed, "seed")
        return replace(self, weights={**self.weights, **self._random_parameters(seed)})

    def _random_parameters(self, seed: int) -> dict[str, NDArray[np.float64]]:
        drawn: dict[str, NDArray[np.float64]] = {}
        for placed in self.config.placed:
            drawn |= placed.random_parameters(seed)
        return drawn

    def quantised(self, bits: int = 12) -> Network:
        """Return the network with its weights and biases rounded to multiples of ``2**-bits``.

        Sums of such weights are exact in any order, so all targets agree to the last bit.
        """
        bits = whole(bits, "bits", most=60)
        names = (n for each in self.config.placed for n in (*each.weight_shapes, *each.bias_shapes))
        on_grid = {name: rounded(self.weights[name], bits) for name in names}
        return replace(self, weights={**self.weights, **on_grid})

    def connection_weights(self, placed: PlacedLayer) -> dict[str, NDArray[np.floating]]:
        """Return the weights of a layer's connections by name, fixed ones included."""
        known = {**self.weights, **placed.fixed_weights}
        return {name: known[name] for name in placed.delays}

    def biases(self, placed: PlacedLayer) -> NDArray[np.floating] | None:
        """Return the biases of a layer's neurons (neuron), or None if it has none."""
        for name in placed.bias_shapes:
            biases = self.weights[name]
            return np.repeat(biases, placed.size // len(biases))
        return None

    def delays(self, placed: PlacedLayer) -> dict[str, Steps]:
        """Return the delays of a layer's connections in steps, by the name of their weights.

        They are rounded here, once, for all targets: a scalar array where all connections share
        one delay, else an array of the shape of the weights.
        """
        steps = {}
        for name, delay in placed.delays.items():
            own = f"{name}_delay"
            steps[name] = in_steps(
                self.weights[own] if isinstance(delay, tuple) else delay or 0.0,
                dt=self.config.dt_seconds, steps=self.config.steps, where=f"the array {own!r}",
            )  # fmt: skip
        return steps

    def in_units(self, name: str) -> Quantity:
        """Return the weights of a projection times what a weight of 1 adds, with its unit.

        In the order of `weights`; of a network from a Brian2 script that of its synapses.

        Raises
        ------
        NetworkError
            If there are no such weights, they learn by a synapse model, or what a weight of 1 adds
            differs between neurons.
        """
        from bioae.equations.declarations import parameter_values
        from bioae.equations.quantities import evaluate

        found = {each.name: (placed, each) for placed in self.config.placed
                 for each in placed.projections
                 if each.synapse is None and each.fixed is None}  # fmt: skip
        one_of(name, "the name of a projection that does not learn", [*found], error=NetworkError)
        placed, projection = found[name]
        model, target, own = placed.model, projection.target, self.parameters(placed)
        names = {"dt": Quantity(self.config.dt_seconds, dim=second.dim)} | {
            key: Quantity(own.get(key, each), dim=each.dim)
            for key, each in parameter_values(model).items()
            if not np.ndim(own.get(key, each))
        }
        unit, where = model.weight if target is None else model.targets[target], f"{name}, weight"
        return self.weights[name] * evaluate(unit, names, where=where, error=NetworkError)

    def parameters(self, placed: PlacedLayer, *, readout: bool = False) -> dict[str, NDArray[Any]]:
        """Return a layer's parameters in base units: scalars, or (neuron) arrays.

        Parameters
        ----------
        placed
            The layer.
        readout
            Whether to return those of its read-out model.
        """
        from bioae.equations.arrays.start import default_parameters

        values = default_parameters(placed.readout_program if readout else placed.program)
        for prefix in ("", "readout.") if readout else ("",):
            for name in values:
                own = f"{placed.name}.{prefix}{name}"
                if readout and not prefix and name not in placed.shared_parameters:
                    continue
                if own in self.weights and own not in placed.array_shapes:
                    values[name] = np.asarray(self.weights[own], np.float64)
        return values

    def learner(self, normalised: Collection[str] = ()) -> Network:
        """Return the network at the start of learning.

        Weights are on the grid of weights that learn, and persistent variables have arrays: those
        of the network, or else their initial values in the model. Weights may begin outside the
        bounds of their rule if their names are `normalised`.
        """
        arrays = dict(self.weights)
        for placed in self.config.placed:
            for variable, name in placed.persistent.items():
                arrays[name] = self.parameters(placed)[placed.model.initial[variable]]
        dt = self.config.dt_seconds
        state = starting_state(self.config.placed, arrays, dt=dt, normalised=normalised)
        return self.with_weights(state.arrays)

    def synapse_counts(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Count the synapses that each layer receives, by source neuron.

        Connections that do not exist do not count, where a rule exchanges them.

        Returns
        -------
        dict
            For each layer, by the name of the source, another layer, itself or ``input``: the
            synapses from each neuron of the source (source). `bioae.analysis.operations` takes
            them.
        """
        counts: dict[str, dict[str, NDArray[np.int64]]] = {}
        for placed in self.config.placed:
            received = counts.setdefault(placed.name, {})
            for each in placed.projections:
                mask = self.weights.get(placed.connections.get(each.name, ""))
                found = each.fan_out(self.weights) if mask is None else mask.sum(0).astype(np.int64)
                received[each.source] = received.get(each.source, 0) + found
        return counts

    def described(self) -> dict[str, str]:
        """Return the attributes of a result that describe the network."""
        # Without the parameters of layers, which are a separate attribute.
        files = [
            self.config.model(each.neuron or self.config.neuron) for each in self.config.members
        ]
        models = {model.name: model for model in files}
        spread = self.spread_text
        return {
            "neuron_model": "\n".join(model.to_toml() for model in models.values()),
            "network_sha256": self.sha256,
            **settings(self.config.placed, self.weights),
            **({"spread": spread} if spread else {}),
        }

    @property
    def spread_text(self) -> str:
        """The coefficients of variation of its parameters, as results store them."""
        return ", ".join(f"{name}={variation:g}" for name, variation in self.spread.items())

    def _summary(self) -> Summary:
        count = sum(values.size for values in self.weights.values())
        heading, (head, *rows) = self.config._summary()
        table = [head]
        for row, placed in zip(rows, self.config.placed, strict=True):
            # What was trained or replaced: the models' files have other values.
            own = own_texts(placed, self.weights)
            table += [row, *(("",) * (len(row) - 1) + (text,) for text in own)]
        heading = heading.replace("NetworkConfig", "Network")
        return Summary(f"{heading}, {count:,} numbers", table)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the description and the weights."""
        digest = hashlib.sha256()
        config = self.config.self_contained().to_mapping()
        digest.update(json.dumps(config, sort_keys=True).encode())
        for name in sorted(self.weights):
            values = np.ascontiguousarray(self.weights[name], dtype=np.float64)
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def with_neuron(
        self,
        neuron: NeuronLike,
        *,
        calibrate: Calibration | Mapping[str, float] = "rate",
        layers: Collection[str] | None = None,
        copy: bool = True,
        **keys: Any,
    ) -> Network:
        """Return the network with another neuron model in its layers, its weights unchanged.

        A model that needs a smaller time step gets it: presentations last as long as before, with
        the same total input. Decoding is unchanged: read-outs keep the parameters that they had
        from the former neurons.

        Parameters
        ----------
        neuron
            A shipped model's name, the path of a TOML file, a model, or a Brian2 `NeuronGroup`.
        calibrate
            The scaling of the model's unit of weight, layer by layer: a method of
            `bioae.responses.calibration.calibrate`, or the factors themselves, by layer.
        layers
            The layers that get it; by default all that can fire. Read-outs, whose neurons have no
            threshold, keep their model.
        copy
            Whether neurons keep the values of parameters, trained or set in their layer, that the
            model has too, by name and unit; otherwise all values are those of the model.
        keys
            Of a group, as for `NeuronModel.from_brian2`: ``input="I"``, ``weight=1*nA``.

        Raises
        ------
        InputError
            If there is no such calibration.
        ModelError
            If there is no such model, or it cannot be calibrated.
        NetworkError
            If there is no such layer, or no layer fires and none is named.
        """
        model = load_neuron(neuron, **keys)
        chosen = self._changed_layers(model, layers)
        if not isinstance(calibrate, Mapping):
            calibrate = self.calibration_factors(model, calibrate, copy=copy)
        factors: dict[str, float] = {}
        for name, placed in chosen.items():
            # Nothing depends on the rate of a neuron that never fires.
            factor = calibrate.get(name, None if placed.can_fire else 1.0)
            where = f"the factor of layer {name!r}"
            factors[name] = number(factor, where, above=0, error=NetworkError)
        finer = self.with_dt_of(model)
        config = finer.config.with_members(
            (
                layer.model_copy(
                    update={
                        "neuron": model.name,
                        "parameters": {},
                        "spread": {},
                        **({"initial": {}} if isinstance(layer, Population) else {}),
                        "weight": _times(factors[layer.name], model.weight),
                    }
                    if layer.name in chosen
                    else {"neuron": layer.neuron or finer.config.neuron}
                )
                for layer in finer.config.members
            ),
            neuron=model.name,
            neurons={**finer.config.neurons, model.name: model.to_mapping()},
            projections=tuple(_adapted(x, model, factors) for x in finer.config.projections),
        )
        names = {
            name
            for placed in config.placed
            for name in (*placed.array_shapes, *placed.slots, *placed.start_shapes)
            if name not in placed.persistent.values()
        }
        weights = {
            name: values
            for name, values in finer.weights.items()
            # Parameters belong to the model, which the other layers keep.
            if name in names or name.partition(".")[0] not in chosen
        }
        kept: set[str] = set()
        for before, after in zip(finer.config.placed, config.placed, strict=True):
            if after.name not in chosen:
                kept |= after.program.parameters.keys()
                continue
            weights |= finer._former_readout(before, after)
            common = finer._common_values(before, model) if copy else {}
            weights |= {f"{after.name}.{name}": values for name, values in common.items()}
            kept |= common.keys()
        spread = {name: variation for name, variation in self.spread.items() if name in kept}
        _warn_of_models(config)
        return replace(self, config=config, weights=weights, spread=spread)

    def calibration_factors(
        self, neuron: NeuronLike, by: Calibration = "rate", *, copy: bool = True
    ) -> dict[str, float]:
        """Return the factors by which `with_neuron` scales a model's unit of weight, by layer.

        Layers that cannot fire have none.

        Parameters
        ----------
        neuron
            The model that is to replace those of the layers.
        by
            A method of `bioae.responses.calibration.calibrate`. Each layer is calibrated with its
            own trained parameters, or their mean where each neuron has its own. Responses last
            one presentation.
        copy
            As for `with_neuron`.

        Raises
        ------
        InputError
            If there is no such method.
        ModelError
            If there is no such model, or it cannot be calibrated.
        """
        from bioae.responses.calibration import CALIBRATIONS, calibrate

        one_of(by, "the calibration", CALIBRATIONS)
        model = load_neuron(neuron)
        config, finer = self.config, self.with_dt_of(model).config
        known: dict[Any, float] = {}
        factors = {}
        for placed in config.placed:
            if not placed.can_fire:
                continue
            parameters = {n: float(v.mean()) for n, v in self.parameters(placed).items()}
            common = self._common_values(placed, model) if copy else {}
            key = (placed.model.model_dump_json(), *parameters.items(), *common)
            if key not in known:
                known[key] = calibrate(
                    placed.model,
                    model,
                    dt=config.dt,
                    target_dt=finer.dt,
                    by=by,
                    duration=f"{config.steps}*({config.dt})",
                    schedule=config.schedule,
                    source_parameters=parameters,
                    target_parameters={name: parameters[name] for name in common},
                )
            factors[placed.name] = known[key]
        return factors

    def with_dt_of(self, neuron: NeuronLike) -> Network:
        """Return the network with a time step that is short enough for a neuron model."""
        from bioae.equations.quantities import time_in_seconds

        model = load_neuron(neuron)
        if model.dt is None:
            return self
        largest = time_in_seconds(model.dt, where=f"{model.name}.toml, dt", error=ModelError)
        return self.in_finer_steps(math.ceil(self.config.dt_seconds / largest - 1e-9))

    def in_finer_steps(self, parts: int) -> Network:
        """Return the network with each time step divided into parts.

        Presentations and points of signals last as long as before. The encoder emits less in each
        step, and biases are smaller, so that the input per millisecond stays the same. But spikes
        reach the next layer in a shorter step: rates and decoded values of trained networks change.
        """
        if whole(parts, "parts", least=1) == 1:
            return self
        return self._in_other_steps(Fraction(parts), f"({self.config.dt})/{parts}")

    def with_time(self, **changes: Any) -> Network:
        """Return the network with another time step `dt` or other `steps`, its weights unchanged.

        The points in time of signals and of a sequence's targets last as long as before. In a
        network of either kind another `dt` therefore changes the steps of each point, and those of
        a presentation in proportion unless `steps` are given; the input per millisecond stays the
        same, as in `in_finer_steps`. In other networks `dt` changes nothing else.
        """
        from bioae.equations.quantities import time_in_seconds

        network = self
        if "steps" in changes:
            whole(changes["steps"], "steps", least=1, most=2**31 - 1, error=NetworkError)
        if "dt" in changes:
            seconds = time_in_seconds(changes["dt"], where="dt", error=NetworkError)
            parts = self.config.parts_of_step(seconds)
            if parts != 1:
                network = self._in_other_steps(parts, as_text(changes["dt"]))
        config = network.config.varied(**changes)
        _warn_of_models(config)
        return replace(network, config=config)

    def _in_other_steps(self, parts: Fraction, dt: str) -> Network:
        biases = {name for placed in self.config.placed for name in placed.bias_shapes}
        weights = {n: w / float(parts) if n in biases else w for n, w in self.weights.items()}
        return replace(self, config=self.config.in_other_steps(parts, dt=dt), weights=weights)

    def with_parameters(
        self,
        parameters: Mapping[str, str | float | Quantity],
        *,
        layers: Collection[str] | None = None,
    ) -> Network:
        """Return the network with other values of its neurons' parameters, its weights unchanged.

        They replace those that were trained. Read-outs keep their own parameters.

        Parameters
        ----------
        parameters
            By name, a value with its unit, such as ``{"tau": "10*ms"}`` or ``10*brian2.ms``, or a
            quantity of one for each neuron (neuron).
        layers
            The layers that get them; by default all whose neurons have the parameter.
        """
        hint = 'Give for instance {"tau": "10*ms"}'
        instance(parameters, "parameters", Mapping, hint=hint, error=NetworkError)
        placed = self._named(layers)
        weights = dict(self.weights)
        for name in parameters:
            if not any(name in each.model.parameters for each in placed.values()):
                raise _no_parameter(name, placed.values())
        for each in placed.values():
            own = {n: v for n, v in parameters.items() if n in each.model.parameters}
            weights |= own_parameters(each, own)
        return replace(self, weights=weights)

    def with_weights(self, weights: Mapping[str, ArrayLike]) -> Network:
        """Return the network with other arrays, such as the weights of a lesion.

        Parameters
        ----------
        weights
            By the names of `weights`. Others are unchanged.
        """
        instance(weights, "weights", Mapping, error=NetworkError)
        arrays = {}
        for name, values in weights.items():
            instance(name, "the name of an array", str, error=NetworkError)
            if has_unit(values) or isinstance(values, np.ma.MaskedArray):
                raise NetworkError(
                    "an array has a unit or a mask",
                    where=f"weights, {name}",
                    expected="bare numbers, in base units",
                    found=shortened(repr(values)),
                    hint="Remove the unit, or fill the mask: values.filled(0)",
                )
            arrays[name] = array(values, f"the array {name!r} does not fit", error=NetworkError)
        return replace(self, weights={**self.weights, **arrays})

    def with_spread(self, spread: Mapping[str, float], *, seed: int = 0) -> Network:
        """Return the network with heterogeneous neurons: each has its own parameters.

        Values are drawn from a log-normal distribution whose mean is the former value, within the
        bounds of the model's ``[trainable]``. They depend on the seed and on the names of the
        layer and the parameter alone.

        Parameters
        ----------
        spread
            The coefficient of variation, by parameter; it applies to every layer that has the
            parameter.
        seed
            The seed of the values.
        """
        check_key(seed, "seed")
        hint = 'Give for instance {"tau": 0.1}'
        instance(spread, "spread", Mapping, hint=hint, error=NetworkError)
        weights = dict(self.weights)
        for name, variation in spread.items():
            check_variation(variation, name)
            layers = [placed for placed in self.config.placed if name in placed.program.parameters]
            if not layers:
                raise _no_parameter(name, self.config.placed)
            for placed in layers:
                check_own(placed, placed.model, name)
                own, mean = f"{placed.name}.{name}", self.parameters(placed)[name]
                weights[own] = draw_parameters(
                    placed, name, mean, variation, key=f"spread {own}", seed=seed
                )
        # Log-normal factors multiply, and with them 1 + CV^2.
        combined = {
            name: math.sqrt((1 + self.spread.get(name, 0.0) ** 2) * (1 + variation**2) - 1)
            if name in self.spread
            else variation
            for name, variation in spread.items()
        }
        return replace(self, weights=weights, spread={**self.spread, **combined})

    def with_background(self, background: Background) -> Network:
        """Return the network with background input to every layer.

        Parameters
        ----------
        background
            Gaussian noise, given by its standard deviation in network weights per square root of a
            millisecond; or spikes, given by their weight and rate: ``(0.1, "20*Hz")``.
        """
        return self._with_keys(background=background)

    def with_delay(self, delay: str | Quantity) -> Network:
        """Return the network with a delay between layers, such as ``"2*ms"`` or ``2*brian2.ms``."""
        text = as_text(delay)
        if not isinstance(text, str):
            hint = "Only the configuration of a new network can give a pair of times"
            raise NetworkError(
                "the delay does not fit",
                where="delay",
                expected='one time, such as "2*ms"',
                found=shortened(repr(delay)),
                hint=hint if isinstance(text, list | tuple) else None,
            )
        return self._with_keys(delay=text)

    def _named(self, layers: Collection[str] | None) -> dict[str, PlacedLayer]:
        """Return the layers of these names, or all."""
        placed = {each.name: each for each in self.config.placed}
        if layers is None:
            return placed
        instance(layers, "layers", (list, tuple, set, frozenset), error=NetworkError)
        for name in layers:
            one_of(name, "layers", tuple(placed), error=NetworkError)
        return {name: each for name, each in placed.items() if name in layers}

    def _changed_layers(
        self, model: NeuronModel, names: Collection[str] | None
    ) -> dict[str, PlacedLayer]:
        """Return the layers that another neuron model is for, by name."""
        chosen, placed = self._named(names), self._named(None)
        if names is None:
            chosen = {name: each for name, each in placed.items() if each.can_fire}
        if not chosen:
            raise NetworkError(
                "no layer gets the neuron model",
                where="layers",
                expected=f"one or several of {', '.join(placed)}",
                found="no layer that can fire" if names is None else "none",
            )
        for name, each in placed.items():
            if name not in chosen and each.model.name == model.name and each.model != model:
                raise NetworkError(
                    f"two different neuron models are called {model.name!r}",
                    where=f"layer {name!r}",
                    hint="Rename one of their files",
                )
        return chosen

    def _with_keys(self, **changes: Any) -> Network:
        """Return the network with other values of some keys of all layers."""
        tables: dict[str, Any] = {}
        for name in ("layers", "populations", "projections"):
            before = getattr(self.config, name)
            fit = [changes.keys() <= type(each).model_fields.keys() for each in before]
            after = [each.model_copy(update=changes) for each in before]
            if any(fit):
                try:  # here, where errors name the key alone
                    tables[name] = tuple(type(each).model_validate(each) for each in after)
                except ValidationError as error:
                    raise NetworkError(**describe(error)) from None
        config = self.config.varied(**tables)
        delays = [
            {n for each in c.placed for n in each.delay_shapes} for c in (self.config, config)
        ]
        unused = delays[0] - delays[1]
        weights = {name: each for name, each in self.weights.items() if name not in unused}
        return replace(self, config=config, weights=weights)

    def _common_values(self, placed: PlacedLayer, model: NeuronModel) -> dict[str, NDArray[Any]]:
        """Return a layer's own values of parameters that another model has too, with their unit."""
        from bioae.equations.lowering.lowering import lower

        known, other = placed.program.parameters, lower(model).parameters
        return {
            name: values
            for name, values in self.parameters(placed).items()
            if (f"{placed.name}.{name}" in self.weights or name in placed.layer.parameters)
            and name not in placed.model.drawn
            and name in other
            and other[name].unit == known[name].unit
        }

    def _former_readout(self, before: PlacedLayer, after: PlacedLayer) -> dict[str, NDArray[Any]]:
        """Return the parameters of a read-out that would otherwise change with the neuron."""
        from bioae.equations.declarations import parameter_values

        values = self.parameters(before, readout=True)
        new = parameter_values(after.readout)
        return {
            f"{after.name}.readout.{name}": values[name]
            for name, value in new.items()
            if name in values and (values[name] != float(value)).any()
        }


def _warn_of_models(config: NetworkConfig) -> None:
    """Warn once of neuron models that change faster than the time step shows, or only add up."""
    from bioae.responses.isolated import step_warning, unset

    for placed in {placed.model.name: placed for placed in config.placed}.values():
        model = placed.model
        key = model.model_dump_json(), str(config.dt)
        if key in _SEEN:
            continue
        _SEEN.add(key)
        # Models that come with bioae were compared with shorter steps.
        found = None if model.name in available() else step_warning(model, config.dt_seconds)
        lines = [] if found is None else [found]
        if placed.can_fire:  # a read-out may integrate
            known = unset(placed.program)
            lines += [f"{model.name}: {known[each]}" for each in model.received if each in known]
        for line in lines:
            if line not in _WARNED:
                _WARNED.add(line)
                logging.getLogger("bioae").warning("bioae: %s", line)


def _no_parameter(name: str, layers: Iterable[PlacedLayer]) -> NetworkError:
    known = {parameter for placed in layers for parameter in placed.program.parameters}
    return NetworkError(
        f"no layer's neuron model has a parameter {name!r}",
        expected=f"one of {', '.join(sorted(known)) or 'none'}",
    )


def _adapted(
    projection: Projection, model: NeuronModel, factors: Mapping[str, float]
) -> Projection:
    """Return a projection to a population that gets another model, scaled as its input."""
    unit = model.targets.get(projection.target or "", projection.weight)
    if unit is None or projection.to not in factors:
        return projection
    return projection.model_copy(update={"weight": _times(factors[projection.to], unit) or unit})


def _times(factor: float, weight: str) -> str | None:
    return None if factor == 1.0 else f"{factor!r}*({weight})"
