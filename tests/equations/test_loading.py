"""Neuron model files: accepted ones, refused ones, and the messages."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from builders import LEAKY, model
from refusals import refused

from bioae.equations import NeuronModel, available, load_neuron, lower
from bioae.errors import ModelError

LIF: dict[str, Any] = {
    **LEAKY, "threshold": "v > theta", "parameters": {"tau": "20*ms", "theta": "1"},
}  # fmt: skip
CODE = "__import__('os').system('echo x > pwned')"

Refuse = Callable[[dict[str, Any]], ModelError]


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Return the error that refuses a LIF with some keys changed; None removes a key."""
    monkeypatch.chdir(tmp_path)

    def refuse(changes: dict[str, Any]) -> ModelError:
        fields = {**copy.deepcopy(LIF), **changes}
        fields = {key: value for key, value in fields.items() if value is not None}
        (tmp_path / "mine.toml").write_text(tomli_w.dumps(fields), encoding="utf-8")
        with pytest.raises(ModelError) as caught:
            lower(load_neuron("mine.toml"))
        line = str(caught.value)
        assert "\n" not in line
        for insides in ("Traceback", "neurongroup", "bioae_probe", "<unknown>", ".."):
            assert insides not in line.replace("...", ""), line
        return caught.value

    return refuse


def parameters(**changes: str) -> dict[str, dict[str, str]]:
    return {"parameters": {**LIF["parameters"], **changes}}


def equations(text: str, **others: Any) -> dict[str, Any]:
    return {"equations": text, "method": "euler", **others}


def more(line: str, **others: Any) -> dict[str, Any]:
    """Return the equations with a further line."""
    return equations(f"dv/dt = -v/tau : 1\n{line}", **others)


def linear(second: str, **values: str) -> dict[str, Any]:
    """Return two linear equations, integrated exactly."""
    return equations(f"dv/dt = (-v - w)/tau : 1\n{second}", method="exact", **parameters(**values))


