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


def vectorise_thresholds(thresholders: Mapping[str, CodeRunner]) -> None:
    """Evaluate a group's threshold without a branch per neuron, in C++.

    On CUDA, where thresholds work differently, Brian2's code is left unchanged.
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
    overrides
        Whether it may set variables that neurons keep while they are refractory, unlike
        `run_regularly`.
    options
        `when`, `order` and `name`, as for any Brian2 object.
    """

    def __init__(
        self, group: Group, condition: str, code: str, *, overrides: bool = True, **options: Any
    ) -> None:
        super().__init__(
            group,
            "conditional",
            {"condition": f"_holds = {condition}", "statement": code},
            override_conditional_write=["not_refractory"] if overrides else None,
            **options,
        )


class StopRunner(TemplateRunner):
    """The end of a run after the step in which a condition on shared variables holds.

    Parameters
    ----------
    group
        The group.
    condition
        Brian2 code of its shared variables.
    name
        As for any Brian2 object.
    """

    def __init__(self, group: Group, condition: str, *, name: str) -> None:
        super().__init__(group, "stop", f"_holds = {condition}", when="end", order=30, name=name)


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
    options
        `when`, `order` and `name`, as for any Brian2 object.
    """

    def __init__(self, group: Group, variable: str, condition: str, **options: Any) -> None:
        super().__init__(
            group,
            "spike_counter",
            f"_holds = {condition}",
            needed_variables=[variable],
            template_kwds={"count_variable": group.variables[variable]},
            **options,
        )


class _Recorder(TemplateGroup):
    """A recorder with dynamic arrays."""

    def __init__(
        self,
        source: Group,
        template: str,
        arrays: Mapping[str, Any],
        *,
        recorded: str,
        condition: str = "",
        name: str,
        **options: Any,
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
            source,
            clock=source.clock,
            needed_variables=[*arrays, recorded],
            template_kwds={"recorded_variable": self.variables[recorded]},
            check_units=False,
            **options,
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
    """

    def __init__(self, source: Group, *, name: str) -> None:
        # Code of Cython supports no shorter type.
        short = active_target().endswith("_standalone") and len(source) <= 2**16
        arrays = {"i": np.uint16 if short else np.int32, "count": np.int32}
        super().__init__(
            source, "spike_recorder", arrays,
            recorded="_spikespace", when="after_thresholds", name=name,
        )  # fmt: skip


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
    options
        `when`, `order` and `name`, as for any Brian2 object.
    """

    def __init__(self, source: Group, variable: str, condition: str, **options: Any) -> None:
        arrays = {"values": source.variables[variable].dtype}
        super().__init__(
            source, "value_recorder", arrays, recorded=variable, condition=condition, **options
        )

    @property
    def rows(self) -> NDArray[Any]:
        """The recorded values (row, neuron)."""
        values = np.asarray(self.variables["values"].get_value())
        return values.reshape(-1, len(self.source))
