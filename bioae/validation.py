"""Pydantic's complaints, said in one line: which key, what was expected, what was found."""

from __future__ import annotations

from typing import TypedDict

from pydantic import BaseModel, ValidationError

__all__ = ["Complaint", "describe"]


class Complaint(TypedDict, total=False):
    """The parts of an error line that a failed validation knows."""

    what: str
    expected: str
    found: str


def describe(error: ValidationError, model: type[BaseModel] | None = None) -> Complaint:
    """Describe the first failure of a validation.

    Parameters
    ----------
    error
        What pydantic raised.
    model
        The class that was validated; its keys are listed when an unknown one was given.
    """
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    found = repr(first["input"])
    found = found if len(found) <= 80 else f"{found[:77]}..."
    match first["type"]:
        case "missing":
            return {"what": f"the key {key!r} is missing"}
        case "extra_forbidden":
            complaint: Complaint = {"what": f"unknown key {key!r}"}
            if model is not None and len(first["loc"]) == 1:
                complaint["expected"] = f"one of {', '.join(model.model_fields)}"
            return complaint
        case "value_error":
            reason = str(first["ctx"]["error"])
            return {"what": f"{key}: {reason}" if key else reason}
        case _:
            expected = first["msg"].removeprefix("Input should be ")
            return {
                "what": f"{key or 'the value'} does not fit",
                "expected": expected,
                "found": found,
            }
