"""The page of a fit: its answer, tables and figures in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from bioae.analysis import plots, write_page
from bioae.recordings import Recording

#: The most parameters in the heading, and the score in it.
_NAMED, _SCORE = 6, "gamma_4ms"

_RECORDING = (
    "The recording (dark) and the freely running fitted neuron: the input, the potential, and the "
    "spikes of each trial. Of a long recording, one second is shown."
)
_STARTS = (
    "Each point is a start of the search, in the order of its loss: the loss, and where each "
    "parameter ended within its bounds. A row of equal points is an answer that does not depend on "
    "the start."
)
_PROFILES = (
    "The loss along a parameter with all others fitted again at each point. The standard error "
    "holds where the loss is its parabola; below the dotted line is the 95 % interval."
)


def write_fit(
    path: Path | str,
    fit: Any,
    rows: Sequence[tuple[str, ...]],
    *,
    test: tuple[Recording, Any] | None,
    profiles: Mapping[str, xr.Dataset],
    overwrite: bool,
) -> None:
    """Write the page of a `Fit`, whose parameters `rows` show; see `Fit.report`."""
    scores = {"fit": fit.scores()}
    free_run = fit.predict()
    figures = [("Recording and prediction", _RECORDING, plots.recordings(fit.recording, free_run))]
    if test is not None:
        recording, after = test
        scores["test"] = fit.scores(recording, after=after)
        parts = [recording, fit.predict(recording)]
        if after is not None:
            parts = [each.split(after)[1] for each in parts]
        caption = f"{_RECORDING} These data were left out of the fit."
        figures.append(("Test", caption, plots.recordings(*parts)))
    figures.append(("Starts of the search", _STARTS, plots.fit_starts(fit.starts)))
    if profiles:
        figures.append(("Profiles", _PROFILES, plots.fit_profile(profiles)))
    names, *cells = rows
    agreement = [
        {"score of the free run": name, **{part: each.get(name) for part, each in scores.items()}}
        for name in dict.fromkeys(name for part in scores.values() for name in part)
    ]
    parameters = [dict(zip([*names[:-1], "note"], each, strict=True)) for each in cells]
    write_page(
        path,
        title=_title(fit, cells, {part: each.get(_SCORE) for part, each in scores.items()}),
        notes=[f"Fit of {fit.neuron.name} to {fit.recording.name}.", *fit.notes()],
        tables=[("Parameters", parameters), ("Agreement with the recording", agreement)],
        figures=figures,
        models={fit.neuron.name: fit.neuron.to_toml()},
        overwrite=overwrite,
    )


def _title(fit: Any, cells: Sequence[tuple[str, ...]], scores: Mapping[str, float | None]) -> str:
    """Return the answer in a sentence: parameters, starts that agree, and scores."""
    values = [f"{name} = {value}" for name, value, *_ in cells[:_NAMED]]
    more = f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
    agree = f"{fit.agreeing} of {fit.starts.sizes['start']} starts agree"
    gamma = [f"{each:.3f} ({part})" for part, each in scores.items() if each is not None]
    agreement = f", Γ {' and '.join(gamma)} at 4 ms" if gamma else ""
    return f"{', '.join(values)}{more}: {agree}{agreement}"
