"""`SharedSynapses` equals `brian2.Synapses` with one synapse per connection, bit for bit.

Small circuits of Brian2 objects: a source that fires by a table, and two equal targets, one behind
`SharedSynapses`, the other behind `Synapses`. Weights are dyadic, so that sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import Network as Brian2Network
from builders import need
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.random import stream
from bioae.simulation.backend import Dtype
from bioae.simulation.brian2_internals import groups
from bioae.simulation.sharing import (
    Layout,
    SharedSynapses,
    conv2d,
    conv_transpose2d,
    dense,
    synapses,
)
from bioae.simulation.targets.activation import activated
from bioae.simulation.targets.compiling import compile_project

pytestmark = pytest.mark.usefixtures("quick_compiler")

STEPS = 12
SLOTS = {
    "brian2": ["start", "groups", "thresholds", "synapses", "resets", "end"],
    "paper": ["start", "synapses", "thresholds", "resets", "groups", "end"],
}
CONDITION = "x_post >= 3 and a_pre < 2"
FACTOR = "0.5*table(t, i)"


@dataclass(frozen=True)
class Case:
    """A pathway, and what it is made between."""

    layout: Layout
    delay: int = 0
    separate: bool = False
    condition: str | None = None
    factor: str | None = None
    schedule: str = "brian2"
    refractory: bool = False
    inside: tuple[int, int] = (0, 0)  # neurons of source and target before those that are joined
    seed: int = 0

    def values(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return stream(self.seed, sum(map(ord, name))).integers(-64, 65, shape) / 64


@dataclass
class Circuit:
    """The Brian2 objects of a case."""

    case: Case
    prefix: str = ""
    network: Brian2Network = field(init=False)

    def __post_init__(self) -> None:
        case, layout = self.case, self.case.layout
        self.clock = brian2.Clock(1 * brian2.ms, name=f"{self.prefix}clock")
        size = layout.sources + case.inside[0] + 1
        raster = (case.values("raster", (STEPS, size)) > 0.4).astype(float)
        self.namespace = {
            "raster": brian2.TimedArray(raster, 1 * brian2.ms, name=f"{self.prefix}raster"),
            "table": brian2.TimedArray(case.values("table", (STEPS, layout.sources)), 1 * brian2.ms,
                                name=f"{self.prefix}table"),
        }  # fmt: skip
        self.source = brian2.NeuronGroup(
            size, "a : 1 (constant)", threshold="raster(t, i) > 0", reset="",
            namespace=self.namespace, clock=self.clock, name=f"{self.prefix}source",
        )  # fmt: skip
        self.source.variables["a"].set_value(np.arange(size) % 3)
        first = case.inside[0]
        self.pre = self.source[first : first + layout.sources]
        self.weights = case.values("weights", layout.shape)
        self.network = Brian2Network(self.source)
        self.network.schedule = SLOTS[case.schedule]
        self.monitors, self.joins = [], []
        for kind in ("shared", "unrolled"):
            self._add(kind)

    def _add(self, kind: str) -> None:
        case, layout = self.case, self.case.layout
        refractory = {"threshold": "g > 2", "reset": "g = 0"} if case.refractory else {}
        target = brian2.NeuronGroup(
            layout.targets + case.inside[1] + 1,
            f"{'dg/dt = 0*Hz : 1 (unless refractory)' if case.refractory else 'g : 1'}\n"
            "h : 1\nx : 1 (shared)",
            method="euler",
            refractory=3 * brian2.ms if case.refractory else False,
            clock=self.clock, name=f"{self.prefix}{kind}_target", **refractory,
        )  # fmt: skip
        target.run_regularly("x = t_in_timesteps", when="before_start")
        first = case.inside[1]
        post = target[first : first + layout.targets]
        join = (self._shared if kind == "shared" else self._unrolled)(post, f"{self.prefix}{kind}")
        monitor = brian2.StateMonitor(target, ["g", "h"], record=True, when="end", clock=self.clock,
                               name=f"{self.prefix}{kind}_monitor")  # fmt: skip
        self.network.add(target, join, monitor)
        self.monitors.append(monitor)
        self.joins.append(join)

    def _shared(self, post: Any, name: str) -> SharedSynapses:
        case = self.case
        return SharedSynapses(
            self.pre, post, case.layout, self.weights, variable="g",
            negative="h" if case.separate else None, delay=case.delay * brian2.ms,
            condition=case.condition, factor=case.factor, namespace=self.namespace, name=name,
        )  # fmt: skip

    def _unrolled(self, post: Any, name: str) -> brian2.Synapses:
        case = self.case
        factors = "" if case.condition is None else f"*int({case.condition})"
        factors += "" if case.factor is None else f"*({case.factor})"
        code = f"g_post += w{factors}"
        if case.separate:
            code = f"g_post += w*int(w > 0){factors}\nh_post += -w*int(w < 0){factors}"
        unrolled = brian2.Synapses(
            self.pre, post, "w : 1", on_pre=code, delay=case.delay * brian2.ms, clock=self.clock,
            namespace=self.namespace, name=name,
        )  # fmt: skip
        connections = case.layout.unrolled()
        unrolled.connect(i=connections.source, j=connections.target)
        unrolled.w = self.weights.ravel()[connections.weight]
        return unrolled

    def run(self, steps: int = STEPS) -> None:
        self.network.run(steps * brian2.ms, namespace={})

    def assert_equal(self) -> None:
        shared, unrolled = self.monitors
        assert (np.diff(shared.g) != 0).any()
        for state in ("g", "h") if self.case.separate else ("g",):
            np.testing.assert_array_equal(getattr(shared, state), getattr(unrolled, state))


CASES = [
    Case(conv2d((2, 6, 5), 3, 3, stride=2, padding=1), delay=2, separate=True, schedule="paper"),
    Case(conv_transpose2d((4, 3, 3), 18, 3, stride=2, groups=2, output_padding=1), inside=(3, 2)),
    Case(conv2d((1, 7, 7), 2, 2, dilation=2), condition=CONDITION, factor=FACTOR, delay=1),
    Case(dense(9, 7), separate=True, factor=FACTOR, condition="x_post >= 2", inside=(2, 0)),
    Case(dense(8, 5), refractory=True, delay=3, schedule="paper", inside=(0, 3)),
]


# Brian2 compares a number of type float32 with one that is too large for it.
FLOAT32 = pytest.mark.filterwarnings("ignore:overflow encountered in cast")


@FLOAT32
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_numpy(case: Case, dtype: Dtype) -> None:
    with activated("numpy", dtype=dtype):
        circuit = Circuit(case)
        circuit.run()
        assert circuit.joins[0].variables["w"].dtype == np.dtype(dtype)
        circuit.assert_equal()


@FLOAT32
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_standalone(tmp_path: Path, dtype: Dtype) -> None:
    check_standalone(tmp_path, dtype)


@FLOAT32
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_kernels_of_cuda(
    tmp_path: Path, dtype: Dtype, cuda_emulator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the code of CUDA, with its threads in sequence, forwards and backwards."""
    emulated = cuda_emulator.EmulatedCodeObject
    derived = groups.code_object_class
    monkeypatch.setattr(groups, "code_object_class", lambda package, _: derived(package, emulated))
    monkeypatch.setattr(synapses, "_compiled_ahead", lambda: False)
    check_standalone(tmp_path, dtype)
    sources = "".join(path.read_text() for path in (tmp_path / "code_objects").glob("*.cpp"))
    assert sources.count("emulated_launch(_run_kernel_") == len(CASES)


