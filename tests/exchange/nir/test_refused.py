"""What has no rule is refused by the node's name, and a stranger's file is read safely."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from bioae.errors import InputError, NetworkError
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
    names = ["input", *nodes, "output"]
    return graph(nodes, *map(">".join, pairwise(names)))


BAD = {
    "threshold": (chain(w=linear(), t=nir.Threshold(ONE), n=lif()), "'t'.*no rule.*Threshold"),
    "no neurons": (chain(w=linear()), "'w'.*ends with an operation"),
    "readout": (chain(n=lif(), w=linear()), "'w'.*ends with an operation"),
    "branch": (
        graph({"a": lif(), "b": lif(), "c": lif()}, "input>a", "a>b", "a>c", "b>output"),
        "'a'.*goes to 'b' and 'c'",
    ),
    "skip": (
        graph({"a": lif(), "w": linear(), "b": lif()}, "input>a", "a>w", "w>b", "a>b", "b>output"),
        "'a'.*goes to 'w' and 'b'",
    ),
    "large cycle": (
        graph({"a": lif(), "b": lif(), "w": linear()}, "input>a", "a>b", "b>w", "w>a", "b>output"),
        "'a'.*several nodes lead here",
    ),
    "apart": (
        graph({"a": lif(), "b": lif()}, "input>a", "a>output"), "'b'.*on no way"
    ),
    "missing": (graph({"a": lif()}, "input>a", "a>x"), "'x'.*does not exist"),
    "shape": (chain(w=linear(3, 4), n=lif()), "'w'.*weights do not fit"),
    "neurons": (chain(w=linear(4, 3), n=lif()), "'n'.*does not fit the neurons"),
    "nan": (chain(w=nir.Linear(np.full((3, 3), np.nan)), n=lif()), "'w'.*not finite"),
    "tau": (chain(n=lif(tau=0 * ONE)), "'n'.*tau is not positive"),
    "negative threshold": (chain(n=lif(v_threshold=-ONE)), "'n'.*negative threshold"),
    "silent inside": (
        chain(a=nir.LI(tau=ONE, r=ONE, v_leak=ONE), b=lif()), "'a'.*without a threshold"
    ),
    "delay within a cycle": (
        graph({"a": lif(), "d": nir.Delay(ONE)}, "input>a", "a>d", "d>a", "a>output"),
        "'d'.*delay within a cycle",
    ),
    "delayed bias": (
        chain(w=nir.Affine(np.ones((3, 3)), ONE), d=nir.Delay(ONE), n=lif()), "'d'.*delays a bias"
    ),
    "between steps": (chain(d=nir.Delay(0.0015 * ONE), n=lif()), "'d'.*no multiple"),
    "long delay": (chain(d=nir.Delay(ONE), n=lif()), "delay does not fit"),
    "negative delay": (chain(d=nir.Delay(-ONE), n=lif()), "'d'.*negative"),
    "pool of a line": (
        chain(p=nir.SumPool2d(*(np.array([2, 2]),) * 3), n=lif()), "'p'.*needs an input"
    ),
    "empty": (chain(w=nir.Scale(np.ones(0)), n=lif()), "'w'.*scale is empty"),
    "texts": (chain(w=nir.Scale(np.array(["a", "b", "c"])), n=lif()), "'w'.*holds no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    bad, line = BAD[name]
    with pytest.raises(InputError, match=line):
        from_nir(bad, dt="1*ms")


def images(*nodes: Any, shape: tuple[int, ...]) -> Any:
    return nir.NIRGraph.from_list(nir.Input({"input": np.array(shape)}), *nodes, type_check=False)


def test_parameters_of_fewer_axes_than_the_neurons_are_refused() -> None:
    kernel = nir.Conv2d(None, np.ones((3, 1, 1, 1)), 1, 0, 1, 1, np.zeros(3))
    for shape in ((3,), (3, 3)):  # channels, or columns?
        bad = images(kernel, nir.LIF(*(np.ones(shape),) * 4), shape=(1, 3, 3))
        with pytest.raises(InputError, match=r"does not fit.*\(3, 3, 3\), flat, or one"):
            from_nir(bad, dt="1*ms")
    good = images(kernel, nir.LIF(*(np.ones((3, 1, 1)),) * 4), shape=(1, 3, 3))
    assert from_nir(good, dt="1*ms").config.placed[0].size == 27


def test_sizes_are_checked_before_memory_is_taken() -> None:
    wide = nir.Conv2d(None, np.ones((64, 1, 3, 3)), 1, 0, 1, 1, np.zeros(64))
    with pytest.raises(InputError, match="the output is too large; expected at most 16,777,216"):
        from_nir(images(wide, nir.IF(ONE, ONE), shape=(1, 20_000, 20_000)), dt="1*ms")
    long = nir.Conv2d(None, np.ones((8, 8, 1, 2000)), 1, (0, 5), 1, 1, np.zeros(8))
    with pytest.raises(InputError, match="at most 16,777,216 weights"):
        from_nir(images(long, nir.IF(ONE, ONE), shape=(8, 1, 3000)), dt="1*ms")


def test_inner_outputs_do_not_multiply_edges() -> None:
    nodes: dict[str, Any] = {"o0": nir.Output({"output": np.array([3])})}
    edges = ["input>o0"]
    for layer in range(40):
        nodes[f"o{layer + 1}"] = nodes["o0"]
        for name in "ab":
            nodes[f"{name}{layer}"] = nodes["o0"]
            edges += [f"o{layer}>{name}{layer}", f"{name}{layer}>o{layer + 1}"]
    with pytest.raises(InputError, match="several"):
        from_nir(graph({**nodes, "n": lif()}, *edges, "o40>n", "n>output"), dt="1*ms")


def test_too_many_weights_are_refused() -> None:
    size = 5000
    nodes = nir.Scale(np.ones(size)), nir.IF(np.ones(size), np.ones(size))
    big = nir.NIRGraph.from_list(nir.Input({"input": np.array([size])}), *nodes, type_check=False)
    with pytest.raises(InputError, match=r"'scale'.*at most 16,777,216 weights"):
        from_nir(big, dt="1*ms")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"dt": "1*mV"}, "dt"),
        ({"dt": "1*ms", "reset": "soft"}, "reset does not fit"),
        ({"dt": "1*ms", "encoder": "nothing"}, "encoder"),
        ({"dt": "1*ms", "input_shape": (1, 2, 2)}, "input_shape"),
        ({"dt": "1*ms", "input_shape": ("a",)}, "input_shape"),
        ({"dt": "1*ms", "input_shape": 4}, "input_shape is not a shape"),
        ({"dt": "1*ms", "encoder": 5}, "neither a name nor a table"),
        ({"dt": "1*ms", "task": "x"}, "unknown kind 'x'"),
        ({"dt": "1*ms", "decoder": "nothing"}, "decoder"),
        ({"dt": "1*ms", "steps": 0}, "steps"),
        ({"dt": "10*ms", "reset": "subtract_delayed"}, "'n'.*tau is the time step"),
    ],
)
def test_bad_options_are_refused(options: Any, line: str) -> None:
    with pytest.raises(InputError, match=line):
        from_nir(chain(n=lif()), **options)


def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"not a NIR graph.*dict"):
        from_nir({}, dt="1*ms")


@pytest.mark.parametrize("background", [0.5, (0.5, "20*Hz")])
def test_background_of_neurons_that_have_a_node_is_refused(background: Any) -> None:
    network = from_nir(chain(n=lif()), dt="1*ms")
    assert "n" in to_nir(network).nodes
    with pytest.raises(NetworkError, match=r"layer 'n'.*no node.*random background input"):
        to_nir(network.with_background(background))


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(InputError, match=r"nir is not installed.*bioae\[nir\]"):
        from_nir("x.nir", dt="1*ms")


def written(path: Path) -> Path:
    nir.write(str(path), chain(w=linear(), n=lif()))
    return path


def test_a_file_is_the_graph(tmp_path: Path) -> None:
    network = from_nir(written(tmp_path / "x.nir"), dt="1*ms")
    expected = from_nir(chain(w=linear(), n=lif()), dt="1*ms")
    assert network.config == expected.config
    assert network.weights["n.weight"].shape == (3, 3)
    assert (network.weights["n.weight"] == expected.weights["n.weight"]).all()


def large(file: h5py.File) -> None:
    del file["node/nodes/w/weight"]
    file.create_dataset("node/nodes/w/weight", (10**6, 10**6), "f8", chunks=(1000, 1000))


def external(file: h5py.File) -> None:
    del file["node/nodes/w/weight"]
    file["node/nodes/w/weight"] = h5py.ExternalLink("/etc/passwd", "/x")


def unknown(file: h5py.File) -> None:
    del file["node/nodes/w/type"]
    file["node/nodes/w/type"] = "os.system"


def shared(file: h5py.File) -> None:
    file["node/nodes/v"] = file["node/nodes/w"]


def objects(file: h5py.File) -> None:
    file["node/nodes/w/more"] = np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])


def no_nodes(file: h5py.File) -> None:
    del file["node"]


@pytest.mark.parametrize("spoil", [large, external, unknown, shared, objects, no_nodes])
def test_files_that_are_not_safe_are_refused(tmp_path: Path, spoil: Any) -> None:
    path = written(tmp_path / "x.nir")
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(InputError, match=r"x\.nir: the file is truncated or of another kind"):
        read_graph(path)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.nir")
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 100):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="truncated or of another kind"):
            read_graph(path)
    with pytest.raises(InputError, match="there is no file"):
        read_graph(tmp_path / "missing.nir")


def network(**fields: Any) -> Network:
    layer = {"kind": "dense", "name": "a", "units": 4, **fields.pop("layer", {})}
    config = {
        "input_shape": [1, 2, 2], "schedule": "paper", "neuron": "lif", "layers": [layer], **fields,
    }  # fmt: skip
    return Network.initialise(NetworkConfig.from_mapping(config, where="test"))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"neuron": "lif_subtract"}, "not reset to a constant"),
        ({"neuron": "lif_refractory"}, "refractory"),
        ({"neuron": "adex", "dt": "0.1*ms"}, "no node"),
        ({"schedule": "brian2"}, "input that arrives with a spike is lost"),
        ({"layer": {"background": 0.1}}, "random"),
        ({"layer": {"recurrent": True, "recurrent_delay": "2*ms"}}, "delays within a layer"),
        ({"layer": {"delay": ["1*ms", "3*ms"]}}, "delays of single connections"),
    ],
)
def test_neurons_without_a_node_are_refused(fields: Any, line: str) -> None:
    with pytest.raises(NetworkError, match=f"layer 'a'.*{line}"):
        to_nir(network(**fields))


def test_errors_name_the_delay_that_does_not_fit() -> None:
    delays = chain(a=nir.Delay(0.001 * ONE), b=nir.Delay(0.0015 * ONE), w=linear(), n=lif())
    with pytest.raises(InputError, match="node 'b': a delay is no multiple of the time step"):
        from_nir(delays, dt="1*ms")


def test_a_folder_and_what_is_no_graph(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"truncated or of another kind.*found a folder"):
        read_graph(tmp_path)
    with pytest.raises(InputError, match="graph does not fit; expected NIRGraph; found 5"):
        write_graph(5, tmp_path / "graph.nir")
    assert not any(tmp_path.iterdir())


def test_a_convolution_may_have_no_bias_and_a_shape_may_be_an_array() -> None:
    def network(bias: Any) -> Any:
        taps = nir.Conv2d((3, 3), np.ones((1, 1, 2, 2)), 1, 0, 1, 1, bias)
        neurons = nir.LIF(*(np.full((1, 2, 2), each) for each in (0.01, 1.0, 0.0, 1.0)))
        made = chain(w=taps, n=neurons)
        made.nodes["input"] = nir.Input({"input": np.array([1, 3, 3])})
        return from_nir(made, dt="1*ms", input_shape=np.array([1, 3, 3]))

    assert network(None).sha256 == network(np.zeros(1)).sha256
