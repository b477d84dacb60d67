"""What of a result decides whether its numbers can be laid beside those of an animal."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

import xarray as xr

from bioae.analysis.results.layers import duration_s, images_of, steps

__all__ = ["Context", "context_of", "has_time_constants"]

# Brian2's names of times and frequencies, with their prefixes.
_TIME = re.compile(
    r"\b(?:[munpf]?second|[munpf]s|minute|hour|day|[munkMG]?[hH]ertz|[mukMG]?Hz)s?\b"
)
_MODEL = re.compile(r"^(?=description\s*=)", re.MULTILINE)


@dataclass(frozen=True)
class Context:
    """What a comparison with an animal depends on.

    Parameters
    ----------
    seconds
        Whether steps are times, because every neuron model has a constant with a unit of time.
    timing
        Why they are or are not.
    presentation_s
        The length of a presentation in seconds, if they are.
    steps
        The length of a presentation in steps.
    repeated
        Whether all examples show the same image, so that what varies over them is the network.
    """

    seconds: bool
    timing: str
    presentation_s: float
    steps: int
    repeated: bool


def context_of(tree: xr.DataTree) -> Context:
    """Read from a result what decides whether its numbers can be laid beside an animal's."""
    seconds, timing = has_time_constants(str(tree.attrs.get("neuron_model", "")))
    return Context(seconds, timing, duration_s(tree), steps(tree), _repeated(tree))


def has_time_constants(neuron_model: str) -> tuple[bool, str]:
    """Whether every neuron model has a constant with a unit of time, and why or why not.

    A model without one, such as an integrate-and-fire neuron without a leak, computes the same
    whatever the length of a step is said to be. The bounds of training and the initial values are
    no dynamics, and do not count.

    Parameters
    ----------
    neuron_model
        The text of the result's attribute: one TOML document, or several after one another.
    """
    models = [text for text in _MODEL.split(neuron_model) if text.strip()]
    without = [name for name, text in map(_named_dynamics, models) if not _TIME.search(text)]
    if not models or without:
        which = f"the neuron model ({without[0]})" if without and without[0] else "the neuron model"
        return False, f"{which} has no time constant in seconds"
    return True, "the neuron model has a time constant in seconds"


def _named_dynamics(model: str) -> tuple[str, str]:
    """Return a model's description, and the text of what sets its time scale."""
    try:
        fields: dict[str, Any] = tomllib.loads(model)
    except tomllib.TOMLDecodeError:
        return "", model
    # What follows the last colon of an equation is its unit: volt/second is no time constant.
    equations = [line.rpartition(":")[0] for line in str(fields.get("equations", "")).splitlines()]
    parameters = fields.get("parameters", {})
    texts = [*equations, *map(str, parameters.values()), str(fields.get("refractory", ""))]
    return str(fields.get("description", "")).rstrip("."), "\n".join(texts)


def _repeated(tree: xr.DataTree) -> bool:
    images = images_of(tree, "input")
    if images.sizes["example"] < 2:
        return False
    first = images.isel(example=0)
    # Most often the second image already differs, and the others need not be read.
    return bool((images.isel(example=1) == first).all()) and bool((images == first).all())
