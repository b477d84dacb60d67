"""The verbs of `bioae`, each a function: the composition root of the parts.

They take a network in any form, and data in any form of `bioae.datasets.convert`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial, wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar, Unpack, get_args

from bioae.errors import InputError, shortened
from bioae.extras import need_torch

if TYPE_CHECKING:
    import xarray as xr

    from bioae.datasets import Data, DataOptions
    from bioae.equations.library import NeuronLike
    from bioae.networks.artefact import NetworkLike
    from bioae.networks.config import NetworkConfig
    from bioae.networks.network import Network
    from bioae.networks.plasticity import Held
    from bioae.networks.teaching import Repeat
    from bioae.progress import Progress
    from bioae.recordings import Recording
    from bioae.runs.rules.config import LearningConfig
    from bioae.runs.run import Trained
    from bioae.runs.splits import Given
    from bioae.runs.tables import Optimiser
    from bioae.runs.trainer import Reporter, Trainer
    from bioae.simulation.backend import Backend, Connectivity, Target
    from bioae.simulation.engine import Engine
    from bioae.simulation.learning import Learned
    from bioae.simulation.objects.brian_network import BrianNetwork
    from bioae.simulation.run import Simulation
    from bioae.trainers.fitting import Fit
    from bioae.trainers.fitting.problem import Free
    from bioae.trainers.fitting.settings import FitOptions
    from bioae.trainers.parity import Parity
    from bioae.trainers.training.config import TrainingConfig

P = ParamSpec("P")
R = TypeVar("R")

#: The data where none are given, and their number in a comparison and in a script.
_DEFAULT, _COMPARED = "sample", 4
#: What a name or a path means where models and networks are accepted.
ModelKind: TypeAlias = Literal["neuron", "synapse", "network"]

#: The options of a comparison of a neuron model.
_COMPARISON = ("neurons", "steps", "examples")


def _verb(function: Callable[P, R]) -> Callable[P, R]:
    """Reject keywords that are neither arguments of a function nor options of data."""

    @wraps(function)
    def checked(*arguments: P.args, **keywords: P.kwargs) -> R:
        from bioae.datasets.conversion import check_options
        from bioae.progress import check_progress

        known = signature(function).parameters
        check_options({n: each for n, each in keywords.items() if n not in known}, function)
        check_progress(keywords.get("progress"))
        return function(*arguments, **keywords)

    return checked


def engine_of(network: Network, backend: Backend) -> Engine:
    """Return the engine that runs a network on a target."""
    if backend.target == "torch":
        need_torch('the target "torch"')
        from bioae.trainers.mirror.engine import MirrorEngine

        return MirrorEngine(network, backend)
    from bioae.simulation.workers.job import Brian2Engine

    return Brian2Engine(network, backend)


@_verb
def simulate(
    network: NetworkLike,
    data: Data | Any = None,
    backend: Backend | Target = "cpp_standalone",
    *,
    presentations: int | None = None,
    seed: int = 0,
    repeats: int = 1,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> xr.DataTree:
    """Run a network on data.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    data
        The name of a data set, a path, an array or tensor, a data set of PyTorch, or another of the
        forms of `bioae.datasets.convert`.
    presentations
        The number of presentations of a network that receives no input, in place of data.
    backend
        The target, or a `Backend` with the target, the type of state variables, the variables to
        record, the way that connections are stored, and workers.
    seed
        The seed of random input and of the noise of neurons. They depend on it, on the position of
        an example in its data set and on the repeat, and on nothing else.
    repeats
        The number of presentations of each example, which differ in random input and noise. The
        first, repeat 0, is the only one by default.
    progress
        Called after each chunk with the numbers of finished and of all presentations; or whether
        to show a bar, by default on a terminal and in a notebook.
    options
        `labels`, `split` (``"test"`` by default), `limit`, `examples`, `layout` and others, see
        `bioae.datasets.convert`.

    Returns
    -------
    xarray.DataTree
        See `docs/result.md`.

    Raises
    ------
    DataError
        If the data do not fit the network.
    TargetError
        If there is no such target, or it is missing a requirement; or if the cluster has no
        workers.
    LibraryError
        If the target is ``"torch"``, and PyTorch is not installed.
    InputError
        If an option does not fit; or if there are several repeats and the network has no noise.
    """
    if presentations is not None:
        network, data = _without_input(network, data, presentations)
    simulation = _simulation(network, data, backend, seed=seed, repeats=repeats, options=options)
    return simulation.result(progress)


def _without_input(network: NetworkLike, data: Any, presentations: int) -> tuple[Network, Any]:
    """Return a network that receives no input, and as many presentations of nothing."""
    import numpy as np

    from bioae.checks import whole
    from bioae.networks.artefact import network_of

    network = network_of(network)
    if data is not None or network.config.driven:
        found = "data" if data is not None else "projections from the input"
        raise InputError(
            "presentations are counted of a network without input",
            where="presentations",
            found=found,
            hint="Give the data of each presentation, such as np.repeat(data, 20, axis=0)",
        )
    number = whole(presentations, "presentations", least=1)
    return network, np.zeros((number, *network.config.data_shape))


@_verb
def simulate_to(
    path: Path | str,
    network: NetworkLike,
    data: Data | Any,
    backend: Backend | Target = "cpp_standalone",
    *,
    seed: int = 0,
    repeats: int = 1,
    progress: Progress | bool | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **options: Unpack[DataOptions],
) -> None:
    """Run a network on data, and write the result as a file.

    The file equals that of `bioae.write_result` for the tree from `bioae.simulate`. Finished chunks
    are stored in the folder ``PATH.parts`` until they are merged into the file: memory is bounded
    by a chunk and the repeats of one example, and an interrupted run loses only its unfinished
    chunks.

    Parameters
    ----------
    path
        The netCDF file.
    network, data, backend, seed, repeats, progress, options
        As for `bioae.simulate`.
    resume
        Continue an interrupted run, if there is one.
    overwrite
        Replace an existing result, or the finished chunks of an interrupted run. No other file is
        replaced.

    Raises
    ------
    DataError, TargetError, LibraryError, InputError
        As `bioae.simulate`.
    OutputError
        If there is a file and `overwrite` is false, or an interrupted run and neither `overwrite`
        nor `resume` is true, or that run was another one; or if writing fails.
    """
    from bioae.simulation.run import check_free

    path = check_free(path, resume=resume, overwrite=overwrite)
    simulation = _simulation(network, data, backend, seed=seed, repeats=repeats, options=options)
    simulation.write(path, resume=resume, overwrite=overwrite, progress=progress)


def _simulation(
    network: NetworkLike,
    data: Data | Any,
    backend: Backend | Target,
    *,
    seed: int,
    repeats: int,
    options: DataOptions,
) -> Simulation:
    """Check the arguments of `simulate` before any work is done."""
    from bioae.networks.artefact import network_of
    from bioae.simulation.backend import Backend, recorded
    from bioae.simulation.presentations import Presentations
    from bioae.simulation.run import Simulation

    network, backend = network_of(network), Backend.of(backend)
    recorded(backend.record, network.config.placed)
    engine = engine_of(network, backend)
    if isinstance(backend.workers, int):
        engine.check()
    config = network.config
    presented = Presentations.of(config, data, seed=seed, repeats=repeats, **options)
    return Simulation(engine, presented)


@_verb
def learn(
    network: NetworkLike | Learned,
    data: Data | Any,
    backend: Backend | Target = "cpp_standalone",
    *,
    held: Held | None = None,
    seed: int = 0,
    batch_size: int = 1,
    optimiser: Optimiser | str | Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    normalise: Mapping[str, float] | None = None,
    repeat: Repeat | Mapping[str, Any] | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> Learned:
    """Run a network on data while it learns by its synapse models.

    Presentations follow each other in the order of the data; weights change in each of them, by
    the rules of `docs/timing.md`. Neurons and traces start each presentation from their initial
    values, except persistent variables of neurons and of rules. Connections of a rule with a
    ``[structure]`` are exchanged between presentations.

    Parameters
    ----------
    network
        The network, of which at least one layer has a synapse model, or neurons with persistent
        variables. Or the result of an earlier call: learning continues from there, with the state
        of the optimiser and in the periods of a ``[structure]``.
    data, backend, seed, progress, options
        As for `bioae.simulate`. The result depends on the order of the examples, and not on the
        backend's `chunk`.
    held
        The modulators of rules for each presentation, such as a reward, by name: (example) each, or
        one number for all.
    batch_size
        The number of presentations that learn at once, with the target ``"torch"``: the changes of
        a step are averaged over them, before the rule's bounds apply.
    optimiser
        An optimiser as in ``[training]``, such as ``"adam"``, with the target ``"torch"``: the
        averaged changes of a step are its negative gradient, and the rule's bounds apply after its
        step. None: they are added.
    learning_rate
        The optimiser's step size; None: 0.001.
    normalise
        The sum to which the weights into each neuron are scaled before each example, by the name of
        the weights, such as ``{"exc.weight": 78}``.
    repeat
        When an example is presented again, with more input, such as ``{"population": "exc",
        "spikes": 5}``: see `bioae.networks.teaching.Repeat`. The result's ``example`` then counts
        presentations, and its ``shown`` is the example that each showed.

    Returns
    -------
    Learned
        The network that has learned, and its activity meanwhile.

    Raises
    ------
    NetworkError
        If no layer has a synapse model, or connections or their scores do not fit.
    DataError, TargetError, LibraryError, InputError
        As `bioae.simulate`; or if modulators do not fit, or the target does not learn this way.
    """
    from bioae.checks import whole
    from bioae.networks.artefact import network_of
    from bioae.networks.teaching import Teaching
    from bioae.runs.tables import OptimiserSettings
    from bioae.simulation.backend import Backend, recorded
    from bioae.simulation.engine import Updates
    from bioae.simulation.learning import Learned, learned_from
    from bioae.simulation.modulators import modulators
    from bioae.simulation.presentations import Presentations

    before = None
    if isinstance(network, Learned):
        before, network = network, network.network
    described = network_of(network)
    teaching = Teaching.of(described.config, normalise, repeat)
    start = described.learner(teaching.normalise)
    backend = Backend.of(backend)
    recorded(backend.record, start.config.placed)
    updates = Updates(
        whole(batch_size, "batch_size", least=1),
        OptimiserSettings.of(optimiser, learning_rate),
        {} if before is None else before.moments,
        teaching,
    )
    engine = replace(engine_of(start, backend), carried={} if before is None else before.carried)
    presented = Presentations.of(start.config, data, seed=seed, **options)
    values = modulators(start.config, held, presented)
    return learned_from(
        engine, presented,
        held=values, updates=updates, before=0 if before is None else before.presentations,
        progress=progress,
    )  # fmt: skip


@_verb
def train(
    source: TrainingConfig | LearningConfig | Mapping[str, Any] | NetworkLike | NetworkConfig,
    data: Data | Any = None,
    *,
    test: Data | Any = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
    **options: Unpack[DataOptions],
) -> Trained:
    """Train a network by gradients, or by the rules of its synapse models.

    The folder `out` holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl`` from
    the start, and at the end ``test.json`` and ``model``, the artefact. If the run starts from a
    trained network, ``start`` is that network as training begins. An interrupted run keeps its
    progress.

    Parameters
    ----------
    source
        A configuration: an object, its tables, or the path of a TOML file. Or a network: its
        description, whose weights are drawn; or a trained one, its artefact, path or name, from
        which training starts.
    data
        The data to train on, in place of those of the configuration: in any form that `simulate`
        takes, such as ``(X, y)``. A part of them, ``[data] validation``, is held out.
    test
        The data to test on at the end; by default the test split of a data set's name or path.
    settings
        Tables of a configuration whose keys replace those of `source`, such as
        ``{"training": {"epochs": 5}}``; with a table ``learning`` the network learns by rules.
    out
        The run's folder; without one nothing is written.
    resume
        Continue the run in `out`, if there is one; the result is bit for bit that of an
        uninterrupted run.
    overwrite
        Replace a run in `out`; other files there are left unchanged.
    progress
        Called after every update with a report; or whether to show a bar, by default on a terminal
        and in a notebook.
    options
        As for `simulate`, of `data`.

    Returns
    -------
    Trained
        The network, and the metrics.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or differs from that of the run to resume, or the loss
        is no longer finite, or weights grow without bounds.
    DataError
        If the data do not fit the network, or are not those of the run to resume.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written, or
        another process trains in it.
    ArtefactError
        If `resume` is true without `out`, or the checkpoint there does not fit.
    LibraryError
        If the network is trained by gradients, or with the target ``"torch"``, and PyTorch is not
        installed.
    TargetError
        If the compiler of a target is missing or fails.
    """
    from bioae.runs.run import run
    from bioae.runs.splits import Given

    if data is None and (test is not None or options):
        name = "test" if test is not None else next(iter(options))
        raise InputError("there are no data that it belongs to", where=name, hint="Give data")
    given = None if data is None else Given(data, test, options)
    config, start = _configured(source, settings)
    make = partial(_trainer, config, start, given)
    return run(make, out, resume=resume, overwrite=overwrite, progress=progress)


def _configured(
    source: Any, settings: Mapping[str, Any] | None
) -> tuple[TrainingConfig | LearningConfig, Network | None]:
    """Return the configuration of a run, and the network object from which it starts, if any."""
    from bioae.configuration import load_configuration
    from bioae.networks.artefact import network_of
    from bioae.networks.config import NetworkConfig
    from bioae.runs.rules.config import LearningConfig
    from bioae.trainers.training.config import TrainingConfig

    if isinstance(source, TrainingConfig | LearningConfig):
        if not settings:
            return source, None
        source = source.to_mapping()
    tables = isinstance(source, Mapping | str | os.PathLike)
    if not tables and isinstance(settings, Mapping) and "network" in settings:
        hint = "Change the description of the network"
        raise InputError("the network is given already", where="settings: network", hint=hint)
    start = init = None
    is_path = isinstance(source, str | os.PathLike)
    if isinstance(source, NetworkConfig):
        source, settings = settings or {}, {"network": source}
    elif is_path and Path(source).suffix != ".toml" and "learning" not in (settings or {}):
        source, settings, init = settings or {}, None, {"model": str(source)}
    elif not isinstance(source, Mapping) and not (is_path and Path(source).suffix == ".toml"):
        start = network_of(source)
        source, settings = settings or {}, {"network": start.config}
    return load_configuration(source, settings, init=init), start


def _trainer(
    config: TrainingConfig | LearningConfig,
    start: Network | None,
    given: Given | None,
    stored: Path | None,
) -> Trainer:
    from bioae.runs.rules.config import LearningConfig

    if isinstance(config, LearningConfig):
        from bioae.runs.rules.trainer import RuleTrainer

        return RuleTrainer(config, engine_of, start, given)
    need_torch("train")
    from bioae.trainers.training.training import gradient_trainer

    return gradient_trainer(config, start=start, stored=stored, given=given)


def build(
    network: NetworkLike,
    presentations: int = 1,
    *,
    record: Collection[str] | Mapping[str, Collection[str]] = (),
    connectivity: Connectivity = "shared",
    compact: bool = False,
    prefix: str = "",
    learning: bool = False,
) -> BrianNetwork:
    """Build the Brian2 objects of a network, on the active device.

    Two optimisations that reorder arithmetic are switched off for the session: Brian2's treatment
    of loop invariants, as constant subexpressions have already been taken out of the equations, and
    the compiler's ``-ffast-math``.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    presentations
        The number of presentations of one run.
    record
        Variables to record at the end of each step, in the layers that have them; or those of
        each layer, by its name.
    connectivity
        ``"shared"`` keeps each weight once, as `bioae.simulation.sharing.SharedSynapses`;
        ``"unrolled"`` creates a `brian2.Synapses` synapse per connection. Pathways whose
        connections differ in delay are always unrolled. Spikes are the same.
    compact
        Whether to record spikes with `bioae.simulation.code_runners.SpikeRecorder`, in a fifth of
        the memory, instead of a `brian2.SpikeMonitor` per layer.
    prefix
        Prefix of all objects' names, where several networks share a project.
    learning
        Whether the weights of layers with a synapse model learn while the network runs. They begin
        on the grid of weights that learn, as in `bioae.learn`.

    Returns
    -------
    BrianNetwork

    Raises
    ------
    ArtefactError
        If there is no trained network of this name or at this path.
    InputError
        If an argument does not fit, or the network has nothing to learn.
    """
    from bioae.checks import one_of, whole
    from bioae.networks.artefact import network_of
    from bioae.simulation.backend import Connectivity, recorded
    from bioae.simulation.objects.brian_network import BrianNetwork
    from bioae.simulation.targets.activation import without_fast_math

    one_of(connectivity, "connectivity", get_args(Connectivity))
    if not f"{prefix}_".isidentifier():
        raise InputError("prefix does not fit", expected="a name", found=shortened(repr(prefix)))
    without_fast_math()
    source = network_of(network)
    source = source.learner() if learning else source
    chosen = recorded(record, source.config.placed)
    return BrianNetwork(
        source, whole(presentations, "presentations", least=1),
        connectivity=connectivity, compact=compact, prefix=prefix, record=chosen, learning=learning,
    )  # fmt: skip


@_verb
def to_script(
    network: NetworkLike,
    out: Path | str,
    data: Data | Any = "sample",
    *,
    seed: int = 0,
    overwrite: bool = False,
    **options: Unpack[DataOptions],
) -> Path:
    """Write a network as a plain Brian2 script, which presents data to it without bioae.

    Encoded examples and background noise are recorded in ``inputs.npz``, so that the script fires
    the spikes of `bioae.simulate` on the target ``"numpy"``. These are recorded too, and the script
    prints how many differ. Noise that neuron models draw is other noise there, as the script says.
    Weights do not learn.

    Parameters
    ----------
    network, data, seed, options
        As for `bioae.simulate`; by default the first four examples.
    out
        The folder of ``run.py``, ``weights.npz`` and ``inputs.npz``.
    overwrite
        Replace an earlier script; a folder of other files is kept.

    Returns
    -------
    Path
        The script.

    Raises
    ------
    ModelError
        If a neuron model uses the time within a presentation, the spikes of its layer or events.
    DataError, InputError, OutputError
        As `bioae.simulate_to`.
    """
    from bioae.exchange.brian2.script import write_script
    from bioae.files import check_output

    out = check_output(out, overwrite=overwrite, kind="folder")
    simulation = _simulation(network, data, "numpy", seed=seed, repeats=1, options=options)
    if options.get("limit") is None and options.get("examples") is None:
        simulation = replace(simulation, presented=simulation.presented[:_COMPARED])
    network, presented = simulation.network, simulation.presented
    return write_script(network, presented, simulation.chunk, out, overwrite=overwrite)


@_verb
def analyze(
    source: Any,
    data: Data | Any = None,
    backend: Backend | Target | None = None,
    *,
    out: Path | str,
    layers: str | Sequence[str] | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Unpack[DataOptions],
) -> dict[str, Any]:
    """Measure firing and outputs, and write the report, tables and figures into a folder.

    ``report.html`` is self-contained; ``statistics.nc`` holds every number of every
    neuron, example and layer (`bioae.analysis.statistics`; several results are in groups by their
    names); ``statistics.json`` the numbers of the layers and the comparisons; ``tables/`` the same
    as CSV; ``figures/`` each picture as PNG and SVG. Other files in the folder stay.

    Parameters
    ----------
    source
        One or several results, each a file of any size (large ones are read by blocks) or the tree
        of a simulation in memory; a mapping gives them names. The first is compared with each other
        one. Or a network, which is simulated first: with its record, or the path or name of one.
    data, options
        For a network: data in any of the forms of `bioae.datasets.convert`; by
        default the embedded digits.
    backend, seed
        For a network: see `bioae.simulate`, whose defaults they have.
    out
        The folder to write to.
    layers
        The layers to measure, which all results have; all by default.
    overwrite
        Whether to replace an earlier analysis.
    progress
        Whether to show bars; by default on a terminal and in a notebook.

    Returns
    -------
    dict
        The content of ``statistics.json``: the numbers of each result and layer, the comparisons,
        and the paths of the other outputs.

    Raises
    ------
    ResultError
        If a file or a tree is not a result.
    InputError
        If there are data, a backend or a seed for results, or the source is of no such form.
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    from bioae.analysis.report.pipeline import analyze_results, check_outputs

    results = source
    if not _is_network(source):
        given = {"data": data, **options, "backend": backend, "seed": seed}
        useless = next((name for name, value in given.items() if value is not None), None)
        if useless:
            raise InputError(
                "a result is not simulated again", where=useless,
                expected=f"a network, if there is {useless}", found=type(source).__name__,
            )  # fmt: skip
    else:
        check_outputs(out, overwrite=overwrite)
        name = str(source) if isinstance(source, str | os.PathLike) else "network"
        shown = _DEFAULT if data is None else data
        result = simulate(
            source, shown, backend or "cpp_standalone", seed=seed or 0, progress=progress, **options
        )
        results = {Path(name).stem: result}
    return analyze_results(results, out, layers=layers, overwrite=overwrite, progress=progress)[1]


