"""Recorders keep the spikes of Brian2's monitors, and the values that the decoder needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, second
from builders import dense, drawn, need
from refusals import refused

from bioae import simulate
from bioae.api import build
from bioae.errors import InputError
from bioae.networks import Network
from bioae.networks.schedule import SCHEDULES, ScheduleName
from bioae.simulation.backend import Target
from bioae.simulation.code_runners import SpikeRecorder
from bioae.simulation.targets.activation import activated

pytestmark = pytest.mark.usefixtures("quick_compiler")

IMAGES = np.linspace(0.05, 1, 5 * 12).reshape(5, 1, 3, 4)[:, :, ::-1]


def network(decoder: str, schedule: ScheduleName = "brian2") -> Network:
    return drawn(
        dense("first", 7, gain=5.0), dense("last", shape=[1, 3, 4], gain=5.0), seed=1,
        input_shape=[1, 3, 4], steps=12, decoder={"kind": decoder}, schedule=schedule,
    )  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_recorder_keeps_the_spikes_of_a_monitor(schedule: ScheduleName) -> None:
    net = network("max", schedule)
    with activated("numpy"):
        built = build(net, len(IMAGES))
        layer = built.populations["last"]
        recorder = SpikeRecorder(layer, name="last__recorder")
        assert built.readout is not None
        potential = StateMonitor(
            built.readout, "v", record=True, when="end", clock=layer.clock, name="last__potential"
        )
        built.network.add(recorder, potential)
        built.present(IMAGES)
        built.run()
        monitor = built.spikes["last"]
        assert isinstance(monitor, SpikeMonitor)
        neuron, count = recorder.variables["i"].get_value(), recorder.variables["count"].get_value()
        assert len(neuron) == monitor.num_spikes > 0
        np.testing.assert_array_equal(neuron, monitor.i)
        step = np.repeat(np.arange(built.steps), count)
        within = step - 2 - built.timing.period * np.asarray(monitor.bioae_presentation)
        np.testing.assert_array_equal(within, np.rint(np.asarray(monitor.t) / 1e-3))
        assert built.decoded is not None
        windows = potential.v.T[2 : 2 + len(IMAGES) * built.timing.period]
        windows = windows.reshape(len(IMAGES), built.timing.period, -1)[:, : built.timing.steps]
        np.testing.assert_array_equal(built.decoded.rows, windows.max(axis=1))


@pytest.mark.parametrize(
    ("target", "connectivity", "schedule"),
    [
        ("numpy", "shared", "paper"),
        pytest.param("numpy", "unrolled", "brian2", marks=pytest.mark.slow),
        pytest.param("cython", "shared", "paper", marks=pytest.mark.slow),
    ],
)
def test_a_run_may_be_cut(target: Target, connectivity: Any, schedule: ScheduleName) -> None:
    """Spikes that are still to be delivered when a run ends are delivered in the next."""
    need(target)
    net = network("max", schedule).with_delay("2*ms")
    expected = simulate(net, IMAGES, target, seed=3)
    assert int(expected["/layers/last/spike_count"].sum()) > 20
    with activated(target):
        built = build(net, len(IMAGES), connectivity=connectivity)
        built.present(IMAGES, seed=3)
        steps, dt = built.steps, net.config.dt_seconds * second
        for length in (1, 7, 2, 13):
            steps -= length
            built.network.run(length * dt, namespace={})
        built.network.run(steps * dt, namespace={})
        assert built.result().equals(expected)


def test_a_standalone_program_runs_a_network_once() -> None:
    need("cpp_standalone")
    net = network("max")
    with activated("cpp_standalone"):
        built = build(net, len(IMAGES))
        built.network.run(3 * second / 1000, namespace={})
        with refused(InputError, where="network.run"):
            built.network.run(3 * second / 1000, namespace={})


def test_names_are_looked_up_where_the_network_runs() -> None:
    net = network("mean")
    with activated("numpy"):
        built = build(net, len(IMAGES))
        built.present(IMAGES, seed=3)
        steepness = 2.0  # used by the group below
        own = NeuronGroup(
            1, "dx/dt = steepness/second : 1", method="euler", clock=built.input.clock
        )
        built.network.add(own)
        built.network.run(built.duration)
    assert own.x[0] == pytest.approx(steepness * float(built.duration / second))


def test_a_second_run_needs_the_state_before_the_first() -> None:
    net = network("mean")
    with activated("numpy"):
        built = build(net, len(IMAGES))
        built.network.store()
        built.present(IMAGES[::-1], seed=3)
        built.run()
        with refused(InputError):
            built.present(IMAGES, seed=3)
        built.network.restore()
        built.present(IMAGES, seed=3)
        built.run()
        assert built.result().equals(simulate(net, IMAGES, "numpy", seed=3))


def test_an_unfinished_run_has_no_result() -> None:
    net = network("mean")
    expected = simulate(net, IMAGES[:1], "numpy", seed=3)
    with activated("numpy"):
        built = build(net, presentations=2)
        built.present(IMAGES[:1], seed=3)
        needed = built.timing.duration(1, len(built.populations))
        with refused(InputError):
            built.result()
        dt = net.config.dt_seconds * second
        built.network.run((needed - 3) * dt, namespace={})
        with refused(InputError, needed - 3, needed):
            built.result()
        built.network.run(3 * dt, namespace={})
        # The second presentation is empty, so the first is complete without it.
        assert built.result().equals(expected)
