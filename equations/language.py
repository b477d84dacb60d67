"""Brian2's language beyond expressions: equations as they are declared, and error messages."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from brian2.core.base import BrianObjectException
from brian2.equations.equations import (
    EQUATIONS,
    SUBEXPRESSION,
    Equations,
)
from pyparsing import ParseException

from bioae.equations.expressions import checked_size, parse_expression
from bioae.equations.limits import MOST_EQUATIONS, Size
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name
from bioae.errors import ModelError


def declared_equations(model: NeuronModel) -> Equations:
    """Return the equations of a model's text.

    Raises
    ------
    ModelError
        If one is beyond a limit (`bioae.equations.limits`): Brian2 evaluates some of their text.
    Exception
        Brian2's, of many kinds, if the text cannot be parsed.
    """
    where = f"{model.name}.toml, equations"
    parsed = parsed_equations(model)
    texts = {each["identifier"]: each["expression"] for each in parsed if "expression" in each}
    _check_sizes(texts, {e["identifier"] for e in parsed if e.get_name() == SUBEXPRESSION}, where)
    return Equations(model.equations)  # which says what is wrong, if nothing could be parsed


def parsed_equations(model: NeuronModel) -> list[Any]:
    """Return the equations of a model as Brian2's grammar reads them; none if it cannot.

    Raises
    ------
    ModelError
        If a name is reserved, a unit is no expression, or there are too many.
    """
    where = f"{model.name}.toml, equations"
    try:
        parsed = [*EQUATIONS.parse_string(model.equations, parse_all=True)]
    except ParseException:
        return []
    if len(parsed) > MOST_EQUATIONS:
        raise ModelError(
            "there are too many equations", where=where, expected=f"at most {MOST_EQUATIONS}",
            found=str(len(parsed)),
        )  # fmt: skip
    for each in parsed:
        check_name(each["identifier"], where=where)
        parse_expression(each["unit"], where=f"{where}, unit of {each['identifier']}")
    return parsed


def _check_sizes(texts: dict[str, str], subexpressions: set[str], where: str) -> None:
    """Measure equations with all subexpressions substituted."""
    parsed = {
        name: parse_expression(text, where=where, random=True) for name, text in texts.items()
    }
    needed = {name: each.names & subexpressions for name, each in parsed.items()}
    sizes: dict[str, Size] = {}
    try:
        order = [*TopologicalSorter(needed).static_order()]
    except CycleError:
        return  # Brian2 names the circle
    for name in order:
        size = checked_size(parsed[name].tree, where=where, random=True, sizes=sizes)
        if name in subexpressions:
            # Brian2 keeps the name where it evaluates no constants.
            sizes[name] = size._replace(value=None)


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
