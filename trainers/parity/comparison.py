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
from numpy.typing import ArrayLike, NDArray

from bioae.analysis import differing_spikes, is_alive
from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.equations.arrays.functions import rounded
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.networks.artefact import NetworkLike, network_of
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import MAX_SEED
from bioae.simulation.backend import BRIAN2_TARGETS, Backend, Target, known_target
from bioae.simulation.presentations import Presentations, converted
from bioae.simulation.run import Simulation
from bioae.simulation.workers.job import Brian2Engine
from bioae.trainers.mirror.engine import MirrorEngine
from bioae.trainers.parity.networks import GRID_BITS, parity_network, perturbed, silent_network
from bioae.trainers.parity.one_step import CLOSE, one_step
from bioae.trainers.parity.report import AGREEMENT, Parity
from bioae.trainers.parity.threshold import explained

__all__ = ["compare", "model_parities", "model_parity", "recorded", "report"]


def model_parity(model: NeuronModel, *, target: Target = "numpy", **options: Any) -> Parity:
    """Compare the mirror with Brian2 on a small random network of a neuron model.

    Parameters
    ----------
    model
        The neuron model.
    target
        Brian2's target.
    options
        See `model_parities`.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    (parity,) = model_parities(model, [target], **options)
    return parity


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
    *,
    neurons: int = 100,
    steps: int = 200,
    examples: int = 4,
    seed: int = 0,
    perturb: bool = False,
) -> list[Parity]:
    """Compare the mirror with Brian2 on several targets, on one network of a neuron model.

    For a model that never fires, states are compared instead of spikes.

    Parameters
    ----------
    model
        The neuron model.
    targets
        Brian2's targets.
    neurons
        The number of neurons in both layers together.
    steps, examples
        The number of steps of a presentation, and of presentations.
    seed
        The seed of weights and input.
    perturb
        See `compare`.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    lower(model)  # refuses what is not a neuron model
    targets = [known_target(target, BRIAN2_TARGETS) for target in targets]
    size = {
        "neurons": whole(neurons, "neurons", least=2),
        "steps": whole(steps, "steps", least=2),
        "examples": whole(examples, "examples", least=1),
        "seed": whole(seed, "the seed", most=MAX_SEED),
    }
    options: dict[str, Any] = {"name": model.name, "seed": seed}
    if model.threshold is None:
        network, data = silent_network(model, **size)
        return [_compare_states(network, data, target=each, **options) for each in targets]
    network, data = parity_network(model, **size)
    options["perturb"] = perturb
    return [compare(network, data, target=each, **options) for each in targets]


def compare(
    network: NetworkLike,
    data: Data | Any,
    *,
    name: str | None = None,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
    **options: Unpack[DataOptions],
) -> Parity:
    """Compare the mirror of a network with Brian2 on data, in float64.

    Spikes are those of the layers that spike. If there are none, states are compared instead.

    Parameters
    ----------
    network, data, options
        See `bioae.simulation.simulate`.
    name
        The network's name in the report; by default its path or name.
    target
        Brian2's target.
    seed
        The seed of random input.
    perturb
        Whether to compare Brian2 with itself, perturbed, in any case; by default only if the two
        sides disagree and need not be equal.
    """
    name = name or (str(network) if isinstance(network, str | Path) else "network")
    network = network_of(network)
    # Without labels and targets, which need not be those of the network's task.
    data = replace(converted(network.config, data, **options), labels=None, targets=None)
    if not _spiking(network):
        return _compare_states(network, data, name=name, target=target, seed=seed)
    brian = _in_brian2(network, data, Backend(target, record=recorded(network)), seed)
    return report(network, data, brian, name=name, seed=seed, perturb=perturb)


def recorded(network: Network) -> set[str]:
    """Return the names of all states, which must be recorded for a comparison."""
    return {name for placed in network.config.placed for name in placed.program.states}


def report(
    network: Network,
    data: Data | ArrayLike,
    brian: xr.DataTree,
    *,
    name: str,
    seed: int = 0,
    perturb: bool = False,
) -> Parity:
    """Compare the mirror with Brian2's result for a network, with every state recorded.

    Parameters
    ----------
    network, data, name, seed, perturb
        See `compare`.
    brian
        Brian2's result.
    """
    mirror = _in_mirror(network, data, seed)
    spikes = differing_spikes(brian, mirror).sel(layer=_spiking(network)).sum("layer")
    differing, either = int(spikes["differing"]), int(spikes["differing"] + spikes["common"])
    agreement = int(spikes["common"]) / either if either else 1.0
    presentations = Presentations.of(network.config, data, seed=seed)
    restarted = one_step(network, presentations, brian)
    exact = _exact(network)
    perturb = perturb or (not exact and agreement < AGREEMENT)
    return Parity(
        model=name,
        target=brian.attrs["target"],
        steps=network.config.steps,
        neurons=sum(placed.size for placed in network.config.placed),
        examples=len(presentations),
        spikes=int(spikes["spikes_a"]),
        active_fraction=_active_fraction(brian, _spiking(network)),
        differing=differing,
        identical=1.0 - differing / int(spikes["compared"]),
        spike_agreement=agreement,
        one_step=restarted.agreement,
        excused=restarted.excused,
        explained=explained(restarted.around),
        max_state_error=_state_error(network, brian, mirror),
        exact=exact,
        self_agreement=_self_agreement(network, data, seed) if perturb else None,
    )


