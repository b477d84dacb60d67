"""Builders of small results with known counts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from rasters import make


@pytest.fixture
def counted() -> xr.DataTree:
    """Return 3 examples, 4 steps of 0.5 ms and 5 neurons, with known statistics.

    Neuron 0 is dead; 1 spikes once in total; 2 in every step of example 0 and nowhere else; 3 once
    in each of examples 0 and 1; 4 in two of the four steps of example 0. Example 2 is silent.
    """
    raster = np.zeros((3, 4, 5), bool)
    raster[1, 3, 1] = True
    raster[0, :, 2] = True
    raster[0, 1, 3] = raster[1, 2, 3] = True
    raster[0, :2, 4] = True
    return make(raster)
