"""Nodes without a rule are refused by name, and an untrusted file is read safely."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from refusals import refused

from bioae.errors import InputError, LibraryError, NetworkError
from bioae.exchange.nir import from_nir, read_graph, to_nir, write_graph
from bioae.networks import Network, NetworkConfig

ONE = np.ones(3)


def lif(**changes: Any) -> Any:
    fields = {"tau": 0.01 * ONE, "r": ONE, "v_leak": 0 * ONE, "v_threshold": ONE, **changes}
    return nir.LIF(**fields)


def linear(rows: int = 3, columns: int = 3) -> Any:
    return nir.Linear(np.ones((rows, columns)))


def graph(nodes: dict[str, Any], *edges: str) -> Any:
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "output": nir.Output({"output": np.array([3])}),
        **nodes,
    }
    return nir.NIRGraph(nodes, [tuple(edge.split(">")) for edge in edges], type_check=False)


def chain(**nodes: Any) -> Any:
    return graph(nodes, *map(">".join, pairwise(["input", *nodes, "output"])))


#: A graph, and the node that does not fit.
BAD = {
    "threshold": (chain(w=linear(), t=nir.Threshold(ONE), n=lif()), "'t'"),
    "no neurons": (chain(w=linear()), "'w'"),
    "readout": (chain(n=lif(), w=linear()), "'w'"),
    "operations in a cycle": (
        graph({"a": lif(), "v": linear(), "w": linear()}, "input>v", "v>w", "w>v", "w>a",
              "a>output"),
        "'w'",
    ),
    "operation to nowhere": (
        graph({"a": lif(), "w": linear()}, "input>a", "a>w", "a>output"), "'w'"
    ),
    "two outputs": (
        graph({"a": lif(), "b": lif()}, "input>a", "a>b", "a>output", "b>output"), "'output'"
    ),
    "sizes": (
        graph({"a": lif(), "w": linear(4), "b": lif()}, "input>a", "a>w", "w>b", "a>b", "b>output"),
        "'b'",
    ),
    "apart": (
        graph({"a": lif(), "b": lif()}, "input>a", "a>output"), "'b'"
    ),
    "missing": (graph({"a": lif()}, "input>a", "a>x"), "'x'"),
    "shape": (chain(w=linear(3, 4), n=lif()), "'w'"),
    "neurons": (chain(w=linear(4, 3), n=lif()), "'n'"),
    "nan": (chain(w=nir.Linear(np.full((3, 3), np.nan)), n=lif()), "'w'"),
    "tau": (chain(n=lif(tau=0 * ONE)), "'n'"),
    "negative threshold": (chain(n=lif(v_threshold=-ONE)), "'n'"),
    "silent inside": (
        chain(a=nir.LI(tau=ONE, r=ONE, v_leak=ONE), b=lif()), "'a'"
    ),
    "delayed bias": (
        chain(w=nir.Affine(np.ones((3, 3)), ONE), d=nir.Delay(ONE), n=lif()), "'d'"
    ),
    "between steps": (chain(d=nir.Delay(0.0015 * ONE), n=lif()), "'d'"),
    "long delay": (chain(d=nir.Delay(ONE), n=lif()), "'n'"),
    "negative delay": (chain(d=nir.Delay(-ONE), n=lif()), "'d'"),
    "pool of a line": (
        chain(p=nir.SumPool2d(*(np.array([2, 2]),) * 3), n=lif()), "'p'"
    ),
    "empty": (chain(w=nir.Scale(np.ones(0)), n=lif()), "'w'"),
    "texts": (chain(w=nir.Scale(np.array(["a", "b", "c"])), n=lif()), "'w'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    bad, node = BAD[name]
    with refused(NetworkError if name == "long delay" else InputError, node):
        from_nir(bad, dt="1*ms")


def images(*nodes: Any, shape: tuple[int, ...]) -> Any:
    return nir.NIRGraph.from_list(nir.Input({"input": np.array(shape)}), *nodes, type_check=False)


def test_parameters_of_fewer_axes_than_the_neurons_are_refused() -> None:
    kernel = nir.Conv2d(None, np.ones((3, 1, 1, 1)), 1, 0, 1, 1, np.zeros(3))
    for shape in ((3,), (3, 3)):  # channels, or columns?
        bad = images(kernel, nir.LIF(*(np.ones(shape),) * 4), shape=(1, 3, 3))
        with refused(InputError, where="NIR node 'lif'"):
            from_nir(bad, dt="1*ms")
    good = images(kernel, nir.LIF(*(np.ones((3, 1, 1)),) * 4), shape=(1, 3, 3))
    assert from_nir(good, dt="1*ms").config.placed[0].size == 27


def test_sizes_are_checked_before_memory_is_taken() -> None:
    wide = nir.Conv2d(None, np.ones((64, 1, 3, 3)), 1, 0, 1, 1, np.zeros(64))
    with refused(InputError, where="NIR node 'conv2d'", found="the shape (64, 19998, 19998)"):
        from_nir(images(wide, nir.IF(ONE, ONE), shape=(1, 20_000, 20_000)), dt="1*ms")
    long = nir.Conv2d(None, np.ones((8, 8, 1, 2000)), 1, (0, 5), 1, 1, np.zeros(8))
    with refused(InputError, where="NIR node 'conv2d'", found="8,088 x 24,000"):
        from_nir(images(long, nir.IF(ONE, ONE), shape=(8, 1, 3000)), dt="1*ms")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"dt": "1*mV"}, "dt"), ({"reset": "soft"}, "reset"), ({"encoder": "nothing"}, "encoder"),
        ({"input_shape": (1, 2, 2)}, "input_shape"), ({"input_shape": ("a",)}, "input_shape"),
        ({"input_shape": 4}, "input_shape"), ({"encoder": 5}, "found 5"), ({"task": "x"}, "'x'"),
        ({"decoder": "nothing"}, "decoder"), ({"steps": 0}, "steps"),
        ({"dt": "10*ms", "reset": "subtract_delayed"}, "'n'"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(options: Any, name: str) -> None:
    with pytest.raises(InputError) as caught:
        from_nir(chain(n=lif()), **{"dt": "1*ms", **options})
    assert name in str(caught.value)


@pytest.mark.parametrize("background", [0.5, (0.5, "20*Hz")])
def test_background_of_neurons_that_have_a_node_is_refused(background: Any) -> None:
    network = from_nir(chain(n=lif()), dt="1*ms")
    assert "n" in to_nir(network).nodes
    with refused(NetworkError, "'n'", where="layer 'n'"):
        to_nir(network.with_background(background))


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with refused(LibraryError):
        from_nir("x.nir", dt="1*ms")


def written(path: Path) -> Path:
    nir.write(str(path), chain(w=linear(), n=lif()))
    return path


def test_a_file_is_the_graph(tmp_path: Path) -> None:
    network = from_nir(written(tmp_path / "x.nir"), dt="1*ms")
    expected = from_nir(chain(w=linear(), n=lif()), dt="1*ms")
    assert (network.config, network.weights["n.weight"].shape) == (expected.config, (3, 3))
    assert (network.weights["n.weight"] == expected.weights["n.weight"]).all()


def external(file: h5py.File) -> None:
    del file["node/nodes/w/weight"]
    file["node/nodes/w/weight"] = h5py.ExternalLink("/etc/passwd", "/x")


def unknown(file: h5py.File) -> None:
    del file["node/nodes/w/type"]
    file["node/nodes/w/type"] = "os.system"


def objects(file: h5py.File) -> None:
    file["node/nodes/w/more"] = np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])


def no_nodes(file: h5py.File) -> None:
    del file["node"]


@pytest.mark.parametrize("spoil", [external, unknown, objects, no_nodes])
def test_files_that_are_not_safe_are_refused(tmp_path: Path, spoil: Any) -> None:
    path = written(tmp_path / "x.nir")
    with h5py.File(path, "r+") as file:
        spoil(file)
    with refused(InputError):
        read_graph(path)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.nir")
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 100):
        path.write_bytes(content[:size])
        with refused(InputError):
            read_graph(path)
    with refused(InputError):
        read_graph(tmp_path / "missing.nir")
    with refused(InputError, found="a folder"):
        read_graph(tmp_path)
    with refused(InputError, found="5"):
        write_graph(5, tmp_path / "graph.nir")
    assert [each.name for each in tmp_path.iterdir()] == ["x.nir"]


def network(**fields: Any) -> Network:
    layer = {"kind": "dense", "name": "a", "units": 4, **fields.pop("layer", {})}
    config = {
        "input_shape": [1, 2, 2], "schedule": "paper", "neuron": "lif", "layers": [layer], **fields,
    }  # fmt: skip
    return Network.initialise(NetworkConfig.from_mapping(config, where="test"))


@pytest.mark.parametrize(
    "fields",
    [
        {"neuron": "lif_subtract"},
        {"neuron": "lif_refractory"},
        {"neuron": "adex", "dt": "0.1*ms"},
        {"schedule": "brian2"},
        {"layer": {"background": 0.1}},
        {"layer": {"delay": ["1*ms", "3*ms"]}},
    ],
)
def test_neurons_without_a_node_are_refused(fields: Any) -> None:
    with refused(NetworkError, where="layer 'a'"):
        to_nir(network(**fields))


@pytest.mark.parametrize(
    ("edge", "where"),
    [({"target": "v", "weight": "1"}, "projection 'a.from_input'"), ({"from": "b"}, "layer 'a'")],
)
def test_graphs_that_nir_cannot_hold_are_refused(edge: dict[str, Any], where: str) -> None:
    edges = [{"from": "input", "to": "a", **edge}, {"from": "a", "to": "b"}]
    described = {
        "input_shape": [1, 2, 2], "schedule": "paper", "neuron": "lif", "projections": edges,
        "populations": [{"name": "a", "size": 3}, {"name": "b", "size": 4}],
    }  # fmt: skip
    with refused(NetworkError, where=where):
        to_nir(Network.initialise(NetworkConfig.from_mapping(described)))
