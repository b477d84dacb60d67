"""Sentences at the head of a report: the outcome of each result, dead neurons, differing spikes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import xarray as xr

from bioae.analysis.report.measures import Measures


def lead(measures: Measures) -> list[str]:
    """Return the answers of a report in whole sentences, a paragraph per result and comparison."""
    paragraphs = [" ".join(_of_result(measures, name)) for name in measures.attributes]
    for (a, b), spikes in measures.spikes.items():
        if isinstance(spikes, xr.Dataset):
            differing, total = (int(spikes[key].sum()) for key in ("differing", "spikes_a"))
            found = f"{differing:,} spikes differ" if differing else "Not one spike differs"
            paragraphs.append(f"{found} between {a} ({total:,} spikes) and {b}.")
    return [each for each in paragraphs if each]


def _of_result(measures: Measures, name: str) -> Iterator[str]:
    if name in measures.reconstruction:
        errors = measures.reconstruction[name]["sum_squared_error"]
        network, mean = (float(errors.sel(predictor=key)) for key in ("network", "mean_image"))
        yield (
            f"The squared error of {name} is {network:.3g} per image; the mean image has "
            f"{mean:.3g}."
        )
    if name in measures.scores:
        first = measures.scores[name].isel(score=0)
        label = str(first["score"].item()).replace("_", " ")
        yield f"The {label} of {name} is {float(first['value']):.3g}."
    layers = measures.layers
    if name in layers.index.get_level_values("result"):
        numbers = layers.loc[name]
        states = {"dead": "dead_fraction", "bursting": "bursting_fraction"}
        found = [_neurons(numbers[key], state) for state, key in states.items()]
        yield f"In {name}, {'; '.join(filter(None, found)) or 'no neuron is dead or bursting'}."


def _neurons(fractions: Any, state: str) -> str:
    some = [f"{100 * value:.2g} % of {layer}" for layer, value in fractions.items() if value > 0]
    return f"{state} neurons are {', '.join(some)}" if some else ""
