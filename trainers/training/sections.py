"""The table ``[training]`` of a training configuration.

This file imports no PyTorch: names are checked here, and the objects that they name are built by
`bioae.trainers.training.training`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bioae.fields import Count, Positive, Steps, Table, Threads
from bioae.networks.layer_base import as_texts
from bioae.networks.tasks import LossName
from bioae.runs.tables import AdamConfig, NumberOfEpochs, Optimiser, Rate
from bioae.trainers.training.schedules import ConstantSchedule, Schedule
from bioae.trainers.training.tables import (
    Delays,
    Derivative,
    DerivativeConfig,
    Init,
    LayerConfig,
    Names,
    Rates,
    StageConfig,
    Variability,
)

#: The learning rate of delays, in steps.
_DELAY_RATE = 0.1


def _chosen(value: object) -> object:
    """Return names; true means all and false means none."""
    if isinstance(value, bool):
        return "all" if value else ()
    if value == "all" or isinstance(value, list | tuple):
        return value
    raise ValueError(f"expected true, false or a list of parameters, found {value!r}")


class DescentConfig(Table):
    """Gradient descent: updates, learning rates, selection, computation and checkpoints."""

    epochs: NumberOfEpochs = Field(
        10, description="passes over the training data; with stages: of each stage without `epochs`"
    )
    batch_size: Count = Field(32, description="examples of one update")
    evaluation_batch_size: Count | None = Field(
        None, description="examples evaluated at once; none: `batch_size`"
    )
    optimiser: Optimiser = Field(
        AdamConfig(), description="Adam, AdamW with its weight decay, or plain gradient descent"
    )
    learning_rate: Rate = Field(5e-4, description="the optimiser's step size")
    schedule: Schedule = Field(ConstantSchedule(), description="the course of the learning rates")
    gradient_clip: Positive | None = Field(
        1.0, description="largest norm of the gradient, all weights"
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="seed of weights, order of examples and random input"
    )
    learning_rates: Rates = Field(
        default_factory=dict,
        description="step sizes of some weights: by `weight`, `recurrent` or a neuron "
        "parameter's name, or by `LAYER.weight` for one layer, which takes precedence",
    )
    frozen: Names = Field(
        (),
        description="what is not trained: layers, `weight`, `recurrent` or a neuron parameter in "
        "all layers, or `LAYER.weight` and the like",
    )
    stages: Annotated[tuple[StageConfig, ...], Strict(False)] = Field(
        (), max_length=1000, description="the stages of the run, one after another"
    )
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay per update of the moving average of the weights, which is evaluated "
        "and stored; none: no average",
    )
    variability: Variability | None = Field(
        None,
        description="noise on the weights at which gradients are taken: its scale, or a table; "
        "none: no noise",
    )
    select: Literal["best", "last"] = Field(
        "best", description="the epoch whose network is stored; `best` by validation"
    )
    loss: LossName | None = Field(
        None, description="the loss of the outputs; none: the task's default"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="type of all numbers")
    device: str = Field("cpu", min_length=1, description="a PyTorch device; `cuda` is a GPU")
    threads: Threads | None = Field(
        None, description="of PyTorch; none: its choice, kept when a run is resumed"
    )
    checkpoint_seconds: float = Field(
        20.0, ge=0, le=1e9, description="time between checkpoints; 0: every batch"
    )

    @model_validator(mode="after")
    def _stages_end(self) -> Self:
        if "epochs" in self.model_fields_set and not self.epochs_apply:
            raise ValueError(
                f"epochs = {self.epochs} has no effect: every stage has its own `epochs`. Leave it "
                "out"
            )
        if self.total_epochs > 10**5:
            raise ValueError(f"the stages have {self.total_epochs} epochs, more than 100000")
        return self

    @property
    def epochs_apply(self) -> bool:
        """True if `epochs` is the length of the run, or of a stage."""
        return not self.stages or any(stage.epochs is None for stage in self.stages)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The epochs of each stage, or of the run if it has none."""
        return tuple(stage.epochs or self.epochs for stage in self.stages) or (self.epochs,)

    @property
    def total_epochs(self) -> int:
        """The epochs of the run."""
        return sum(self.lengths)

    def trains(self, name: str, *, weight: bool) -> bool:
        """Return whether a weight or parameter is trained, by a name such as ``LAYER.weight``."""
        layer, _, kind = name.rpartition(".")
        return {name, layer, kind}.isdisjoint(self.frozen)

    def rate(self, name: str) -> float:
        """Return the learning rate of a weight or parameter, by a name such as ``LAYER.weight``."""
        kind = name.rpartition(".")[2]
        return self.learning_rates.get(name, self.learning_rates.get(kind, self.learning_rate))

    @field_validator("gradient_clip", "grid_bits", mode="before", check_fields=False)
    @classmethod
    def _without_limit(cls, value: object, info: ValidationInfo) -> object:
        # TOML has no null: 0 means none where 0 itself makes no sense.
        types = (int,) if info.field_name == "grid_bits" else (int, float)
        return None if type(value) in types and value == 0 else value


