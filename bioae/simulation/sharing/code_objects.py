"""Brian2's code objects, with the templates of a package beside their own."""

from __future__ import annotations

from functools import cache
from typing import Any

from brian2.devices.device import get_device

__all__ = ["code_object_class"]


def code_object_class(package: str, chosen: Any = None) -> Any:
    """Return the active target's class of code objects, its templater derived.

    Parameters
    ----------
    package
        The package in whose folder `templates` the templates are.
    chosen
        A class of code objects to use instead of the target's.
    """
    return _derived(get_device().code_object_class(chosen), package)


@cache
def _derived(base: Any, package: str) -> Any:
    # A subclass: templates that Brian2 itself looks up stay what they are.
    templater = base.templater.derive(package)
    return type(f"Derived{base.__name__}", (base,), {"templater": templater})
