"""Generated command lines, most of them bad: mutated options, fields, documents and files.

A case says whether it is valid, by the rules of `bad_values`; the product's checks are not asked.
"""

from __future__ import annotations

import io
import json
import math
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tomli_w
from robustness.bad_values import (
    OPTION_TEXTS,
    TIMES,
    Field,
    changed,
    nothing,
    number,
    one_of,
    text,
    text_number,
    time,
    whole,
)
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

__all__ = ["Case", "Material", "cases"]

SIDE = 4
TRAINING: dict[str, Any] = {
    "data": {"name": "images.npy", "train": 2, "validation": 1},
    "network": {
        "input_shape": [1, SIDE, SIDE],
        "dt": "1*ms",
        "steps": 3,
        "schedule": "brian2",
        "neuron": "lif",
        "latent": "hidden",
        "encoder": {"kind": "bernoulli", "rate": 0.5},
        "decoder": {"kind": "max", "scale": 2.0},
        "layers": [
            {
                "kind": "dense", "name": "hidden", "units": 3, "gain": 2.0, "recurrent": True,
                "autapses": False, "delay": "1*ms", "recurrent_delay": "1*ms", "weight": "1",
                "background": 0.1, "parameters": {"tau": "20*ms"}, "readout": "leaky_readout",
            },
            {"kind": "dense", "name": "output", "shape": [1, SIDE, SIDE], "gain": 2.0},
        ],
    },
    "training": {
        "epochs": 1, "batch_size": 2, "learning_rate": 0.001, "gradient_clip": 1.0, "seed": 1,
        "threads": 1, "compile": False, "dtype": "float32", "device": "cpu", "grid_bits": 12,
        "checkpoint_seconds": 20.0, "truncate": 2, "recompute": 2, "loss": "sum_squared_error",
        "trainable": [], "per_neuron": False,
        "derivative": {"name": "membrane", "detach_reset": True, "detach_refractory": True},
    },
    "regularisers": {"beta1": {"coefficient": 0.1, "target": 0.0, "layers": ["hidden"]}, "l2": 0.1},
}  # fmt: skip
NEURON: dict[str, Any] = {
    "description": "Leaky integrate-and-fire neuron.",
    "reference": "none",
    "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > theta",
    "reset": "v = 0",
    "refractory": "1*ms",
    "method": "exact",
    "input": "v",
    "weight": "1",
    "dt": "1*ms",
    "parameters": {"tau": "100*ms", "theta": "1"},
    "initial": {"v": "0", "settle": "1*ms"},
    "surrogate": {"distance": "v - theta", "scale": "theta"},
    "trainable": {"tau": ["5*ms", "500*ms"]},
}
NUMBERS = ("1", "0.5", "1e308", "-1e308", "inf", "nan", "1*mV", "", "abc", "1/0", "9" * 400, "1\0")
BOUNDS = (
    ["5*ms", "500*ms"], ["500*ms", "5*ms"], ["200*ms", "500*ms"], ["1*ms", "2*ms"], ["5*ms"],
    ["5*mV", "500*mV"], ["nan*ms", "500*ms"], ["0*ms", "1e400*ms"], [1, 2], "5*ms", [], True,
    [["5*ms", "500*ms"]], ["5*ms", "500*ms", "9*ms"], {"low": "5*ms"},
)  # fmt: skip


def _dense(path: int, name: str) -> tuple[str | int, ...]:
    return ("network", "layers", path, name)


def _flag(value: Any) -> bool:
    return type(value) is bool


