"""Gradient norms against time: exploding and vanishing gradients of recurrent networks.

The gradient of a loss at step T with respect to the input of a recurrent layer at step T - k passes
through k steps. Its norm against the lag k tells whether gradients vanish or explode (Bengio,
Simard & Frasconi 1994, IEEE Transactions on Neural Networks 5:157; Pascanu, Mikolov & Bengio 2013,
arXiv:1211.5063). The functions measure it for any recurrence that PyTorch differentiates: the
mirror of a spiking layer, with the spike derivative of its training, and conventional recurrent
networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.checks import whole
from bioae.errors import NetworkError
from bioae.noise import Key
from bioae.random import named_stream
from bioae.trainers.mirror.layer import LayerMirror

__all__ = ["gradient_norms", "layer_outputs"]


def gradient_norms(
    respond: Callable[[Tensor], Tensor],
    inputs: Tensor,
    lags: Sequence[int],
    *,
    draws: int | None = 4,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the norms of the derivatives of a layer's last output by its inputs at earlier steps.

    Parameters
    ----------
    respond
        The outputs (time, example, ...) as a function of the inputs, see `layer_outputs`.
    inputs
        The inputs (time, example, ...).
    lags
        The steps k from an input to the last step, at most the number of steps minus 1.
    draws
        The number of random directions of the estimate; None: the exact norm, from one backward
        pass per unit.
    seed
        The seed of the directions.

    Returns
    -------
    NDArray
        (lag, example): the Frobenius norm of the matrix d output(T) / d input(T - k), T being the
        last step. With directions c of independent standard normal numbers it is estimated as the
        root of the mean of the squared norms of ``c d output(T) / d input(T - k)``, whose
        expectation is the squared Frobenius norm (Hutchinson 1989, Communications in Statistics
        18:1059). A norm beyond the range of the type is infinite or NaN.

    Raises
    ------
    NetworkError
        If a lag is not a number of steps that the inputs have, or there is no draw.
    """
    for lag in lags:
        whole(lag, "the lag", most=len(inputs) - 1, error=NetworkError)
    inputs = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        last = respond(inputs)[-1].flatten(1)
    places = [len(inputs) - 1 - lag for lag in lags]
    squares = torch.zeros(len(lags), inputs.shape[1], dtype=torch.float64)
    directions = _directions(last, draws, seed)
    for direction in directions:
        (gradient,) = torch.autograd.grad(last, inputs, direction, retain_graph=True)
        squares += gradient[places].cpu().double().flatten(2).square().sum(2)
    return np.asarray(torch.sqrt(squares / (draws or 1)).numpy())


def _directions(last: Tensor, draws: int | None, seed: int) -> list[Tensor]:
    """Return random directions (example, unit), or all unit vectors."""
    if draws is None:
        units = torch.eye(last.shape[1], dtype=last.dtype, device=last.device)
        return [unit.expand_as(last) for unit in units]
    whole(draws, "the number of draws", least=1, error=NetworkError)
    generator = named_stream(seed, "gradient_norms")
    shape = tuple(last.shape)
    return [torch.from_numpy(generator.standard_normal(shape)).to(last) for _ in range(draws)]


def layer_outputs(layer: nn.Module, *, key: Key | None = None) -> Callable[[Tensor], Tensor]:
    """Return the outputs of a layer as a function of its inputs.

    Parameters
    ----------
    layer
        A layer of a `NetworkMirror`, whose outputs are its spikes, with the spike derivative as
        their gradient; a recurrent layer of a baseline; or any module that returns the outputs of
        all steps (time, example, ...).
    key
        The key of the noise of a mirror's layer, if its model is noisy.
    """

    def respond(inputs: Tensor) -> Tensor:
        if isinstance(layer, LayerMirror):
            return layer(inputs, potential=None, key=key).spikes.flatten(2)  # type: ignore[no-any-return]
        outputs: Tensor = layer(inputs)
        return outputs.flatten(2)

    return respond
