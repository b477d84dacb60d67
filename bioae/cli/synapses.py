"""``bioae synapses``: list synapse models, show one and its learning window."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bioae.checks import number
from bioae.cli.options import Json, check_effect, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.equations import SynapseModel

#: The intervals of a learning window, in milliseconds.
_WIDEST, _POINTS = 100.0, 201


def list_synapses(*, json: Json = False) -> None:
    """List the shipped synapse models: learning rules."""
    from bioae.cli.tables import print_entries
    from bioae.equations import available_synapses, load_synapse

    models = [load_synapse(name) for name in available_synapses()]
    if json:
        print(json_format.dumps([{"name": m.name, **m.to_mapping()} for m in models]))
        return
    print_entries((m.name, (m.description, m.reference)) for m in models)


def show_synapses(
    name: str,
    /,
    *,
    levels: Annotated[int, whole(2, 2**20)] | None = None,
    largest: float | None = None,
    write_noise: float | None = None,
    window: Path | None = None,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Show a synapse model's equations, and draw its learning window.

    The output is a synapse model file, with the derived statements in its comments.

    Parameters
    ----------
    name
        A shipped model's name, or the path of a TOML file.
    levels
        Show the rule with memristive weights: pairs of conductances with this number of levels.
    largest
        With --levels, the largest magnitude of a weight; 1 by default.
    write_noise
        With --levels, the standard deviation of the number of levels that a pulse moves a
        conductance; 0 by default.
    window
        The picture of the learning window to write: the change of the weight by a pair of spikes
        against the interval between them. An .svg, .png or .pdf file.
    overwrite
        Replace an existing picture.
    """
    from bioae.cli.tables import print_model
    from bioae.equations import load_synapse, lower_synapse, with_devices

    if window is None:
        check_effect("only --window writes a file", overwrite=overwrite)
    model = load_synapse(name)
    if levels is None:
        reason = "weights are in devices only with --levels"
        check_effect(reason, largest=largest, write_noise=write_noise)
    else:
        largest = number(1.0 if largest is None else largest, "--largest", above=0)
        noise = number(write_noise or 0.0, "--write-noise", least=0)
        model = with_devices(model, levels, largest=largest, noise=noise)
    rule = lower_synapse(model)
    blocks = {key: getattr(rule, key) for key in ("integrate", "on_pre", "on_post", "regularly")}
    derived = {
        "pre": [str(each) for each in rule.traces["pre"].update] if "pre" in rule.traces else [],
        "post": [str(each) for each in rule.traces["post"].update] if "post" in rule.traces else [],
        "layer": [f"{name} = sum({value})" for name, value in rule.sums.items()]
        + [str(each) for each in rule.layer],
        **{
            key: [str(each) for each in (b if rule.in_script else b.on_grid).statements]
            for key, b in blocks.items()
        },
        "parity": [_class(rule.inexact)],
    }
    heading = "Derived by Brian2 and bioae; constants are in base units."
    print_model(model, derived, heading, json=json)
    if window is not None:  # afterwards: a picture that is refused must not empty a file
        _draw(model, window, overwrite=overwrite)


def _class(inexact: tuple[str, ...]) -> str:
    """Return the class of agreement between the mirror and Brian2, and its reason."""
    if not inexact:
        return "exact"
    return f"up to the precision of libraries' functions: {', '.join(inexact)}"


def _draw(model: SynapseModel, path: Path, *, overwrite: bool) -> None:
    import numpy as np

    from bioae.analysis.plots import save_figure
    from bioae.analysis.plots.style import INK, new_figure, styled
    from bioae.equations import learning_window
    from bioae.equations.synapses.windows import usual_weight
    from bioae.files import check_output

    check_output(path, overwrite=overwrite, kind="file")
    intervals = np.linspace(-_WIDEST, _WIDEST, _POINTS)
    weight = usual_weight(model)
    change = learning_window(model, intervals, weight=weight)
    held = f", {' and '.join(model.held)} 1" if model.held else ""

    @styled
    def draw() -> Figure:
        figure = new_figure(4.0, 2.8)
        axes = figure.subplots()
        axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
        for side in (intervals < 0, intervals > 0):
            axes.plot(intervals[side], change[side], color=INK)
        axes.set(
            title=f"{model.name}: weight {weight:g}{held}",
            xlabel="target's spike after the source's, ms",
            ylabel="change of the weight",
        )
        return figure

    save_figure(draw(), path, overwrite=overwrite)
