"""The answer of a fit: the neuron, its parameters with errors, predictions and scores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from brian2 import second
from brian2.units import Quantity
from brian2.units.fundamentalunits import get_dimensions

from bioae.checks import one_of, whole
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate
from bioae.files import check_output
from bioae.recordings import Recording
from bioae.showing import Shown, Summary
from bioae.trainers.fitting.agreement import agreement, explained_voltage
from bioae.trainers.fitting.page import write_fit
from bioae.trainers.fitting.problem import Problem, with_values
from bioae.trainers.fitting.search import Descent, descend
from bioae.trainers.fitting.terms import CORRECTION, Floats, Losses, Objective
from bioae.trainers.fitting.uncertainty import Uncertainty
from bioae.unit_text import unit_name

#: A direction is not determined if its standard error is more than this part of the range.
_UNDETERMINED = 0.25

#: Parameters of smaller weight are not named in a direction.
_SMALL = 0.1

#: Gains of Kalman's filter that are tried; one is named if it is likelier by this logarithm.
_GAINS, _LIKELIER = np.array([0.01, 0.03, 0.1, 0.3, 1.0]), 20.0
#: The noise of a simulated potential without any, as a part of its standard deviation.
_NOISELESS = 5e-3

#: Values smaller than this part of the upper bound have its unit.
_TINY = 1e-4

#: Standard errors on either side of a profile.
_REACH = 4.0

_BOUNDS = ("low", "high", "unit")

#: Losses agree up to this part of the smallest.
_AGREEMENT = 0.01


class Fit(Shown):
    """A fitted neuron model.

    Attributes
    ----------
    neuron
        The neuron model with the fitted parameters; `NeuronModel.to_toml` writes its file.
    parameters
        The fitted parameters by name, as quantities; also ``gain``, ``offset`` and ``latency`` of
        the recording, the ``width`` of the escape noise, and ``kalman_gain``, where they were free.
    recording
        The recording.
    loss
        The weighted sum of the negative log-likelihood of the spikes, less the logarithm of
        a free ``width``, and of half the squared residuals of the voltage over the noise's
        variance.
    log_likelihood
        The natural logarithm of the likelihood of what is compared, at the most likely parameters
        and whatever the weights; minus infinity if the neuron is refractory at a recorded spike,
        and there are no lapses.
    aic
        Akaike's information criterion, 2 (number of free parameters) - 2 ``log_likelihood``, to
        compare models on the same recording, with the same parts and times of it compared: the
        smaller, the better. It supposes the noise of the model: residuals that change slowly favour
        further parameters, so confirm a choice on data that were left out.
    voltage_noise
        The standard deviation of the voltage's noise, given or estimated; NaN without a voltage.
        With a Kalman gain K it is that of predictions by one step, and sqrt(1 - K) times it is that
        of the electrode.
    seconds
        The time that the search took.
    """

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        state: Descent,
        best: Floats,
        *,
        voltage_noise: float,
        estimated: bool,
        seconds: float,
    ) -> None:
        self._problem, self._objective, self._state = problem, objective, state
        self._names = problem.names
        values = {each.name: float(each.value(best[k])) for k, each in enumerate(problem.free)}
        self._u = np.array([[
            each.place(values[each.name]) if each.step else float(u)
            for each, u in zip(problem.free, best, strict=True)
        ]])  # fmt: skip
        self.neuron: NeuronModel = with_values(problem.model, values)
        self.recording, self.seconds = problem.recording, seconds
        self.parameters: dict[str, Quantity] = {
            name: values[each.name] * evaluate(each.unit, where="fit")
            for name, each in zip(self._names, problem.free, strict=True)
        }
        self._losses = objective(self._u)
        self._uncertainty = Uncertainty(objective, self._u[0], self._losses.information[0])
        self.loss = float(self._losses.total[0])
        self.voltage_noise = voltage_noise if problem.voltage else float("nan")
        likely = objective(state.u[[int(np.argmin(state.loss))]])
        loss = float(likely.spikes[0]) if problem.weights[0] else 0.0
        if problem.voltage:
            scale = np.log(np.sqrt(2 * np.pi) * voltage_noise)
            loss += float(likely.voltage[0]) + self._objective.drive.compared_samples * scale
        impossible = likely.lost[0] and problem.weights[0] and not objective.lapse
        self.log_likelihood = -np.inf if impossible else -loss
        self.aic = 2 * (len(problem.free) + estimated) - 2 * self.log_likelihood

    @property
    def table(self) -> xr.Dataset:
        """Value, standard error and bounds of each parameter in base units (parameter).

        The standard errors are those of the observed information, or of the Fisher information if
        the observed one is not positive definite. One is NaN for a parameter that is at a bound,
        and for a refractory time, which acts in whole steps: the others are conditional on it.
        """
        free = self._problem.free
        error = self._uncertainty.errors * [abs(float(each.slope(self._u[0, k]))) for k, each in
                                enumerate(free)]  # fmt: skip
        inside = self._uncertainty.inside
        data: dict[str, Any] = {
            "value": [float(each.value(self._u[0, k])) for k, each in enumerate(free)],
            "standard_error": error,
            "low": [each.low for each in free],
            "high": [each.high for each in free],
            "at_bound": ~inside,
            "unit": [each.unit for each in free],
        }
        return xr.Dataset(
            {name: ("parameter", values) for name, values in data.items()},
            {"parameter": self._names},
        )

    @property
    def undetermined(self) -> xr.DataArray:
        """The directions that the recording does not determine (direction, parameter).

        Each is a direction in the scaled parameters, from 0 to 1 between their bounds, with the
        coordinate `standard_error` in the same scale. There is one if it exceeds a quarter.
        """
        errors, directions = self._uncertainty.directions
        wide = ~(errors <= _UNDETERMINED)
        return xr.DataArray(
            directions[wide], dims=("direction", "parameter"), name="undetermined",
            coords={"parameter": self._names, "standard_error": ("direction", errors[wide])},
        )  # fmt: skip

    @property
    def agreeing(self) -> int:
        """The number of starts whose loss is within 1 % of the smallest one."""
        loss = self._state.loss
        return int((loss <= loss.min() * (1 + _AGREEMENT) + 1e-9).sum())

    @property
    def starts(self) -> xr.Dataset:
        """The starts of the search and their ends, in base units, and their losses (start)."""
        values = {
            name: np.stack([each.value(u[:, k]) for k, each in enumerate(self._problem.free)], 1)
            for name, u in (("initial", self._state.start), ("final", self._state.u))
        }
        per_start = {"loss": self._state.loss, "evaluations": self._state.evaluations}
        return xr.Dataset(
            {
                **{name: (("start", "parameter"), each) for name, each in values.items()},
                **{name: ("start", each) for name, each in per_start.items()},
            },
            {
                "parameter": self._names,
                **{key: ("parameter", self.table[key].to_numpy()) for key in _BOUNDS},
            },
        )

    def profile(self, name: str, points: int = 21) -> xr.Dataset:
        """Return the smallest loss along a parameter, with all others fitted at each point.

        Parameters
        ----------
        name
            The free parameter.
        points
            The number of points, within four standard errors, or between the bounds if these are
            nearer or the parameter is not determined; the fitted value is one of them.

        Returns
        -------
        xarray.Dataset
            ``value`` of the parameter and ``loss`` (point); the parabola of the standard error,
            ``quadratic`` (point); and the other parameters, ``fitted`` (point, parameter).
        """
        one_of(name, "the free parameter", self._names)
        k, count = self._names.index(name), whole(points, "points", least=3)
        best, error = float(self._u[0, k]), float(self._uncertainty.errors[k])
        reach = _REACH * error if error <= _UNDETERMINED else 1.0
        low, high = max(best - reach, 0.0), min(best + reach, 1.0)
        # The others begin where the information at the best fit has them.
        others = self._uncertainty.informed & (np.arange(self._u.shape[1]) != k)
        inner = self._uncertainty.information[np.ix_(others, others)]
        slope = -np.linalg.pinv(inner, hermitian=True) @ self._uncertainty.information[others, k]
        along, place = np.linspace(0, 1, count), (best - low) / (high - low)
        if 0 < place < 1:
            along[1 + np.argmin(np.abs(along[1:-1] - place))] = place
        start = np.repeat(self._u, count, axis=0)
        start[:, others] += np.outer(low + (high - low) * along - best, slope)
        start = np.clip(start, 0, 1)
        start[:, k] = along

        def along_it(u: Floats, *, coupling: float) -> Losses:
            # The parameter goes from `low` to `high`, and does not move.
            inner = u.copy()
            inner[:, k] = low + (high - low) * u[:, k]
            losses = self._objective(inner, coupling=coupling)
            losses.gradient[:, k] = losses.information[:, k] = losses.information[:, :, k] = 0.0
            return losses

        ended = descend(along_it, Descent.at(start), merge=False)
        u = ended.u.copy()
        u[:, k] = low + (high - low) * along
        values = [each.value(u[:, j]) for j, each in enumerate(self._problem.free)]
        return xr.Dataset(
            {
                "value": ("point", values[k]),
                "loss": ("point", ended.loss),
                "quadratic": ("point", self.loss + ((u[:, k] - best) / error) ** 2 / 2),
                "fitted": (("point", "parameter"), np.stack(values, 1)),
            },
            {"parameter": self._names},
            {"parameter": name, "unit": self._problem.free[k].unit},
        )

    def predict(self, recording: Recording | None = None) -> Recording:
        """Return the spikes and the voltage of the freely running neuron.

        Parameters
        ----------
        recording
            A recording with the input; by default that of the fit.

        Returns
        -------
        Recording
            The same input; a spike's time is the beginning of its step.
        """
        given = self.recording if recording is None else recording
        (fired,), (voltage,) = self._objective.predict(self._u, self._problem.driving(given))
        dt = float(given.dt)
        spikes = [np.flatnonzero(row) * dt * second for row in fired]
        unit = self._problem.potential_unit
        return Recording(
            Quantity(given.input, dim=get_dimensions(given.input_unit)),
            dt=given.dt, name="prediction",
            voltage=Quantity(voltage, dim=get_dimensions(unit)),
            spikes=spikes if self.neuron.threshold is not None else None,
        )  # fmt: skip

    def scores(
        self,
        recording: Recording | None = None,
        *,
        after: Quantity | str | None = None,
        delta: Any = ("2*ms", "4*ms"),
        tau: Quantity | str = "10*ms",
    ) -> dict[str, float]:
        """Return how well the prediction agrees with a recording.

        Parameters
        ----------
        recording
            The recording, such as data that were left out; by default that of the fit.
        after
            The time from which they are compared, such as the end of the part that was fitted; the
            prediction begins with the recording, whose state at this time is not known.
        delta
            The windows of coincidence.
        tau
            The time constant of the van Rossum distance.

        Returns
        -------
        dict
            Γ of each window, Md* of trials with the same input, the van Rossum distance, averaged
            over trials, and the explained variance of the rate in bins of 5 ms and of the voltage,
            of models with a reset without 1 ms before to 2 ms after each recorded spike.
        """
        given = self.recording if recording is None else recording
        predicted, compared = self.predict(given), self._objective.drive.compared
        if recording is not None:
            compared = self._problem.between_spikes(recording)
        if after is not None:
            given, predicted = given.split(after)[1], predicted.split(after)[1]
        return agreement(
            given, predicted, compared if self._problem.voltage else None, delta=delta, tau=tau
        )

    def report(
        self,
        path: Path | str,
        recording: Recording | None = None,
        *,
        after: Quantity | str | None = None,
        profiles: Sequence[str] = (),
        overwrite: bool = False,
    ) -> None:
        """Write the answer, its tables and its figures as one self-contained HTML file.

        Parameters
        ----------
        path
            The file.
        recording, after
            A recording that was left out of the fit, or the time of one from which it was, as in
            `scores`.
        profiles
            Free parameters whose `profile` is drawn.
        overwrite
            Whether an existing file is replaced.
        """
        check_output(path, overwrite=overwrite, kind="file")
        write_fit(
            path, self, self._summary().rows, overwrite=overwrite,
            test=None if recording is None else (recording, after),
            profiles={name: self.profile(name) for name in profiles},
        )  # fmt: skip

    def _end(self, k: Any) -> str:
        return "lower" if self._u[0, k] < 0.5 else "upper"

    def notes(self) -> list[str]:
        """Return sentences on the answer.

        They are on bounds that were hit, undetermined directions, the free run, improbable
        intervals, and starts.
        """
        lines, count, likely = [], len(self._state.loss), float(self._state.loss.min())
        if self._problem.place is None:
            lines.append("The input has no unit: it arrives as spikes do, in network weights.")
        outside = np.flatnonzero(~self._uncertainty.inside)
        if names := [f"{self._names[k]} ({self._end(k)})" for k in outside]:
            lines.append(
                f"At a bound: {', '.join(names)}. A wider one may fit better; a parameter that "
                "ends at 0 may not be needed."
            )
        lines += [
            f"{each.name} acts in whole steps of {each.step * 1e3:g} ms: it has no standard error, "
            "and those of the others, and the agreement of starts, suppose its value."
            for each in self._problem.free
            if each.step
        ]
        for direction in self.undetermined:
            weights = direction.to_series()
            terms = [f"{w:+.2f} {name}" for name, w in weights.items() if abs(w) > _SMALL]
            error = float(direction.standard_error)
            size = f"{error:.3g} times the bounds" if np.isfinite(error) else "unlimited"
            lines.append(
                f"Not determined: {' '.join(terms).lstrip('+')}, in parameters from 0 to 1 between "
                f"their bounds; standard error {size}."
            )
        if self.loss > likely * (1 + _AGREEMENT) + 1e-9:
            lines.append(
                f"The parameters are those with the most coincidences. The smallest loss is "
                f"{likely:.6g}, and the standard errors suppose it."
            )
        lines += self._of_residuals() + self._of_free_run() + self._of_lapses()
        if count > 1 and self.agreeing < max(2, count / 4):
            lines.append(
                f"{self.agreeing} of {count} starts ended within 1 % of the smallest loss: more "
                "starts may find a smaller one."
            )
        return lines

    def _of_free_run(self) -> list[str]:
        """Return sentences on a free run that has little to do with the recording."""
        recorded, lines, predicted = self.recording, [], self._free_run
        if recorded.spikes is not None and predicted.spikes is not None:
            fired, expected = (sum(map(len, each.spikes or ())) for each in (predicted, recorded))
            if not expected / 2 <= fired <= 2 * expected:
                noisy = fired < expected and self._uncertainty.inside.all()
                lines.append(
                    f"Running freely, the neuron fires {fired} spikes; {expected} were recorded. "
                    + ("A free run has no escape noise: it fires less than an irregular cell."
                       if noisy else "Are the units of the input, and the bounds, right?")
                )  # fmt: skip
        compared: Any = self._objective.drive.compared
        if self._problem.voltage and explained_voltage(recorded, predicted, compared) < 0:
            lines.append(
                "Running freely, the potential is further from the recorded one than its mean."
            )
        return lines

    def _of_residuals(self) -> list[str]:
        """Return a sentence on residuals of the potential from which the next ones follow."""
        problem, drive, own = self._problem, self._objective.drive, self._losses.voltage[0]
        if not problem.voltage or CORRECTION in {*problem.fixed, *(p.name for p in problem.free)}:
            return []
        tried = self._objective.with_correction(_GAINS)(self._u.repeat(len(_GAINS), 0)).voltage
        with np.errstate(all="ignore"):
            smaller = np.nanmin(tried) / own
            likelier = -drive.compared_samples / 2 * np.log(smaller)
        small = self.voltage_noise < _NOISELESS * np.nanstd(drive.voltage)  # type: ignore[arg-type]
        if small or not likelier > _LIKELIER:
            return []
        line = (
            "The residuals of the potential are correlated in time: membrane noise, or what the "
            "model lacks, biases parameters by more than their standard errors. Residuals of one "
            f"step are {100 * (1 - np.sqrt(smaller)):.2g} % smaller: free kalman_gain, too."
        )
        return [line]

    def _of_lapses(self) -> list[str]:
        """Return a sentence on intervals between spikes that are more probable by chance."""
        drive, spikes = self._objective.drive, self._objective.drive.spikes
        number, odds, last = np.moveaxis(self._losses.lapses[0], -1, 0)
        if spikes is None or not number.any():
            return []
        trial, count = int(np.argmax(odds)), int(spikes.sum()) + len(number)
        first = np.flatnonzero(spikes[trial, : int(last[trial])]).max(initial=-1) + 1
        begin, end = (f"{step * drive.dt * 1e3:.10g}" for step in (first, last[trial] + 1))
        lines = [
            f"{number.sum():.0f} of {count} intervals between spikes are more probable by chance",
            "than with this neuron, and hardly count.",
            f"The most improbable one is from {begin} to {end} ms (trial {trial}): is a spike",
            "missing or in excess, or has the membrane noise?",
        ]
        if number.sum() > count / 4:
            lines[2:] = ["Are the model, the units and the bounds right?"]
        return [" ".join(lines)]

    @cached_property
    def _free_run(self) -> Recording:
        return self.predict()

    def _summary(self) -> Summary:
        table, rows, uncertainty = self.table, [], self._uncertainty
        for k, (name, free) in enumerate(zip(self._names, self._problem.free, strict=True)):
            inside, error = uncertainty.inside[k], uncertainty.errors[k]
            each = table.sel(parameter=name)
            texts = _in_one_unit(
                str(each.unit.item()),
                *(each[key].item() for key in ("value", "standard_error", "low", "high")),
            )
            if error > _UNDETERMINED:
                texts[1] = "not determined"
            note = "in whole steps" if free.step else ""
            note = note if inside else f"at its {self._end(k)} bound"
            rows.append((name, texts[0], texts[1], f"{texts[2]} to {texts[3]}", note))
        residual = ""
        if self._problem.voltage:
            unit = unit_name(self._problem.potential_unit)
            residual = f"residual {_in_one_unit(unit, self.voltage_noise)[0]}, "
        heading = (
            f"Fit of {self.neuron.name} to {self.recording.name}: loss {self.loss:.6g}, AIC "
            f"{self.aic:.6g}, {residual}"
            f"{self.agreeing} of {len(self._state.loss)} starts within 1 %, {self.seconds:.3g} s"
        )
        return Summary(heading, [("parameter", "value", "standard error", "bounds", ""), *rows])


def _in_one_unit(base: str, *values: float) -> list[str]:
    """Return values in a base unit as texts in the unit that suits the first of them."""
    one = evaluate(base, where="fit")
    if not isinstance(one, Quantity) or one.dim.is_dimensionless:
        return ["–" if np.isnan(each) else f"{each:.4g}" for each in values]
    first, last = values[0], values[-1]  # a value of nearly 0 has no unit that suits it
    unit = ((first if abs(first) > _TINY * abs(last) else last) * one).get_best_unit()
    return ["–" if np.isnan(each) else f"{each / float(unit):.4g} {unit}" for each in values]
