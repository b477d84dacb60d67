"""Noisy models fire as they do with Brian2's own random numbers: in distribution."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from brian2 import Network as Brian2Network
from brian2 import NeuronGroup, SpikeMonitor, ms, prefs, seed
from builders import dense, described
from numpy.typing import NDArray
from scipy import stats

from bioae import simulate
from bioae.networks import Network
from bioae.simulation import Backend

NEURONS, STEPS, EXAMPLES = 100, 250, 10

#: White noise, a random threshold ("escape noise"), noise held over a step, and a random reset.
MODELS: dict[str, dict[str, Any]] = {
    "white": {"equations": "dv/dt = (1.1 - v)/tau + 0.3*sqrt(2/tau)*xi : 1"},
    "multiplicative": {
        "equations": "dv/dt = (1.1 - v)/tau + 0.3*v*sqrt(2/tau)*xi : 1",
        "method": "heun",
    },
    "escape": {
        "equations": "dv/dt = (0.9 - v)/tau : 1",
        "threshold": "rand() < 0.05*exp(4*(v - 1))",
    },
    "held": {
        "equations": """
        dv/dt = (1.1 + eta - v)/tau : 1
        eta = 2*randn() : 1 (constant over dt)
        """,
        "reset": "v = 0.5*rand()",
    },
}
COMMON: dict[str, Any] = {
    "threshold": "v > 1", "reset": "v = 0", "refractory": "2*ms", "method": "euler",
}  # fmt: skip


class Sample(NamedTuple):
    """Potentials at the end, spikes of each neuron, and intervals between them, in steps."""

    potential: NDArray[Any]
    count: NDArray[Any]
    interval: NDArray[Any]


def ours(fields: dict[str, Any]) -> Sample:
    noisy = {
        **fields, "description": "Noisy.", "input": "v", "parameters": {"tau": "10*ms"},
        "surrogate": {"distance": "v - 1", "scale": "1"},
    }  # fmt: skip
    config = described(
        dense("only", NEURONS), input_shape=[1, 1, NEURONS], steps=STEPS, neuron="noisy",
        neurons={"noisy": noisy},
    )  # fmt: skip
    network = Network(config, {"only.weight": np.zeros((NEURONS, NEURONS))})
    result = simulate(
        network, np.zeros((EXAMPLES, 1, 1, NEURONS)), Backend("torch", record=["v"]), seed=3
    )
    layer = result["/layers/only"]
    owner = np.asarray(layer["spike_example"]) * NEURONS + np.asarray(layer["spike_neuron"])
    return Sample(
        layer["state_v"].values[:, -1].ravel(),
        layer["spike_count"].values.ravel(),
        intervals(owner, np.rint(np.asarray(layer["spike_time_ms"])).astype(int)),
    )


def brians(fields: dict[str, Any]) -> Sample:
    """Run a plain group with Brian2's generator; a presentation starts a step before its window."""
    before, prefs.codegen.target = prefs.codegen.target, "numpy"
    try:
        seed(5)
        group = NeuronGroup(
            NEURONS * EXAMPLES, fields["equations"], threshold=fields["threshold"],
            reset=fields["reset"], refractory=fields["refractory"], method=fields["method"],
            namespace={"tau": 10 * ms, "ms": ms}, dt=1 * ms,
        )  # fmt: skip
        spikes = SpikeMonitor(group)
        Brian2Network(group, spikes).run((STEPS + 1) * ms)
        step = np.rint(spikes.t / ms).astype(int) - 1
        inside = step >= 0
        owner = np.array(spikes.i)[inside]
        count = np.bincount(owner, minlength=NEURONS * EXAMPLES)
        return Sample(np.array(group.v), count, intervals(owner, step[inside]))
    finally:
        prefs.codegen.target = before


def intervals(owner: NDArray[Any], step: NDArray[Any]) -> NDArray[Any]:
    """Return the intervals between the spikes of each neuron (spike)."""
    order = np.lexsort((step, owner))
    same = np.diff(owner[order]) == 0
    return np.diff(step[order])[same]


@pytest.mark.medium
@pytest.mark.parametrize("name", MODELS)
def test_rates_intervals_and_potentials(name: str) -> None:
    fields = {**COMMON, **MODELS[name]}
    mine, theirs = ours(fields), brians(fields)
    assert mine.count.mean() > 2
    # Sums over neurons that are independent: two means differ by normal deviations.
    for a, b in ((mine.count, theirs.count), (mine.potential, theirs.potential)):
        assert abs(a.mean() - b.mean()) < 4 * np.sqrt((a.var() + b.var()) / a.size)
        # The variance of a variance, from the fourth moment.
        spread = sum(float(((x - x.mean()) ** 2).var()) / x.size for x in (a, b))
        assert abs(a.var() - b.var()) < 4 * np.sqrt(spread)
    assert stats.ks_2samp(mine.potential, theirs.potential).pvalue > 1e-3
    assert mine.interval.size > 2000
    assert same_intervals(mine.interval, theirs.interval) > 1e-3
    # The test has power: it detects intervals that are longer by a tenth.
    longer = mine.interval + max(1, int(mine.interval.mean() / 10))
    assert same_intervals(longer, theirs.interval) < 1e-6


def same_intervals(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the p-value of two samples of intervals having one distribution."""
    edges = np.unique(np.quantile(b, np.linspace(0.1, 0.9, 9)))
    bins = [np.digitize(each, edges, right=True) for each in (a, b)]
    table = np.stack([np.bincount(each, minlength=len(edges) + 1) for each in bins])
    return float(stats.chi2_contingency(table[:, table.sum(0) > 0]).pvalue)
