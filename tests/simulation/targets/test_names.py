"""Names of layers and variables never collide with names of Brian2 or bioae."""

from __future__ import annotations

from typing import Any

import builders
import pytest
import xarray as xr
from builders import dense, described
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation.backend import Backend
from bioae.simulation.targets.activation import activated

#: Names of variables of synapses, of their pathways, and of the input.
NAMES = ["w", "delay", "lastupdate", "drive", "input__drive", "pre", "post", "weight", "target",
         "record"]  # fmt: skip
OBJECTS = ["a", "a_stateupdater", "a_spike_thresholder", "a_spike_resetter", "a_weight",
           "a_run_regularly", "input_thresholder", "network", "defaultclock"]  # fmt: skip


def model(*names: str) -> dict[str, Any]:
    """A neuron in which every one of the names is a variable that matters."""
    first, *others = names
    lines = [f"d{first}/dt = -{first}/(10*ms) : 1", *(f"{name} : 1" for name in others)]
    total = " + ".join(others) or "0"
    return {
        "description": "Adapts by all of its variables.", "equations": "\n".join(lines),
        "threshold": f"{first} > 0.5 + {total}",
        "reset": "\n".join([f"{first} = 0", *(f"{name} += 0.125" for name in others)]),
        "method": "exact", "input": first,
    }  # fmt: skip


def network(names: list[str], layers: list[str]) -> Network:
    config = described(
        *(dense(name, 4, recurrent=True, delay=["0*ms", "2*ms"]) for name in layers),
        input_shape=[1, 2, 2], steps=10, neuron="named", neurons={"named": model(*names)},
        encoder={"kind": "constant_current"},
    )  # fmt: skip
    drawn = Network.initialise(config, seed=1)
    strong = {n: w if "delay" in n else 4 * abs(w) for n, w in drawn.weights.items()}
    return Network(config, strong).quantised()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("names", "layers"), [(NAMES, ["a", "b"]), (NAMES[::-1], ["a"]), (["v"], OBJECTS)]
)
def test_names_of_users_do_not_collide(names: list[str], layers: list[str]) -> None:
    net = network(names, layers)
    images = stream(0, 0).random((2, 1, 2, 2))
    record = set(names)
    brian = simulate(net, images, Backend("numpy", record=record))
    mirror = simulate(net, images, Backend("torch", record=record))
    assert not differing_spikes(brian, mirror)["differing"].any()
    for name in layers[:2]:
        assert int(brian[f"/layers/{name}/spike_count"].sum()) > 0
        for variable in names:
            actual = brian[f"/layers/{name}"][f"state_{variable}"]
            assert float(abs(actual).max()) > 0
            xr.testing.assert_equal(actual, mirror[f"/layers/{name}"][f"state_{variable}"])


def test_no_name_of_an_object_could_be_a_layers() -> None:
    with activated("numpy"):
        built = build(network(["v"], ["a", "b"]))
        # `__` is in no layer's name.
        assert all("__" in part.name for part in built.network.sorted_objects)
        assert len(built.network.sorted_objects) > 10


@pytest.mark.parametrize(
    "name", ["i_pre", "x_post", "t", "dt", "xi", "e", "exp", "source", "owner", "new"]
)
def test_names_that_are_taken_are_refused_in_one_line(name: str) -> None:
    with refused(ModelError, name, where="named.toml, equations"):
        lower(builders.model(model("v", name), "named"))
