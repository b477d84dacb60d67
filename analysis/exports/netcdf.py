"""Trees as netCDF4 files in memory.

For trees of hundreds of small variables, which `xarray.DataTree.to_netcdf` writes in several times
the time: h5netcdf looks each of them up again and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.conventions import cf_encoder, encode_dataset_coordinates

__all__ = ["to_netcdf"]

# The netCDF-4 format: https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.{:10d}"
_NUMBER = "_Netcdf4Dimid"

_Scales = Mapping[Hashable, h5py.Dataset]


def to_netcdf(tree: xr.DataTree) -> bytes:
    """Return a tree as a netCDF4 file, which xarray reads as the same tree.

    Equal trees give equal bytes. Inherited coordinates are stored once, as by xarray.

    Parameters
    ----------
    tree
        Numbers, bools and strings in memory; no dates.
    """
    with h5py.File("memory", "w", driver="core", backing_store=False, track_order=True) as file:
        _write(file, tree, {})
        file.flush()
        return bytes(file.id.get_file_image())


def _write(group: h5py.Group, node: xr.DataTree, inherited: _Scales) -> None:
    """Write a node and those below it."""
    dataset = node.to_dataset(inherit=False)
    variables, attributes = cf_encoder(*encode_dataset_coordinates(dataset))
    own = [name for name in dataset.sizes if name not in inherited]
    scales = dict(inherited)
    for name in own:
        if name not in variables:
            scales[name] = group.create_dataset(str(name), (dataset.sizes[name],), ">f4")
            scales[name].make_scale(_NO_VARIABLE.format(dataset.sizes[name]))
    stored = {name: _stored(group, str(name), each) for name, each in variables.items()}
    for name in own:
        if name in stored:
            scales[name] = stored[name]
            scales[name].make_scale(str(name))
    for number, name in enumerate(own, len(inherited)):
        scales[name].attrs[_NUMBER] = np.int32(number)
    for name, variable in variables.items():
        if name not in own:
            for place, dimension in enumerate(variable.dims):
                stored[name].dims[place].attach_scale(scales[dimension])
    group.attrs.update(attributes)
    for name, child in node.children.items():
        _write(group.create_group(name, track_order=True), child, scales)


def _stored(group: h5py.Group, name: str, variable: xr.Variable) -> h5py.Dataset:
    values: Any = variable.to_numpy()
    kind = h5py.string_dtype() if values.dtype.kind in "OUT" else values.dtype
    stored = group.create_dataset(name, data=values.astype(kind), dtype=kind, track_order=True)
    stored.attrs.update(variable.attrs)
    return stored
