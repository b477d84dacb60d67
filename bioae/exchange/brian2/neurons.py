"""The neurons of a layer, as texts and arrays of a plain Brian2 script."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.expressions import Expression
from bioae.equations.language import declared_equations
from bioae.equations.lowering.noise import BACKGROUND_DRAW
from bioae.equations.program import NEVER
from bioae.equations.quantities import constants
from bioae.errors import ModelError
from bioae.noise import settling_noise
from bioae.simulation.objects.population import Neurons

#: The names that the script adds to those of a neuron model.
_ADDED = {"arrived", "background", "bias", "inhibited", "presentation", "unit", "weight"}


@dataclass(frozen=True, eq=False)
class PlainNeurons(Neurons):
    """The neurons of a layer, or those of its read-out; `dt` is the time step in seconds."""

    dt: float = field(kw_only=True)

    def __post_init__(self) -> None:
        program, model = self.program, self.program.model
        refractory = Expression(model.refractory or "0")
        ends = {each.value for each in program.refractoriness}  # in whole steps, at any time
        every = refractory, *program.initial.values(), *({*program.computed} - ends)
        unfit: dict[str, Any] = {
            "layer_spikes": model.layer_spikes, "run_every": model.run_every, **model.events,
            "t": any("t" in each.names for each in every), **program.timed,
            "shared": any(each.shared for each in program.draws.values()),
        }  # fmt: skip
        taken = _ADDED & {*program.states, *program.parameters}
        for name in (*(name for name, used in unfit.items() if used), *taken):
            raise ModelError(
                "this has no form in a plain script",
                where=model.name, found=name,
                hint="Rename it" if name in taken else "Add your objects to those of bioae.build",
            )  # fmt: skip

    @property
    def background(self) -> bool:
        """True if they receive background noise."""
        return BACKGROUND_DRAW in self.program.draws

    @property
    def noisy(self) -> bool:
        """True if the model draws random numbers, besides its background input."""
        return len(self.program.draws) > self.background

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Values of the group's variables, by name: one for all neurons, or one per neuron."""
        program, declared = self.program, declared_equations(self.program.model)
        standard, texts = default_parameters(program), program.model.parameters
        own = {
            name: value
            for name, value in self.parameters.items()
            if value.ndim or name in declared or value != standard[name] or not _closed(texts[name])
        }
        if program.model.settle:
            noise = settling_noise(program.draws, population=self.number, n=self.size)
            state = Start(program, self.dt, self.size).state(self.parameters, noise=noise)
            own |= {f"{n}_start": state[n] for n in program.written if n in program.initial}
        return own if self.biases is None else {**own, "bias": self.biases}

    def _unit(self, name: str) -> str:
        known: dict[str, Any] = {**self.program.states, **self.program.parameters}
        return str(getattr(known.get(name, known.get(name.removesuffix("_start"))), "unit", "1"))

    @cached_property
    def namespace(self) -> dict[str, str]:
        """The values of other parameters, by name, as Python code."""
        model, known = self.program.model, self.program.parameters.keys() - self.arrays.keys()
        values = {name: model.parameters[name] for name in known}
        values |= {"unit": model.weight} if self._has_unit else {}
        return {name: ast.unparse(ast.parse(values[name])) for name in sorted(values)}

    @property
    def _has_unit(self) -> bool:
        return self.program.model.weight != "1" and _closed(self.program.model.weight)

    @cached_property
    def texts(self) -> dict[str, str]:
        """Arguments of a `NeuronGroup`, and statements that start a presentation or add input."""
        model = self.program.model
        texts = {
            "model": self._equations(), "threshold": model.threshold, "reset": model.reset,
            "refractory": model.refractoriness, "method": model.method, "start": self._start(),
            "receive": self._receive(), "regularly": model.run_regularly,
        }  # fmt: skip
        return {name: text.strip() for name, text in texts.items() if text is not None}

    def _equations(self) -> str:
        declared, text = declared_equations(self.program.model), self.program.model.equations
        # Neurons may differ in what they share in the model.
        text = re.sub(r"\(\s*shared\s*\)|\bshared\s*,\s*|,\s*shared\b", "", text)
        lines = text.strip().splitlines()
        for name in sorted(self.arrays.keys() - {*declared.names}):
            flags = "constant" if self.arrays[name].ndim else "shared, constant"
            lines.append(f"{name} : {self._unit(name)} ({flags})")
        return "\n".join(line.strip() for line in [*lines, *(f"{n} : 1" for n in self._sums)])

    @property
    def _sums(self) -> tuple[str, ...]:
        inhibited = ("inhibited",) if self.program.inhibited else ()
        return ("arrived", *inhibited, *map(_sum_to, self.program.model.targets))

    def _start(self) -> str:
        program = self.program
        values = {"not_refractory": "True", "lastspike": f"{NEVER:g}*second"}
        values |= program.model.initial_state
        values |= {n.removesuffix("_start"): n for n in self.arrays if n.endswith("_start")}
        first = [name for name in program.written if name not in program.initial]
        lines = []
        for name in (*first, *program.initial):  # also those that nothing changes later
            zero = "False" if program.states[name].dtype == "boolean" else "0"
            zero += f"*({self._unit(name)})" * (self._unit(name) != "1")
            lines.append(f"{name} = {values.get(name, zero)}")
        return "\n".join(lines)

    def _receive(self) -> str:
        model, lines = self.program.model, []
        extra = ["bias"] * (self.biases is not None) + ["background(t, i)"] * self.background
        inhibition = {} if model.inhibition is None else {model.inhibition: model.weight}
        for name, amount in {**model.received, **inhibition}.items():
            arrived, sign = ("inhibited", "-") if name in inhibition else ("arrived", "")
            more = (f"clip({sign}{each}, 0, inf)" if inhibition else each for each in extra)
            total = " + ".join([arrived, *more])
            if amount != "1":
                factor = "unit" if self._has_unit and amount == model.weight else f"({amount})"
                total = f"({total})*{factor}" if extra else f"{total}*{factor}"
            lines.append(f"{name} += {total}")
        lines += [f"{n} += {_sum_to(n)}*({amount})" for n, amount in model.targets.items()]
        return "\n".join([*lines, *(f"{name} = 0" for name in self._sums)])

    def on_pre(self, factors: Iterable[str], target: str | None = None) -> str:
        """Return statements that add the weight of a spike, times some factors, to the input.

        With a `target`, they add it to the input of that variable.
        """
        weights = {"arrived" if target is None else _sum_to(target): "weight"}
        if self.program.inhibited and target is None:
            weights = {"arrived": "weight*int(weight > 0)", "inhibited": "-weight*int(weight < 0)"}
        adds = (f"{n}_post += {'*'.join([each, *factors])}" for n, each in weights.items())
        return "\n".join(adds)


def _sum_to(target: str) -> str:
    return f"arrived_{target}"


def _closed(text: str) -> bool:
    """Return whether an expression names only units and constants."""
    return Expression(text).names <= constants().keys()
