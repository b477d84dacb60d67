"""Options of a simulation in one object: the target and how it runs."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from bioae.checks import one_of, whole
from bioae.errors import InputError, TargetError

if TYPE_CHECKING:
    from distributed import Client

    from bioae.networks.placed_layer import PlacedLayer

Target = Literal["numpy", "cython", "cpp_standalone", "cuda_standalone", "torch"]
Dtype = Literal["float64", "float32"]

#: Whether the positions of a kernel share its weights, or each connection is a synapse.
Connectivity = Literal["shared", "unrolled"]

#: Everything that can run a network, and the targets of Brian2 among them.
TARGETS: tuple[Target, ...] = get_args(Target)
BRIAN2_TARGETS: tuple[Target, ...] = tuple(each for each in TARGETS if each != "torch")

#: Names of the targets in text for readers.
LABELS: Mapping[Target, str] = {
    "numpy": "NumPy",
    "cython": "Cython",
    "cpp_standalone": "C++",
    "cuda_standalone": "CUDA",
    "torch": "PyTorch",
}

#: Targets that are compiled into one program, which runs without Python.
STANDALONE: tuple[Target, ...] = ("cpp_standalone", "cuda_standalone")


def known_target(name: str, targets: tuple[Target, ...] = TARGETS) -> Target:
    """Return the name of a target, or raise a `TargetError` if it is none of `targets`."""
    if type(name) is not str or name not in targets:  # NumPy's strings cannot be stored
        raise TargetError(f"unknown target {name!r}", expected=f"one of {', '.join(targets)}")
    return name


@dataclass(frozen=True)
class Backend:
    """Options of a simulation: target, precision, connectivity, recorded variables, workers.

    Parameters
    ----------
    target
        The targets of Brian2 ``"numpy"``, ``"cython"``, ``"cpp_standalone"`` and
        ``"cuda_standalone"``; or ``"torch"``, the mirror in PyTorch.
    dtype
        The type of state variables: ``"float64"`` or ``"float32"``, or NumPy's type of this name.
    connectivity
        ``"shared"`` stores each weight once; ``"unrolled"`` creates a `brian2.Synapses` synapse per
        connection, which takes far more memory and time. Pathways whose connections differ in
        delay are always unrolled. Results do not depend on it.
    record
        Variables to record at the end of each step, in the layers that have them.
    chunk
        The most presentations of a run; chosen to bound memory by default. Results do not depend
        on it.
    workers
        The number of processes that share the chunks, or the `distributed.Client` of a Dask
        cluster whose workers run them. Results do not depend on it. Learning takes place in one
        process.

    Raises
    ------
    TargetError
        If there is no such target.
    InputError
        If another option does not fit.
    """

    target: Target = "cpp_standalone"
    dtype: Dtype = "float64"
    connectivity: Connectivity = "shared"
    record: Collection[str] = ()
    chunk: int | None = None
    workers: int | Client = 1

    def __post_init__(self) -> None:
        known_target(self.target)
        object.__setattr__(self, "dtype", _dtype_name(self.dtype))
        if self.chunk is not None:
            object.__setattr__(self, "chunk", whole(self.chunk, "chunk", least=1))
        if not _is_client(self.workers):
            expected = "a whole number or a distributed.Client"
            workers = whole(self.workers, "workers", least=1, expected=expected)
            object.__setattr__(self, "workers", workers)
        for name, options in (("dtype", get_args(Dtype)), ("connectivity", get_args(Connectivity))):
            one_of(getattr(self, name), name, options)
        object.__setattr__(self, "record", record_names(self.record))

    @classmethod
    def of(cls, backend: Backend | Target) -> Backend:
        """Return the backend of a target's name; return a backend unchanged."""
        return backend if isinstance(backend, Backend) else cls(backend)


def _is_client(workers: object) -> bool:
    distributed = sys.modules.get("distributed")  # nobody has a client who has not imported it
    return distributed is not None and isinstance(workers, distributed.Client)


def _dtype_name(dtype: object) -> object:
    """Return the name of a type of NumPy that is known; return anything else unchanged."""
    if isinstance(dtype, str):
        return dtype  # without an import
    import numpy as np

    if not isinstance(dtype, type | np.dtype):
        return dtype
    known = (name for name in get_args(Dtype) if dtype in (getattr(np, name), np.dtype(name)))
    return next(known, dtype)


def record_names(record: object) -> tuple[str, ...]:
    """Return the names of variables to record, in order, or raise an `InputError`."""
    listed = isinstance(record, Collection) and not isinstance(record, (str, bytes, Mapping))
    names = list(record) if isinstance(record, Collection) else []
    if not listed or not all(isinstance(name, str) for name in names):
        example = record if isinstance(record, str) else "v"
        raise InputError(
            "record does not fit", expected=f"a list of names, such as [{example!r}]",
            found=repr(record),
        )  # fmt: skip
    return tuple(sorted(set(names)))


def recorded(
    record: Collection[str] | Mapping[str, Collection[str]],
    layers: Iterable[PlacedLayer],
    *,
    where: str = "record",
) -> dict[str, list[str]]:
    """Return the variables to record of each layer that has them, by its name.

    `record` are names of variables; or those of each layer, by its name. An InputError says that
    there is no such layer, or no layer has such a variable.
    """
    placed = {each.name: each for each in layers}
    chosen: dict[str, tuple[str, ...]] = {}
    for layer, variables in record.items() if isinstance(record, Mapping) else ((None, record),):
        if layer is not None and layer not in placed:
            raise InputError(
                f"there is no layer {layer!r}", where=where, expected=" or ".join(placed)
            )
        names = record_names(variables)
        those = list(placed) if layer is None else [layer]
        known = {state for each in those for state in placed[each].program.states} if names else ()
        for name in names:
            if name not in known:
                raise InputError(
                    f"no layer has a variable {name!r}",
                    where=where if layer is None else f"{where}, layer {layer!r}",
                    expected=f"one of {', '.join(sorted(known))}",
                )
        chosen |= dict.fromkeys(those, names)
    return {
        name: [state for state in each.program.states if state in chosen[name]]
        for name, each in placed.items()
        if chosen.get(name)
    }
