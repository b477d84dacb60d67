"""Graphs that snnTorch and norse write, and graphs that they read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from exchange.nir.graphs import BACK, EXAMPLES, NETWORKS, compared, ran, spikes_of
from refusals import refused

from bioae import simulate
from bioae.errors import NetworkError
from bioae.exchange.nir import from_nir, to_nir, translate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of other packages, on import
    torch = pytest.importorskip("torch")
    snn = pytest.importorskip("snntorch")
    norse = pytest.importorskip("norse.torch")
    from snntorch.export_nir import export_to_nir
    from snntorch.import_nir import import_from_nir

#: Warnings of other packages only: those of bioae are errors.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::{package}")
    for package in ("nir", "nirtorch", "snntorch", "norse", "torch")
]

#: The time steps that the two assume.
SNNTORCH, NORSE = 1e-4, 1e-3

STEPS = 20


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    """Use 64 bits and the same weights in every test."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def above(distance: Any) -> Any:
    """Return spikes in 64 bits; those of snnTorch have 32."""
    return (distance > 0).double()


def leaky(*shape: int, beta: float = 0.9, **options: Any) -> Any:
    options = {"reset_mechanism": "zero", "init_hidden": True, "spike_grad": above, **options}
    return snn.Leaky(beta=torch.full(shape, beta), threshold=torch.full(shape, 0.7), **options)


def synaptic(*shape: int) -> Any:
    return snn.Synaptic(
        alpha=torch.full(shape, 0.6), beta=torch.full(shape, 0.85),
        threshold=torch.full(shape, 1.0), init_hidden=True, reset_mechanism="zero",
        reset_delay=False, spike_grad=above,
    )  # fmt: skip


def snntorch_networks() -> dict[str, tuple[Any, tuple[int, ...]]]:
    layer = torch.nn
    return {
        "dense": (
            layer.Sequential(layer.Linear(16, 20), leaky(20), layer.Linear(20, 8), leaky(8)), (16,)
        ),
        "subtract_delayed": (
            layer.Sequential(
                layer.Linear(16, 20), leaky(20, reset_mechanism="subtract"),
                layer.Linear(20, 8), leaky(8, reset_mechanism="subtract"),
            ),
            (16,),
        ),
        "convolutional": (
            layer.Sequential(
                layer.Conv2d(1, 4, 3), layer.AvgPool2d(2), leaky(4, 5, 5),
                layer.Conv2d(4, 3, 3, padding=1, bias=False), leaky(3, 5, 5), layer.Flatten(),
                layer.Linear(75, 8), synaptic(8),
            ),
            (1, 12, 12),
        ),
        "synaptic": (layer.Sequential(layer.Linear(16, 20), synaptic(20)), (16,)),
    }  # fmt: skip


def emitted(module: Any, raster: Any) -> Any:
    """Return the spikes (time, neuron) of a module of any library, from its initial state on."""
    for each in module.modules():
        for reset in ("reset_mem", "init_leaky"):
            if hasattr(each, reset):
                getattr(each, reset)()
    spikes, state = [], None
    for values in raster:
        with torch.no_grad():
            inputs = torch.tensor(values[None])
            if type(module) is torch.nn.Sequential:  # its layers keep their states
                out = module(inputs)
            else:
                out, state = module(inputs, state)
        spikes.append(out.numpy().ravel())
    return np.stack(spikes)


def assert_the_same_spikes(module: Any, network: Any, shape: tuple[int, ...], dt: float) -> None:
    """Compare the last layer's spikes in Brian2 with those of the module itself."""
    images = np.random.default_rng(0).random((3, *network.config.input_shape))
    drive = network.config.encoder.encode(images, np.arange(3), steps=STEPS)
    result = simulate(network, images, "numpy")
    rasters = drive.astype(np.float64).swapaxes(0, 1).reshape(3, STEPS, *shape)
    spikes = np.stack([emitted(module, raster) for raster in rasters])
    assert spikes.sum() > 10
    assert (spikes_of(result, network.config.layers[-1].name, spikes.shape, dt) == spikes).all()


@pytest.mark.medium
@pytest.mark.parametrize("name", ["dense", "subtract_delayed", "convolutional", "synaptic"])
def test_networks_of_snntorch_fire_the_same_spikes(name: str, tmp_path: Path) -> None:
    module, shape = snntorch_networks()[name]
    path = tmp_path / "x.nir"
    nir.write(str(path), export_to_nir(module, torch.rand(1, *shape), ignore_dims=[0]))
    reset: Any = name if name == "subtract_delayed" else "zero"
    network = from_nir(path, dt="0.1*ms", steps=STEPS, encoder="bernoulli", reset=reset)
    assert_the_same_spikes(module, network, shape, SNNTORCH)


