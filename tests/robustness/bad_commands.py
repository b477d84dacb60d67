"""Generated command lines, most of them bad: mutated options, fields, documents and files.

A case says whether it is valid, by the rules of `bad_values`; the product's checks are not asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

import tomli_w
from robustness.bad_documents import Case, Material, spoilt
from robustness.bad_fields import NEURON, NEURON_FIELDS, TRAINING, TRAINING_FIELDS
from robustness.bad_files import (
    artefact_description,
    artefact_weights,
    checkpoints,
    image_files,
    interrupted,
    results,
)
from robustness.bad_values import OPTION_TEXTS, changed, text_number, time

__all__ = ["cases"]


def cases(material: Material, count: int, seed: int) -> Iterator[Case]:
    """Yield cases, of every class in turn."""
    generator = random.Random(seed)
    for place in range(count):
        yield CLASSES[place % len(CLASSES)](generator, material)


def training_field(rng: random.Random, material: Material) -> Case:
    """Train with one field of the configuration changed."""
    each = rng.choice(TRAINING_FIELDS)
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
    return _train(material, spoilt(rng, tomli_w.dumps(TRAINING).encode(), "data.name"), False)


def neuron_field(rng: random.Random, material: Material) -> Case:
    """Use a neuron model with one field changed."""
    each = rng.choice(NEURON_FIELDS)
    value = rng.choice(each.values)
    content = tomli_w.dumps(changed(NEURON, each.path, value)).encode()
    return _neuron(rng, material, content, each.rule(value))


def neuron_document(rng: random.Random, material: Material) -> Case:
    """Use a neuron model whose document is no TOML, or not plain, or has other keys."""
    if rng.random() < 0.3:
        key = rng.choice(["name", "tresholds", "", "__class__", "é"])
        content = tomli_w.dumps({**NEURON, key: rng.choice([1, "1", {}])}).encode()
    else:
        content = spoilt(rng, tomli_w.dumps(NEURON).encode(), "parameters.tau")
    return _neuron(rng, material, content, False)


_SIMULATE: Mapping[str, Callable[[str], bool]] = {
    "--split": lambda t: t in ("train", "test"),
    "--limit": text_number(1, 2),
    "--examples": lambda t: t in ("0", "1", "01"),
    "--target": lambda t: False,
    "--neuron": lambda t: False,
    "--calibrate": lambda t: False,
    "--spread": lambda t: False,
    "--background": lambda t: t in ("0", "1", "2", "01", "1.5", "1e3"),
    "--delay": time(0, 2.4e-3),
    "--connectivity": lambda t: False,
    "--steps": text_number(2, 10**6),  # more than the delay of the layers
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
    words = [f"{name}={text}" for name, text in options.items()]
    files = {**material.model(), "images.npy": material.images}
    return Case("simulate option", ["simulate", "model", *words], files, _SIMULATE[option](value))


_COMMANDS: tuple[tuple[list[str], str, Callable[[str], bool]], ...] = (
    (["parity", "lif", "--neurons=8", "--steps=30"], "--examples", text_number(1, 2)),
    (["parity", "lif", "--neurons=8", "--examples=1"], "--steps", text_number(2, 1)),
    (["parity", "lif", "--steps=30", "--examples=1"], "--neurons", text_number(2, 1)),
    (["parity", "lif", "--neurons=8", "--steps=30"], "--seed", text_number(0, 2**64 - 1)),
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
    (["demo", "--out=out"], "--limit", text_number(501, 500)),
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


def _train(material: Material, content: bytes, valid: bool) -> Case:
    files = {"run.toml": content, "images.npy": material.images}
    return Case("training", ["train", "run.toml", "--out=out"], files, valid)


def _neuron(rng: random.Random, material: Material, content: bytes, valid: bool) -> Case:
    commands = [
        ["neurons", "check", "mine.toml"],
        ["neurons", "show", "mine.toml"],
        ["parity", "mine.toml", "--neurons=8", "--steps=30", "--examples=1"],
        ["simulate", "model", "--out=r.nc", "--target=numpy", "--data=images.npy",
         "--neuron=mine.toml", "--calibrate=none"],
    ]  # fmt: skip
    files = {"mine.toml": content, "images.npy": material.images, **material.model()}
    return Case("neuron", rng.choice(commands), files, valid)


CLASSES: tuple[Callable[[random.Random, Material], Case], ...] = (
    training_field, training_field, training_field, training_keys, training_document,
    neuron_field, neuron_field, neuron_document,
    simulate_option, simulate_option, command_option, command_option, outputs, environment,
    artefact_description, artefact_weights, image_files, results, checkpoints, interrupted,
)  # fmt: skip