def _in_brian2(network: Network, data: Data | Any, backend: Backend, seed: int) -> xr.DataTree:
    presented = Presentations.of(network.config, data, seed=seed)
    return Simulation(Brian2Engine(network, backend), presented).result()


def _in_mirror(network: Network, data: Data | Any, seed: int) -> xr.DataTree:
    presented = Presentations.of(network.config, data, seed=seed)
    backend = Backend("torch", record=recorded(network))
    return Simulation(MirrorEngine(network, backend), presented).result()


def _spiking(network: Network) -> list[str]:
    """Return the names of the layers that spike."""
    return [each.name for each in network.config.placed if each.can_fire]


def _active_fraction(result: xr.DataTree, layers: Iterable[str]) -> float:
    alive = [is_alive(result, layer).to_numpy() for layer in layers]
    return float(np.concatenate(alive).mean())


def _exact(network: Network) -> bool:
    synaptic = {n for placed in network.config.placed for n in placed.weight_shapes}
    weights = [network.weights[name] for name in synaptic]
    on_grid = all((each == rounded(each, GRID_BITS)).all() for each in weights)
    return on_grid and all(placed.program.reproducible for placed in network.config.placed)


def _state_error(network: Network, brian: xr.DataTree, mirror: xr.DataTree) -> float:
    worst = 0.0
    for placed in network.config.placed:
        a, b = brian[f"/layers/{placed.name}"], mirror[f"/layers/{placed.name}"]
        for name in placed.program.states:
            left, right = (each[f"state_{name}"].to_numpy().astype(float) for each in (a, b))
            same = (left == right) | (np.isnan(left) & np.isnan(right))
            with np.errstate(invalid="ignore"):
                error = np.where(same, 0.0, np.abs(left - right))
            # NaN on one side only differs by any amount.
            worst = max(worst, float(np.nan_to_num(error, nan=np.inf, posinf=np.inf).max()))
    return worst


def _self_agreement(network: Network, data: Data | ArrayLike, seed: int) -> float:
    """Return the spike agreement of Brian2 with and without a perturbation.

    If this is low, the dynamics are chaotic, and no other implementation can agree.
    """
    plain, other = (
        _in_brian2(each, data, Backend("numpy"), seed)
        for each in (network, perturbed(network, seed=seed))
    )
    spikes = differing_spikes(plain, other).sum("layer")
    either = int(spikes["differing"] + spikes["common"])
    return int(spikes["common"]) / either if either else 1.0


def _compare_states(
    network: Network, data: Data | ArrayLike, *, name: str, target: Target, seed: int
) -> Parity:
    """Compare the states of a network whose neuron models have no threshold."""
    brian = _in_brian2(network, data, Backend(target, record=recorded(network)), seed)
    mirror = _in_mirror(network, data, seed)
    exact = _exact(network)
    layers = [_silent_layer(placed, brian, mirror, exact) for placed in network.config.placed]
    differs, moved = (np.concatenate(masks, axis=-1) for masks in zip(*layers, strict=True))
    identical = 1.0 - float(differs.mean())
    return Parity(
        model=name,
        target=target,
        steps=network.config.steps,
        neurons=len(moved),
        examples=len(differs),
        spikes=0,
        active_fraction=float(moved.mean()),
        differing=int(differs.sum()),
        identical=identical,
        spike_agreement=1.0,
        one_step=identical,
        excused=0,
        explained=0,
        max_state_error=_state_error(network, brian, mirror),
        exact=exact,
        silent=True,
    )


def _silent_layer(
    placed: PlacedLayer, brian: xr.DataTree, mirror: xr.DataTree, exact: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of states that differ (example, time, neuron), and that moved (neuron)."""
    differs, moved = [], []
    for state in placed.program.states:
        a, b = (
            np.asarray(result[f"/layers/{placed.name}"][f"state_{state}"].values, dtype=np.float64)
            for result in (brian, mirror)
        )
        # NaN counts as a difference, too.
        differs.append(~(np.abs(a - b) <= (0.0 if exact else CLOSE * np.abs(a).max())))
        moved.append((a != a[:, :1]).any(axis=(0, 1)))
    return np.any(differs, axis=0), np.any(moved, axis=0)
