"""Integer copies of weights, from which C++ delivers spikes: the sums are those of the weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from builders import dense, described, need
from numpy.typing import NDArray

from bioae import learn
from bioae.datasets import Data
from bioae.equations.synapses.program import GRID_BITS
from bioae.networks import Network
from bioae.random import named_stream
from bioae.simulation import objects
from bioae.simulation.backend import Backend, Dtype
from bioae.simulation.targets.activation import IEEE_FLAGS

pytestmark = pytest.mark.medium

SOURCES, TARGETS, STEPS = 12, 9, 40
UNIT = 2.0**-GRID_BITS

#: Reads a line of numbers per step: what to change or deliver. Writes sums, and if they are exact.
PROGRAM = """
#include <cstdio>
#include "weight_copies.h"
static WeightCopies<12, 9> copies;
int main()
{
    static double weights[12*9];
    char what;
    int number;
    copies.reset();
    while (std::scanf(" %c %d", &what, &number) == 2)
        if (what == 'w')  // the weights of all, or of one target
        {
            for (int i = 0; i < 12; i++)
                for (int j = number < 0 ? 0 : number; j <= (number < 0 ? 8 : number); j++)
                    if (std::scanf("%lf", weights + 9*i + j) != 1)
                        return 1;
            if (number < 0) copies.change_all(); else copies.change(number);
        }
        else
        {
            int spikes[12];
            for (int k = 0; k < number; k++)
                if (std::scanf("%d", spikes + k) != 1)
                    return 1;
            double sums[9] = {0}, negative[9] = {0};
            const bool exact = copies.update(weights, spikes, number);
            if (exact)
                copies.add(spikes, number, sums, what == 's' ? negative : nullptr);
            std::printf("%d", exact);
            for (int j = 0; j < 9; j++)
                std::printf(" %a %a", sums[j], negative[j]);
            std::printf("\\n");
        }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("cpp_standalone")
    folder = tmp_path_factory.mktemp("copies")
    (folder / "main.cpp").write_text(PROGRAM, encoding="utf-8")
    header = Path(objects.__file__).with_name("templates")
    command = ["g++", *IEEE_FLAGS, f"-I{header}", "main.cpp", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "main"


def delivered(program: Path, lines: list[str]) -> list[tuple[bool, NDArray[np.float64]]]:
    """Return, for each delivery, if the copies are exact, and the sums (target, sign)."""
    done = subprocess.run(
        [program], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [
        (row[0] == "1", np.array([float.fromhex(x) for x in row[1:]]).reshape(TARGETS, 2))
        for row in rows
    ]


def changed(weights: NDArray[np.float64], target: int = -1) -> str:
    values = weights if target < 0 else weights[:, target]
    return f"w {target} {' '.join(map(repr, values.ravel().tolist()))}"


def test_sums_are_those_of_the_weights_after_any_changes(program: Path) -> None:
    random = named_stream(0, "copies")
    largest = 2**28 - 1
    weights = random.integers(-largest, largest, (SOURCES, TARGETS), endpoint=True) * UNIT
    weights[:, 0], weights[:, 1] = largest * UNIT, -largest * UNIT  # sums of eight fill 31 bits
    lines, expected, separate = [changed(weights)], [], []
    for _ in range(300):
        # Some sources wait for so many changes that they are no longer remembered one by one.
        few = random.permutation(SOURCES if random.random() < 0.05 else SOURCES - 3)
        spikes = np.sort(few[: random.integers(0, len(few) + 1)])
        kind = random.choice(["d", "s"])
        lines.append(f"{kind} {len(spikes)} {' '.join(map(str, spikes))}")
        separate.append(kind == "s")
        rows = weights[spikes]
        signs = [np.maximum(rows, 0).sum(axis=0), np.maximum(-rows, 0).sum(axis=0)]
        whole = [rows.sum(axis=0), np.zeros(TARGETS)]
        expected.append(np.stack(signs if kind == "s" else whole, axis=1))
        for target in random.integers(2, TARGETS, random.integers(0, 4)).tolist():
            weights[:, target] = random.integers(-largest, largest, SOURCES) * UNIT
            lines.append(changed(weights, target))
    actual = delivered(program, lines)
    assert 50 < sum(separate) < 250
    assert max(np.abs(rows).max() for rows in expected) > 150
    assert len(actual) == len(expected)
    for (exact, sums), same in zip(actual, expected, strict=True):
        assert exact
        np.testing.assert_array_equal(sums, same)


@pytest.mark.parametrize(
    ("weight", "fits"),
    [
        (16 - UNIT, True), (UNIT - 16, True), (0.0, True), (-0.0, True),
        (16.0, False), (-16.0, False), (-128.0, False), (1e300, False), (np.nan, False),
        (-np.inf, False), (0.3, False), (UNIT / 2, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("target", [-1, 4])
def test_weights_without_an_exact_copy_are_noticed_once_a_spike_reads_them(
    program: Path, weight: float, fits: bool, target: int
) -> None:
    weights = np.full((SOURCES, TARGETS), 0.5)
    lines = [changed(weights), f"d {SOURCES} {' '.join(map(str, range(SOURCES)))}"]
    weights[3, 4] = weight
    lines += [changed(weights, target), "d 2 0 1", "d 1 3", "d 2 0 1"]
    exact, others, this, later = delivered(program, lines)
    assert exact[0]
    assert others[0]
    assert this[0] == later[0] == fits
    if fits:
        assert this[1][4, 0] == weight


def network(schedule: str) -> Network:
    """Return a network whose rules change weights seldom, within and beyond the copies' range."""
    trace = {"equations": "dx/dt = -x/(10*ms) : 1", "on_spike": "x += 1"}
    rules = {
        "falls": {"on_post": "w = clip(w - 0.05*x_pre, -1, 1)"},
        "grows": {"on_post": "w = w + 2*x_pre"},
        "regular": {"regularly": "w = clip(1.25*w, -1, 1)", "every": "7*ms"},
    }
    synapses = {
        name: {"description": "A rule.", "pre": trace, "synapse": synapse}
        for name, synapse in rules.items()
    }
    config = described(
        dense("layer0", TARGETS, weight="0.3", synapse="stdp_postsynaptic", recurrent=True,
              recurrent_synapse="falls"),
        dense("layer1", TARGETS, weight="8*nS", neuron="coba", synapse="falls"),
        dense("layer2", TARGETS, weight="0.5", synapse="regular", recurrent=True,
              recurrent_synapse="grows"),
        input_shape=[SOURCES], steps=STEPS, schedule=schedule, synapses=synapses,
        task={"kind": "representation", "outputs": TARGETS},
        encoder={"kind": "frames", "random": True}, decoder={"kind": "count"},
    )  # fmt: skip
    start = Network.initialise(config, seed=0)
    weights = {name: np.abs(values) % 1 for name, values in start.weights.items()}
    weights["layer2.recurrent"] -= 0.2 * (1 - np.eye(TARGETS))
    return Network(config, weights).quantised()


@pytest.mark.parametrize(
    ("schedule", "dtype"),
    [("brian2", "float64"), pytest.param("paper", "float32", marks=pytest.mark.slow)],
)
def test_cpp_learns_as_numpy_where_copies_deliver(
    schedule: str, dtype: Dtype, quick_compiler: None
) -> None:
    need("cpp_standalone")
    start = network(schedule)
    values = 0.5 * named_stream(1, "signals").random((4, STEPS, SOURCES))
    values[:2, :, :3] = 0  # sources that are silent for long
    values[3, :, 3:5] = 1  # and others that fire in each step
    signals = Data.of_signals(values)
    assert start.config.placed[1].separate_inhibition
    expected = learn(start, signals, Backend("numpy", dtype=dtype))
    actual = learn(start, signals, Backend("cpp_standalone", dtype=dtype, chunk=3))
    for name, weights in expected.network.weights.items():
        assert np.mean(weights != start.weights[name]) > 0.3, name
        # Equal bits are claimed in float64 only; numbers of 32 bits have no copies.
        tolerance = 0 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(
            actual.network.weights[name], weights, rtol=tolerance, atol=tolerance
        )
    assert np.abs(expected.network.weights["layer2.recurrent"]).max() > 32
    assert expected.network.weights["layer1.weight"].min() < 0
    for name in ("layer0", "layer1", "layer2"):
        counts = expected.result[f"layers/{name}"]["spike_count"]
        assert int(counts.sum()) > 20
        np.testing.assert_array_equal(actual.result[f"layers/{name}"]["spike_count"], counts)
