"""Synapses of all pairs of two groups whose weights change by a learning rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import NeuronGroup
from numpy.typing import NDArray

from bioae.arithmetic import brian2_arithmetic
from bioae.equations.expressions import Statement
from bioae.equations.program import INHIBITION, input_to
from bioae.equations.synapses.model import CONNECTED, TARGET, WEIGHT
from bioae.equations.synapses.numbers import rule_numbers, rule_start
from bioae.equations.synapses.program import EVERY, SIDES, TIME, Block, Rule, SideName, named
from bioae.noise import pathway_number
from bioae.noise.brian import brian2_functions
from bioae.simulation.brian2_internals.groups import TemplateGroup
from bioae.simulation.objects.pathways import WEIGHT as VARIABLE
from bioae.simulation.objects.pathways import Pathway
from bioae.simulation.objects.presentation_clock import (
    EXAMPLE,
    LEARNED,
    OFFSET,
    PRESENTATION,
    SEED,
    STEP,
)
from bioae.simulation.objects.rule_code import SYNAPSE, code_of, conditions
from bioae.simulation.objects.traces import Traces

#: The variable that is 1 for connections that exist, and 0 for others. Its numbers are those of
#: weights, for compilers to vectorise the choice between two of them.
_CONNECTED = "_connected"

#: Targets of the network's task: those of the step (target), and all (presentation, step, target).
_TARGET = f"_array_{named('neuron', TARGET)}"
_TARGETS = "_all_targets"

_COPIES = (Path(__file__).with_name("templates") / "weight_copies.h").read_text(encoding="utf-8")


class PlasticSynapses(TemplateGroup):
    """Synapses that deliver spikes, then learn from them.

    During a run, nothing but the rule may change their weights: C++ keeps copies of them.

    Parameters
    ----------
    pathway
        The connections: all pairs of two groups, in the shape of the weights.
    rule
        The lowered learning rule.
    source, target
        The groups.
    traces
        The traces of either side, by side.
    learned
        The values from which a run starts, see `learned`. Weights are multiples of 2**-24.
    points
        The targets of the network's task in a presentation, by steps.
    """

    add_to_magic_network = True

    def __init__(
        self,
        pathway: Pathway,
        rule: Rule,
        source: NeuronGroup,
        target: NeuronGroup,
        *,
        traces: Mapping[SideName, Traces],
        learned: Mapping[str, NDArray[np.float64]],
        points: int = 1,
    ) -> None:
        super().__init__(pathway.name)
        clock, projection = pathway.clock, pathway.projection
        self.rule, self.source, self.target, self._clock_of = rule, source, target, clock
        self.traces, self._separate = traces, pathway.separate_inhibition
        self.namespace = {**brian2_arithmetic(), **(brian2_functions() if rule.draws else {})}
        self._arrays = {WEIGHT: VARIABLE} | {each: f"{VARIABLE}_{each}" for each in rule.states}
        self._points = points
        self._learned = {name: self._arrays.get(name, _CONNECTED) for name in learned}
        self._add_groups(input_to(projection.target))
        starts = rule_start(rule, clock.dt)
        self._add_synapses(learned, starts)
        self._add_numbers(rule_numbers(rule, clock.dt))
        self._keys = self._add_keys()
        exact = self._dtype == np.float64  # numbers of 32 bits have no finer grid
        blocks = {key: each.on_grid if exact else each for key, each in rule.blocks.items()}
        sums = {named("layer", each): value for each, value in rule.sums.items()}
        window, structural = clock.timing.learning(projection.lag), CONNECTED in learned
        code = {
            "when": conditions(rule, " and ".join(pathway.conditions), window, clock, points),
            **code_of(rule, blocks, pathway_number(projection.number)),
        }
        used = rule.names
        read = {each for each in rule.feedback if named("signal", each) in source.variables}
        feedback = {named("feedback", each): rule.feedback[each] for each in sorted(read)}
        given = [named(s, n) for s, each in rule.traces.items() for n in each.states]
        given += [*rule.neuron, *(named("held", name) for name in rule.model.held)]
        self._run_template(
            "plastic_synapses",
            code,
            source,
            target,
            *self.traces.values(),
            clock=clock.clock,
            when="synapses",
            order=-2 if feedback else -1,  # signals are complete when others read them
            needed_variables=[
                *self._arrays.values(),
                "_spikespace",
                "_spikes_post",
                "_target",
                *(["_negative"] if self._separate else []),
                *([_CONNECTED] if structural else []),
                *(_array(each) for each in given if each in used),
                *(_array(each) for each in (*self._keys, *feedback)),
                *([_TARGETS] if rule.reads_target else []),
            ],
            template_kwds={
                "weight_variable": self.variables[VARIABLE],
                "separate": self._separate,
                "connected": self.variables[_CONNECTED] if structural else None,
                "no_autapses": not projection.autapses and not structural,
                "start": {
                    self.variables[self._arrays[each]]: value
                    for each, value in starts.items()
                    if each not in rule.persistent("synapse")
                },
                "held": {
                    name: self.variables[_array(name)]
                    for name in (named("held", each) for each in rule.model.held)
                    if name in used
                }
                | {each: self.variables[_array(each)] for each in self._keys},
                "sums": {each: self._read(value.names) for each, value in sums.items()},
                "feedback": {
                    name: {
                        **self._block_options(Block((Statement(f"_of_{name}", value),))),
                        "sent": self.variables[_array(name)],
                    }
                    for name, value in feedback.items()
                },
                "row_of_targets": self.variables.get(_TARGET) if rule.reads_target else None,
                "all_targets": self.variables.get(_TARGETS),
                "blocks": {key: self._block_options(each) for key, each in blocks.items()},
                "weight": named("synapse", WEIGHT),
                "numbered": bool(rule.draws),
                "targets": len(target),
                "copies": _COPIES if exact and _changes_seldom(rule) else "",
            },
            check_units=False,
        )

    weight_variable, counter = VARIABLE, LEARNED

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights (target, source)."""
        return self._matrix(WEIGHT)

    @property
    def learned(self) -> dict[str, NDArray[np.float64]]:
        """The weights, persistent variables, and connections that exist (target, source)."""
        return {name: self._matrix(name) for name in self._learned}

    @property
    def carried(self) -> tuple[str, ...]:
        """The variables with the state in which a run ends, but for `learned` ones."""
        return tuple(array for name, array in self._arrays.items() if name not in self._learned)

    def _matrix(self, name: str) -> NDArray[np.float64]:
        values = np.asarray(self.variables[self._learned[name]].get_value(), np.float64)
        return values.reshape(len(self.source), len(self.target)).T.copy()

    def start_arrays(self, values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
        """Return values of `learned` by the names of their variables, for a run's start."""
        return {
            self._learned[name]: np.ascontiguousarray(each.T, self._dtype).ravel()
            for name, each in values.items()
        }

    def held_arrays(
        self, held: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.floating]]:
        """Return the modulators of all presentations of a run, by the names of their variables."""
        arrays = {}
        for name in self.rule.model.held:
            values = np.zeros(self._clock_of.presentations, self._dtype)
            values[: len(held[name])] = held[name]
            arrays[_array(named("held", name))] = values
        if self.rule.reads_target:
            values = np.zeros(self.variables[_TARGETS].size, self._dtype)
            values[: held[TARGET].size] = held[TARGET].ravel()
            arrays[_TARGETS] = values
        return arrays

    def _add_groups(self, received: str) -> None:
        add, target = self.variables, self.target
        add.add_reference("_spikespace", self.source)
        if "_spikespace" in target.variables:
            add.add_reference("_spikes_post", target, "_spikespace")
        else:
            add.add_array("_spikes_post", size=len(target) + 1, dtype=np.int32, read_only=True)
        add.add_reference("_target", target, received)
        if self._separate:
            add.add_reference("_negative", target, INHIBITION)
        self._dtype = target.variables[received].dtype
        for name in (STEP, PRESENTATION):
            add.add_reference(f"{name}_post", target, name)
        for side, group in self.traces.items():
            for name, state in self.rule.traces[side].states.items():
                add.add_reference(_array(named(side, name)), group, name)
                dtype = bool if state.dtype == "boolean" else self._dtype
                add.add_auxiliary_variable(named(side, name), dtype=dtype)
        for name, own in self.rule.neuron.items():
            if _array(name) == _TARGET:
                add.add_array(_TARGET, size=len(target), dtype=self._dtype)
                size = self._clock_of.presentations * self._points * len(target)
                add.add_array(_TARGETS, size=size, dtype=self._dtype)
            else:
                variable = name if name in target.variables else own
                add.add_reference(_array(name), target, variable)
            add.add_auxiliary_variable(name, dtype=self._dtype)
        for name in self.rule.feedback:
            sent = named("signal", name)
            if sent in self.source.variables:  # others read it
                add.add_reference(_array(named("feedback", name)), self.source, sent)

    def _add_synapses(
        self, learned: Mapping[str, NDArray[np.float64]], start: Mapping[str, float]
    ) -> None:
        add, size = self.variables, learned[WEIGHT].size
        add.add_constant("N", size)
        add.add_constant("_sources", len(self.source))
        add.add_array("_copied", size=1, dtype=np.int32, scalar=True, read_only=True)
        add.add_array(LEARNED, size=1, values=2**31 - 1, dtype=np.int32, scalar=True)
        values = {name: np.full(size, value, self._dtype) for name, value in start.items()}
        values |= {name: each.T.astype(self._dtype).ravel() for name, each in learned.items()}
        for name, array in self._arrays.items():
            add.add_array(array, size=size, values=values[name], dtype=self._dtype)
            add.add_auxiliary_variable(named("synapse", name), dtype=self._dtype)
        if CONNECTED in learned:
            add.add_array(_CONNECTED, size=size, values=values[CONNECTED], dtype=self._dtype)

    def _add_numbers(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        add, rule = self.variables, self.rule
        for name, value in numbers.items():
            if name == EVERY:  # which the end of a presentation cuts off
                add.add_auxiliary_variable(name, dtype=self._dtype, scalar=True)
                continue
            add.add_array(
                name, size=1, values=float(value), dtype=self._dtype, scalar=True, constant=True
            )
        for each in rule.model.held:
            name = named("held", each)
            add.add_array(_array(name), size=self._clock_of.presentations, dtype=self._dtype)
            add.add_auxiliary_variable(name, dtype=self._dtype, scalar=True)
        if TIME in rule.names:
            add.add_auxiliary_variable(TIME, dtype=self._dtype, scalar=True)
        layer = [*(named("layer", each) for each in rule.sums), *(s.target for s in rule.layer)]
        for name in layer:
            add.add_auxiliary_variable(name, dtype=self._dtype, scalar=True)

    def _add_keys(self) -> tuple[str, ...]:
        """Refer to the keys of the random numbers that the rule draws; return their names."""
        keys, add = self._clock_of.keys, self.variables
        if not self.rule.draws:
            return ()
        add.add_reference(SEED, keys, "seed")
        for name, variable in ((EXAMPLE, "example"), (OFFSET, "offset")):
            add.add_reference(_array(name), keys, variable)
            add.add_auxiliary_variable(name, dtype=np.int64, scalar=True)
        add.add_auxiliary_variable(SYNAPSE, dtype=np.int64)
        return EXAMPLE, OFFSET

    def _block_options(self, block: Block) -> dict[str, Any]:
        """Return the arrays that a block reads and writes, by their names in code."""
        return {
            **self._read(block.reads),
            "results": {named("synapse", name): target for name, target in block.results.items()},
            "arrays": {
                named("synapse", name): self.variables[array]
                for name, array in self._arrays.items()
                if named("synapse", name) in block.reads or name in block.results
            },
        }

    def _read(self, names: frozenset[str]) -> dict[SideName, dict[str, Any]]:
        """Return the arrays of the traces that are read, by side and by their names in code."""
        given = [(side, named(side, name)) for side, each in self.rule.traces.items()
                 for name in each.states]  # fmt: skip
        given += [("post", name) for name in self.rule.neuron]
        return {
            side: {
                name: self.variables[_array(name)]
                for owner, name in given
                if owner == side and name in names
            }
            for side in SIDES
        }


def _changes_seldom(rule: Rule) -> bool:
    """Return whether a spike reads weights more often than a rule changes them."""
    changing = {key for key, block in rule.blocks.items() if WEIGHT in block.results}
    return changing <= {"on_post", "regularly"}


def _array(name: str) -> str:
    return f"_array_{name}"
