"""Losses: the error of the outputs of a batch, as a number to minimise; and scores of a task.

`bioae.networks.tasks` says which losses a task allows. Where the targets are classes, an error of
numbers compares the outputs with 1 for the class and 0 for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def sum_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the squared error summed over the outputs of an example, averaged over the batch.

    As in Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045).
    """
    return (output - _numbers(target, output)).square().flatten(1).sum(1).mean()


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


def scores(
    task: Task | Rates, outputs: Sequence[Tensor], targets: Sequence[Tensor]
) -> dict[str, float]:
    """Return the scores of a task on the batches of an evaluation set, by name, in float64.

    An R2 that is undefined, of equal targets, is left out.
    """
    output, target = torch.cat([*outputs]).double(), torch.cat([*targets])
    target = target.double() if target.is_floating_point() else target
    found = {name: LOSSES[name](output, target).item() for name in task.scores if name in LOSSES}
    if "accuracy" in task.scores:
        # The first of equal outputs: `argmax` of PyTorch does not promise which.
        found["accuracy"] = float((output.numpy().argmax(1) == target.numpy()).mean())
    if "r2" in task.scores and (target != target[0]).any():
        around = (target - target.mean(0)).square().sum()
        found["r2"] = (1 - (output - target).square().sum() / around).item()
    return {name: found[name] for name in task.scores if name in found}


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
