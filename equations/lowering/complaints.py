"""What Brian2 objects to, said in one line that speaks of the model and not of Brian2's insides."""

from __future__ import annotations

from brian2.core.base import BrianObjectException

__all__ = ["complaint"]


def complaint(error: BaseException) -> str:
    """Return the reason of an exception that Brian2 raised on a model's text."""
    if isinstance(error, BrianObjectException) and error.__cause__ is not None:
        return complaint(error.__cause__)
    if isinstance(error, SyntaxError):
        what = error.msg or "invalid syntax"
        return f"{what}: {error.text.strip()!r}" if error.text else what
    if type(error).__name__ == "SympifyError":
        return "a variable whose name SymPy has for something else cannot be integrated exactly"
    # Brian2's own text, where `str` of a KeyError would quote it.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    first, *rest = text.strip().splitlines() or [type(error).__name__]
    if first.startswith("Parsing failed") and rest:
        return f"this is not an equation such as 'dv/dt = -v/tau : 1': {rest[0].strip()!r}"
    # A list of every unit that there is helps nobody.
    return " ".join([first, *rest]).partition(" The following base units")[0]
