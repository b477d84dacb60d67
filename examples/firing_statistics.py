"""Compare the firing of two networks with xarray.

    bioae simulate MODEL --out lif.nc
    bioae simulate MODEL --out alif.nc --neuron alif
    python examples/firing_statistics.py lif.nc alif.nc

A result is an `xarray.DataTree`; docs/result.md lists its variables.
"""

from __future__ import annotations

import sys

import xarray as xr
from scipy import stats

from bioae.analysis import firing_rate, layer_names, open_result


def main(first: str, second: str) -> xr.Dataset:
    a, b = open_result(first), open_result(second)
    layers = [name for name in layer_names(a) if name in layer_names(b)]
    table = xr.concat([compare(a, b, name) for name in layers], xr.Variable("layer", layers))
    print(table.to_pandas().round(2).to_string())
    return table


def compare(a: xr.DataTree, b: xr.DataTree, layer: str) -> xr.Dataset:
    # One rate per neuron, the mean over examples (Hz).
    rates_a, rates_b = (firing_rate(tree, layer, dims="example") for tree in (a, b))
    # Distances between the two distributions: the largest difference of their cumulative functions
    # (Kolmogorov-Smirnov), and the mean shift in Hz that turns one into the other (Wasserstein).
    return xr.Dataset(
        {
            "median_a_hz": rates_a.median(),
            "median_b_hz": rates_b.median(),
            "ks_distance": stats.ks_2samp(rates_a, rates_b).statistic,
            "wasserstein_hz": stats.wasserstein_distance(rates_a, rates_b),
        }
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
