"""Input neurons in Brian2 equal the encoder in NumPy, bit for bit, on every target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import SpikeMonitor, StateMonitor
from builders import dense, described, need, numbered
from numpy.typing import NDArray

from bioae.api import build
from bioae.networks import Network
from bioae.networks.schedule import SCHEDULES, ScheduleName
from bioae.simulation.backend import BRIAN2_TARGETS, Dtype, Target
from bioae.simulation.brian2_internals.groups import float32_allowed
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.objects.input import HELD
from bioae.simulation.targets.activation import activated
from bioae.simulation.targets.compiling import compile_project

pytestmark = pytest.mark.usefixtures("quick_compiler")

ENCODERS: list[dict[str, Any]] = [
    {"kind": "bernoulli", "rate": 0.3}, {"kind": "first_spike"},
    {"kind": "constant_current", "gain": 0.37}, {"kind": "population", "neurons": 4},
]  # fmt: skip
IN_TIME: list[dict[str, Any]] = [
    {"kind": "frames", "gain": 0.37, "every": 3},
    {"kind": "frames", "random": True},
    {"kind": "level_crossing", "delta": 0.6},
    {"kind": "population", "neurons": 4, "low": -2.0, "high": 2.0, "random": True},
]
SEED = 2**64 - 5
EXAMPLES = np.array([17, 2**53 + 1, 0, 2**62])
#: Of a number of pixels that no block of four random words divides, with black and white ones.
IMAGES = np.random.default_rng(0).permuted(np.r_[np.linspace(0, 1, 13), 0, 1]).reshape(1, 1, 3, 5)
IMAGES = np.concatenate([IMAGES, 0 * IMAGES, IMAGES[..., ::-1], 1 - IMAGES])
#: Of either sign, and one of them silent.
SIGNALS = np.random.default_rng(1).normal(size=(4, 9, 5)) * np.array([1, 0, 1, 1])[:, None, None]


def network(encoder: dict[str, Any], schedule: ScheduleName, **changes: Any) -> Network:
    fields: dict[str, Any] = {"steps": 9, "encoder": encoder, "schedule": schedule}
    fields["input_shape"] = [5] if encoder in IN_TIME else [1, 3, 5]
    fields |= {"task": {"kind": "classification", "classes": 15}, "decoder": {"kind": "count"}}
    return Network.initialise(described(dense("only", 15), **fields | changes))


def shown_to(network: Network) -> NDArray[np.float64]:
    """Return the images or signals of a network."""
    config = network.config
    return SIGNALS[:, :: 9 // config.points] if config.in_time else IMAGES


@dataclass
class Emission:
    """A run of a network, with room for one more image, that records what the input emits."""

    network: Network
    name: str
    shown: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.built = build(self.network, len(IMAGES) + 1, prefix=f"{self.name}_")
        source = self.built.input
        self.spikes = SpikeMonitor(source, name=f"{self.name}__spikes")
        self.held = StateMonitor(
            source, [HELD], record=True, when="end", clock=source.clock, name=f"{self.name}__held"
        )
        self.built.network.add(self.spikes, self.held)
        self.built.present(numbered(self.shown, EXAMPLES), seed=SEED)
        self.built.run()

    def raster(self) -> NDArray[np.float64]:
        """Return what was emitted (step, neuron)."""
        step = np.rint(np.asarray(self.spikes.t) / self.network.config.dt_seconds).astype(int)
        raster = np.zeros((self.built.steps, self.built.input.N))
        raster[step, np.asarray(self.spikes.i)] = 1.0
        graded = self.network.config.encoder.graded
        return raster * (self.held.variables[HELD].get_value() if graded else 1.0)


def emitted(
    networks: list[Network],
    target: Target,
    dtype: Dtype,
    folder: Path,
    shown: NDArray[np.float64] | None = None,
) -> list[NDArray[np.float64]]:
    """Return what the input of each network emits, all networks in one build.

    It is shown the images or signals `shown`, by default those of `shown_to`.
    """
    with activated(target, dtype=dtype) as device:
        runs = [
            Emission(each, f"emitting{place}", shown_to(each) if shown is None else shown)
            for place, each in enumerate(networks)
        ]
        if target == "cpp_standalone":
            compile_project(device, folder)
            with float32_allowed():
                device.run(with_output=False)
        return [run.raster() for run in runs]


def laid_out(built: BrianNetwork, drive: NDArray[np.float32]) -> NDArray[np.float64]:
    """Lay the presentations of an encoder one after another (step, neuron)."""
    raster = np.zeros((built.steps, built.input.N))
    for place, one in enumerate(drive.swapaxes(0, 1)):
        start = place * built.timing.period
        raster[start : start + len(one)] = one.reshape(len(one), -1)
    return raster


@pytest.mark.parametrize("target", BRIAN2_TARGETS)
def test_every_target_emits_as_the_encoder_does(target: Target, tmp_path: Path) -> None:
    need(target)
    names: tuple[ScheduleName, ...] = tuple(SCHEDULES)
    dtypes: tuple[Dtype, ...] = ("float64", "float32")
    for schedule, dtype, encoders in zip(names, dtypes, (ENCODERS, IN_TIME), strict=True):
        few = encoders[:1] if target == "cython" else encoders  # seconds for each code object
        networks = [network(encoder, schedule) for encoder in few]
        expected = []
        for net in networks:
            drive = net.config.encoder.encode(shown_to(net), EXAMPLES, steps=9, seed=SEED)
            with activated("numpy"):
                expected.append(laid_out(build(net, len(IMAGES) + 1), drive))
        actual = emitted(networks, target, dtype, tmp_path / schedule)
        for rows, same in zip(actual, expected, strict=True):
            assert 0 < np.count_nonzero(same) < same.size
            np.testing.assert_array_equal(rows, same)


@pytest.mark.medium
def test_blocks_of_random_words_that_steps_share_are_drawn_once(tmp_path: Path) -> None:
    """Of 16 pixels, four blocks: C++ lists those with a pixel that is not black once per image."""
    need("cpp_standalone")
    images = np.zeros((4, 1, 4, 4))
    images[:, 0, 0], images[:3, 0, 2, 1], images[1:, 0, 3, ::3] = 1.0, 0.5, 0.8
    images[2] = 0
    networks = [
        network({"kind": "bernoulli", "rate": rate}, schedule, input_shape=[1, 4, 4])
        for rate in (0.3, 1.0)
        for schedule in SCHEDULES
    ]
    rasters = emitted(networks, "cpp_standalone", "float64", tmp_path, images)
    for net, raster in zip(networks, rasters, strict=True):
        drive = net.config.encoder.encode(images, EXAMPLES, steps=9, seed=SEED)
        with activated("numpy"):
            expected = laid_out(build(net, len(images) + 1), drive)
        assert 0 < np.count_nonzero(expected) < expected.size / 3
        np.testing.assert_array_equal(raster, expected)


def test_arguments_of_signals_are_a_number_per_neuron_and_step() -> None:
    net = network(IN_TIME[0], "brian2")
    with activated("numpy"):
        built = build(net, 4)
        built.present(numbered(SIGNALS[:2, ::3], EXAMPLES[:2]))
        assert built.presented is not None
        ((name, values),) = built.input_arrays(built.presented).items()
    assert name == f"{built.held.name}.values"
    assert values.shape == (2 * 10, 5)
    assert built.held.values.shape == (4 * 10 + 1, 5)
    np.testing.assert_array_equal(built.held.values[:20], values)
    assert not built.held.values[20:].any()
