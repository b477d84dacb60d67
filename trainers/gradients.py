"""Gradient norms against time: exploding and vanishing gradients of recurrent networks.

The gradient of a loss at step T with respect to the input of a recurrent layer at step T - k passes
through k steps. Its norm against the lag k tells whether gradients vanish or explode (Bengio, Simard
& Frasconi 1994, IEEE Transactions on Neural Networks 5:157; Pascanu, Mikolov & Bengio 2013,
arXiv:1211.5063). The functions measure it for any recurrence that PyTorch differentiates: the
mirror of a spiking layer, with the spike derivative of its training, and conventional recurrent
networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.checks import whole
from bioae.equations.program import INPUT
from bioae.errors import NetworkError
from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.layer import LayerMirror

__all__ = ["Response", "gradient_norms", "layer_input", "layer_response"]

#: Returns the outputs of a recurrent layer (time, example, unit) for the inputs of its units
#: (time, example, unit).
Response = Callable[[Tensor], Tensor]


def gradient_norms(
    respond: Response,
    drive: Tensor,
    lags: Sequence[int],
    *,
    draws: int | None = 4,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the norms of the derivatives of a layer's last output by its input at earlier steps.

    Parameters
    ----------
    respond
        The layer: its outputs as a function of its inputs. The last output may depend on all
        inputs.
    drive
        The inputs (time, example, unit).
    lags
        The steps k from the input to the last step, at most the number of steps minus 1.
    draws
        The number of random directions for the estimate; None: the exact norm, from one backward
        pass per unit.
    seed
        The seed of the directions.

    Returns
    -------
    NDArray
        (lag, example): the Frobenius norm of the matrix d output(T) / d input(T - k) of each
        example. With directions c of independent standard normal numbers it is estimated as the
        root of the mean of the squared norms of ``c d output(T) / d input(T - k)``, whose
        expectation is the squared Frobenius norm (Hutchinson 1989, Communications in Statistics
        18:1059). Norms that exceed the type's range are infinite or NaN.

    Raises
    ------
    NetworkError
        If a lag is not a number of steps that the inputs have.
    """
    for lag in lags:
        whole(lag, "lag", least=0, most=len(drive) - 1, error=NetworkError)
    inputs = drive.detach().requires_grad_()
    with torch.enable_grad():
        last = respond(inputs)[-1].flatten(1)
    squares = torch.zeros(len(lags), drive.shape[1], dtype=torch.float64)
    places = [len(drive) - 1 - lag for lag in lags]
    directions = _directions(last, draws, seed)
    for direction in directions:
        (gradient,) = torch.autograd.grad(last, inputs, direction, retain_graph=True)
        squares += gradient[places].double().flatten(2).square().sum(2).cpu()
    return np.asarray(torch.sqrt(squares / (draws or 1)).numpy())


def _directions(last: Tensor, draws: int | None, seed: int) -> list[Tensor]:
    """Return the directions (example, unit) of the estimate, or all unit vectors."""
    if draws is None:
        units = torch.eye(last.shape[1], dtype=last.dtype, device=last.device)
        return [unit.expand_as(last) for unit in units]
    whole(draws, "number of draws", least=1, error=NetworkError)
    generator = np.random.Generator(np.random.Philox(key=seed))
    return [
        torch.from_numpy(generator.standard_normal(tuple(last.shape))).to(last)
        for _ in itertools.repeat(None, draws)
    ]


def layer_input(layer: LayerMirror, emitted: Tensor) -> Tensor:
    """Return the input of a spiking layer from the layer before, in network weights.

    Parameters
    ----------
    layer
        The layer.
    emitted
        The output of the layer before, or of the encoder (time, example, ...).

    Returns
    -------
    Tensor
        (time, example, unit), for `layer_response`. In the order `brian2` it has one step more
        than `emitted`, the lead-in.

    Raises
    ------
    NetworkError
        If inhibition arrives at another variable than excitation.
    """
    if layer.neuron.program.inhibited:
        raise NetworkError(
            "gradients by the input need one input variable",
            where=f"layer {layer.placed.name}",
            found="a neuron model with `inhibition`",
            mend="Use a model without it",
        )
    arriving = layer.arriving(emitted)
    present = next(each[INPUT] for each in arriving if each)
    zero = torch.zeros_like(present)
    each = [zero if one is None else one[INPUT] for one in arriving]
    return torch.stack([one.flatten(1) for one in each])


def layer_response(layer: LayerMirror, *, key: Key | None = None) -> Response:
    """Return the spikes of a spiking layer as a function of its input.

    Its gradients are those of training: through the recurrent weights, the states and the spike
    derivative, in uncompiled steps.

    Parameters
    ----------
    layer
        The layer, recurrent or not.
    key
        The key of its noise, if its model is noisy.

    Returns
    -------
    Response
        The spikes (time, example, unit) for inputs as `layer_input` returns them. In the order
        `brian2` the outputs have one step less, and input acts one step later.
    """

    def respond(inputs: Tensor) -> Tensor:
        arriving: list[Arrived | None] = [
            {INPUT: each.view(-1, *layer.placed.shape)} for each in inputs
        ]
        run = layer.neuron(arriving, recurrence=layer.recurrence, record=["_spike"], key=key)
        return run.recorded["_spike"].flatten(2)

    return respond
