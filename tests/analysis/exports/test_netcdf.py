"""netCDF files in memory are those that xarray writes, but for the order of their bytes."""

from __future__ import annotations

import io

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from bioae.analysis import example_result, statistics
from bioae.analysis.exports.netcdf import to_netcdf

TREES = {
    "statistics": statistics(example_result()),
    "nested": xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"x": [3, 1, 2]}, attrs={"text": "é", "number": 1.5}),
            "/a b/c": xr.Dataset(
                {
                    "flag": ("x", [True, False, True], {"units": "1"}),
                    "matrix": (("x", "y"), np.full((3, 2), np.nan, np.float32)),
                    "scalar": ((), np.int16(-4)),
                    "word": ("y", ["", "é\n"]),
                    "none": ("z", np.zeros(0)),
                },
                coords={"beside": ("y", [0.5, 1.5])},
            ),
            "/d": xr.Dataset({"own": ("y", [1, 2, 3])}),
        }
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_the_file_is_that_of_xarray(name: str) -> None:
    ours = to_netcdf(TREES[name])
    others = bytes(TREES[name].to_netcdf(engine="h5netcdf"))
    assert ours == to_netcdf(TREES[name])
    one, other = (
        xr.open_datatree(io.BytesIO(each), engine="h5netcdf").load() for each in (ours, others)
    )
    assert sum(len(node.variables) for node in one.subtree) > 5
    xr.testing.assert_identical(one, other)
    for node in one.subtree:
        same = other[node.path]
        assert list(node.variables) == list(same.variables)
        for key, variable in node.variables.items():
            assert list(variable.attrs) == list(same.variables[key].attrs)
            assert variable.dtype == same.variables[key].dtype
            encoded = same.variables[key].encoding
            assert variable.encoding.get("dtype") == encoded.get("dtype")
            assert variable.encoding.get("coordinates") == encoded.get("coordinates")


@pytest.mark.parametrize("name", TREES)
def test_dimensions_are_declared_where_xarray_declares_them(name: str) -> None:
    def sizes(group: h5netcdf.Group) -> dict[str, object]:
        own = {key: dimension.size for key, dimension in group.dimensions.items()}
        return {"": own, **{key: sizes(below) for key, below in group.groups.items()}}

    ours = to_netcdf(TREES[name])
    others = bytes(TREES[name].to_netcdf(engine="h5netcdf"))
    with h5netcdf.File(io.BytesIO(ours)) as one, h5netcdf.File(io.BytesIO(others)) as other:
        assert sizes(one)[""]
        assert sizes(one) == sizes(other)
