"""Delayed spikes: trains calculated manually, and the mirror's compared with Brian2's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import COBA, SCHEDULES, conv, dense, described, drawn, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cases import Case, assert_agree
from numpy.typing import ArrayLike, NDArray

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.networks import Network, NetworkConfig
from bioae.simulation import Backend
from bioae.simulation.targets.activation import activated

STEPS = 6

#: Fires as soon as a spike arrives, one step later than its cause; several may arrive at once.
RELAY: dict[str, Any] = {
    "description": "Fires when it hears a spike.", "equations": "x : 1", "threshold": "x > 0.5",
    "reset": "x = 0", "input": "x",
}  # fmt: skip
#: The same, and the first neuron fires once by itself as a presentation starts.
STARTER: dict[str, Any] = {**RELAY, "initial": {"x": "int(i == 0)"}}

Train = set[tuple[int, int, int]]  # (example, neuron, step)


def relays(
    layers: list[dict[str, Any]], schedule: str, neuron: str = "relay", **changes: Any
) -> NetworkConfig:
    """Layers of five relays, which hear five pixels; pixel x fires once, at step (1 - x)(T - 1)."""
    every = [dense(units=5, **{"neuron": "relay", **layer}) for layer in layers]
    every[0]["neuron"] = neuron
    fields = {
        "input_shape": [1, 1, 5], "steps": STEPS, "schedule": schedule,
        "neurons": {"relay": RELAY, "starter": STARTER}, "decoder": {"kind": "count"},
        "encoder": {"kind": "first_spike"}, **changes,
    }  # fmt: skip
    return described(*every, **fields)


def pixels(*when: Mapping[int, int]) -> NDArray[np.float64]:
    """Return one image for each mapping from pixels to the steps in which they fire."""
    images = np.zeros((len(when), 1, 1, 5))
    for image, steps in zip(images, when, strict=True):
        for pixel, step in steps.items():
            image[0, 0, pixel] = 1.0 - step / (STEPS - 1) or 1e-9
    return images


def train(result: xr.DataTree, layer: str) -> Train:
    data = result[f"/layers/{layer}"]
    step = np.rint(np.asarray(data["spike_time_ms"]) / result.attrs["dt_ms"]).astype(int)
    columns = (np.asarray(data["spike_example"]), np.asarray(data["spike_neuron"]), step)
    actual = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len(set(actual)) == len(actual)
    return set(actual)


def both(network: Network, images: ArrayLike) -> xr.DataTree:
    """Run Brian2, two presentations in each run of one build, and the mirror: they must agree."""
    actual = simulate(network, images, "torch")
    brian = simulate(network, images, Backend("numpy", chunk=2))
    for layer in network.config.layers:
        assert train(brian, layer.name) == train(actual, layer.name)
    xr.testing.assert_equal(brian["reconstruction"], actual["reconstruction"])
    return actual


EYE = np.eye(5)
# Pixel 3 never fires, pixel 4 in the last step; the second image fires only late, the third never.
SHOWN = ({0: 0, 1: 1, 2: 3, 4: 5}, {0: 5, 1: 4, 2: 5}, {})


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_spike_takes_its_delay_from_layer_to_layer(schedule: str) -> None:
    delays = (0, 1, 0, 3)
    layers = [{"name": f"l{n}", "delay": f"{delay}*ms"} for n, delay in enumerate(delays)]
    weights = {f"l{n}.weight": EYE for n in range(len(delays))}
    actual = both(Network(relays(layers, schedule), weights), pixels(*SHOWN))
    late, dropped = 0, 0
    for layer, delay in enumerate(delays):
        late += delay
        expected = {
            (example, pixel, step + late)
            for example, image in enumerate(SHOWN)
            for pixel, step in image.items()
        }
        inside = {spike for spike in expected if spike[-1] < STEPS}
        dropped += len(expected - inside)
        assert train(actual, f"l{layer}") == inside
        assert inside
    # With a delay, some spikes are under way as presentations end, and go nowhere.
    assert (dropped > 0) == (late > 0)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_connection_has_its_own_delay(schedule: str) -> None:
    config = relays([{"name": "a", "delay": ["0*ms", "5*ms"]}], schedule)
    # From pixel 0 to neurons 0 to 4 with delays 4, 3, 2, 1, 0; from pixel 1 to neuron 4 with 5.
    weight, delay = np.zeros((5, 5)), np.zeros((5, 5))
    weight[:, 0], delay[:, 0] = 1.0, [0.004, 0.003, 0.002, 0.001, 0.0]
    weight[4, 1], delay[4, 1] = 1.0, 0.005
    network = Network(config, {"a.weight": weight, "a.weight_delay": delay})
    actual = both(network, pixels({0: 0, 1: 0}, {0: 3, 1: 1}, {0: 5}, {}))
    assert train(actual, "a") == {
        (0, 0, 4), (0, 1, 3), (0, 2, 2), (0, 3, 1), (0, 4, 0), (0, 4, 5),
        (1, 2, 5), (1, 3, 4), (1, 4, 3),
        (2, 4, 5),
    }  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("delay", [0, 2])
def test_a_recurrent_spike_takes_one_step_and_its_delay(schedule: str, delay: int) -> None:
    config = relays([{"name": "a", "recurrent": True, "recurrent_delay": f"{delay}*ms"}], schedule)
    ring = np.roll(EYE, 1, axis=0)  # each neuron feeds the next one
    network = Network(config, {"a.weight": EYE, "a.recurrent": ring})
    actual = both(network, pixels({0: 0}, {1: 5}, {2: 2}, {}))
    expected = set()
    for example, (pixel, step) in enumerate([(0, 0), (1, 5), (2, 2)]):
        hops = range((STEPS - 1 - step) // (1 + delay) + 1)
        expected |= {(example, (pixel + hop) % 5, step + hop * (1 + delay)) for hop in hops}
    assert train(actual, "a") == expected


@pytest.mark.medium
@pytest.mark.parametrize("delay", [0, 2])
def test_lead_in_spikes_reach_only_their_own_layer(delay: int) -> None:
    """In Brian2's order neuron 0 fires in the step before the window, in the paper's in step 0."""
    layers = [
        {"name": "a", "recurrent": True, "recurrent_delay": f"{delay}*ms"},
        {"name": "b", "delay": f"{delay}*ms"},
    ]
    weights = {"a.weight": EYE, "a.recurrent": np.roll(EYE, 1, axis=0), "b.weight": EYE}
    for schedule, first in (("brian2", -1), ("paper", 0)):
        network = Network(relays(layers, schedule, neuron="starter"), weights)
        actual = both(network, pixels({}, {}, {}))
        times = {hop: first + hop * (1 + delay) for hop in range(STEPS + 1)}
        inside = {hop: step for hop, step in times.items() if 0 <= step < STEPS}
        heard = {hop: step + delay for hop, step in inside.items() if step + delay < STEPS}
        for layer, steps in (("a", inside), ("b", heard)):
            assert len(steps) > 0
            assert train(actual, layer) == {
                (example, hop % 5, step) for example in range(3) for hop, step in steps.items()
            }


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_graded_event_keeps_the_size_with_which_it_was_emitted(schedule: str) -> None:
    changes = {"encoder": {"kind": "constant_current", "gain": 1.0}, "decoder": {"kind": "last"}}
    silent = {**RELAY, "threshold": "x > 100"}
    layers = [{"name": "a", "delay": ["2*ms", "3*ms"], "readout": "sum"}]
    neurons = {"relay": silent, "starter": STARTER, "sum": {
        "description": "Adds up.", "equations": "x : 1", "input": "x"}}  # fmt: skip
    config = relays(layers, schedule, neurons=neurons, **changes)
    delay = np.full((5, 5), 0.002) + np.tri(5) * 0.001
    network = Network(config, {"a.weight": EYE, "a.weight_delay": delay})
    # The second image emits what the first one does not.
    images = np.zeros((2, 1, 1, 5))
    images[0, 0, 0, :2], images[1, 0, 0, 3:] = (0.25, 0.5), (0.75, 1.0)
    actual = simulate(network, images, "torch")
    brian = simulate(network, images, Backend("numpy", chunk=2))
    # Every connection of the diagonal takes three of six steps; Brian2's order ends a step later.
    expected = (images * {"paper": STEPS - 3, "brian2": STEPS - 2}[schedule] / STEPS)[:, 0]
    np.testing.assert_allclose(actual["reconstruction"].to_numpy(), expected, rtol=1e-15)
    xr.testing.assert_equal(brian["reconstruction"], actual["reconstruction"])


# Against the mirror

IMAGES = pictures(3, 1, 4, 4)


def network(schedule: str, layers: list[dict[str, Any]], seed: int = 1, **changes: Any) -> Network:
    fields = {
        "input_shape": [1, 4, 4], "steps": 12, "schedule": schedule,
        "neurons": {"coba": {**COBA, "weight": "0.5"}}, **changes,
    }  # fmt: skip
    return drawn(*layers, seed=seed, factor=4.0, **fields)


MIXED: list[dict[str, Any]] = [
    conv("a", 2, 2, neuron="coba", delay=["0*ms", "4*ms"]),
    dense("b", 12, delay="2*ms", recurrent=True, recurrent_delay="3*ms"),
    dense("c", shape=[1, 4, 4], neuron="coba", recurrent=True, recurrent_delay=["0*ms", "5*ms"],
          autapses=True),
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_mixed_delays_equal_the_mirrors(schedule: str) -> None:
    delayed = network(schedule, MIXED, encoder={"kind": "constant_current"})
    # Two runs of one build; the last steps' spikes of each presentation are still under way.
    brian = simulate(delayed, IMAGES, Backend("numpy", chunk=2))
    assert_agree(brian, simulate(delayed, IMAGES, "torch"), Case(delayed, IMAGES, least=0.5))
    late = {step for _, _, step in train(simulate(delayed, IMAGES, "torch"), "c")}
    assert late & {9, 10, 11}


DELAYS = st.one_of(
    st.none(),
    st.integers(0, 4).map("{}*ms".format),
    st.tuples(st.integers(0, 2), st.integers(2, 4)).map(lambda p: [f"{p[0]}*ms", f"{p[1]}*ms"]),
)
LAYER = st.fixed_dictionaries(
    {
        "neuron": st.sampled_from(["lif", "coba"]),
        "delay": DELAYS,
        "recurrent": st.just(value=True),
        "recurrent_delay": DELAYS,
        "autapses": st.booleans(),
    }
) | st.fixed_dictionaries({"neuron": st.sampled_from(["lif", "coba"]), "delay": DELAYS})


@pytest.mark.medium
@settings(max_examples=4)
@given(
    first=LAYER, second=LAYER, steps=st.integers(8, 10), schedule=st.sampled_from(SCHEDULES),
    encoder=st.sampled_from(["bernoulli", "constant_current"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_delays_equal_the_mirrors(
    first: dict[str, Any], second: dict[str, Any], encoder: str, **fields: Any
) -> None:
    layers = [conv("a", 2, 2, **first), dense("b", shape=[1, 4, 4], **second)]
    fields |= {"layers": layers, "encoder": {"kind": encoder}, "decoder": {"kind": "mean"}}
    delayed = network(**fields)
    louder = {**delayed.weights, "a.weight": 2 * abs(delayed.weights["a.weight"])}
    delayed = Network(delayed.config, louder)
    brian, mirror = (simulate(delayed, IMAGES, target) for target in ("numpy", "torch"))
    assert train(brian, "a")
    assert differing_spikes(brian, mirror)["differing"].values.tolist() == [0, 0]
    xr.testing.assert_equal(brian["reconstruction"], mirror["reconstruction"])


def test_delays_in_seconds_of_objects_that_a_user_runs() -> None:
    delayed = network("brian2", MIXED)
    finer = delayed.with_time(dt="0.5*ms", steps=20)
    for placed in delayed.config.placed:
        for name, delay in delayed.delays(placed).items():
            assert delay.any() or name == "c.weight"
            np.testing.assert_array_equal(finer.delays(placed)[name], 2 * delay)
    with activated("numpy"):
        built = build(finer, presentations=3)
        built.present(IMAGES)
        built.run()
        result = built.result()
    assert_agree(result, simulate(finer, IMAGES, "torch"), Case(finer, IMAGES, least=0.3))
