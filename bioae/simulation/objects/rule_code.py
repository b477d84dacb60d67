"""Brian2 code of a learning rule: its statements, and the steps in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from brian2.utils.stringtools import word_substitute

from bioae.arithmetic import rendered_statement
from bioae.equations.expressions import Statement
from bioae.equations.program import Draw
from bioae.equations.synapses.program import EVERY, TIME, Block, Rule, named
from bioae.networks.schedule import LearningSteps
from bioae.noise.brian import FUNCTIONS
from bioae.simulation.objects.presentation_clock import (
    EXAMPLE,
    LEARNED,
    OFFSET,
    PRESENTATION,
    SEED,
    STEP,
    PresentationClock,
)

#: The number of a synapse, by which it draws random numbers.
SYNAPSE = "_synapse"


def conditions(
    rule: Rule, delivers: str, window: LearningSteps, clock: PresentationClock, points: int
) -> str:
    """Return statements of when spikes are delivered, and when the blocks of a rule run.

    `delivers`: a condition for spikes that arrive; empty: always; `window`: the steps in which the
    pathway learns; `points`: the targets of the network's task in a presentation, by steps.
    """
    step, interval = f"{STEP}_post", rule.interval(clock.dt)
    inside = f"{PRESENTATION}_post >= 0 and {PRESENTATION}_post < {LEARNED}"
    due = f"{step} == {window.last}"
    if interval is not None:  # the steps from one run of `regularly` to the next
        due = f"({due} or ({step} + {1 - window.own}) % {interval} == 0)"
    own = f"{inside} and {step} >= {window.own} and {step} <= {window.last}"
    shown = f"int({PRESENTATION}_post >= 0 and {PRESENTATION}_post < {clock.presentations})"
    lines = [
        f"_delivers = {delivers or 'True'}",
        f"_shown = {shown}*{PRESENTATION}_post",
        f"_starts = {step} == {window.first}",
        f"_learns = {inside} and {step} >= {window.first} and {step} <= {window.last}",
        f"_runs_integrate = _learns and {step} > {window.first}",
        "_runs_on_pre = _learns",
        f"_runs_on_post = {own}",
        f"_runs_regularly = {own} and {due}",
    ]
    if TIME in rule.names:
        lines.append(f"{TIME} = {step}*{clock.dt!r}")
    if rule.reads_target:
        lines.append(f"_point = _shown*{points} + clip({step}, 0, {points - 1})")
    if interval is not None:  # the time since `regularly` ran before
        rest = rule.elapsed(window.since(window.last, interval), clock.dt)
        last = f"int({step} == {window.last})"
        # Products with 0 and 1 keep all bits.
        whole = rule.elapsed(interval, clock.dt)
        lines.append(f"{EVERY} = {whole!r}*(1 - {last}) + {rest!r}*{last}")
    return "\n".join(lines)


def code_of(rule: Rule, blocks: Mapping[str, Block], number: int) -> dict[str, str]:
    """Return the code of the layer's numbers, of blocks, and of the terms of sums and feedback.

    `number` is that of the synapses, see `bioae.noise.pathway_number`.
    """
    drawn = {name: _draw(each, number) for name, each in rule.draws.items()}
    code = {"layer": _code(rule.layer)}
    code |= {key: str(word_substitute(_code(b.statements), drawn)) for key, b in blocks.items()}
    sums = {named("layer", each): value for each, value in rule.sums.items()}
    sums |= {named("feedback", each): value for each, value in rule.feedback.items()}
    return code | {n: _code([Statement(f"_of_{n}", value)]) for n, value in sums.items()}


def _code(statements: Iterable[Statement]) -> str:
    return "\n".join(str(rendered_statement(each, ())) for each in statements)


def _draw(draw: Draw, number: int) -> str:
    """Return code that draws a random number of a synapse."""
    place = f"{STEP}_post, {draw.call}, {number} + {OFFSET}, {SEED}, {EXAMPLE}"
    return f"{FUNCTIONS[draw.distribution]}({SYNAPSE}, {place})"