#: The place of the error, a name or value that it quotes, and the changes of the file.
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("", "'treshold'", {"treshold": "v > 1"}),
    ("", "'name'", {"name": "mine"}),
    ("", "'input'", {"input": None}),
    ("", "equations", {"equations": " \n "}),
    ("", "threshold", {"threshold": 1}),
    ("", "parameters", {"parameters": "tau"}),
    ("", "'surrogate.x'", {"surrogate": {"distance": "v", "scale": "1", "x": "1"}}),
    ("", "reset", {"threshold": None}),
    ("", "[surrogate]", {"threshold": None, "reset": None,
                         "surrogate": {"distance": "v", "scale": "1"}}),
    ("[parameters] k", "2.5", more("k : integer (constant)", **parameters(k="2.5"))),
    ("[trainable] k", "integer",
     more("k : integer (constant)", **parameters(k="2"), trainable={"k": ["1", "3"]})),
    # names
    ("equations", "'tua'", {"equations": "dv/dt = -v/tua : 1"}),
    ("threshold", "'u'", {"threshold": "u > theta"}),
    ("reset", "'u'", {"reset": "v = u"}),
    ("reset", "'theta'", {"reset": "theta += 1"}),
    ("reset", "'t'", {"reset": "t = 0*second"}),
    ("reset", "'s'", more("s : 1 (shared)", reset="s = 0")),
    ("refractory", "'rest'", {"refractory": "rest"}),
    ("weight", "'w'", {"weight": "w"}),
    ("[parameters] theta", "'x'", parameters(theta="x")),
    ("[initial] v", "'x'", {"initial": {"v": "x"}}),
    ("[initial] u", "one of v", {"initial": {"u": "1"}}),
    ("[surrogate] distance", "'u'", {"surrogate": {"distance": "u", "scale": "1"}}),
    ("[surrogate] distance", "'v > 1'", {"surrogate": {"distance": "v > 1", "scale": "1"}}),
    ("[surrogate] scale", "'v > 1'", {"surrogate": {"distance": "v - 1", "scale": "v > 1"}}),
    ("input", "'u'", {"input": "u"}),
    ("input", "'x'", equations("dv/dt = -x/tau : 1\nx = v : 1", input="x")),
    ("", "[trainable]", {"trainable": {"x": ["1", "2"]}}),
    ("", "'v'", {"persistent": ["v"], "initial": {"v": "theta"}}),
    ("", "'u'", {**more("u : 1\nh : 1", initial={"u": "s", "h": "s"}), **parameters(s="0"),
                 "persistent": ["u", "h"]}),
    ("[parameters]", "a -> b -> a", parameters(tau="a*ms", a="b", b="a")),
    ("[initial]", "v -> u -> v", more("u : 1", initial={"v": "u", "u": "v"})),
    ("", "'bioae_x'", parameters(bioae_x="1")),
    ("[parameters] v", "a differential equation", parameters(v="1")),
    ("equations", "'lastspike'", {"equations": "dv/dt = -v/tau*int(t > lastspike) : 1",
                                  "threshold": None, "reset": None}),
    ("threshold", "clip(a, -inf, b)", {"threshold": "min(v, 3) > theta"}),
    # conditions among numbers
    ("equations", "'v > 1' in the equation of v", equations("dv/dt = -(v > 1)/tau : 1")),
    ("equations", "'not b' in the equation of v",
     equations("dv/dt = (v + 0.1*(not b))/tau : 1\nb : boolean")),
    ("equations", "'b' in the equation of u", more("b = v > 1 : boolean\nu = 0.1*b : 1")),
    ("equations", "'v > 1' in the equation of w",
     equations("dv/dt = (-v + u)/tau : 1\nu = w : 1\nw = 2*(v > 1) : 1")),
    # units
    ("inhibition", "volt, as v has",
     equations("dv/dt = -v/tau : volt\ng : 1", inhibition="g", weight="15*mV")),
    ("[inputs] g", "volt", more("g : volt", inputs={"g": "1"})),
    ("[inputs]", "'g'", {"inputs": {"g": "1"}}),
    ("", "[inputs]", {"inputs": {"v": "1"}}),
    ("equations", "'v'", {"equations": "dv/dt = -v : 1"}),
    ("[parameters] theta", "volt", more("theta : volt (constant)")),
    ("threshold", "volt", parameters(theta="1*mV")),
    ("reset", "volt", {"reset": "v = 1*mV"}),
    ("refractory", "", {"refractory": "2*mV"}),
    ("weight", "volt", {"weight": "1*mV"}),
    ("[initial] v", "volt", {"initial": {"v": "1*mV"}}),
    ("[initial] settle", "second", {"initial": {"settle": "3"}}),
    ("[trainable] tau", "second", {"trainable": {"tau": ["1", "2"]}}),
    ("[surrogate]", "second", {"surrogate": {"distance": "v", "scale": "tau"}}),
    # values
    ("[trainable] tau", "9*ms, 5*ms", {"trainable": {"tau": ["9*ms", "5*ms"]}}),
    ("", "tau", {"trainable": {"tau": ["9*ms"]}}),
    ("[initial] settle", "-1*ms", {"initial": {"settle": "-1*ms"}}),
    ("[parameters] theta", "'0/0'", parameters(theta="0/0")),
    ("[parameters] theta", "'(-1)**0.5'", parameters(theta="(-1)**0.5")),
    ("[parameters] theta", "'10**10**10'", parameters(theta="10**10**10")),
    ("[surrogate] scale", "-theta", {"surrogate": {"distance": "v", "scale": "-theta"}}),
    ("method", "Change g, or",
     equations("dv/dt = (1 - g*v)/tau : 1", method="exponential_euler", **parameters(g="0"))),
    ("method", "Change tau or tau_s,",
     linear("dw/dt = -w/tau_s : 1", tau_s="20*ms") | {"equations":
            "dv/dt = (-v + I)/tau : 1\ndI/dt = -I/tau_s : 1"}),
    ("method", "1e309 / tau", equations("dv/dt = (-v + e*pi*inf)/tau : 1")),
    ("method", "Change theta", {"reset": "v = clip(v, 0, 1 - 1/exp(-1e3/theta))"}),
    ("method", "Change late or tau",
     equations("dv/dt = -v/(tau - late) : 1", **parameters(late="20*ms"))),
    ("method", "Change k", {"reset": "v = v/(k*(1 + v**2))", **parameters(k="0")}),
    ("method", "Change k", more("x = v/k : 1", **parameters(k="0"))),
    ("[parameters] tau", "-20*ms", parameters(tau="-20*ms")),
    ("refractory", "-1*ms", {"refractory": "-1*ms"}),
    ("refractory", "1e9*ms", {"refractory": "tau", **parameters(tau="1e9*ms")}),
    # form
    ("equations", "v' = -v/tau", {"equations": "v' = -v/tau"}),
    ("equations", "'dv/dt = -v/tau : 1'", {"equations": "x = 1 : 1"}),
    ("equations", "'volts'", {"equations": "dv/dt = -v/tau : volts"}),
    ("equations", "'refractory'", {"equations": "dv/dt = -v/tau : 1 (refractory)"}),
    ("equations", "x (linked)", more("x : 1 (linked)")),
    ("threshold", "'v'", {"threshold": "v"}),
    ("threshold", "'0 < v < 1'", {"threshold": "0 < v < 1"}),
    ("reset", "'v'", {"reset": "v"}),
    ("reset", "'v, u = (0, 1)'", {"reset": "v, u = 0, 1"}),
    ("reset", "'if v > 1: v = 0'", {"reset": "if v > 1: v = 0"}),
    ("[parameters] theta", "'1 +'", parameters(theta="1 +")),
    ("[parameters] theta", "", parameters(theta="-" * 30_000 + "1")),
    ("[initial] v", "'0 v = 1'", {"initial": {"v": "0\nv = 1"}}),
    ("method", "'exakt'", {"method": "exakt"}),
    ("method", "'-v**2/tau'", {"equations": "dv/dt = -v**2/tau : 1"}),
    ("equations", "'f'", equations("dv/dt = -f(v)/tau : 1")),
    ("reset", "'exp(v, v)'", {"reset": "v = exp(v, v)"}),
    ("reset", "poisson", {"reset": "v = poisson(1)"}),
    ("reset", "'double'", {"reset": "double = v\nv = double"}),
    ("reset", "'_x'", {"reset": "_x = v\nv = _x"}),
    ("equations", "'_spikespace'", more("_spikespace : 1")),
    ("threshold", "ASCII", {"threshold": "v > 1\u200b"}),
    ("threshold", "no comment", {"threshold": "v > 1 # mV"}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "quoted", "changes"), REFUSED)
