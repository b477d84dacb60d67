"""No name of a user's collides with one of generated code.

The names are read from the code that is generated for a model: the mirror's Python and C++, and
Brian2's code objects. Each is then a variable, a parameter, a subexpression and a temporary
variable of a model, which must do the same as with other names.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import torch
import xarray as xr
from builders import dense, described
from mirrors import mirror_of
from one_build import Simulation, simulate_several

from bioae import simulate
from bioae.api import build
from bioae.equations.arrays import compiling
from bioae.equations.names import check_name
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.noise import Key
from bioae.simulation import Backend
from bioae.simulation.backend import Target
from bioae.simulation.brian2_internals.sources import merge_cpp_sources
from bioae.simulation.targets import activation
from bioae.simulation.targets.activation import activated
from bioae.trainers.mirror.compiled import kernel
from bioae.trainers.mirror.compiled.build import compile_cpp, compiler
from bioae.trainers.mirror.derivatives import ArcTan

ROLES = ("variable", "parameter", "subexpression", "temporary")
STEPS = 20
IMAGES = builders.pictures(2, 1, 1, 3)
#: Macros of C++'s headers.
MACROS = {
    "NAN", "M_PI", "EOF", "INT_MAX", "linux", "stdout", "errno", "BUFSIZ", "RAND_MAX", "HUGE_VAL",
    "CLOCKS_PER_SEC", "stdin", "unix",
}  # fmt: skip
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def model(role: str, names: Sequence[str]) -> dict[str, Any]:
    """A neuron whose potential is driven by all of the names, with all kinds of statements."""
    # Grouped, since the depth of expressions is limited.
    parts = [names[start : start + 16] for start in range(0, len(names), 16)]
    total = " + ".join(f"({' + '.join(part)})" for part in parts)
    numbers = {name: f"{1 + number % 7}/256" for number, name in enumerate(names)}
    lines = {
        "variable": [f"d{name}/dt = ({numbers[name]} - {name})/(8*ms) : 1" for name in names],
        "parameter": [],
        "subexpression": [f"{name} = ({numbers[name]})*(1 + qv) : 1" for name in names],
        "temporary": [],
    }[role]
    assigned = [f"{name} = {numbers[name]} + qv/512" for name in names]
    temporary = role == "temporary"
    return {
        "description": "Driven by all of its names.",
        "equations": "\n".join(
            ["dqv/dt = (96*qsum - qv)/(8*ms) : 1 (unless refractory)", "qn : 1", "qsum : 1", *lines]
        ),
        "threshold": "qv > qtheta",
        "reset": "\n".join(
            [*(assigned if temporary else ()), f"qv = 0*({total if temporary else 'qsum'})"]
        ),
        "run_regularly": "\n".join(
            [*(assigned if temporary else ()), "qn *= 0.5", f"qsum = ({total})/{len(names)}"]
        ),
        "events": {"qe": {"condition": "qv > qtheta/2", "reset": "qn += 1"}},
        "refractory": "2*ms",
        "method": "euler",
        "input": "qv",
        "parameters": {"qtheta": "0.75", **(numbers if role == "parameter" else {})},
    }


def network(names: Sequence[str]) -> Network:
    """One layer for each role of the names."""
    config = described(
        *(dense(f"layer_{role}", 3, gain=2.0, neuron=role) for role in ROLES),
        input_shape=[1, 1, 3], steps=STEPS, neuron="variable",
        neurons={role: model(role, names) for role in ROLES},
    )  # fmt: skip
    drawn = Network.initialise(config, seed=0)
    return Network(config, {name: abs(w) for name, w in drawn.weights.items()}).quantised()


def gradients(net: Network, *, compile: bool) -> dict[str, torch.Tensor]:  # noqa: A002
    mirror = mirror_of(
        net, derivative=ArcTan(), detach_refractory=False, dtype=torch.float64, compile=compile
    )
    drive = torch.from_numpy(np.repeat(IMAGES[None], STEPS, 0))
    mirror(drive, key=Key(0, np.arange(2))).reconstruction.sum().backward()
    found = {name: weight.grad for name, weight in mirror.weights.items()}
    assert all(grad is not None and grad.abs().max() > 0 for grad in found.values())
    return {name: grad for name, grad in found.items() if grad is not None}


def of_mirror(net: Network, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the identifiers of the mirror's generated Python and C++."""
    texts: list[str] = []

    def spy(text: str, *arguments: Any) -> Any:
        texts.append(text)
        return compile(text, *arguments)

    def build_library(text: str, **options: Any) -> Any:
        texts.append(text)
        return compile_cpp(text, **options)

    with monkeypatch.context() as patched:
        patched.setattr(compiling, "compile", spy, raising=False)
        patched.setattr(kernel, "compile_cpp", build_library)
        gradients(net, compile=compiler() is not None)
        if compiler() is not None:
            gradients(net, compile=False)
    assert len(texts) > 10
    return identifiers(texts)


