"""Recorders that keep no more than is asked for: a neuron's number a spike, values row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import Group
from brian2.core.names import Nameable
from brian2.core.variables import Variables
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import get_device
from brian2.groups.group import CodeRunner
from brian2.utils.stringtools import get_identifiers
from numpy.typing import NDArray

from bioae.simulation.sharing import code_object_class

__all__ = ["SpikeRecorder", "ValueRecorder"]


class _Recorder(Group, CodeRunner):  # type: ignore[misc]
    """What both have in common: arrays that grow, by name and type."""

    def __init__(
        self,
        source: Group,
        template: str,
        arrays: Mapping[str, Any],
        *,
        condition: str = "",
        when: str,
        order: int = 0,
        name: str,
        needed: str,
    ) -> None:
        Nameable.__init__(self, name=name)
        self.source = source
        self.codeobj_class = None
        self.variables = Variables(self)
        for array, dtype in arrays.items():
            self.variables.add_dynamic_array(array, size=0, dtype=dtype, read_only=True)
        self.variables.add_references(source, {needed, *get_identifiers(condition)})
        self.variables.add_constant("N", len(source))
        CodeRunner.__init__(
            self,
            group=self,
            template=template,
            code=f"_holds = {condition}" if condition else "",
            clock=source.clock,
            when=when,
            order=order,
            name=None,  # it has one
            check_units=False,
            needed_variables=[*arrays, needed],
            template_kwds={"recorded_variable": self.variables[needed]},
        )
        self.add_dependency(source)
        self._enable_group_attributes()

    def create_default_code_object(self, run_namespace: Mapping[str, Any]) -> Any:
        """Make the code object for whatever target is active by then."""
        self.codeobj_class = code_object_class(__package__)
        return super().create_default_code_object(run_namespace)

    def append(self, array: str, values: NDArray[Any]) -> None:
        """Put values at the end of an array: what targets other than C++ call."""
        variable = self.variables[array]
        length = len(variable.get_value())
        variable.resize(length + len(values))
        variable.get_value()[length:] = values


class SpikeRecorder(_Recorder):
    """Which neurons of a group spiked: ``i`` (spike), and how many in each step: ``count`` (step).

    A `brian2.SpikeMonitor` keeps 12 bytes a spike, and 8 more for each variable asked for; this
    one 2 in a compiled program, or 4 where the group has more than 65,536 neurons.

    Parameters
    ----------
    source
        The group.
    name
        As of any Brian2 object.
    """

    def __init__(self, source: Group, *, name: str) -> None:
        super().__init__(
            source,
            "spike_recorder",
            {"i": _index_type(len(source)), "count": np.int32},
            when="after_thresholds",
            name=name,
            needed="_spikespace",
        )


def _index_type(neurons: int) -> type[np.integer[Any]]:
    # Cython's code knows no shorter type.
    short = isinstance(get_device(), CPPStandaloneDevice) and neurons <= 2**16
    return np.uint16 if short else np.int32


class ValueRecorder(_Recorder):
    """A variable of all neurons, one row after another, in the steps in which a condition holds.

    Parameters
    ----------
    source
        The group.
    variable
        The variable.
    condition
        Brian2 code of the group's shared variables.
    when, order, name
        As of any Brian2 object.
    """

    def __init__(
        self, source: Group, variable: str, condition: str, *, when: str, order: int = 0, name: str
    ) -> None:
        super().__init__(
            source,
            "value_recorder",
            {"values": source.variables[variable].dtype},
            condition=condition,
            when=when,
            order=order,
            name=name,
            needed=variable,
        )

    @property
    def rows(self) -> NDArray[Any]:
        """What was recorded (row, neuron)."""
        values = np.asarray(self.variables["values"].get_value())
        return values.reshape(-1, len(self.source))
