"""Lower a synapse model to a `Rule`: programs of its traces, and statements of its synapses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.units import Quantity
from brian2.units.fundamentalunits import DIMENSIONLESS
from brian2.utils.stringtools import get_identifiers, word_substitute

from bioae.equations.expressions import Expression
from bioae.equations.language import check_name, complaint, declared_equations
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import BUILT_IN, NeuronModel
from bioae.equations.parameters import parameter_values
from bioae.equations.program import Program, Statement, Statements
from bioae.equations.quantities import time_in_seconds, unit_name
from bioae.equations.synapses.model import WEIGHT, LayerSums, SynapseModel
from bioae.equations.synapses.program import SIDES, Block, Rule, SideName, named
from bioae.equations.synapses.scope import Scope, allowed, placed
from bioae.errors import ModelError

__all__ = ["lower_synapse"]


def lower_synapse(model: SynapseModel) -> Rule:
    """Return the statements of a synapse model.

    Raises
    ------
    ModelError
        If Brian2 refuses the model (an unknown name, wrong units), or the model uses a construct
        that is not supported.
    """
    if not isinstance(model, SynapseModel):
        raise ModelError(
            "this is not a synapse model",
            expected="a bioae.SynapseModel",
            found=type(model).__name__,
            mend='Load one: bioae.load_synapse("stdp_pair")',
        )
    return _lower(model.name, model.model_dump_json())


@lru_cache(maxsize=64)
def _lower(name: str, fields: str) -> Rule:
    return _Lowering(SynapseModel.model_validate({**json.loads(fields), "name": name})).rule()


class _Lowering:
    def __init__(self, model: SynapseModel) -> None:
        self.model = model
        self.where = f"{model.name}.toml"
        for name in model.parameters:
            check_name(allowed(name), where=f"{self.where}, [parameters]")
        self.names = {each: Expression(allowed(each)) for each in model.parameters}
        for name, stand_in in self.names.items():
            if name != stand_in.text and stand_in.text in model.parameters:
                raise ModelError(
                    f"{stand_in.text!r} stands for {name!r} in Brian2, and is a parameter itself",
                    where=f"{self.where}, [parameters]",
                    mend="Rename one of them",
                )
        self.parameters = {
            name.text: Expression(model.parameters[each]).substituted(self.names).text
            for each, name in self.names.items()
        }
        self.values = self._values()
        self.late = Equations([])

    def rule(self) -> Rule:
        scope = Scope(self.where)
        scope.add(WEIGHT, Expression(named("synapse", WEIGHT)), DIMENSIONLESS, "[synapse]")
        for name, value in self.values.items():
            scope.add(name, Expression(named("parameter", name)), value.dim, "[parameters]")
        for name in self.model.held:
            check_name(name, where=f"{self.where}, held")
            scope.add(name, Expression(named("held", name)), DIMENSIONLESS, "held")
        traces = self._traces()
        for side, program in traces.items():
            self._add_side(scope, side, program)
        sums, layer = self._layer(scope, traces.get("post"))
        variables, integrate = self._variables(scope)
        code = self.model.synapse
        written = (WEIGHT, *(() if variables is None else variables.states))
        blocks = {
            key: scope.block(key, getattr(code, key), written)
            for key in ("on_pre", "on_post", "regularly")
        }
        if not any(WEIGHT in block.results for block in blocks.values()):
            raise ModelError(
                f"the statements do not change {WEIGHT!r}", where=f"{self.where}, [synapse]"
            )
        return Rule(
            self.model, traces, {name: float(value) for name, value in self.values.items()},
            sums, layer, variables, integrate, **blocks, every=self._every(),
        )  # fmt: skip

    def _every(self) -> float | None:
        every = self.model.synapse.every
        where = f"{self.where}, [synapse] every"
        return None if every is None else time_in_seconds(every, where=where, error=ModelError)

    def _values(self) -> dict[str, Quantity]:
        model = NeuronModel(
            name=self.model.name, description="-", equations="dx/dt = 0*Hz : 1", input="x",
            parameters=self.parameters,
        )  # fmt: skip
        if model.drawn:
            raise ModelError(
                "a parameter of a synapse cannot be random",
                where=f"{self.where}, [parameters] {min(model.drawn)}",
            )
        values = parameter_values(model)
        return {name: values[stand_in.text] for name, stand_in in self.names.items()}

    # Traces, and variables of synapses, are lowered as neurons that never fire by themselves

    def _traces(self) -> dict[SideName, Program]:
        """Return the programs of the sides, without the target's subexpressions of the layer."""
        traces: dict[SideName, Program] = {}
        for name in SIDES:
            side = getattr(self.model, name)
            if side is None:
                continue
            with placed(name):
                equations = self._parsed(side.equations)
                if name == "post":
                    equations = self._without_late(equations)
                traces[name] = self._program(
                    name, equations, side.on_spike, side.method, side.initial
                )
        return traces

    def _without_late(self, equations: Equations) -> Equations:
        """Keep the subexpressions that depend on the layer or on held numbers; return the rest."""
        found = {*self.model.held}
        if self.model.layer is not None:
            found |= self.model.layer.sum.keys()
            if self.model.layer.equations:
                found |= self._parsed(self.model.layer.equations).keys()
        late: list[SingleEquation] = []
        for each in equations.ordered:
            if each.type == SUBEXPRESSION and each.identifiers & found:
                late.append(each)
                found.add(each.varname)
        self.late = Equations(late)
        return Equations([each for name, each in equations.items() if name not in self.late])

    def _parsed(self, text: str) -> Equations:
        """Return equations, the names of parameters being those that Brian2 allows."""
        model = NeuronModel(
            name=self.model.name, description="-", equations=self._renamed(text), input="-"
        )
        try:
            return declared_equations(model)
        except ModelError:
            raise
        except Exception as error:  # Brian2's parser raises many kinds
            raise ModelError(complaint(error), where=f"{self.where}, equations") from error

    def _program(
        self,
        table: str,
        equations: Equations,
        on_spike: str | None,
        method: str | None,
        initial: Mapping[str, str],
    ) -> Program:
        kind = "trace" if table in SIDES else "variable"
        model = NeuronModel(
            name=self.model.name,
            description=self.model.description,
            equations=_text(equations),
            threshold="False",
            reset=self._renamed(on_spike) if on_spike else None,
            method=method,
            input="-",
            parameters=self.parameters,
            initial={
                each: Expression(text).substituted(self.names).text
                for each, text in initial.items()
            },
        )
        states = [
            each
            for each, equation in equations.items()
            if equation.type != SUBEXPRESSION and equation.var_type == "float"
        ]
        flagged = [each for each, equation in equations.items() if equation.flags]
        if flagged:
            raise ModelError(
                f"{kind}s have no flags",
                where=f"{self.where}, [{table}] equations",
                found=flagged[0],
            )
        if not states:
            raise ModelError(
                f"the equations declare no {kind}",
                where=f"{self.where}, [{table}] equations",
                expected="'dx/dt = -x/tau : 1'",
            )
        used = {n for each in equations.values() if each.expr for n in each.identifiers}
        used |= get_identifiers(model.reset or "")
        used |= {n for text in model.initial.values() for n in Expression(text).names}
        for name in sorted(used & BUILT_IN):
            raise ModelError(
                f"a {kind} depends on nothing but spikes, parameters and other {kind}s"
                if table in SIDES
                else "a variable's equations name nothing but parameters and other variables",
                where=f"{self.where}, [{table}]",
                found=name,
            )
        kept = _needed(model.parameters, used)
        # As a neuron, it needs an input; nothing ever arrives there.
        received = {"input": states[0], "weight": f"1*({unit_name(equations[states[0]].dim)})"}
        program = lower(model.model_copy(update={**received, "parameters": kept}))
        if program.draws:
            raise ModelError(f"{kind}s cannot be random", where=f"{self.where}, [{table}]")
        return _without_firing(program)

    def _renamed(self, code: str) -> str:
        return str(word_substitute(code, {name: each.text for name, each in self.names.items()}))

    # Names and statements

    def _add_side(self, scope: Scope, side: SideName, program: Program) -> None:
        """Let statements name the traces and subexpressions of a side, with its suffix."""
        declared = declared_equations(program.model)
        for name, expression in self._side_scope(side, program).items():
            full = f"{name}_{side}"
            if full in self.values:
                raise ModelError(
                    f"{full!r} is a parameter and a trace",
                    where=f"{self.where}, [{side}]",
                    mend="Rename one of them",
                )
            scope.add(full, expression, declared[name].dim, f"[{side}]")

    def _side_scope(self, side: SideName, program: Program) -> dict[str, Expression]:
        """Return the traces and subexpressions of a side, by their names in its equations."""
        declared = declared_equations(program.model)
        own = self._parameter_scope()
        for name in program.states:
            own.add(name, Expression(named(side, name)), declared[name].dim, f"[{side}]")
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
        """Return a scope of parameters and held numbers."""
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
        traces, inner = self._parameter_scope(), self._held_scope()
        if post is not None:
            declared = declared_equations(post.model)
            for name, expression in self._side_scope("post", post).items():
                traces.add(name, expression, declared[name].dim, "[post]")
        whole = traces.copy()
        for name in self.model.held:
            whole.add(name, Expression(named("held", name)), DIMENSIONLESS, "held")
        sums = {}
        for name, text in layer.sum.items():
            where = f"{self.where}, [layer] sum {name}"
            check_name(name, where=where)
            expression = Expression(self._renamed(text))
            sums[name] = traces.value(expression, where)
            unit = traces.unit(expression, where)
            for each in (scope, inner, whole):
                each.add(name, Expression(named("layer", name)), unit, "[layer] sum")
        statements: list[Statement] = []
        if layer.equations is not None:
            with placed("layer"):
                declared = self._parsed(layer.equations)
            _check_subexpressions(declared, f"{self.where}, [layer] equations")
            for name, expression in inner.add_subexpressions(declared, "[layer] equations").items():
                statements.append(Statement(named("layer", name), expression))
                for each in (scope, whole):
                    each.add(name, Expression(named("layer", name)), declared[name].dim, "[layer]")
        for name, expression in whole.add_subexpressions(self.late, "[post] equations").items():
            scope.add(f"{name}_post", expression, self.late[name].dim, "[post]")
        return sums, tuple(statements)

    def _variables(self, scope: Scope) -> tuple[Program | None, Block]:
        """Return the program of a synapse's variables, and the statements of their time step."""
        code = self.model.synapse
        if code.equations is None:
            return None, Block()
        with placed("synapse"):
            equations = self._parsed(code.equations)
            program = self._program("synapse", equations, None, code.method, code.initial)
        known = {n: Expression(named("constant", n)) for n in program.parameters}
        known |= {n: Expression(named("constant", n)) for n in program.constants}
        known["dt"] = Expression(named("constant", "dt"))
        for name in program.states:
            known[name] = Expression(named("synapse", name))
            scope.add(name, known[name], equations[name].dim, "[synapse] equations")
        inner = self._parameter_scope()
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


