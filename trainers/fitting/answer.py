"""The answer of a fit: the neuron, its parameters with errors, predictions and scores."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from brian2 import second
from brian2.units import Quantity
from brian2.units.fundamentalunits import get_dimensions
from numpy.typing import NDArray

from bioae.analysis import coincidence_factor, explained_variance, md_star, psth
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate
from bioae.recordings import Recording
from bioae.showing import Shown, Summary
from bioae.trainers.fitting.problem import OTHERS, Problem, with_values
from bioae.trainers.fitting.search import Descent
from bioae.trainers.fitting.terms import Floats, Losses, Objective
from bioae.unit_text import readable

#: The step in u of the differences that give the observed information.
_STEP = 1e-4

#: A parameter this close to an end of its range, in u, is at a bound.
_AT_BOUND = 1e-3

#: A direction is not determined if its standard error is more than this part of the range.
_UNDETERMINED = 0.25

_USERS = {name: user for user, name in OTHERS.items()}


class Fit(Shown):
    """A fitted neuron model.

    Attributes
    ----------
    neuron
        The neuron model with the fitted parameters; `NeuronModel.to_toml` writes its file.
    parameters
        The fitted parameters by name, as quantities; also ``gain``, ``offset`` and ``latency`` of
        the recording, and the ``width`` of the escape noise, where they were free.
    recording
        The recording.
    loss
        The weighted sum of the negative log-likelihood of the spikes, and of half the squared
        residuals of the voltage over the noise's variance.
    voltage_noise
        The standard deviation of the voltage's noise, given or estimated; NaN without a voltage.
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
        seconds: float,
    ) -> None:
        self._problem, self._objective, self._state = problem, objective, state
        self._u = best[None]
        values = {each.name: float(each.value(best[k])) for k, each in enumerate(problem.free)}
        self.neuron: NeuronModel = with_values(problem.model, values)
        self.recording, self.seconds = problem.recording, seconds
        self.parameters: dict[str, Quantity] = {
            _USERS.get(each.name, each.name): values[each.name] * evaluate(each.unit, where="fit")
            for each in problem.free
        }
        self.loss = float(objective(self._u).total[0])
        self.voltage_noise = voltage_noise if problem.voltage else float("nan")

    @property
    def table(self) -> xr.Dataset:
        """Value, standard error and bounds of each parameter in base units (parameter).

        The standard errors are those of the observed information, and NaN for a parameter that is
        at a bound: the others are then conditional on it.
        """
        free = self._problem.free
        error, _ = self._errors
        inside = self._inside
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
        _, (errors, directions) = self._errors
        wide = ~(errors <= _UNDETERMINED)
        return xr.DataArray(
            directions[wide], dims=("direction", "parameter"), name="undetermined",
            coords={"parameter": self._names, "standard_error": ("direction", errors[wide])},
        )  # fmt: skip

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
            {"parameter": self._names},
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
        given = recording or self.recording
        (fired,), (voltage,) = self._objective.predict(self._u, self._problem.drive(given))
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
        self, recording: Recording | None = None, *, delta: Any = ("2*ms", "4*ms")
    ) -> dict[str, float]:
        """Return how well the prediction agrees with a recording.

        Parameters
        ----------
        recording
            The recording, such as data that were left out; by default that of the fit.
        delta
            The windows of coincidence.

        Returns
        -------
        dict
            Γ of each window, Md* of repeated trials, and
            the explained variance of the rate in bins of 5 ms and of the voltage.
        """
        given = recording or self.recording
        predicted, scores = self.predict(given), {}
        length = float(given.duration)
        if given.spikes is not None and predicted.spikes is not None:
            windows = (delta,) if isinstance(delta, str | Quantity) else tuple(delta)
            for each in windows:
                window = float(evaluate(readable(each), where="delta"))
                scores[f"gamma_{window * 1e3:g}ms"] = coincidence_factor(
                    given.spikes, predicted.spikes, delta=window, duration=length
                )
                if given.trials > 1:
                    scores[f"md_star_{window * 1e3:g}ms"] = md_star(
                        given.spikes, predicted.spikes, delta=window
                    )
            rates = [psth(each, duration=length) for each in (given.spikes, predicted.spikes)]
            scores["explained_variance_rate"] = explained_variance(*rates)
        if given.voltage is not None and self._problem.voltage:
            scores["explained_variance_voltage"] = explained_variance(
                given.voltage, np.asarray(predicted.voltage)
            )
        return scores

    @property
    def _names(self) -> list[str]:
        return [_USERS.get(each.name, each.name) for each in self._problem.free]

    @property
    def _inside(self) -> NDArray[np.bool_]:
        return np.asarray((self._u[0] > _AT_BOUND) & (self._u[0] < 1 - _AT_BOUND))

    @cached_property
    def _information(self) -> Floats:
        """The observed information in u: differences of the gradient."""
        count = self._u.shape[1]
        at = np.clip(self._u[0], _STEP, 1 - _STEP)
        steps = _STEP * np.eye(count)
        found: Losses = self._objective(np.concatenate([at + steps, at - steps]))
        matrix = (found.gradient[:count] - found.gradient[count:]) / (2 * _STEP)
        return np.asarray((matrix + matrix.T) / 2)

    @cached_property
    def _errors(self) -> tuple[Floats, tuple[Floats, Floats]]:
        """The standard errors in base units, and those of the directions in u."""
        inside = np.flatnonzero(self._inside)
        count = len(self._problem.free)
        eigenvalues, vectors = np.linalg.eigh(self._information[np.ix_(inside, inside)])
        with np.errstate(all="ignore"):
            errors = np.where(eigenvalues > 0, 1 / np.sqrt(eigenvalues), np.inf)
        directions = np.zeros((len(inside), count))
        directions[:, inside] = vectors.T
        variances = np.full(count, np.nan)
        weighted = np.where(vectors != 0, vectors**2 * errors**2, 0.0)
        variances[inside] = weighted.sum(1)
        slopes = [abs(float(each.slope(self._u[0, k]))) for k, each in
                  enumerate(self._problem.free)]  # fmt: skip
        return np.sqrt(variances) * slopes, (errors, directions)

    def _summary(self) -> Summary:
        table = self.table
        rows = []
        for name in self._names:
            each = table.sel(parameter=name)
            unit = evaluate(str(each.unit.item()), where="fit")
            texts = [_shown(each[key].item() * unit) for key in
                     ("value", "standard_error", "low", "high")]  # fmt: skip
            note = "at a bound" if each.at_bound.item() else ""
            rows.append((name, texts[0], texts[1], f"{texts[2]} to {texts[3]}", note))
        ended = int((self._state.loss <= self.loss * 1.01 + 1e-9).sum())
        heading = (
            f"Fit of {self.neuron.name}: loss {self.loss:.6g}, {ended} of {len(self._state.loss)} "
            f"starts within 1 %, {self.seconds:.3g} s"
        )
        return Summary(heading, [("parameter", "value", "standard error", "bounds", ""), *rows])


def _shown(value: Any) -> str:
    """Return a quantity with four digits."""
    if not isinstance(value, Quantity) or value.dim.is_dimensionless:
        return f"{float(value):.4g}"
    return str(value.in_best_unit(precision=4))
