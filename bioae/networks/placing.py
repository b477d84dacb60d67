"""Neuron models of a layer in a network: their parameters, and checks that they fit its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError, NetworkError
from bioae.networks.decoders import Decoder
from bioae.networks.encoders import Encoder
from bioae.networks.inputs import check_background, check_delay, check_spread
from bioae.networks.layer_base import Delay, LayerBase


class _Description(Protocol):
    """The part of a network's description on which the models of a layer depend."""

    @property
    def layers(self) -> Sequence[LayerBase]: ...

    @property
    def neuron(self) -> str: ...

    @property
    def dt(self) -> str: ...

    @property
    def dt_seconds(self) -> float: ...

    @property
    def steps(self) -> int: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def decoder(self) -> Decoder: ...

    def model(self, name: str) -> NeuronModel: ...

    def synapse(self, name: str) -> SynapseModel: ...


#: The shortest presentation in which spikes of both sides teach, in either schedule.
_FEWEST_STEPS = 3


def models_of(config: _Description, layer: LayerBase) -> tuple[NeuronModel, NeuronModel]:
    """Return the neuron model of a layer and that of its potential U, which fit its place."""
    model = config.model(layer.neuron or config.neuron).with_parameters(layer.parameters)
    if layer.weight is not None:
        model = model.with_weight(layer.weight)
    where = f"layer {layer.name!r}"
    _check_dt(config, model, where=where)
    _check_inputs(config, layer, model, where=where)
    if model.threshold is None:
        _check_silence(config, layer, model, where=where)
    readout = config.model(layer.readout)
    if readout.threshold is not None:
        raise NetworkError(
            "a read-out model with a threshold would be reset, and the potential U never is",
            where=f"{where}, readout", expected="a model without a threshold",
            found=layer.readout,
        )  # fmt: skip
    return model, readout.with_parameters(_common(model, readout))


def synapses_of(config: _Description, layer: LayerBase, depth: int) -> dict[str, SynapseModel]:
    """Return the synapse models of a layer's pathways that learn, by the name of their weights."""
    found = {}
    pathways = {
        "synapse": ("weight", layer.delay),
        "recurrent_synapse": ("recurrent", layer.recurrent_delay),
    }
    for key, (kind, delay) in pathways.items():
        name = getattr(layer, key)
        if name is None:
            continue
        where = f"layer {layer.name!r}, {key}"
        _check_plastic(config, layer, key, delay, depth, where=where)
        found[f"{layer.name}.{kind}"] = config.synapse(name)
    return found


def _check_plastic(
    config: _Description, layer: LayerBase, key: str, delay: Delay, depth: int, *, where: str
) -> None:
    """Reject a pathway that cannot learn."""
    if key == "synapse" and layer.shares_weights:
        raise NetworkError(
            "weights that several synapses have in common cannot learn",
            where=where, expected="a layer of the kind 'dense'",
        )  # fmt: skip
    if delay is not None:
        raise NetworkError(
            "connections with a delay cannot learn", where=where, expected="no delay",
            found=str(delay),
        )  # fmt: skip
    if config.steps < _FEWEST_STEPS:
        raise NetworkError(
            "a presentation is too short to learn from", where=where,
            expected=f"steps of at least {_FEWEST_STEPS}", found=str(config.steps),
        )  # fmt: skip
    if key == "synapse" and depth == 1 and config.encoder.graded:
        raise NetworkError(
            "graded input cannot teach, since it has no spikes", where=where,
            expected="an encoder of spikes, such as bernoulli", found=config.encoder.kind,
        )  # fmt: skip
    if config.model(layer.neuron or config.neuron).threshold is None:
        raise NetworkError("a layer that never fires cannot learn", where=where)


def _check_dt(config: _Description, model: NeuronModel, *, where: str) -> None:
    from bioae.equations.quantities import time_in_seconds

    if model.run_every is not None or model.timed_arrays:
        from bioae.equations.timed_arrays import check_interval

        check_interval(model, config.dt_seconds)
    if model.dt is None:
        return
    largest = time_in_seconds(model.dt, where=f"{model.name}.toml, dt", error=ModelError)
    if config.dt_seconds > largest * (1 + 1e-9):
        raise NetworkError(
            f"the time step is too long for the neuron model {model.name!r}",
            where=where,
            expected=f"dt of at most {model.dt}",
            found=config.dt,
            hint=f'Set dt = "{model.dt}" in the network, and steps for the same time',
        )


def _check_inputs(
    config: _Description, layer: LayerBase, model: NeuronModel, *, where: str
) -> None:
    dt = config.dt_seconds
    check_background(layer.background, dt=dt, where=f"{where}, background")
    for name, spread in layer.spread.items():
        check_spread(model, name, spread, where=where)
    for key in ("delay", "recurrent_delay"):
        check_delay(getattr(layer, key), dt=dt, steps=config.steps, where=f"{where}, {key}")


def _check_silence(
    config: _Description, layer: LayerBase, model: NeuronModel, *, where: str
) -> None:
    """Reject a model without threshold where something receives the layer's spikes."""
    if layer.recurrent or layer.name != config.layers[-1].name:
        expected = "a model with a threshold: other neurons receive the layer's spikes"
    elif not config.decoder.reads_potential:
        expected = f"a model with a threshold: the decoder {config.decoder.kind!r} reads spikes"
    else:
        return
    raise NetworkError(
        f"the neuron model {model.name!r} never fires", where=where, expected=expected
    )


def _common(model: NeuronModel, readout: NeuronModel) -> dict[str, str]:
    """Return the read-out's parameters that the neuron also has, with the neuron's values."""
    texts = readout.parameters.items()
    if all(model.parameters.get(name, text) == text for name, text in texts):
        return {}
    from bioae.equations.declarations import parameter_values, random_parameters, shared_parameters
    from bioae.equations.expressions import Expression
    from bioae.equations.quantities import text_of

    shared = shared_parameters(model, readout)
    differing = [name for name, text in texts if name in shared and model.parameters[name] != text]
    values, random = parameter_values(model), random_parameters(model)
    return {
        # The text itself, unless it names other parameters of the neuron or is drawn for it.
        name: str(text_of(values[name]))
        if Expression(model.parameters[name]).names & model.parameters.keys() or name in random
        else model.parameters[name]
        for name in differing
    }