_TRAINING_FIELDS = (
    Field(("data", "name"), nothing),
    Field(("data", "train"), whole(1, 2)),
    Field(("data", "validation"), whole(1, 2)),
    Field(("network", "input_shape"), nothing),
    Field(("network", "input_shape", 0), one_of(1)),
    Field(("network", "dt"), time(), TIMES),
    Field(("network", "dt"), nothing),
    Field(("network", "steps"), whole(2, 10**6), (*(True, 0, -1, 2, 3, 10**6 + 1, 2**31, 2**63, 2.0, "3", math.inf, [3]),)),
    Field(("network", "schedule"), nothing),
    Field(("network", "neuron"), nothing),
    Field(("network", "latent"), nothing),
    Field(("network", "encoder"), nothing),
    Field(("network", "encoder", "rate"), number(1e-12, 1)),
    Field(("network", "encoder", "kind"), nothing),
    Field(("network", "decoder"), nothing),
    Field(("network", "decoder", "scale"), number(1e-12, 1e12)),
    Field(("network", "layers"), nothing),
    Field(_dense(0, "kind"), nothing),
    Field(_dense(0, "name"), nothing),
    Field(_dense(0, "units"), one_of(1, 2)),
    Field(_dense(0, "gain"), number(1e-12, 1e12), (True, 0, -1.0, 0.5, 1, math.inf, math.nan, 1e308, 1e13, "1", [1], {})),
    Field(_dense(0, "recurrent"), one_of(True)),
    Field(_dense(0, "autapses"), _flag),
    Field(_dense(0, "delay"), time(0, 2.4e-3), TIMES),
    Field(_dense(0, "delay"), nothing, (1, True, 0.5, ["1*ms"], ["2*ms", "1*ms"], [1, 2], ["1*ms", "nan*ms"], {}, [])),
    Field(_dense(0, "recurrent_delay"), time(0, 2.4e-3), TIMES),
    Field(_dense(0, "weight"), one_of("1", "0.5"), NUMBERS),
    Field(_dense(0, "background"), number(0, 1e6)),
    Field(_dense(0, "parameters"), one_of({})),
    Field((*_dense(0, "parameters"), "tau"), time(), TIMES),
    Field((*_dense(0, "parameters"), "tau"), nothing),
    Field(_dense(0, "readout"), nothing),
    Field(_dense(1, "shape"), nothing),
    Field(_dense(1, "shape", ) + (1,), one_of(SIDE)),
    Field(("training", "epochs"), one_of(1, 2), tuple(v for v in (True, 0, 1, 2, -1, 1.0, "1", 2**31, 2**63, 10**30, math.inf, [1], {}))),
    Field(("training", "batch_size"), whole(1, 10**9)),
    Field(("training", "learning_rate"), number(0, 1e3, above=True)),
    Field(("training", "gradient_clip"), lambda v: number(1e-12, 1e12)(v) or (type(v) in (int, float) and v == 0)),
    Field(("training", "seed"), whole(0, 2**63 - 1)),
    Field(("training", "threads"), one_of(1, 2), (True, 0, -1, 1, 2, 1025, 100_000, 2**63, 1.0, "1", math.inf)),
    Field(("training", "compile"), one_of(False, "auto"), (0, 1, "true", "no", 0.5, [], False)),
    Field(("training", "dtype"), nothing),
    Field(("training", "device"), one_of("cpu"), ("cpu", "meta", "cuda", "tpu", "cpu:99", "", 1, True, "mps", "xla", "privateuseone", "hip", "cpu\0")),
    Field(("training", "grid_bits"), whole(0, 20)),
    Field(("training", "grid_bits"), lambda v: whole(0, 20)(v) or v == 0.0 and type(v) is float),
    Field(("training", "checkpoint_seconds"), number(0, 1e9)),
    Field(("training", "truncate"), whole(1, 10**6)),
    Field(("training", "recompute"), whole(1, 10**6)),
    Field(("training", "loss"), nothing),
    Field(("training", "trainable"), one_of([])),
    Field(("training", "per_neuron"), one_of(True, False, [])),
    Field(("training", "learning_rates"), one_of({})),
    Field(("training", "init"), nothing),
    Field(("training", "derivative"), nothing),
    Field(("training", "derivative", "detach_reset"), _flag),
    Field(("training", "derivative", "detach_refractory"), _flag),
    Field(("training", "derivative", "width"), nothing),
    Field(("regularisers", "l2"), number(-1e12, 1e12), (True, "1", math.inf, math.nan, 1e308, -1e13, 0.5, 1, [], {})),
    Field(("regularisers", "beta1"), nothing, ({}, [], True, "1", math.nan, {"layers": "all"}, {"coefficient": True})),
    Field(("regularisers", "beta1", "coefficient"), number(-1e12, 1e12), (True, "1", math.inf, math.nan, 1e308, -1e13, 0.5, 1, [], {})),
    Field(("regularisers", "beta1", "target"), number(-1e12, 1e12), (True, "1", math.inf, math.nan, 1e308, -1e13, 0.5, 1, [], {})),
    Field(("regularisers", "beta1", "layers"), one_of("all", ["hidden"]), ("all", "hidden", [], ["nobody"], [1], True, 1, ["hidden", "x"], {})),
)  # fmt: skip
_NEURON_FIELDS = (
    Field(("description",), lambda v: text(v) and bool(v.strip())),
    Field(("reference",), text),
    *(Field((key,), nothing) for key in ("threshold", "method", "input", "surrogate", "events")),
    Field(("refractory",), time(0), TIMES),
    Field(("weight",), one_of("1", "0.5"), NUMBERS),
    Field(("dt",), time(), TIMES),
    Field(("parameters",), nothing),
    Field(("parameters", "tau"), time(), TIMES),
    Field(("parameters", "theta"), one_of("1", "0.5"), NUMBERS),
    Field(("parameters", "theta"), nothing),
    Field(("initial",), one_of({})),
    Field(("initial", "settle"), time(), TIMES),
    Field(("surrogate", "scale"), nothing),
    Field(("trainable",), one_of({})),
    Field(("trainable", "tau"), one_of(["5*ms", "500*ms"]), BOUNDS),
    Field(("run_regularly",), nothing, (1, True, "", " ", {"v": "0"}, [], math.nan)),
    Field(("inhibition",), nothing),
)
_SHIPPED = ("lif", "1", "true")


