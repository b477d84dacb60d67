"""Bad inputs: one line, and one class of errors."""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from bioae.equations import load_neuron, lower
from bioae.errors import InputError
from bioae.trainers.training.config import TrainingConfig

#: A configuration with every table, whose leaves are changed one by one.
TRAINING = """
[data]
name = "images.npy"
train = 2
validation = 1
test = 2
[network]
input_shape = [1, 4, 4]
dt = "1*ms"
steps = 3
schedule = "brian2"
neuron = "lif"
latent = "hidden"
encoder = { kind = "bernoulli", rate = 0.5 }
decoder = { kind = "max", scale = 2.0 }
[[network.layers]]
kind = "dense"
name = "hidden"
units = 3
gain = 2.0
recurrent = true
autapses = false
delay = "1*ms"
recurrent_delay = "1*ms"
weight = "1"
background = 0.1
parameters = { tau = "20*ms" }
readout = "leaky_readout"
spread = { tau = 0.1 }
bias = true
initial = "orthogonal"
[[network.layers]]
kind = "dense"
name = "output"
shape = [1, 4, 4]
[training]
epochs = 1
batch_size = 2
learning_rate = 0.001
gradient_clip = 1.0
seed = 1
threads = 1
compile = false
dtype = "float32"
grid_bits = 12
checkpoint_seconds = 20.0
loss = "sum_squared_error"
optimiser = { name = "adamw", weight_decay = 0.1 }
variability = { scale = 0.1, distribution = "normal", layers = ["hidden"] }
schedule = { name = "step", every = 1, factor = 0.5, warm_up = 0.5 }
stages = [{ epochs = 1, learning_rate = 0.001 }, { batch_size = 2 }]
derivative = { name = "membrane", detach_reset = true }
[regularisers]
beta1 = { coefficient = 0.1, target = 0.0, layers = ["hidden"], over = "batch" }
lambda1 = { coefficient = 0.1, window = [0.1, 0.5], warm_up = 0.5 }
"""
NEURON = """
description = "Leaky integrate-and-fire neuron."
equations = "dv/dt = -v/tau : 1"
threshold = "v > theta"
reset = "v = 0"
refractory = "1*ms"
method = "exact"
input = "v"
weight = "1"
parameters = { tau = "100*ms", theta = "1" }
initial = { v = "0", settle = "1*ms" }
surrogate = { distance = "v - theta", scale = "theta" }
trainable = { tau = ["5*ms", "500*ms"] }
"""
#: Of no field: of another type, or nobody's name.
NONSENSE = ({"nobody": 1}, [[[]]], math.nan, -1e400, "\t", "nobody's", "é" * 5000)
#: Of some fields; whatever is not accepted is refused in a line.
VALUES = (*NONSENSE, True, 0, -1, 2**63 - 1, 1e308, "", "1", "nan*ms", "2*mV", [], ["1*ms"], {})
#: Texts that may be anything, or are parsed later than a configuration is read.
FREE = {"description", "name", "equations", "threshold", "reset", "distance"}


def leaves(document: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values, of tables too."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, *path, key)


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> str:
    document = copy.deepcopy(document)
    inner: Any = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tomli_w.dumps(document)


def read_training(path: Path) -> None:
    for placed in TrainingConfig.read(path).network.placed:
        _ = placed.program


def read_neuron(path: Path) -> None:
    lower(load_neuron(path))


def refusal(read: Callable[[Path], None], path: Path) -> InputError | None:
    try:
        read(path)
    except InputError as error:
        return error
    return None


@pytest.mark.parametrize(("text", "read"), [(TRAINING, read_training), (NEURON, read_neuron)])
def test_no_value_of_a_field_raises_another_error(
    text: str, read: Callable[[Path], None], tmp_path: Path
) -> None:
    document, path = tomllib.loads(text), tmp_path / "mine.toml"
    path.write_text(text)
    read(path)
    places = list(leaves(document))
    assert len(places) > 15
    for place in places:
        for value in VALUES:
            path.write_text(changed(document, place, value), encoding="utf-8")
            refused = refusal(read, path)
            if refused is not None:
                assert refused.where is not None
                assert "\n" not in str(refused)
            elif place[-1] not in FREE:
                assert value not in NONSENSE[:2], place
