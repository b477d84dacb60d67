"""Fields of tables: their types and ranges, declared once for all formats.

Every format of bioae is plain data: texts, numbers, lists and tables. A `Table` converts nothing:
``true`` is not a number, and ``"1"`` neither.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

#: Whole numbers: neurons or pixels along one axis, steps or epochs, and other counts.
Size = Annotated[int, Field(ge=1, le=10**6)]
Steps = Annotated[int, Field(ge=1, le=10**6)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Natural = Annotated[int, Field(ge=0, le=10**6)]
Threads = Annotated[int, Field(ge=1, le=1024)]

#: A number greater than 0 whose products with others of its kind stay finite, also in 32 bits.
Positive = Annotated[float, Field(ge=1e-12, le=1e12)]


class Table(BaseModel):
    """A table: no unknown key, no conversion of types, plain values only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    #: Keys that are younger than the format: documents, and their hashes, have them only where
    #: they differ from the default.
    newer: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_newer_defaults(self, serialise: Any) -> dict[str, Any]:
        fields: dict[str, Any] = serialise(self)
        for name in self.newer & fields.keys():
            default = type(self).model_fields[name].get_default(call_default_factory=True)
            if getattr(self, name) == default:
                del fields[name]
        return fields

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        return _of_python(values)


def _of_python(value: Any) -> Any:
    """Return values with those of NumPy as numbers, texts and lists of Python."""
    if isinstance(value, dict):
        return {key: _of_python(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_of_python, value))
    return value.tolist() if type(value).__module__ == "numpy" else value
