"""Public names: the exports of the packages of bioae, each documented on one page."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from inspect import getsource, isclass, isfunction, ismodule
from types import ModuleType
from typing import Any

#: Packages whose exports are public. A name that several export is documented in the first.
PACKAGES = (
    "bioae",
    "bioae.equations",
    "bioae.networks",
    "bioae.networks.artefact",
    "bioae.networks.layers",
    "bioae.networks.layer_base",
    "bioae.networks.encoders",
    "bioae.networks.decoders",
    "bioae.networks.tasks",
    "bioae.networks.structure",
    "bioae.datasets",
    "bioae.networks.trained",
    "bioae.simulation",
    "bioae.simulation.sharing",
    "bioae.simulation.code_runners",
    "bioae.runs",
    "bioae.responses",
    "bioae.noise",
    "bioae.analysis",
    "bioae.analysis.plots",
    "bioae.analysis.exports",
    "bioae.trainers",
    "bioae.trainers.mirror",
    "bioae.trainers.parity",
    "bioae.trainers.fitting",
    "bioae.trainers.training",
    "bioae.exchange",
    "bioae.exchange.nir",
    "bioae.exchange.brian2",
    "bioae.errors",
    "bioae.sklearn",
)

#: Names of these modules that others of bioae use, and no user.
_INTERNAL = {
    "bioae.networks.layer_base": "DelayField ENCODER Index Initial NAME PopulationBase "
    "ProjectionBase as_texts",
    "bioae.networks.decoders": "Array",
    "bioae.networks.tasks": "Shape",
}

#: Types that signatures name and that no package exports.
TYPES = (
    "bioae.networks.artefact.NetworkLike",
    "bioae.networks.graph.Population",
    "bioae.networks.graph.Projection",
    "bioae.networks.teaching.Repeat",
    "bioae.networks.teaching.Teaching",
    "bioae.networks.plasticity.Held",
    "bioae.simulation.backend.Target",
    "bioae.simulation.backend.Dtype",
    "bioae.simulation.backend.Connectivity",
    "bioae.progress.Progress",
    "bioae.simulation.engine.Learner",
    "bioae.simulation.engine.Runner",
    "bioae.simulation.presentations.Presentations",
    "bioae.simulation.objects.population.Population",
    "bioae.simulation.results.chunk.Chunk",
    "bioae.simulation.results.chunk.Trace",
    "bioae.simulation.results.root.Root",
    "bioae.responses.calibration.Calibration",
    "bioae.responses.isolated.Parameters",
    "bioae.responses.isolated.Per",
    "bioae.trainers.fitting.problem.Free",
    "bioae.trainers.fitting.settings.FitOptions",
    "bioae.equations.library.NeuronLike",
    "bioae.networks.schedule.Schedule",
    "bioae.networks.schedule.ScheduleName",
    "bioae.networks.schedule.Timing",
    "bioae.networks.encoder_base.EncoderBase",
    "bioae.networks.encoder_base.TimedEncoder",
    "bioae.networks.encoder_base.ValueEncoder",
    "bioae.networks.tasks.TargetField",
    "bioae.datasets.data.Kind",
    "bioae.datasets.data.Known",
    "bioae.datasets.data.Split",
    "bioae.datasets.forms.registry.RecordedUnit",
    "bioae.datasets.hdf5_files.StoredArray",
    "bioae.datasets.events.Addresses",
    "bioae.networks.trained.cards.DataOrigin",
    "bioae.networks.trained.cards.NetworkSize",
    "bioae.networks.trained.cards.SampleScore",
    "bioae.networks.trained.cards.TestScore",
    "bioae.networks.trained.cards.TrainingOrigin",
    "bioae.equations.program.State",
    "bioae.equations.program.Parameter",
    "bioae.equations.program.Draw",
    "bioae.equations.program.Event",
    "bioae.equations.arrays.timed.Timed",
    "bioae.exchange.nir.importing.Row",
    "bioae.exchange.nir.graphs.Reset",
    "bioae.analysis.coding.latent_space.Plane",
    "bioae.analysis.measures.verdicts.Context",
    "bioae.analysis.results.spikes.Spikes",
    "bioae.networks.trained.cards.Firing",
    "bioae.runs.tables.AdamConfig",
    "bioae.runs.tables.AdamWConfig",
    "bioae.runs.tables.SgdConfig",
    "bioae.trainers.training.tables.StageConfig",
    "bioae.trainers.training.tables.InitConfig",
    "bioae.trainers.training.tables.DerivativeConfig",
    "bioae.trainers.training.tables.LayerConfig",
    "bioae.trainers.training.tables.VariabilityConfig",
    "bioae.trainers.training.schedules.ConstantSchedule",
    "bioae.trainers.training.schedules.CosineSchedule",
    "bioae.trainers.training.schedules.StepSchedule",
    "bioae.trainers.training.terms.TargetTermConfig",
    "bioae.trainers.training.terms.TermConfig",
    "bioae.trainers.mirror.compiled.arrays.Arrays",
    "bioae.equations.model.CustomEvent",
    "bioae.equations.model.TimedValues",
    "bioae.trainers.training.config.GradientConfig",
    "bioae.trainers.training.sections.DescentConfig",
    "bioae.equations.program.Noise",
    "bioae.exchange.nir.library.Graph",
    "bioae.runs.tables.DataConfig",
    "bioae.runs.tables.Optimiser",
    "bioae.trainers.training.sections.OptimisationConfig",
    "bioae.trainers.training.terms.RegularisersConfig",
    "bioae.runs.trainer.Reporter",
    "bioae.runs.assessment.Baseline",
    "bioae.runs.config.RunConfig",
    "bioae.runs.splits.Splits",
    "bioae.trainers.mirror.layer.LayerMirror",
    "bioae.trainers.mirror.neuron.PopulationRun",
    "bioae.trainers.mirror.trained.TrainedParameter",
)


def exports() -> Iterator[tuple[str, Any]]:
    """Yield each public name with its value, in the order of `PACKAGES`, without packages."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        internal = _INTERNAL.get(package, "").split()
        for name in getattr(module, "__all__", None) or _defined(module):
            value = getattr(module, name)
            if not ismodule(value) and name not in internal:
                yield f"{package}.{name}", value


