"""What a neuron does in time: when a drive is switched on, and after a single spike."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.responses.common import (
    SMALLER,
    Parameters,
    Per,
    check_fires,
    drive_attributes,
    drive_scale,
    steps_of,
    time_axis,
    time_step,
)
from bioae.responses.isolated import IsolatedNeuron

__all__ = ["step_response", "unitary_response"]


def step_response(
    model: NeuronModel,
    drive: float,
    *,
    dt: str | None = None,
    before: str = "50*ms",
    during: str = "200*ms",
    after: str = "50*ms",
    per: Per = "step",
    parameters: Parameters | None = None,
) -> xr.Dataset:
    """Return what a neuron does when a drive is switched on, and off again.

    Parameters
    ----------
    drive
        The drive while it is on, in network weights.
    before, during, after
        How long it is off, on, and off again.
    model, dt, per, parameters
        As for `rate_curve`; the model may be one without a threshold.

    Returns
    -------
    xarray.Dataset
        Along ``time`` in ms, at the end of each step: ``drive``, ``spike`` (bool), and
        ``state_VAR`` of each of the model's variables, with its unit.

    Raises
    ------
    ModelError
        If a state does not stay finite.
    """
    step = time_step(model, dt)
    lengths = [
        steps_of(text, step, name, least=0)
        for name, text in (("before", before), ("during", during), ("after", after))
    ]
    course = np.repeat([0.0, drive, 0.0], lengths)
    neuron = IsolatedNeuron(model, dt=step, parameters=parameters)
    shown = [name for name in neuron.program.states if name not in ("lastspike", "not_refractory")]
    spikes, states = np.zeros(len(course), dtype=bool), np.zeros((len(course), len(shown)))
    for n, arriving in enumerate(course * drive_scale(per, step)):
        spikes[n] = neuron.step(arriving).any()
        states[n] = [np.ravel(neuron.values[name])[0] for name in shown]
    neuron.check_finite(mend=SMALLER)
    units = {name: neuron.program.states[name].unit for name in shown}
    return xr.Dataset(
        {
            "drive": ("time", course, drive_attributes(per)),
            "spike": ("time", spikes, {"long_name": "spikes"}),
            **{
                f"state_{name}": ("time", trace, {"long_name": name, "units": units[name]})
                for name, trace in zip(shown, states.T, strict=True)
            },
        },
        coords={"time": time_axis(len(course), step)},
        attrs={"dt_ms": step * 1e3},
    )


def unitary_response(
    model: NeuronModel,
    weight: float = 1.0,
    *,
    dt: str | None = None,
    duration: str = "100*ms",
    rest: str = "100*ms",
    parameters: Parameters | None = None,
) -> xr.Dataset:
    """Return what one presynaptic spike does to the distance to threshold of a neuron at rest.

    The neuron is first left alone for `rest`; it does not fire, however strong the spike. What it
    would do without the spike is subtracted, so that noise and drift cancel.

    Parameters
    ----------
    weight
        The network weight of the spike, which arrives at time 0.
    duration
        How long the response is watched.
    model, dt, parameters
        As for `rate_curve`.

    Returns
    -------
    xarray.Dataset
        Along ``time`` in ms, where the threshold is tested: the unitary post-synaptic potential
        ``psp`` in the base unit of the distance to threshold, and ``relative``, the same by the
        resting distance to threshold: 1 just reaches it. Attributes: ``resting_distance``, and
        ``peak``, ``peak_relative``, ``peak_time_ms`` of the largest excursion, with its sign.

    Raises
    ------
    ModelError
        If the model has no threshold, does not stay below it when left alone, or a state does not
        stay finite.
    """
    check_fires(model)
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    waited = steps_of(rest, step, "rest", least=0)
    alone, spiked = (
        _distances(
            IsolatedNeuron(model, dt=step, parameters=parameters), each, waited=waited, steps=steps
        )
        for each in (0.0, weight)
    )
    # With noise the distance at one moment is no typical one.
    resting = -float(np.median(alone))
    if not resting > 0:
        raise ModelError(
            f"the neuron model {model.name!r} does not rest below its threshold",
            expected="a model that is silent without input",
        )
    psp = spiked - alone
    largest = int(np.abs(psp).argmax())
    return xr.Dataset(
        {
            "psp": ("time", psp, {"long_name": "unitary post-synaptic potential"}),
            "relative": ("time", psp / resting, {"long_name": "by distance", "units": "1"}),
        },
        coords={"time": time_axis(steps + 1, step)},
        attrs={
            "dt_ms": step * 1e3,
            "resting_distance": resting,
            "peak": float(psp[largest]),
            "peak_relative": float(psp[largest]) / resting,
            "peak_time_ms": largest * step * 1e3,
        },
    )


def _distances(
    neuron: IsolatedNeuron, weight: float, *, waited: int, steps: int
) -> NDArray[np.float64]:
    """Return the distance to threshold at the arrival of a spike, and at each step after it."""
    found = np.empty(steps + 1)
    for _ in range(waited):
        neuron.step(fires=False)
    for n in range(steps + 1):
        neuron.step(weight if n == 0 else 0.0, fires=False)
        found[n] = np.ravel(neuron.distance())[0]
    neuron.check_finite(mend="Use a smaller dt, or a smaller weight")
    return found
