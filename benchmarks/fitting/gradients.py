"""Gradient descent of potentials by Jaxley: Adam, in the transformed bounds of its tutorials."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.fitting.cases import Case
from benchmarks.fitting.clock import Clock
from bioae.equations.declarations import parameter_values

#: The names of parameters in Jaxley.
_NAMES = {
    "g_L": "TraubMiles_gLeak", "g_Na": "TraubMiles_gNa", "g_K": "TraubMiles_gK",
    "E_L": "TraubMiles_eLeak", "E_Na": "TraubMiles_eNa", "E_K": "TraubMiles_eK",
    "C": "capacitance",
}  # fmt: skip
_AREA = 20_000e-8  # square centimetres
#: From base units to siemens and microfarad per square centimetre, and to millivolt.
_SCALES = {n: {"g": 1 / _AREA, "C": 1e6 / _AREA}.get(n[0], 1e3) for n in _NAMES}


@dataclass(frozen=True)
class Gradients:
    """Settings of gradient descent; all starts are in one batch."""

    starts: int = 20
    steps: int = 300
    learning_rate: float = 0.2


def descend(case: Case, seed: int, settings: Gradients) -> dict[str, Any]:
    """Fit potentials by gradient descent."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import jax.numpy as jnp
    import jaxley as jx
    import optax
    from jaxley.optimize.transforms import SigmoidTransform

    jax.config.update("jax_enable_x64", True)
    data, names = case.recording, {n: _NAMES[n] for n in case.bounds}
    cell = _cell(case)
    transforms = []
    for name, (low, high) in case.bounds.items():
        cell.make_trainable(names[name], verbose=False)
        transforms.append({names[name]: SigmoidTransform(*np.multiply((low, high), _SCALES[name]))})
    transform = jx.ParamTransform(transforms)
    current, potential = jnp.asarray(data.input * 1e9), jnp.asarray(data.voltage) * 1e3
    lengths = [math.ceil(math.sqrt(data.steps))] * 2

    def simulate(values: Any, trial: Any) -> Any:
        return jx.integrate(
            cell, values, data_stimuli=cell.data_stimulate(trial), delta_t=float(data.dt) * 1e3,
            solver="crank_nicolson", checkpoint_lengths=lengths,
        )[0]  # fmt: skip

    def loss(raw: Any) -> Any:
        found = jax.vmap(simulate, (None, 0))(transform.forward(raw), current[:, :-1])
        return jnp.mean((found - potential) ** 2)

    generator = np.random.default_rng(seed)
    starts = [case.start(generator) for _ in range(settings.starts)]
    raw = transform.inverse(
        [{names[n]: jnp.array([[each[n]] for each in starts]) * _SCALES[n]} for n in names]
    )
    optimiser = optax.adam(settings.learning_rate)
    state = optimiser.init(raw)

    def step(raw: Any, state: Any) -> tuple[Any, Any, Any]:
        errors, slope = jax.vmap(jax.value_and_grad(loss))(raw)
        change, state = optimiser.update(slope, state, raw)
        return optax.apply_updates(raw, change), state, errors

    clock = Clock()
    compiled = jax.jit(step).lower(raw, state).compile()
    clock.compile_ended()
    best, ends = np.full((len(names), settings.starts), np.nan), np.full(settings.starts, np.inf)
    for _ in range(settings.steps):
        values = [each for entry in transform.forward(raw) for each in entry.values()]
        raw, state, errors = compiled(raw, state)
        better = np.asarray(errors) < ends
        best[:, better] = np.asarray(values)[..., 0][:, better]
        ends = np.where(better, errors, ends)
        clock.tick(float(ends.min()), settings.starts)
    found = best[:, ends.argmin()]
    parameters = {n: float(value / _SCALES[n]) for n, value in zip(names, found, strict=True)}
    return {**clock.row(), "parameters": parameters, "ends": ends.tolist()}


def _cell(case: Case) -> Any:
    """Return a compartment with the parameters and initial values of a case."""
    import jaxley as jx

    values = parameter_values(case.model)
    cell, radius = jx.Cell(), math.sqrt(_AREA * 1e8 / (4 * math.pi))
    cell.set("radius", radius)
    cell.set("length", 2 * radius)
    cell.insert(_channel(float(values["V_T"]) * 1e3))
    for name, target in _NAMES.items():
        cell.set(target, float(values[name]) * _SCALES[name])
    cell.set("v", float(case.initial["v"]) * 1e3)
    cell.record("v", verbose=False)
    return cell


def _channel(threshold: float) -> Any:
    """Return sodium, potassium and leak currents with the rates of Traub & Miles.

    Currents are those of the gates at the start of a step: with Jaxley's order, gates first, the
    traces would differ from those of the recording's scheme. Gates start at 0.
    """
    import jax.numpy as jnp
    from jaxley.channels import Channel
    from jaxley.solver_gate import save_exp, solve_gate_exponential

    def exprel(x: Any) -> Any:
        small = jnp.abs(x) < 1e-6
        return jnp.where(small, 1 + x / 2, (save_exp(x) - 1) / jnp.where(small, 1.0, x))

    class TraubMiles(Channel):  # type: ignore[misc]
        def __init__(self) -> None:
            self.current_is_in_mA_per_cm2 = True
            super().__init__("TraubMiles")
            self.channel_params = {name: 0.0 for name in _NAMES.values() if "_" in name}
            self.channel_states = {f"TraubMiles_{n}{g}": 0.0 for g in "mhn" for n in ("", "last_")}
            self.current_name = "i_TraubMiles"

        def update_states(self, states: Any, dt: Any, v: Any, _: Any) -> dict[str, Any]:
            u = v - threshold
            rates = {
                "m": (1.28 / exprel((13 - u) / 4), 1.4 / exprel((u - 40) / 5)),
                "h": (0.128 * save_exp((17 - u) / 18), 4 / (1 + save_exp((40 - u) / 5))),
                "n": (0.16 / exprel((15 - u) / 5), 0.5 * save_exp((10 - u) / 40)),
            }
            after = {}
            for gate, pair in rates.items():
                before = states[f"TraubMiles_{gate}"]
                after[f"TraubMiles_{gate}"] = solve_gate_exponential(before, dt, *pair)
                after[f"TraubMiles_last_{gate}"] = before
            return after

        def compute_current(self, states: Any, v: Any, params: Any) -> Any:
            m, h, n = (states[f"TraubMiles_last_{gate}"] for gate in "mhn")
            factors = {"Na": m**3 * h, "K": n**4, "Leak": 1.0}
            return sum(
                params[f"TraubMiles_g{ion}"] * each * (v - params[f"TraubMiles_e{ion}"])
                for ion, each in factors.items()
            )

        def init_state(self, states: Any, v: Any, params: Any, delta_t: Any) -> dict[str, Any]:
            return {}

    return TraubMiles()
