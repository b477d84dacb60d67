"""The library ``nir``: its graphs, and their files, which strangers may have written."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.checks import instance
from bioae.errors import InputError, shortened
from bioae.extras import needs
from bioae.files import atomic_output
from bioae.hdf5 import check_hdf5
from bioae.inputs import as_path

#: A `nir.NIRGraph` or one of its nodes; the library has no types.
Graph = Any


def library() -> ModuleType:
    """Return the module ``nir``, or raise LibraryError."""
    module: ModuleType = needs("nir", "nir")
    return module


def nir_error(
    node: str, what: str, *, expected: str | None = None, found: object = None,
    hint: str | None = None,
) -> InputError:  # fmt: skip
    """Return the error of a node that cannot be translated, by its name."""
    text = None if found is None else shortened(str(found))
    return InputError(what, where=f"NIR node {node!r}", expected=expected, found=text, hint=hint)


def read_graph(path: Path | str) -> Graph:
    """Read a NIR graph from a file; nothing in it is executed.

    Parameters
    ----------
    path
        An HDF5 file, as `nir.write` makes it.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    InputError
        If the library is missing, or the file is not safe to read, truncated or of another kind.
    """
    module = library()
    path = as_path(path, InputError, "NIR file")
    if not path.exists():
        raise InputError("there is no file", where=str(path))
    try:
        check_hdf5(path)
        graph = module.read(str(path), type_check=False)
    except Exception as error:  # the library checks with `assert`, among others
        raise _no_graph(path, str(error) or type(error).__name__) from error
    if not isinstance(graph, module.NIRGraph):
        raise _no_graph(path, f"a single node {type(graph).__name__}")
    return graph


def _no_graph(path: Path, found: str) -> InputError:
    return InputError(
        "the file is truncated or of another kind", where=str(path),
        expected="a NIR graph, as nir.write makes it", found="a folder" if path.is_dir() else found,
    )  # fmt: skip


def write_graph(graph: Graph, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a NIR graph into a file, as a whole or not at all.

    Raises
    ------
    InputError
        If `graph` is not a NIR graph.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    module = library()
    instance(graph, "graph", module.NIRGraph)
    content = io.BytesIO()
    module.write(content, graph)
    with atomic_output(path, overwrite=overwrite) as temporary:
        # On a full disk the HDF5 library would crash the process.
        temporary.write_bytes(content.getbuffer())


def array_of(name: str, node: Graph, field: str) -> NDArray[np.float64]:
    """Return a field of a node as finite numbers: it is a number, an array or a tensor."""
    value = getattr(node, field, None)
    detach = getattr(value, "detach", None)  # frameworks put tensors into graphs
    values = np.asarray(value if detach is None else detach().cpu().numpy())
    if values.dtype.kind not in "iuf" or values.dtype == np.longdouble:
        raise nir_error(name, f"{field} holds no numbers", found=values.dtype)
    values = values.astype(np.float64)
    if not values.size:
        raise nir_error(name, f"{field} is empty", found=f"the shape {values.shape}")
    if not np.isfinite(values).all():
        raise nir_error(name, f"{field} has values that are not finite")
    return values
