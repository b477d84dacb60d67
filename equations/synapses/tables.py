"""Tables of a synapse model: equations of traces and of synapses, lowered as those of neurons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION, Equations
from brian2.units import Quantity
from brian2.utils.stringtools import get_identifiers, word_substitute

from bioae.equations.declarations import parameter_values
from bioae.equations.expressions import Expression, parse_expression
from bioae.equations.grammar import BUILT_IN
from bioae.equations.language import complaint, declared_equations
from bioae.equations.model import NeuronModel
from bioae.equations.names import allowed, check_name
from bioae.equations.program import Program
from bioae.equations.quantities import unit_name
from bioae.equations.synapses.model import SynapseModel
from bioae.equations.synapses.program import SIDES
from bioae.errors import ModelError

#: Keys of a neuron model that are those of a side by another name.
_KEYS = {"reset": "on_spike"}


class Tables:
    """The equations of a synapse model, with the names of parameters that Brian2 allows.

    `where`: the file, named in errors; `names`: the expressions that stand for parameters in
    equations, by their names in the file; `values`: the parameters, by their names in the file.
    """

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
                    where=f"{self.where}, [parameters]", hint="Rename one of them",
                )  # fmt: skip
        self._parameters = {
            name.text: self.expression(model.parameters[each], f"[parameters] {each}").text
            for each, name in self.names.items()
        }
        self.values = self._values()

    def expression(self, text: str, key: str) -> Expression:
        """Return an expression of the file, with the names of parameters that Brian2 allows."""
        where = f"{self.where}, {key}"
        return parse_expression(text, where=where, random=True).substituted(self.names)

    def renamed(self, code: str) -> str:
        """Return code with the names of parameters that Brian2 allows."""
        return str(word_substitute(code, {name: each.text for name, each in self.names.items()}))

    def parsed(self, text: str, table: str) -> Equations:
        """Return the equations of a table."""
        model = NeuronModel(
            name=self.model.name, description="-", equations=self.renamed(text), input="-"
        )
        with self.placed(table):
            try:
                return declared_equations(model)
            except ModelError:
                raise
            except Exception as error:  # Brian2's parser raises many kinds
                raise ModelError(complaint(error), where=f"{self.where}, equations") from error

    def neuron(
        self,
        table: str,
        equations: Equations,
        *,
        method: str | None,
        initial: Mapping[str, str],
        on_spike: str | None = None,
    ) -> NeuronModel:
        """Return the equations of a table as a neuron that never fires by itself.

        Raises `ModelError` if they do not fit.
        """
        kind = "trace" if table in SIDES else "variable"
        states = self._states(equations, table, kind)
        starts = {
            each: self.expression(text, f"[{table}] initial {each}").text
            for each, text in initial.items()
        }
        reset = self.renamed(on_spike) if on_spike else None
        used = {n for each in equations.values() if each.expr for n in each.identifiers}
        used |= get_identifiers(reset or "")
        used |= {n for text in starts.values() for n in Expression(text).names}
        for name in sorted(used & BUILT_IN - {"dt"}):
            raise ModelError(
                f"a {kind} depends on nothing but spikes, parameters and other {kind}s"
                if table in SIDES
                else "a variable's equations name nothing but parameters and other variables",
                where=f"{self.where}, [{table}]", found=name,
            )  # fmt: skip
        return NeuronModel(
            name=self.model.name,
            description=self.model.description,
            equations=_text(equations),
            threshold="False",
            reset=reset,
            method=method,
            # As a neuron, it needs an input; nothing ever arrives there.
            input=states[0],
            weight=f"1*({unit_name(equations[states[0]].dim)})",
            parameters=_needed(self._parameters, used),
            initial=starts,
        )

    def _states(self, equations: Equations, table: str, kind: str) -> list[str]:
        """Return the names of the numbers that equations declare."""
        where = f"{self.where}, [{table}] equations"
        flagged = [each for each, equation in equations.items() if equation.flags]
        if flagged:
            raise ModelError(
                f"{kind}s have no flags: all are clock-driven", where=where,
                found=f"{flagged[0]} ({', '.join(equations[flagged[0]].flags)})",
            )  # fmt: skip
        states = [
            each
            for each, equation in equations.items()
            if equation.type != SUBEXPRESSION and equation.var_type == "float"
        ]
        if not states:
            raise ModelError(
                f"the equations declare no {kind}", where=where, expected="'dx/dt = -x/tau : 1'"
            )
        return states

    def _values(self) -> dict[str, Quantity]:
        model = NeuronModel(
            name=self.model.name, description="-", equations="dx/dt = 0*Hz : 1", input="x",
            parameters=self._parameters,
        )  # fmt: skip
        if model.drawn:
            raise ModelError(
                "a parameter of a synapse cannot be random",
                where=f"{self.where}, [parameters] {min(model.drawn)}",
            )
        with self.placed("parameters"):
            values = parameter_values(model)
        return {name: values[stand_in.text] for name, stand_in in self.names.items()}

    @contextmanager
    def placed(self, table: str) -> Iterator[None]:
        """Name a table and its parameters in errors as the file does."""
        names = {each.text: name for name, each in self.names.items()}

        def renamed(text: str | None) -> str | None:
            return None if text is None else str(word_substitute(text, names))

        try:
            yield
        except ModelError as error:
            _, comma, key = (error.where or "").partition(", ")
            if not key.startswith(("[parameters]", f"[{table}]")):
                key = f"[{table}]{f' {_KEYS.get(key, key)}' if comma else ''}"
            raise ModelError(
                renamed(error.what) or "", where=f"{self.where}, {renamed(key)}",
                expected=renamed(error.expected), found=renamed(error.found),
                hint=renamed(error.hint),
            ) from error  # fmt: skip


def _text(equations: Equations) -> str:
    """Return the text of equations, the names of their units being those of base units."""
    lines = []
    for name, each in equations.items():
        unit = {"float": unit_name(each.dim)}.get(each.var_type, each.var_type)
        left = {DIFFERENTIAL_EQUATION: f"d{name}/dt = ", SUBEXPRESSION: f"{name} = "}
        lines.append(f"{left.get(each.type, name)}{each.expr or ''} : {unit}")
    return "\n".join(lines)


def without_firing(program: Program) -> Program:
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
