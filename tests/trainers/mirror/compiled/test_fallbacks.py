"""Layers that are not compiled, the cache of compiled code, and the pool of arrays."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import conv, deconv
from mirrors import DENSE, close, described, drive_of, firing, learn, mirror_of, needs_compiler
from refusals import refused

from bioae.equations import load_neuron
from bioae.errors import NetworkError
from bioae.simulation.targets.build_cache import BuildCache
from bioae.trainers.mirror.compiled import build, kernel, unsupported
from bioae.trainers.mirror.compiled.arrays import Arrays

STARTS = {**load_neuron("lif").to_mapping(), "initial": {"v": "0.9*rand()"}}


@pytest.mark.medium
@pytest.mark.parametrize("recurrent", [True, False])
def test_uncompilable_layers(recurrent: bool) -> None:
    layers = [{**DENSE[0], "recurrent": recurrent}, DENSE[1]]
    network = firing(described("lif", layers=layers, neurons={"lif": STARTS}))
    with refused(NetworkError, "layer first", "auto"):
        learn(mirror_of(network, potentials="all", compile=True))
    *_, expected = learn(mirror_of(network, potentials="all"))
    *_, found = learn(mirror_of(network, potentials="all", compile="auto"))
    assert expected
    for name, grad in expected.items():
        close(found[name], grad, 1e-4)


@pytest.mark.medium
@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        unsupported.Unsupported("the C++ compiler failed: ..."),
    ],
    ids=str,
)
def test_whatever_fails_while_compiling_leaves_a_layer_uncompiled(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(kernel, "compile_cpp", fail)
    monkeypatch.setattr(unsupported, "_warned", set())
    network = firing(described("lif"))
    mirrors = (mirror_of(network, potentials="all", compile=each) for each in (False, "auto"))
    plain, found = (learn(mirror)[2] for mirror in mirrors)
    assert plain
    for each, grad in plain.items():
        assert torch.equal(found[each], grad)
    (line,) = (record.getMessage() for record in caplog.records if "uncompiled" in record.msg)
    assert "layer first" in line
    assert str(error) in line
    with refused(NetworkError):
        learn(mirror_of(network, potentials="all", compile=True))


@pytest.mark.medium
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = firing(described("lif"))
    monkeypatch.setenv("CXX", str(tmp_path / "no-such-compiler"))
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    build.compile_cpp.cache_clear()
    with refused(NetworkError):
        mirror_of(network, compile=True)(drive_of(network.config))
    drive = drive_of(network.config)
    plain, fused = (mirror_of(network, compile=each)(drive) for each in (False, "auto"))
    assert plain.layers["last"].spikes.any()
    assert torch.equal(plain.reconstruction, fused.reconstruction)


SOURCE = 'extern "C" int answer() { return 42; }'


@pytest.mark.medium
@needs_compiler
def test_compiled_code_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    build.compile_cpp.cache_clear()
    assert build.compile_cpp(SOURCE).answer() == 42
    assert len(BuildCache.of_user().kept()) == 1
    build.compile_cpp.cache_clear()

    def fail(*_: object) -> None:
        raise AssertionError("it is compiled already")

    monkeypatch.setattr(build, "_compile", fail)
    assert build.compile_cpp(SOURCE).answer() == 42


@pytest.mark.medium
@needs_compiler
def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(unsupported.Unsupported):
        build.compile_cpp("this is no C++")


SHAPE = (4, 3, 2, 5)


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    arrays = Arrays()
    first = arrays.empty(SHAPE, torch.float32)
    place, view = first.data_ptr(), first[1].flatten()[3:]
    other = arrays.empty(SHAPE, torch.float32)
    assert other.data_ptr() != place
    del first
    third = arrays.empty(SHAPE, torch.float32)
    assert third.data_ptr() != place
    assert view.numel() == 27
    del view
    assert arrays.empty((2, *SHAPE[1:]), torch.float64).data_ptr() == place


@pytest.mark.medium
@needs_compiler
def test_steps_reuse_the_memory_of_the_step_before() -> None:
    config = described("lif", layers=[conv("first", 4, 3), deconv("last", 1, 3)],
                       input_shape=[1, 20, 20])  # fmt: skip
    mirror, drive = mirror_of(firing(config), compile=True), drive_of(config)

    def train() -> tuple[int, torch.Tensor]:
        activity = mirror(drive)
        spikes = activity.layers["first"].spikes
        place, copied = spikes.data_ptr(), spikes.detach().clone()
        activity.reconstruction.square().sum().backward()  # type: ignore[no-untyped-call]
        assert torch.equal(spikes, copied)
        return place, copied

    places, spikes = zip(*(train() for _ in range(4)), strict=True)
    gc.collect()
    assert spikes[0].any()
    assert all(torch.equal(each, spikes[0]) for each in spikes)
    assert len(set(places)) < 3
