"""Generate the tables of keys in the documentation.

python docs/make_tables.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import marked
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bioae.equations.model import CustomEvent, NeuronModel, Surrogate, TimedValues
from bioae.equations.synapses.model import (
    LayerSums,
    Side,
    StructureTable,
    SynapseModel,
    SynapseStatements,
    Target,
)
from bioae.networks import NetworkConfig
from bioae.networks.decoders import (
    CountDecoder,
    FirstSpikeDecoder,
    LastDecoder,
    MaxDecoder,
    MeanDecoder,
    PopulationDecoder,
    SummedSoftmaxDecoder,
    TrajectoryDecoder,
)
from bioae.networks.encoders import (
    Bernoulli,
    ConstantCurrent,
    FirstSpike,
    Frames,
    LevelCrossing,
    Population,
)
from bioae.networks.graph import Population as GraphPopulation
from bioae.networks.graph import Projection
from bioae.networks.layer_base import LayerBase, PopulationBase, ProjectionBase
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense, Pool2d, Sparse
from bioae.networks.tasks import (
    Classification,
    Reconstruction,
    Regression,
    Representation,
    Sequence,
)
from bioae.runs.rules.config import LearningTable
from bioae.showing import markdown_table

PAGES = tuple(
    Path(__file__).with_name(name)
    for name in (
        "networks.md",
        "graphs.md",
        "encoders.md",
        "neuron-models.md",
        "synapse-models.md",
        "learning-signals.md",
        "structure.md",
        "tasks.md",
        "learning.md",
    )
)

_TABLES: dict[str, tuple[type[BaseModel], ...]] = {
    "network": (NetworkConfig,),
    "layer": (LayerBase,),
    "dense": (Dense,),
    "sparse": (Sparse,),
    "population": (GraphPopulation,),
    "projection": (Projection,),
    "conv2d": (Conv2d,),
    "conv_transpose2d": (ConvTranspose2d,),
    "pooling": (Pool2d,),
    "encoders": (Bernoulli, FirstSpike, ConstantCurrent, Frames, LevelCrossing, Population),
    "decoders": (
        MaxDecoder,
        LastDecoder,
        MeanDecoder,
        CountDecoder,
        FirstSpikeDecoder,
        PopulationDecoder,
        SummedSoftmaxDecoder,
        TrajectoryDecoder,
    ),
    "tasks": (Reconstruction, Classification, Regression, Sequence, Representation),
    "neuron": (NeuronModel,),
    "surrogate": (Surrogate,),
    "event": (CustomEvent,),
    "timed": (TimedValues,),
    "synapse": (SynapseModel,),
    "side": (Side,),
    "target": (Target,),
    "layer_sums": (LayerSums,),
    "learning": (LearningTable,),
    "statements": (SynapseStatements,),
    "structure": (StructureTable,),
}
_BASES = (LayerBase, PopulationBase, ProjectionBase)
_COMMON: dict[str, set[str]] = {
    "encoders": set(),
    "decoders": {"scale"},
    "tasks": set(),
}
_MEANING = {
    "schedule": '`"brian2"` or `"paper"`: the order within a step, see [timing](timing.md)',
    "task": "a table, see [tasks](tasks.md); `reconstruction` by default",
    "encoder": "a table, see [encoders](encoders.md); `bernoulli` by default",
    "decoder": "a table, see [decoders](encoders.md#decoders); `max` by default",
    "clock": '`"staggered"` or `"common"`: the windows of presentations, see '
    "[graphs](timing.md#in-a-graph)",
    "carry_over": "whether presentations start from the state in which the one before ended, on a "
    "common clock, see [timing](timing.md#carry-over)",
    "layers": "the layers of a chain, from the input's side, see [layers](#layers)",
    "populations": "the populations of a graph, in place of layers, see "
    "[graphs](graphs.md); the decoder reads the last one",
    "projections": "the projections between them",
}


def main() -> None:
    """Rewrite the pages."""
    for page in PAGES:
        marked.write(page, filled(page.read_text(encoding="utf-8")))


def filled(page: str) -> str:
    """Return a page with its tables generated again."""
    return marked.filled(page, _table)


def _table(name: str) -> str:
    models = _TABLES[name]
    if len(models) > 1:
        kinds = (_choice(model, _COMMON[name]) for model in models)
        return markdown_table(["kind", "effect", "keys"], kinds)
    (model,) = models
    hidden = {key for key, field in model.model_fields.items() if field.exclude}
    own = [key for key in model.model_fields if key not in _inherited(model) | hidden]
    rows = (_row(key, model.model_fields[key]) for key in own)
    return markdown_table(["key", "default", "meaning"], rows)


def _choice(model: type[BaseModel], common: set[str]) -> tuple[str, ...]:
    fields = {key: f for key, f in model.model_fields.items() if key not in {"kind", *common}}
    keys = "; ".join(f"`{_assigned(key, f)}`: {f.description}" for key, f in fields.items())
    line = (model.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "`")
    return f"`{model.model_fields['kind'].default}`", line, keys


def _assigned(key: str, field: FieldInfo) -> str:
    optional = field.is_required() or field.default is None
    return key if optional else f"{key} = {_default(field)}"


def _inherited(model: type[BaseModel]) -> set[str]:
    """Return the keys that the table of another model has, and the kind of a layer."""
    bases = [
        each for each in (LayerBase, PopulationBase, ProjectionBase) if issubclass(model, each)
    ]
    own = {"kind"} if model is not Projection else set()
    return own | {key for each in bases[:1] if model is not each for key in each.model_fields}


def _row(key: str, field: FieldInfo) -> tuple[str, ...]:
    meaning = _MEANING.get(key) or field.description
    default = f"`{_default(field)}`"
    if field.is_required():
        default = "required"
    elif field.default is None or field.default is PydanticUndefined:
        default = ""
    return f"`{field.alias or key}`", default, meaning or ""


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    main()
