"""Memory, operations and energy of arithmetic: accumulates of spikes, products of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.runner.experiment import Column

if TYPE_CHECKING:
    import xarray as xr

    from bioae.datasets import Data
    from bioae.networks.network import Network

#: Energy of an accumulate and of a multiply-accumulate, in nJ: 32-bit floating point at 45 nm, by
#: Horowitz, "Computing's energy problem" (2014), ISSCC 10-14, doi:10.1109/ISSCC.2014.6757323.
_ACCUMULATE, _MULTIPLY_ACCUMULATE = 0.9e-3, 4.6e-3

#: The columns of `costs`.
COSTS = {
    "weight_bytes": Column("memory of what is trained", "bytes"),
    "analogue_bytes": Column("memory of the state in numbers", "bytes"),
    "binary_bytes": Column("memory of the state in spikes", "bytes"),
    "accumulates": Column("accumulates per step"),
    "multiply_accumulates": Column("multiply-accumulates per step"),
    "energy": Column("energy per step", "nJ"),
}  # fmt: skip


def costs(
    trained: float, states: float, spiking: float, accumulates: float, products: float
) -> dict[str, float]:
    """Return the memory of numbers of 32 bits and of neurons' spikes, operations and energy."""
    return {
        "weight_bytes": 4 * trained, "analogue_bytes": 4 * states, "binary_bytes": spiking / 8,
        "accumulates": accumulates, "multiply_accumulates": products,
        "energy": energy_of(accumulates, products),
    }  # fmt: skip


def energy_of(accumulates: float, products: float) -> float:
    """Return the energy of accumulates and multiply-accumulates, in nJ."""
    return _ACCUMULATE * accumulates + _MULTIPLY_ACCUMULATE * products


def operations_of(network: Network, result: xr.DataTree, data: Data, seed: int) -> xr.Dataset:
    """Return the operations of each layer per example, see `bioae.analysis.operations`."""
    from bioae.analysis import operations
    from bioae.simulation import input_events

    events, graded = input_events(network, data, seed=seed), network.config.encoder.graded
    return operations(result, network.synapse_counts(), input_events=events.ravel(), graded=graded)