class OptimisationConfig(DescentConfig):
    """Optimisation of a spiking network."""

    newer: ClassVar[frozenset[str]] = frozenset({"initialise", "delays", "rates"})

    init: Init | None = Field(
        None,
        description="a trained network to start from: its path or name, or a table of `model`, "
        "`neuron` and `calibrate`; none: weights are drawn",
    )
    initialise: Literal["drawn", "calibrated"] = Field(
        "drawn",
        description="the initial weights: as the network describes them, or scaled so that each "
        "layer fires a quarter of a spike per neuron and presentation",
    )
    derivative: Derivative = Field(
        DerivativeConfig(name="membrane"), description="the spike derivative"
    )
    trainable: Names = Field(
        (), description="neuron parameters to train too, in the layers that allow it"
    )
    per_neuron: Annotated[Names | Literal["all"], BeforeValidator(_chosen)] = Field(
        (),
        description="true or names: the trainable parameters of which each neuron trains its own",
    )
    layers: dict[str, LayerConfig] = Field(
        default_factory=dict, description="settings of single layers, by name"
    )
    delays: Delays = Field(
        default_factory=dict,
        description="the delays to train too: bounds by the name of a projection, `LAYER.weight`",
    )
    rates: dict[str, str] = Field(
        default_factory=dict,
        description="mean rates of populations to train to, in place of the task's targets",
    )
    truncate: Steps | None = Field(
        None, description="truncated back-propagation through time: steps that a gradient goes back"
    )
    recompute: Steps | None = Field(
        None,
        description="gradient checkpointing: steps of a segment that the backward pass recomputes",
    )
    compile: bool | Literal["auto"] = Field(
        "auto", description='whether the steps of a layer are compiled; "auto": where possible'
    )
    grid_bits: int | None = Field(
        12, ge=1, le=20, description="trained weights are rounded to multiples of 2^-bits"
    )

    @field_validator("rates", "delays", mode="before")
    @classmethod
    def _texts(cls, value: object, info: ValidationInfo) -> object:
        texts = as_texts(value)
        if info.field_name == "rates" and isinstance(texts, dict):  # a number lacks its unit
            return {n: repr(each) if type(each) in (int, float) else each
                    for n, each in texts.items()}  # fmt: skip
        return texts

    @model_validator(mode="after")
    def _per_neuron_is_trained(self) -> OptimisationConfig:
        unknown = sorted(set(self.own) - set(self.ever_trained))
        if unknown:
            raise ValueError(f"per_neuron names {unknown[0]!r}, which `trainable` does not")
        return self

    @property
    def ever_trainable(self) -> tuple[str, ...]:
        """The neuron parameters that some stage trains, in layers that list none."""
        lists = [stage.trainable or () for stage in self.stages]
        return tuple(dict.fromkeys(name for names in (self.trainable, *lists) for name in names))

    @property
    def ever_trained(self) -> tuple[str, ...]:
        """The neuron parameters that some layer trains in some stage."""
        lists = [layer.trainable or () for layer in self.layers.values()]
        names = (name for each in (self.ever_trainable, *lists) for name in each)
        return tuple(dict.fromkeys(names))

    @property
    def own(self) -> tuple[str, ...]:
        """The parameters that each neuron trains separately."""
        return self.ever_trained if self.per_neuron == "all" else self.per_neuron

    def rate(self, name: str) -> float:
        """Return the learning rate of a weight, delay or parameter; delays are in steps."""
        named = name in self.learning_rates or name.rpartition(".")[2] in self.learning_rates
        is_delay = name.removesuffix("_delay") in self.delays and name not in self.delays
        return _DELAY_RATE if is_delay and not named else super().rate(name)

    def derivative_of(self, layer: str) -> DerivativeConfig:
        """Return the spike derivative of a layer."""
        return (layer in self.layers and self.layers[layer].derivative) or self.derivative

    def trains(self, name: str, *, weight: bool) -> bool:
        """Return whether a weight or parameter is trained, by a name such as ``LAYER.weight``."""
        if not super().trains(name, weight=weight):
            return False
        layer, _, kind = name.rpartition(".")
        own = self.layers[layer].trainable if layer in self.layers else None
        return weight or kind in (self.trainable if own is None else own)