def _defined(module: ModuleType) -> Iterator[str]:
    """Yield the names without a leading underscore that a module defines at its top level."""
    for node in ast.parse(getsource(module)).body:
        targets = getattr(node, "targets", [getattr(node, "target", node)])
        names = (getattr(each, "name", getattr(each, "id", "_")) for each in targets)
        yield from (name for name in names if not name.startswith("_"))


def definition(value: Any) -> str | None:
    """Return the full name by which a class or function was defined; None for other values."""
    if isclass(value) or isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return None


@cache
def documented() -> dict[str, tuple[str, ...]]:
    """Return the name of each documented object, and its other names: exports and definition."""
    names: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for name, value in exports():
        place = definition(value) or name
        if place in first:
            names[first[place]].append(name)
        else:
            first[place] = name
            names[name] = [] if place == name else [place]
    return {name: tuple(others) for name, others in names.items()}


@cache
def homes() -> dict[str, str]:
    """Return the documented name of every public name, definition and type of signatures."""
    pairs = documented().items()
    names = {other: name for name, others in pairs for other in (name, *others)}
    return names | {name: name for name in TYPES}


@cache
def unqualified() -> dict[str, str]:
    """Return the documented names by their last part, where it distinguishes them."""
    names = set(homes().values())
    count = Counter(name.rpartition(".")[2] for name in names)
    lasts = ((name.rpartition(".")[2], name) for name in names)
    return {last: name for last, name in lasts if count[last] == 1}


def exists(name: str) -> bool:
    """Return whether a full name is that of a module or of something in one."""
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ImportError, ValueError):
        return False
    return True
