"""Noisy neurons: random numbers in a model, the same on both sides, and as theory predicts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import builders
import numpy as np
import pytest
import torch
import xarray as xr
from builders import LEAKY, dense, drawn, numbered
from mirrors import mirror_of
from numpy.typing import NDArray

from bioae import parity, simulate
from bioae.equations import NeuronModel, lower
from bioae.equations.program import TEMPORARY
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.noise import Key
from bioae.simulation.backend import Backend
from bioae.trainers.mirror.derivatives import FastSigmoid

TAU, DT, SIGMA = 20e-3, 1e-3, 0.2
EVERYWHERE: dict[str, Any] = {
    **LEAKY,
    "equations": """
    dv/dt = (w - v)/tau + sigma*sqrt(2/tau)*xi_1 : 1 (unless refractory)
    dw/dt = -w/tau + sigma*sqrt(1/tau)*(xi_1 + xi_2) : 1
    kick = 0.1*randn() : 1 (constant over dt)
    pause : second
    size : integer
    calm : boolean
    """,
    "threshold": "v + kick > theta + 0.1*(rand() - 0.5)",
    "reset": "v = 0.1*rand()*size; w += 0.1*randn()*int(calm); pause = 3*ms*rand()",
    "refractory": "pause",
    "method": "euler",
    "parameters": {"tau": "20*ms", "theta": "1", "sigma": "0.2"},
    # Variables that nothing writes are drawn for each presentation too, and their dependants.
    "initial": {"w": "v/2", "v": "0.5*rand()*theta", "size": "3*rand()", "calm": "rand() < 0.5"},
    "surrogate": {"distance": "v - theta", "scale": "theta"},
}


def network(*names: str, units: int = 4, steps: int = 60, schedule: str = "brian2") -> Network:
    """Return layers of noisy neurons without input that almost never reach their threshold."""
    layers = [dense(name, units) for name in names]
    fields = {"steps": steps, "schedule": schedule, "neuron": "noisy_lif"}
    return drawn(*layers, factor=0.0, input_shape=[1, 1, units], **fields)


def potentials(result: xr.DataTree, layer: str) -> NDArray[np.float64]:
    """Return v (example, time, neuron)."""
    values: NDArray[np.float64] = result[f"/layers/{layer}/state_v"].values
    return values


def blank(examples: int, units: int = 4) -> NDArray[np.float64]:
    return np.zeros((examples, 1, 1, units))


@pytest.mark.medium
def test_the_mirror_and_brian2_draw_the_same_numbers() -> None:
    model = builders.model(EVERYWHERE, "everywhere")
    report = parity(model, neurons=40, steps=100, examples=3, seed=2**64 - 3)
    assert report.exact
    assert report.spikes > 500
    assert report.active_fraction >= 0.5
    assert (report.differing, report.one_step, report.max_state_error) == (0, 1.0, 0.0)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_the_noise_of_an_example_does_not_depend_on_others(schedule: str) -> None:
    noisy = network("first", "second", steps=20, schedule=schedule)
    backend = Backend("numpy", record=["v"])
    images = numbered(blank(3), [2**62, 17, 3])
    together = simulate(noisy, images, replace(backend, chunk=2), seed=5)
    individual = simulate(noisy, images, backend, seed=5, examples=[1])
    other = simulate(noisy, images, backend, seed=6, examples=[1])
    mirrored = simulate(noisy, images, replace(backend, target="torch"), seed=5)
    for layer in ("first", "second"):
        assert np.ptp(potentials(individual, layer)) > 0.1
        np.testing.assert_array_equal(
            potentials(together, layer)[1], potentials(individual, layer)[0]
        )
        np.testing.assert_array_equal(potentials(together, layer), potentials(mirrored, layer))
        assert (potentials(individual, layer) != potentials(other, layer)).mean() > 0.9


def test_the_variance_is_the_eulers_schemes() -> None:
    """With a = dt/tau, v' = (1 - a) v + sigma sqrt(2a) z: a variance of sigma^2 / (1 - a/2).

    From v = 0 it has grown by 1 - (1 - a)^2n after n steps; the correlation over k steps is
    (1 - a)^k.
    """
    steps = 120
    result = simulate(
        network("only", units=400, steps=steps), blank(10, 400), Backend("torch", record=["v"]),
        seed=1,
    )  # fmt: skip
    assert int(result["/layers/only/spike_count"].sum()) == 0
    # In Brian2's order a presentation starts one step before its window.
    v = potentials(result, "only").swapaxes(0, 1).reshape(steps, -1)
    a = DT / TAU
    for n in (1, 5, steps - 1):
        expected = SIGMA**2 / (1 - a / 2) * (1 - (1 - a) ** (2 * (n + 2)))
        # The variance of normal samples has a relative deviation of sqrt(2 / n).
        assert v[n].var() == pytest.approx(expected, rel=4 * np.sqrt(2 / v.shape[1]))
    correlation = np.corrcoef(v[-11], v[-1])[0, 1]
    assert correlation == pytest.approx((1 - a) ** 10, abs=4 / np.sqrt(v.shape[1]))


def test_the_gradient_of_the_noises_size_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below threshold v is proportional to sigma for every draw; the reset is detached."""
    noisy = network("only")
    rule = FastSigmoid()
    monkeypatch.setattr(type(rule), "detach_reset", True)
    mirror = mirror_of(noisy, derivative=rule, trainable=["sigma"])
    drive = torch.zeros((noisy.config.steps, 3, 1, 1, 4), dtype=torch.float64)
    v = mirror(drive, record=["v"], key=Key(1, np.arange(3))).layers["only"].states["v"]
    assert v.abs().max() > 0.1
    total = v[-1].abs().sum()
    total.backward()
    gradient = mirror.weights["only.sigma"].grad
    assert gradient is not None
    # It is trained in units of itself.
    assert float(gradient.sum()) == pytest.approx(total.item(), rel=1e-12)


