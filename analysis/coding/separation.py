"""Whether images of a class are nearer to each other, in spike counts, than to others."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.coding.class_sums import class_sums
from bioae.analysis.results.arrays import classes, ratio

__all__ = ["class_separation"]


def class_separation(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the mean squared distances of counts within and between classes, and their ratio.

    The distance of two examples is the Euclidean one of their spike counts over the neurons. Means
    are over all pairs of different examples, exactly, from sums over classes: no pair is visited.

    Returns
    -------
    xarray.Dataset
        The scalars ``within``, over pairs of one class, ``between``, over pairs of two, and
        ``ratio``, the first over the second: 1 where classes make no difference, 0 where each
        class has one response. ``within_class (class)`` is of each class by itself. NaN is what
        has no pair, and ``ratio`` also where all responses are the same.

    Raises
    ------
    ResultError
        If the result has no labels, or no such layer.

    Notes
    -----
    Of squared distances, as in the pseudo-F ratio of Caliński & Harabasz (1974), Communications in
    Statistics 3, 1-27, doi:10.1080/03610927408827101, but over pairs and not around centroids.
    """
    names, _ = classes(tree)
    sums = class_sums(tree, layer)
    sizes = sums.sizes[: names.size]
    # Sums over ordered pairs, in whole numbers: of a class, and of all examples.
    squares = sums.squares.sum(1)[: names.size]
    inside = 2 * (sizes * squares - (sums.total**2).sum(1)[: names.size])
    all_pairs = 2 * (sizes.sum() * squares.sum() - (sums.total.sum(0) ** 2).sum())
    pairs = sizes * (sizes - 1)
    others = sizes.sum() * (sizes.sum() - 1) - pairs.sum()
    within = ratio(inside.sum(), pairs.sum())
    between = ratio(all_pairs - inside.sum(), others)
    scalars = {
        "within": (within, "mean squared distance within classes"),
        "between": (between, "mean squared distance between classes"),
        "ratio": (ratio(within, between), "within over between classes"),
    }
    attrs = {"long_name": "mean squared distance within the class", "units": "1"}
    return xr.Dataset(
        {
            "within_class": ("class", ratio(inside, pairs), attrs),
            **{
                name: ((), np.float64(value), {"long_name": text, "units": "1"})
                for name, (value, text) in scalars.items()
            },
        },
        coords={"class": names},
    )
