"""Effects: differences between the neurons of two results, by layer and statistic.

The unit is the neuron: each has one value of a statistic, such as its firing rate, and two layers
are two samples of neurons. If both results are of one network, neuron n is the same in both, and
neurons are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bioae.analysis.comparison.samples import COLUMNS, Bootstrap, compare_samples, holm
from bioae.analysis.measures.statistics import neuron_statistics
from bioae.analysis.results.arrays import check_of_neurons
from bioae.analysis.results.layers import (
    duration_s,
    firing_layers,
    of_layer,
    of_result,
    result_of,
)
from bioae.checks import instance, real, whole
from bioae.errors import ResultError

#: The statistics of neurons that are compared between results and with cortex.
COMPARED = (
    "firing_rate", "isi_cv", "isi_cv2", "lv", "lvr", "fano_factor", "lifetime_sparseness",
)  # fmt: skip

Values = Mapping[str, xr.Dataset]


@of_result
def compare(
    a: xr.DataTree,
    b: xr.DataTree,
    *,
    paired: bool | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """Compare the neurons of two results, such as mirror and Brian2, two models, or two seeds.

    Parameters
    ----------
    paired
        Whether neuron n of one is neuron n of the other. By default it is, if the results are of
        the same network (`network_sha256`) and a layer has as many neurons in both. A network with
        another neuron model, a lesion or a spread is not the same: say so if its neurons are.
    level, resamples, seed
        As in `compare_values`.

    Returns
    -------
    xarray.Dataset
        As from `compare_values`, of `neuron_values`, for the layers that both results have and that
        can fire in both. The attribute ``note`` says so if trials or presentations differ in
        length.

    Raises
    ------
    ResultError
        If no layer is in both, or `paired` is true for layers of different sizes.
    """
    b = result_of(b)
    if paired is None:
        paired = is_paired(a, b)
    first, second = (
        {name: neuron_values(tree, name) for name in firing_layers(tree)} for tree in (a, b)
    )
    found = compare_values(
        first, second, paired=paired, level=level, resamples=resamples, seed=seed
    )
    return found.assign_attrs(windows_note(a, b))


def windows_note(a: xr.DataTree, b: xr.DataTree) -> dict[str, str]:
    """Return a note, as an attribute, on results whose trials differ in length or number."""
    lengths, notes = [duration_s(tree) for tree in (a, b)], []
    if abs(lengths[0] / lengths[1] - 1) >= 0.01:
        notes.append(
            "Trials or presentations last {:g} and {:g} s: intervals are cut off by short ones, so "
            "CV, Fano factors and sparseness differ for that too.".format(*lengths)
        )
    if a.sizes["example"] != b.sizes["example"]:
        notes.append(
            f"There are {a.sizes['example']} and {b.sizes['example']} examples: statistics over "
            "examples, such as Fano factors and CV, depend on their number."
        )
    return {"note": " ".join(notes)} if notes else {}


def is_paired(a: xr.DataTree, b: xr.DataTree) -> bool | None:
    """Return False for different networks, else None: pairing depends on the layer."""
    names = ("network_sha256", "recorded_sha256")
    networks = {next((t.attrs[n] for n in names if n in t.attrs), None) for t in (a, b)}
    return None if len(networks) == 1 and None not in networks else False


@of_layer
def neuron_values(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the statistics `COMPARED` of each neuron of a layer, (neuron,), one variable each."""
    return neuron_statistics(tree, layer)[list(COMPARED)]


