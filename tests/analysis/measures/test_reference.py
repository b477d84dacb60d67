"""References are complete, and a verdict gives the obstacles to a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError
from rasters import make

from bioae import analysis
from bioae.analysis.measures.verdicts import Context, cortical_values, has_time_constants
from bioae.equations.library import available, load_neuron

ANIMAL = Context(True, "it has", presentation_s=1.0, steps=1000, repeated=True)


def reference(**changes: object) -> analysis.Reference:
    (first, *_) = analysis.references()
    plain = {"seconds": False, "intervals": False, "repeats": False, "window_s": None}
    return analysis.Reference.model_validate(
        first.model_dump() | plain | {"verified": True} | changes
    )


def test_every_reference_says_where_it_is_from_and_whether_it_was_read_there() -> None:
    found = analysis.references()
    assert len(found) > 10
    assert {entry.statistic for entry in found} >= {
        "mean_rate", "median_rate", "isi_cv", "lvr", "fano_factor", "lifetime_sparseness",
        "population_sparseness", "noise_correlation",
    }  # fmt: skip
    assert {entry.verified for entry in found} == {True, False}
    for entry in found:
        assert entry.seconds or entry.unit == "1"
        assert entry.repeats == (entry.statistic in {"fano_factor", "noise_correlation"})


def test_the_converted_sparseness_follows_from_what_the_papers_print() -> None:
    printed = {1995: (0.65, 68), 2007: (0.77, 20)}
    converted = {
        entry.year: entry.low
        for entry in analysis.references()
        if entry.statistic == "lifetime_sparseness" and entry.year in printed
    }
    assert converted == {year: round((1 - a) / (1 - 1 / n), 3) for year, (a, n) in printed.items()}


@pytest.mark.parametrize(
    ("low", "high", "value", "outcome"),
    [
        (0.5, 1.0, 0.5, "within"), (0.5, 1.0, 1.0, "within"), (0.5, 1.0, 0.49, "below"),
        (0.5, 1.0, 1.01, "above"), (0.5, None, 99.0, "within"), (0.5, None, 0.1, "below"),
        (None, 1.0, -3.0, "within"), (None, 1.0, 1.1, "above"), (0.355, 0.355, 0.359, "within"),
        (0.355, 0.355, 0.34, "below"), (4.1, 4.1, 4.2, "above"),
        (0.5, 1.0, float("nan"), "not comparable"),
    ],
)  # fmt: skip
def test_a_number_is_within_below_or_above(
    low: float | None, high: float | None, value: float, outcome: str
) -> None:
    assert analysis.verdict(value, reference(low=low, high=high), ANIMAL).outcome == outcome


@pytest.mark.parametrize(
    ("needs", "context", "reason"),
    [
        ({"seconds": True}, {"seconds": False, "timing": "none"}, "steps are not seconds: none"),
        ({"window_s": 0.1}, {"seconds": False}, "steps are not seconds"),
        ({"window_s": 0.5}, {"presentation_s": 0.1}, "an example lasts 100 ms"),
        ({"repeats": True}, {"repeated": False}, "here the inputs differ"),
    ],
)
def test_the_obstacle(needs: dict[str, object], context: dict[str, object], reason: str) -> None:
    entry = reference(low=0.0, high=1.0, **needs)
    assert analysis.verdict(0.5, entry, ANIMAL).outcome == "within"
    found = analysis.verdict(0.5, entry, replace(ANIMAL, **context))  # type: ignore[arg-type]
    assert found.outcome == "not comparable"
    assert reason in found.reason


def test_a_verdict_mentions_short_trains_and_unverified_numbers() -> None:
    found = analysis.verdict(
        0.7, reference(low=0.0, high=1.0, verified=False, intervals=True), ANIMAL
    )
    assert found.outcome == "within"
    assert "not verified" in found.reason
    assert "the 1,000 steps of an example" in found.reason
    means = reference(low=0.0, high=1.0, averaged=True)
    assert "counts in single examples" in analysis.verdict(0.7, means, ANIMAL).reason
    assert analysis.verdict(0.7, means, replace(ANIMAL, averaged=True)).reason == ""
    assert analysis.verdict(0.7, reference(low=0.0, high=1.0), ANIMAL).reason == ""
    found = analysis.verdict(0.7, reference(low=0.0, high=None), ANIMAL)
    assert found.reason == "the source has a lower end only"


def test_only_models_with_a_time_constant_run_in_seconds() -> None:
    without = {
        name for name in available() if not has_time_constants(load_neuron(name).to_toml())[0]
    }
    assert without == {"if", "radlif"}  # radlif: its decay is per step
    both = "\n".join(load_neuron(name).to_toml() for name in ("lif", "if"))
    seconds, why = has_time_constants(both)
    assert not seconds
    assert "without a leak" in why
    assert has_time_constants("\n".join([load_neuron("lif").to_toml()] * 2))[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", False),
        ("a model", False),
        ("not TOML, but tau = 3*ms", True),
        (
            'description = "x"\nequations = "dv/dt = a*v : volt/second"\n[parameters]\na = "1"',
            False,
        ),
        (
            'description = "5*ms of x"\nequations = "v : 1"\n[trainable]\na = ["1*ms", "2*ms"]',
            False,
        ),
        ('description = "x"\nequations = "v : 1"\nrefractory = "2*ms"', True),
        ('description = "x"\nequations = "v : 1"\n[parameters]\nrate = "3*kHz"', True),
    ],
)
def test_only_what_sets_the_dynamics_counts_as_a_time_constant(text: str, seconds: bool) -> None:
    assert has_time_constants(text)[0] is seconds


def test_the_context_is_read_from_the_result() -> None:
    raster = np.ones((3, 4, 2), bool)
    same = analysis.context_of(make(raster, neuron_model=load_neuron("lif").to_toml()))
    assert (same.seconds, same.repeated, same.steps) == (True, True, 4)
    assert same.presentation_s == pytest.approx(0.002)
    images = np.random.default_rng(0).random((3, 1, 2, 2))
    different = analysis.context_of(make(raster, images=images))
    assert (different.seconds, different.repeated) == (False, False)
    assert not analysis.context_of(make(raster[:1])).repeated


def test_a_layers_numbers_are_judged_and_tabulated(counted: xr.DataTree) -> None:
    values = xr.Dataset({"firing_rate": analysis.firing_rate(counted, "latent")})
    values["isi_cv"] = ("neuron", [np.nan, 0.6, 0.8, np.nan, np.nan])
    numbers = cortical_values(counted, "latent", values)
    assert numbers["mean_rate"] == pytest.approx(300)
    assert numbers["median_rate"] == pytest.approx(1000 / 3)
    assert numbers["isi_cv"] == pytest.approx(0.7)
    # Every spike in a presentation of 2 ms is 500 Hz: five of fifteen places fire.
    assert numbers["fraction_above_20_hz"] == pytest.approx(5 / 15)
    found = analysis.layer_verdicts({"latent": numbers}, analysis.context_of(counted))
    outcomes = {each.reference.statistic: each.outcome for each in found["latent"]}
    assert (outcomes["isi_cv"], outcomes["mean_rate"]) == ("within", "not comparable")
    assert outcomes["fraction_above_20_hz"] == "not comparable"
    assert "fano_factor" not in outcomes
    assert "doi:10." in found["latent"][0].row()["source"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 2.0, "high": 1.0}, "lower end 2.0 is above"),
        ({"low": None, "high": None}, "a range needs an end"),
        ({"doi": "somewhere"}, "doi"),
        ({"area": ""}, "area"),
        ({"place": "x"}, "place"),
    ],
)
def test_an_entry_that_does_not_fit(change: dict[str, object], message: str) -> None:
    assert reference(low=0.5, high=1.0, unit="1").range == "0.5 to 1"
    with pytest.raises(ValidationError, match=message):
        reference(**change)


def test_one_image_says_nothing_of_lifetime_sparseness() -> None:
    raster = np.random.default_rng(0).random((4, 30, 5)) < 0.3
    images = np.broadcast_to(np.random.default_rng(1).random((1, 1, 2, 2)), (4, 1, 2, 2))
    context = analysis.context_of(make(raster, images=images, reconstruction=images))
    assert context.repeated
    assert not context.averaged
    over_stimuli = reference(statistic="lifetime_sparseness", repeats=False)
    found = analysis.verdict(0.35, over_stimuli, context)
    assert found.outcome == "not comparable"
    assert "over different stimuli" in found.reason