@dataclass
class Case:
    """A command line, the files in its folder, and whether it is valid."""

    kind: str
    arguments: list[str]
    files: Mapping[str, bytes]
    valid: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """Good files, which cases change: an artefact, the folder of a run, and a result."""

    artefact: Mapping[str, bytes]
    run: Mapping[str, bytes]
    result: bytes

    @property
    def images(self) -> bytes:
        """Two images as an .npy file."""
        return npy(np.linspace(0, 1, 2 * SIDE * SIDE).reshape(2, SIDE, SIDE))

    def model(self, **changes: bytes) -> dict[str, bytes]:
        """Return the files of the artefact, by their path, with some of them changed."""
        files = {**self.artefact, **{k.replace("_", "."): v for k, v in changes.items()}}
        return {f"model/{name}": content for name, content in files.items()}

    @property
    def described(self) -> dict[str, Any]:
        """The description of the artefact."""
        return tomllib.loads(self.artefact["network.toml"].decode())


def npy(array: Any, *, pickle: bool = False) -> bytes:
    """Return an array as the bytes of an .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickle)
    return stream.getvalue()


def cases(material: Material, count: int, seed: int) -> Iterator[Case]:
    """Yield cases, of every class in turn."""
    generator = random.Random(seed)  # noqa: S311
    for place in range(count):
        yield CLASSES[place % len(CLASSES)](generator, material)


# Classes


def training_field(rng: random.Random, material: Material) -> Case:
    """Train with one field of the configuration changed."""
    each = rng.choice(_TRAINING_FIELDS)
    value = rng.choice(each.values)
    document = changed(TRAINING, each.path, value)
    return _train(material, tomli_w.dumps(document).encode(), each.rule(value))


def training_keys(rng: random.Random, material: Material) -> Case:
    """Train with an unknown key, or without a required one."""
    if rng.random() < 0.5:
        table = rng.choice([(), ("data",), ("network",), ("training",), ("regularisers",),
                            ("network", "encoder"), ("network", "layers", 0)])  # fmt: skip
        key = rng.choice(["epoch", "", "é", "a.b", "x" * 3000, "name ", "Steps", "__class__"])
        document = changed(TRAINING, (*table, key), rng.choice([1, "1", {}, []]))
    else:
        key = rng.choice(["kind", "name", "units"])
        layer = {k: v for k, v in TRAINING["network"]["layers"][0].items() if k != key}
        document = changed(TRAINING, ("network", "layers", 0), layer)
    return _train(material, tomli_w.dumps(document).encode(), False)


def training_document(rng: random.Random, material: Material) -> Case:
    """Train from a document that is no TOML, or not plain."""
    return _train(material, _spoilt(rng, tomli_w.dumps(TRAINING).encode(), "data.name"), False)


def neuron_field(rng: random.Random, material: Material) -> Case:
    """Use a neuron model with one field changed."""
    each = rng.choice(_NEURON_FIELDS)
    value = rng.choice(each.values)
    content = tomli_w.dumps(changed(NEURON, each.path, value)).encode()
    return _neuron(rng, material, content, each.rule(value))


def neuron_document(rng: random.Random, material: Material) -> Case:
    """Use a neuron model whose document is no TOML, or not plain, or has other keys."""
    if rng.random() < 0.3:
        key = rng.choice(["name", "tresholds", "", "__class__", "é"])
        content = tomli_w.dumps({**NEURON, key: rng.choice([1, "1", {}])}).encode()
    else:
        content = _spoilt(rng, tomli_w.dumps(NEURON).encode(), "parameters.tau")
    return _neuron(rng, material, content, False)


_SIMULATE: Mapping[str, Callable[[str], bool]] = {
    "--split": lambda t: t in ("train", "test"),
    "--images": text_number(1, 2),
    "--examples": lambda t: t in ("0", "1", "01"),
    "--target": lambda t: False,
    "--neuron": lambda t: False,
    "--calibrate": lambda t: False,
    "--spread": lambda t: False,
    "--background": lambda t: t in ("0", "1", "2", "01", "1.5", "1e3"),
    "--delay": time(0, 2.4e-3),
    "--connectivity": lambda t: False,
    "--steps": text_number(1, 10**6),
    "--dt": time(),
    "--dtype": lambda t: False,
    "--record": lambda t: False,
    "--workers": text_number(1, 2),
    "--seed": text_number(0, 2**64 - 1),
    "--data": lambda t: False,
    "--unknown": lambda t: False,
}


def simulate_option(rng: random.Random, material: Material) -> Case:
    """Simulate with a bad option."""
    option = rng.choice(list(_SIMULATE))
    value = rng.choice(OPTION_TEXTS)
    options = {"--data": "images.npy", "--target": "numpy", "--out": "r.nc", option: value}
    return _options(
        "simulate option", ["simulate", "model"], options, rng, material.model(), material,
        valid=_SIMULATE[option](value),
    )  # fmt: skip


_COMMANDS: tuple[tuple[list[str], str, Callable[[str], bool]], ...] = (
    (["parity", "lif", "--neurons=4", "--steps=4"], "--examples", text_number(1, 2)),
    (["parity", "lif", "--neurons=4", "--examples=1"], "--steps", text_number(2, 2)),
    (["parity", "lif", "--steps=4", "--examples=1"], "--neurons", text_number(2, 2)),
    (["parity", "lif", "--neurons=4", "--steps=4"], "--seed", text_number(0, 2**64 - 1)),
    (["parity", "lif"], "--target", lambda t: False),
    (["parity"], "", lambda t: False),
    (["neurons", "show"], "", lambda t: False),
    (["neurons", "show", "lif"], "--dt", time()),
    (["neurons", "check"], "", lambda t: False),
    (["neurons"], "", lambda t: False),
    (["neurons", "list"], "", lambda t: False),
    (["data", "fetch"], "", lambda t: False),
    (["data", "path"], "", lambda t: False),
    (["data", "list"], "", lambda t: False),
    (["cache", "show"], "", lambda t: False),
    (["cache", "clear"], "--jsn", lambda t: False),
    (["demo", "--out=out"], "--images", text_number(501, 500)),
    (["demo", "--out=out"], "--epochs", text_number(1, 0)),
    (["demo", "--out=out"], "--target", lambda t: False),
    (["train", "run.toml", "--out=out"], "--calibrate", lambda t: False),
    (["train", "run.toml", "--out=out"], "--init", lambda t: False),
    (["train", "run.toml", "--out=out"], "--neuron", lambda t: False),
    (["train", "--out=out"], "", lambda t: False),
    (["analyze", "--out=out"], "", lambda t: False),
    (["analyze", "result.nc", "--out=out"], "", lambda t: False),
    (["simulate", "--out=out", "--target=numpy"], "", lambda t: False),
    ([], "", lambda t: False),
)
#: Valid texts of whole numbers that would take long.
_LONG = ("demo",)


def command_option(rng: random.Random, material: Material) -> Case:
    """Give a bad option or argument to any command."""
    start, option, rule = rng.choice(_COMMANDS)
    value = rng.choice(OPTION_TEXTS)
    while start[:1] == ["demo"] and text_number(1, 10**6)(value):
        value = rng.choice(OPTION_TEXTS)  # it would be valid, and take long
    valid = rule(value)
    if not option and value in (".", "..") and start[:1] == ["train"]:
        valid = False
    files = {"run.toml": tomli_w.dumps(TRAINING).encode(), "result.nc": material.result}
    words = [f"{option}={value}"] if option else [value]
    if value.startswith("--") and not option:
        words = ["--nothing"]
    return Case("command option", [*start, *words], {**files, "images.npy": material.images}, valid)


def outputs(rng: random.Random, material: Material) -> Case:
    """Write to a place that cannot be meant."""
    start = rng.choice([
        ["simulate", "model", "--data=images.npy", "--target=numpy"],
        ["train", "run.toml"], ["analyze", "result.nc"], ["demo"],
    ])  # fmt: skip
    value = rng.choice(["", "run.toml", "/dev/null", "run.toml/below", "/proc/none/x", "/sys/x",
                        "\udcff", "x" * 300, "model" if start[0] != "simulate" else "model/x/y.nc/",
                        "/dev/full", "images.npy"])  # fmt: skip
    words = [f"--out={value}"] if rng.random() < 0.5 else ["--out", value]
    if value == "model/x/y.nc/":
        words = ["--out", "model"]
    overwrite = [] if rng.random() < 0.5 or value in ("run.toml", "images.npy") else ["--overwrite"]
    if value == "model" and start[0] in ("train", "demo", "analyze"):
        overwrite = []
        words = ["--out", "result.nc"]
    files = {
        **material.model(), "run.toml": tomli_w.dumps(TRAINING).encode(),
        "result.nc": material.result, "images.npy": material.images,
    }  # fmt: skip
    return Case("outputs", [*start, *words, *overwrite], files)


def environment(rng: random.Random, material: Material) -> Case:
    """Run with environment variables that cannot be meant."""
    name, start = rng.choice([
        ("BIOAE_CACHE", ["cache", "show"]), ("BIOAE_CACHE", ["cache", "clear"]),
        ("BIOAE_DATA", ["data", "list"]), ("BIOAE_DATA", ["data", "path", "mnist"]),
    ])  # fmt: skip
    value = rng.choice(["~nouser/x", "file"])
    if name == "BIOAE_CACHE" and value == "file":
        value = "~nouser"
    return Case("environment", start, {"file": b"x"}, environment={name: value})


_ARTEFACT_FIELDS = (
    Field(("format_version",), one_of(1)),
    Field(("network",), nothing),
    Field(("arrays",), nothing),
    Field(("arrays", "hidden.weight"), nothing),
    Field(("arrays", "hidden.weight", 0), nothing, (True, -3, 0, 2**63, 3.0, "3", [3], math.nan)),
    Field(("training",), lambda v: v in ({}, {"a": 1}, {"kind": "dense"}, {"kind": 1}, {"model": 1},
                                         {"name": "sample"})),
    Field(("network", "steps"), whole(2, 10**6), (True, 0, -1, 2, 3, 2**63, 3.0, "3", [3])),
    Field(("network", "dt"), time(), TIMES),
    Field(("network", "neurons"), nothing),
    Field(("network", "neurons", "lif"), nothing),
    Field(("network", "neurons", "lif", "weight"), one_of("1", "0.5"), NUMBERS),
    Field(("network", "neurons", "lif", "parameters", "tau"), time(), TIMES),
    Field(("network", "encoder", "rate"), number(1e-12, 1)),
    Field(("network", "layers"), nothing),
)  # fmt: skip


def artefact_description(rng: random.Random, material: Material) -> Case:
    """Simulate an artefact with a changed description."""
    if rng.random() < 0.3:
        content, valid = _spoilt(rng, material.artefact["network.toml"], "network.dt"), False
    else:
        each = rng.choice(_ARTEFACT_FIELDS)
        value = rng.choice(each.values)
        content = tomli_w.dumps(changed(material.described, each.path, value)).encode()
        valid = each.rule(value)
    return _simulate("artefact description", material, material.model(network_toml=content), valid)


def artefact_weights(rng: random.Random, material: Material) -> Case:
    """Simulate an artefact with changed arrays."""
    arrays = load_tensors(material.artefact["weights.safetensors"])
    name = rng.choice(sorted(arrays))
    values = np.array(arrays[name])
    match rng.randrange(8):
        case 0:
            values.flat[0] = rng.choice([math.nan, math.inf, -math.inf])
        case 1:
            values = values.astype(rng.choice(["i4", "u1", "f2", "?"]))
        case 2:
            values = values.reshape(-1)
        case 3:
            values = values[:-1]
        case 4:
            arrays["more.weight"] = values
        case 5:
            arrays["hidden.tau"] = np.full(3, rng.choice([0.0, -0.01, math.nan]))
        case 6:
            arrays["hidden.recurrent"] = np.ones((3, 3))
        case _:
            name, values = "", values
    arrays = {key: array for key, array in {**arrays, name: values}.items() if key}
    if not name:
        arrays.pop(rng.choice(sorted(arrays)))
    description = changed(
        material.described, ("arrays",), {key: list(a.shape) for key, a in sorted(arrays.items())}
    )
    files = material.model(
        network_toml=tomli_w.dumps(description).encode(), weights_safetensors=save_tensors(arrays)
    )
    return _simulate("artefact weights", material, files, False)


def image_files(rng: random.Random, material: Material) -> Case:
    """Simulate images that do not fit."""
    good = np.linspace(0, 1, 2 * SIDE * SIDE).reshape(2, SIDE, SIDE)
    wrong = good.copy()
    wrong[0, 0, 0] = rng.choice([math.nan, math.inf, -0.5, 1.5, 1e308])
    arrays: list[Any] = [
        wrong, good[0], good[:, :3], good[:0], good[None, None], good.astype(complex),
        good.astype("U5"), good.astype("S5"), np.array("x"), good.astype("M8[s]"),
        np.zeros(2, [("a", "f8")]), good[..., None], np.zeros((2, 2, SIDE, SIDE)), good.astype("i8") + 9,
    ]  # fmt: skip
    if rng.random() < 0.6:
        name, content = "images.npy", npy(rng.choice(arrays))
    elif rng.random() < 0.5:
        content = npy(np.array([None, good], object), pickle=True)
        name = "images.npy"
        if rng.random() < 0.7:
            content = rng.choice([b"", b"\x93NUMPY", material.images[:70], material.images[:-9]])
    else:
        stream = io.BytesIO()
        labels = rng.choice([[1], [0.5, 1], ["a", "b"], [[1, 2]], [math.nan, 1], [1, 2, 3]])
        np.savez(stream, images=good, labels=np.array(labels))
        name, content = "images.npz", stream.getvalue()
        if rng.random() < 0.3:
            content = content[:-30]
    files = {**material.model(), name: content}
    words = ["simulate", "model", "--out=r.nc", "--target=numpy", f"--data={name}"]
    return Case("image files", words, files)


_ATTRIBUTES = {
    "dt_ms": (0.0, -1.0, math.nan, math.inf, "1", 1e300, 0.7),
    "steps": (0, -1, 2.5, "3", 2**40, math.nan, 1),
    "seed": (-1, 1.5, "x", math.nan),
    "schema_version": (0, 2, "1", math.nan, 1.5),
    "target": (1, 0.5, [1, 2]),
    "neuron_model": (1, [1.0]),
    "network_sha256": (1, math.nan),
}


def results(rng: random.Random, material: Material) -> Case:
    """Analyse a result with a changed attribute or variable."""
    stream = io.BytesIO(material.result)
    with h5py.File(stream, "r+") as file:
        layer = file["layers"][rng.choice(sorted(file["layers"]))]
        if rng.random() < 0.4:
            name = rng.choice(sorted(_ATTRIBUTES))
            if rng.random() < 0.2:
                del file.attrs[name]
            else:
                file.attrs[name] = rng.choice(_ATTRIBUTES[name])
        else:
            _spoil_variable(rng, file, layer)
    files = {"result.nc": stream.getvalue()}
    return Case("results", ["analyze", "result.nc", "--out=out"], files)


def _spoil_variable(rng: random.Random, file: Any, layer: Any) -> None:
    match rng.randrange(10):
        case 0:
            layer["spike_time_ms"][0] = rng.choice([math.nan, math.inf, -1.0, 1e9, 0.3])
        case 1:
            layer["spike_time_ms"][:] = layer["spike_time_ms"][:][::-1]
        case 2:
            layer["spike_neuron"][0] = rng.choice([-1, 2**30])
        case 3:
            layer["spike_example"][0] = rng.choice([-1, 2**40])
        case 4:
            layer["spike_count"][0, 0] += rng.choice([1, -1, 2**20])
        case 5:
            file["input"][0, 0, 0] = rng.choice([math.nan, math.inf, -1.0, 2.0])
        case 6:
            file["reconstruction"][0, 0, 0] = rng.choice([math.nan, math.inf])
        case 7:
            file["example"][:] = 0
        case 8:
            layer["spike_time_ms"].attrs["units"] = rng.choice(["seconds since 1970-01-01"])
            layer["spike_time_ms"][0] = -5.0
        case _:
            del layer[rng.choice(["spike_count", "spike_time_ms", "spike_neuron"])]


def checkpoints(rng: random.Random, material: Material) -> Case:
    """Resume from a checkpoint with a changed header or tensor."""
    content = material.run["checkpoint.safetensors"]
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    stored = json.loads(header["__metadata__"]["bioae"])
    path = rng.choice([
        ("version",), ("config",), ("position",), ("threads",), ("history",),
        ("position", "epoch"), ("position", "batch"), ("position", "examples"),
        ("position", "seconds"), ("position", "sums"), ("position", "more"),
    ])  # fmt: skip
    good = stored
    for part in path:
        good = good.get(part) if isinstance(good, dict) else None
    values = [True, -1, 0.5, "1", None, math.nan, [1], {"a": "b"}, 2**70, [[]] * 3, "x" * 99]
    value = rng.choice([each for each in values if each != good])
    if path == ("position", "seconds"):
        value = rng.choice([True, -1, "1", None, math.nan, [1], {"a": "b"}])
    text = json.dumps(changed(stored, path, value))
    if rng.random() < 0.15:
        text = rng.choice(["", "{", "[]", "null", "[" * 5000, "1", '{"version": 1}'])
    header["__metadata__"]["bioae"] = text
    packed = json.dumps(header).encode()
    packed += b" " * (-len(packed) % 8)
    spoilt = len(packed).to_bytes(8, "little") + packed + content[8 + size :]
    files = {f"out/{name}": data for name, data in material.run.items()}
    files |= {"out/checkpoint.safetensors": spoilt, "images.npy": material.images}
    files["run.toml"] = tomli_w.dumps(TRAINING).encode()
    return Case("checkpoints", ["train", "run.toml", "--out=out", "--resume"], files)


def interrupted(rng: random.Random, material: Material) -> Case:
    """Resume a simulation in a folder that is not that of the run."""
    content = rng.choice([
        b"", b"{", b"[]", b"null", b"1", b"\xff", b'{"a": 1}', b'{"a": NaN}', b'{"seed": "0"}',
        b"[" * 5000, b'{"a": "b"}', b'{"a": ["b"]}', b'{"network": null}', b'"' + b"x" * 99,
    ])  # fmt: skip
    files = {**material.model(), "images.npy": material.images, "r.nc.parts/run.json": content}
    words = ["simulate", "model", "--out=r.nc", "--target=numpy", "--data=images.npy"]
    return Case("interrupted", [*words, rng.choice(["--resume", "--overwrite"])], files)


# Parts of cases


def _train(material: Material, content: bytes, valid: bool) -> Case:
    files = {"run.toml": content, "images.npy": material.images}
    return Case("training", ["train", "run.toml", "--out=out"], files, valid)


def _neuron(rng: random.Random, material: Material, content: bytes, valid: bool) -> Case:
    commands = [
        ["neurons", "check", "mine.toml"],
        ["neurons", "show", "mine.toml"],
        ["parity", "mine.toml", "--neurons=4", "--steps=4", "--examples=1"],
        ["simulate", "model", "--out=r.nc", "--target=numpy", "--data=images.npy",
         "--neuron=mine.toml", "--calibrate=none"],
    ]  # fmt: skip
    files = {"mine.toml": content, "images.npy": material.images, **material.model()}
    return Case("neuron", rng.choice(commands), files, valid)


def _simulate(kind: str, material: Material, files: Mapping[str, bytes], valid: bool) -> Case:
    words = ["simulate", "model", "--out=r.nc", "--target=numpy", "--data=images.npy"]
    return Case(kind, words, {**files, "images.npy": material.images}, valid)


def _options(
    kind: str,
    start: list[str],
    options: Mapping[str, str],
    rng: random.Random,
    files: Mapping[str, bytes],
    material: Material,
    *,
    valid: bool,
) -> Case:
    words = [f"{name}={value}" for name, value in options.items()]
    return Case(kind, [*start, *words], {**files, "images.npy": material.images}, valid)


def _spoilt(rng: random.Random, content: bytes, key: str) -> bytes:
    """Return a document that is no longer plain TOML; `key` is one that it holds."""
    deep = rng.choice([33, 3_000, 100_000])
    return rng.choice([
        b"\xef\xbb\xbf" + content,
        content.decode().encode("utf-16"),
        content.replace(b"e", b"\xe9", 1),
        content + b"\0",
        content[: len(content) // 2] + b"\n[[",
        content + b'\nx = "',
        b".".join([b"a"] * deep) + b" = 1\n" + content,
        b"a = " + b"[" * deep + b"]" * deep + b"\n" + content,
        b"a = " + b"{b=" * deep + b"1" + b"}" * deep + b"\n" + content,
        b"[" + b".".join([b"a"] * deep) + b"]\n",
        b"a = 1e400\n" + content,
        b"a = " + b"9" * 5_000 + b"\n" + content,
        b"a = " + b"9" * 30 + b"\n" + content,
        b"a = inf\n" + content,
        b'a = "\\u0000"\n' + content,
        b'"a\\u0000" = 1\n' + content,
        b"#" * 5_000_000 + b"\n" + content,
        f"{key} = 1\n{key} = 2\n".encode() + content,
        bytes(range(256)),
        rng.randbytes(300),
    ])  # fmt: skip


CLASSES: tuple[Callable[[random.Random, Material], Case], ...] = (
    training_field, training_field, training_field, training_keys, training_document,
    neuron_field, neuron_field, neuron_document,
    simulate_option, simulate_option, command_option, command_option, outputs, environment,
    artefact_description, artefact_weights, image_files, results, checkpoints, interrupted,
)  # fmt: skip


def write(case: Case, folder: Path) -> None:
    """Write the files of a case into a folder."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