def of_brian2(net: Network, target: Target, folder: Path) -> set[str]:
    """Return the identifiers of Brian2's code for a network."""
    with activated(target) as device:
        built = build(net, len(IMAGES), record=["qv"])
        built.present(IMAGES, seed=0)
        built.run()
        if target == "cpp_standalone":
            device.build(directory=str(folder), compile=False, run=False)
            texts = [path.read_text("utf-8") for path in folder.glob("code_objects/*.cpp")]
        else:
            codes = [
                code
                for part in built.network.sorted_objects
                for code in getattr(part, "code_objects", ())
            ]
            texts = [
                str(getattr(code.code, block, ""))
                for code in codes
                for block in ("before_run", "run", "after_run")
            ]
    assert len(texts) > 10
    return identifiers(texts)


def identifiers(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in _IDENTIFIER.findall(text)}


def free(found: Iterable[str]) -> list[str]:
    """Return the names that equations accept: as they are, and without underscores and prefixes."""
    ours = [name for name in found if "array_" not in name]  # of one variable of one object
    names = {part for name in ours for part in (name, name.lstrip("_"), name.split("_")[-1])}
    alike = {re.sub(r"\d+", "0", name): name for name in sorted(names)}  # of v1, v2, ... one
    return [name for name in alike.values() if name and name[0] != "q" and _is_free(name)]


def _is_free(name: str) -> bool:
    if name.endswith(("_pre", "_post")):  # refused as soon as Brian2 makes a group
        return False
    try:
        check_name(name, where="here")
    except ModelError:
        return False
    return True


#: The equations of the models of a part of the names: they have an input variable too.
PART = 90


def assert_same(names: Sequence[str], target: Target) -> None:
    """Compare networks of these names with the same of neutral names, on all sides."""
    parts = [names[start : start + PART] for start in range(0, len(names), PART)]
    simulations = [
        Simulation(network(part), IMAGES, record={"qv", "qn", "qsum", *part}) for part in parts
    ]
    results = simulate_several(simulations, target=target)
    for part, result in zip(parts, results, strict=True):
        _assert_same(part, result)


def _assert_same(names: Sequence[str], ours: xr.DataTree) -> None:
    plain = [f"q{number}" for number in range(len(names))]
    nets = [network(names), network(plain)]
    mirror = simulate(nets[0], IMAGES, Backend("torch", record={"qv", "qn", "qsum", *names}))
    theirs = simulate(nets[1], IMAGES, Backend("torch", record={"qv", "qn", "qsum", *plain}))
    renamed = dict(zip(names, plain, strict=True))
    for role in ROLES:
        group = f"/layers/layer_{role}"
        assert int(ours[f"{group}/spike_count"].sum()) > 0, role
        states = [str(name) for name in ours[group].data_vars if str(name).startswith("state_")]
        assert len(states) >= (len(names) if role == "variable" else 1)
        for state in states:
            name = state.removeprefix("state_")
            expected = theirs[group][f"state_{renamed.get(name, name)}"].to_numpy()
            np.testing.assert_array_equal(ours[group][state], expected, err_msg=f"{role} {name}")
            np.testing.assert_array_equal(mirror[group][state], expected, err_msg=f"{role} {name}")
    _assert_close(*(gradients(net, compile=False) for net in nets))
    if compiler() is not None:  # few names at a time: the compiler takes long for many states
        first = [*dict.fromkeys(("active", "fn", *names))][:8]
        _assert_close(*(gradients(network(each), compile=True) for each in (first, plain[:8])))


def _assert_close(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> None:
    for name, grad in a.items():
        torch.testing.assert_close(grad, b[name], rtol=1e-9, atol=1e-12)


def test_names_of_the_mirror_and_of_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = network(["q0", "q1"])
    found = of_mirror(net, monkeypatch) | of_brian2(net, "numpy", tmp_path)
    names = free(name for name in found if name.startswith("_"))
    assert {"active", "fn", "fired", "spike", "idx", "cond"} <= {*names}
    assert_same(names, "numpy")


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_names_of_macros_with_an_integer(tmp_path: Path) -> None:
    # Arithmetic with integers brings includes that a guard skips where they occur again.
    names = sorted(MACROS - {"NAN", "M_PI"})
    fields = {
        "description": "Named like macros.",
        "equations": "\n".join(["dv/dt = -v/tau : 1", "k : integer", *(f"{n} : 1" for n in names)]),
        "threshold": "v > 1",
        "reset": "\n".join(["v = 0", "k = (k + 1) % 3", *(f"{n} = {n}/2 + k" for n in names)]),
        "method": "euler", "input": "v", "parameters": {"tau": "10*ms"},
    }  # fmt: skip
    layer = dense("a", 3, neuron="named")
    config = described(layer, input_shape=[1, 1, 3], steps=2, neurons={"named": fields})
    with activated("cpp_standalone") as device:
        built = build(Network.initialise(config, seed=0), 1)
        built.present(IMAGES[:1], seed=0)
        built.run()
        device.build(directory=str(tmp_path), compile=False, run=False)
    sources = [name for name in merge_cpp_sources(tmp_path) if name.startswith("unit")]
    command = ["g++", "-fsyntax-only", "-w", "-I.", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cpp_standalone", "cython"])
def test_names_of_every_target(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builders.need(target)
    monkeypatch.setattr(activation, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
    net = network(["q0", "q1"])
    names = free(of_mirror(net, monkeypatch) | of_brian2(net, target, tmp_path) | MACROS)
    assert_same(names, target)
