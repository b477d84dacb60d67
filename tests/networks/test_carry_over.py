"""State that carries over from one presentation to the next: as one long run, on every target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
import torch
import xarray as xr
from brian2 import ms
from builders import SCHEDULES
from refusals import refused

import bioae
from bioae import Backend, simulate
from bioae.errors import InputError, NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.simulation.run import parts_folder
from bioae.trainers.mirror.derivatives import ArcTan
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer_parameters import LayerOptions
from bioae.trainers.mirror.network import NetworkMirror

CARRIED = {"clock": "common", "carry_over": True}
CONSTANT = {"kind": "constant_current", "gain": 1.0}
EDGES: list[dict[str, Any]] = [
    {"from": "input", "to": "a", "initial": [-0.3, 1]},
    {"from": "a", "to": "b", "initial": [-0.3, 1]},
    {"from": "b", "to": "a", "initial": [-0.3, 0], "delay": "7*ms"},
    {"from": "a", "to": "a", "initial": [0, 0.2], "delay": ["0*ms", "4*ms"]},
    {"from": "b", "to": "c", "initial": [-0.3, 1], "delay": ["0*ms", "4*ms"]},
    {"from": "c", "to": "c", "initial": [-0.3, 0]},
]  # fmt: skip
IMAGES = np.random.default_rng(0).random((12, 1, 1, 16))


def network_of(schedule: str, **fields: Any) -> Network:
    sizes = [{"name": name, "size": 16} for name in "abc"]
    given = {"neuron": "lif_refractory", "steps": 30, "projections": EDGES}
    config = NetworkConfig.from_mapping(
        {"input_shape": [1, 1, 16], "schedule": schedule, "populations": sizes, **given, **fields}
    )
    return Network.initialise(config, seed=0).quantised()


def spikes(result: xr.DataTree, steps: int = 30) -> set[tuple[str, int, int]]:
    found = set()
    for name, layer in result["/layers"].children.items():
        times = steps * layer.spike_example.values + np.rint(layer.spike_time_ms.values)
        found |= {(name, int(t), int(n)) for t, n in zip(times, layer.spike_neuron, strict=True)}
    return found


@pytest.mark.medium
@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_presentations_that_carry_over_are_one_long_run(target: Any) -> None:
    images = np.repeat(IMAGES[:1], 3, 0)
    for schedule in SCHEDULES:
        network = network_of(schedule, encoder=CONSTANT, **CARRIED)
        long = network.with_time(steps=90, carry_over=False)
        expected = spikes(simulate(long, images[:1], "torch"))
        assert len(expected) > 300
        assert spikes(simulate(network, images, Backend(target, chunk=2))) == expected


@pytest.mark.medium
@pytest.mark.parametrize(
    "target", ["numpy", "cpp_standalone", pytest.param("cython", marks=pytest.mark.slow)]
)
def test_rests_and_chunks(target: Any) -> None:
    network = network_of("paper", rest="9*ms", **CARRIED)
    whole = simulate(network, IMAGES[:4], "torch")
    other = simulate(network, IMAGES[:4], Backend(target, chunk=3))
    assert len(spikes(whole)) > 300
    assert spikes(other) == spikes(whole)
    np.testing.assert_array_equal(other.reconstruction, whole.reconstruction)
    with_reset = simulate(network.with_time(carry_over=False, rest=None), IMAGES[:4], "torch")
    assert spikes(with_reset) != spikes(whole)


@pytest.mark.medium
def test_stationary_activity_of_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")
    group = b2.NeuronGroup(
        20, "dv/dt = (1.2 - v)/(10*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
        refractory=3 * ms, method="exact", name="cells",
    )  # fmt: skip
    group.v = np.linspace(0, 0.9, 20)
    synapses = b2.Synapses(group, group, "w : 1", on_pre="v -= w", name="within")
    synapses.connect(condition="i != j and (i + 3*j) % 4 == 0")
    synapses.w = "0.01*(i + 1)"
    synapses.delay = "(1 + 0.1*j)*ms"
    monitor = b2.SpikeMonitor(group, name="monitor")
    script = b2.Network(group, synapses, monitor)
    network = bioae.from_brian2(script, duration=10 * ms).network.with_time(carry_over=True)
    result = simulate(network, presentations=20, backend=Backend("numpy", chunk=7))
    script.run(200 * ms, namespace={})
    times = np.rint(np.asarray(monitor.t_) / 1e-4)
    expected = {*zip(np.asarray(monitor.i).tolist(), times.tolist(), strict=True)}
    layer = result["/layers/cells"]
    steps = 100 * layer.spike_example.values + np.rint(layer.spike_time_ms.values / 0.1)
    assert len(expected) > 100
    assert {*zip(layer.spike_neuron.values.tolist(), steps.tolist(), strict=True)} == expected


@pytest.mark.medium
def test_an_interrupted_run_goes_on_from_its_state(tmp_path: Path) -> None:
    network, path = network_of("brian2", **CARRIED), tmp_path / "r.nc"

    def interrupt(done: int, total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    backend = Backend("torch", chunk=2)
    with pytest.raises(KeyboardInterrupt):
        bioae.simulate_to(path, network, IMAGES, backend, progress=interrupt)
    parts = sorted(parts_folder(path).glob("*.safetensors"))
    parts[1].write_bytes(b"")  # those after a missing one do not count
    bioae.simulate_to(path, network, IMAGES, backend, resume=True)
    assert spikes(bioae.open_result(path)) == spikes(simulate(network, IMAGES, "torch"))


def test_gradients_end_at_the_start_of_a_presentation() -> None:
    options = LayerOptions(Backward(ArcTan()))
    mirror = NetworkMirror(network_of("brian2", **CARRIED), options, dtype=torch.float64)
    drive = torch.rand(30, 2, 1, 1, 16, dtype=torch.float64)
    mirror(drive).output.sum().backward()
    both = {name: weight.grad for name, weight in mirror.weights.items()}
    mirror.zero_grad()
    first = mirror(drive[:, :1])
    second = mirror(drive[:, 1:], start=first.final)
    (first.output.sum() + second.output.sum()).backward()
    assert all(both[name].abs().max() > 0 for name in ("a.from_input", "a.from_b", "b.from_a"))
    for name, weight in mirror.weights.items():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, both[name], rtol=1e-12, atol=1e-14)


def test_refusals() -> None:
    with refused(NetworkError, "carry_over", "common"):
        network_of("brian2", carry_over=True)
    with refused(NetworkError, "rest", "carry_over"):
        network_of("brian2", clock="common", rest="5*ms")
    late = [{**EDGES[0], "delay": "2*ms"}, *EDGES[1:]]
    with refused(NetworkError, where="projection 'a.from_input'", found="2*ms"):
        network_of("brian2", encoder=CONSTANT, projections=late, **CARRIED)
    network = network_of("brian2", **CARRIED)
    with refused(InputError, where="workers", found="2"):
        simulate(network, IMAGES, Backend("numpy", workers=2))
    with refused(NetworkError, where="carry_over"):
        bioae.parity(network, IMAGES)