def test_refused(where: str, quoted: str, changes: dict[str, Any], refuse: Refuse) -> None:
    error = refuse(changes)
    assert error.where == (f"mine.toml, {where}" if where else "mine.toml")
    assert quoted in str(error)


@pytest.mark.medium  # exact integration is tried in another process
@pytest.mark.parametrize("a", ["0", "1"])
def test_a_coupling_that_exact_integration_divides_by(a: str, refuse: Refuse) -> None:
    error = refuse(linear("dw/dt = (a*v - w)/tau : 1", a=a))
    assert error.where == "mine.toml, method"
    assert "Change a" in str(error)


@pytest.mark.parametrize(
    "name",
    ["t", "dt", "i", "N", "mV", "exp", "pi", "e", "lambda", "is", "True", "class", "lastspike",
     "len", "int64_t", "cdef"],
)  # fmt: skip
def test_names_that_are_taken(name: str, refuse: Refuse) -> None:
    cases = {"equations": more(f"{name} : 1"), "[parameters]": parameters(**{name: "1"})}
    for place, changes in cases.items():
        error = refuse(changes)
        assert (error.where, error.hint) == (f"mine.toml, {place}", "Choose another name")
        assert f"'{name}'" in str(error)


def test_a_long_condition_is_shortened(refuse: Refuse) -> None:
    error = refuse(equations(f"dv/dt = (({'t' * 3000} == inf) - v)/tau : 1"))
    assert len(str(error)) < 3000


INJECTIONS: list[dict[str, Any]] = [
    *({key: CODE} for key in LIF if key not in ("description", "parameters")), {"refractory": CODE},
    equations(f"dv/dt = {CODE}/tau : 1"), equations(f"dv/dt = -v/tau : {CODE}"),
    {"threshold": f"v > {CODE}"}, {"reset": f"v = 0\n{CODE}"}, {"reset": "v = v.__class__"},
    {"reset": "v = (lambda: 0)()"}, {"reset": "import os"}, parameters(tau=CODE),
    parameters(**{CODE: "1"}), {"initial": {"v": CODE}}, {"initial": {"settle": CODE}},
    {"surrogate": {"distance": CODE, "scale": "1"}}, {"trainable": {"tau": [CODE, "1*second"]}},
]  # fmt: skip


@pytest.mark.parametrize("changes", INJECTIONS, ids=str)
def test_code_is_refused_and_never_runs(
    changes: dict[str, Any], refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr("os.system", ran.append)
    refuse(changes)
    assert ran == []
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", available())
def test_every_shipped_model_loads_and_comes_back_from_its_text(name: str) -> None:
    model = load_neuron(name)
    again = NeuronModel.from_mapping(name, tomllib.loads(model.to_toml()), where=name)
    assert again == model
    assert lower(again) == lower(model)
    assert model.reference
    assert set() < set(model.trainable) <= set(lower(model).parameters)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"description = ", b"", None])
def test_files_that_are_no_model(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with refused(ModelError, path):
        load_neuron(path)


@pytest.mark.parametrize(("name", "near"), [("lfi", "lif"), ("cubaa", "cuba"), ("zzz", None)])
def test_unknown_names(name: str, near: str | None) -> None:
    with refused(ModelError, repr(name), hint=f"Did you mean {near!r}?" if near else None):
        load_neuron(name)


def test_parameters_can_be_replaced() -> None:
    model = load_neuron("lif").with_parameters({"tau": "7*ms"})
    assert model.parameters == {"tau": "7*ms", "theta": "1"}
    with refused(ModelError, "'x'", expected="one of tau, theta"):
        model.with_parameters({"x": "1"})


def test_a_surrogate_in_the_file_is_kept() -> None:
    program = lower(model(LIF, surrogate={"distance": "2*v - theta", "scale": "2*theta"}))
    assert str(program.distance) == "2 * v - theta"
    assert str(program.constants[str(program.scale)]) == "2 * theta"


def test_a_literal_boolean_is_no_temporary_variable() -> None:
    fields = {**load_neuron("lif").to_mapping(), "reset": "k = True\nv = int(k)"}
    with refused(ModelError, "'k'"):
        lower(NeuronModel.from_mapping("mine", fields, where="mine.toml"))


@pytest.mark.parametrize("wrong", [{"parameters": {"tau": 3}}, {"treshold": "v > 1"}])
def test_a_model_built_in_python_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    fields = {"name": "mine", "description": "", "equations": "dv/dt = -v/tau : 1", "input": "v"}
    with refused(ModelError, where="NeuronModel"):
        NeuronModel(**(fields | wrong))
