"""Names that variables of a model may not have, though Brian2's own check lets them pass."""

from __future__ import annotations

__all__ = ["CPP_KEYWORDS", "TEMPLATE_NAMES"]

#: What Brian2's templates are called with beside a group's variables, and where groups are asked
#: for what they are part of.
TEMPLATE_NAMES = frozenset(
    {
        "codeobj_name",
        "eventspace_variable",
        "get_array_name",
        "owner",
        "scalar_code",
        "self",
        "source",
        "variable_indices",
        "variables",
        "vector_code",
    }
)

_CPP17 = """
    alignas alignof and_eq asm auto bitand bitor bool case catch char char16_t char32_t compl const
    const_cast constexpr decltype default delete do double dynamic_cast enum explicit export extern
    false float friend goto inline int long mutable namespace new noexcept not_eq nullptr operator
    or_eq private protected public register reinterpret_cast short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true typedef typeid
    typename union unsigned using virtual void volatile wchar_t xor xor_eq
    """

#: The keywords of C++17 (ISO/IEC 14882:2017, 5.11 and 5.5) that Python does not have.
CPP_KEYWORDS = frozenset(_CPP17.split())
