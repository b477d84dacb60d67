"""What was measured as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from bioae.analysis.definitions import DEFINITIONS, anchor
from bioae.analysis.layers import layer_names
from bioae.analysis.measures import Measures
from bioae.analysis.tables import Table, as_table, format_value
from bioae.analysis.verdicts import Verdict

__all__ = ["measure_tables"]

Rows = list[dict[str, Any]]


def measure_tables(measures: Measures) -> list[Table]:
    """Return all tables of what was measured, in the order in which they are shown."""
    return [
        as_table("Reconstruction error", _reconstruction(measures.reconstruction)),
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
    layers = {layer: tree["layers"].children[layer].to_dataset() for layer in layer_names(tree)}
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
                    "statistic": str(name).replace("_", " "),
                    "mean, first": row["mean_a"],
                    "mean, second": row["mean_b"],
                    "difference (95 % interval)": f"{format_value(row['difference'])} "
                    f"({low} to {high})",
                    "effect size": effect,
                    "Cohen's d": row["cohens_d"],
                    "p, corrected": row["p_holm"],
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
    return replace(as_table(caption, rows), notes=(note,))


def _cortex(name: str, layers: Mapping[str, Sequence[Verdict]]) -> Table:
    """One row a measured range, one column a layer."""
    rows: Rows = []
    notes: list[str] = []
    for of_layers in zip(*layers.values(), strict=True):
        reference = of_layers[0].reference
        heading = f"{reference.statistic.replace('_', ' ')}: {reference.range}"
        source = f"{reference.authors} {reference.year}, {reference.animal}, {reference.area}, "
        rows.append(
            {
                "": heading,
                "measured in": f"{source}{reference.state}",
                **{layer: _said(each) for layer, each in zip(layers, of_layers, strict=True)},
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
    return replace(as_table(caption, rows), notes=tuple(notes))


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
