"""A synapse model: a learning rule as Brian2 equations of traces and of the weight, as data."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Strict, field_validator, model_validator

from bioae.equations.model import TomlModel
from bioae.fields import Count, Natural, Table

#: The name of the weight in the statements of a synapse.
WEIGHT = "w"

#: The name of the connections that exist, in scores, and after that of the weights in arrays.
CONNECTED = "connected"

#: The name, among the numbers of the target, of that of the network's task.
TARGET = "target"

#: The name, in the statements of a rule of a script, of the amount that a spike adds.
DELIVERED = "input"

#: The keys of ``[synapse]`` that are statements, in the order in which they run.
BLOCKS = ("on_pre", "on_post", "regularly")

_Names = Annotated[tuple[str, ...], Strict(False)]


class _Code(Table):
    """A table with code."""

    @field_validator("*")
    @classmethod
    def _not_blank(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("must not be blank")
        return value


class Side(_Code):
    """The traces of one side of a synapse: variables of each pre- or postsynaptic neuron."""

    equations: str | None = Field(None, description="Brian2 equations of the traces")
    on_spike: str | None = Field(
        None, description="Brian2 statements, run for each spike of the neuron once all synapses "
        "have learned from it",
    )  # fmt: skip
    method: str | None = Field(None, description="a Brian2 state updater; default: Brian2 chooses")
    initial: dict[str, str] = Field(
        default_factory=dict, description="the traces' values as a presentation starts; default: 0"
    )

    @model_validator(mode="after")
    def _has_equations(self) -> Side:
        alone = not any(getattr(self, key, None) for key in ("reads", "signals", "psi"))
        if self.equations is None and (alone or self.on_spike or self.method or self.initial):
            raise ValueError("`equations` of the traces are missing")
        return self


class Target(Side):
    """The traces of the target, and the numbers of its neuron that a rule reads."""

    reads: _Names = Field(
        (), description="variables of the neuron, and `target`, the task's target of the neuron in "
        "each step: `NAME_post` in statements",
    )  # fmt: skip
    signals: _Names = Field(
        (), description="numbers that synapses from the target to others "
        "send back by their `feedback`, summed over these: `NAME_post` in statements",
    )  # fmt: skip
    psi: str | None = Field(
        None, description="the profile of the spike derivative `psi_post`, an expression of "
        "`distance`, the neuron's distance to threshold in units of its scale, and parameters",
    )  # fmt: skip


class LayerSums(_Code):
    """Numbers that all neurons of the target's layer have in common."""

    sum: dict[str, str] = Field(
        default_factory=dict, description="sums over the target's neurons, by name: an expression "
        "of its traces and of what `reads` names each",
    )  # fmt: skip
    equations: str | None = Field(
        None, description="Brian2 subexpressions of these sums, modulators and parameters"
    )


class SynapseStatements(_Code):
    """The variables of a synapse, and the statements that change its weight."""

    equations: str | None = Field(
        None, description="Brian2 equations of variables that each synapse has; it always has its "
        "weight `w`",
    )  # fmt: skip
    method: str | None = Field(None, description="a Brian2 state updater; default: Brian2 chooses")
    initial: dict[str, str] = Field(
        default_factory=dict, description="the variables' values as a presentation starts; "
        "default: 0. Those of persistent variables may be random, such as `randn()`",
    )  # fmt: skip
    on_pre: str | None = Field(
        None, description="statements, run for each spike that arrives, after it was delivered"
    )
    on_post: str | None = Field(
        None, description="the same for each spike of the target, after `on_pre`"
    )
    regularly: str | None = Field(
        None, description="the same for all synapses, after `on_post`: as the presentation ends, "
        "and before that at the interval `every`",
    )  # fmt: skip
    every: str | None = Field(
        None, description="the interval of `regularly`, a time, or `dt` for each step; in its "
        "statements `every` is the time since it ran before, which is shorter as the presentation "
        "ends",
    )  # fmt: skip

    @model_validator(mode="after")
    def _learns(self) -> SynapseStatements:
        if self.on_pre is None and self.on_post is None and self.regularly is None:
            raise ValueError("[synapse] needs `on_pre`, `on_post` or `regularly`")
        if self.every is not None and self.regularly is None:
            raise ValueError("`every` is the interval of `regularly`, which is missing")
        if self.equations is None and (self.initial or self.method):
            raise ValueError("`initial` and `method` of [synapse] need its `equations`")
        return self


