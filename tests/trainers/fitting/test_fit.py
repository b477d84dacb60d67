"""Fits: losses against plain loops, gradients against differences, and recovered parameters."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from brian2 import (
    Mohm,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    ms,
    mV,
    nA,
    second,
    seed,
    volt,
)
from brian2 import Network as Brian2Network
from refusals import refused
from scipy.stats import logistic

import bioae
from benchmarks.fitting.membrane import ADAPTING
from bioae.equations.declarations import parameter_values
from bioae.equations.driven import driven
from bioae.errors import InputError
from bioae.trainers.fitting.objective import CompiledObjective
from bioae.trainers.fitting.problem import problem
from bioae.trainers.fitting.settings import Settings
from bioae.trainers.fitting.terms import WIDTH

CELL = ADAPTING.model_copy(
    update={"name": "cell", "trainable": {}, "parameters": {**ADAPTING.parameters, "spare": "1*ms"}}
)
FREE = {
    "R": ("20*Mohm", "200*Mohm"), "tau": ("5*ms", "60*ms"), "b": (0 * mV, 10 * mV),
    "tau_w": ("20*ms", "300*ms"),
}  # fmt: skip


def current(trials: int = 2, steps: int = 2000) -> Any:
    """Return currents (trial, time) that change every 5 ms."""
    random = np.random.default_rng(0)
    return np.repeat(random.uniform(0.1, 0.7, (trials, steps // 50)), 50, axis=1) * nA


def run_in_brian2(model: bioae.NeuronModel, values: Any) -> tuple[list[Any], Any]:
    """Return the spike times and the potential that plain Brian2 gives."""
    names = {n: each for n, each in parameter_values(model).items() if n != "I"}
    group = NeuronGroup(
        len(values), model.equations.replace("I : amp", "I = timed(t, i) : amp"),
        threshold=model.threshold, reset=model.reset, refractory=2 * ms, method=model.method,
        namespace={**names, "timed": TimedArray(values.T, dt=0.1 * ms)}, dt=0.1 * ms,
    )  # fmt: skip
    spikes, states = SpikeMonitor(group), StateMonitor(group, "v", record=True, dt=0.1 * ms)
    Brian2Network(group, spikes, states).run(values.shape[1] * 0.1 * ms)
    return [train / second for train in spikes.spike_trains().values()], np.asarray(states.v)


@cache
def run() -> tuple[list[Any], Any]:
    spikes, voltage = run_in_brian2(CELL, current())
    assert sum(map(len, spikes)) > 10
    return spikes, voltage


def recorded(*parts: str, noise: float = 0.0) -> bioae.Recording:
    """Return a recording of the cell in plain Brian2: its spikes, its voltage or both."""
    spikes, voltage = run()
    voltage = voltage + np.random.default_rng(2).normal(0, noise, voltage.shape)
    given: dict[str, Any] = {"spikes": spikes, "voltage": voltage * volt}
    return bioae.Recording(current(), dt=0.1 * ms, **{name: given[name] for name in parts})


def objective(
    recording: bioae.Recording, free: Any, place: str | None = None, **options: Any
) -> CompiledObjective:
    settings = Settings.read(options, starts=1, seed=0)  # type: ignore[arg-type]
    stated = problem(CELL, recording, free, place=place, voltage=None, settings=settings)
    return CompiledObjective(
        stated.driven, stated.free, stated.drive(), potential="v", fixed=stated.fixed,
        weights=stated.weights, lapse=settings.lapse,
    )  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("lapse", [0.0, 0.2])
def test_the_likelihood_of_spikes_against_a_loop(lapse: float) -> None:
    recording, free = recorded("spikes"), {"R": FREE["R"], "tau": FREE["tau"]}
    known, left_out = {"width": 0.1}, [(30 * ms, 40 * ms)]
    function = objective(recording, free, known=known, lapse=lapse, leave_out=left_out)
    found = function(np.array([[0.3, 0.6]]))
    steps = np.arange(recording.steps)
    counts = (steps < 300) | (steps >= 400)
    rate = sum(row[counts].sum() for row in recording.spike_steps()) / (2 * counts.sum())
    resistance, tau = 20e6 * 10**0.3, 5e-3 * 12**0.6
    total, lapses = 0.0, []
    for drive, fired in zip(recording.input, recording.spike_steps(), strict=True):
        v = w = own = chance = 0.0
        last = -100
        lapses.append(0)
        for step, (each, spike) in enumerate(zip(drive, fired, strict=True)):
            ready = step - last >= 20
            dv = (resistance * each - v - w) / tau * 1e-4
            v, w = v + dv * ready, w - w / 80e-3 * 1e-4
            x = (v - 15e-3) / 15e-3
            assert x < 3
            z = (np.tanh(x) if x > 0 else x) / 0.1 + np.log(0.1)
            own += logistic.logcdf(z if spike else -z) if ready and counts[step] else 0
            chance += np.log(rate if spike else 1 - rate) if counts[step] else 0
            if spike:
                v, w, last = 2e-3, w + 2e-3, step
            if spike or step == recording.steps - 1:
                total -= np.log((1 - lapse) * np.exp(own) + lapse * np.exp(chance))
                lapses[-1] += (1 - lapse) * np.exp(own) < lapse * np.exp(chance)
                own = chance = 0.0
    assert total > 1
    assert max(lapses) > 1 or not lapse
    np.testing.assert_allclose(found.spikes, [total], rtol=1e-10)
    np.testing.assert_array_equal(found.lapses[0, :, 0], lapses)


@pytest.mark.medium
@pytest.mark.parametrize(("gain", "every"), [(0.0, 1), (0.2, 1), (1.0, 1), (0.2, 4), (1.0, 4)])
def test_the_likelihood_of_a_potential_against_a_loop(gain: float, every: int) -> None:
    (spikes, voltage), free = run(), {"R": FREE["R"], "tau": FREE["tau"]}
    voltage = voltage + np.random.default_rng(2).normal(0, 1e-3, voltage.shape)
    recording = bioae.Recording(
        current(), dt=0.1 * ms, spikes=spikes, voltage=voltage[:, ::every] * volt,
        voltage_dt=every * 0.1 * ms,
    )  # fmt: skip
    function = objective(recording, free, known={"kalman_gain": gain}, weights=(0, 1))
    total, potential = 0.0, np.asarray(recording.voltage)
    for drive, data, fired in zip(recording.input, potential, recording.spike_steps(), strict=True):
        near = np.convolve(fired, np.ones(31), "full")[10:-20] > 0  # from -1 to 2 ms
        v, w, last, gap = 0.0, 0.0, -100, 1e6 / every - 1
        for step, (each, spike) in enumerate(zip(drive, fired, strict=True)):
            error, grown = v - data[step], gap * gain**2
            gap += 1 / every
            if not near[step] and np.isfinite(data[step]):
                total += (error / 1e-3) ** 2 / (1 + grown) / 2
                v, gap = v - error * (gain + grown) / (1 + grown), 1 / every - 1
            ready = step - last >= 20
            dv = (20e6 * 10**0.3 * each - v - w) / (5e-3 * 12**0.6) * 1e-4
            v, w = v + dv * ready, w - w / 80e-3 * 1e-4
            if spike:
                v, w, last = 2e-3, w + 2e-3, step
    assert total > 100
    np.testing.assert_allclose(function(np.array([[0.3, 0.6]])).voltage, [total], rtol=1e-9)


@pytest.mark.medium
def test_membrane_noise_does_not_bias_with_a_kalman_gain() -> None:
    noisy = CELL.equations.replace("/tau : volt (", "/tau + 0.3*mV/sqrt(ms)*xi : volt (", 1)
    seed(1)
    spikes, voltage = run_in_brian2(
        CELL.model_copy(update={"equations": noisy}), current(2, 10_000)
    )
    voltage = voltage + np.random.default_rng(2).normal(0, 0.2e-3, voltage.shape)
    recording = bioae.Recording(
        current(2, 10_000), dt=0.1 * ms, spikes=spikes, voltage=voltage * volt
    )
    fit, biased = (bioae.fit(CELL, recording, each, starts=2)
                   for each in ({**FREE, "kalman_gain": None}, FREE))  # fmt: skip
    true = np.array([60e6, 15e-3, 2e-3, 80e-3])
    distance, without = (
        np.abs(each.table.value[:4] - true) / each.table.standard_error[:4]
        for each in (fit, biased)
    )
    assert distance.max() < 3 < without.max() / 3
    assert any("kalman_gain" in line for line in biased.notes())
    assert not any("kalman_gain" in line for line in fit.notes())
    assert fit.aic < biased.aic
    gain = float(fit.parameters["kalman_gain"])
    assert fit.voltage_noise * np.sqrt(1 - gain) == pytest.approx(0.2e-3, rel=0.05)


@pytest.mark.medium
@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_gradients_against_differences(weights: tuple[float, float]) -> None:
    given = recorded("spikes", "voltage")
    # Smooth, so that a latency has a derivative.
    smooth = np.convolve(given.input[0], np.hanning(200) / 100, "same")
    signal = bioae.Recording(
        np.stack([smooth, smooth[::-1]]) * 1e9, dt=given.dt, spikes=given.spikes,
        voltage=None if given.voltage is None else given.voltage * volt,
    )  # fmt: skip
    others = {"gain": (0.5 * nA, 2 * nA), "offset": (-0.1 * nA, 0.1 * nA),
              "latency": ("0*ms", "3*ms")}  # fmt: skip
    free = {**FREE, **others, "v_r": ("-5*mV", "5*mV"), "kalman_gain": None}
    function = objective(signal, free, "I", weights=weights, leave_out=[(150 * ms, 160 * ms)])
    u, step = np.random.default_rng(1).uniform(0.3, 0.7, (3, len(function.free))), 1e-6
    u[:, [each.name == WIDTH for each in function.free]] = 0.93  # else all would be lapses
    for coupling in (0.0, 0.5) if weights[1] else (0.0,):
        found = function(u, coupling=coupling)
        assert (np.abs(found.gradient) > 1).mean() > 0.7
        for k in range(u.shape[1]):
            shift = step * np.eye(u.shape[1])[k]
            above, below = (function(u + s * shift, coupling=coupling).total for s in (1, -1))
            slope = (above - below) / (2 * step)
            np.testing.assert_allclose(found.gradient[:, k], slope, rtol=1e-3, atol=0.05)


@pytest.mark.medium
@pytest.mark.parametrize("bounds", [None, (0.3, 0.5)])
def test_the_prior_of_the_width(bounds: tuple[float, float] | None) -> None:
    recording, free = recorded("spikes", "voltage"), {"R": FREE["R"], "width": bounds}
    function = objective(recording, free, weights=(0.5, 1.0))
    u, step = np.array([[0.4, 0.9], [0.6, 0.95]]), np.array([0.0, 1e-6])
    found, width = function(u), function.free[1].value(u[:, 1])
    likelihood = 0.5 * found.spikes + found.voltage
    np.testing.assert_allclose(found.total - likelihood, -0.5 * np.log(width), atol=1e-6)
    slope = (function(u + step).total - function(u - step).total) / 2e-6
    np.testing.assert_allclose(found.gradient[:, 1], slope, rtol=1e-5, atol=1e-3)


@pytest.mark.medium
def test_the_names_of_a_model_do_not_matter() -> None:
    losses = []
    for name in ("drive", "signal", "forced", "data", "gain", "width"):
        fields = CELL.to_mapping()
        fields["equations"] = fields["equations"].replace("- v - w", f"- v - w + {name}")
        fields["parameters"] = {**fields["parameters"], name: "1*mV"}
        model = bioae.NeuronModel.from_mapping("cell", fields, where="")
        free = {name: ("0*mV", "3*mV"), "R": FREE["R"]}
        settings = Settings.read({}, starts=1, seed=0)
        stated = problem(
            model, recorded("spikes", "voltage"), free, place=None, voltage=None, settings=settings
        )
        function = CompiledObjective(
            stated.driven, stated.free, stated.drive(), potential="v", fixed=stated.fixed
        )
        losses.append(float(function(np.full((1, 3), 0.4)).total[0]))
    assert losses[0] > 1
    np.testing.assert_allclose(losses, losses[0])


@pytest.mark.medium
def test_a_free_run_is_that_of_brian2() -> None:
    fit = bioae.fit(CELL, recorded("spikes"), FREE, starts=4, coincidence="2*ms")
    predicted = fit.predict()
    spikes, voltage = run_in_brian2(fit.neuron, current())
    assert sum(map(len, spikes)) > 10
    for own, other in zip(predicted.spikes or (), spikes, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-9)
    np.testing.assert_allclose(predicted.voltage, voltage, rtol=0, atol=1e-12)
    assert fit.scores()["gamma_2ms"] > 0.99
    late = [train[train < 0.19] + 3e-3 for train in run()[0]]
    scores = fit.scores(bioae.Recording(current(), dt=0.1 * ms, spikes=late), tau="5*ms")
    lags = [[np.exp(-np.abs(np.subtract.outer(a, b)) / 5e-3).sum() for a in pair for b in pair]
            for pair in zip(late, spikes, strict=True)]  # fmt: skip
    expected = np.mean([np.sqrt(max(aa - ab - ba + bb, 0)) for aa, ab, ba, bb in lags])
    assert scores["van_rossum_5ms"] == pytest.approx(expected, rel=1e-9)
    assert expected > 1


@pytest.mark.medium
def test_parameters_and_their_errors_are_recovered() -> None:
    recording = recorded("spikes", "voltage", noise=0.5e-3)
    fit = bioae.fit(CELL, recording, FREE, starts=6, weights=(0, 1), seed=3)
    assert fit.voltage_noise == pytest.approx(0.5e-3, rel=0.1)
    steps = np.arange(recording.steps)
    near = [np.abs(steps[:, None] - train / 1e-4 - 5) < 15.5 for train in run()[0]]  # -1 to 2 ms
    count = sum((~each.any(1)).sum() for each in near)
    likelihood = -count / 2 * (1 + np.log(2 * np.pi * fit.voltage_noise**2))
    assert fit.log_likelihood == pytest.approx(likelihood)
    assert fit.aic == pytest.approx(2 * 5 - 2 * likelihood)
    table, true = fit.table, np.array([60e6, 15e-3, 2e-3, 80e-3])
    assert (np.abs(table.value - true) < 4 * table.standard_error).all()
    np.testing.assert_allclose(table.value, true, rtol=0.02)
    assert (fit.starts.loss < fit.loss * 1.01).mean() > 0.8
    assert fit.undetermined.sizes["direction"] == 0
    assert fit.notes() == []
    profile = fit.profile("b", points=5)
    np.testing.assert_allclose(profile.loss - fit.loss, [8, 2, 0, 2, 8], rtol=0.2, atol=0.1)
    np.testing.assert_allclose(profile.quadratic - fit.loss, [8, 2, 0, 2, 8], atol=1e-3)
    assert fit.scores(recording, after="100*ms")["gamma_2ms"] > 0.9


@pytest.mark.medium
def test_the_likelihood_of_a_fit_has_no_weights() -> None:
    recording, free = recorded("spikes", "voltage"), {"R": FREE["R"], "tau": FREE["tau"]}
    fit = bioae.fit(CELL, recording, free, starts=2, weights=(0.3, 2), voltage_noise=0.5 * mV)
    function = objective(recording, free)  # its noise is 1 mV
    values = zip(function.free, fit.table.value.values, strict=True)
    losses = function(np.array([[each.place(value) for each, value in values]]))
    assert losses.spikes[0] > 0.1
    scale = np.log(np.sqrt(2 * np.pi) * 0.5e-3) * function.drive.compared_samples
    likelihood = -losses.spikes[0] - 4 * losses.voltage[0] - scale
    assert fit.log_likelihood == pytest.approx(likelihood, rel=1e-6)
    assert fit.aic == pytest.approx(2 * 3 - 2 * likelihood, rel=1e-6)


@pytest.mark.medium
def test_scores_leave_out_what_the_fit_does() -> None:
    spikes, voltage = run()
    broken = voltage + 0.5 * (np.arange(2000) < 300)
    recording = bioae.Recording(current(), dt=0.1 * ms, spikes=spikes, voltage=broken * volt)
    fit = bioae.fit(CELL, recording, {"R": FREE["R"]}, starts=2, leave_out=[(0 * ms, 30 * ms)])
    scores, without = fit.scores(), fit.scores(recorded("spikes", "voltage"), after="40*ms")
    assert scores["explained_variance_voltage"] > 0.999
    assert without["explained_variance_voltage"] > 0.999
    assert fit.scores(recording)["explained_variance_voltage"] < 0.5
    assert "md_star_2ms" not in scores
    twice = bioae.Recording(current()[[0, 0]], dt=0.1 * ms, spikes=[spikes[0]] * 2)
    assert fit.scores(twice)["md_star_2ms"] == pytest.approx(1)


@pytest.mark.medium
def test_a_refractory_time_is_recovered_in_whole_steps() -> None:
    model, free = CELL.model_copy(update={"refractory": "spare"}), {"spare": ("0.5*ms", "8*ms")}
    fit = bioae.fit(model, recorded("spikes"), {"R": FREE["R"], "tau": FREE["tau"], **free},
                    starts=4)  # fmt: skip
    assert float(fit.parameters["spare"]) == pytest.approx(2e-3, abs=1.1e-4)
    assert fit.agreeing == 4
    assert np.isnan(fit.table.standard_error.sel(parameter="spare"))
    assert not fit.undetermined.sel(parameter="spare").any()
    assert any("spare acts in whole steps of 0.1 ms" in line for line in fit.notes())
    inner = fit.table.sel(parameter=["R", "tau"])
    assert (np.abs(inner.value - [60e6, 15e-3]) < 4 * inner.standard_error).all()
    np.testing.assert_allclose(inner.value, [60e6, 15e-3], rtol=2e-3)  # the spikes have no noise
    assert 1e-6 < float(fit.parameters["width"]) < 1e-3
    profile = fit.profile("spare", points=5)
    assert (profile.loss >= fit.loss * (1 - 1e-6)).all()  # its searches may end a little lower
    assert len({*profile.value.values}) == 5
    assert float(fit.parameters["spare"]) in profile.value


@pytest.mark.medium
def test_a_missing_spike_is_named_and_does_not_bias() -> None:
    drive, free = current(2, 10_000), {"R": FREE["R"], "tau": FREE["tau"]}
    spikes, _ = run_in_brian2(CELL, drive)
    before, missing, after = spikes[1][19:22]
    spikes[1] = np.delete(spikes[1], 20)
    recording = bioae.Recording(drive, dt=0.1 * ms, spikes=spikes)
    fit, biased = (bioae.fit(CELL, recording, free, starts=4, lapse=p) for p in (0.01, 0.0))
    (line,) = [each for each in fit.notes() if "chance" in each]
    begin, end = map(float, re.findall(r"from ([0-9.]+) to ([0-9.]+) ms .trial 1", line)[0])
    assert before * 1e3 < begin < missing * 1e3 < after * 1e3 < end
    error, without = (abs(float(each.parameters["R"]) - 60e6) for each in (fit, biased))
    assert error < 3 * fit.table.standard_error[0] < without / 3


@pytest.mark.medium
def test_a_search_leaves_places_where_all_intervals_are_lapses() -> None:
    recording, free = recorded("spikes"), {"R": FREE["R"], "tau": FREE["tau"]}
    fit = bioae.fit(CELL, recording, free, known={"width": 1e-4}, starts=4)
    assert fit.agreeing >= 3
    np.testing.assert_allclose(fit.table.value, [60e6, 15e-3], rtol=2e-3)
    far = bioae.fit(CELL, recording, {"R": (190 * Mohm, 200 * Mohm)}, starts=1)
    assert any("bounds right" in line for line in far.notes())


@pytest.mark.medium
def test_silence_is_not_by_chance() -> None:
    voltage = run_in_brian2(CELL, current() / 4)[1]
    recording = bioae.Recording(current() / 4, dt=0.1 * ms, spikes=[[], []], voltage=voltage * volt)
    free = {"R": FREE["R"], "theta": ("1*mV", "20*mV")}
    fit = bioae.fit(CELL, recording, free, starts=4)
    assert fit.parameters["theta"] / mV > 1e3 * voltage.max()
    assert not any(map(len, fit.predict().spikes or ()))


@pytest.mark.medium
def test_what_spikes_do_not_determine_is_said() -> None:
    scales = {"b": ("0.5*mV", "20*mV"), "theta": ("3*mV", "90*mV"), "v_r": ("0.2*mV", "20*mV")}
    fit = bioae.fit(CELL, recorded("spikes"), {"R": FREE["R"], **scales}, starts=4)
    assert fit.undetermined.sizes["direction"] >= 1
    assert any("theta" in line for line in fit.notes())
    assert repr(fit).count("not determined") >= 2


@pytest.mark.medium
def test_a_fit_repeats() -> None:
    recording, free = recorded("spikes"), {"R": FREE["R"], "tau": FREE["tau"]}
    whole, again = (bioae.fit(CELL, recording, free, starts=3, seed=5) for _ in range(2))
    assert again.parameters == whole.parameters
    with refused(InputError, where="recording"):
        whole.predict(recording.resampled("0.5*ms"))
    assert whole.predict(bioae.Recording(current(), dt=0.1 * ms)).spikes


def spiking(**changes: Any) -> bioae.Recording:
    given: dict[str, Any] = {"input": current(1), "spikes": [0.05, 0.1], **changes}
    return bioae.Recording(given.pop("input"), dt=0.1 * ms, **given)


@pytest.mark.parametrize(
    ("recording", "free", "options", "fields"),
    [
        (spiking(spikes=[]), {"R": FREE["R"]}, {}, {"where": "recording"}),
        (spiking(spikes=[0.05, 0.051]), {"R": FREE["R"]}, {}, {"where": "recording, trial 0"}),
        (spiking(), ["R"], {}, {"where": "cell"}),
        (spiking(), {"Q": (1, 2)}, {}, {"where": "cell"}),
        (spiking(), {"R": (200 * Mohm, 20 * Mohm)}, {}, {"expected": "(low, high)"}),
        (spiking(), {"R": ("1*mV", "2*mV")}, {}, {"where": "bounds of R"}),
        (spiking(input=current(1) / nA), {"R": FREE["R"]}, {"input": "I"}, {"where": "cell"}),
        (spiking(), {"R": FREE["R"]}, {"input": "J"}, {"where": "cell"}),
        (spiking(spikes=None), {"R": FREE["R"]}, {}, {"where": "recording"}),
        (spiking(), {"R": FREE["R"]}, {"weights": (0, 1)}, {"where": "recording"}),
        (spiking(), {"R": FREE["R"]}, {"weights": (1,)}, {"where": "weights"}),
        (spiking(), {"R": FREE["R"]}, {"known": {"width": -1}}, {"where": "known"}),
        (spiking(), {"width": (0.1, 1)}, {"known": {"width": 1}}, {"where": "known"}),
        (spiking(), {"width": (-1, 1)}, {}, {"found": "-1, 1"}),
        (spiking(), {"kalman_gain": (0, 2)}, {}, {"found": "0, 2"}),
        (spiking(), {"R": FREE["R"]}, {"leave_out": [(2, 1)]}, {"where": "leave_out"}),
        (spiking(), {"R": FREE["R"]}, {"leave_out": [(0 * ms, 1 * second)]}, {"found": "1 s"}),
        (spiking(), {"R": 100 * Mohm}, {}, {"expected": "(low, high)"}),
        (spiking(), {"R": (20 * Mohm, np.inf * Mohm)}, {}, {"expected": "(low, high)"}),
        (spiking(), 5, {}, {"found": "5"}),
        (spiking(), {"R": FREE["R"]}, {"lapse": 1}, {"found": "1"}),
        (spiking(), {"R": FREE["R"]}, {"voltage": "theta"}, {"where": "voltage"}),
        (
            spiking(spikes=None, voltage=np.zeros(2000) * volt),
            {"R": FREE["R"]},
            {},
            {"where": "recording"},
        ),
        (spiking(), {"R": FREE["R"]}, {"known": {"J": 1}}, {"found": "'J'"}),
    ],
)
def test_what_is_refused(recording: Any, free: Any, options: Any, fields: Any) -> None:
    with refused(InputError, **fields):
        bioae.fit(CELL, recording, free, **options)


def test_refractory_times_above_the_shortest_interval_are_refused() -> None:
    model, free = CELL.model_copy(update={"refractory": "spare"}), {"spare": ("1*ms", "50.1*ms")}
    with refused(InputError, where="recording, trial 0", expected="at most 50 ms", found="50.1 ms"):
        bioae.fit(model, spiking(), free)


@pytest.mark.medium
def test_a_parameter_that_changes_nothing_is_refused() -> None:
    with refused(InputError, where="cell"):
        bioae.fit(CELL, spiking(), {"spare": ("1*ms", "3*ms")})


def test_a_driven_model_is_a_model() -> None:
    model = driven(bioae.load_neuron("adex"), "I", np.zeros(3) * nA, dt="1*ms")
    assert "dI/dt" not in model.equations
    assert model.input == "v"
    added = driven(bioae.load_neuron("lif"), "v", np.zeros(3) / (1 * ms), dt="1*ms")
    assert "recorded_input(t)" in added.equations


@pytest.mark.medium
def test_an_input_without_unit_takes_a_place_without_unit() -> None:
    recording = bioae.Recording(np.full(200, 2.0), dt=1 * ms, spikes=[0.02, 0.05, 0.09, 0.13])
    fit = bioae.fit("cuba", recording, input="I", starts=2)
    assert {*fit.parameters} == {"tau", "theta", "width"}  # its synapses have no part in it
