"""What was measured as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from bioae.analysis.measures.definitions import DEFINITIONS, anchor
from bioae.analysis.measures.measures import Measures
from bioae.analysis.measures.tables import Table, as_table, format_value
from bioae.analysis.measures.verdicts import Verdict
from bioae.analysis.results.layers import layers_of

__all__ = ["measure_tables"]

Rows = list[dict[str, Any]]

_ERRORS = (
    "Pixels lie between 0 (black) and 1 (white). The squared error of an image is summed over its "
    "pixels, or averaged over them, and then averaged over the images. The baselines reconstruct "
    "nothing at all, and always the mean of the inputs."
)
#: Where the statistics of neurons are defined: with their means over a layer.
_DEFINED = {
    "firing_rate": "rate_hz_mean",
    "mean_rate": "rate_hz_mean",
    "median_rate": "rate_hz_median",
    "isi_cv": "isi_cv_mean",
    "isi_cv2": "isi_cv2_mean",
    "lv": "lv_mean",
    "lvr": "lvr_mean",
    "fano_factor": "fano_mean",
    "lifetime_sparseness": "sparseness_lifetime",
    "population_sparseness": "sparseness_population",
    "noise_correlation": "pairwise_correlation_mean",
}
_WORDS = {
    "isi": "ISI", "cv": "CV", "cv2": "CV2", "lv": "LV", "lvr": "LvR", "hz": "Hz", "fano": "Fano",
}  # fmt: skip


def measure_tables(measures: Measures) -> list[Table]:
    """Return all tables of what was measured, in the order in which they are shown."""
    return [
        replace(
            as_table("Reconstruction error", _reconstruction(measures.reconstruction)),
            notes=(_ERRORS,),
        ),
        *(_firing(name, tree) for name, tree in measures.statistics.items()),
        *(
            as_table(f"Spikes of {a} (first) against {b} (second)", data)
            for (a, b), data in measures.spikes.items()
            if isinstance(data, xr.Dataset)
        ),
        *(
            _effects(a, b, data)
            for (a, b), data in measures.effects.items()
            if isinstance(data, xr.Dataset)
        ),
        *(_cortex(name, layers) for name, layers in measures.verdicts.items()),
    ]


def _reconstruction(errors: Mapping[str, xr.Dataset]) -> Rows:
    """One row a result, then the baselines, once for the results that share their inputs."""
    rows = [{"": name, **_named(data.sel(predictor="network"))} for name, data in errors.items()]
    distinct: dict[str, xr.Dataset] = {}
    for name, data in errors.items():
        baselines = data.drop_sel(predictor="network")
        if not any(baselines.equals(other) for other in distinct.values()):
            distinct[name] = baselines
    for name, data in distinct.items():
        suffix = f", inputs of {name}" if len(distinct) > 1 else ""
        for predictor in data["predictor"].to_numpy():
            label = f"baseline: {predictor.replace('_', ' ')}{suffix}"
            rows.append({"": label, **_named(data.sel(predictor=predictor))})
    return rows


def _firing(name: str, tree: xr.DataTree) -> Table:
    """One row a number, one column a layer."""
    layers = layers_of(tree)
    rows, anchors, notes = [], {}, []
    for key, definition in DEFINITIONS.items():
        units = "" if definition.units == "1" else f" ({definition.units})"
        heading = f"{definition.label}{units}"
        anchors[heading] = anchor(key)
        rows.append({"": heading, **{layer: data[key].item() for layer, data in layers.items()}})
        reasons = {
            layer: data[key].attrs["undefined"]
            for layer, data in layers.items()
            if "undefined" in data[key].attrs
        }
        notes += [
            f"{definition.label} is undefined in {_listed(where)}: {reason}."
            for reason, where in _turned(reasons).items()
        ]
    return replace(as_table(f"Firing: {name}", rows), anchors=anchors, notes=tuple(notes))


def _effects(a: str, b: str, data: xr.Dataset) -> Table:
    rows = []
    for layer in data["layer"].to_numpy():
        for name in data["statistic"].to_numpy():
            row = {
                key: value.item() for key, value in data.sel(layer=layer, statistic=name).items()
            }
            low, high = (format_value(row[f"difference_{end}"]) for end in ("low", "high"))
            effect = row["rank_biserial"] if row["paired"] else row["cliffs_delta"]
            rows.append(
                {
                    "layer": str(layer),
                    "statistic": _heading(str(name)),
                    "mean, first": row["mean_a"],
                    "mean, second": row["mean_b"],
                    "difference (95 % interval)": f"{format_value(row['difference'])} "
                    f"({low} to {high})",
                    "effect size": effect,
                    "Cohen's d": row["cohens_d"],
                    "p, corrected": "< 1e-300" if row["p_holm"] == 0 else row["p_holm"],
                    "neurons": f"{row['neurons_a']:,}"
                    if row["paired"]
                    else f"{row['neurons_a']:,} and {row['neurons_b']:,}",
                }
            )
    paired = bool(data["paired"].all())
    how = (
        "Neurons are compared in pairs: the effect size is the rank-biserial correlation, p is of "
        "Wilcoxon's signed-rank test"
        if paired
        else "Neurons are compared as two samples where layers are not of the same network: the "
        "effect size is Cliff's delta (of pairs the rank-biserial correlation), p is of the "
        "Mann-Whitney test (of pairs Wilcoxon's)"
    )
    note = (
        f"{how}, corrected for all tests of the table by Holm's method. The difference is second "
        "minus first, its interval a bootstrap's. Effect sizes are positive where the second is "
        "larger. A neuron counts where its statistic is defined."
    )
    caption = f"Neurons of {a} (first) against {b} (second)"
    anchors = {_heading(name): anchor(key) for name, key in _DEFINED.items()}
    return replace(as_table(caption, rows), notes=(note,), texts=("statistic",), anchors=anchors)


def _cortex(name: str, layers: Mapping[str, Sequence[Verdict]]) -> Table:
    """One row a measured range, one column a layer."""
    rows: Rows = []
    notes: list[str] = []
    anchors: dict[str, str] = {}
    for of_layers in zip(*layers.values(), strict=True):
        reference = of_layers[0].reference
        heading = f"{_worded(reference.statistic)}: {reference.range}"
        source = f"{reference.authors} {reference.year}, {reference.animal}, {reference.area}, "
        if reference.statistic in _DEFINED:
            anchors[heading] = anchor(_DEFINED[reference.statistic])
        rows.append(
            {
                "": heading,
                **{layer: _said(each) for layer, each in zip(layers, of_layers, strict=True)},
                "measured in": f"{source}{reference.state}",
            }
        )
        reasons = {layer: each.reason for layer, each in zip(layers, of_layers, strict=True)}
        notes.append(
            f"{heading} – {reference.summary}; {reference.conditions}. {reference.citation}"
            + "".join(
                f". {_listed(where).capitalize() if len(where) < len(layers) else 'Here'}: {reason}"
                for reason, where in _turned(reasons).items()
                if reason
            )
            + "."
        )
    caption = f"Beside what was measured in cortex: {name}"
    table = as_table(caption, rows)
    return replace(table, notes=tuple(notes), texts=("measured in",), anchors=anchors)


def _heading(name: str) -> str:
    return f"{_worded(name)} (Hz)" if name == "firing_rate" else _worded(name)


def _worded(name: str) -> str:
    """Return the name of a statistic as people write it."""
    return " ".join(_WORDS.get(word, word) for word in name.split("_"))


def _said(each: Verdict) -> str:
    if each.outcome == "not comparable":
        return "not comparable"
    return f"{format_value(float(each.value))}: {each.outcome}"


def _turned(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the layers of each reason."""
    turned: dict[str, list[str]] = {}
    for layer, reason in reasons.items():
        turned.setdefault(reason, []).append(layer)
    return turned


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _named(data: xr.Dataset) -> dict[str, Any]:
    return {str(array.attrs["long_name"]): array.item() for array in data.data_vars.values()}