def noisy(**changes: Any) -> NeuronModel:
    """Return the model with some keys changed; None removes a key."""
    fields = {key: value for key, value in (EVERYWHERE | changes).items() if value is not None}
    return builders.model(fields, "noisy")


def test_every_call_has_a_number_and_xi_is_one_call() -> None:
    program = lower(noisy())
    assert [draw.call for draw in program.draws.values()] == list(range(10))
    kinds = [draw.distribution for draw in program.draws.values()]
    assert kinds == ["normal"] * 3 + ["uniform"] * 2 + ["normal"] + ["uniform"] * 4
    assert set(program.random_start) == {"v", "size", "calm", "w"}
    statements = (*program.update, *program.prepare, *program.reset)
    code = [*(each.value for each in statements), program.threshold, *program.initial.values()]
    named = [name for text in code if text for name in text.names if name in program.draws]
    assert sorted(named) == sorted(program.draws)
    assert program.reproducible


def test_the_distance_is_read_with_the_thresholds_own_number() -> None:
    program = lower(noisy(threshold="v > theta", surrogate=None))
    assert "draw" not in f"{program.threshold} {program.distance}"
    random = lower(noisy(threshold="v + 0.1*randn() > theta", surrogate=None))
    (name,) = (name for name in random.draws if name in str(random.threshold))
    assert random.distance is not None
    assert name in random.distance.text
    assert str(random.scale) == "theta"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reset": "v = poisson(3)"}, ["not supported", "'poisson'", "rand() < p"]),
        ({"equations": "dv/dt = poisson(1)/tau : 1"}, ["not supported", "randn", "'poisson'"]),
        ({"initial": {"v": "poisson(1)"}}, ["[initial] v", "not supported", "'poisson'"]),
        ({"surrogate": {"distance": "v - rand()", "scale": "1"}}, ["[surrogate] distance"]),
        ({"weight": "1 + rand()"}, ["weight"]),
    ],
)
def test_random_numbers_in_wrong_places(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ModelError) as error:
        lower(noisy(**changes))
    line = str(error.value)
    assert line.startswith("noisy.toml")
    assert [word for word in words if word not in line] == []


SEVERAL = """
description = "Several noises."
equations = '''
dv/dt = -v/tau + sqrt(2/tau)*xi_b + 0.1*sqrt(2/tau)*xi_a + (late + early)/tau : 1
dw/dt = -w/tau + sqrt(2/tau)*xi_c + xi*sqrt(1/tau) : 1
late = rand() + first : 1 (constant over dt)
first = rand() : 1 (constant over dt)
early = randn() : 1 (constant over dt)
'''
threshold = "v > 1"
reset = "v = 0"
method = "METHOD"
input = "v"
[parameters]
tau = "10*ms"
"""


@pytest.mark.medium
@pytest.mark.parametrize("method", ["heun", pytest.param("euler", marks=pytest.mark.slow)])
def test_the_order_of_draws_does_not_depend_on_the_hash_seed(method: str) -> None:
    text = SEVERAL.replace("METHOD", method)
    code = (
        "import tomllib; from bioae.equations import NeuronModel, lower\n"
        f"fields = tomllib.loads({text!r})\n"
        "program = lower(NeuronModel.from_mapping('several', fields, where='several.toml'))\n"
        "print(*map(str, (*program.prepare, *program.update)), program.draws, sep='\\n')\n"
    )
    programs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert programs[0] == programs[1]
    lines = [line.removeprefix(TEMPORARY) for line in programs[0].splitlines()]
    drawn = [line.partition(" = ")[0] for line in lines if "_draw" in line]
    assert [name for name in drawn if name.startswith("xi")] == ["xi_b", "xi_a", "xi_c", "xi"]
