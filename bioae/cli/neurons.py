"""``bioae neurons``: list neuron models, show one, check a file."""

from __future__ import annotations

import json as json_format
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bioae.cli.options import Json
from bioae.simulation.backend import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bioae.equations import NeuronModel, Program
    from bioae.trainers.parity import Parity

#: Network weights of a spike; the models that come with bioae need 1 to 10.
_GREATEST = 1000
#: The error of a time step: that of Euler's method with a step as long as a time constant is 0.32.
_COARSE = 0.3


def list_neurons(*, json: Json = False) -> None:
    """List the shipped neuron models."""
    from bioae.cli.tables import print_entries
    from bioae.equations import available, load_neuron

    models = [load_neuron(name) for name in available()]
    if json:
        print(json_format.dumps([{"name": m.name, **m.to_mapping()} for m in models]))
        return
    entries = []
    for model in models:
        fires = "fires" if model.threshold is not None else "never fires"
        trained = f"trainable: {', '.join(model.trainable)}" if model.trainable else "not trainable"
        entries.append((model.name, (model.description, f"{fires}; {trained}")))
    print_entries(entries)


def show_neurons(name: str, /, *, dt: str | None = None, json: Json = False) -> None:
    """Show a neuron model's equations and parameters.

    The output is a neuron model file, with the derived statements in its comments.

    Parameters
    ----------
    name
        A shipped model's name, or the path of a TOML file.
    dt
        The time step of derived constants; the model's largest, or 1 ms, by default.
    """
    from bioae.cli.tables import print_model
    from bioae.equations.quantities import time_in_seconds

    model, program = _loaded(name)
    dt = model.dt or "1*ms" if dt is None else dt
    derived = _derived(program, time_in_seconds(dt, where="--dt"))
    heading = f"Derived by Brian2, for dt = {dt}; constants are in base units."
    print_model(model, derived, heading, json=json)


def check_neurons(file: Path, /, *, target: Target = "numpy", json: bool = False) -> int:
    """Check the file of a neuron model.

    Loads the model, prints its rheobase in network weights, warns if it fires without input, never,
    or for no single spike of a usual weight, if nothing sets a variable, or if the time step is too
    long for its equations, and compares the mirror with Brian2. Without PyTorch, which the mirror
    needs, it says that it does not compare them.

    Parameters
    ----------
    file
        The TOML file.
    target
        Brian2's target; those that compile take longer.
    json
        Print one JSON object. Its key parity is null without PyTorch.

    Returns
    -------
    int
        0 if the model can be used, 1 if the mirror and Brian2 disagree: on spikes, or on states if
        the model never fires.
    """
    from bioae.cli.compared import summary, to_try
    from bioae.cli.tables import print_wrapped
    from bioae.extras import has_torch, installing
    from bioae.responses.isolated import unset

    model, program = _loaded(file)
    unusual, drive = _firing(model)
    unusual += [*unset(program).values(), *_discretised(model, drive or 1.0)]
    if not json:
        print_wrapped(f"{file}: loads, and Brian2 integrates it.", indent=2)
        if drive is not None:
            print_wrapped(f"Rheobase: {drive:.3g} network weights per ms.", indent=2)
        for line in unusual:
            print_wrapped(f"Warning: {line}", indent=2)
    tried = to_try(target)
    reports = _parities(model, tried.targets) if has_torch() else []
    passed = all(parity.passed for parity in reports)
    if json:
        report = {
            "model": model.name,
            "parity": summary(reports) if reports else None,
            "class": _class(program),
            "trainable": {name: list(bounds) for name, bounds in model.trainable.items()},
            "rheobase_per_ms": drive,
            "warnings": unusual,
        }
        print(json_format.dumps(report, allow_nan=False))
    else:
        if reports:
            print_wrapped(str(tried), indent=2)
            for parity in reports:
                failed = "" if parity.passed else ", FAILED"
                print_wrapped(f"{parity.target}: {_agreement(parity)}{failed}", indent=2)
            outcome = "passed" if passed else "FAILED"
            print_wrapped(f"Parity is {_class(program)}; {outcome}.", indent=2)
        else:
            print_wrapped(
                f"Not compared with PyTorch, which is not installed: {installing('train')}"
            )
        ranges = ", ".join(_ranges(model))
        none = "No parameter is trainable: the file has no [trainable]."
        print_wrapped(f"Trainable: {ranges}." if ranges else none, indent=2)
    return 0 if passed else 1


def _firing(model: NeuronModel) -> tuple[list[str], float | None]:
    """Return lines on unusual firing, and the rheobase in network weights per ms, if there is one.

    A neuron is unusual that fires without input, under no constant drive, or for no single spike
    of up to `_GREATEST` network weights.
    """
    from bioae.errors import ModelError
    from bioae.responses import rate_curve, rheobase, threshold_weight

    if model.threshold is None:
        return [], None
    advice = "look at the threshold, and at the size and sign of `weight`"
    drive = rheobase(model, per="ms")
    if drive == math.inf:
        limit = "under no constant drive of up to 1,000,000 network weights per ms"
        return [f"it never fires, {limit}; {advice}"], None
    if not drive:
        line = "it fires without input"
        with suppress(ModelError):  # a state does not stay finite
            rate = float(rate_curve(model, [0.0], duration="500*ms", discard="0*ms")[0])
            line += f", {rate:.3g} spikes per second in the first 500 ms"
        return [line], None
    try:
        weight = threshold_weight(model)
    except ModelError:
        weight = math.inf
    if weight <= _GREATEST:
        return [], drive
    needed = "none makes it" if weight == math.inf else f"it needs {weight:,.0f}"
    spike = f"no single spike of up to {_GREATEST:,} network weights makes it fire, {needed}"
    return [f"{spike}; {advice}"], drive


