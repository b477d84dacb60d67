"""Cases of files that a command reads: artefacts, images, results, checkpoints, finished chunks."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import tomli_w
from robustness.bad_documents import Case, Material, npy, spoilt
from robustness.bad_fields import ARTEFACT_FIELDS, SIDE, TRAINING
from robustness.bad_values import changed
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

__all__ = [
    "artefact_description",
    "artefact_weights",
    "checkpoints",
    "image_files",
    "interrupted",
    "results",
]


def artefact_description(rng: random.Random, material: Material) -> Case:
    """Simulate an artefact with a changed description."""
    if rng.random() < 0.3:
        content, valid = spoilt(rng, material.artefact["network.toml"], "network.dt"), False
    else:
        each = rng.choice(ARTEFACT_FIELDS)
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
            values = values[None]
        case 3:
            values = values[:-1]
        case 4:
            arrays["more.weight"] = values
        case 5:
            name, values = "hidden.tau", np.full(3, rng.choice([0.0, -0.01, math.nan]))
        case 6:
            name, values = "hidden.recurrent", np.ones((3, 3))
        case _:
            name = ""
    arrays = {key: array for key, array in {**arrays, name: values}.items() if key}
    valid = False
    if not name:
        removed = rng.choice(sorted(arrays))
        arrays.pop(removed)
        valid = removed == "hidden.tau"  # the model has a value of this parameter
    description = changed(
        material.described, ("arrays",), {key: list(a.shape) for key, a in sorted(arrays.items())}
    )
    files = material.model(
        network_toml=tomli_w.dumps(description).encode(), weights_safetensors=save_tensors(arrays)
    )
    return _simulate("artefact weights", material, files, valid)


def image_files(rng: random.Random, material: Material) -> Case:
    """Simulate images that do not fit."""
    good = np.linspace(0, 1, 2 * SIDE * SIDE).reshape(2, SIDE, SIDE)
    wrong = good.copy()
    wrong[0, 0, 0] = rng.choice([math.nan, math.inf, -0.5, 1.5, 1e308])
    arrays: list[Any] = [
        wrong, good[0], good[:, :3], good[:0], good[None, None], good.astype(complex),
        good.astype("U5"), good.astype("S5"), np.array("x"), good.astype("M8[s]"),
        np.zeros(2, [("a", "f8")]), good[..., None], np.zeros((2, 2, SIDE, SIDE)),
        good.astype("i8") + 9,
    ]  # fmt: skip
    valid = False
    if rng.random() < 0.6:
        array = rng.choice(arrays)
        valid = array is arrays[1]  # one image
        name, content = "images.npy", npy(array)
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
    return Case("image files", words, files, valid)


_ATTRIBUTES = {
    "dt_ms": (0.0, -1.0, math.nan, math.inf, "1", 1e300, 0.7),
    "steps": (0, -1, 2.5, "3", 2**40, math.nan, 1),
    "seed": (-1, 1.5, "x", math.nan),
    "schema_version": (0, 3, "1", math.nan, 1.5),
    "target": (1, 0.5, [1, 2]),
    "task": (1, "dreaming", "sequence"),
    "neuron_model": (1, [1.0]),
    "network_sha256": (1, math.nan),
}


def results(rng: random.Random, material: Material) -> Case:
    """Analyse a result with a changed attribute or variable."""
    stream, valid = io.BytesIO(material.result), False
    with h5py.File(stream, "r+") as file:
        layer = file["layers"][rng.choice(sorted(file["layers"]))]
        if rng.random() < 0.4:
            name = rng.choice(sorted(_ATTRIBUTES))
            if rng.random() < 0.2:
                del file.attrs[name]
                valid = name == "task"  # that of a reconstruction may be missing
            else:
                file.attrs[name] = rng.choice(_ATTRIBUTES[name])
        else:
            _spoil_variable(rng, file, layer)
    files = {"result.nc": stream.getvalue()}
    return Case("results", ["analyze", "result.nc", "--out=out"], files, valid)


def _spoil_variable(rng: random.Random, file: Any, layer: Any) -> None:
    match rng.randrange(10):
        case 0:
            layer["spike_time_ms"][0] = rng.choice([math.nan, math.inf, -1.0, 1e9, 0.3])
        case 1:
            times = layer["spike_time_ms"][:][::-1]
            layer["spike_time_ms"][:] = times if (np.diff(times) < 0).any() else times[::-1] - 1e9
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
        ("data",), ("data", "train"), ("position", "epoch"), ("position", "batch"),
        ("position", "examples"), ("position", "seconds"), ("position", "sums"),
        ("position", "more"),
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


def _simulate(kind: str, material: Material, files: Mapping[str, bytes], valid: bool) -> Case:
    words = ["simulate", "model", "--out=r.nc", "--target=numpy", "--data=images.npy"]
    return Case(kind, words, {**files, "images.npy": material.images}, valid)
