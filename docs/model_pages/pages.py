"""Text of a model's page, from its equations and stored numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from bioae.equations import NeuronModel, lower
from bioae.showing import markdown_table
from model_pages.description import Rule, Symbol, dynamics, firing, rules, symbols
from model_pages.typesetting import latex, symbol

_INTRODUCTION = (
    "Each is one file of Brian2 equations, from which its page is generated. "
    "[Neuron models](../neuron-models.md) explains how to write one, and "
    "[parity](../parity.md) what the last column guarantees."
)


def page(model: NeuronModel, numbers: dict[str, Any], *, file: str, picture: str) -> str:
    """Return the page of a model, in Markdown.

    Parameters
    ----------
    model
        The neuron model.
    numbers
        Its stored numbers, see `model_pages.responses.measure`.
    file, picture
        Paths of its TOML file and its picture, as the page links them.
    """
    name = file.rpartition("/")[2]
    source = [f"{model.reference}."] if model.reference else []
    parts = [
        f"# {model.name}",
        model.description,
        *source,
        f"The file: [{name}]({file}).",
        "## Dynamics",
        _display(dynamics(model)),
        _firing(model),
        *map(_rule, rules(model)),
        _receiving(model),
        _running(model),
        "## Symbols",
        _symbols(model),
        "## Response",
        f"![{_alternative(numbers)}]({picture})",
        _caption(numbers),
        "## Parity",
        _parity(model),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(models: Iterable[NeuronModel], pictures: dict[str, str]) -> str:
    """Return the page that lists all models, in Markdown.

    Parameters
    ----------
    models
        The models, in the order of the table.
    pictures
        Paths of the thumbnails of the f-I curves by name of the model, as the page links them.
    """
    models = list(models)
    rows = [
        (
            f"[{model.name}]({model.name}.md)",
            _thumbnail(model, pictures),
            _gist(model),
            _class(model),
        )
        for model in models
    ]
    contents = ["```{toctree}", ":hidden:", "", *(model.name for model in models), "```"]
    parts = [
        "# The shipped neuron models",
        _INTRODUCTION,
        markdown_table(["model", "f-I curve", "description", "parity"], rows),
        "\n".join(contents),
    ]
    return "\n\n".join(parts) + "\n"


def _display(lines: Iterable[str]) -> str:
    body = " \\\\[0.5em]\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$" if body else ""


def _firing(model: NeuronModel) -> str:
    rule = firing(model)
    if rule is None:
        return "It never spikes: it reads out a layer, or is the last layer."
    then = f"; then {_statements(rule.reset)}" if rule.reset else ""
    text = f"It spikes when ${rule.threshold}${then}."
    if rule.refractory is None:
        return text
    word = "while" if rule.lasts_while else "for"
    return f"{text} It is refractory {word} ${rule.refractory}$."


def _rule(rule: Rule) -> str:
    if rule.event is None and rule.condition:
        return f"At multiples of ${rule.condition}$ {_statements(rule.statements)}."
    if rule.event is None:
        return f"At the start of every step {_statements(rule.statements)}."
    return f"When ${rule.condition}$ (`{rule.event}`) {_statements(rule.statements)}."


def _statements(statements: Iterable[str]) -> str:
    return ", ".join(f"${statement}$" for statement in statements)


def _receiving(model: NeuronModel) -> str:
    own = {row.name for row in symbols(model)}
    amounts = {name: _amount(text, own) for name, text in model.received.items()}
    adds = " and ".join(f"{amount} to ${symbol(name)}$" for name, amount in amounts.items())
    if model.inhibition is None:
        return f"A presynaptic spike of network weight $w$ adds {adds}."
    magnitude = amounts[model.input].replace("w", "\\lvert w \\rvert", 1)
    return (
        f"A presynaptic spike of network weight $w > 0$ adds {adds}; "
        f"one of $w < 0$ adds {magnitude} to ${symbol(model.inhibition)}$."
    )


def _amount(text: str, own: set[str]) -> str:
    weight = latex(text, own)
    if weight == "1":
        return "$w$"
    match ast.parse(text.strip(), mode="eval").body:
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            weight = f"\\left( {weight} \\right)"
    return f"$w \\cdot {weight}$"


def _running(model: NeuronModel) -> str:
    method = f"`{model.method}`" if model.method else "the method that Brian2 chooses"
    text = f"Integrated with {method}."
    if model.settle is None:
        return text
    return (
        f"{text} Before the first presentation it settles, without input: ${latex(model.settle)}$."
    )


def _symbols(model: NeuronModel) -> str:
    rows = sorted(
        symbols(model), key=lambda row: ("state", "subexpression", "parameter").index(row.kind)
    )
    own = {row.name for row in rows}
    head = ["symbol", "name", "kind", "value or initial value", "base unit", "trainable range"]
    return markdown_table(head, (_row(row, own) for row in rows))


def _row(row: Symbol, own: set[str]) -> tuple[str, ...]:
    value = f"${latex(row.value, own)}$" if row.value else ""
    bounds = ", ".join(f"${latex(bound, own)}$" for bound in row.bounds)
    unit = f"${latex(row.unit)}$"
    return f"${symbol(row.name)}$", f"`{row.name}`", _kind(row), value, unit, bounds


def _kind(row: Symbol) -> str:
    kind = {
        "state": "state",
        "subexpression": "abbreviation",
        "parameter": "parameter",
    }[row.kind]
    shared = row.kind == "state" and row.shared
    own = row.kind == "parameter" and not row.shared
    return f"{kind}{', one per layer' if shared else ', one per neuron' if own else ''}"


def _alternative(numbers: dict[str, Any]) -> str:
    curve = "Firing rate against constant drive, and the" if "rate" in numbers else "The"
    return f"{curve} response to a step of drive"


def _caption(numbers: dict[str, Any]) -> str:
    drive = (
        f"Drive is the sum of the network weights that arrive per millisecond, spread evenly over "
        f"steps of {numbers['dt_ms']:g} ms."
    )
    step = "The step of drive is on during the shaded time"
    if "rate" not in numbers:
        return f"{drive} {step}."
    return f"{drive} {step}, at the dotted line of the f-I curve; ticks above the trace are spikes."


def _gist(model: NeuronModel) -> str:
    # The part after a semicolon is only on the page of the model.
    return model.description.partition(";")[0].rstrip(".") + "."


def _class(model: NeuronModel) -> str:
    # On one line of a narrow column.
    return (
        "exact" if lower(model).reproducible else "step by step".replace(" ", "\N{NO-BREAK SPACE}")
    )


def _parity(model: NeuronModel) -> str:
    inexact = lower(model).inexact
    if not inexact:
        fires = "every spike is" if model.threshold is not None else "all states are"
        return (
            f"Exact: in float64 and with weights on the grid, {fires} the same in the mirror and "
            "on every Brian2 target."
        )
    functions = ", ".join(f"`{name}`" for name in inexact)
    return (
        f"Step by step, because the last bit of {functions} of the state depends on the library "
        "([why](../parity.md)). From the same state, a step gives the "
        "same spikes in the mirror and in Brian2, except within rounding of the threshold."
    )


def _thumbnail(model: NeuronModel, pictures: dict[str, str]) -> str:
    path = pictures.get(model.name)
    return f"![f-I curve of {model.name}]({path})" if path else ""
