"""Synapses of two groups that share weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import Clock, Group, Quantity, SpikeSource, second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch
from brian2.utils.stringtools import get_identifiers
from numpy.typing import ArrayLike, NDArray

from bioae.simulation.brian2_internals.groups import TemplateGroup, is_shared_variable
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.sharing.layouts import Layout


class SharedSynapses(TemplateGroup):
    """Connections of two groups that share weights.

    In the slot and order of `brian2.Synapses`, each spike of the source adds its weights to a
    variable of the target. If neurons keep that variable while they are refractory (``unless
    refractory``), weights that arrive then are lost, as with `brian2.Synapses`. The weights that
    arrive in a step are summed before they are added: the same number wherever sums are exact.
    In C++ those of a sparse layout are added one by one.

    The weights are a variable (weight), in the order of the flattened array. New values, set
    between two runs or by the arguments of a standalone run, take effect when the next run starts.

    Parameters
    ----------
    source, target
        The groups, or subgroups.
    layout
        The connections, and the weight of each.
    weights
        An array of the layout's shape, in the unit of the variable.
    variable
        The target's variable to which weights are added.
    negative
        The target's variable to which the magnitudes of negative weights are added instead.
    delay
        The delay of all spikes.
    condition
        A condition that has to hold when a spike arrives, or the spike is ignored: Brian2 code of
        the source's variables (``v_pre``), its index ``i``, shared variables of the target
        (``x_post``), and ``t``.
    factor
        A factor of all weights of a spike, in the same terms.
    namespace
        Names in the condition and the factor.
    weight
        The name of the variable of weights.
    name
        As for any Brian2 object.

    Raises
    ------
    ValueError
        If the layout does not fit the groups or the weights, or the delay is negative.
    DimensionMismatchError
        If the delay is not a time.
    """

    add_to_magic_network = True

    def __init__(
        self,
        source: SpikeSource,
        target: Group,
        layout: Layout,
        weights: ArrayLike,
        *,
        variable: str,
        negative: str | None = None,
        delay: Quantity = 0 * second,
        condition: str | None = None,
        factor: str | None = None,
        namespace: Mapping[str, Any] | None = None,
        weight: str = "w",
        name: str = "sharedsynapses*",
    ) -> None:
        super().__init__(name)
        clock = source.clock
        self.source, self.target, self.layout = source, target, layout
        self.namespace = dict(namespace or {})
        _check_sizes(layout, source, target, np.shape(weights))
        steps = _steps(delay, clock)
        parts = {"_counts": condition, "_factor": factor}
        code = {name: text for name, text in parts.items() if text is not None}
        used = {name for text in code.values() for name in get_identifiers(text)}
        if weight in used:
            raise ValueError(f"{self.name}: the weight {weight!r} cannot be used in {code}")
        self._add_ends(variable, negative, steps)
        self._add_weights(weight, np.ravel(weights), variable)
        self._add_layout(negative is not None)
        self._add_names(clock)
        needed = [weight, "_spikespace"]
        needed += ["_negative"] if negative else []
        needed += ["_negative_sums"] if negative and not _compiled_ahead() else []
        needed += ["_delay", "_history", "_history_count", "_now"] if steps else []
        self._run_template(
            "shared_synapses",
            "\n".join(f"{name} = {text}" for name, text in code.items()),
            source,
            target,
            clock=clock,
            when="synapses",
            order=-1,
            needed_variables=needed,
            template_kwds={
                "eventspace_variable": source.variables["_spikespace"],
                "weight_variable": self.variables[weight],
                "conditional": condition is not None,
                "graded": factor is not None,
                "separate": negative is not None,
                "delayed": steps > 0,
                "whole": layout.whole,
                # A few synapses per step: neither sums nor a pass over all targets.
                "direct": layout.single
                and not any(
                    self.variables[name].conditional_write
                    for name in ("_target", "_negative")
                    if name in self.variables
                ),
                "in_place": layout.in_place,
                "turned": layout.turned,
                "in_order": layout.in_order,
                "single": layout.single,
                "unit": layout.unit,
                "short": 1 < layout.unit < 8,
                "at_once": layout.whole and factor is None and negative is None,
                "rows": layout.order.size,
                "targets": layout.targets,
            },
        )

    @property
    def carried(self) -> tuple[str, ...]:
        """The variables with the spikes that are under way."""
        return tuple(n for n in ("_history", "_history_count", "_now") if n in self.variables)

    #: The first weight; Brian2 asks for the range of an array that is an argument.
    start = 0

    @property
    def stop(self) -> int:
        """The number of weights."""
        return int(self.variables["N"].get_value())

    def _add_ends(self, variable: str, negative: str | None, steps: int) -> None:
        source, add = self.source, self.variables
        add.add_reference("_spikespace", source)
        add.add_reference("_target", self.target, variable)
        if negative is not None:
            add.add_reference("_negative", self.target, negative)
        add.add_constant("_source_start", int(getattr(source, "start", 0)))
        add.add_constant("_source_stop", int(getattr(source, "stop", len(source))))
        add.add_constant("_source_all", int(getattr(source, "_source_N", len(source))))
        add.add_constant("_target_start", int(getattr(self.target, "start", 0)))
        if steps:
            # The spikes of the last steps, as many as the delay.
            add.add_constant("_delay", steps)
            size = steps * self.layout.sources
            add.add_array("_history", size=size, dtype=np.int32)
            add.add_array("_history_count", size=steps, dtype=np.int32)
            add.add_array("_now", size=1, dtype=np.int32, scalar=True)

    def _add_weights(self, weight: str, values: NDArray[Any], variable: str) -> None:
        target, size = self.target.variables[variable], values.size
        self.variables.add_constant("N", size)
        self.variables.add_array(
            weight, size=size, values=values.astype(target.dtype),
            dimensions=target.dim, dtype=target.dtype, constant=True,
        )  # fmt: skip

    def _add_layout(self, separate: bool) -> None:
        add, layout = self.variables, self.layout
        implied = {"start", "length"} if layout.single else set()
        implied |= {"order"} if layout.in_order else set()
        for name in ("order", "channel_start", "first", "to", "start", "length", "place"):
            values = getattr(layout, name).ravel()
            if name in implied and _compiled_ahead():
                values = values[:1]  # templates need the name
            add.add_array(
                f"_{name}", size=values.size, values=values, dtype=np.int32,
                constant=True, read_only=True,
            )  # fmt: skip
        add.add_constant("_positions", layout.positions)
        add.add_constant("_row", layout.order.shape[1])
        add.add_constant("_targets", layout.targets)
        dtype = add["_target"].dtype
        if not _compiled_ahead():
            add.add_array("_rows", size=layout.order.size, dtype=dtype, read_only=True)
            for name in ("_sums", "_negative_sums") if separate else ("_sums",):
                add.add_array(name, size=layout.targets, dtype=dtype, read_only=True)
        add.add_array("_packed", size=1, dtype=np.int32, scalar=True, read_only=True)

    def _add_names(self, clock: Clock) -> None:
        """Add the names of conditions and factors; ``i`` counts from the start of the subgroup."""
        add = self.variables
        add.create_clock_variables(clock)
        start, stop = (add[name].get_value() for name in ("_source_start", "_source_stop"))
        add.add_arange("i", size=int(stop), start=-int(start))
        for group, suffix in ((self.source, "_pre"), (self.target, "_post")):
            for name, variable in group.variables.items():
                usable = suffix == "_pre" or is_shared_variable(variable)
                if not name.startswith("_") and usable:
                    add.add_reference(f"{name}{suffix}", group, name)


def _compiled_ahead() -> bool:
    """Return whether the code is part of a C++ program, where buffers are local variables."""
    return active_target() == "cpp_standalone"


def _check_sizes(layout: Layout, source: Any, target: Any, shape: tuple[int, ...]) -> None:
    for size, expected, subject in (
        (len(source), layout.sources, f"neurons of {source.name}"),
        (len(target), layout.targets, f"neurons of {target.name}"),
        (shape, layout.shape, "the weights' shape"),
    ):
        if size != expected:
            raise ValueError(f"{subject}: expected {expected} for this layout, found {size}")


def _steps(delay: Any, clock: Clock) -> int:
    fail_for_dimension_mismatch(delay, second, "a delay is a time")
    if np.size(delay) != 1 or not float(delay) >= 0:
        raise ValueError(f"a delay must be a single time that is not negative; found {delay}")
    return int(np.rint(float(delay) / float(clock.dt)))