def _check_subexpressions(declared: Equations, where: str) -> None:
    for name, each in declared.items():
        if each.type != SUBEXPRESSION or each.flags:
            raise ModelError(
                "the equations of a layer are subexpressions without flags",
                where=where,
                expected="'p = 1/(1 + exp(-G)) : 1'",
                found=name,
            )


def _text(equations: Equations) -> str:
    """Return the text of equations, the names of their units being those of base units."""
    lines = []
    for name, each in equations.items():
        unit = {"float": unit_name(each.dim)}.get(each.var_type, each.var_type)
        left = {DIFFERENTIAL_EQUATION: f"d{name}/dt = ", SUBEXPRESSION: f"{name} = "}
        lines.append(f"{left.get(each.type, name)}{each.expr or ''} : {unit}")
    return "\n".join(lines)


def _without_firing(program: Program) -> Program:
    """Return a program that receives nothing and fires never; its reset stays."""
    program = replace(program, threshold=None, distance=None, scale=None, receive=())
    blocks = (*program.update, *program.reset, *program.prepare)
    used = {name for each in blocks for name in each.value.names}
    used |= {name for value in program.initial.values() for name in value.names}
    names = _needed({name: value.text for name, value in program.constants.items()}, used)
    return replace(program, constants={name: program.constants[name] for name in names})


def _needed(parameters: Mapping[str, str], used: set[str]) -> dict[str, str]:
    """Return the parameters that are used, directly or by the value of another."""
    size = -1
    while len(used) > size:
        size = len(used)
        used = used | {
            other
            for name in used & parameters.keys()
            for other in Expression(parameters[name]).names
        }
    return {name: text for name, text in parameters.items() if name in used}
