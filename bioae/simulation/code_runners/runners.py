"""Conditional code, spike counts, compact recorders, and vectorised thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import CodeRunner, Group
from brian2.utils.stringtools import get_identifiers
from numpy.typing import NDArray

from bioae.simulation.brian2_internals.groups import TemplateGroup, TemplateRunner, use_template
from bioae.simulation.brian2_internals.standalone import active_target

__all__ = [
    "ConditionalRunner",
    "SpikeCounter",
    "SpikeRecorder",
    "ValueRecorder",
    "vectorise_thresholds",
]


def vectorise_thresholds(thresholders: Mapping[str, CodeRunner]) -> None:
    """Let a group find its spikes without a branch per neuron, in C++.

    On CUDA, where thresholds work differently, they stay as Brian2 makes them.
    """
    for thresholder in thresholders.values():
        use_template(thresholder, __package__, "vectorised_threshold")


class ConditionalRunner(TemplateRunner):
    """Brian2 code that runs in the steps in which a condition on shared variables holds.

    In all other steps it reads no neuron, unlike an event of the group.

    Parameters
    ----------
    group
        The group.
    condition
        Brian2 code of its shared variables.
    code
        Brian2 code of its variables.
    when, order, name
        As for any Brian2 object.
    overrides
        Whether it may set variables that neurons keep while they are refractory, unlike
        `run_regularly`.
    """

    _template_package = __package__

    def __init__(
        self,
        group: Group,
        condition: str,
        code: str,
        *,
        when: str,
        order: int = 0,
        name: str,
        overrides: bool = True,
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
            override_conditional_write=["not_refractory"] if overrides else None,
        )
        self._chosen_class = group.codeobj_class
        group.contained_objects.append(self)


class SpikeCounter(TemplateRunner):
    """Number of a group's spikes, in steps in which a condition holds; in all others it is 0.

    Parameters
    ----------
    group
        The group.
    variable
        The shared variable of the group that is set to the number.
    condition
        Brian2 code of its shared variables.
    when, order, name
        As for any Brian2 object.
    """

    _template_package = __package__

    def __init__(
        self, group: Group, variable: str, condition: str, *, when: str, order: int = 0, name: str
    ) -> None:
        super().__init__(
            group,
            "spike_counter",
            code=f"_holds = {condition}",
            clock=group.clock,
            when=when,
            order=order,
            name=name,
            check_units=False,
            needed_variables=[variable],
            template_kwds={"count_variable": group.variables[variable]},
        )
        self._chosen_class = group.codeobj_class
        group.contained_objects.append(self)


class _Recorder(TemplateGroup):
    """A recorder with dynamic arrays."""

    _template_package = __package__

    def __init__(
        self,
        source: Group,
        template: str,
        arrays: Mapping[str, Any],
        *,
        recorded: str,
        condition: str = "",
        when: str,
        order: int = 0,
        name: str,
    ) -> None:
        super().__init__(name)
        self.source = source
        for array, dtype in arrays.items():
            self.variables.add_dynamic_array(array, size=0, dtype=dtype, read_only=True)
        self.variables.add_references(source, {recorded, *get_identifiers(condition)})
        self.variables.add_constant("N", len(source))
        self._run_template(
            template,
            f"_holds = {condition}" if condition else "",
            clock=source.clock,
            when=when,
            order=order,
            dependencies=[source],
            needed_variables=[*arrays, recorded],
            options={"recorded_variable": self.variables[recorded]},
            check_units=False,
        )

    def append(self, array: str, values: NDArray[Any]) -> None:
        """Append values to an array: called by the templates of NumPy and Cython."""
        variable = self.variables[array]
        length = len(variable.get_value())
        variable.resize(length + len(values))
        variable.get_value()[length:] = values


class SpikeRecorder(_Recorder):
    """Spikes of a group: their neurons ``i`` (spike), and their number per step ``count`` (step).

    A `brian2.SpikeMonitor` takes 12 bytes per spike, and 8 more for each further variable. In a
    C++ or CUDA program this recorder takes 2, or 4 for a group of more than 65,536 neurons.

    Parameters
    ----------
    source
        The group.
    name
        As for any Brian2 object.
    """

    def __init__(self, source: Group, *, name: str) -> None:
        # Code of Cython supports no shorter type.
        short = active_target().endswith("_standalone") and len(source) <= 2**16
        super().__init__(
            source,
            "spike_recorder",
            {"i": np.uint16 if short else np.int32, "count": np.int32},
            recorded="_spikespace",
            when="after_thresholds",
            name=name,
        )


class ValueRecorder(_Recorder):
    """Values of a variable of all neurons, a row for each step in which a condition holds.

    Parameters
    ----------
    source
        The group.
    variable
        The variable.
    condition
        Brian2 code of the group's shared variables.
    when, order, name
        As for any Brian2 object.
    """

    def __init__(
        self, source: Group, variable: str, condition: str, *, when: str, order: int = 0, name: str
    ) -> None:
        super().__init__(
            source,
            "value_recorder",
            {"values": source.variables[variable].dtype},
            recorded=variable,
            condition=condition,
            when=when,
            order=order,
            name=name,
        )

    @property
    def rows(self) -> NDArray[Any]:
        """The recorded values (row, neuron)."""
        values = np.asarray(self.variables["values"].get_value())
        return values.reshape(-1, len(self.source))
