"""Names in models: those that Brian2, C++, Cython or bioae use for something else."""

from __future__ import annotations

import keyword

from bioae.equations.grammar import BUILT_IN, REFRACTORINESS, RESERVED_PREFIX
from bioae.errors import ModelError

#: Arguments of Brian2's templates in addition to a group's variables, and attributes by which
#: groups are asked for the group that they are part of.
_TEMPLATE_NAMES = """
    codeobj_name eventspace_variable get_array_name owner scalar_code self source sources targets
    variable_indices variables vector_code
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


#: What Brian2 refuses as the end of a variable's name, and what stands for it in programs.
_SUFFIXES = {"_pre": "_presynaptic", "_post": "_postsynaptic"}


def check_name(name: str, *, where: str) -> None:
    """Reject a name that a variable cannot have.

    Raises `ModelError` if Brian2, C++ or bioae uses the name for something else.
    """
    if keyword.iskeyword(name):
        raise ModelError(
            f"the name {name!r} is a keyword of Python", where=where, hint="Choose another name"
        )
    if name in _RESERVED or name.startswith(RESERVED_PREFIX) or _NO_CODE in name:
        raise ModelError(f"the name {name!r} is reserved", where=where, hint="Choose another name")
    from brian2.equations.equations import Equations  # models are described without Brian2

    try:
        Equations.check_identifier(name)
    except (SyntaxError, ValueError) as error:
        raise ModelError(str(error).rstrip("."), where=where, hint="Choose another name") from None


def allowed(name: str) -> str:
    """Return a name that Brian2 allows for a parameter."""
    for suffix, other in _SUFFIXES.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix) + other
    return name