class StructureTable(_Code):
    """Structural plasticity: the potential connections that exist, and their exchange."""

    fan_in: int | float = Field(
        description="the sources of each target: a whole number, or a fraction of the potential "
        "ones between 0 and 1"
    )
    period: Count = Field(description="the presentations from one rewiring to the next")
    swaps: Natural = Field(
        description="the most connections that one rewiring exchanges, over all targets"
    )
    score: str = Field(
        min_length=1, description="an expression of persistent variables, `w`, `connected`, "
        "parameters and random numbers: targets exchange connections for potential ones of a "
        "higher score",
    )  # fmt: skip
    by_fan_out: bool = Field(
        True, description="whether scores are divided by the number of targets that share the "
        "source; they may not be negative then",
    )  # fmt: skip
    new_weight: str = Field(
        "0", min_length=1, description="the weight with which a new connection begins, an "
        "expression like the score",
    )  # fmt: skip

    @field_validator("fan_in", mode="before")
    @classmethod
    def _number_or_fraction(cls, value: object) -> object:
        whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9
        if whole or (isinstance(value, float) and 0 < value < 1):
            return value
        raise ValueError(
            f"expected a whole number of at least 1, or a fraction between 0 and 1; found {value!r}"
        )


class SynapseModel(TomlModel):
    """A synapse model with its learning rule, written once as Brian2 equations.

    Loading one executes nothing: every field is text until Brian2's own parser reads it.

    Raises
    ------
    ModelError
        From `from_mapping`, if a field is missing, unknown or malformed.
    """

    _example: ClassVar[str] = "bioae synapses show stdp_pair"

    description: str = Field(description="a description of the rule in one line")
    reference: str = Field("", description="the source of the rule")
    held: _Names = Field(
        (), description="numbers that the user gives for each presentation, "
        "such as a reward, by name",
    )  # fmt: skip
    timing: Literal["phases", "script"] = Field(
        "phases", description="the order in which spikes are delivered and learned from: all are "
        "delivered first, or `on_pre` delivers its spike among its statements, as in a Brian2 "
        "script",
    )  # fmt: skip
    persistent: _Names = Field(
        (), description="variables that presentations do not reset, by "
        "their names in statements: of traces, `NAME_pre` and `NAME_post`, and of synapses",
    )  # fmt: skip
    copies: Annotated[tuple[str, ...], Strict(False)] = Field(
        (), description="other weights that are copies of these, since "
        "spikes of a script add to several variables: none of them is normalised or trained",
    )  # fmt: skip
    pre: Side | None = Field(None, description="traces of the source, `NAME_pre` in statements")
    post: Target | None = Field(
        None, description="traces of the target, and numbers of its neuron, `NAME_post` in "
        "statements",
    )  # fmt: skip
    layer: LayerSums | None = Field(None, description="sums over the target's layer")
    synapse: SynapseStatements = Field(description="the statements that change the weight")
    feedback: dict[str, str] = Field(
        default_factory=dict, description="numbers that synapses send back to their source, summed "
        "over its targets, by name: an expression like those of statements each",
    )  # fmt: skip
    structure: StructureTable | None = Field(
        None,
        description="structural plasticity: the connections that exist, and their exchange; "
        "default: all exist",
    )
    parameters: dict[str, str] = Field(default_factory=dict, description="constants, with units")

    @field_validator("description")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must not be blank")
        return " ".join(text.split())

    @model_validator(mode="after")
    def _one_by_one(self) -> SynapseModel:
        keys = ("pre", "post", "layer", "structure", "held", "feedback")
        found = [key for key in keys if getattr(self, key)]
        found += ["regularly"] if self.synapse.regularly is not None else []
        if self.timing == "script" and found:
            raise ValueError(f'`{found[0]}` needs timing = "phases": all variables are of synapses')
        return self

    @property
    def reads_neuron(self) -> bool:
        """True if it reads numbers of its target's neuron, which single synapses do not have."""
        post = self.post
        return post is not None and bool(post.reads or post.signals or post.psi)

    @property
    def persistent_variables(self) -> dict[str, tuple[str, str]]:
        """The side or ``"synapse"``, and the variable, of the names in `persistent`."""
        found: dict[str, tuple[str, str]] = {}
        for name in self.persistent:
            own, _, side = name.rpartition("_")
            # Brian2 refuses variables of synapses with such ends.
            found[name] = (side, own) if side in ("pre", "post") else ("synapse", name)
        return found