def check_standalone(tmp_path: Path, dtype: Dtype) -> None:
    """All cases in one project, and a second run of it with other weights."""
    need("cpp_standalone")
    with activated("cpp_standalone", dtype=dtype) as device:
        circuits = [Circuit(case, f"c{number}_") for number, case in enumerate(CASES)]
        for circuit in circuits:
            circuit.run()
        compile_project(device, tmp_path)
        device.run(with_output=False)
        before = []
        for circuit in circuits:
            circuit.assert_equal()
            before.append(np.array(circuit.monitors[0].g))
        # Without compilation: an array of weights is read when the run starts.
        arguments = {}
        for circuit in circuits:
            weight = circuit.case.layout.unrolled().weight
            weights = -2 * circuit.weights.ravel()
            shared, synapses = circuit.joins
            arguments[shared.w] = weights
            arguments[synapses.w] = weights[weight]
        device.run(with_output=False, run_args=arguments, results_directory="again")
        for circuit, former in zip(circuits, before, strict=True):
            circuit.assert_equal()
            assert (np.asarray(circuit.monitors[0].g) != former).any()


CONVOLUTIONS = st.builds(
    lambda shape, outputs, groups, make, **geometry: make(
        (shape[0] * groups, *shape[1:]), outputs * groups, groups=groups, **geometry
    ),
    shape=st.tuples(st.integers(1, 2), st.integers(7, 9), st.integers(7, 9)),
    outputs=st.integers(1, 3), groups=st.integers(1, 2), kernel=st.integers(2, 3),
    make=st.sampled_from([conv2d, conv_transpose2d]), stride=st.integers(1, 3),
    padding=st.integers(0, 2), dilation=st.integers(1, 3),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=8)
