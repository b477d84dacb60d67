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
    from bioae.datasets import Data, DataOptions
    from bioae.equations import NeuronModel
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
    backend: Backend | Target | None = None,
    *,
    out: Path | str,
    seed: int | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Unpack[DataOptions],
) -> dict[str, Any]:
    """Measure firing and outputs, and write the report, tables and figures into a folder.

    Parameters
    ----------
    source
        Results: one or several, each the path of a file or a tree in memory, see
        `bioae.analysis.analyze`. Or a network, which is simulated first: with its record, or the
        path or name of one.
    data, options
        For a network: images, signals or events in any of the forms of `bioae.datasets.convert`; by
        default the embedded digits.
    backend, seed
        For a network: see `bioae.simulate`, whose defaults they have.
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
        If there are data, a backend or a seed for results, or the source is of no such form.
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    from bioae import analysis
    from bioae.analysis.report.pipeline import check_outputs
    from bioae.datasets.conversion import check_options
    from bioae.simulation import simulate

    check_options(options, analyze)
    if not _is_network(source):
        given = {"data": data, **options, "backend": backend, "seed": seed}
        useless = next((name for name, value in given.items() if value is not None), None)
        if useless:
            raise InputError(
                "a result is not simulated again",
                where=useless,
                expected=f"a network, if there is {useless}",
                found=type(source).__name__,
            )
        return analysis.analyze(source, out, overwrite=overwrite, progress=progress)
    check_outputs(out, overwrite=overwrite)
    name = str(source) if isinstance(source, str | os.PathLike) else "network"
    shown = _DEFAULT if data is None else data
    result = simulate(
        source, shown, backend or "cpp_standalone", seed=seed or 0, progress=progress, **options
    )
    results = {Path(name).stem: result}
    return analysis.analyze(results, out, overwrite=overwrite, progress=progress)


def parity(
    model: Any,
    data: Data | Any = None,
    *,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
    neuron: NeuronModel | Path | str | None = None,
    **options: Any,
) -> Parity:
    """Compare the PyTorch mirror with Brian2, spike for spike.

    Parameters
    ----------
    model
        A neuron model or a synapse model, the name of one, or its TOML file: compared in a small
        random network. Or a trained network, its artefact, path or name: compared on data. The name
        of a model takes precedence.
    data
        For a network: images, signals or events in any of the forms of `bioae.datasets.convert`; by
        default the first four embedded digits, or four random signals.
    target
        Brian2's target.
    seed
        The seed of weights and random input.
    perturb
        Whether to compare Brian2 with itself, perturbed, in any case; not for a synapse model.
    neuron
        The neuron model of the network in which a synapse model is compared; lif by default.
    options
        For a neuron model or a synapse model `neurons`, `steps` and `examples`, see
        `bioae.trainers.parity.model_parities` and `rule_parities`; for a network the options of
        `bioae.datasets.convert`.

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
    from bioae.datasets.conversion import DataOptions, check_options
    from bioae.equations import NeuronModel, SynapseModel, load_neuron
    from bioae.networks.trained.loading import network_of
    from bioae.trainers.parity import compare, model_parity, rule_parities
    from bioae.trainers.parity.networks import random_signals

    model = _loaded(model)
    random = isinstance(model, NeuronModel | SynapseModel)
    check_options(options, parity, _COMPARISON if random else DataOptions.__annotations__)
    if random and data is not None:
        raise InputError(
            "a model receives random input, and no data",
            where="data",
            hint="Give a network, or leave out data",
        )
    if neuron is not None and not isinstance(model, SynapseModel):
        raise InputError(
            "a neuron model is named for synapse models only", where="neuron", hint="Leave it out"
        )
    options |= {"seed": seed}
    if isinstance(model, SynapseModel):
        if perturb:
            raise InputError("a synapse model is not perturbed", where="perturb")
        if not isinstance(neuron, NeuronModel):
            neuron = load_neuron("lif" if neuron is None else neuron)
        (report,) = rule_parities(model, [target], neuron=neuron, **options)
        return report
    options |= {"target": target, "perturb": perturb}
    if isinstance(model, NeuronModel):
        return model_parity(model, **options)
    if data is None:
        config = network_of(model).config
        data = _DEFAULT
        if config.in_time:
            data = random_signals(config, options.get("limit", _COMPARED), seed)
        options.setdefault("limit", _COMPARED)
    return compare(model, data, **options)


def _loaded(model: Any) -> Any:
    """Return the neuron model or synapse model that this names, or else what it is."""
    from bioae.equations import load_neuron, load_synapse
    from bioae.networks.trained.loading import kind_of

    if not isinstance(model, str | os.PathLike):
        return model
    kind = kind_of(model)
    if kind == "network":
        return model
    path = os.fspath(model)
    return load_synapse(path) if kind == "synapse" else load_neuron(path)


def _is_network(source: Any) -> bool:
    """Return whether this is a network, an artefact, or the path or name of one."""
    from bioae.networks import Artefact, trained
    from bioae.networks.network import Network

    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return (
            path.is_dir()
            or path.suffix == ".zip"
            or (str(source) in trained.available() and not path.exists())
        )
    return isinstance(source, Network | Artefact)