def fit(
    neuron: NeuronLike,
    recording: Recording,
    free: Free = None,
    *,
    input: str | None = None,  # noqa: A002 - as in `Recording`
    voltage: str | None = None,
    starts: int = 20,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Unpack[FitOptions],
) -> Fit:
    """Fit parameters of a neuron model to a recording, by gradient.

    Parameters
    ----------
    neuron
        The neuron model, its name or its TOML file.
    recording
        The recording, with spikes or a voltage, or both.
    free
        The free parameters: names, with the bounds of the model's ``[trainable]``, or a mapping
        from names to bounds such as ``("5*ms", 80*ms)``; by default all of ``[trainable]``. Further
        names, unless the model has them: ``gain``, ``offset`` and ``latency`` of the input, and
        the ``width`` of the escape noise, which is free in any case where spikes are compared; and
        ``kalman_gain``, from 0 to 1, for a voltage with membrane noise.
    input
        The parameter or variable that the recorded input replaces, or, for a signal in its unit
        per second, adds to. By default the model's `input` if the unit fits, or else the
        only other one of this unit; a signal without unit arrives as spikes do.
    voltage
        The variable that is compared with the recorded voltage; by default ``v``, or the variable
        in the threshold.
    starts
        The number of points from which the search starts.
    seed
        The seed of these points.
    progress
        Called with the numbers of finished and of all stages; or whether to show a bar.
    options
        ``known``: values by name of ``gain``, ``offset``, ``latency``, ``width`` or
        ``kalman_gain``, which are then not free; ``weights``: of the losses of the spikes and of
        the voltage, (1, 1) by default;
        ``voltage_noise``: the standard deviation of the voltage's noise, estimated by default;
        ``leave_out``: pairs of times that do not count; ``lapse``: the probability that an interval
        between spikes is one at random, as where a spike was missed, 0.01 by default;
        ``coupled``: whether fits of a voltage begin coupled to it, as they do by default;
        ``candidates``: the number of points of which the search starts from the best, 8 per start
        by default; ``evaluations``: the most of each start in a stage, 100 by default;
        ``coincidence``: a window, such as ``"4*ms"``: from the most likely parameters, the search
        goes on to those whose free run has the largest coincidence factor Γ with the recorded
        spikes.

    Returns
    -------
    Fit
        The fitted neuron, its parameters with standard errors, predictions and scores.

    Raises
    ------
    LibraryError
        If PyTorch is not installed, or there is no C++ compiler.
    InputError
        If the recording and the model do not fit, or the loss does not depend on a free parameter.
    """
    need_torch("fit")
    from bioae.datasets.conversion import check_options
    from bioae.trainers.fitting.fitting import search
    from bioae.trainers.fitting.settings import FitOptions

    check_options(options, fit, FitOptions.__annotations__)

    return search(
        neuron, recording, free, place=input, voltage=voltage, starts=starts, seed=seed,
        progress=progress, **options,
    )  # fmt: skip


