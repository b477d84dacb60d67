"""The LIF under a constant drive fires at the rate of its closed form, in both orders of a step.

With w arriving at each step and a leak l = exp(-dt/tau), v after n inputs is w (1 - l^n)/(1 - l),
times l where the leak comes between the last input and the threshold.
"""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.equations import NeuronModel, load_neuron, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import constant_values, default_parameters, initial_state
from bioae.equations.arrays.stepping import Stepper

BRIAN2 = ("update", "threshold", "receive", "reset")
PAPER = ("receive", "threshold", "reset", "update")

DRIVES = np.array([0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.26, 0.4, 0.5, 0.8, 0.99, 1.5])


def spike_steps(
    model: NeuronModel, drive: NDArray[Any], order: tuple[str, ...], steps: int
) -> list[list[int]]:
    """Return the steps in which each neuron fires; neuron k receives ``drive[k]`` at each step."""
    program = lower(model)
    size: dict[str, Any] = {"dt": 1e-3, "n": len(drive)}
    parameters = default_parameters(program)
    values: dict[str, Any] = parameters | constant_values(program, parameters, **size)
    values |= initial_state(program, parameters, **size)
    values |= {"dt": np.asarray(1e-3), "bioae_input": drive}
    stepper = Stepper(program, array_functions(np))
    fired: list[list[int]] = [[] for _ in drive]
    for step in range(steps):
        values["t"] = np.asarray(step * 1e-3)
        for slot in order:
            if slot == "threshold":
                values["_fired"] = stepper.condition(values)
                stepper.on_spike(values)
                for neuron in np.flatnonzero(values["_fired"]):
                    fired[neuron].append(step)
            else:
                getattr(stepper, slot)(values)
    return fired


def inputs_to_fire(w: float, leak: float, *, leaks_first: bool) -> int | None:
    """Return the smallest n with w (1 - l^n)/(1 - l) > 1, times l where the leak comes first."""
    needed = 1 - (1 - leak) / (w * (leak if leaks_first else 1))
    return int(np.floor(np.log(needed) / np.log(leak))) + 1 if needed > 0 else None


def lif(tau: float, refractory: int | None = None) -> NeuronModel:
    fields = load_neuron("lif").to_mapping()
    fields["parameters"] = {"tau": f"{tau}*ms", "theta": "1"}
    if refractory is not None:
        fields["equations"] = "dv/dt = -v/tau : 1 (unless refractory)"
        fields["refractory"] = f"{refractory}*ms"
    return builders.model(fields)


@pytest.mark.parametrize("tau", [5.0, 20.0, 100.0])
def test_in_brian2s_order_the_input_of_a_spikes_step_is_lost(tau: float) -> None:
    """The interval between spikes is n inputs, and one more step."""
    leak, steps = np.exp(-1 / tau), 150
    result = spike_steps(lif(tau), DRIVES, BRIAN2, steps)
    for w, mine in zip(DRIVES, result, strict=True):
        n = inputs_to_fire(w, leak, leaks_first=True)
        assert mine == ([] if n is None else list(range(n, steps, n + 1))), w
    assert sum(map(len, result)) > 200


@pytest.mark.parametrize("tau", [5.0, 20.0, 100.0])
def test_in_the_papers_order_every_input_counts(tau: float) -> None:
    leak, steps = np.exp(-1 / tau), 150
    result = spike_steps(lif(tau), DRIVES, PAPER, steps)
    for w, mine in zip(DRIVES, result, strict=True):
        n = inputs_to_fire(w, leak, leaks_first=False)
        assert mine == ([] if n is None else list(range(n - 1, steps, n))), w
    assert sum(map(len, result)) > 200


@pytest.mark.parametrize("refractory", [1, 2, 5])
def test_refractory_steps_lengthen_the_interval(refractory: int) -> None:
    """In both orders the interval is n inputs, and r more steps.

    In Brian2's order the input of the step in which refractoriness ends is the first that counts.
    In the paper's it comes before that end, and is lost.
    """
    tau, steps = 20.0, 200
    leak = np.exp(-1 / tau)
    brian2 = spike_steps(lif(tau, refractory), DRIVES, BRIAN2, steps)
    paper = spike_steps(lif(tau, refractory), DRIVES, PAPER, steps)
    compared = 0
    for w, theirs, ours in zip(DRIVES, brian2, paper, strict=True):
        first, again = (inputs_to_fire(w, leak, leaks_first=flag) for flag in (True, False))
        if first is not None:
            assert set(np.diff(theirs)) == {first + refractory}, w
            compared += len(theirs)
        if again is not None:
            assert set(np.diff(ours)) == {again + refractory}, w
            compared += len(ours)
    assert compared > 200
