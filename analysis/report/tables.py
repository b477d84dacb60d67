"""Tables of the report and of the terminal, from the measures of one or more results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from bioae.analysis.firing.rates import BURSTING_THRESHOLD
from bioae.analysis.measures.definitions import DEFINITIONS, Table, anchor, as_table, format_value
from bioae.analysis.measures.verdicts import Verdict
from bioae.analysis.report.measures import Measures
from bioae.analysis.results.layers import layers_of
from bioae.firing_names import bursting_note

Rows = list[dict[str, Any]]

_ERRORS = (
    "Pixel values range from 0 (black) to 1 (white). The squared error of an image is summed or "
    "averaged over its pixels, and then averaged over the images. The two baselines reconstruct "
    "an image of zeros and the mean image: of the training images if given, else of these inputs."
)
_SCORES = (
    "The interval of an accuracy is Wilson's, of 95 %: it is about the choice of the examples, not "
    "about that of the network."
)
_CONFUSION = (
    "Examples of each true class (rows) by predicted class (columns), and 95 % intervals (Wilson) "
    "of their fraction of the row."
)
#: The most classes of a confusion matrix that is printed as a table.
_MOST_CLASSES = 20
_PAIRED = (
    "Neurons are compared in pairs: the effect size is the rank-biserial correlation, p is of "
    "Wilcoxon's signed-rank test"
)
_SAMPLES = (
    "Neurons are compared as two samples where layers are not of the same network: the effect size "
    "is Cliff's delta (of pairs the rank-biserial correlation), p is of the Mann-Whitney test (of "
    "pairs Wilcoxon's)"
)
#: The definitions of the statistics of neurons are those of their means over a layer.
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
#: Those whose definition has another label: it is of a mean, or of another kind of correlation.
_LABELLED = {"firing_rate": "firing rate", "noise_correlation": "noise correlation"}


def measure_tables(measures: Measures) -> list[Table]:
    """Return all tables, in the order of the report."""
    return [
        *_outcomes(measures),
        *(_firing(measures, name) for name, layers in measures.verdicts.items() if layers),
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
        *(_cortex(measures, name) for name, layers in measures.verdicts.items() if layers),
    ]


def _outcomes(measures: Measures) -> Iterator[Table]:
    """Return the tables of the outputs: errors of reconstructions, scores of other tasks."""
    if measures.reconstruction:
        errors = as_table("Reconstruction error", _reconstruction(measures.reconstruction))
        yield replace(errors, notes=(_ERRORS,))
    if measures.scores:
        rows = [
            {"": name, **{row["label"]: _with_interval(row) for _, row in table.iterrows()}}
            for name, table in ((n, data.to_dataframe()) for n, data in measures.scores.items())
        ]
        yield replace(as_table("Scores", rows), notes=(_SCORES,))
    for name, matrix in measures.confusion.items():
        if matrix.sizes["true"] <= _MOST_CLASSES:
            yield _confusion(name, matrix)
        if name not in measures.class_rates:
            continue
        rates = measures.class_rates[name].to_dataset("layer").to_dataframe()
        rows = [{"class": str(label), **row} for label, row in rates.to_dict("index").items()]
        yield as_table(f"Firing rate by class (Hz): {name}", rows)


def _with_interval(score: Mapping[str, float]) -> str:
    value, low, high = (format_value(float(score[name])) for name in ("value", "low", "high"))
    return value if low == high == format_value(None) else f"{value} ({low} to {high})"


def _confusion(name: str, matrix: xr.Dataset) -> Table:
    """Return a row per true class, a column per predicted class."""
    rows: dict[str, dict[str, Any]] = {}
    for (label, other), cell in matrix.to_dataframe().iterrows():
        interval = f" ({100 * cell['low']:.0f}–{100 * cell['high']:.0f} %)" if cell["count"] else ""
        row = rows.setdefault(str(label), {"true class": str(label)})
        row[str(other)] = f"{int(cell['count']):,}{interval}"
    return replace(as_table(f"Confusion matrix: {name}", [*rows.values()]), notes=(_CONFUSION,))


def _reconstruction(errors: Mapping[str, xr.Dataset]) -> Rows:
    """Return a row per result, then the baselines, once for results with the same inputs."""
    rows = [{"": name, **_named(data.sel(predictor="network"))} for name, data in errors.items()]
    distinct: dict[str, xr.Dataset] = {}
    for name, data in errors.items():
        baselines = data.drop_sel(predictor="network")
        if not any(map(baselines.equals, distinct.values())):
            distinct[name] = baselines
    for name, data in distinct.items():
        suffix = f", inputs of {name}" if len(distinct) > 1 else ""
        for predictor in data["predictor"].to_numpy():
            label = f"baseline: {predictor.replace('_', ' ')}{suffix}"
            rows.append({"": label, **_named(data.sel(predictor=predictor))})
    return rows


def _firing(measures: Measures, name: str) -> Table:
    """Return a row per number, a column per layer."""
    layers = layers_of(measures.statistics[name])
    numbers = measures.layers.loc[name]
    rows, anchors, notes = [], {}, []
    note = bursting_note(measures.attributes[name]["dt_ms"], BURSTING_THRESHOLD)
    for key, definition in DEFINITIONS.items():
        if key == "bursting_fraction" and note and not numbers[key].any():
            notes.append(note)
            continue
        units = "" if definition.units == "1" else f" ({definition.units})"
        heading = f"{definition.label}{units}"
        anchors[heading] = anchor(key)
        rows.append({"": heading, **numbers[key]})
        reasons = {
            layer: data[key].attrs["undefined"]
            for layer, data in layers.items()
            if "undefined" in data[key].attrs
        }
        notes += [
            f"{definition.label} is undefined in {_listed(where)}: {reason}."
            for reason, where in _grouped(reasons).items()
        ]
    return replace(as_table(f"Firing: {name}", rows), anchors=anchors, notes=tuple(notes))


def _effects(a: str, b: str, effects: xr.Dataset) -> Table:
    """Return a row per layer and statistic."""
    rows = []
    for row in effects.to_dataframe(["layer", "statistic"]).reset_index().to_dict("records"):
        difference, low, high = (
            format_value(row[f"difference{end}"]) for end in ("", "_low", "_high")
        )
        paired = row["paired"]
        rows.append(
            {
                "layer": row["layer"],
                "statistic": _heading(row["statistic"]),
                "mean, first": row["mean_a"],
                "mean, second": row["mean_b"],
                "difference (95 % interval)": f"{difference} ({low} to {high})",
                "effect size": row["rank_biserial" if paired else "cliffs_delta"],
                "Cohen's d": row["cohens_d"],
                "p, corrected": "< 1e-300" if row["p_holm"] == 0 else row["p_holm"],
                "neurons": f"{row['neurons_a']:,}"
                + ("" if paired else f" and {row['neurons_b']:,}"),
            }
        )
    note = (
        f"{_PAIRED if effects['paired'].all() else _SAMPLES}, corrected for all tests of the table "
        "by Holm's method. The difference is second minus first, its interval a bootstrap's. "
        "Effect sizes are positive where the second is larger. A neuron counts where its statistic "
        "is defined."
    )
    caption = f"Neurons of {a} (first) against {b} (second)"
    anchors = {_heading(name): anchor(key) for name, key in _DEFINED.items()}
    notes = (note, *effects.attrs.values())
    return replace(as_table(caption, rows), notes=notes, texts=("statistic",), anchors=anchors)


def _cortex(measures: Measures, name: str) -> Table:
    """Return a row per measured range, a column per layer."""
    layers = measures.verdicts[name]
    rows: Rows = []
    notes: list[str] = []
    anchors: dict[str, str] = {}
    for verdicts in zip(*layers.values(), strict=True):
        reference = verdicts[0].reference
        heading = f"{_worded(reference.statistic)}: {reference.range}"
        if reference.statistic in _DEFINED:
            anchors[heading] = anchor(_DEFINED[reference.statistic])
        by_layer = dict(zip(layers, verdicts, strict=True))
        rows.append(
            {
                "": heading,
                **{
                    layer: each.outcome
                    if each.outcome == "not comparable"
                    else f"{format_value(float(each.value))}: {each.outcome}"
                    for layer, each in by_layer.items()
                },
                "measured in": f"{reference.authors} {reference.year}, {reference.animal}, "
                f"{reference.area}, {reference.state}",
            }
        )
        note = f"{heading} – {reference.summary}; {reference.conditions}. {reference.citation}."
        reasons = _grouped({layer: each.reason for layer, each in by_layer.items()})
        for reason, where in reasons.items():
            place = _listed(where) if len(where) < len(layers) else "here"
            note += f" {place[:1].upper()}{place[1:]}: {reason}." if reason else ""
        notes.append(note)
    table = as_table(f"Compared with cortex: {name}", rows)
    return replace(
        table, notes=tuple(notes), footnotes=_obstacles(layers), texts=("measured in",),
        anchors=anchors,
    )  # fmt: skip


def _obstacles(layers: Mapping[str, Sequence[Verdict]]) -> tuple[str, ...]:
    """Return the reasons for which statistics are not comparable."""
    verdicts = [each for own in layers.values() for each in own]
    reasons = dict.fromkeys(v.reason for v in verdicts if v.outcome == "not comparable")
    return tuple(f"Not comparable: {reason}." for reason in reasons)


def _heading(name: str) -> str:
    return f"{_worded(name)} (Hz)" if name == "firing_rate" else _worded(name)


def _worded(name: str) -> str:
    """Return the label of a statistic, or its name in words if it has no definition."""
    if name in _LABELLED or name not in _DEFINED:
        return _LABELLED.get(name, name.replace("_hz", " Hz").replace("_", " "))
    return DEFINITIONS[_DEFINED[name]].label


def _grouped(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the layers of each reason."""
    layers: dict[str, list[str]] = {}
    for layer, reason in reasons.items():
        layers.setdefault(reason, []).append(layer)
    return layers


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _named(data: xr.Dataset) -> dict[str, Any]:
    return {str(array.attrs["long_name"]): array.item() for array in data.data_vars.values()}
