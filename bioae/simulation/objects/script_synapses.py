"""Synapses that deliver spikes among the statements of their rule, as those of a Brian2 script."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from brian2 import NeuronGroup, Synapses, second
from brian2.utils.stringtools import word_substitute
from numpy.typing import NDArray

from bioae.arithmetic import brian2_arithmetic, rendered_statement
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.program import input_to
from bioae.equations.synapses.model import DELIVERED, WEIGHT
from bioae.equations.synapses.numbers import rule_numbers, rule_start
from bioae.equations.synapses.program import ELAPSED, Block, Rule, named
from bioae.errors import ModelError
from bioae.simulation.brian2_internals.groups import skip_unit_checks
from bioae.simulation.code_runners import ConditionalRunner
from bioae.simulation.objects.pathways import DELAY, Pathway
from bioae.simulation.objects.presentation_clock import PRESENTATION, STEP

#: The step of the run up to which a synapse's variables are integrated.
LAST_STEP = f"{RESERVED_PREFIX}last"

#: As `LEARNED`; Brian2 refuses names of variables that neurons have, too.
_LESSONS = f"{RESERVED_PREFIX}lessons"

#: Whether a spike arrives in the presentation of its emission, and whether it teaches.
_ARRIVES, _TEACHES = f"{RESERVED_PREFIX}arrives", f"{RESERVED_PREFIX}teaches"


class ScriptSynapses(Synapses):  # type: ignore[misc]
    """Synapses of a rule with ``timing = "script"``, one by one; variables are event-driven.

    `pathway`: the connections, with their delays; `start`: the weights, and persistent variables,
    from which a run starts.
    """

    def __init__(
        self,
        pathway: Pathway,
        rule: Rule,
        source: NeuronGroup,
        target: NeuronGroup,
        *,
        start: Mapping[str, NDArray[np.float64]],
        learning: bool,
    ) -> None:
        clock, varied = pathway.clock, bool(pathway.delay.ndim)
        factor, names = pathway.event(source)
        self.rule, self.traces, self._learning = rule, dict[str, Any](), learning
        # Brian2 refuses names that end in _pre or _post.
        self._names = {name: f"{named('synapse', name)}_" for name in (WEIGHT, *rule.states)}
        # Without learning, presentations reset what persists, too.
        self._kept = [WEIGHT, *(rule.persistent("synapse") if learning else ())]
        numbers = rule_numbers(rule, clock.dt)
        used = frozenset().union(*(block.reads for block in rule.blocks.values()))
        self._ends = {"pre": source, "post": target}
        self._check_neurons(used)
        numbers = {name: numbers[name] for name in sorted(numbers.keys() & used)}
        delays = {} if varied else {"pre": int(pathway.delay) * clock.dt * second}
        delays |= {"post": 0 * second} if rule.on_post else {}
        starts: dict[str, Any] = {**rule_start(rule, clock.dt), **start}
        self._single = [n for n in rule.states if np.ndim(starts[n]) and n not in self._kept]
        super().__init__(
            source,
            target,
            "\n".join([
                *(f"{name} : 1" for name in self._names.values()),
                *(f"{self._names[name]}start : 1 (constant)" for name in self._single),
                *(f"{name} : 1 (shared, constant)" for name in numbers),
                f"{LAST_STEP} : integer", f"{_LESSONS} : integer (shared)",
                *([f"{DELAY} : integer (constant)"] if varied else []),
            ]),
            on_pre=self._on_pre(pathway, factor),
            on_post=self._code(rule.on_post, f"{STEP}_post >= 0") if rule.on_post else None,
            delay=delays,
            namespace={**brian2_arithmetic(), **names},
            clock=clock.clock,
            name=pathway.name,
        )  # fmt: skip
        self.add_attribute("_places")
        self.add_attribute("_shape")
        self._places, self._shape = pathway.connect(self), pathway.weights.shape
        for name, values in starts.items():
            each = np.broadcast_to(values, self._shape).ravel()[self._places]
            for own in (self._names[name], f"{self._names[name]}start"):
                if own in self.variables:
                    setattr(self, own, each)
        for name, number in {**numbers, _LESSONS: np.asarray(2**31 - 1)}.items():
            setattr(self, name, number.item())
        skip_unit_checks(*self._pathways)
        self._add_windows(pathway, starts)

    #: The variable of the number of presentations that teach.
    counter = _LESSONS

    @property
    def weight_variable(self) -> str:
        """The name of the variable of weights."""
        return self._names[WEIGHT]

    @property
    def carried(self) -> tuple[str, ...]:
        """The variables with the state in which a run ends, but for `learned` ones."""
        return (*(own for name, own in self._names.items() if name not in self._kept), LAST_STEP)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights, in the shape of the network's."""
        return self.learned[WEIGHT]

    @property
    def learned(self) -> dict[str, NDArray[np.float64]]:
        """The weights and persistent variables, in the shape of the weights."""
        found = {}
        for name in self._kept:
            found[name] = np.zeros(self._shape)
            values = np.asarray(self.variables[self._names[name]].get_value(), np.float64)
            found[name].ravel()[self._places] = values
        return found

    def start_arrays(self, values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
        """Return values of `learned` by the names of their variables, for a run's start."""
        dtype = self.variables[self._names[WEIGHT]].dtype
        return {
            self._names[name]: each.ravel()[self._places].astype(dtype)
            for name, each in values.items()
        }

    def held_arrays(self, held: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
        """Return nothing: these rules have no modulators."""
        return {}

    def _check_neurons(self, used: Collection[str]) -> None:
        """Reject names of variables that the neurons do not have."""
        for side, group in self._ends.items():
            names = {each.removeprefix(named(side, "")) for each in used if named(side, "") in each}
            for name in sorted(names - {*group.variables}):
                raise ModelError(
                    "the neurons have no variable of this name", found=f"{name}_{side}",
                    where=f"{self.rule.model.name}.toml, [synapse]",
                )  # fmt: skip

    def _on_pre(self, pathway: Pathway, factor: str | None) -> str:
        """Return the code of a spike that arrives, which it delivers; graded ones by a factor."""
        block = self.rule.on_pre
        terms = [block.results.get(DELIVERED, self._names[WEIGHT]), _ARRIVES]
        terms += [] if factor is None else [factor]
        added = f"{input_to(pathway.projection.target)}_post += {'*'.join(terms)}"
        arrives = " and ".join(pathway.conditions) or "True"
        return self._code(block, arrives, added)

    def _code(self, block: Block, arrives: str, *further: str) -> str:
        """Return code that integrates variables, and changes them where a spike arrives."""
        learns = f"{PRESENTATION}_post >= 0 and {PRESENTATION}_post < {_LESSONS}"
        lines = [
            f"{_ARRIVES} = int({arrives})",
            f"{_TEACHES} = {_ARRIVES}*int({learns})",
            f"{ELAPSED} = dt*(t_in_timesteps - {LAST_STEP})",
            *self._lines(block),
            *further,
        ]
        for name, result in block.results.items():
            if name != DELIVERED and (self._learning or name != WEIGHT):
                variable = self._names[name]
                lines.append(f"{variable} = {result}*{_TEACHES} + {variable}*(1 - {_TEACHES})")
        lines.append(f"{LAST_STEP} = {_TEACHES}*t_in_timesteps + (1 - {_TEACHES})*{LAST_STEP}")
        return "\n".join(lines)

    def _add_windows(self, pathway: Pathway, starts: Mapping[str, Any]) -> None:
        """Reset variables as a presentation starts, and integrate them until it ends."""
        timing, rule = pathway.clock.timing, self.rule
        if not rule.states:
            return
        kept, lines = set(self._kept), []
        for name in rule.states:
            own = self._names[name]
            value = f"{own}start" if name in self._single else repr(starts[name])
            lines += [] if name in kept else [f"{own} = {value}"]
        lines.append(f"{LAST_STEP} = t_in_timesteps")
        if not timing.carry_over:
            ConditionalRunner(
                self, f"{STEP}_post == {-timing.schedule.lead_in}", "\n".join(lines),
                overrides=False, when="before_start", order=-10, name=f"{self.name}__start",
            )  # fmt: skip
        if kept & rule.integrate.results.keys():
            lines = [f"{ELAPSED} = dt*(t_in_timesteps + 1 - {LAST_STEP})"]
            lines += self._lines(rule.integrate)
            lines += [f"{self._names[n]} = {each}" for n, each in rule.integrate.results.items()]
            lines.append(f"{LAST_STEP} = t_in_timesteps + 1")
            steps = timing.period if timing.carry_over else timing.steps
            last = f"{STEP}_post == {steps - 1} and {PRESENTATION}_post < {_LESSONS}"
            ConditionalRunner(
                self, last, "\n".join(lines), overrides=False,
                when="end", order=20, name=f"{self.name}__end",
            )  # fmt: skip

    def _lines(self, block: Block) -> list[str]:
        """Return the statements of a block, with the names of the object's variables."""
        names = {named("synapse", name): own for name, own in self._names.items()}
        for side, group in self._ends.items():
            names |= {named(side, name): f"{name}_{side}" for name in group.variables}
        lines = (str(rendered_statement(each, ())) for each in block.statements)
        return [str(word_substitute(line, names)) for line in lines]
