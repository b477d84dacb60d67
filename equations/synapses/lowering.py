"""Lower a synapse model to a `Rule`: programs of its traces, and statements of its synapses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from brian2 import second
from brian2.equations.equations import SUBEXPRESSION, Equations, SingleEquation
from brian2.units.fundamentalunits import DIMENSIONLESS
from brian2.utils.stringtools import get_identifiers

from bioae.equations.expressions import Expression, Statement, parse_expression
from bioae.equations.grammar import RANDOM
from bioae.equations.language import declared_equations
from bioae.equations.lowering.lowering import lower
from bioae.equations.lowering.noise import Draws
from bioae.equations.names import allowed, check_name
from bioae.equations.program import Program, Statements
from bioae.equations.quantities import time_in_seconds
from bioae.equations.synapses.model import (
    BLOCKS,
    CONNECTED,
    DELIVERED,
    TARGET,
    WEIGHT,
    LayerSums,
    SynapseModel,
)
from bioae.equations.synapses.program import (
    DISTANCE,
    ELAPSED,
    EVERY,
    GAIN,
    SIDES,
    TIME,
    Block,
    Exchange,
    RandomStart,
    Rule,
    SideName,
    named,
)
from bioae.equations.synapses.scope import Scope
from bioae.equations.synapses.tables import Tables, without_firing
from bioae.errors import ModelError


def lower_synapse(model: SynapseModel) -> Rule:
    """Return the statements of a synapse model.

    Raises
    ------
    ModelError
        If Brian2 rejects the model (an unknown name, wrong units), or the model uses a construct
        that is not supported.
    """
    if not isinstance(model, SynapseModel):
        raise ModelError(
            "this is not a synapse model", expected="a bioae.SynapseModel",
            found=type(model).__name__, hint='Load one: bioae.load_synapse("stdp_pair")',
        )  # fmt: skip
    return _lower(model.name, model.model_dump_json())


@lru_cache(maxsize=64)
def _lower(name: str, fields: str) -> Rule:
    return _Lowering(SynapseModel.model_validate({**json.loads(fields), "name": name})).rule()


class _Lowering:
    def __init__(self, model: SynapseModel) -> None:
        self.model = model
        self.tables = Tables(model)
        self.where, self.values = self.tables.where, self.tables.values
        self.script = model.timing == "script"
        layer = model.layer
        self.layer_equations = Equations([])
        if layer is not None and layer.equations is not None:
            self.layer_equations = self.tables.parsed(layer.equations, "layer")
        self.late = Equations([])
        post = model.post
        #: The numbers of the target's neuron, by their names in ``[post]``.
        self.neuron: dict[str, Expression] = {}
        if post is not None:
            self.neuron = {name: Expression(named("neuron", name)) for name in post.reads}
            self.neuron |= {name: Expression(named("signal", name)) for name in post.signals}
            self._check_given("[post] reads", [*post.reads, *post.signals])
            self._check_given("[post] signals", [*post.signals, TARGET])
        self._check_given("held", [*model.held, TARGET])
        self._check_given("[feedback]", [*model.feedback])

    def _check_given(self, key: str, names: Sequence[str]) -> None:
        """Reject names that are repeated, or that variables cannot have."""
        for number, name in enumerate(names):
            check_name(name, where=f"{self.where}, {key}")
            if name in names[:number]:
                raise ModelError(
                    f"the name {name!r} is declared twice", where=f"{self.where}, {key}",
                    hint="Rename one of them",
                )  # fmt: skip

    def rule(self) -> Rule:
        scope = Scope(self.where)
        scope.add(WEIGHT, Expression(named("synapse", WEIGHT)), DIMENSIONLESS, "[synapse]")
        for name, value in self.values.items():
            scope.add(name, Expression(named("parameter", name)), value.dim, "[parameters]")
        for name in self.model.held:
            scope.add(name, Expression(named("held", name)), DIMENSIONLESS, "held")
        if not self.script:
            _add_clock(scope)
        for name in self.neuron:
            scope.add(f"{name}_post", self.neuron[name], DIMENSIONLESS, "[post] reads")
        every = self._every()
        if every is not None:
            interval = repr(every) if every else named("constant", "dt")
            scope.add("every", Expression(interval), second.dim, "[synapse] every")
        traces = self._traces()
        for side, program in traces.items():
            self._add_side(scope, side, program)
        sums, layer = self._layer(scope, traces.get("post"))
        variables, integrate = self._variables(scope)
        feedback = {
            name: scope.number(text, f"{self.where}, [feedback] {name}", unit=DIMENSIONLESS)
            for name, text in self.model.feedback.items()
        }
        scope.draws = draws = Draws()
        blocks = self._blocks(scope, integrate, variables, every)
        if self.script and draws.by_name:
            raise ModelError("a rule of a script cannot be random", where=self.where)
        self._check_persistent({**traces, "synapse": variables})
        return Rule(
            self.model, traces, {name: float(value) for name, value in self.values.items()},
            sums, layer, variables, integrate, **blocks, every=every,
            draws=draws.by_name, feedback=feedback, random_start=self._random_start(),
            structure=self._structure(scope, variables),
        )  # fmt: skip

    def _blocks(
        self, scope: Scope, integrate: Block, variables: Program | None, every: float | None
    ) -> dict[str, Block]:
        """Return the blocks of statements by key, some of which change the weight."""
        written = (WEIGHT, *(() if variables is None else variables.states))
        changes = {WEIGHT, DELIVERED} if self.script else {WEIGHT}
        if self.script:
            self._add_neurons(scope)
            scope.add(DELIVERED, Expression("0"), DIMENSIONLESS, "[synapse]")
            scope.known |= {name: Expression(each) for name, each in integrate.results.items()}
        blocks = {}
        for key in BLOCKS:
            if every is not None and key == "regularly":
                scope.known["every"] = Expression(EVERY)
            delivers = (DELIVERED,) if self.script and key == "on_pre" else ()
            block = scope.block(key, getattr(self.model.synapse, key), (*written, *delivers))
            blocks[key] = integrate.then(block) if self.script and block else block
        if not any(changes & block.results.keys() for block in blocks.values()):
            raise ModelError(
                f"the statements do not change {WEIGHT!r}", where=f"{self.where}, [synapse]"
            )
        return blocks

    def _add_neurons(self, scope: Scope) -> None:
        """Let a rule of a script name variables of its neurons, as numbers in base units."""
        code = self.model.synapse
        for name in sorted(get_identifiers(f"{code.on_pre or ''} {code.on_post or ''}")):
            own, _, side = name.rpartition("_")
            if side in SIDES and own and name not in scope.known:
                scope.add(name, Expression(named(side, own)), DIMENSIONLESS, "[synapse]")

    def _check_persistent(self, programs: Mapping[str, Program | None]) -> None:
        """Reject names in `persistent` that are not variables of the rule."""
        variables = [
            name if kind == "synapse" else f"{name}_{kind}"
            for kind, program in programs.items()
            for name, each in (program.states if program else {}).items()
            if each.dtype == "float"
        ]
        for name in self.model.persistent:
            if self.model.persistent.count(name) > 1:
                raise ModelError(f"{name!r} is there twice", where=f"{self.where}, persistent")
            if name not in variables:
                raise ModelError(
                    f"there is no variable {name!r} that could persist",
                    where=f"{self.where}, persistent",
                    expected=f"some of {', '.join(variables)}" if variables else "none",
                    hint=f"Weights always persist: leave {WEIGHT} out" if name == WEIGHT else None,
                )

    def _structure(self, scope: Scope, variables: Program | None) -> Exchange | None:
        """Return the score of connections, and the weight of new ones."""
        table = self.model.structure
        if table is None:
            return None
        where = f"{self.where}, [structure]"
        if variables is not None and CONNECTED in variables.states:
            raise ModelError(
                f"{CONNECTED!r} is the name of the connections that exist",
                where=f"{self.where}, [synapse] equations", hint="Rename the variable",
            )  # fmt: skip
        inner = Scope(self.where)
        inner.conditions, inner.draws = scope.conditions, Draws()
        inner.add(CONNECTED, Expression(named("synapse", CONNECTED)), DIMENSIONLESS, "[structure]")
        for name in (WEIGHT, *self.values, *self.model.persistent):
            inner.add(name, scope.known[name], scope.units[name], "[structure]")
        for key in ("score", "new_weight"):
            names = parse_expression(getattr(table, key), where=f"{where} {key}", random=True).names
            for name in sorted(names & scope.known.keys() - inner.known.keys()):
                raise ModelError(
                    f"the variable {name!r} does not persist until connections are exchanged",
                    where=f"{where} {key}", hint=f'Add it: persistent = ["{name}"]',
                )  # fmt: skip
        score = inner.number(table.score, f"{where} score", unit=DIMENSIONLESS)
        new = inner.number(table.new_weight, f"{where} new_weight", unit=DIMENSIONLESS)
        return Exchange(score, new, inner.draws.by_name)

    def _random_start(self) -> dict[str, RandomStart]:
        """Return the initial values of persistent variables that are random."""
        starts = {}
        for name, text in self.model.synapse.initial.items():
            if not _is_random(text):
                continue
            where = f"{self.where}, [synapse] initial {name}"
            if name not in self.model.persistent:
                raise ModelError(
                    "only persistent variables start at random", where=where, found=text,
                    hint=f'Add it: persistent = ["{name}"]',
                )  # fmt: skip
            scope = self._parameter_scope()
            scope.draws = Draws()
            value = scope.number(self.tables.expression(text, f"[synapse] initial {name}").text,
                                 where, unit=DIMENSIONLESS)  # fmt: skip
            starts[name] = RandomStart(value, scope.draws.by_name)
        return starts

    def _every(self) -> float | None:
        every = self.model.synapse.every
        if every is not None and every.strip() == "dt":
            return 0.0
        where = f"{self.where}, [synapse] every"
        return None if every is None else time_in_seconds(every, where=where, error=ModelError)

    def _traces(self) -> dict[SideName, Program]:
        """Return the programs of the sides, without the target's subexpressions of the layer."""
        traces: dict[SideName, Program] = {}
        for name in SIDES:
            side = getattr(self.model, name)
            if side is None or side.equations is None:
                continue
            equations = self.tables.parsed(side.equations, name)
            if name == "post":
                equations = self._without_late(equations)
                if not equations and self.late and not side.on_spike:
                    continue
            traces[name] = self._program(
                name, equations, method=side.method, initial=side.initial, on_spike=side.on_spike
            )
        return traces

    def _program(self, table: str, equations: Equations, **texts: Any) -> Program:
        """Lower the equations of a table; `texts` are the keys of `Tables.neuron`."""
        neuron = self.tables.neuron(table, equations, **texts)
        with self.tables.placed(table):
            program = lower(neuron)
        if program.draws:
            kind = "traces" if table in SIDES else "variables"
            raise ModelError(f"{kind} cannot be random", where=f"{self.where}, [{table}]")
        return without_firing(program)

    def _without_late(self, equations: Equations) -> Equations:
        """Keep subexpressions of the layer, modulators and the neuron; return the others."""
        sums = () if self.model.layer is None else self.model.layer.sum
        found = {*self.model.held, *sums, *self.layer_equations, *self.neuron, "psi", "t"}
        late: list[SingleEquation] = []
        for each in equations.ordered:
            if each.type == SUBEXPRESSION and each.identifiers & found:
                late.append(each)
                found.add(each.varname)
        self.late = Equations(late)
        return Equations([each for name, each in equations.items() if name not in self.late])

    # Names and statements

    def _add_side(self, scope: Scope, side: SideName, program: Program) -> None:
        """Let statements name the traces and subexpressions of a side, with its suffix."""
        declared = declared_equations(program.model)
        for name, expression in self._side_scope(side, program).items():
            full = f"{name}_{side}"
            if full in self.values:
                raise ModelError(
                    f"{full!r} is a parameter and a trace", where=f"{self.where}, [{side}]",
                    hint="Rename one of them",
                )  # fmt: skip
            scope.add(full, expression, declared[name].dim, f"[{side}]")
        scope.conditions |= _conditions(side, program)

    def _side_scope(self, side: SideName, program: Program) -> dict[str, Expression]:
        """Return the traces and subexpressions of a side, by their names in its equations."""
        declared = declared_equations(program.model)
        own = self._parameter_scope()
        for name in program.states:
            own.add(name, Expression(named(side, name)), declared[name].dim, f"[{side}]")
        own.conditions |= _conditions(side, program)
        own.add_subexpressions(declared, f"[{side}] equations")
        return {name: own.known[name] for name in declared if name in own.known}

    def _parameter_scope(self) -> Scope:
        """Return a scope of parameters, by the names that Brian2 allows."""
        scope = Scope(self.where)
        for name, value in self.values.items():
            expression = Expression(named("parameter", name))
            scope.add(allowed(name), expression, value.dim, "[parameters]")
        return scope

    def _held_scope(self) -> Scope:
        """Return a scope of parameters and modulators."""
        scope = self._parameter_scope()
        for name in self.model.held:
            scope.add(name, Expression(named("held", name)), DIMENSIONLESS, "held")
        return scope

    def _layer(
        self, scope: Scope, post: Program | None
    ) -> tuple[dict[str, Expression], Statements]:
        """Return the sums over the target's layer, and the statements of its numbers.

        Their names, and those of the target's subexpressions of them, are added to the scope.
        """
        layer = self.model.layer or LayerSums()
        if layer.sum and post is None and not self.neuron:
            raise ModelError(
                "sums over the target's layer need its traces", where=f"{self.where}, [layer] sum",
                expected="a table [post]",
            )  # fmt: skip
        traces, inner = self._parameter_scope(), self._held_scope()
        if post is not None:
            declared = declared_equations(post.model)
            for name, expression in self._side_scope("post", post).items():
                traces.add(name, expression, declared[name].dim, "[post]")
            traces.conditions |= _conditions("post", post)
        for name, expression in self.neuron.items():
            traces.add(name, expression, DIMENSIONLESS, "[post] reads")
        whole = traces.copy()
        _add_clock(whole)
        self._add_psi(scope, whole)
        for name in self.model.held:
            whole.add(name, Expression(named("held", name)), DIMENSIONLESS, "held")
        sums: dict[str, Expression] = {}
        for name, text in layer.sum.items():
            where = f"{self.where}, [layer] sum {name}"
            check_name(name, where=where)
            expression = self.tables.expression(text, f"[layer] sum {name}")
            sums[name] = traces.value(expression, where)
            unit = traces.unit(expression, where)
            for each in (scope, inner, whole):
                each.add(name, Expression(named("layer", name)), unit, "[layer] sum")
        statements = self._layer_statements(inner, (scope, whole))
        for name, expression in whole.add_subexpressions(self.late, "[post] equations").items():
            scope.add(f"{name}_post", expression, self.late[name].dim, "[post]")
        return sums, tuple(statements)

    def _add_psi(self, scope: Scope, whole: Scope) -> None:
        """Let statements and subexpressions of the target name the neuron's spike derivative."""
        post = self.model.post
        if post is None or post.psi is None:
            return
        inner, key = self._parameter_scope(), "[post] psi"
        inner.add("distance", Expression(DISTANCE), DIMENSIONLESS, key)
        text = self.tables.expression(post.psi, key).text
        profile = inner.number(text, f"{self.where}, {key}", unit=DIMENSIONLESS)
        psi = Expression(f"({profile})*{GAIN}")
        whole.add("psi", psi, DIMENSIONLESS, key)
        scope.add("psi_post", psi, DIMENSIONLESS, key)

    def _layer_statements(self, inner: Scope, others: Iterable[Scope]) -> list[Statement]:
        """Return the statements of the layer's numbers, and add these to other scopes."""
        declared, key = self.layer_equations, "[layer] equations"
        _check_subexpressions(declared, f"{self.where}, {key}")
        statements = []
        for name, expression in inner.add_subexpressions(declared, key).items():
            statements.append(Statement(named("layer", name), expression))
            for each in others:
                each.add(name, Expression(named("layer", name)), declared[name].dim, "[layer]")
        return statements

    def _variables(self, scope: Scope) -> tuple[Program | None, Block]:
        """Return the program of a synapse's variables, and the statements of their time step."""
        code = self.model.synapse
        if code.equations is None:
            return None, Block()
        equations = self.tables.parsed(code.equations, "synapse")
        method = "exact" if self.script and equations.diff_eq_names else code.method
        fixed = {n: text for n, text in code.initial.items() if not _is_random(text)}
        program = self._program("synapse", equations, method=method, initial=fixed)
        known = {n: Expression(named("constant", n)) for n in program.parameters}
        known["dt"] = Expression(ELAPSED if self.script else named("constant", "dt"))
        for name, value in program.constants.items():
            constant = Expression(named("constant", name))
            known[name] = value.substituted(known) if self.script else constant
        scope.conditions |= _conditions("synapse", program)
        for name in program.states:
            known[name] = Expression(named("synapse", name))
            scope.add(name, known[name], equations[name].dim, "[synapse] equations")
        inner = self._parameter_scope()
        inner.conditions |= scope.conditions
        for name in program.states:
            inner.add(name, known[name], equations[name].dim, "[synapse] equations")
        for name, expression in inner.add_subexpressions(equations, "[synapse] equations").items():
            scope.add(name, expression, equations[name].dim, "[synapse] equations")
        statements: list[Statement] = []
        results: dict[str, str] = {}
        for number, each in enumerate((*program.prepare, *program.update), start=1):
            target = named("integrate", f"{number}")
            statements.append(Statement(target, each.value.substituted(known)))
            known[each.target] = Expression(target)
            if each.target in program.states:
                results[each.target] = target
        return program, Block(tuple(statements), results)


def _add_clock(scope: Scope) -> None:
    """Add the time in the target's window, and the time step."""
    scope.add("t", Expression(TIME), second.dim, "t")
    scope.add("dt", Expression(named("constant", "dt")), second.dim, "t")


def _is_random(text: str) -> bool:
    return not RANDOM.isdisjoint(get_identifiers(text))


def _conditions(side: SideName, program: Program) -> set[str]:
    """Return the names in statements of a side's variables that are true or false."""
    return {named(side, n) for n, each in program.states.items() if each.dtype == "boolean"}


def _check_subexpressions(declared: Equations, where: str) -> None:
    for name, each in declared.items():
        if each.type != SUBEXPRESSION or each.flags:
            raise ModelError(
                "the equations of a layer are subexpressions without flags", where=where,
                expected="'p = 1/(1 + exp(-G)) : 1'", found=name,
            )  # fmt: skip
