"""Models as data: the keys of TOML files, and those of a neuron."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

import tomli_w
from pydantic import Field, Strict, ValidationError, field_validator, model_validator

from bioae.equations.grammar import BUILT_IN, RESERVED_PREFIX, without_comments
from bioae.errors import ModelError, describe, did_you_mean, shortened
from bioae.fields import Table
from bioae.showing import Shown, Summary, rows_of
from bioae.unit_text import readable

_IDENTIFIER = re.compile("[A-Za-z][A-Za-z0-9_]*")

_RANDOM = re.compile(r"\brandn?\s*\(")
_LAST_SPIKE = re.compile(r"\b(?:lastspike|not_refractory)\b")


class Surrogate(Table):
    """Distance to threshold and its scale, the argument of the spike derivatives."""

    distance: str = Field(min_length=1, description="an expression, positive above threshold")
    scale: str = Field(min_length=1, description="an expression with the distance's unit")


class CustomEvent(Table):
    """A custom event: a condition, checked after the threshold, and statements."""

    condition: str = Field(min_length=1, description="a Brian2 condition")
    reset: str = Field(min_length=1, description="Brian2 statements, run where it holds")


class TimedValues(Table):
    """Values that change over a presentation: a Brian2 `TimedArray`."""

    values: list[float] | list[list[float]] = Field(
        min_length=1,
        description="numbers, or rows of numbers, one for each neuron; or the path of a `.csv` or "
        "`.npy` file next to this one",
    )
    dt: str = Field(min_length=1, description="the time for which each value holds")
    unit: str = Field("1", min_length=1, description="the unit of the values")

    @field_validator("values", mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        if isinstance(values, str):
            raise ValueError("a path of values is read only where the model is a file")
        rows = values if isinstance(values, list) else []
        if rows and isinstance(rows[0], list):
            sizes = {len(each) if isinstance(each, list) else 0 for each in rows}
            if len(sizes) > 1 or 0 in sizes:
                raise ValueError("expected rows of the same length, of a number for each neuron")
            rows = [value for row in rows for value in row]
        for value in rows:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and abs(value) < math.inf):
                raise ValueError(f"expected a list of numbers, found {str(value)[:40]}")
        return values


class TomlModel(Shown, Table):
    """A model whose fields, except its name, are the keys of a TOML file."""

    #: A command that prints a file.
    _example: ClassVar[str]

    name: str = Field(min_length=1, exclude=True, description="the file's name without its suffix")
    description: str

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ModelError(**describe(error, type(self)), where=type(self).__name__) from None

    # pydantic validates tables by itself: only direct calls have the errors of `__init__`.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_mapping(cls, name: str, fields: dict[str, Any], *, where: str) -> Self:
        """Build a model from a parsed file.

        Parameters
        ----------
        name
            The name of the model.
        fields
            The keys of the file (see `docs/neuron-models.md` and `docs/synapse-models.md`).

        Raises
        ------
        ModelError
            If a key is missing, unknown or of the wrong form.
        """
        keys = [key for key, field in cls.model_fields.items() if not field.exclude]
        if not hasattr(fields, "keys"):
            found = type(fields).__name__
            raise ModelError("this is no model", where=where, expected="a table", found=found)
        for key in fields:
            if key not in keys:
                raise ModelError(
                    f"unknown key {key!r}",
                    where=where,
                    expected=f"one of {', '.join(keys)}",
                    hint=did_you_mean(str(key), keys),
                )
        try:
            return cls.model_validate({**fields, "name": name})
        except ValidationError as error:
            text = error.errors(include_url=False)[0]["type"] == "string_type"
            hint = "Write it in quotes" if text else f"{cls._example} prints an example"
            raise ModelError(**describe(error, cls), where=where, hint=hint) from None

    def _summary(self) -> Summary:
        fields = self.to_mapping()
        heading = f"{type(self).__name__} {self.name}: {fields.pop('description')}"
        return Summary(heading, [("key", "value"), *rows_of(fields)])

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields as in a file; `from_mapping` reads them back."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def to_toml(self) -> str:
        """Return the model as the text of a TOML file."""
        return tomli_w.dumps(self.to_mapping(), multiline_strings=True)


class NeuronModel(TomlModel):
    """A neuron model, written once as Brian2 equations.

    Loading one executes nothing: every field is text until Brian2's own parser reads it. Calls may
    give numbers and quantities in place of texts, such as ``parameters={"tau": 20*ms}``.

    Raises
    ------
    ModelError
        From `from_mapping`, if a field is missing, unknown or malformed.
    """

    # A function of `bioae.equations.library`, which imports this module.
    from_brian2: ClassVar[Callable[..., NeuronModel]]

    _example: ClassVar[str] = "bioae neurons show lif"

    description: str = Field(description="a description of the neuron in one line")
    reference: str = Field("", description="the source of the model")
    equations: str = Field(description="Brian2 model equations")
    threshold: str | None = Field(None, description="a Brian2 condition; default: it never fires")
    reset: str | None = Field(None, description="Brian2 statements, run after each spike")
    refractory: str | None = Field(None, description="a time or a condition, as in Brian2")
    run_regularly: str | None = Field(
        None, description="Brian2 statements, run at the start of each step"
    )
    run_every: str | None = Field(
        None, description="the interval of `run_regularly`; default: every step"
    )
    events: dict[str, CustomEvent] = Field(
        default_factory=dict,
        description="custom events, checked after the threshold in each step",
    )
    method: str | None = Field(None, description="a Brian2 state updater; default: Brian2 chooses")
    input: str = Field(description="the variable that a presynaptic spike adds to")
    inhibition: str | None = Field(
        None,
        description="the variable that a spike of negative weight adds its magnitude to; "
        "default: it subtracts from `input`",
    )
    potential: str | None = Field(
        None, description="the variable that decoders read from a read-out; default: `input`"
    )
    weight: str = Field(
        "1", description="input of a network weight of 1.0, with its unit; may contain `dt`"
    )
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="further variables that the same spike adds to, each with its own `weight`",
    )
    targets: dict[str, str] = Field(
        default_factory=dict,
        description="variables to which single projections of a graph may add, each with the input "
        "of a weight of 1.0",
    )
    layer_spikes: dict[str, str] = Field(
        default_factory=dict,
        description="variables to which each spike of the neuron's own layer adds an amount, "
        "whatever the weights; it arrives as recurrent input does",
    )
    dt: str | None = Field(None, description="the largest time step that the model allows")
    timed_arrays: dict[str, TimedValues] = Field(
        default_factory=dict,
        description="values that change over a presentation, used as `NAME(t)`",
    )
    parameters: dict[str, str] = Field(default_factory=dict, description="constants, with units")
    initial: dict[str, str] = Field(default_factory=dict, description="initial values")
    persistent: Annotated[tuple[str, ...], Strict(False)] = Field(
        (), description="variables that presentations do not reset while "
        "the network [learns](synapse-models.md); the initial value of each is a parameter, which "
        "then holds what was learned",
    )  # fmt: skip
    surrogate: Surrogate | None = Field(None, description="distance to threshold, and its scale")
    trainable: dict[str, Annotated[tuple[str, str], Strict(False)]] = Field(
        default_factory=dict, description="parameters that training may move, with bounds"
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(**{key: _as_text(value) for key, value in values.items()})

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator(
        "description",
        "threshold",
        "refractory",
        "run_every",
        "method",
        "input",
        "inhibition",
        "potential",
        "weight",
        "dt",
    )
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        return cls._not_blank(None if text is None else " ".join(text.split()))

    @field_validator("equations", "run_regularly")
    @classmethod
    def _not_blank(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise ValueError("must not be blank")
        return text

    @field_validator(
        "parameters", "initial", "inputs", "targets", "layer_spikes", "events", "timed_arrays"
    )
    @classmethod
    def _named(cls, table: dict[str, Any]) -> dict[str, Any]:
        for name in table:
            if _IDENTIFIER.fullmatch(name) is None or name.startswith(RESERVED_PREFIX):
                raise ValueError(
                    f"expected a name that starts with a letter and not with {RESERVED_PREFIX!r}, "
                    f"found {name!r}"
                )
        return table

    @model_validator(mode="after")
    def _consistent(self) -> NeuronModel:
        unknown = set(self.trainable) - set(self.parameters)
        if unknown:
            raise ValueError(
                f"[trainable] names {', '.join(sorted(unknown))}, which [parameters] does not set"
            )
        self._check_persistent()
        if self.threshold is None and (self.reset or self.refractory):
            raise ValueError("a reset or a refractory period needs a threshold")
        if self.run_every is not None and self.run_regularly is None:
            raise ValueError("`run_every` is the interval of `run_regularly`, which is missing")
        if self.threshold is None and self.layer_spikes:
            raise ValueError("[layer_spikes] needs a threshold")
        if self.threshold is None and self.surrogate:
            raise ValueError("[surrogate] needs a threshold")
        if self.inhibition == self.input:
            raise ValueError(
                "`inhibition` must name a variable other than `input`; without the key, spikes of "
                "negative weight subtract from `input`"
            )
        if "spike" in self.events:
            raise ValueError("`threshold` and `reset` already define the event 'spike'")
        for name in self.timed_arrays.keys() & {*self.parameters, *self.initial, *BUILT_IN}:
            what = "a variable of Brian2" if name in BUILT_IN else "a parameter or a variable"
            raise ValueError(f"{name!r} is a timed array, and {what}")
        for name in self.inputs.keys() & {self.input, self.inhibition}:
            raise ValueError(
                f"[inputs] names further variables, but `input` or `inhibition` is {name!r} already"
            )
        return self

    def with_parameters(self, parameters: Mapping[str, Any]) -> NeuronModel:
        """Return the same model with other values of some parameters: texts or quantities.

        Raises
        ------
        ModelError
            If the model has no parameter of that name, or a value is neither.
        """
        texts = _as_text(parameters)
        if not isinstance(texts, dict) or {*map(type, texts.values())} - {str}:
            example, found = 'such as {"tau": "20*ms"}', shortened(repr(parameters))
            raise ModelError("no values of parameters", expected=example, found=found)
        unknown = set(texts) - set(self.parameters)
        if unknown:
            raise ModelError(
                f"neuron model {self.name!r} has no parameter {min(map(str, unknown))!r}",
                expected=f"one of {', '.join(sorted(self.parameters)) or 'none'}",
            )
        return self.model_copy(update={"parameters": {**self.parameters, **texts}})

    def _check_persistent(self) -> None:
        """Reject a persistent variable that does not start with a separate parameter."""
        used = [*self._code(), *self.parameters.values()]
        for name in self.persistent:
            start = self.initial.get(name, "").strip()
            others = [text for n, text in self.initial.items() if n != name]
            own = not any(mentions(start, text) for text in (*used, *others))
            own = own and not any(mentions(name, text) for text in others)
            if start not in self.parameters or not own or self.persistent.count(name) > 1:
                raise ValueError(
                    f"`persistent` names {name!r}, whose value in [initial] must be a parameter "
                    f"that nothing else uses, and no other initial value may follow from {name}: "
                    f'{name} = "{name}_start"'
                )

    def _code(self) -> list[str]:
        """Return the texts of equations, conditions and statements."""
        events = (text for event in self.events.values() for _, text in event)
        texts = (
            self.equations, self.threshold, self.reset, self.run_regularly, self.refractory,
            self.weight, *self.inputs.values(), *self.targets.values(),
            *self.layer_spikes.values(), *events,
            *([] if self.surrogate is None else [self.surrogate.distance, self.surrogate.scale]),
        )  # fmt: skip
        return [without_comments(text) for text in texts if text is not None]

    def with_weight(self, weight: str) -> NeuronModel:
        """Return the same model with another `weight`; those of `inputs` change in proportion."""
        ratio = f"(({weight})/({self.weight}))"
        inputs = {name: f"({amount})*{ratio}" for name, amount in self.inputs.items()}
        return self.model_copy(update={"weight": weight, "inputs": inputs})

    @property
    def refractoriness(self) -> str | None:
        """The refractory time or condition: 0 for a model that only names `lastspike`."""
        if self.refractory is not None or self.threshold is None:
            return self.refractory
        events = (text for event in self.events.values() for _, text in event)
        texts = (self.equations, self.threshold, self.reset, self.run_regularly, *events)
        code = "\n".join(without_comments(text) for text in texts if text is not None)
        return "0*second" if _LAST_SPIKE.search(code) else None

    @property
    def drawn(self) -> frozenset[str]:
        """The parameters whose text draws random numbers: once for each neuron of a network."""
        return frozenset(n for n, text in self.parameters.items() if _RANDOM.search(text))

    @property
    def received(self) -> dict[str, str]:
        """The variables that a presynaptic spike adds to, with the input of a weight of 1.0."""
        return {self.input: self.weight, **self.inputs}

    @property
    def decoded(self) -> str:
        """The variable that decoders read, if the model is a read-out."""
        return self.potential or self.input

    @property
    def settle(self) -> str | None:
        """The time for which the model runs without input before the first presentation."""
        return self.initial.get("settle")

    @property
    def initial_state(self) -> dict[str, str]:
        """The expressions of `initial`, by variable."""
        return {name: text for name, text in self.initial.items() if name != "settle"}


def _as_text(value: Any) -> Any:
    """Return numbers and quantities, of tables and pairs too, as text; others unchanged."""
    if isinstance(value, Mapping):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, tuple) or (
        isinstance(value, list) and any(hasattr(each, "dim") for each in value[:2])
    ):
        return tuple(map(_as_text, value))
    return readable(value)


def mentions(name: str, text: str) -> bool:
    """Return whether a text names something."""
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
