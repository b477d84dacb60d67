"""Synapses of all pairs of two groups whose weights change by a learning rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup
from numpy.typing import NDArray

from bioae.arithmetic.brian import brian2_arithmetic
from bioae.arithmetic.rendering import rendered_statement
from bioae.equations.synapses.program import Rule, SideName, named
from bioae.networks.schedule import Timing
from bioae.simulation.brian2_internals.groups import TemplateGroup
from bioae.simulation.objects.presentation_clock import PRESENTATION, STEP

__all__ = ["PlasticSynapses"]

#: The presentations of a run that learn; the others are padding.
_LEARNED = "_learned"


class PlasticSynapses(TemplateGroup):
    """Synapses that deliver spikes, then learn from them.

    Parameters
    ----------
    rule
        The lowered learning rule.
    source, target
        The groups.
    weights
        The weights as a run starts (target, source), multiples of 2**-24.
    traces
        The traces of either side, by side.
    variable, negative
        The target's variable to which weights are added, and the one to which the magnitudes of
        negative weights are added instead, if there is one.
    delivers
        A condition for spikes that arrive, of the target's shared variables (``x_post``).
    timing
        The times of presentations in the run.
    recurrent
        Whether the target is the source.
    autapses
        Whether a neuron projects to itself.
    weight
        The name of the variable of weights (source, target).
    clock, name
        As for any Brian2 object.
    """

    add_to_magic_network = True
    _template_package = __package__

    def __init__(
        self,
        rule: Rule,
        source: NeuronGroup,
        target: NeuronGroup,
        weights: NDArray[np.float64],
        traces: Mapping[SideName, NeuronGroup],
        *,
        variable: str,
        negative: str | None,
        delivers: str,
        timing: Timing,
        recurrent: bool,
        autapses: bool,
        weight: str,
        clock: Clock,
        name: str,
    ) -> None:
        super().__init__(name)
        self.rule, self.source, self.target, self.traces = rule, source, target, dict(traces)
        self.namespace = dict(brian2_arithmetic())
        self._weight = weight
        self._add_variables(weights, variable, negative)
        blocks = {"on_pre": rule.on_pre, "on_post": rule.on_post}
        if self.variables[weight].dtype == np.float64:  # numbers of 32 bits have no finer grid
            blocks = {key: rule.on_grid(statements) for key, statements in blocks.items()}
        code = {"when": "\n".join(_conditions(delivers, timing, recurrent=recurrent))}
        for key, statements in blocks.items():
            code[key] = "\n".join(str(rendered_statement(each, ())) for each in statements)
        used = {key: rule.read(statements) for key, statements in blocks.items()}
        self._run_template(
            "plastic_synapses",
            code,
            clock=clock,
            when="synapses",
            order=-1,
            dependencies=[source, target, *traces.values()],
            needed_variables=[
                weight,
                "_spikespace",
                "_spikes_post",
                "_target",
                *(["_negative"] if negative else []),
                *(_array(each) for names in used.values() for each in self._read(names)),
            ],
            options={
                "weight_variable": self.variables[weight],
                "separate": negative is not None,
                "no_autapses": recurrent and not autapses,
                "blocks": {
                    key: {
                        "pre": self._arrays(used[key], "pre"),
                        "post": self._arrays(used[key], "post"),
                        "result": statements[-1].target,
                    }
                    for key, statements in blocks.items()
                    if statements
                },
                "weight": rule.weight,
                "targets": len(target),
            },
            check_units=False,
        )

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights (target, source)."""
        values = np.asarray(self.variables[self._weight].get_value(), np.float64)
        return values.reshape(len(self.source), len(self.target)).T.copy()

    def start_arrays(self, weights: NDArray[np.float64], learned: int) -> dict[str, NDArray[Any]]:
        """Return the values of a run's start, by the names of their variables.

        Parameters
        ----------
        weights
            The weights (target, source).
        learned
            How many presentations learn; those that follow are padding.
        """
        dtype = self.variables[self._weight].dtype
        return {
            self._weight: np.ascontiguousarray(weights.T, dtype).ravel(),
            _LEARNED: np.array([learned], np.int32),
        }

    def _add_variables(
        self, weights: NDArray[np.float64], variable: str, negative: str | None
    ) -> None:
        add, target = self.variables, self.target
        add.add_reference("_spikespace", self.source)
        add.add_reference("_spikes_post", target, "_spikespace")
        add.add_reference("_target", target, variable)
        if negative is not None:
            add.add_reference("_negative", target, negative)
        dtype = target.variables[variable].dtype
        add.add_constant("N", weights.size)
        add.add_constant("_sources", len(self.source))
        add.add_array(
            self._weight, size=weights.size, values=weights.T.astype(dtype).ravel(), dtype=dtype
        )
        add.add_array(_LEARNED, size=1, values=2**31 - 1, dtype=np.int32, scalar=True)
        add.add_auxiliary_variable(self.rule.weight, dtype=dtype)
        for name in (STEP, PRESENTATION):
            add.add_reference(f"{name}_post", target, name)
        for side, group in self.traces.items():
            for name in self.rule.traces[side].states:
                add.add_reference(_array(named(side, name)), group, name)
                add.add_auxiliary_variable(named(side, name), dtype=dtype)
        for name, value in self.rule.parameters.items():
            add.add_array(
                named("parameter", name), size=1, values=value, dtype=dtype, scalar=True,
                constant=True,
            )  # fmt: skip

    def _read(self, names: frozenset[str]) -> list[str]:
        every = [named(s, n) for s, each in self.rule.traces.items() for n in each.states]
        return [name for name in every if name in names]

    def _arrays(self, names: frozenset[str], side: SideName) -> dict[str, Any]:
        """Return the arrays of the traces of a side that a block reads, by their names in it."""
        if side not in self.rule.traces:
            return {}
        every = [named(side, name) for name in self.rule.traces[side].states]
        return {name: self.variables[_array(name)] for name in every if name in names}


def _conditions(delivers: str, timing: Timing, *, recurrent: bool) -> list[str]:
    """Return statements of when spikes are delivered, and when either side's spikes teach.

    Both layers are then in their windows of the same presentation, see `docs/timing.md`.
    """
    own = 1 - timing.schedule.lead_in
    first = own if recurrent else -timing.schedule.lead_in
    last = timing.steps - (1 if recurrent else 2)
    inside = f"{PRESENTATION}_post >= 0 and {PRESENTATION}_post < {_LEARNED}"
    return [
        f"_delivers = {delivers or 'True'}",
        f"_learns_pre = {inside} and {STEP}_post >= {first} and {STEP}_post <= {last}",
        f"_learns_post = {inside} and {STEP}_post >= {own} and {STEP}_post <= {last}",
    ]


def _array(trace: str) -> str:
    return f"_array_{trace}"