def parity(
    model: Any,
    data: Data | Any = None,
    *,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
    neuron: NeuronLike | None = None,
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
        For a network: data in any of the forms of `bioae.datasets.convert`; by
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
        For a neuron model or a synapse model `neurons` in both layers together, and `steps` of
        `examples` presentations; for a network the options of `bioae.datasets.convert`.

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
    from bioae.networks.artefact import network_of
    from bioae.trainers.parity.comparison import compare, model_parities
    from bioae.trainers.parity.networks import random_signals
    from bioae.trainers.parity.rules import rule_parity

    model = _loaded(model)
    random = isinstance(model, NeuronModel | SynapseModel)
    check_options(options, parity, _COMPARISON if random else DataOptions.__annotations__)
    if random and data is not None:
        raise InputError(
            "a model receives random input, and no data", where="data",
            hint="Give a network, or leave out data",
        )  # fmt: skip
    if neuron is not None and not isinstance(model, SynapseModel):
        raise InputError(
            "a neuron model is named for synapse models only", where="neuron", hint="Leave it out"
        )
    options["seed"] = seed
    if isinstance(model, SynapseModel):
        if perturb:
            raise InputError("a synapse model is not perturbed", where="perturb")
        neuron = load_neuron("lif" if neuron is None else neuron)
        return rule_parity(model, engine_of, neuron=neuron, target=target, **options)
    options["perturb"] = perturb
    if isinstance(model, NeuronModel):
        return model_parities(model, [target], engine_of, **options)[0]
    if data is None:
        config = network_of(model).config
        data = _DEFAULT
        if config.in_time:
            data = random_signals(config, options.get("limit", _COMPARED), seed)
        if "examples" not in options:
            options.setdefault("limit", _COMPARED)
    return compare(model, data, engine_of, target=target, **options)


def _loaded(model: Any) -> Any:
    """Return the neuron model or synapse model that this names, or else what it is."""
    from bioae.equations.library import is_neuron, load_neuron, load_synapse

    if not isinstance(model, str | os.PathLike):
        return load_neuron(model) if is_neuron(model) else model
    kind = kind_of(model)
    if kind == "network":
        return model
    path = os.fspath(model)
    return load_synapse(path) if kind == "synapse" else load_neuron(path)


def kind_of(name_or_path: str | os.PathLike[str]) -> ModelKind:
    """Return whether a neuron model, a synapse model or a trained network is meant.

    `name_or_path`: a name or a path. The name of a model takes precedence over the path of a
        network. What is neither a name nor a path was meant as the name that is nearest to it.
    """
    from bioae.equations import available as neurons
    from bioae.equations import available_synapses
    from bioae.equations.library import is_synapse
    from bioae.networks.trained import available

    text, path = os.fspath(name_or_path), Path(name_or_path)
    if text not in neurons() and is_synapse(text):
        return "synapse"
    if text in neurons() or path.suffix == ".toml":
        return "neuron"
    if path.exists() or path.suffix == ".zip" or len(path.parts) > 1:
        return "network"
    near = get_close_matches(text, (*neurons(), *available_synapses(), *available()), n=1)
    if set(near) & {*available()}:
        return "network"
    return "synapse" if set(near) & {*available_synapses()} else "neuron"


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
