"""Brian2's language beyond expressions: equations as they are declared, and error messages."""

from __future__ import annotations

from typing import Any

from brian2.core.base import BrianObjectException
from brian2.equations.equations import EQUATIONS, Equations
from pyparsing import ParseException

from bioae.equations.expressions import parse_expression
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name


def declared_equations(model: NeuronModel) -> Equations:
    """Return the equations of a model's text.

    Raises `ModelError` if one has a construct that Brian2's expressions lack; `Exception`,
    Brian2's, of many kinds, if the text cannot be parsed.
    """
    where = f"{model.name}.toml, equations"
    for each in parsed_equations(model):
        if "expression" in each:
            parse_expression(each["expression"], where=where, random=True)
    return Equations(model.equations)  # which says what is wrong, if nothing could be parsed


def parsed_equations(model: NeuronModel) -> list[Any]:
    """Return the equations of a model as Brian2's grammar reads them; none if it cannot.

    Raises `ModelError` if a name is reserved, or a unit is no expression.
    """
    where = f"{model.name}.toml, equations"
    try:
        parsed = [*EQUATIONS.parse_string(model.equations, parse_all=True)]
    except ParseException:
        return []
    for each in parsed:
        check_name(each["identifier"], where=where)
        parse_expression(each["unit"], where=f"{where}, unit of {each['identifier']}")
    return parsed


def complaint(error: BaseException) -> str:
    """Return the reason of an exception that Brian2 raised on a model's text, in one line."""
    if isinstance(error, BrianObjectException) and error.__cause__ is not None:
        return complaint(error.__cause__)
    if isinstance(error, SyntaxError):
        message = error.msg or "invalid syntax"
        return f"{message}: {error.text.strip()!r}" if error.text else message
    if type(error).__name__ == "SympifyError":
        return "a variable whose name SymPy uses for something else cannot be integrated exactly"
    # `str` of a KeyError would quote Brian2's text.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    first, *rest = text.strip().splitlines() or [type(error).__name__]
    if first.startswith("Parsing failed") and rest:
        return f"this is not an equation such as 'dv/dt = -v/tau : 1': {rest[0].strip()!r}"
    # Brian2 appends a list of all its units, which would hide the reason.
    return " ".join([first, *rest]).partition(" The following base units")[0]
