"""Comparison of a network or a neuron model in the mirror and in Brian2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis import differing_spikes, is_alive
from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.equations.arrays.functions import rounded
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.errors import NetworkError
from bioae.networks.artefact import NetworkLike, network_of
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import MAX_SEED
from bioae.simulation.backend import BRIAN2_TARGETS, Backend, Target, known_target
from bioae.simulation.engine import Engines
from bioae.simulation.presentations import Presentations, converted
from bioae.simulation.results.divergence import diverged
from bioae.simulation.run import Simulation
from bioae.trainers.parity.networks import (
    GRID_BITS,
    checked_size,
    parity_network,
    perturbed,
)
from bioae.trainers.parity.one_step import CLOSE, explained, one_step
from bioae.trainers.parity.report import AGREEMENT, Parity


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run PyTorch in one thread: on layers this small, several wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def model_parities(
    model: NeuronModel,
    targets: Iterable[Target],
    engines: Engines,
    *,
    perturb: bool = False,
    seed: int = 0,
    **size: int,
) -> list[Parity]:
    """Compare the mirror with Brian2 on several targets, on one network of a neuron model.

    For a model that never fires, states are compared instead of spikes. `size` has `neurons` in
    both layers together (100), and `steps` (200) of `examples` (4) presentations; for other
    arguments see `compare`. Raises a ModelError if no input makes half of the neurons fire.
    """
    lower(model)  # refuses what is not a neuron model
    targets = [known_target(target, BRIAN2_TARGETS) for target in targets]
    size = checked_size(size, {"neurons": 100, "steps": 200, "examples": 4}, neurons=2)
    whole(seed, "the seed", most=MAX_SEED)
    network, data = parity_network(model, seed=seed, **size)
    found = Comparison(network, data, engines, name=model.name, seed=seed)
    return [found.on(target, perturb=perturb) for target in targets]


def compare(
    network: NetworkLike,
    data: Data | Any,
    engines: Engines,
    *,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
    **options: Unpack[DataOptions],
) -> Parity:
    """Compare the mirror of a network with Brian2 on data, in float64; see `bioae.parity`.

    Spikes are those of the layers that spike. If there are none, states are compared instead.
    `perturb` compares Brian2 with itself, perturbed, in any case; by default that is done only if
    the two sides disagree and need not be equal.
    """
    target = known_target(target, BRIAN2_TARGETS)
    name = str(network) if isinstance(network, str | Path) else "network"
    network = network_of(network)
    # Without labels and targets, which need not be those of the network's task.
    data = replace(converted(network.config, data, **options), labels=None, targets=None)
    found = Comparison(network, data, engines, name=name, seed=seed)
    return found.on(target, perturb=perturb)


def recorded(network: Network) -> set[str]:
    """Return the names of all states, which must be recorded for a comparison."""
    return {name for placed in network.config.placed for name in placed.program.states}


class Comparison:
    """A network and data for both sides; arguments are those of `compare`."""

    def __init__(
        self, network: Network, data: Data | Any, engines: Engines, *, name: str, seed: int = 0
    ) -> None:
        if network.config.carry_over:
            raise NetworkError(
                "parity compares presentations that start from known states", where="carry_over",
                expected="false", hint="Compare network.with_time(carry_over=False, rest=None)",
            )  # fmt: skip
        self._network, self._data, self._engines = network, data, engines
        self._name, self._seed = name, seed
        self._placed = network.config.placed
        self._spiking = [each.name for each in self._placed if each.can_fire]
        weights = [network.weights[name] for each in self._placed for name in each.weight_shapes]
        on_grid = all((each == rounded(each, GRID_BITS)).all() for each in weights)
        self._exact = on_grid and all(each.program.reproducible for each in self._placed)

    def on(self, target: Target, *, perturb: bool = False) -> Parity:
        """Compare the mirror with Brian2 on a target."""
        return self.with_result(self._run(self._network, target), perturb=perturb)

    def with_result(self, brian: xr.DataTree, *, perturb: bool = False) -> Parity:
        """Compare the mirror with Brian2's result, with every state recorded."""
        mirror = self._run(self._network, "torch")
        common: dict[str, Any] = {
            "model": self._name,
            "target": brian.attrs["target"],
            "steps": self._network.config.steps,
            "neurons": sum(placed.size for placed in self._placed),
            "examples": brian.sizes["example"],
            "exact": self._exact,
            "max_state_error": self._state_error(brian, mirror),
            "diverged": self._diverged(brian),
        }
        if not self._spiking:
            return self._of_states(brian, mirror, common)
        spikes = differing_spikes(brian, mirror).sel(layer=self._spiking).sum("layer")
        restarted = one_step(self._network, self._presented(self._network), brian)
        agreement = _agreement(spikes)
        alive = [is_alive(brian, layer).to_numpy() for layer in self._spiking]
        perturb = perturb or (not self._exact and agreement < AGREEMENT)
        return Parity(
            **common,
            spikes=int(spikes["spikes_a"]),
            active_fraction=float(np.concatenate(alive).mean()),
            differing=int(spikes["differing"]),
            identical=1.0 - int(spikes["differing"]) / int(spikes["compared"]),
            spike_agreement=agreement,
            one_step=restarted.agreement,
            excused=restarted.excused,
            explained=explained(restarted.around),
            self_agreement=self._self_agreement() if perturb else None,
        )

    def _presented(self, network: Network) -> Presentations:
        return Presentations.of(network.config, self._data, seed=self._seed)

    def _run(self, network: Network, target: Target, *, record: bool = True) -> xr.DataTree:
        backend = Backend(target, record=recorded(network) if record else ())
        return Simulation(self._engines(network, backend), self._presented(network)).result()

    def _diverged(self, brian: xr.DataTree) -> dict[str, str]:
        lines = {}
        for placed in self._placed:
            states = {name: _states(placed, name, brian)[0] for name in placed.program.states}
            if line := diverged(states, self._network.config.dt_seconds * 1e3):
                lines[placed.name] = line
        return lines

    def _state_error(self, brian: xr.DataTree, mirror: xr.DataTree) -> float:
        worst = 0.0
        for placed in self._placed:
            for name in placed.program.states:
                left, right = (each.astype(float) for each in _states(placed, name, brian, mirror))
                same = (left == right) | (np.isnan(left) & np.isnan(right))
                with np.errstate(invalid="ignore"):
                    error = np.where(same, 0.0, np.abs(left - right))
                # NaN on one side only differs by any amount.
                worst = max(worst, float(np.nan_to_num(error, nan=np.inf, posinf=np.inf).max()))
        return worst

    def _self_agreement(self) -> float:
        """Return the spike agreement of Brian2 with and without a perturbation.

        If this is low, the dynamics are chaotic, and no other implementation can agree.
        """
        networks = self._network, perturbed(self._network, seed=self._seed)
        plain, other = (self._run(each, "numpy", record=False) for each in networks)
        return _agreement(differing_spikes(plain, other).sum("layer"))

    def _of_states(self, brian: xr.DataTree, mirror: xr.DataTree, common: dict[str, Any]) -> Parity:
        """Compare the states of a network whose neuron models have no threshold."""
        layers = [self._silent_layer(placed, brian, mirror) for placed in self._placed]
        differs, moved = (np.concatenate(masks, axis=-1) for masks in zip(*layers, strict=True))
        identical = 1.0 - float(differs.mean())
        return Parity(
            **common,
            spikes=0,
            active_fraction=float(moved.mean()),
            differing=int(differs.sum()),
            identical=identical,
            spike_agreement=1.0,
            one_step=identical,
            excused=0,
            explained=0,
            silent=True,
        )

    def _silent_layer(
        self, placed: PlacedLayer, brian: xr.DataTree, mirror: xr.DataTree
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return masks of states that differ (example, time, neuron), and that moved (neuron)."""
        differs, moved = [], []
        for state in placed.program.states:
            a, b = (each.astype(np.float64) for each in _states(placed, state, brian, mirror))
            # NaN counts as a difference, too.
            most = 0.0 if self._exact else CLOSE * np.abs(a).max()
            differs.append(~(np.abs(a - b) <= most))
            moved.append((a != a[:, :1]).any(axis=(0, 1)))
        return np.any(differs, axis=0), np.any(moved, axis=0)


def _states(placed: PlacedLayer, name: str, *results: xr.DataTree) -> list[NDArray[Any]]:
    return [each[f"/layers/{placed.name}"][f"state_{name}"].to_numpy() for each in results]


def _agreement(spikes: xr.Dataset) -> float:
    """Return the spikes of both sides over those of either; 1 if there are none."""
    either = int(spikes["differing"] + spikes["common"])
    return int(spikes["common"]) / either if either else 1.0