@pytest.mark.parametrize(
    ("threshold", "options", "suggested"),
    [
        (1.0, {}, True),
        (1.0, {"dt": "1*ms", "reset": "subtract_delayed"}, True),
        (1.0, {"reset": "subtract_delayed"}, False),
        (1.0, {"reset": "subtract"}, True),
        (0.7, {}, False),
    ],
)
def test_an_import_names_what_a_graph_does_not_store(
    threshold: float, options: Any, suggested: bool, caplog: pytest.LogCaptureFixture
) -> None:
    neurons = leaky(8, beta=0.95)
    neurons.threshold = torch.full((8,), threshold)
    module = torch.nn.Sequential(torch.nn.Linear(16, 8), neurons)
    graph = export_to_nir(module, torch.rand(1, 16), ignore_dims=[0])
    caplog.clear()
    network = from_nir(graph, **{"dt": "0.1*ms", **options})
    (line,) = caplog.messages
    for part in (network.config.dt, options.get("reset", "zero"), "constant_current (gain 1)"):
        assert part in line
    assert ("snnTorch" in line) == suggested
    assert ("ignore_reset" in line) == ("reset" in options)
    if "reset" in options:
        with refused(NetworkError, "reset", where=f"layer '{network.config.layers[0].name}'"):
            to_nir(network)
    again = to_nir(network, dt="0.1*ms", ignore_reset=True).nodes
    (node,) = (each for each in again.values() if isinstance(each, nir.LIF))
    before = next(each for each in graph.nodes.values() if isinstance(each, nir.LIF))
    scale = network.config.dt_seconds / 1e-4
    assert np.allclose(node.tau * scale, before.tau, rtol=1e-12)
    assert np.array_equal(node.v_threshold, before.v_threshold)


@pytest.mark.medium
def test_recurrent_networks_of_snntorch_are_found_in_flattened_graphs() -> None:
    module = torch.nn.Sequential(
        torch.nn.Linear(16, 8),
        snn.RLeaky(beta=torch.full((8,), 0.9), threshold=torch.full((8,), 0.5), init_hidden=True,
                   linear_features=8, reset_mechanism="zero", spike_grad=above),
        torch.nn.Linear(8, 4),
        snn.RSynaptic(alpha=0.8, beta=0.9, V=torch.rand(4), all_to_all=False, init_hidden=True,
                      spike_grad=above),
    )  # fmt: skip
    graph = export_to_nir(module, torch.rand(1, 16), ignore_dims=[0])
    assert "1.w_rec" in graph.nodes
    translation = translate(graph, dt="0.1*ms", steps=STEPS, encoder="bernoulli")
    assert all(layer.recurrent for layer in translation.network.config.layers)
    fired, differing = compared(graph, translation, dt=SNNTORCH)
    assert fired > 10
    assert differing == 0


def norse_network(cell: str) -> Any:
    def neurons(size: int) -> Any:
        values = {
            "tau_mem_inv": torch.full((size,), 100.0), "v_th": torch.full((size,), 0.05),
            "v_leak": torch.zeros(size), "v_reset": torch.zeros(size),
        }  # fmt: skip
        if cell == "box":
            return norse.LIFBoxCell(norse.LIFBoxParameters(**values))
        synapse = {"tau_syn_inv": torch.full((size,), 200.0)}
        return norse.LIFCell(norse.LIFParameters(**values, **synapse))

    linear = torch.nn.Linear
    return norse.SequentialState(linear(16, 20), neurons(20), linear(20, 6), neurons(6))


def corrected(graph: Any) -> Any:
    """Return a graph of norse, which writes dt/tau_inv for tau, and no w_in."""
    for node in graph.nodes.values():
        if isinstance(node, nir.LIF):
            node.tau = node.tau / NORSE
        if isinstance(node, nir.CubaLIF):
            node.tau_mem, node.tau_syn = node.tau_mem / NORSE, node.tau_syn / NORSE
            node.w_in = node.tau_syn / NORSE
    return graph


@pytest.mark.medium
@pytest.mark.parametrize("cell", ["box", "synaptic"])
def test_networks_of_norse_fire_the_same_spikes(cell: str) -> None:
    module = norse_network(cell)
    graph = corrected(norse.to_nir(module, torch.rand(1, 16)))
    network = from_nir(graph, dt="1*ms", steps=STEPS, encoder="bernoulli")
    assert_the_same_spikes(module, network, (16,), NORSE)


#: What a reader does not do as NIR defines it, by its name and that of a network; see docs/nir.md.
FAULTS = {
    ("snntorch", "delay"): "refuses Delay",
    ("norse", "delay"): "drops Delay",
    ("snntorch", "recurrent"): "connects the input to w_rec and not to the neurons",
    ("snntorch", "integrate and fire"): "takes only r = 1, and IF for a neuron that leaks",
}
CASES = [
    pytest.param(
        reader, name, id=f"{reader}-{name}",
        marks=[pytest.mark.xfail(reason=FAULTS[reader, name], strict=True)]
        if (reader, name) in FAULTS else [],
    )
    for reader in ("snntorch", "norse") for name in NETWORKS
    if name not in (*BACK, "delay within")  # neither reads delays
]  # fmt: skip


def read_by(reader: str, network: Any) -> Any:
    """Return a network as a module of a reader, in 64 bits."""
    if reader == "norse":
        return norse.from_nir(to_nir(network, fold_r=True), dt=NORSE).double()
    module = import_from_nir(to_nir(network, dt="0.1*ms")).double()
    for each in module.modules():
        if hasattr(each, "spike_grad"):
            each.spike_grad = above
    return module


@pytest.mark.medium
@pytest.mark.parametrize(("reader", "name"), CASES)
def test_exported_networks_fire_the_same_spikes_in_others(reader: str, name: str) -> None:
    network, drive, expected = ran(name)
    module = read_by(reader, network)
    shape = tuple(int(n) for n in to_nir(network).nodes["input"].input_type["input"])
    last = network.config.layers[-1].name
    for example in range(EXAMPLES):
        spikes = emitted(module, drive[:, example].reshape(-1, *shape))
        assert (spikes == expected[last][example]).all()
