"""Options of a simulation: checked once, compared by value, without an import of Brian2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, drawn, pictures
from refusals import refused

import bioae
from bioae import Backend, simulate
from bioae.analysis import open_result
from bioae.equations import available, load_neuron
from bioae.errors import InputError, TargetError
from bioae.simulation.results.netcdf import write_result
from bioae.trainers.parity.comparison import recorded


def test_a_target_is_a_backend() -> None:
    assert Backend.of("numpy") == Backend("numpy")
    backend = Backend("cython", record=["v"])
    assert Backend.of(backend) is backend
    assert Backend() == Backend("cpp_standalone", "float64", "shared", ())


def test_the_order_of_recorded_variables_does_not_matter() -> None:
    backends = [Backend(record=names) for names in (["v", "u"], ("u", "v", "u"), {"v", "u"})]
    assert ({backend.record for backend in backends}, len(set(backends))) == ({("u", "v")}, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "float16"}, {"dtype": np.float16}, {"dtype": np.dtype("int32")},
        {"connectivity": "all"}, {"record": "v"}, {"record": None}, {"record": ["v", 1]},
        {"record": [["v"]]}, {"record": {"latent": ["v"]}}, {"record": b"v"}, {"workers": "2"},
        {"workers": None}, *({"workers": value} for value in (0, -1, np.int64(0))),
        *({"chunk": value} for value in (0, 1.5, np.int64(-1))),
    ],
    ids=str,
)  # fmt: skip
def test_other_options_are_refused(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    shown = value if isinstance(value, np.integer) else repr(value)
    with refused(InputError, name, found=str(shown)):
        Backend(**options)


def test_unknown_targets_are_refused() -> None:
    for target in ("opencl", np.array(["numpy", "x"])):
        with refused(TargetError):
            Backend(target)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_type_of_numpy_is_as_good_as_its_name(name: str) -> None:
    for dtype in (np.dtype(name), getattr(np, name)):
        assert Backend("numpy", dtype) == Backend("numpy", name)  # type: ignore[arg-type]
        assert type(Backend("numpy", dtype).dtype) is str


@pytest.mark.medium
def test_it_needs_no_brian2() -> None:
    code = "import bioae, sys; bioae.Backend('numpy'); print('brian2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.medium
@pytest.mark.parametrize(
    "names",
    [["alif", "lif_refractory"], pytest.param(available(), id="all", marks=pytest.mark.slow)],
)
def test_every_state_of_a_model_is_recorded_and_written(names: list[str], tmp_path: Path) -> None:
    kinds = set()
    for name in names:
        model = load_neuron(name)
        neuron = name if model.threshold is not None else "lif"
        network = drawn(
            dense("hidden", 2, neuron=neuron), dense("output", shape=[1, 2, 2], neuron=name),
            input_shape=[1, 2, 2], steps=4, dt=model.dt or "1*ms",
        )  # fmt: skip
        states = recorded(network)
        assert states
        result = simulate(network, pictures(1, 1, 2, 2), Backend("numpy", record=states))
        write_result(result, tmp_path / f"{name}.nc")
        again = open_result(tmp_path / f"{name}.nc")
        for state in network.config.placed[1].program.states:
            before, after = (each["layers/output"][f"state_{state}"] for each in (result, again))
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)
            kinds.add(after.dtype.kind)
    assert kinds >= {"f", "i"}


def test_variables_that_no_layer_has_are_refused_everywhere() -> None:
    network = drawn(dense("hidden", 2), dense("output", shape=[1, 2, 2]), input_shape=[1, 2, 2])
    assert list(bioae.build(network, 1, record={"hidden": ["v"]}).states) == ["hidden"]
    for record, name in (
        (["typo"], "'typo'"), ({"hidden": ["typo"]}, "layer 'hidden'"),
        ({"hiden": ["v"]}, "hidden or output"), ("never", "'never'"), (3, "3"),
    ):  # fmt: skip
        with refused(InputError, name):
            bioae.build(network, 1, record=record)  # type: ignore[arg-type]
    plastic = drawn(
        dense("hidden", 2, synapse="stdp_pair", initial=0.3), dense("output", shape=[1, 2, 2]),
        input_shape=[1, 2, 2],
    )  # fmt: skip
    with refused(InputError, "'typo'", where="record"):
        bioae.learn(plastic, pictures(1, 1, 2, 2), Backend("numpy", record=["typo"]))


def test_the_number_of_presentations_of_a_run_is_checked() -> None:
    network = drawn(dense("output", shape=[1, 2, 2]), input_shape=[1, 2, 2], steps=4)
    built = bioae.build(network, 2)
    for number in (0, -1, 2.5, 3):
        with refused(InputError):
            built.run(number)  # type: ignore[arg-type]
