"""A synapse model: a learning rule as Brian2 equations of traces and of the weight, as data."""

from __future__ import annotations

from typing import Annotated, Any

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from bioae.equations.limits import LONGEST_TEXT, MOST_NAMES
from bioae.errors import ModelError, describe, did_you_mean
from bioae.fields import Table
from bioae.showing import Shown, Summary, rows_of

__all__ = ["WEIGHT", "Side", "SynapseModel", "SynapseStatements"]

#: The name of the weight in the statements of a synapse.
WEIGHT = "w"

_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
_Table = Annotated[dict[str, _Text], Field(max_length=MOST_NAMES)]


class Side(Table):
    """The traces of one side of a synapse: variables that each of its neurons has."""

    equations: _Text = Field(min_length=1, description="Brian2 equations of the traces")
    on_spike: _Text | None = Field(
        None, description="Brian2 statements, run for each spike of the neuron once all synapses "
        "have learned from it",
    )  # fmt: skip
    method: _Text | None = Field(
        None, description="a Brian2 state updater; default: Brian2 chooses"
    )
    initial: _Table = Field(
        default_factory=dict, description="the traces' values as a presentation starts; default: 0"
    )


class SynapseStatements(Table):
    """What a synapse does: statements that change its weight."""

    on_pre: _Text | None = Field(
        None, description="statements of the weight `w`, run for each spike that arrives, after it "
        "was delivered",
    )  # fmt: skip
    on_post: _Text | None = Field(
        None, description="the same for each spike of the target, after `on_pre`"
    )

    @model_validator(mode="after")
    def _learns(self) -> SynapseStatements:
        if self.on_pre is None and self.on_post is None:
            raise ValueError("[synapse] needs `on_pre` or `on_post`")
        return self


class SynapseModel(Shown, Table):
    """A learning rule, written once as Brian2 equations.

    Loading one executes nothing: every field is text until Brian2's own parser reads it.

    Raises
    ------
    ModelError
        From `from_mapping`, if a field is missing, unknown or malformed.
    """

    name: str = Field(min_length=1, exclude=True, description="the file's name without its suffix")
    description: _Text = Field(description="a description of the rule in one line")
    reference: _Text = Field("", description="the source of the rule")
    pre: Side | None = Field(None, description="traces of the source, `NAME_pre` in statements")
    post: Side | None = Field(None, description="traces of the target, `NAME_post` in statements")
    synapse: SynapseStatements = Field(description="the statements that change the weight")
    parameters: _Table = Field(default_factory=dict, description="constants, with units")

    @field_validator("description")
    @classmethod
    def _one_line(cls, text: str) -> str:
        return " ".join(text.split())

    @classmethod
    def from_mapping(cls, name: str, fields: dict[str, Any], *, where: str) -> SynapseModel:
        """Build a model from a parsed file.

        Parameters
        ----------
        name
            The name of the model.
        fields
            The keys of the file (see `docs/synapse-models.md`).
        where
            The file, named in errors.

        Raises
        ------
        ModelError
            If a key is missing, unknown or of the wrong form.
        """
        keys = [key for key, field in cls.model_fields.items() if not field.exclude]
        for key in fields:
            if key not in keys:
                raise ModelError(
                    f"unknown key {key!r}",
                    where=where,
                    expected=f"one of {', '.join(keys)}",
                    mend=did_you_mean(key, keys),
                )
        try:
            return cls.model_validate({**fields, "name": name})
        except ValidationError as error:
            mend = "bioae synapses show stdp_pair prints an example"
            raise ModelError(**describe(error, cls), where=where, mend=mend) from error

    def _summary(self) -> Summary:
        fields = self.to_mapping()
        heading = f"SynapseModel {self.name}: {fields.pop('description')}"
        return Summary(heading, [("key", "value"), *rows_of(fields)])

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields as in a file; `from_mapping` reads them back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def to_toml(self) -> str:
        """Return the model as the text of a TOML file."""
        return tomli_w.dumps(self.to_mapping(), multiline_strings=True)
