"""Changes of a network for a simulation, as they are typed, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from bioae.networks.network import Network
    from bioae.responses.calibration import Calibration

__all__ = ["background_of", "print_change", "spread_of", "with_neuron"]


def with_neuron(network: Network, neuron: str, calibrate: Calibration) -> tuple[Network, str]:
    """Return a network with another neuron, and a line that says what became of its weights."""
    factors = network.calibration_factors(neuron, calibrate)
    changed = network.with_neuron(neuron, calibrate=factors)
    texts = {name: f"{factor:.3g}" for name, factor in factors.items()}
    text = next(iter(texts.values()))
    if len(set(texts.values())) > 1:
        text = ", ".join(f"{factor} ({name})" for name, factor in texts.items())
    done = {
        "rate": f"times {text}, so that rates match",
        "psp": f"times {text}, so that single spikes match",
        "none": "as they are",
    }
    said = f"Weights of {changed.config.neuron}: {done[calibrate]}"
    if changed.config.dt_seconds != network.config.dt_seconds:
        said += f"; dt {changed.config.dt_seconds * 1e3:g} ms, {changed.config.steps} steps"
    return changed, said


def spread_of(texts: Sequence[str]) -> dict[str, float]:
    """Read coefficients of variation such as ``tau=0.1``.

    Raises
    ------
    InputError
        If one is of another form, or a parameter is named twice.
    """
    from bioae.errors import InputError

    spread: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            variation = float(number)
        except ValueError:
            raise InputError(
                "the spread cannot be read",
                where="--spread",
                expected="a parameter and its coefficient of variation, such as tau=0.1",
                found=repr(text),
            ) from None
        if name in spread:
            raise InputError("a parameter is named twice", where="--spread", found=repr(name))
        spread[name] = variation
    return spread


def background_of(text: str | None) -> float | tuple[float, str] | None:
    """Read a background such as ``0.1``, or ``0.1,20*Hz``.

    Raises
    ------
    InputError
        If it begins with no number.
    """
    from bioae.errors import InputError

    if text is None:
        return None
    number, comma, rate = text.partition(",")
    try:
        return (float(number), rate) if comma else float(number)
    except ValueError:
        raise InputError(
            "the background cannot be read",
            where="--background",
            expected="a standard deviation such as 0.1, or a weight and a rate such as 0.1,20*Hz",
            found=repr(text),
        ) from None


def print_change(before: xr.DataTree, after: xr.DataTree, said: str) -> None:
    """Print how firing and reconstruction changed."""
    from rich.console import Console

    from bioae.analysis import as_table, firing_change, reconstruction_change
    from bioae.cli.tables import rich_table

    console = Console()
    if said:
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    errors = reconstruction_change(before, after)["sum_squared_error"]
    old, new = errors.to_numpy()
    change = f" ({100 * (new / old - 1):+.0f} %)" if old else ""
    line = f"Squared error per image: {old:.4g} before, {new:.4g} after{change}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    table = as_table("Firing before and after", firing_change(before, after))
    console.print(rich_table(table, console), crop=False)
