"""The tensors of a run by gradients as arrays of a checkpoint, and back, bit for bit.

Arrays are ``weight/NAME`` for each parameter of the network (neuron parameters in the
dimensionless form in which they are trained), ``optimiser/KEY/NAME`` for the optimiser's state
(``step``, ``exp_avg``, ``exp_avg_sq`` of Adam, ``momentum_buffer`` of gradient descent with
momentum), and, where the run has them, ``average/NAME`` for the moving average of the weights and
``best/NAME`` for the weights of the best epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.runs.checkpoint import Arrays, arrays_of

_OPTIMISER = "optimiser"

#: Tensors with the names and shapes of the weights, by kind: ``weight``, ``average`` and ``best``.
Kinds = Mapping[str, Mapping[str, Tensor]]


def captured(
    kinds: Kinds, weights: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a checkpoint; on the CPU they share memory with the tensors.

    They are those of `kinds`, and of the state of the optimiser, which moves the `weights`.
    """
    tensors = {f"{kind}/{name}": t for kind, named in kinds.items() for name, t in named.items()}
    for name, weight in weights.items():
        for key, moment in optimiser.state.get(weight, {}).items():
            tensors[f"{_OPTIMISER}/{key}/{name}"] = moment
    return {name: each.detach().cpu().numpy() for name, each in tensors.items()}


@torch.no_grad()
def restore(
    arrays: Arrays,
    kinds: Kinds,
    weights: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    where: str,
) -> None:
    """Set the tensors and the optimiser of a run from the arrays of the checkpoint `where`.

    Raises an ArtefactError if they belong to another network or another kind of run.
    """
    for kind in ("weight", "average", "best"):
        named = kinds.get(kind, {})
        stored = arrays_of(kind, arrays, named, where)
        for name, tensor in named.items():
            tensor.copy_(torch.tensor(stored[name]))
    moments: dict[str, dict[str, Tensor]] = {name: {} for name in weights}
    for key, array in arrays.items():
        kind, _, rest = key.partition("/")
        moment, _, name = rest.partition("/")
        if kind == _OPTIMISER and name in moments:
            moments[name][moment] = torch.tensor(array)
    grouped = [each for group in optimiser.param_groups for each in group["params"]]
    indices = {id(each): index for index, each in enumerate(grouped)}
    state = {indices[id(weights[name])]: each for name, each in moments.items() if each}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
