"""Gradient norms against time: exploding and vanishing gradients of recurrent networks.

The gradient of a loss at step T with respect to the input of a recurrent layer at step T - k passes
through k steps. Its norm against the lag k tells whether gradients vanish or explode (Bengio,
Simard & Frasconi 1994, IEEE Transactions on Neural Networks 5:157; Pascanu, Mikolov & Bengio 2013,
arXiv:1211.5063). The functions measure it for any recurrence that PyTorch differentiates: the
mirror of a spiking layer, with the spike derivative of its training, and conventional recurrent
networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.checks import instance, whole
from bioae.errors import NetworkError
from bioae.noise import Key
from bioae.random import named_stream
from bioae.trainers.mirror.layer import LayerMirror


def gradient_norms(
    respond: Callable[[Tensor], Tensor],
    inputs: Tensor,
    lags: Sequence[int],
    *,
    draws: int | None = 4,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the norms of the Jacobians of a layer's last output with respect to earlier inputs.

    Parameters
    ----------
    respond
        The outputs (time, example, ...) as a function of the inputs, see `layer_outputs`.
    inputs
        The inputs (time, example, ...), of a floating-point type.
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
        18:1059). Where a derivative is beyond the range of the type, it is infinite or NaN.

    Raises
    ------
    NetworkError
        If a lag is not a number of steps that the inputs have, there is no draw, the inputs are
        not such an array of PyTorch, or no gradient leads from the outputs to them.
    """
    _check_tensor(inputs, "the inputs")
    instance(lags, "lags", Iterable, error=NetworkError)
    lags = [whole(lag, "the lag", most=len(inputs) - 1, error=NetworkError) for lag in lags]
    with torch.inference_mode(False), torch.enable_grad():
        inputs = inputs.detach().clone().requires_grad_()
        outputs = respond(inputs)
        _check_tensor(outputs, "the outputs", examples=inputs.shape[1])
        last = outputs[-1].reshape(inputs.shape[1], math.prod(outputs.shape[2:]))
    places = [len(inputs) - 1 - lag for lag in lags]
    norms = np.zeros((len(lags), inputs.shape[1]))
    for direction in _directions(last, draws, seed):
        gradient = None
        if last.requires_grad:
            (gradient,) = torch.autograd.grad(
                last, inputs, direction, retain_graph=True, allow_unused=True
            )
        if gradient is None:
            raise NetworkError(
                "the outputs have no gradient with respect to the inputs",
                hint="Compute them from the inputs by functions that PyTorch differentiates",
            )
        values = gradient[places].cpu().double()
        flat = values.reshape(*norms.shape, math.prod(values.shape[2:])).numpy()
        with np.errstate(all="ignore"):  # `hypot` neither overflows nor vanishes on the way
            norms = np.hypot(norms, np.hypot.reduce(flat, axis=2))
    return norms / math.sqrt(draws or 1)


def _check_tensor(values: Tensor, name: str, examples: int | None = None) -> None:
    """Raise unless this is a floating-point tensor (time, example, ...) with a last step."""
    instance(values, name, Tensor, error=NetworkError)
    fits = values.ndim > 1 and len(values) and values.is_floating_point()
    if not fits or values.shape[1] != (values.shape[1] if examples is None else examples):
        count = "example" if examples is None else str(examples)
        raise NetworkError(
            f"{name} do not fit",
            expected=f"floating-point numbers (time, {count}, ...), of one step at least",
            found=f"{values.dtype} {tuple(values.shape)}",
        )


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
            source = next(each.source for each in layer.placed.projections if not each.own)
            spikes: Tensor = layer({source: inputs}, potential=None, key=key).spikes
            return spikes.flatten(2)
        outputs: Tensor = layer(inputs)
        return outputs.flatten(2)

    return respond
