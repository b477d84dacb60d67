"""Comparison of back-propagated gradients with finite differences, for each trained quantity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import torch
from torch import Tensor

from bioae.checks import whole
from bioae.datasets.conversion import DataOptions, check_options
from bioae.errors import NetworkError
from bioae.networks.artefact import NetworkLike, network_of
from bioae.random import named_stream
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.layer_parameters import LayerOptions
from bioae.trainers.mirror.linearised import linearised
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.descent import targets_of
from bioae.trainers.training.losses import loss_function

if TYPE_CHECKING:
    from bioae.datasets import Data

#: The number of examples by default.
_EXAMPLES = 4

#: The steps of differences, relative to the mean size of a quantity.
_STEPS = [1e-4 / 4**k for k in range(8)]

#: The distance of parameters from their bounds, more than any of these steps.
_MARGIN = 1e-3

#: A derivative below this fraction of the loss is 0, and below the other it is rounding.
_ZERO, _ROUNDING = 1e-7, 1e-11


def check_gradients(
    network: NetworkLike,
    data: Data | Any = "sample",
    options: LayerOptions | None = None,
    *,
    directions: int = 3,
    seed: int = 0,
    **data_options: Unpack[DataOptions],
) -> pd.DataFrame:
    """Compare the gradient of a network's loss with finite differences, in float64.

    A spike is a step, whose differences are 0 almost everywhere. The differences are therefore
    those of the function that back-propagation differentiates: each neuron fires as in the
    presentation, its spike changes by the spike derivative times the change of its distance to
    threshold (with the derivative `exact`: by the change of its time), and detached values stay as
    they are.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    data, data_options
        Data in any of the forms of `bioae.datasets.convert`, with labels or targets where the task
        needs them; by default the embedded digits of the test split. Without `limit` or
        `examples`, the first 4 examples are used.
    options
        The trained parameters and delays, the spike derivative and other options of gradients, as
        of `NetworkMirror`.
    directions
        The number of random directions for each quantity.
    seed
        The seed of the directions, of random input and of the noise of neurons.

    Returns
    -------
    pandas.DataFrame
        A row per trained quantity, such as ``LAYER.weight``, ``LAYER.bias`` or ``LAYER.tau``. The
        derivative of the task's default loss along a direction by ``back_propagation``, that by
        ``differences``, and their ``relative_difference``, in the direction in which they differ
        most. Directions are standard normal, times the mean size of the quantity's numbers; for
        parameters, times their scale in training. Delays are checked between two steps, and
        parameters at a bound at 0.001 of their scale from it.

    Raises
    ------
    NetworkError
        If the network's task has no loss, or there is nothing to train.
    DataError
        If the data do not fit the network, or have no labels or targets that its task needs.
    """
    check_options(data_options, check_gradients)
    whole(directions, "directions", least=1)
    found = network_of(network)
    task, steps = found.config.task, found.config.steps
    presented = Presentations.of(found.config, data, seed=seed, **data_options)
    if data_options.get("limit") is None and data_options.get("examples") is None:
        presented = presented[:_EXAMPLES]
    part, mirror = slice(len(presented)), NetworkMirror(found, options, dtype=torch.float64)
    if not (task.losses and mirror.weights):
        raise NetworkError(
            "the network has no gradient to check", found=f"the task {task.kind!r}",
            expected="a task with a loss, and trained weights or parameters",
        )  # fmt: skip
    drive, loss = torch.from_numpy(presented.drive(part)), loss_function(task.losses[0])
    targets = targets_of(task, presented.data, steps, dtype=torch.float64)
    _move_inside(mirror)

    def run() -> Tensor:
        return loss(mirror(drive, key=presented.key(part)).output, targets)

    value, weights, rows = run(), mirror.weights, {}
    gradients = torch.autograd.grad(value, [*weights.values()], materialize_grads=True)
    nearby, generator = linearised(run), named_stream(seed, "check_gradients")
    for (name, tensor), gradient in zip(weights.items(), gradients, strict=True):
        size, pairs = float(tensor.detach().abs().mean()) or 1.0, []
        for _ in range(directions):
            along = size * torch.from_numpy(np.asarray(generator.standard_normal(tensor.shape)))
            difference = slope(nearby, {name: tensor}, {name: along})
            pairs.append((float((gradient * along).sum()), difference))
        largest = max(np.abs(pairs).max(), _ZERO * abs(value.item())) or 1.0
        worst = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
        rows[name] = (*worst, abs(worst[0] - worst[1]) / largest)
    columns = ["back_propagation", "differences", "relative_difference"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def _move_inside(mirror: NetworkMirror) -> None:
    """Move delays between two steps, and parameters off their bounds."""
    for delays in mirror.delays.values():
        delays.steps.data = delays.steps.data.floor().clamp(max=delays.high - 1) + 0.5
    for each in mirror.trained.values():
        low, high = (torch.from_numpy(np.asarray(end)) for end in each.scale.bounds)
        each.raw.data = each.raw.data.clamp(low + _MARGIN, high - _MARGIN)


def slope(
    run: Callable[[], Tensor], tensors: Mapping[str, Tensor], along: Mapping[str, Tensor]
) -> float:
    """Return the derivative of a number along a direction of tensors, from central differences.

    Those of two steps, one twice the other, are combined so that errors of the second order cancel
    (Richardson). The steps are the largest at which the two agree: stiff models curve strongly.
    """
    before = {name: tensors[name].data for name in along}

    def at(step: float) -> float:
        for name, direction in along.items():
            tensors[name].data = before[name] + step * direction
        return float(run())

    best, rounding = (math.inf, 0.0), _ROUNDING * abs(at(0.0))
    for step in _STEPS:
        wide, narrow = ((at(each) - at(-each)) / (2 * each) for each in (2 * step, step))
        best = min(best, (abs(wide - narrow), (4 * narrow - wide) / 3))
        if best[0] <= max(1e-5 * abs(narrow), rounding):
            break
    for name, values in before.items():
        tensors[name].data = values
    return best[1]
