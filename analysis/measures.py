"""All numbers of one or more results, for the report, the command line and JSON alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.agreement import differing_spikes
from bioae.analysis.bursting import BURSTING_THRESHOLD
from bioae.analysis.overview import summary
from bioae.analysis.reconstruction import reconstruction_errors
from bioae.analysis.tables import Table, as_table
from bioae.errors import ResultError

__all__ = ["Measures", "measure"]

Record = dict[str, Any]


@dataclass(frozen=True)
class Measures:
    """What was measured, by the names of the results.

    Parameters
    ----------
    attributes
        The attributes of each result, and its number of examples.
    reconstruction
        The errors of each (`bioae.analysis.reconstruction_errors`).
    firing
        The layers of each (`bioae.analysis.summary`).
    spikes
        Of pairs of results, by default of the first and each other one
        (`bioae.analysis.differing_spikes`), or why they cannot be compared.
    bursting_threshold
        In spikes per step, what counts as bursting.
    """

    attributes: Mapping[str, Record]
    reconstruction: Mapping[str, xr.Dataset]
    firing: Mapping[str, xr.Dataset]
    spikes: Mapping[tuple[str, str], xr.Dataset | str]
    bursting_threshold: float

    def tables(self) -> list[Table]:
        """Return the measures as tables."""
        return [
            as_table("Reconstruction error", self._reconstruction_rows()),
            *(as_table(f"Firing: {name}", data).transposed() for name, data in self.firing.items()),
            *(
                as_table(f"Spikes of {a} (first) against {b} (second)", data)
                for (a, b), data in self.spikes.items()
                if isinstance(data, xr.Dataset)
            ),
        ]

    def not_compared(self) -> list[str]:
        """Return a line for each pair of results that could not be compared."""
        return [
            f"Spikes of {a} and {b} were not compared: {reason}."
            for (a, b), reason in self.spikes.items()
            if isinstance(reason, str)
        ]

    def to_json(self) -> Record:
        """Return the measures as one object of plain values; what is undefined becomes null."""
        results = {
            name: {
                "attributes": self.attributes[name],
                "reconstruction": _records(self.reconstruction[name]),
                "layers": _records(self.firing[name]),
            }
            for name in self.firing
        }
        return {
            "results": results,
            "bursting_threshold": self.bursting_threshold,
            "comparisons": [self._comparison(*pair) for pair in self.spikes],
        }

    def _comparison(self, a: str, b: str) -> Record:
        data = self.spikes[a, b]
        outcome = {"refused": data} if isinstance(data, str) else {"layers": _records(data)}
        return {"a": a, "b": b, **outcome}

    def _reconstruction_rows(self) -> list[Record]:
        """One row a result, then the baselines, once for the results that share their inputs."""
        rows = [
            {"": name, **_named(data.sel(predictor="network"))}
            for name, data in self.reconstruction.items()
        ]
        distinct: dict[str, xr.Dataset] = {}
        for name, data in self.reconstruction.items():
            baselines = data.drop_sel(predictor="network")
            if not any(baselines.equals(other) for other in distinct.values()):
                distinct[name] = baselines
        for name, data in distinct.items():
            suffix = f", inputs of {name}" if len(distinct) > 1 else ""
            for predictor in data["predictor"].to_numpy():
                label = f"baseline: {predictor.replace('_', ' ')}{suffix}"
                rows.append({"": label, **_named(data.sel(predictor=predictor))})
        return rows


def measure(
    results: Mapping[str, xr.DataTree],
    *,
    training_images: NDArray[Any] | None = None,
    bursting_threshold: float = BURSTING_THRESHOLD,
    compare: Sequence[tuple[str, str]] | None = None,
) -> Measures:
    """Measure results, and compare the spikes of the first with those of each other one.

    Parameters
    ----------
    results
        The results by name.
    training_images
        For the baseline of the mean image, see `bioae.analysis.mean_image`.
    bursting_threshold
        In spikes per step, see `bioae.analysis.is_bursting`.
    compare
        Which pairs of results to compare spike by spike instead.

    Raises
    ------
    ResultError
        If there is no result, or an argument does not fit.
    """
    if not results:
        raise ResultError("there are no results to measure", expected="at least one")
    first, *others = results
    pairs = [(first, other) for other in others] if compare is None else compare
    return Measures(
        attributes={name: _attributes(tree) for name, tree in results.items()},
        reconstruction={
            name: reconstruction_errors(tree, training_images) for name, tree in results.items()
        },
        firing={
            name: summary(tree, bursting_threshold=bursting_threshold)
            for name, tree in results.items()
        },
        spikes={(a, b): _compare(results[a], results[b]) for a, b in pairs},
        bursting_threshold=bursting_threshold,
    )


def _compare(a: xr.DataTree, b: xr.DataTree) -> xr.Dataset | str:
    try:
        return differing_spikes(a, b)
    except ResultError as error:
        return error.what


def _attributes(tree: xr.DataTree) -> Record:
    # netCDF gives back NumPy numbers, which JSON does not know.
    plain = {
        str(key): value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
        for key, value in tree.attrs.items()
    }
    return {"examples": tree.sizes["example"], **plain}


def _records(data: xr.Dataset) -> dict[str, Record]:
    """Return the variables as plain values, by the dataset's only coordinate."""
    (dim,) = data.sizes
    return {
        str(label): {str(name): _plain(array[i].item()) for name, array in data.data_vars.items()}
        for i, label in enumerate(data[dim].to_numpy())
    }


def _named(data: xr.Dataset) -> Record:
    return {str(array.attrs["long_name"]): array.item() for array in data.data_vars.values()}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
