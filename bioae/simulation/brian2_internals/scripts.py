"""Parts of the objects of a user's script that have no public name."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.equations import equations
from numpy.typing import NDArray

#: The types of equations.
DIFFERENTIAL, PARAMETER, SUBEXPRESSION = (
    equations.DIFFERENTIAL_EQUATION, equations.PARAMETER, equations.SUBEXPRESSION
)  # fmt: skip


def pathways_of(synapses: Any) -> list[Any]:
    """Return the pathways of synapses."""
    return list(synapses._pathways)


def target_of(poisson_input: Any) -> Any:
    """Return the group that a `PoissonInput` leads to."""
    return poisson_input._group


def poisson_rates(group: Any) -> Any:
    """Return the rates of a `PoissonGroup`: quantities, or an expression."""
    return group._rates


def generated_spikes(generator: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the times in seconds and the neurons of a `SpikeGeneratorGroup`'s spikes."""
    times = np.asarray(generator._spike_time, np.float64)
    return times, np.asarray(generator._neuron_index, np.int64)
