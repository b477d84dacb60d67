"""CUDA projects: their sources, their compilation by nvcc, and their spikes on a GPU.

Each test runs if the machine has what it needs. `make test-cuda` makes the environment.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2.utils.logger import catch_logs
from builders import three_layers
from graph_cases import EDGES, IMAGES, network_of
from network_cases import Case, assert_agree, case
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes, layer_names
from bioae.api import build
from bioae.datasets import load
from bioae.errors import TargetError
from bioae.networks import Network, NetworkConfig
from bioae.simulation.backend import Backend, Dtype, Target
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.targets.activation import activated, check_target
from bioae.simulation.targets.compiling import compile_project
from bioae.simulation.targets.cuda.requirements import Toolkit
from bioae.simulation.workers import job as runners

pytest.importorskip("brian2cuda", reason="brian2cuda is not installed: make test-cuda")

# brian2cuda leaves the files that it writes to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

from bioae.simulation.targets import compiling  # noqa: E402
from bioae.simulation.targets.cuda.building import write_cuda  # noqa: E402


def demo(seed: int = 0) -> Network:
    """Return the network of the demo, before training."""
    return Network.initialise(NetworkConfig.preset("strided"), seed=seed).quantised()


def small(*, delay: str | None = None, **fields: Any) -> Network:
    network = three_layers(**fields)
    return network if delay is None else network.with_delay(delay)


def write(
    network: Network, folder: Path, *, dtype: Dtype = "float64", compiled: bool = False,
    **options: Any,
) -> dict[str, str]:  # fmt: skip
    """Write a network's project, and return its sources by their names."""
    for placed in network.config.placed:
        _ = placed.program, placed.readout_program
    with activated("cuda_standalone", dtype=dtype) as device, catch_logs():
        built = build(network, 3, **options)
        assert active_target() == "cuda_standalone"
        built.run()
        (compile_project if compiled else write_cuda)(device, folder)
    return {path.name: path.read_text() for path in folder.glob("*.[ch]*")}


def merged(sources: Mapping[str, str]) -> str:
    return "".join(text for name, text in sources.items() if name.startswith("unit"))


def test_every_pathway_of_the_demo_has_its_kernels(tmp_path: Path) -> None:
    network = demo()
    code = merged(write(network, tmp_path))
    assert len(network.config.placed) == 6
    for placed in network.config.placed:
        for kernel in ("_pack", "_run_kernel", "_arrive"):
            name = f"{kernel}_{placed.name}__weight_codeobject"
            assert (code.count(f"__global__ void {name}("), code.count(f"{name}<<<")) == (1, 1)
    assert "%" not in "".join(line for line in code.splitlines() if line.strip().startswith("%"))
    makefile = (tmp_path / "makefile").read_text()
    assert "-use_fast_math" not in makefile
    assert "-fmad=false" in makefile


def test_sources_contain_no_values(tmp_path: Path) -> None:
    sources = write(demo(), tmp_path / "one")
    other = demo(seed=1)
    config = other.config
    layers = tuple(
        each.model_copy(update={"parameters": {**each.parameters, "theta": "1.25"}})
        for each in config.layers
    )
    other = replace(other, config=config.model_copy(update={"layers": layers}))
    assert write(other, tmp_path / "other") == sources


def test_synapses_with_delays_are_refused_where_they_come_early(tmp_path: Path) -> None:
    network = small(delay="2*ms", schedule="paper")
    with refused(TargetError, "--target cpp_standalone"):
        write(network, tmp_path, connectivity="unrolled")
    inside = write(small(delay="2*ms"), tmp_path, connectivity="unrolled")
    assert "first__weight_pre" in merged(inside)


@pytest.mark.parametrize("options", [{}, {"connectivity": "unrolled", "record": ["v"]}])
def test_nvcc_compiles_it(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's network; and a small one of ordinary synapses, noise and recorded states."""
    try:
        Toolkit.whole()
    except TargetError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    network = small(neuron="noisy_lif") if options else demo()
    write(network, tmp_path / "project", compiled=True, **options)
    assert (tmp_path / "project" / "main").stat().st_size > 1e6
    # The second time it comes from the cache, without the compiler.
    write(network, tmp_path / "again", compiled=True, **options)
    assert not list((tmp_path / "again").glob("*.o"))
    program = (tmp_path / "project" / "main").read_bytes()
    assert (tmp_path / "again" / "main").read_bytes() == program


#: The demo, noise, graphs, and one network of each kind.
NETWORKS = [
    "demo", "noise", "delays", "graph", "graph on a common clock", "lif_subtract",
    "inhibition, brian2", "layer kinds, brian2", "trajectory of a task", "first_spike of a task",
    "layer spikes, paper",
]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_emulated_it_gives_every_spike(
    name: str, cuda_emulator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The complete project, compiled for the CPU: the threads of each kernel run in sequence."""
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler")
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path))
    machine = SimpleNamespace(version_text="emulated", random_folder=None)
    monkeypatch.setattr(Toolkit, "whole", lambda: machine)
    monkeypatch.setattr(
        compiling, "_compile", lambda folder, _: cuda_emulator.compile_project(folder)
    )
    monkeypatch.setattr(runners, "check_target", lambda target: target)
    check_every_spike(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_gives_every_spike(name: str) -> None:
    try:
        check_target("cuda_standalone")
    except TargetError as error:
        pytest.skip(str(error))
    check_every_spike(name)


def check_every_spike(name: str) -> None:
    images = np.random.default_rng(0).random((5, 6, 6))
    match name:
        case "demo":
            shown = Case(demo(), load("sample", "test", limit=5), ["v"])
        case "noise":
            shown = Case(small(neuron="noisy_lif"), images, ["v"])
        case "delays":
            shown = Case(small(delay="2*ms", schedule="paper"), images, ["v"])
        case "graph" | "graph on a common clock":
            clock = "common" if name.endswith("clock") else "staggered"
            # The emulator has none of the library that sorts spikes of single delays.
            edges = [{**e, "delay": "2*ms"} if "delay" in e else e for e in EDGES]
            shown = Case(network_of("brian2", clock=clock, edges=edges), IMAGES, ["v"])
        case _:
            shown = case(name)
    # Two chunks, the second one padded: one build serves both.
    targets: tuple[Target, ...] = ("numpy", "cuda_standalone")
    expected, actual = (
        simulate(shown.network, shown.data, Backend(target, record=shown.record, chunk=3))
        for target in targets
    )
    assert actual.attrs["target"] == "cuda_standalone"
    if name not in NETWORKS[:5]:
        assert_agree(actual, expected, shown)
    # NumPy's exponential function rounds differently where a model asks for it in each step.
    assert not differing_spikes(expected, actual)["differing"].any()
    for layer in layer_names(expected):
        assert (
            layer not in layer_names(expected)[:2] or expected[f"/layers/{layer}/spike_count"].any()
        )
        for state in shown.record:
            states = [tree[f"/layers/{layer}"].get(f"state_{state}") for tree in (expected, actual)]
            if states[0] is not None:
                np.testing.assert_allclose(*states, rtol=1e-12)
