"""Measures of a learned network: activity, weights, the classes of its neurons, and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis import (
    assigned_accuracy,
    assigned_classes,
    linear_readout,
    scores,
    summary,
    weight_fields,
)
from bioae.datasets import Data
from bioae.errors import ResultError
from bioae.firing_names import bursts
from bioae.networks.config import NetworkConfig
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.runs.assessment import Assessment, baseline, chance
from bioae.runs.folder import FIGURES
from bioae.runs.rules.config import LearningConfig
from bioae.runs.splits import Splits
from bioae.simulation.results.chunk import Chunk
from bioae.unit_text import multiple

FIELDS, WEIGHTS = FIGURES

#: The quantiles of weights in metrics.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class Evaluation:
    """Measures of a network on held-out data, with fixed weights.

    `simulated`: returns the result of a network on data.
    """

    def __init__(
        self,
        config: LearningConfig,
        data: Splits,
        simulated: Callable[[Network, Data], xr.DataTree],
    ) -> None:
        self._data, self._simulated, self._seed = data, simulated, config.learning.seed
        self._network = config.network
        self._labelled = data.train[: config.learning.labelled]
        learning = [each for each in config.network.placed if each.synapses or each.persistent]
        firing = [each.name for each in learning if each.can_fire]
        #: The layer whose firing is measured; None if none that learns can fire.
        self._layer = firing[-1] if firing else None
        #: The first score of the task; if it has none, neurons get classes.
        self._score = next(iter(config.network.task.scores), None)
        self._classes: tuple[Network, xr.DataArray] | None = None

    def validation(self, network: Network) -> dict[str, Any]:
        """Return measures on the examples for validation."""
        found = self._measures(network, self._data.validation)
        return {f"validation_{name}": value for name, value in found.items()}

    def test(self, network: Network) -> dict[str, Any]:
        """Return measures on the test examples, and with labels the class of each neuron."""
        found: dict[str, Any] = {}
        if self._data.test is not None:
            measures = self._measures(network, self._data.test)
            found = {f"test_{name}": value for name, value in measures.items()}
        labelled = self._data.test is None and self._labelled.labels is not None
        labelled = labelled and self._score is None and self._layer is not None
        if labelled or "test_assigned_accuracy" in found:
            found["classes"] = self._classes_of(network).to_numpy().tolist()
        return found

    def assessment(
        self, layers: Mapping[str, Mapping[str, float]], score: float | None = None
    ) -> Assessment:
        """Return the assessment of a network by the firing of its layers and its score."""
        train, held = self._data.train, self._data.validation
        if score is not None and self._data.test is not None:
            held = self._data.test
        known = baseline(self._network.task, train, held, self._network.steps)
        if known is None and train.labels is not None and held.labels is not None:
            known = chance(train, held)
        found = Assessment(known, score, layers)
        for placed in self._network.placed:
            if placed.name == found.faulty:
                factor = 2 if placed.name in found.silent else 0.5
                weight = f'weight = "{multiple(factor, placed.model.weight)}"'
                return replace(found, suggestion=f"{weight} in layer {placed.name}")
        return found

    def final_assessment(self, metrics: Mapping[str, Any]) -> Assessment:
        """Return the assessment of a network by the metrics that `test` returned."""
        names = ("dead_fraction", "bursting_fraction")
        layers = {}
        if self._layer is not None:
            layers[self._layer] = {name: metrics.get(f"test_{name}") or 0.0 for name in names}
        return self.assessment(layers, metrics.get(f"test_{self._score or 'assigned_accuracy'}"))

    def _measures(self, network: Network, data: Data) -> dict[str, Any]:
        found = self._simulated(network, data)
        measures: dict[str, Any] = {}
        if self._score is not None:
            values = scores(found)["value"]
            measures = {str(each["score"].item()): _finite(each) for each in values}
        if self._layer is None:
            return measures
        numbers = summary(found).sel(layer=self._layer)
        names = ("rate_hz_mean", "dead_fraction", "bursting_fraction")
        measures |= {name: _finite(numbers[name]) for name in names}
        if self._score is None and self._labelled.labels is not None and data.labels is not None:
            classes = self._classes_of(network)
            accuracy = assigned_accuracy(found, self._layer, classes)["accuracy"]
            measures |= {"assigned_accuracy": float(accuracy)}
            measures |= self._readout(found, self._layer)
        return measures

    def _classes_of(self, network: Network) -> xr.DataArray:
        """Return the classes of the neurons, which the last evaluation may have found."""
        if self._classes is None or self._classes[0] is not network:
            responses = self._simulated(network, self._labelled)
            assert self._layer is not None
            self._classes = network, assigned_classes(responses, self._layer)
        return self._classes[1]

    def _readout(self, tree: xr.DataTree, layer: str) -> dict[str, float]:
        try:
            found = linear_readout(tree, layer, model="ridge", seed=self._seed)
        except ResultError:  # too few examples of a class
            return {}
        return {"readout_accuracy": float(found["mean_accuracy"])}


def activity(config: NetworkConfig, chunk: Chunk) -> dict[str, dict[str, float]]:
    """Return mean rate per step and fractions of dead and bursting neurons of layers that fire."""
    found = {}
    for placed, layer in zip(config.placed, chunk.layers, strict=True):
        if not placed.can_fire:
            continue
        presentations, counts = len(layer.counts), layer.spike_count()
        bursting = bursts(counts.sum(0), (counts > 0).sum(0), config.steps)
        found[placed.name] = {
            "rate_per_step_mean": len(layer.neuron) / (presentations * config.steps * placed.size),
            "dead_fraction": 1 - len(np.unique(layer.neuron)) / placed.size,
            "bursting_fraction": float(bursting.mean()),
        }
    return found


def quantiles(
    config: NetworkConfig, learned: Mapping[str, NDArray[np.float64]]
) -> dict[str, list[float]]:
    """Return the quantiles of existing weights, and of what neurons learn, by array."""
    values = existing(config, learned)
    return {n: [float(q) for q in np.quantile(each, LEVELS)] for n, each in values.items()}


def existing(
    config: NetworkConfig, learned: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.floating]]:
    """Return the weights of existing connections, and persistent variables of neurons, by array."""
    found: dict[str, NDArray[np.floating]] = {}
    for placed in config.placed:
        for name in (*placed.synapses, *placed.persistent.values()):
            found[name] = np.asarray(learned[name])
            if name not in placed.synapses:
                continue
            possible, connected = placed.potential_connections(name), placed.connections.get(name)
            if connected is not None:
                possible &= np.asarray(learned[connected]) != 0
            if not possible.all():
                found[name] = found[name][possible]
    return {name: each for name, each in found.items() if each.size}


def draw(
    config: LearningConfig,
    network: Network,
    history: Sequence[Mapping[str, Any]],
    out: Path,
) -> None:
    """Draw the course of the weights, and the fields of layers that see images."""
    from bioae.analysis.plots import filter_grid, save_figure, weight_courses, weight_histograms
    from bioae.analysis.plots.style import new_figure

    presentations = [row["presentations"] for row in history]
    courses = {
        name: xr.DataArray(
            [row["weights"][name] for row in history],
            dims=("presentation", "quantile"),
            coords={"presentation": presentations, "quantile": list(LEVELS)},
        )
        for name in history[0]["weights"]
    }
    learned = existing(config.network, network.weights)
    figure = new_figure(6.4, 0.4 + 2.2 * len(courses))
    grid = figure.subplots(len(courses), 2, squeeze=False)
    weight_courses(courses, ax=list(grid[:, 0]))
    weight_histograms(learned, ax=list(grid[:, 1]))
    save_figure(figure, out / WEIGHTS, overwrite=True)
    shape = config.network.input_shape
    if config.network.in_time or config.network.encoded_shape != shape:
        return
    fields = {
        name.partition(".")[0]: weight_fields(network.weights[name], shape)
        for placed in config.network.placed
        for name in placed.synapses
        if placed.projection(name).source == ENCODER
    }
    if fields:
        save_figure(filter_grid(fields), out / FIELDS, overwrite=True)


def _finite(value: xr.DataArray) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
