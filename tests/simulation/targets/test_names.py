"""Names of layers and variables never collide with names of Brian2 or bioae."""

from __future__ import annotations

from typing import Any

import builders
import pytest
import xarray as xr
from builders import dense, described, drawn, need
from mirrors import compare, drive_of, needs_compiler
from refusals import refused

from bioae import parity, simulate
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation.backend import Backend, Target
from bioae.simulation.targets.activation import activated

#: Names of variables of synapses, of their pathways, and of the input.
NAMES = ["w", "delay", "lastupdate", "drive", "input__drive", "pre", "post", "weight", "target",
         "record"]  # fmt: skip
OBJECTS = ["a", "a_stateupdater", "a_spike_thresholder", "a_spike_resetter", "a_weight",
           "a_run_regularly", "input_thresholder", "network", "defaultclock"]  # fmt: skip

#: Names in the code that is generated for a model, in Python and in C++, and macros of C++.
GENERATED = [
    "A", "B", "R", "a", "b", "d0", "e0", "h", "j", "k", "m0", "n", "o1", "r", "w", "x0", "active",
    "array", "arrays", "axis", "brian", "cond", "copy", "count", "divide", "end", "example",
    "fabs", "fill", "fired", "fmod", "fn", "forward", "grad", "held", "idx", "input", "inputs",
    "key", "max", "memcpy", "min", "mod", "neuron", "neurons", "numpy", "numv", "out", "philox",
    "place", "position", "product", "rows", "run", "seed", "shape", "size", "size_t", "source_i",
    "spike", "spikes", "start", "std", "step", "steps", "sum", "tile", "trunc", "value",
    "values", "vector", "vectorisation_idx", "zero", "BUFSIZ", "CLOCKS_PER_SEC", "EOF", "HUGE_VAL",
    "INT_MAX", "RAND_MAX", "errno", "linux", "stdin", "stdout", "unix",
]  # fmt: skip


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


def mixed(turn: int) -> dict[str, Any]:
    """A neuron that names all of `GENERATED`, each in another role by the turn."""
    turned = GENERATED[turn:] + GENERATED[:turn]
    variables, parameters, inner, temporary = (turned[place::4] for place in range(4))
    # Grouped, since the depth of expressions is limited.
    total = " + ".join(f"({' + '.join(part)})" for part in (variables, parameters, inner))
    lines = ["dqv/dt = -qv/(10*ms) : 1", "qk : integer", *(f"{name} : 1" for name in variables),
             *(f"{name} = qv/{place + 64} : 1" for place, name in enumerate(inner))]  # fmt: skip
    reset = [*(f"{name} = qv/{place + 64} + qk" for place, name in enumerate(temporary)),
             f"qv = 0*({' + '.join(temporary)})", "qk = (qk + 1) % 3",
             *(f"{name} = {name}/2 + 0.125" for name in variables)]  # fmt: skip
    return {
        "description": "Adapts by all of its names.", "equations": "\n".join(lines),
        "threshold": f"qv > 0.5 + ({total})/64", "reset": "\n".join(reset), "method": "euler",
        "input": "qv", "parameters": {name: f"{n}/256" for n, name in enumerate(parameters)},
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


@pytest.mark.medium
@pytest.mark.parametrize(
    ("target", "turn"),
    [
        ("numpy", 0),
        *(pytest.param("numpy", turn, marks=pytest.mark.slow) for turn in (1, 2, 3)),
        *(pytest.param("cpp_standalone", turn, marks=pytest.mark.slow) for turn in range(4)),
        pytest.param("cython", 0, marks=pytest.mark.slow),
    ],
)
def test_names_of_generated_code_may_be_a_users(target: Target, turn: int) -> None:
    need(target)
    report = parity(builders.model(mixed(turn)), target=target, neurons=8, steps=30, examples=2)
    assert report.exact
    assert report.spikes > 10
    assert (report.differing, report.max_state_error) == (0, 0)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("turn", range(4))
def test_names_of_the_compiled_mirror_may_be_a_users(turn: int) -> None:
    layer = dense("a", 4, gain=6.0, neuron="mixed")
    fields = {"input_shape": [1, 2, 2], "steps": 10, "neurons": {"mixed": mixed(turn)}}
    net = drawn(layer, **fields)
    compare(net, drive_of(net.config).requires_grad_(), rtol=1e-9)


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
