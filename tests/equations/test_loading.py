"""Neuron model files: accepted ones, refused ones, and the messages."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from builders import model

from bioae.equations import NeuronModel, available, load_neuron, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import constant_values
from bioae.equations.arrays.stepping import Stepper
from bioae.errors import ModelError

LIF: dict[str, Any] = {
    "description": "A model of the tests.",
    "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > theta",
    "reset": "v = 0",
    "method": "exact",
    "input": "v",
    "parameters": {"tau": "20*ms", "theta": "1"},
}
CODE = "__import__('os').system('echo x > pwned')"

Spoilt = Callable[[dict[str, Any]], str]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spoilt:
    """Return the line that refuses a LIF with some keys changed; None removes a key."""
    monkeypatch.chdir(tmp_path)

    def refuse(changes: dict[str, Any]) -> str:
        fields = {**copy.deepcopy(LIF), **changes}
        fields = {key: value for key, value in fields.items() if value is not None}
        (tmp_path / "mine.toml").write_text(tomli_w.dumps(fields), encoding="utf-8")
        with pytest.raises(ModelError) as caught:
            lower(load_neuron("mine.toml"))
        line = str(caught.value)
        assert line.startswith("mine.toml")
        assert "\n" not in line
        for insides in ("Traceback", "neurongroup", "bioae_probe", "<unknown>", ".."):
            assert insides not in line.replace("...", ""), line
        return line

    return refuse


def parameters(**changes: str) -> dict[str, dict[str, str]]:
    return {"parameters": {**LIF["parameters"], **changes}}


def equations(text: str, **others: Any) -> dict[str, Any]:
    return {"equations": text, "method": "euler", **others}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"treshold": "v > 1"}, "unknown key 'treshold'; expected one of description, "),
    "the key that is nearest": ({"treshold": "v > 1"}, "Did you mean 'threshold'?"),
    "a name in the file": ({"name": "mine"}, "unknown key 'name'"),
    "missing key": ({"input": None}, "the key 'input' is missing"),
    "blank equations": ({"equations": " \n "}, "equations: must not be blank"),
    "blank threshold": ({"threshold": " "}, "threshold: must not be blank"),
    "wrong type": ({"threshold": 1}, "found 1. Write it in quotes"),
    "parameter without quotes": ({"parameters": {"tau": 20}}, "parameters.tau does not fit"),
    "no table": ({"parameters": "tau"}, "parameters does not fit"),
    "unknown key of surrogate": (
        {"surrogate": {"distance": "v", "scale": "1", "x": "1"}},
        "unknown key 'surrogate.x'",
    ),
    "surrogate without scale": ({"surrogate": {"distance": "v"}}, "'surrogate.scale' is missing"),
    "reset without threshold": ({"threshold": None}, "a reset or a refractory period needs"),
    "surrogate without threshold": (
        {"threshold": None, "reset": None, "surrogate": {"distance": "v", "scale": "1"}},
        "needs a threshold",
    ),
    "a fraction as an integer": (
        equations("dv/dt = -v/tau : 1\nk : integer (constant)", **parameters(k="2.5")),
        "[parameters] k: this value does not fit; expected an integer of 32 bits; found 2.5",
    ),
    "a number as a condition": (
        equations("dv/dt = -v/tau : 1\nk : boolean (constant)", **parameters(k="2")),
        "[parameters] k: this value does not fit; expected 0 or 1; found 2",
    ),
    "a trained integer": (
        equations(
            "dv/dt = -v/tau : 1\nk : integer (constant)",
            **parameters(k="2"),
            trainable={"k": ["1", "3"]},
        ),
        "[trainable] k: training cannot move integer parameters",
    ),
    # names
    "equation": ({"equations": "dv/dt = -v/tua : 1"}, "equations: unknown name 'tua'"),
    "near name": ({"equations": "dv/dt = -v/tua : 1"}, "Did you mean 'tau'?"),
    "threshold": ({"threshold": "u > theta"}, "threshold: unknown name 'u'; expected one of tau,"),
    "reset reads": ({"reset": "v = u"}, "reset: unknown name 'u'"),
    "reset writes": ({"reset": "u = 0"}, "a reset cannot write 'u'; expected one of v"),
    "reset writes a parameter": (
        {"reset": "theta += 1"},
        "cannot write 'theta'; expected one of v. Declare it in the equations, as `theta : 1`",
    ),
    "reset writes time": ({"reset": "t = 0*second"}, "a reset cannot write 't'"),
    "reset writes a shared variable": (
        equations("dv/dt = -v/tau : 1\ns : 1 (shared)", reset="s = 0"),
        "a reset cannot write 's'; expected one of v",
    ),
    "refractory": ({"refractory": "rest"}, "refractory: unknown name 'rest'"),
    "weight": ({"weight": "w"}, "weight: unknown name 'w'"),
    "parameter": (parameters(theta="x"), "[parameters] theta: unknown name 'x'"),
    "initial": ({"initial": {"v": "x"}}, "[initial] v: unknown name 'x'"),
    "initial of no variable": ({"initial": {"u": "1"}}, "[initial] u: this is not a variable"),
    "initial of a parameter": ({"initial": {"tau": "1*ms"}}, "[initial] tau: this is not a"),
    "distance": ({"surrogate": {"distance": "u", "scale": "1"}}, "distance: unknown name 'u'"),
    "input": ({"input": "u"}, "input: the input variable 'u' is not a variable of the neuron"),
    "input that is a parameter": ({"input": "tau"}, "expected one of v"),
    "input that is a subexpression": (
        equations("dv/dt = -x/tau : 1\nx = v : 1", input="x"),
        "expected one of v",
    ),
    "trainable": ({"trainable": {"x": ["1", "2"]}}, "[trainable] names x"),
    "persistent without a start": ({"persistent": ["v"]}, "must be a parameter that nothing else"),
    "persistent with a parameter that is used": (
        {"persistent": ["v"], "initial": {"v": "theta"}},
        "`persistent` names 'v', whose value in [initial] must be a parameter that nothing else",
    ),
    "two persistent variables with one start": (
        {
            **equations("dv/dt = -v/tau : 1\nu : 1\nh : 1", initial={"u": "s", "h": "s"}),
            **parameters(s="0"),
            "persistent": ["u", "h"],
        },
        "`persistent` names 'u'",
    ),
    "circle": (parameters(tau="a*ms", a="b", b="a"), "circular definitions; found "),
    "itself": (parameters(tau="tau"), "circular definitions; found tau -> tau"),
    "initial circle": (
        equations("dv/dt = -v/tau : 1\nu : 1", initial={"v": "u", "u": "v"}),
        "[initial]: circular definitions",
    ),
    **{
        f"reserved {name}": (parameters(**{name: "1"}), name)
        for name in ("t", "dt", "i", "N", "ms", "exp", "pi", "lambda", "lastspike", "settle")
    },
    **{
        f"the name {name} of a {kind}": (
            equations(f"dv/dt = (-v + {name})/tau : 1\n{text}", **fields),
            "Choose another name",
        )
        for name in ("lambda", "is", "True", "None", "pi", "e", "mV", "i", "class")
        for kind, text, fields in (
            ("variable", f"{name} : 1", {}),
            ("parameter", "", parameters(**{name: "1"})),
        )
    },
    "reserved prefix": (equations("dv/dt = -v/tau : 1\nbioae_x : 1"), "'bioae_x' is reserved"),
    "a function that Cython code calls": (
        equations("dv/dt = -v/tau : 1\nlen : 1"),
        "'len' is reserved",
    ),
    "a type in Cython code": (
        equations("dv/dt = -v/tau : 1\nint64_t : 1"),
        "'int64_t' is reserved",
    ),
    "a keyword of Cython": (equations("dv/dt = -v/tau : 1\ncdef : 1"), "'cdef' is reserved"),
    "reserved prefix of a parameter": (parameters(bioae_x="1"), "found 'bioae_x'"),
    "parameter of a state": (parameters(v="1"), "Give its initial value in [initial]"),
    # conditions
    **{
        f"{text} among numbers": (
            equations(f"dv/dt = {text}/tau : 1\n{more}"),
            f"numbers; found {condition!r} in the equation of {of}. Write int({condition})",
        )
        for text, more, condition, of in (
            ("v*(v > 1)", "", "v > 1", "v"),
            ("-(v > 1)", "", "v > 1", "v"),
            ("exp(v > 1)", "", "v > 1", "v"),
            ("(v + 0.1*(not b))", "b : boolean", "not b", "v"),
            ("(-v + True)", "", "True", "v"),
            ("(-v + b*0.1)", "b = v > 1 : boolean", "b", "v"),
            ("-v", "b = v > 1 : boolean\nu = 0.1*b : 1", "b", "u"),
            ("(-v + u)", "u = w : 1\nw = 2*(v > 1) : 1", "v > 1", "w"),
        )
    },
    # units
    "units of input and inhibition": (
        equations("dv/dt = -v/tau : volt\ng : 1", input="v", inhibition="g", weight="15*mV"),
        "inhibition: the inhibition has another unit than the input, and `weight` scales both",
    ),
    "smaller of two": (
        {"threshold": "min(v, 3) > theta"},
        "this function is not supported; expected one of abs, ",
    ),
    "larger of two": (
        {"reset": "v = max(v, 0)"},
        "found 'max'. Write clip(a, b, inf) for the larger of a and b, inf with its unit",
    ),
    "last spike of a model that never fires": (
        {"equations": "dv/dt = -v/tau*int(t > lastspike) : 1", "threshold": None, "reset": None},
        "unknown name 'lastspike'",
    ),
    "unit of a further input": (
        equations("dv/dt = -v/tau : 1\ng : volt", inputs={"g": "1"}),
        "[inputs] g: '1' has the wrong unit; expected volt; found 1",
    ),
    "further input without a weight": (
        equations("dv/dt = -v/tau : 1\ng : volt", inputs={"g": "0*mV"}),
        "[inputs] g: a weight must be finite, and not 0",
    ),
    "further input of no neuron": (
        {"inputs": {"g": "1"}},
        "[inputs]: the input variable 'g' is not a variable of the neuron",
    ),
    "input twice": ({"inputs": {"v": "1"}}, "[inputs] names further variables, but `input`"),
    "too many inputs": (
        {"inputs": {f"g{n}": "1" for n in range(201)}},
        "at most 200",
    ),
    "unit of an equation": ({"equations": "dv/dt = -v : 1"}, "expected unit hertz"),
    "unit of a sum": ({"equations": "dv/dt = (tau - v)/tau : 1"}, "inconsistent units"),
    "unit of a parameter": (parameters(tau="20*mV"), "expected unit hertz"),
    "unit of a declared parameter": (
        equations("dv/dt = -v/tau : 1\ntheta : volt (constant)"),
        "[parameters] theta: '1' has the wrong unit; expected volt",
    ),
    "unit of a threshold": (parameters(theta="1*mV"), "threshold: 'theta' has the wrong unit"),
    "unit of a reset": ({"reset": "v = 1*mV"}, "reset: '1 * mV' has the wrong unit; expected 1; "),
    "unit of a refractory time": ({"refractory": "2*mV"}, "refractory: "),
    "unit of a refractory number": ({"refractory": "2"}, "refractory: "),
    "unit of a weight": ({"weight": "1*mV"}, "weight: '1*mV' has the wrong unit; expected 1; "),
    "unit of an initial value": ({"initial": {"v": "1*mV"}}, "[initial] v: '1*mV' has the wrong"),
    "unit of settle": ({"initial": {"settle": "3"}}, "settle: '3' has the wrong unit"),
    "unit of a bound": ({"trainable": {"tau": ["1", "2"]}}, "[trainable] tau: '1' has the wrong"),
    "unit of a scale": ({"surrogate": {"distance": "v", "scale": "tau"}}, "another unit"),
    # values
    "bounds in order": ({"trainable": {"tau": ["9*ms", "5*ms"]}}, "lower bound must come first"),
    "one bound": ({"trainable": {"tau": ["9*ms"]}}, "tau needs bounds"),
    "no time": ({"initial": {"settle": "-1*ms"}}, "expected a positive time"),
    "no weight": ({"weight": "0"}, "weight: a weight must be finite, and not 0"),
    "no number": (parameters(theta="0/0"), "[parameters] theta: a division by 0 has no value"),
    "not real": (parameters(theta="(-1)**0.5"), "theta: a constant has no value that is a"),
    "not defined": (parameters(theta="log(-1)"), "theta: a constant has no value that is a"),
    "not finite": (parameters(theta="inf"), "the value must be finite"),
    "too large": (parameters(theta="10**10**10"), "has no value that is a finite"),
    "no positive scale": ({"surrogate": {"distance": "v", "scale": "-theta"}}, "must be positive"),
    "no finite scale": ({"surrogate": {"distance": "v", "scale": "inf"}}, "positive and finite"),
    **{
        f"0 by {method}": (
            equations("dv/dt = (I0 - g*v)/tau : 1", method=method, **parameters(I0=current, g="0")),
            (
                "with these parameters there is a division by 0; found g. "
                'Change g, or use method = "euler" or "rk4"'
            ),
        )
        for method in (None, "exact", "exponential_euler")
        for current in ("0", "1")
    },
    "equal time constants": (
        equations(
            "dv/dt = (-v + I)/tau : 1\ndI/dt = -I/tau_s : 1",
            method="exact",
            **parameters(tau_s="20*ms"),
        ),
        "Change tau or tau_s, or use method",
    ),
    "equal time constants, refractory": (
        equations(
            "dv/dt = -v/tau : 1 (unless refractory)\ndw/dt = (v - w)/tau_s : 1",
            method="exact",
            refractory="3*ms",
            **parameters(tau_s="20*ms"),
        ),
        "there is a division by 0; found -tau + tau_s * 1. Change tau or tau_s, or use method",
    ),
    "a coupling of 0": (
        equations(
            "dv/dt = (-v - w)/tau : 1\ndw/dt = (a*v - w)/tau : 1",
            method="exact",
            **parameters(a="0"),
        ),
        "with these parameters there is a division by 0; found 2 * sqrt(-a). Change a",
    ),
    "a coupling of the wrong sign": (
        equations(
            "dv/dt = (-v - w)/tau : 1\ndw/dt = (a*v - w)/tau : 1",
            method="exact",
            **parameters(a="1"),
        ),
        "with these parameters a constant is not finite; found ",
    ),
    "infinity in an equation": (
        equations("dv/dt = (-v + e*pi*inf)/tau : 1"),
        "with these parameters a constant is not finite; found ",
    ),
    "infinity at the start": ({"initial": {"v": "-inf"}}, "a constant is not finite; found "),
    "infinity in a bound": (
        {"reset": "v = clip(v, 0, 1 - 1/exp(-1e3/theta))"},
        "there is a division by 0; found exp(-1000.0 / theta). Change theta",
    ),
    "a divisor of 0 in an equation": (
        equations("dv/dt = -v/(tau - late) : 1", **parameters(late="20*ms")),
        ". Change late or tau",
    ),
    "a divisor of 0 in a reset": (
        equations("dv/dt = -v/tau : 1", reset="v = v % k", **parameters(k="0")),
        "with these parameters there is a division by 0; found k. Change k",
    ),
    "a factor of 0 in a divisor": (
        equations("dv/dt = -v/tau : 1", reset="v = v/(k*(1 + v**2))", **parameters(k="0")),
        "with these parameters there is a division by 0; found k. Change k",
    ),
    "a divisor of 0 in a subexpression that nothing names": (
        equations("dv/dt = -v/tau : 1\nx = v/k : 1", **parameters(k="0")),
        "with these parameters there is a division by 0; found k. Change k",
    ),
    **{
        f"{time} as a divisor": (
            parameters(tau=time),
            (
                "[parameters] tau: the equations divide by this parameter; "
                f"expected a positive time; found {time}"
            ),
        )
        for time in ("0*ms", "-20*ms")
    },
    **{
        f"a refractory time of {time}": (
            {"refractory": time},
            f"refractory time does not fit; expected 0 or more, below 10000 seconds; found {time}",
        )
        for time in ("-1*ms", "1e4*second", "1e7*second")
    },
    "a parameter that is a long refractory time": (
        {"refractory": "tau", **parameters(tau="1e9*ms")},
        "refractory time does not fit; expected 0 or more, below 10000 seconds; found 1e9*ms",
    ),
    # form
    "no equation": ({"equations": "v' = -v/tau"}, "this is not an equation such as"),
    "no expression in an equation": ({"equations": "dv/dt = -v/ : 1"}, "'-v/'"),
    "no variable": ({"equations": "x = 1 : 1"}, "the equations declare no variable"),
    "unknown unit": ({"equations": "dv/dt = -v/tau : volts"}, "'volts'"),
    "unknown flag": ({"equations": "dv/dt = -v/tau : 1 (refractory)"}, "flag 'refractory'"),
    "linked": (equations("dv/dt = -v/tau : 1\nx : 1 (linked)"), "found x (linked)"),
    "threshold no condition": ({"threshold": "v"}, "the threshold is not a condition"),
    "threshold half": ({"threshold": "v >"}, "threshold: this is not a Brian2 expression"),
    "threshold chained": ({"threshold": "0 < v < 1"}, "comparisons cannot be chained"),
    "reset no assignment": ({"reset": "v"}, "reset: this is not an assignment"),
    "reset two targets": ({"reset": "v, u = 0, 1"}, "this is not an assignment"),
    "reset with if": ({"reset": "if v > 1: v = 0"}, "this is not an assignment"),
    "reset conditional": ({"reset": "v = 0 if v > 1 else 1"}, "not part of Brian2's expressions"),
    "parameter half": (parameters(theta="1 +"), "theta: this is not a Brian2 expression"),
    "parameter deep": (parameters(theta="-" * 30_000 + "1"), "at most 20000 characters"),
    "parameter nested": (parameters(theta="-" * 300 + "1"), "nested too deeply"),
    "initial of two lines": ({"initial": {"v": "0\nv = 1"}}, "not a Brian2 expression"),
    "unknown method": ({"method": "exakt"}, "expected one of linear, exact"),
    "GSL": ({"method": "gsl"}, "found 'gsl'"),
    "method that does not fit": ({"equations": "dv/dt = -v**2/tau : 1"}, "method: "),
    "unknown function": (equations("dv/dt = -f(v)/tau : 1"), "this function is not supported"),
    "arguments": (equations("dv/dt = -v/tau : 1", reset="v = exp(v, v)"), "takes 1 argument"),
    "random counts": (equations("dv/dt = -v/tau : 1", reset="v = poisson(1)"), "poisson"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, refusal: Spoilt) -> None:
    changes, message = REFUSED[case]
    assert message in refusal(changes)


def test_an_equation_that_divides_by_0_does_so_with_every_method(refusal: Spoilt) -> None:
    zero = parameters(k="0")
    message = refusal(equations("dv/dt = -v/(k*tau) : 1", **zero))
    assert message.endswith("there is a division by 0; found k. Change k")


def test_a_long_condition_is_shortened(refusal: Spoilt) -> None:
    message = refusal(equations(f"dv/dt = (({'t' * 3000} == inf) - v)/tau : 1"))
    assert "a condition stands among numbers" in message
    assert len(message) < 3000


INJECTIONS: list[dict[str, Any]] = [
    *({key: CODE} for key in LIF if key not in ("description", "parameters")),
    {"refractory": CODE},
    {"weight": CODE},
    equations(f"dv/dt = {CODE}/tau : 1"),
    equations(f"dv/dt = -v/tau : {CODE}"),
    equations(f"dv/dt = -v/tau : 1\nx = {CODE} : 1"),
    {"threshold": f"v > {CODE}"},
    {"reset": f"v = {CODE}"},
    {"reset": f"v = 0\n{CODE}"},
    {"reset": "v = v.__class__"},
    {"reset": "v = (lambda: 0)()"},
    {"reset": "v = [0 for x in (1,)][0]"},
    {"reset": "import os"},
    parameters(tau=CODE),
    parameters(**{CODE: "1"}),
    {"initial": {"v": CODE}},
    {"initial": {CODE: "1"}},
    {"initial": {"settle": CODE}},
    {"surrogate": {"distance": CODE, "scale": "1"}},
    {"surrogate": {"distance": "v", "scale": CODE}},
    {"trainable": {"tau": [CODE, "1*second"]}},
]


@pytest.mark.parametrize("changes", INJECTIONS, ids=str)
def test_code_is_refused_and_never_runs(
    changes: dict[str, Any], refusal: Spoilt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    monkeypatch.setattr("os.system", ran.append)
    assert refusal(changes)
    assert ran == []
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", available())
def test_every_shipped_model_loads_and_comes_back_from_its_text(name: str) -> None:
    model = load_neuron(name)
    assert lower(model).states
    again = NeuronModel.from_mapping(name, tomllib.loads(model.to_toml()), where=name)
    assert again == model
    assert lower(again) == lower(model)


@pytest.mark.parametrize("name", available())
def test_a_shipped_model_may_train_parameters_within_their_bounds(name: str) -> None:
    model = load_neuron(name)
    assert model.trainable
    assert set(model.trainable) <= set(lower(model).parameters)
    assert model.reference


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "this is not a text file in UTF-8"),
        (b"description = ", "this is not valid TOML"),
        (b"", "the key 'description' is missing"),
    ],
)
def test_files_that_are_no_model(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        load_neuron(path)
    assert str(caught.value).startswith(str(path))


def test_missing_files(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name, message in (("no.toml", "there is no such"), ("folder.toml", "cannot be read")):
        with pytest.raises(ModelError, match=message):
            load_neuron(tmp_path / name)


@pytest.mark.parametrize(("name", "near"), [("lfi", "lif"), ("cubaa", "cuba"), ("zzz", None)])
def test_unknown_names(name: str, near: str | None) -> None:
    with pytest.raises(ModelError, match=f"unknown neuron model '{name}'") as caught:
        load_neuron(name)
    assert caught.value.hint == (f"Did you mean {near!r}?" if near else None)


def test_parameters_can_be_replaced() -> None:
    model = load_neuron("lif").with_parameters({"tau": "7*ms"})
    assert model.parameters == {"tau": "7*ms", "theta": "1"}
    with pytest.raises(ModelError, match="no parameter 'x'; expected one of tau, theta"):
        model.with_parameters({"x": "1"})


@pytest.mark.parametrize(
    ("threshold", "distance", "scale"),
    [
        ("v > theta", "v - theta", "theta"),
        ("v >= theta", "v - theta", "theta"),
        ("theta < v", "v - theta", "theta"),
        ("(v > theta)", "v - theta", "theta"),
        ("v\n  > theta + 1", "v - (theta + 1)", "theta + 1"),
        ("v > -theta", "v - -theta", "abs(-theta)"),
        ("v > 0", "v - 0", "1"),
        ("v - theta > 0.5*v", "v - theta - 0.5*v", "abs(0 - theta)"),
    ],
)
def test_the_distance_is_read_from_the_threshold(threshold: str, distance: str, scale: str) -> None:
    program = lower(model(LIF, threshold=threshold))
    values: dict[str, Any] = {"v": np.asarray(0.75), "theta": np.asarray(1.0)}
    values |= constant_values(program, {}, dt=1e-3, n=1)
    stepper = Stepper(program, array_functions(np))
    assert stepper.distance(values) == eval(distance, {}, values)
    assert stepper.scale(values) == eval(scale, {}, values)


def test_a_surrogate_in_the_file_is_kept() -> None:
    surrogate = {"distance": "2*v - theta", "scale": "2*theta"}
    program = lower(model(LIF, surrogate=surrogate))
    assert str(program.distance) == "2 * v - theta"
    assert str(program.constants[str(program.scale)]) == "2 * theta"


def test_a_literal_truth_value_is_no_temporary_variable() -> None:
    fields = {**load_neuron("lif").to_mapping(), "reset": "k = True\nv = int(k)"}
    with pytest.raises(ModelError, match="the temporary variable 'k' is a literal truth value"):
        lower(NeuronModel.from_mapping("mine", fields, where="mine.toml"))


@pytest.mark.parametrize("wrong", [{"parameters": {"tau": 3}}, {"treshold": "v > 1"}])
def test_a_model_built_in_python_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    fields = {"name": "mine", "description": "", "equations": "dv/dt = -v/tau : 1", "input": "v"}
    with pytest.raises(ModelError, match=r"^NeuronModel: ") as caught:
        NeuronModel(**(fields | wrong))
    assert "\n" not in str(caught.value)