@given(
    case=st.builds(
        Case,
        layout=CONVOLUTIONS | st.builds(dense, st.integers(4, 9), st.integers(1, 9)),
        delay=st.integers(0, 4),
        separate=st.booleans(),
        condition=st.sampled_from([None, CONDITION, "x_post >= 2", "a_pre > 0"]),
        factor=st.sampled_from([None, FACTOR]),
        schedule=st.sampled_from(sorted(SLOTS)),
        inside=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        seed=st.integers(0, 99),
    )
)
def test_any_pathway(case: Case) -> None:
    with activated("numpy"):
        circuit = Circuit(case)
        circuit.run()
        circuit.assert_equal()


def test_runs_continue_and_restart() -> None:
    """Delayed spikes arrive in the next run; new weights take effect when it starts."""
    with activated("numpy"):
        circuit = Circuit(Case(dense(6, 5), delay=3))
        circuit.network.store()
        for _ in range(2):
            shared, unrolled = circuit.joins
            circuit.run(5)
            shared.w[0] = unrolled.w[0] = 4
            shared.w["i == 0"] = unrolled.w[0]
            unrolled.w = np.asarray(shared.w)[circuit.case.layout.unrolled().weight]
            circuit.run(STEPS - 5)
            circuit.assert_equal()
            circuit.network.restore()


def test_arguments_that_do_not_fit_are_refused() -> None:
    with activated("numpy"):
        source = brian2.NeuronGroup(6, "", threshold="True", reset="")
        target = brian2.NeuronGroup(5, "g : 1")
        fitting: dict[str, Any] = {
            "layout": dense(6, 5), "weights": np.zeros((5, 6)), "variable": "g"
        }  # fmt: skip
        fits = SharedSynapses(source, target, **fitting)
        assert fits.N == 30
        Brian2Network(source, target, fits).run(0 * brian2.ms, namespace={})
        for changes, kind in (
            ({"layout": dense(6, 4)}, ValueError), ({"layout": dense(5, 5)}, ValueError),
            ({"weights": np.zeros((6, 5))}, ValueError), ({"delay": -1 * brian2.ms}, ValueError),
            ({"delay": [1, 2] * brian2.ms}, ValueError), ({"factor": "2*w"}, ValueError),
            ({"delay": 2}, brian2.DimensionMismatchError),
        ):  # fmt: skip
            with pytest.raises(kind):
                SharedSynapses(source, target, **{**fitting, **changes})
