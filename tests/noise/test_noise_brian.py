"""Brian2's functions give NumPy's bits on every target, keys of 64 bits included."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, ms
from builders import need
from numpy.typing import NDArray
from scipy import special

from bioae.noise import Key, draw
from bioae.noise.brian import FUNCTIONS, brian2_functions, signed
from bioae.noise.streams import Distribution
from bioae.simulation.backend import BRIAN2_TARGETS, STANDALONE, Target
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets.activation import activated
from bioae.simulation.targets.compiling import compile_project

SEED = 2**64 - 5
EXAMPLES = np.array([17, 0, 2**53 + 1, 2**63, 2**64 - 1], dtype=np.uint64)
NEURONS = 500
CALLS: dict[Distribution, int] = {"uniform": 1, "normal": 2**40}
POPULATION = 3
STEPS = 2

Numbers = dict[str, NDArray[np.float64]]


def network() -> tuple[Network, NeuronGroup]:
    """Return neurons that draw both numbers in each step, each for a different example."""
    clock = Clock(1 * ms)
    group = NeuronGroup(
        NEURONS,
        """
        seed : integer (shared)
        example : integer
        uniform : 1
        normal : 1
        """,
        dtype={"seed": np.int64, "example": np.int64},
        namespace=dict(brian2_functions()),
        clock=clock,
        name="drawing",
    )
    lines = [
        f"{kind} = {name}(i, t_in_timesteps - {STEPS}, {CALLS[kind]}, {POPULATION}, seed, example)"
        for kind, name in FUNCTIONS.items()
    ]
    group.run_regularly("\n".join(lines))
    group.seed = int(signed(SEED))
    group.example = signed(EXAMPLES[np.arange(NEURONS) % len(EXAMPLES)])
    return Network(group), group


@pytest.fixture(scope="module", params=BRIAN2_TARGETS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Numbers:
    """Return the numbers of the last step, which is step -1 (neuron)."""
    target: Target = request.param
    need(target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
        with activated(target) as device:
            net, group = network()
            net.run(STEPS * ms, namespace={})
            if target in STANDALONE:
                compile_project(device, tmp_path_factory.mktemp("project"))
                device.run(with_output=False)
            return {kind: np.array(getattr(group, kind)[:]) for kind in FUNCTIONS}


@pytest.mark.parametrize("distribution", FUNCTIONS)
def test_every_target_draws_the_same_bits(drawn: Numbers, distribution: Distribution) -> None:
    numbers = draw(
        distribution, Key(SEED, EXAMPLES.tolist()), step=-1, call=CALLS[distribution],
        population=POPULATION, count=NEURONS,
    )  # fmt: skip
    neurons = np.arange(NEURONS)
    expected = numbers[neurons % len(EXAMPLES), neurons]
    assert len(np.unique(expected)) == NEURONS
    np.testing.assert_array_equal(drawn[distribution], expected)


def test_the_normal_numbers_reach_into_the_tails(drawn: Numbers) -> None:
    tail = np.abs(drawn["normal"]) > special.ndtri(0.925)
    assert 0.05 < tail.mean() < 0.3