def _discretised(model: NeuronModel, weight: float) -> list[str]:
    """Return lines on the longest time step, or that of networks, if it changes the neuron."""
    from bioae.equations import available
    from bioae.equations.declarations import parameter_values
    from bioae.equations.quantities import constants, evaluate, time_in_seconds
    from bioae.errors import InputError
    from bioae.networks.config import NetworkConfig
    from bioae.responses.isolated import step_error, step_warning

    dt, lines = model.dt or NetworkConfig.model_fields["dt"].default, []
    step, second = time_in_seconds(dt, where="dt"), constants()["second"]
    steps = [dt, *(f"{step * 1e3 / 2**halving:.3g}*ms" for halving in range(1, 7))]
    with suppress(InputError):  # a condition, or random
        pause = evaluate(
            model.refractory or "0*second", parameter_values(model),
            dimensions_of=second, where="refractory",
        )  # fmt: skip
        if 0 < float(pause) < step:
            lines.append(f"the refractory time is shorter than a step of {steps[0]}: no effect")
    fits = next((each for each in steps if step_error(model, weight, each) <= _COARSE), None)
    if fits != dt:
        differs = f"with steps of {dt}, the response to a spike is not that of shorter ones"
        advice = f'write dt = "{fits}", or' if fits else f"nor is it down to {steps[-1]}; write"
        return [*lines, f"{differs}; {advice} another `method`"]
    line = None if model.name in available() else step_warning(model, step)
    return lines if line is None else [*lines, line]


def _parities(model: NeuronModel, targets: Sequence[Target]) -> list[Parity]:
    from bioae.api import engine_of
    from bioae.trainers.parity.comparison import model_parities

    return model_parities(model, targets, engine_of)


def _loaded(name: str | Path) -> tuple[NeuronModel, Program]:
    """Return a model that fits in every respect, and its program."""
    from bioae.equations import load_neuron, lower
    from bioae.equations.declarations import trained_bounds

    model = load_neuron(name)
    program = lower(model)
    for trained in model.trainable:
        trained_bounds(model, trained)
    return model, program


def _agreement(parity: Parity) -> str:
    between = "differ between the mirror and Brian2"
    between += "".join(f"; {layer}: {line}" for layer, line in parity.diverged.items())
    if parity.silent:
        pairs = parity.examples * parity.steps * parity.neurons
        return f"it never fires: a read-out; {parity.differing} of {pairs:,} states {between}"
    spikes = f"{parity.differing} of {parity.spikes:,} spikes {between}"
    if parity.exact:
        return spikes
    return (
        f"{spikes}; agreement step by step {parity.one_step:.6g}, {parity.excused} within rounding"
    )


def _class(program: Program) -> str:
    """Return the class of agreement between the mirror and Brian2, and its reason."""
    if program.reproducible:
        return "exact"
    functions = ", ".join(program.inexact)
    return f"step by step, to the precision of libraries' functions of the state: {functions}"


def _derived(program: Program, dt: float) -> dict[str, str | list[str]]:
    """Return the statements of a step and the constants that they name, as text."""
    from bioae.equations.arrays.start import Start, default_parameters

    defaults = default_parameters(program)
    values = Start(program, dt, 1).constants(defaults)
    known = {
        name: f"{name} = {float(value.ravel()[0]):.6g}"
        for name, value in {**defaults, **values}.items()
    }
    scale = program.scale.text if program.scale else ""
    parts: dict[str, str | list[str]] = {
        "variables": [f"{name} : {state.unit}" for name, state in program.states.items()],
        "parameters": [f"{known[name]} : {each.unit}" for name, each in program.parameters.items()],
        "constants": [
            known[name].replace("=", f"= {text} =", 1) for name, text in program.constants.items()
        ],
        "before a step": list(map(str, program.prepare)),
        f"every {program.model.run_every}" if program.due else "in each step": list(
            map(str, program.regularly)
        ),
        "update": list(map(str, (*program.refractoriness, *program.update))),
        "fires if": str(program.condition or ""),
        "reset": list(map(str, (*program.on_spike, *program.reset))),
        "input": list(map(str, program.receive)),
        "events": [
            line
            for name, event in program.events.items()
            for line in (f"{name} if {event.condition}", *(f"  {s}" for s in event.statements))
        ],
        "distance": str(program.distance or ""),
        "scale": known.get(scale, scale),
        "trainable": _ranges(program.model),
        "weight": _weight(program.model),
        "parity": _class(program),
    }
    return {heading: lines for heading, lines in parts.items() if lines}


def _weight(model: NeuronModel) -> str:
    each = [f"{amount} to {name}" for name, amount in model.received.items()]
    adds = f"a weight of 1 adds {' and '.join(each)}"
    return adds if model.inhibition is None else f"{adds}, one of -1 to {model.inhibition}"


def _ranges(model: NeuronModel) -> list[str]:
    return [f"{name} from {low} to {high}" for name, (low, high) in model.trainable.items()]
