"""A training configuration: data, network, training and regularisers, as one TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pydantic import Field, model_validator

from bioae.errors import key_path
from bioae.networks.config import NetworkConfig
from bioae.networks.inputs import rate_in_hz
from bioae.networks.tasks import LossName, Rates
from bioae.runs.config import RunConfig
from bioae.trainers.training.schedules import Schedule
from bioae.trainers.training.sections import DescentConfig, OptimisationConfig
from bioae.trainers.training.stages import Stage, build_regularisers
from bioae.trainers.training.terms import RegularisersConfig

if TYPE_CHECKING:
    from bioae.networks.tasks import Task


class _Part(NamedTuple):
    """A run or one of its stages: the prefix of its keys, its schedule, terms and epochs."""

    prefix: str
    name: str
    schedule: Schedule | None
    terms: RegularisersConfig
    epochs: int


class GradientConfig(RunConfig):
    """The configuration of a run of gradient descent."""

    network: NetworkConfig = Field(
        default_factory=lambda: NetworkConfig.preset("strided"),
        description="a network; `preset` names a shipped one to start from",
    )
    training: DescentConfig = DescentConfig()
    regularisers: RegularisersConfig = RegularisersConfig()

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        if not self.network_is_known:
            return self
        names = [layer.name for layer in self.network.members]
        for part in self._parts():
            for symbol, term in part.terms.terms(self.network.latent).items():
                what = f"{part.prefix}regularisers: the regulariser {symbol} acts on"
                _check_layers(what, term.layers or (), names)
        variability = self.training.variability
        if variability is not None:
            _check_layers("training.variability names", variability.layers or (), names)
        return self

    @model_validator(mode="after")
    def _warm_ups_end(self) -> Self:
        for part in self._parts():
            terms = {f"{part.prefix}regularisers.{n}": term for n, term in part.terms.given.items()}
            schedule = {} if part.schedule is None else {f"{part.prefix}schedule": part.schedule}
            for key, each in {**schedule, **terms}.items():
                if each.warm_up > part.epochs:
                    raise ValueError(
                        f"{key}: the warm-up of {each.warm_up:g} epochs is longer than "
                        f"{part.name}, of {part.epochs}"
                    )
        return self

    def _parts(self) -> Iterator[_Part]:
        """Yield the run and its stages."""
        run = self.training
        yield _Part("", "the run", run.schedule, self.regularisers, run.total_epochs)
        for place, (stage, length) in enumerate(zip(run.stages, run.lengths, strict=False)):
            prefix = f"{key_path('training', 'stages', place)}."
            terms = stage.regularisers or RegularisersConfig()
            yield _Part(prefix, "the stage", stage.schedule, terms, length)

    @model_validator(mode="after")
    def _loss_fits(self) -> Self:
        if not self.network_is_known:
            return self
        task = self.task
        if not task.losses:
            raise ValueError(
                f"the task {task.kind!r} has no loss that a gradient could lower: give `rates` in "
                "[training], or use learning rules, in the table [learning]"
            )
        if self.loss not in task.losses:
            raise ValueError(
                f"the loss {self.loss!r} is not one of the task {task.kind!r}; expected one of "
                f"{', '.join(task.losses)}"
            )
        # A default that depends on another table; the configuration is frozen from here on.
        training = self.training.model_copy(update={"loss": self.loss})
        object.__setattr__(self, "training", training)
        return self

    @property
    def network_is_known(self) -> bool:
        """True if `network` is that of the run, rather than read from a file later."""
        return True

    @property
    def task(self) -> Task | Rates:
        """The task of the training: that of the network, unless there is another."""
        return self.network.task

    @property
    def loss(self) -> LossName:
        """The name of the loss: the task's default, unless another is set."""
        return self.training.loss or self.task.losses[0]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the run in order; without ``[[training.stages]]`` there is one.

        Raises
        ------
        NetworkError
            As `build_regularisers`.
        """
        run, lengths = self.training, self.training.lengths
        terms = build_regularisers(self.regularisers, self.network)
        whole, start = range(sum(lengths)), 0
        if not run.stages:
            return (Stage(0, 0, run.epochs, run, terms, whole, 0),)
        stages = []
        for number, (stage, length) in enumerate(zip(run.stages, lengths, strict=True)):
            own, end = stage.regularisers, start + length
            key = key_path("training", "stages", number, "regularisers")
            stages.append(
                Stage(
                    number,
                    start,
                    end,
                    run.model_copy(update=stage.settings()),
                    terms if own is None else build_regularisers(own, self.network, key),
                    whole if stage.schedule is None else range(start, end),
                    0 if own is None else start,
                )
            )
            start = end
        return tuple(stages)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data, defaults included, that describes the same run.

        Keys whose value is None are left out, and ``epochs`` where every stage has its own.
        """
        mapping = super().to_mapping()
        if not self.training.epochs_apply:
            del mapping["training"]["epochs"]
        for key in ("gradient_clip", "grid_bits"):
            if key in type(self.training).model_fields:
                mapping["training"].setdefault(key, 0)
        mapping["regularisers"] = self.regularisers.to_mapping()
        for plain, stage in zip(mapping["training"]["stages"], self.training.stages, strict=True):
            if stage.regularisers is not None:
                plain["regularisers"] = stage.regularisers.to_mapping()
        return mapping


class TrainingConfig(GradientConfig):
    """The configuration of a training run of a spiking network."""

    training: OptimisationConfig = OptimisationConfig()

    @model_validator(mode="after")
    def _layers_with_settings_exist(self) -> Self:
        if self.network_is_known:
            names = [layer.name for layer in self.network.members]
            _check_layers("training.layers names", self.training.layers, names)
            _check_layers("training.rates names", self.training.rates, names)
        return self

    @property
    def task(self) -> Task | Rates:
        """The rates of populations, if training has them, else the task of the network."""
        rates = {
            name: rate_in_hz(text, f"training.rates.{name}")
            for name, text in self.training.rates.items()
        }
        return Rates(rates=rates) if rates else self.network.task

    @property
    def gives_network(self) -> bool:
        """Return whether it describes the network, rather than using the default."""
        return "network" in self.model_fields_set

    @property
    def network_is_known(self) -> bool:
        """True if the network is described, or not that of a trained one."""
        return self.training.init is None or self.gives_network

    def with_network(self, network: NetworkConfig) -> TrainingConfig:
        """Return the configuration with another network.

        Raises
        ------
        NetworkError
            If a regulariser acts on a layer that it does not have.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return self.from_mapping({**fields, "network": network})


def _check_layers(what: str, layers: Iterable[str], known: Sequence[str]) -> None:
    for name in layers:
        if name not in known:
            raise ValueError(
                f"{what} an unknown layer {name!r}; expected one of {', '.join(known)}"
            )
