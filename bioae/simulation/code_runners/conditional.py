"""Code that runs for all neurons of a group, but only in some steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brian2 import Group
from brian2.groups.group import CodeRunner

from bioae.simulation.sharing import code_object_class

__all__ = ["ConditionalRunner"]


class ConditionalRunner(CodeRunner):  # type: ignore[misc]
    """Brian2 code that runs in the steps in which a condition on shared variables holds.

    Unlike an event of the group, it looks at no neuron in all others; unlike `run_regularly`, it
    may set what neurons in their refractory period keep.

    Parameters
    ----------
    group
        The group.
    condition
        Brian2 code of its shared variables.
    code
        Brian2 code of its variables.
    when, order, name
        As of any Brian2 object.
    """

    def __init__(
        self, group: Group, condition: str, code: str, *, when: str, order: int = 0, name: str
    ) -> None:
        super().__init__(
            group,
            "conditional",
            code={"condition": f"_holds = {condition}", "statement": code},
            clock=group.clock,
            when=when,
            order=order,
            name=name,
            check_units=False,
            override_conditional_write=["not_refractory"],
        )
        self._chosen = group.codeobj_class
        group.contained_objects.append(self)

    def create_default_code_object(self, run_namespace: Mapping[str, Any]) -> Any:
        """Make the code object for whatever target is active by then."""
        self.codeobj_class = code_object_class(__package__, self._chosen)
        return super().create_default_code_object(run_namespace)
