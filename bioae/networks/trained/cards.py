"""Model cards: the origin, the measurements and the limits of each shipped network.

A card is the file ``card.toml`` next to the artefact. It is plain data, checked when it is read.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict, ValidationError, model_validator

from bioae.errors import ArtefactError, describe, shortened
from bioae.fields import Count, Size, Table
from bioae.inputs import read_toml
from bioae.networks.tasks import ScoreName
from bioae.showing import Shown, Summary, rows_of

#: The folder of the shipped networks, and the names of the files next to an artefact's.
FOLDER = Path(__file__).resolve().parents[2] / "data" / "networks"
CARD = "card.toml"
CONFIG = "config.toml"

_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Spread = Annotated[float, Field(ge=0)]


class DataOrigin(Table):
    """The training data."""

    name: _Text = Field(description="the name of the data set")
    source: _Text = Field(description="the reference to cite")
    licence: _Text = Field(description="its licence")


class NetworkSize(Table):
    """The kind and the size of the network."""

    task: _Text = Field(description="the kind of the task")
    latent: _Text | None = Field(None, description="the name of the latent layer")
    latent_neurons: Size | None = Field(None, description="its neurons")
    neurons: Count = Field(description="neurons of all layers")
    parameters: Count = Field(description="numbers in the artefact's arrays")


class TrainingOrigin(Table):
    """The training run."""

    command: _Text = Field(description="the command that repeats it, in the artefact's folder")
    seed: int = Field(ge=0, description="its seed")
    epochs: Count = Field(description="epochs of the run")
    epoch: Count = Field(description="the epoch that the validation split selected")
    presentations: Count = Field(description="presented training images, in all epochs")


class Firing(Table):
    """Firing statistics of a layer."""

    rate_per_step_mean: _Fraction = Field(description="spikes per neuron and step")
    dead_fraction: _Fraction = Field(description="the fraction of neurons that never fire")
    bursting_fraction: _Fraction = Field(description="the fraction of neurons that burst")


class TestScore(Table):
    """Score on the test split, evaluated once at the end of training, in PyTorch."""

    __test__ = False  # no test of pytest

    examples: Count = Field(description="images of the test split")
    score: ScoreName = Field(description="the first score of the task")
    value: float = Field(description="its value for the shipped network")
    seeds: Count = Field(1, description="runs of the same configuration, this one included")
    spread: _Spread | None = Field(None, description="the standard deviation of the runs' scores")
    layers: dict[str, Firing] = Field(description="firing of each layer")

    @model_validator(mode="after")
    def _spread_of_seeds(self) -> TestScore:
        if (self.seeds > 1) != (self.spread is not None):
            raise ValueError("spread belongs to two or more seeds, and two or more seeds need it")
        return self


class SampleScore(Table):
    """Score on the embedded test digits, in Brian2; it can be reproduced offline."""

    examples: Annotated[int, Field(ge=2, le=10**9)] = Field(description="embedded test digits")
    target: _Text = Field(description="the Brian2 target, with float64")
    value: float = Field(description="the mean of the same score")
    standard_error: _Spread = Field(description="the standard error of the mean, over digits")
    spikes: Count = Field(description="spikes of all layers")
    differing: Annotated[int, Field(ge=0)] = Field(
        description="spikes that differ between Brian2 and the PyTorch mirror"
    )


class Card(Shown, Table):
    """The card of a shipped network."""

    title: _Text = Field(description="the network in a few words")
    licence: _Text = Field(description="the licence of the network")
    limits: Annotated[tuple[_Text, ...], Strict(False), Field(min_length=1)] = Field(
        description="sentences on what it is not good for"
    )
    data: DataOrigin
    network: NetworkSize
    training: TrainingOrigin
    test: TestScore
    sample: SampleScore | None = Field(None, description="absent if trained on other images")

    def _summary(self) -> Summary:
        fields = self.model_dump(exclude_none=True)
        heading = f"Card: {fields.pop('title')}"
        fields["limits"] = "\n".join(self.limits)
        return Summary(heading, [("key", "value"), *rows_of(fields)])

    @property
    def rate_per_step_mean(self) -> float | None:
        """Spikes per neuron and step of the latent layer, on the test split, if there is one."""
        layer = self.test.layers.get(self.network.latent or "")
        return None if layer is None else layer.rate_per_step_mean


def available() -> tuple[str, ...]:
    """Return the names of the shipped networks."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob(f"*/{CARD}")))


def card(name: str) -> Card:
    """Return the card of a shipped network.

    Raises
    ------
    ArtefactError
        If there is no network of that name, or its card does not fit.
    """
    if name not in available():
        raise unknown_name(name, "one of")
    return read_card(FOLDER / name / CARD)


def read_card(path: Path) -> Card:
    """Read the file of a card."""
    values = read_toml(path, "model card", error=ArtefactError)
    try:
        return Card.model_validate(values)
    except ValidationError as error:
        raise ArtefactError(**describe(error, Card), where=str(path)) from None


def unknown_name(name: str, expected: str) -> ArtefactError:
    """Return the error for a name that no shipped network has, after which all names are listed."""
    near = get_close_matches(str(name), available(), n=3)
    return ArtefactError(
        "there is no trained network of this name", where=shortened(str(name)),
        expected=f"{expected} {', '.join(available())}",
        hint=f"Did you mean {' or '.join(near)}?" if near else "bioae networks list describes them",
    )  # fmt: skip
