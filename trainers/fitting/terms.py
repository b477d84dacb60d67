"""The terms that the parts of a fit share: names, free parameters, recordings as arrays, losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Names besides those of the model: they contain a space, which no model's name does.
GAIN, OFFSET, LATENCY = "recording gain", "recording offset", "recording latency"
WIDTH, COUPLING, SCALE = "noise width", "voltage coupling", "voltage scale"
CORRECTION = "voltage correction"


@dataclass(frozen=True)
class FreeParameter:
    """A free parameter, which the search moves as a number u from 0 to 1; bounds in base units.

    u is linear in its logarithm between positive bounds a factor of 3 or more away from each other,
    else in its value.
    """

    name: str
    low: float
    high: float
    unit: str
    #: Its values are multiples of it: the time step, for a refractory time; 0: they are smooth.
    step: float = 0.0

    @property
    def logarithmic(self) -> bool:
        """True if u is linear in the parameter's logarithm."""
        return self.low > 0 and self.high >= 3 * self.low

    def value(self, u: Floats) -> Floats:
        """Return the values in base units."""
        if self.logarithmic:
            smooth = np.asarray(self.low * (self.high / self.low) ** u)
        else:
            smooth = np.asarray(self.low + (self.high - self.low) * u)
        if not self.step:
            return smooth
        return np.clip(np.round(smooth / self.step) * self.step, self.low, self.high)

    def slope(self, u: Floats) -> Floats:
        """Return the derivative of the value with respect to u."""
        if self.logarithmic:
            return np.asarray(self.value(u) * np.log(self.high / self.low))
        return np.full(np.shape(u), self.high - self.low)

    def place(self, value: float) -> float:
        """Return the u of a value."""
        if self.logarithmic:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)


class Losses(NamedTuple):
    """The losses of sets of parameters."""

    #: The weighted sum, less the logarithm of a free width times the spikes' weight (set).
    total: Floats
    #: Those of the total for each u (set, parameter), (set, parameter, parameter); the information
    #: is that of the recording alone.
    gradient: Floats
    information: Floats
    #: The negative log-likelihood of the spikes (set).
    spikes: Floats
    #: Half the sum of squared residuals, over the squared standard deviation of the noise.
    voltage: Floats
    #: The recorded spikes in refractoriness (set): with lapses their intervals are some, else these
    #: spikes do not count.
    lost: Floats
    #: The number of intervals between recorded spikes that are more probable by chance, the log
    #: odds of the most improbable one, and its last step (set, trial, 3).
    lapses: Floats


class Drive(NamedTuple):
    """The part of a recording that drives neurons, and that they are compared with."""

    #: The input (trial, time), in steps of `dt` seconds.
    signal: Floats
    dt: float
    #: The recorded spikes (trial, time), or None.
    spikes: NDArray[np.bool_] | None = None
    #: The steps that count for the likelihood of spikes (trial, time), or None: all.
    counted: NDArray[np.bool_] | None = None
    #: The cumulative negative log-likelihood of the spikes at random times (trial, time); None: 0.
    chance: Floats | None = None
    #: The recorded potential (trial, time), NaN where it is not known, or None.
    voltage: Floats | None = None
    #: Where the potential is known and counts for the loss (trial, time), or None: everywhere.
    compared: NDArray[np.bool_] | None = None

    #: The samples of the potential that are missing before each one that counts (trial, time).
    missing: Floats | None = None

    @property
    def compared_samples(self) -> int:
        """The number of samples of the potential that count for the loss."""
        return 0 if self.compared is None else int(self.compared.sum())


#: Returns the losses (set) of parameters (set, parameter), see `CompiledObjective`.
Evaluate = Callable[..., Losses]


class Objective(Protocol):
    """The losses of parameters on a recording, each a u from 0 to 1, and free runs."""

    free: tuple[FreeParameter, ...]
    drive: Drive
    #: The probability that an interval between recorded spikes is one at random.
    lapse: float

    def __call__(self, u: Floats, *, coupling: float = 0.0) -> Losses:
        """Return the losses; `coupling` is the rate per ms of the pull to the recording."""

    def with_correction(self, gain: Floats) -> Objective:
        """Return the same objective with a Kalman gain for each set, if it is not free."""

    def predict(self, u: Floats, drive: Drive | None = None) -> tuple[NDArray[np.bool_], Floats]:
        """Return the spikes and the potential of the freely running neuron (set, trial, time)."""
