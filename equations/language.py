"""Brian2's language beyond expressions: predefined and reserved names, and error messages."""

from __future__ import annotations

import keyword
from graphlib import CycleError, TopologicalSorter
from typing import Any

from brian2.core.base import BrianObjectException
from brian2.equations.equations import (
    EQUATIONS,
    SUBEXPRESSION,
    Equations,
)
from pyparsing import ParseException

from bioae.equations.expressions import parse_expression, sized_expression
from bioae.equations.limits import LONGEST_NAME, MOST_EQUATIONS, Size
from bioae.equations.model import BUILT_IN, RESERVED_PREFIX, NeuronModel
from bioae.errors import ModelError

__all__ = [
    "REFRACTORINESS",
    "check_name",
    "complaint",
    "declared_equations",
    "parsed_equations",
]

#: The variables that Brian2 gives a model with a refractory period.
REFRACTORINESS = frozenset({"lastspike", "not_refractory"})

#: Arguments of Brian2's templates in addition to a group's variables, and attributes by which
#: groups are asked for the group that they are part of.
_TEMPLATE_NAMES = """
    codeobj_name eventspace_variable get_array_name owner scalar_code self source variable_indices
    variables vector_code
    """

#: The keywords of C++17 (ISO/IEC 14882:2017, 5.11 and 5.5) that Python does not have.
_CPP_KEYWORDS = """
    alignas alignof and_eq asm auto bitand bitor bool case catch char char16_t char32_t compl const
    const_cast constexpr decltype default delete do double dynamic_cast enum explicit export extern
    false float friend goto inline int long mutable namespace new noexcept not_eq nullptr operator
    or_eq private protected public register reinterpret_cast short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true typedef typeid
    typename union unsigned using virtual void volatile wchar_t xor xor_eq
    """

#: The keywords of Cython (``pyx_reserved_words`` of its scanner) that Python does not have.
_CYTHON_KEYWORDS = frozenset(
    {"include", "ctypedef", "cdef", "cpdef", "cimport", "DEF", "IF", "ELIF", "ELSE"}
)

#: Functions and types that Brian2's Cython code uses after it declares variables.
_CYTHON_USES = frozenset(
    {"len", "range", *(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)

#: Macros that Brian2's C++ reads; others are undefined where a variable has their name.
_MACROS = frozenset({"INFINITY", "NAN", "M_PI", "M_E", "NULL"})

#: Brian2 does not run code in which this text occurs, wherever it does.
_NO_CODE = "EMPTY_CODE_BLOCK"

#: Names that a model may not declare, though Brian2's own check accepts them.
_RESERVED = (
    BUILT_IN
    | REFRACTORINESS
    | _MACROS
    | _CYTHON_KEYWORDS
    | _CYTHON_USES
    | {"settle", *_TEMPLATE_NAMES.split(), *_CPP_KEYWORDS.split()}
)


def check_name(name: str, *, where: str) -> None:
    """Refuse a name that a variable cannot have.

    Raises
    ------
    ModelError
        If Brian2, C++ or bioae uses the name for something else, or it is too long.
    """
    if len(name) > LONGEST_NAME:
        raise ModelError(
            f"the name {name[:20]}... is too long",
            where=where,
            expected=f"at most {LONGEST_NAME} characters",
        )
    if keyword.iskeyword(name):
        raise ModelError(
            f"the name {name!r} is a keyword of Python", where=where, hint="Choose another name"
        )
    if name in _RESERVED or name.startswith(RESERVED_PREFIX) or _NO_CODE in name:
        raise ModelError(f"the name {name!r} is reserved", where=where, hint="Choose another name")
    try:
        Equations.check_identifier(name)
    except (SyntaxError, ValueError) as error:
        raise ModelError(str(error).rstrip("."), where=where, hint="Choose another name") from None


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
            "there are too many equations",
            where=where,
            expected=f"at most {MOST_EQUATIONS}",
            found=str(len(parsed)),
        )
    for each in parsed:
        check_name(each["identifier"], where=where)
        parse_expression(each["unit"], where=f"{where}, unit of {each['identifier']}")
    return parsed


def _check_sizes(texts: dict[str, str], subexpressions: set[str], where: str) -> None:
    """Measure equations with all subexpressions put in."""
    needed = {
        name: parse_expression(text, where=where, random=True).names & subexpressions
        for name, text in texts.items()
    }
    sizes: dict[str, Size] = {}
    try:
        order = [*TopologicalSorter(needed).static_order()]
    except CycleError:
        return  # Brian2 names the circle
    for name in order:
        _, size = sized_expression(texts[name], where=where, random=True, sizes=sizes)
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
