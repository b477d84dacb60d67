"""Compiled steps: the spikes and gradients of the plain mirror, and its fallbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import COBA, SCHEDULES, conv, deconv, dense
from mirrors import (
    COMPILED,
    DENSE,
    close,
    compare,
    described,
    drive_of,
    firing,
    learn,
    mirror_of,
    needs_compiler,
)  # fmt: skip
from refusals import refused

from bioae.equations import load_neuron
from bioae.errors import NetworkError
from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror.compiled import build, kernel, unsupported
from bioae.trainers.mirror.derivatives import (
    DERIVATIVES,
    ArcTan,
    FastSigmoid,
    derivative,
)

#: Two channels of more neurons than a block holds, so that blocks are cut.
CONVOLUTIONS: list[dict[str, Any]] = [
    conv("first", 4, 3, padding=1),
    deconv("last", 2, 3, padding=1),
]


@needs_compiler
@pytest.mark.medium
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(name, marks=[] if name in ("adex", "lif_refractory") else pytest.mark.slow)
        for name in COMPILED
    ],
)
def test_every_model(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A kernel for each model: they compile sooner without the optimisations that other tests have.
    flags = ["-O1" if flag == "-O3" else flag for flag in build._FLAGS]
    monkeypatch.setattr(build, "_FLAGS", flags)
    build.compile_cpp.cache_clear()
    place = COMPILED.index(model)
    network = firing(described(model, SCHEDULES[place % 2]))
    compare(network, trainable=load_neuron(model).trainable)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("rule", [name for name in DERIVATIVES if name != ArcTan.name])
def test_every_derivative(rule: str) -> None:
    compare(firing(described("lif")), derivative=derivative(rule))


@needs_compiler
@pytest.mark.medium
@pytest.mark.parametrize(
    "dtype", [torch.float64, pytest.param(torch.float32, marks=pytest.mark.slow)]
)
def test_convolutions_with_parameters_of_each_neuron(dtype: torch.dtype) -> None:
    config = described("cuba", input_shape=[2, 11, 13], layers=CONVOLUTIONS)
    options: dict[str, Any] = {"trainable": ("tau", "theta"), "per_neuron": ("theta",)}
    rtol = 1e-10 if dtype == torch.float64 else 2e-4
    network, before = firing(config), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            compare(network, dtype=dtype, rtol=rtol, derivative=FastSigmoid(2.0), **options)
    finally:
        torch.set_num_threads(before)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "options", [{"truncate": 4}, {"recompute": 3}, {"detach_reset": True, "truncate": 7}], ids=str
)
def test_truncated_and_recomputed(schedule: str, options: dict[str, Any]) -> None:
    compare(firing(described("lif_subtract", schedule)), trainable=("tau",), **options)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_delay(schedule: str) -> None:
    """Input that would arrive after the presentation is dropped."""
    first, last = DENSE
    layers = [{**first, "delay": "1*ms"}, {**last, "delay": "4*ms"}]
    compare(firing(described("lif", schedule, layers=layers)))


@needs_compiler
@pytest.mark.medium
@pytest.mark.parametrize(
    ("model", "schedule", "recurrent"),
    [
        ("lif", "paper", False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                ("lif", "brian2", True),
                ("coba", "paper", True),
                ("coba", "brian2", False),
            ]
        ),
    ],
)
def test_pooling_and_biases(model: str, schedule: str, *, recurrent: bool) -> None:
    """Pooling, a dense and a transposed convolution, with biases of both signs."""
    layers = [
        {"kind": "avg_pool2d", "name": "first", "kernel": 3, "stride": 1, "bias": True},
        dense("middle", shape=[2, 3, 3], bias=True, recurrent=recurrent),
        deconv("last", 2, 3, bias=True),
    ]
    config = described(
        "lif", schedule, input_shape=[2, 5, 5], neuron=model, neurons={"coba": COBA}, layers=layers
    )
    weights = dict(Network.initialise(config, seed=4).weights)
    for key, name in enumerate(("first.bias", "middle.bias", "last.bias")):
        weights[name] = stream(6, key).normal(0.1, 0.2, weights[name].shape)
    compare(Network(config, weights).quantised())


# What is not compiled

SEVERAL = [{**DENSE[0], "delay": ["0*ms", "2*ms"]}, DENSE[1]]


@pytest.mark.medium
@pytest.mark.parametrize(("model", "layers"), [("noisy_lif", DENSE), ("lif", SEVERAL)])
def test_uncompilable_layers(model: str, layers: list[dict[str, Any]]) -> None:
    network = firing(described(model, layers=layers))
    with refused(NetworkError, "layer first", "auto"):
        learn(mirror_of(network, potentials="all", compile=True))
    *_, expected = learn(mirror_of(network, potentials="all"))
    *_, found = learn(mirror_of(network, potentials="all", compile="auto"))
    assert expected
    # The last layer of the two lif networks is compiled.
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
    assert [path.suffix for path in (tmp_path / "cache" / "compiled").iterdir()] == [".so"]
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
