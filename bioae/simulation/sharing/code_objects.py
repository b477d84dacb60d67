"""Brian2's code objects, with the templates of this package beside their own."""

from __future__ import annotations

from functools import cache
from typing import Any

from brian2.devices.device import get_device

__all__ = ["code_object_class"]


def code_object_class(chosen: Any = None) -> Any:
    """Return the active target's class of code objects, its templater derived.

    Parameters
    ----------
    chosen
        A class of code objects to use instead of the target's.
    """
    return _derived(get_device().code_object_class(chosen))


@cache
def _derived(base: Any) -> Any:
    # A subclass: templates that Brian2 itself looks up stay what they are.
    templater = base.templater.derive(__name__.rpartition(".")[0])
    return type(f"Sharing{base.__name__}", (base,), {"templater": templater})
