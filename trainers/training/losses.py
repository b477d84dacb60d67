"""Losses: the error of the outputs of a batch, as a number to minimise.

`bioae.networks.tasks` says which losses a task allows. Where the targets are classes, an error of
numbers compares the outputs with 1 for the class and 0 for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from bioae.checks import one_of
from bioae.errors import NetworkError
from bioae.networks.tasks import Rates, Task
from bioae.trainers.mirror.activity import Activity

#: Takes the output (example, ...) and the target, of the same shape or classes (example,), and
#: returns a number.
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the sum of squared errors of each example, shape (example,).

    `output`, `target`: shape (example, ...).
    """
    return (output - target).square().flatten(1).sum(1)


def sum_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the squared error summed over the outputs of an example, averaged over the batch.

    As in Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045).
    """
    return squared_error(output, _numbers(target, output)).mean()


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the squared error averaged over the outputs too.

    Each regulariser then weighs more by the number of outputs.
    """
    return (output - _numbers(target, output)).square().mean()


def mean_absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the absolute error, averaged over the outputs and the batch."""
    return (output - _numbers(target, output)).abs().mean()


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of the softmax of the outputs and the class, in nats."""
    return functional.cross_entropy(output, target)


def multi_margin(output: Tensor, target: Tensor) -> Tensor:
    """Return the sum over the other classes of max(0, 1 - output of the class + output).

    It is divided by the number of all classes, as in PyTorch.
    """
    return functional.multi_margin_loss(output, target)


#: The losses by name.
LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        sum_squared_error, mean_squared_error, mean_absolute_error, cross_entropy, multi_margin
    )
}  # fmt: skip


def loss_function(name: str) -> Loss:
    """Return a loss by its name.

    Raises
    ------
    NetworkError
        If there is no such loss.
    """
    one_of(name, "the loss", tuple(LOSSES), error=NetworkError)
    return LOSSES[name]


def measured(task: Task | Rates, activity: Activity, dt: float) -> Activity:
    """Return an activity with the outputs that the loss of a task reads, of steps of `dt` seconds.

    The mean rate of a population (example, population) is that of its neurons over all steps.
    """
    if not isinstance(task, Rates):
        return activity
    layers = [activity.layers[name] for name in task.rates]
    means = [each.counts.flatten(1).mean(1) / len(each.spikes) for each in layers]
    return replace(activity, output=torch.stack(means, 1) / dt)


def _numbers(target: Tensor, output: Tensor) -> Tensor:
    """Return targets of the shape of the outputs."""
    if target.ndim == output.ndim:
        return target
    return functional.one_hot(target, output.shape[-1]).to(output)
