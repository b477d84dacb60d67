"""Fields on a ring against their covariance in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bioae.datasets import Data
from experiments.synthetic import erf_covariance, ring_covariance, ring_fields


def measured(fields: Data, label: int) -> tuple[np.ndarray[Any, Any], int]:
    """Return the covariance of a class with the place 0, over all examples and rotations."""
    assert fields.labels is not None
    values = fields.as_float()[fields.labels == label, 0]
    length = values.shape[1]
    lags = [(values * np.roll(values, -lag, axis=1)).mean() for lag in range(length)]
    return np.array(lags), len(values)


def test_the_covariance_is_that_of_a_squared_exponential() -> None:
    found = ring_covariance(40, 4.0)
    distance = np.minimum(np.arange(40), 40 - np.arange(40))
    np.testing.assert_allclose(found, np.exp(-((distance / 4) ** 2)), atol=1e-12)
    long = ring_covariance(40, 20.0)  # as it stands, it would have negative eigenvalues
    assert np.fft.fft(np.exp(-((distance / 20) ** 2))).real.min() < -1e-3
    assert np.fft.fft(long).real.min() > -1e-12
    assert long[0] == pytest.approx(1.0)
    exact = np.fft.fft(np.exp(-((distance / 20) ** 2))).real
    assert abs(long - np.exp(-((distance / 20) ** 2))).max() < 0.1
    magnitude = ring_covariance(40, 20.0, negative="magnitude")
    assert magnitude[0] == pytest.approx(1.0)
    powers = np.fft.fft(magnitude).real
    np.testing.assert_allclose(powers / powers[0], abs(exact) / exact[0], atol=1e-12)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("gain", [0.3, 3.0])
def test_both_kinds_of_fields_have_the_same_covariance(gain: float, gaussian: bool) -> None:
    """The law of the arcsine (Williams 1998); a mean over rotations has little noise."""
    fields = ring_fields(8000, gain=gain, gaussian=gaussian, seed=1)
    assert fields.values.shape == (8000, 1, 40)
    for label, scale in enumerate((4.0, 20.0)):
        lags, count = measured(fields, label)
        assert count == 4000
        expected = erf_covariance(ring_covariance(40, scale), gain)
        assert expected[0] == pytest.approx(1.0)
        # At most one independent value of variance 2 per field.
        np.testing.assert_allclose(lags, expected, atol=5 * math.sqrt(2 / count))