def compare_values(
    a: Values,
    b: Values,
    *,
    paired: bool | None = False,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """Compare precomputed statistics of neurons.

    A neuron without a finite value is left out, and so is its partner in a pair.

    Parameters
    ----------
    a, b
        By layer, the statistics of each neuron, (neuron,), as from `neuron_values`. The layers and
        statistics that both have are compared.
    paired
        Whether neuron n of one is neuron n of the other, as in results of one network; None: if a
        layer has as many neurons in both.
    level, resamples, seed
        Coverage, number of resamples and seed of the bootstrap interval of the difference of the
        means (`scipy.stats.bootstrap`, percentile method).

    Returns
    -------
    xarray.Dataset
        (layer, statistic) The numbers of neurons `neurons_a` and `neurons_b`, their means, the
        `difference` (second minus first) with its confidence interval, effect sizes
        (`bioae.analysis.comparison.samples`), and the `p_value` of the Wilcoxon signed-rank test of
        pairs or else of the Mann-Whitney test, both two-sided; `p_holm` corrects it for all the
        tests of the dataset. `kolmogorov_smirnov` and `wasserstein` are distances between the two
        distributions, in units of 1 and of the statistic. `paired (layer)` says whether neurons
        were compared in pairs. NaN if there are too few values; p is 1 if no value differs.

    Raises
    ------
    ResultError
        If the two share no layer or statistic, `paired` is true for layers of different sizes, or
        `level` or `resamples` is out of range.
    """
    if not 0 < real(level, "level", error=ResultError) < 1:
        raise ResultError("the level is out of range", expected="between 0 and 1", found=str(level))
    whole(resamples, "resamples", least=1, error=ResultError)
    whole(seed, "the seed", most=2**64 - 1, error=ResultError)
    for own in (a, b):
        instance(own, "the statistics by layer", Mapping, error=ResultError)
        for name, each in own.items():
            hint = 'Call neuron_values, or array.to_dataset(name="rate")'
            instance(each, f"layer {name!r}", xr.Dataset, hint=hint, error=ResultError)
    # Each comparison starts from the seed, whatever else is compared.
    bootstrap = Bootstrap(level, resamples, seed)
    layers = [name for name in a if name in b]
    names = _shared(a, b)
    pairs = [_paired(layer, a[layer], b[layer], paired) for layer in layers]
    dims = ("layer", "statistic")
    table = np.full((len(COLUMNS), len(layers), len(names)), np.nan)
    for i, layer in enumerate(layers):
        for j, name in enumerate(names):
            if name in a[layer] and name in b[layer]:
                values = [np.asarray(each[layer][name].to_numpy(), float) for each in (a, b)]
                kept = [np.isfinite(each) for each in values]
                if pairs[i]:
                    kept = [kept[0] & kept[1]] * 2
                x, y = (each[own] for each, own in zip(values, kept, strict=True))
                table[:, i, j] = list(compare_samples(x, y, pairs[i], bootstrap).values())
    columns = dict(zip(COLUMNS, table, strict=True))
    for column in ("neurons_a", "neurons_b"):
        columns[column] = np.nan_to_num(columns[column]).astype(np.int64)
    effects = {name: (dims, columns[name], {"long_name": COLUMNS[name]}) for name in COLUMNS}
    corrected = {"long_name": "p, corrected for all tests"}
    effects["p_holm"] = (dims, holm(columns["p_value"]), corrected)
    paired_layers = "layer", pairs, {"long_name": "neurons were compared in pairs"}
    coords = {"layer": layers, "statistic": names}
    return xr.Dataset({**effects, "paired": paired_layers}, coords)


def _shared(a: Values, b: Values) -> list[str]:
    """Return the statistics that both have of a layer."""
    layers = [name for name in a if name in b]
    names = dict.fromkeys(str(name) for layer in layers for name in a[layer].data_vars)
    shared = [name for name in names if any(name in a[each] and name in b[each] for each in layers)]
    if not shared:
        raise ResultError(
            "the two have no layer and statistic in common to compare",
            found=" and ".join(", ".join(map(repr, each)) or "none" for each in (a, b)),
            hint="Name the population of a recording as the layer",
        )
    return shared


def _paired(layer: str, a: xr.Dataset, b: xr.Dataset, paired: bool | None) -> bool:
    for values in (a, b):
        for name, each in values.data_vars.items():
            check_of_neurons(name, each, layer, values.sizes.get("neuron", 0))
    sizes = [values.sizes["neuron"] for values in (a, b)]
    if paired and sizes[0] != sizes[1]:
        raise ResultError(
            "layers of different sizes have no pairs of neurons", where=layer,
            expected=f"{sizes[0]} neurons, as in the first", found=str(sizes[1]),
            hint="Compare them with paired=False",
        )  # fmt: skip
    return sizes[0] == sizes[1] if paired is None else paired
