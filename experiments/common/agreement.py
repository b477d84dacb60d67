"""Agreement of Brian2 and the mirror: a trial's network in both, and the criterion of equality."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.runner.criteria import Criterion, agreement, largest
from experiments.runner.experiment import SPIKES, Column
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.simulation.backend import Target

#: The column of spikes that differ.
DIFFERING = "differing_spikes"

#: The column of the largest difference of an image's error.
ERROR_DIFFERENCE = "error_difference"

#: The columns of `Agreement.spikes`.
COLUMNS = {
    DIFFERING: Column("spikes that differ between Brian2 and the mirror"),
    SPIKES: Column("spikes of the quietest layer"),
}

#: The columns of `Agreement.outputs`.
OUTPUTS = {"differing_outputs": Column("outputs that differ between Brian2 and the mirror")}


@dataclass(frozen=True)
class Agreement:
    """The results of a network in Brian2 and in the mirror, both in float64.

    `result`, `mirror`: both results, see `docs/result.md`.
    """

    network: Network
    result: xr.DataTree
    mirror: xr.DataTree

    @property
    def spikes(self) -> dict[str, float]:
        """The number of spikes that differ (NaN if neither fires), and of the quietest layer."""
        from bioae.analysis import differing_spikes

        table = differing_spikes(self.result, self.mirror)
        compared = int(table["spikes_a"].sum() + table["spikes_b"].sum())
        return {
            DIFFERING: int(table["differing"].sum()) if compared else math.nan,
            SPIKES: fewest_spikes(self.network, self.result),
        }

    @property
    def outputs(self) -> dict[str, int]:
        """The number of outputs that differ."""
        pair = (each["output"].to_numpy() for each in (self.result, self.mirror))
        return {"differing_outputs": int(np.not_equal(*pair).sum())}


def fewest_spikes(network: Network, result: xr.DataTree) -> int:
    """Return the number of spikes of the quietest layer, of those whose neurons can spike."""
    spiking = [layer.name for layer in network.config.placed if layer.can_fire]
    return min(int(result[f"layers/{name}"]["spike_count"].sum()) for name in spiking)


def in_both(
    trial: Trial, network: Network, data: Data | ArrayLike, name: str = "simulation"
) -> Agreement:
    """Simulate a network in Brian2, see `Trial.simulate`, and in the mirror."""
    return Agreement(network, trial.simulate(network, data, name), trial.mirror(network, data))


def learning_difference(start: Network, data: Any, *targets: Target, **options: Any) -> int:
    """Return how many weights differ from those of the first target after learning."""
    from bioae.api import learn

    first, *others = (
        learn(start, data, target, **options, progress=False).network.weights for target in targets
    )
    return sum(int((first[name] != each[name]).sum()) for each in others for name in each)


def no_difference(conditions: Iterable[str]) -> tuple[Criterion, ...]:
    """Return the criterion of each condition that no spike differs in Brian2."""
    return _at_most(conditions, DIFFERING, "spikes that differ in Brian2", 0.0)


def same_errors(conditions: Iterable[str]) -> tuple[Criterion, ...]:
    """Return the criterion of each condition that the errors of images are Brian2's."""
    text = "largest difference of an image's error in Brian2"
    return _at_most(conditions, ERROR_DIFFERENCE, text, 1e-9)


def _at_most(
    conditions: Iterable[str], column: str, text: str, most: float
) -> tuple[Criterion, ...]:
    return tuple(
        agreement(f"{text}, {name}", largest(column, name), "<=", most) for name in conditions
    )
