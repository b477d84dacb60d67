"""New values need no compilation: the compiler runs only if the network changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from builders import conv, dense, drawn, need, numbered
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.errors import TargetError
from bioae.networks import Network
from bioae.simulation.backend import Backend
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets import compiling
from bioae.simulation.targets.build_cache import BuildCache

IMAGES = np.linspace(0.1, 1, 3 * 9).reshape(3, 1, 3, 3)


pytestmark = pytest.mark.usefixtures("quick_compiler")


@pytest.fixture(autouse=True)
def cpp() -> None:
    need("cpp_standalone")


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Start with an empty cache, and list the projects that are compiled."""
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    calls: list[Path] = []
    run_compiler = compiling._compile

    def counted(folder: Path, sources: Any) -> None:
        calls.append(folder)
        run_compiler(folder, sources)

    monkeypatch.setattr(compiling, "_compile", counted)
    return calls


def network(seed: int = 0, *, neuron: str = "lif", **parameters: Any) -> Network:
    """Return a network of two kinds of layers; the parameters are those of the last one."""
    layers = [conv("first", 2, 2, gain=4.0), dense("last", shape=[1, 3, 3], gain=4.0)]
    network = drawn(*layers, seed=seed, input_shape=[1, 3, 3], steps=20, neuron=neuron)
    own = {f"last.{name}": np.asarray(value) for name, value in parameters.items()}
    return Network(network.config, {**network.weights, **own})


def compare(
    net: Network, images: Any = IMAGES, chunk: int | None = None, **options: Any
) -> xr.DataTree:
    """Run a network, and compare its spikes with those of the target numpy."""
    result = simulate(net, images, Backend("cpp_standalone", chunk=chunk), **options)
    expected = simulate(net, images, "numpy", **options)
    assert expected["/layers/last"]["spike_count"].sum() > 0
    assert differing_spikes(result, expected)["differing"].values.tolist() == [0, 0]
    np.testing.assert_array_equal(result["reconstruction"], expected["reconstruction"])
    return result


def test_new_values_need_no_compilation(compiled: list[Path]) -> None:
    first = compare(network())
    assert len(compiled) == 1
    one = compare(network(seed=1), IMAGES[:1])  # other weights, one image
    assert len(one["example"]) == 1
    many = compare(network(), np.tile(IMAGES[::-1], (4, 1, 1, 1)), chunk=5)
    assert len(many["example"]) == 12
    assert differing_spikes(first, compare(network(), seed=1))["differing"].sum() > 0
    lower = compare(network(theta=0.5, tau=0.03))
    assert int(lower["/layers/last"]["spike_count"].sum()) != int(
        first["/layers/last"]["spike_count"].sum()
    )
    assert len(compiled) == 1


@pytest.mark.slow
def test_new_values_per_neuron_and_noise_need_no_compilation(compiled: list[Path]) -> None:
    for seed, wide, noise in ((0, 0.1, 0.1), (1, 0.3, 0.5)):
        varied = network(seed, neuron="alif").with_spread({"tau": wide}, seed=seed)
        compare(varied.with_background(noise), numbered(IMAGES, [7, seed, 3]), seed=seed)
    assert len(compiled) == 1


def test_builds_differ_only_in_the_inputs_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    class KeyFoundError(Exception):
        """Ends a simulation before anything is compiled."""

    def refuse(cache: BuildCache, key: str, *_: Any) -> None:
        raise KeyFoundError(key)

    def key(net: Network, seed: int = 0, **options: Any) -> str:
        with pytest.raises(KeyFoundError) as caught:
            simulate(net, IMAGES, Backend(**options), seed=seed)
        return str(caught.value)

    monkeypatch.setattr(BuildCache, "obtain", refuse)
    rng = np.random.default_rng(0)
    uneven = [network(theta=rng.uniform(0.5, 1, 9), tau=rng.uniform(0.01, 1, 9)) for _ in range(2)]
    same = key(network())
    assert key(network(seed=3), seed=4) == key(network(theta=0.4)) == same
    with targets.activated("numpy"):
        others = build(network())  # Brian2 gives no two objects the same name
        others.run()
    assert key(network()) == same
    assert key(uneven[0]) == key(uneven[1])
    different = [
        same, key(uneven[0]), key(network(), record=["v"]), key(network(neuron="alif")),
        key(network(), dtype="float32"),
    ]  # fmt: skip
    monkeypatch.setattr(targets, "IEEE_FLAGS", ["-w", "-O1", "-ffp-contract=off"])
    different.append(key(network()))
    monkeypatch.setenv("CXX", "c++ -DOTHER")
    different.append(key(network()))
    assert len(set(different)) == len(different) == 7


def test_a_compiler_that_fails_is_an_error(
    compiled: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_known_flags", lambda: ["-include", "missing.h"])
    with refused(TargetError, "missing.h"):
        simulate(network(), IMAGES, "cpp_standalone")
    assert len(compiled) == 1


def test_code_that_was_not_compiled_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imitate Brian2's Cython target, which skips code objects that do not compile."""
    compile_block = NumpyCodeObject.compile_block

    def spoilt(self: NumpyCodeObject, block: str) -> object:
        wanted = "stateupdater" in self.name and block == "run"
        return None if wanted else compile_block(self, block)

    simulate(network(), IMAGES, "numpy")
    monkeypatch.setattr(NumpyCodeObject, "compile_block", spoilt)
    with refused(TargetError, where=re.compile("stateupdater")):
        simulate(network(), IMAGES, "numpy")
