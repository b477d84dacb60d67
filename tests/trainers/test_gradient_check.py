"""Checks of gradients: those of every spike derivative pass, and wrong ones are found."""

from __future__ import annotations

from typing import Any

import pytest
from builders import LEAKY, dense, described, multiplied, pictures
from refusals import refused
from torch import Tensor

from bioae.errors import InputError, NetworkError
from bioae.networks import Network
from bioae.trainers import Backward, LayerOptions, check_gradients, derivative
from bioae.trainers.mirror.derivatives import DERIVATIVES, SpikeFunction
from bioae.trainers.mirror.trained import Scale

#: A refractory neuron with a current, whose threshold starts at a bound.
BOUNDED = {**LEAKY, "equations": "dv/dt = (x - v)/tau : 1 (unless refractory)\ndx/dt = -x/tau : 1",
           "threshold": "v > theta", "refractory": "2*ms", "method": "euler", "input": "x",
           "parameters": {"tau": "10*ms", "theta": "1"},
           "trainable": {"tau": ["1*ms", "1*second"], "theta": ["1", "2"]}}  # fmt: skip


def network(**fields: Any) -> Network:
    config = described(
        dense("first", 6, recurrent=True, bias=True), dense("last", shape=[1, 4, 4]),
        **{"input_shape": [1, 4, 4], "steps": 16, "neuron": "bounded",
           "neurons": {"bounded": BOUNDED}, "decoder": {"kind": "mean"}, **fields},
    )  # fmt: skip
    drawn = multiplied(Network.initialise(config, seed=2), 5.0)
    return Network(config, {**drawn.weights, "first.weight": abs(drawn.weights["first.weight"])})


def differences(name: str = "arctan", **backward: Any) -> dict[str, float]:
    options = LayerOptions(
        Backward(derivative(name), **backward), ("tau", "theta"),
        delays={"first.recurrent": ("0*ms", "3*ms")},
    )  # fmt: skip
    found = check_gradients(network(), pictures(3, 4, 4), options, directions=2)
    assert (abs(found["back_propagation"]) > 1e-6).sum() >= 6
    relative: dict[str, float] = found["relative_difference"].to_dict()
    return relative


@pytest.mark.parametrize("name", DERIVATIVES)
def test_every_derivative(name: str) -> None:
    assert max(differences(name).values()) < 1e-5


@pytest.mark.parametrize(
    "options",
    [{"detach_reset": True}, {"detach_refractory": False}, {"straight_through": 0.9},
     {"truncate": 7, "recompute": 5}],
    ids=str,
)  # fmt: skip
def test_options_of_gradients(options: dict[str, Any]) -> None:
    assert max(differences(**options).values()) < 1e-5


def test_wrong_gradients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    attached, backward = Scale.attached, SpikeFunction.backward
    with monkeypatch.context() as patch:
        patch.setattr(Scale, "attached", lambda self, u, x: x + 1.01 * (attached(self, u, x) - x))
        wrong = {name for name, each in differences().items() if each > 1e-5}
    assert wrong == {"first.tau", "first.theta", "last.tau"}

    def doubled(ctx: Any, gradient: Tensor) -> Any:
        return backward(ctx, 2 * gradient)

    monkeypatch.setattr(SpikeFunction, "backward", staticmethod(doubled))
    assert all(each > 0.01 for name, each in differences().items() if name.startswith("first"))


def test_nothing_to_check() -> None:
    task = {"kind": "representation", "outputs": 16}
    with refused(NetworkError, "'representation'"):
        check_gradients(network(task=task, decoder={"kind": "count"}), pictures(3, 4, 4))
    with refused(InputError, "directions"):
        check_gradients(network(), pictures(3, 4, 4), directions=0)
