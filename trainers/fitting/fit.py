"""Start a model's parameters wrong, and train them on the spikes that the right ones fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bioae.equations.model import NeuronModel
from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.fitting.descent import Parameters, Population
from bioae.trainers.fitting.stimulus import make_stimulus

__all__ = ["WIDTHS", "Recovery", "recover"]

#: Widths of the escape noise, one after the other: wide enough to find the way, then sharp.
WIDTHS = (0.1, 0.03, 0.01, 0.003)


@dataclass(frozen=True)
class Recovery:
    """What came of one recovery; parameters are in base units.

    Attributes
    ----------
    true, start, found
        By parameter: what fired the spikes, where training began, where it ended.
    origin
        From where each is measured.
    spikes
        Spikes that were learned from.
    active_fraction
        The fraction of neurons and examples with at least one spike.
    agreement_before, agreement
        Spikes that the freely running model shares with the data, of those that either has: at the
        start, and at the end.
    evaluations
        Gradients that were computed.
    """

    true: dict[str, float]
    start: dict[str, float]
    found: dict[str, float]
    origin: dict[str, float]
    spikes: int
    active_fraction: float
    agreement_before: float
    agreement: float
    evaluations: int

    @property
    def errors(self) -> dict[str, float]:
        """How far each parameter is off, relative to its true distance from the origin."""
        return {
            name: abs((self.found[name] - true) / (true - self.origin[name]))
            for name, true in self.true.items()
        }

    @property
    def worst(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values())


def recover(
    model: NeuronModel,
    parameters: Sequence[str],
    *,
    factor: float = 2.0,
    origins: Mapping[str, str] | None = None,
    dt: str = "1*ms",
    neurons: int = 64,
    examples: int = 4,
    steps: int = 200,
    rate_hz: float = 30.0,
    widths: Sequence[float] = WIDTHS,
    seed: int = 0,
) -> Recovery:
    """Train parameters, started a factor off, on spikes that the model fires with the right ones.

    Input and spikes are known, states are not. The likelihood of the spikes under teacher forcing
    and logistic escape noise (see `ForcedNeuron`) is raised by L-BFGS-B within the bounds of
    ``[trainable]``, for narrower and narrower noise; its gradient is that of the model's equations.
    Where it does not rise as the noise narrows, the spikes are not explained: training then
    starts again, each parameter a tenth or so from where it started, and the best of some attempts
    is kept.

    Parameters
    ----------
    model
        The neuron model.
    parameters
        Which of its trainable parameters are trained, all together; the others are known.
    factor
        What each is multiplied by at the start. Where that would leave the bounds, the true value
        is moved away from the model's, so that both lie within.
    origins
        By parameter, an expression of the model's parameters from which it is measured; 0 if not
        given. A threshold potential is measured from the resting potential.
    dt
        The time step.
    neurons, examples, steps
        The size of the data: unconnected neurons, presentations, steps of each.
    rate_hz
        The mean rate of the neurons, which the input is scaled to.
    widths
        Of the escape noise, in units of the surrogate's scale.
    seed
        Seeds the input.

    Raises
    ------
    InputError
        If a parameter is not trainable, or its bounds are narrower than the factor.
    ModelError
        If the model never fires.
    """
    fit = Population(model, parameters, dt=dt, neurons=neurons, origins=origins or {})
    true, start = fit.place(factor)
    seconds = fit.dt
    truth = fit.free(true)
    stimulus = make_stimulus(
        stream(seed, 0),
        steps=steps,
        examples=examples,
        neurons=neurons,
        dt=seconds,
        lead_in=truth.schedule.lead_in,
    )
    key = Key(seed, np.arange(examples))
    amplitude = stimulus.amplitude(truth, rate_hz * seconds, key)
    spikes = stimulus.spikes(truth, amplitude, key)

    def agreement(values: Parameters) -> float:
        own = stimulus.spikes(fit.free(values), amplitude, key)
        return ((own * spikes).sum() / torch.maximum(own, spikes).sum()).item()

    found, evaluations = fit.descend(start, stimulus.steps(amplitude), spikes, widths, key)

    def chosen(values: Parameters) -> dict[str, float]:
        return {name: float(values[name]) for name in parameters}

    return Recovery(
        true=chosen(true),
        start=chosen(start),
        found=chosen(found),
        origin=fit.origins,
        spikes=int(spikes.sum()),
        active_fraction=spikes.any(0).double().mean().item(),
        agreement_before=agreement(start),
        agreement=agreement(found),
        evaluations=evaluations,
    )
