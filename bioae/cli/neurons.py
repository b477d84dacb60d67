"""``bioae neurons``: list the neuron models, show one, check a file."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioae.equations import NeuronModel, Program

__all__ = ["check_neurons", "list_neurons", "show_neurons"]


def list_neurons(*, json: bool = False) -> None:
    """List the shipped neuron models.

    Parameters
    ----------
    json
        Print one JSON list.
    """
    from bioae.equations import available, load_model

    models = [load_model(name) for name in available()]
    if json:
        print(json_format.dumps([{"name": m.name, **m.to_mapping()} for m in models]))
        return
    width = max(len(model.name) for model in models)
    for model in models:
        fires = "fires" if model.threshold is not None else "never fires"
        trained = f"may train {', '.join(model.trainable)}" if model.trainable else "is not trained"
        print(f"{model.name:{width}}  {model.description}")
        print(f"{'':{width}}  {fires}; {trained}")


def show_neurons(name: str, /, *, dt: str = "1*ms", json: bool = False) -> None:
    """Show a neuron model's equations, and what is derived from them.

    What is printed is a neuron model file: what is derived stands in its comments.

    Parameters
    ----------
    name
        A shipped model's name, or the path of a TOML file.
    dt
        The time step for which derived constants are shown.
    json
        Print one JSON object.
    """
    from bioae.equations import load_model, lower
    from bioae.equations.quantities import time_in_seconds

    seconds = time_in_seconds(dt, where="--dt")
    model = load_model(name)
    derived = _derived(lower(model), seconds)
    if json:
        print(json_format.dumps({"name": model.name, **model.to_mapping(), "derived": derived}))
        return
    print(model.to_toml())
    print(f"# Derived by Brian2, for dt = {dt}; constants are in base units.")
    for heading, lines in derived.items():
        for place, line in enumerate(lines if isinstance(lines, list) else [lines]):
            print(f"# {heading if place == 0 else '':14} {line}".rstrip())


def check_neurons(file: Path, /, *, json: bool = False) -> int:
    """Check a neuron model's file: whether it loads, and whether both sides agree on it.

    Parameters
    ----------
    file
        The TOML file.
    json
        Print one JSON object.

    Returns
    -------
    int
        0 if the model can be used, 1 if the mirror and Brian2 (NumPy) disagree on it.
    """
    from bioae.equations import load_model, lower
    from bioae.trainers.parity import model_parity

    model = load_model(file)
    lower(model)
    if model.threshold is None:
        report: dict[str, Any] = {"model": model.name, "parity": None}
        line, passed = "it never fires: a read-out", True
    else:
        parity = model_parity(model)
        report = {"model": model.name, "parity": parity.to_json()}
        passed = parity.passed
        line = (
            f"{parity.differing} of {parity.spikes:,} spikes differ between the mirror and Brian2"
        )
    if json:
        print(json_format.dumps(report, allow_nan=False))
    else:
        print(f"{file}: loads, and Brian2 integrates it; {line}")
        print(_trainable(model))
    return 0 if passed else 1


def _derived(program: Program, dt: float) -> dict[str, str | list[str]]:
    """Return the statements of a step and the constants that they name, as text."""
    from bioae.equations.stepping import constant_values, default_parameters

    given = default_parameters(program)
    values = constant_values(program, given, dt=dt, n=1)
    constants = [
        f"{name} = {text} = {float(values[name].ravel()[0]):.6g}"
        for name, text in program.constants.items()
    ]
    parts: dict[str, str | list[str]] = {
        "variables": [f"{name} : {state.unit}" for name, state in program.states.items()],
        "parameters": [
            f"{name} = {float(given[name]):.6g} : {parameter.unit}"
            for name, parameter in program.parameters.items()
        ],
        "constants": constants,
        "before a step": [str(statement) for statement in program.prepare],
        "update": [str(s) for s in (*program.refractoriness, *program.update)],
        "fires if": program.condition or "",
        "reset": [str(statement) for statement in (*program.on_spike, *program.reset)],
        "input": [str(statement) for statement in program.receive],
        "distance": program.distance or "",
        "scale": program.scale or "",
    }
    return {heading: lines for heading, lines in parts.items() if lines}


def _trainable(model: NeuronModel) -> str:
    if not model.trainable:
        return "No parameter may be trained: there is no [trainable]."
    ranges = (f"{name} from {low} to {high}" for name, (low, high) in model.trainable.items())
    return f"Training may move {', '.join(ranges)}."
