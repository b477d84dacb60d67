"""The commands ``bioae parity`` and ``bioae analyze`` as functions: a composition root.

Each takes a network in any form, and data in any form of `bioae.datasets.convert`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from bioae.errors import InputError
from bioae.extras import need_torch

if TYPE_CHECKING:
    from bioae.datasets import Data, Hints
    from bioae.simulation import Backend
    from bioae.simulation.backend import Target
    from bioae.trainers.parity import Parity

__all__ = ["analyze", "parity"]

#: The data where none are given, and their number in a comparison.
_DEFAULT, _COMPARED = "sample", 4
#: The options of a comparison of a neuron model.
_COMPARISON = ("neurons", "steps", "examples")


def analyze(
    source: Any,
    data: Data | Any = None,
    backend: Backend | Target = "cpp_standalone",
    *,
    out: Path | str,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool | None = None,
    **hints: Unpack[Hints],
) -> dict[str, Any]:
    """Measure firing and outputs, and write the report, tables and figures into a folder.

    Parameters
    ----------
    source
        Results: one or several, each the path of a file or a tree in memory, see
        `bioae.analysis.analyze`. Or a network, which is simulated first: with its record, or the
        path or name of one.
    data, hints
        For a network: images, signals or events in any of the forms of `bioae.datasets.convert`; by
        default the embedded digits.
    backend, seed
        For a network: see `bioae.simulate`.
    out
        The folder to write to.
    overwrite
        Whether to replace an earlier analysis.
    progress
        Whether to show bars; by default on a terminal and in a notebook.

    Returns
    -------
    dict
        See `bioae.analysis.analyze`.

    Raises
    ------
    InputError
        If there are data for results, or the source is of no such form.
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    from bioae import analysis
    from bioae.analysis.report.pipeline import check_outputs
    from bioae.datasets.conversion import check_hints
    from bioae.simulation import simulate

    check_hints(hints, analyze)
    if not _is_network(source):
        if data is not None or hints:
            raise InputError(
                "results have their data already",
                where="data",
                expected="a network, if there are data",
                found=type(source).__name__,
            )
        return analysis.analyze(source, out, overwrite=overwrite, progress=progress)
    check_outputs(out, overwrite=overwrite)
    name = str(source) if isinstance(source, str | os.PathLike) else "network"
    shown = _DEFAULT if data is None else data
    result = simulate(source, shown, backend, seed=seed, progress=progress, **hints)
    results = {Path(name).stem: result}
    return analysis.analyze(results, out, overwrite=overwrite, progress=progress)


def parity(
    model: Any,
    data: Data | Any = None,
    *,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
    **options: Any,
) -> Parity:
    """Compare the PyTorch mirror with Brian2, spike for spike.

    Parameters
    ----------
    model
        A neuron model, the name of one, or its TOML file: compared in a small random network. Or a
        trained network, its artefact, path or name: compared on data. The name of a neuron model
        takes precedence.
    data
        For a network: images, signals or events in any of the forms of `bioae.datasets.convert`; by
        default the first four embedded digits.
    target
        Brian2's target.
    seed
        The seed of weights and random input.
    perturb
        Whether to compare Brian2 with itself, perturbed, in any case.
    options
        For a neuron model `neurons`, `steps` and `examples`, see
        `bioae.trainers.parity.model_parities`; for a network the hints of `bioae.datasets.convert`.

    Returns
    -------
    Parity
        The report; `passed` says whether both sides agree as they should.

    Raises
    ------
    LibraryError
        If PyTorch is not installed.
    InputError
        If the model or the data do not fit.
    """
    need_torch("parity")
    from bioae.datasets.conversion import Hints, check_hints
    from bioae.equations import NeuronModel, available, load_model
    from bioae.trainers.parity import compare, model_parity

    named = isinstance(model, str | os.PathLike)
    if named and (str(model) in available() or Path(model).suffix == ".toml"):
        model = load_model(model)
    neuron = isinstance(model, NeuronModel)
    check_hints(options, parity, _COMPARISON if neuron else Hints.__annotations__)
    options |= {"target": target, "seed": seed, "perturb": perturb}
    if isinstance(model, NeuronModel):
        if data is not None:
            raise InputError(
                "a neuron model receives random input, and no data",
                where="data",
                mend="Give a network, or leave out data",
            )
        return model_parity(model, **options)
    if data is None:
        data = _DEFAULT
        options.setdefault("limit", _COMPARED)
    return compare(model, data, **options)


def _is_network(source: Any) -> bool:
    """Return whether this is a network, an artefact, or the path or name of one."""
    from bioae import models
    from bioae.networks import Artefact
    from bioae.networks.base import NetworkBase

    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return (
            path.is_dir()
            or path.suffix == ".zip"
            or (str(source) in models.available() and not path.exists())
        )
    return isinstance(source, NetworkBase | Artefact)
