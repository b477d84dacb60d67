"""What a simulation did, measured: firing, reconstruction, agreement of two runs, the report.

Here belong pure functions on a result, the `xarray.DataTree` that a simulation returns and
`open_result` reads, each family of measures in its own file. They use nothing of how the result
came about: neither Brian2 nor PyTorch. Arrays come back with a long name and units. Figures are
functions of `bioae.analysis.plots`.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.lazy import lazily

if TYPE_CHECKING:
    from bioae.analysis.bursting import BURSTING_THRESHOLD, bursting_fraction, is_bursting
    from bioae.analysis.change import firing_change, reconstruction_change
    from bioae.analysis.compare import check_comparable, differing_spikes
    from bioae.analysis.counts import (
        active_fraction,
        dead_fraction,
        is_alive,
        is_silent,
        silent_fraction,
        spike_count,
    )
    from bioae.analysis.layers import layer_data, layer_names
    from bioae.analysis.measures import Measures, measure
    from bioae.analysis.metrics import read_metrics
    from bioae.analysis.overview import summary
    from bioae.analysis.pipeline import analyze
    from bioae.analysis.rates import (
        alive_density,
        firing_rate,
        rate_distribution,
        spike_density,
        spikes_per_step,
    )
    from bioae.analysis.reconstruction import (
        all_zero,
        mean_image,
        mean_squared_error,
        reconstruction_errors,
        sum_squared_error,
    )
    from bioae.analysis.report import write_report
    from bioae.analysis.schema import SCHEMA_VERSION, check_result, open_result
    from bioae.analysis.tables import Table, as_table
    from bioae.analysis.tutorial import example_result

__all__ = [
    "BURSTING_THRESHOLD",
    "SCHEMA_VERSION",
    "Measures",
    "Table",
    "active_fraction",
    "alive_density",
    "all_zero",
    "analyze",
    "as_table",
    "bursting_fraction",
    "check_comparable",
    "check_result",
    "dead_fraction",
    "differing_spikes",
    "example_result",
    "firing_change",
    "firing_rate",
    "is_alive",
    "is_bursting",
    "is_silent",
    "layer_data",
    "layer_names",
    "mean_image",
    "mean_squared_error",
    "measure",
    "open_result",
    "rate_distribution",
    "read_metrics",
    "reconstruction_change",
    "reconstruction_errors",
    "silent_fraction",
    "spike_count",
    "spike_density",
    "spikes_per_step",
    "sum_squared_error",
    "summary",
    "write_report",
]

_MODULES = {
    "bursting": ("BURSTING_THRESHOLD", "bursting_fraction", "is_bursting"),
    "change": ("firing_change", "reconstruction_change"),
    "compare": ("check_comparable", "differing_spikes"),
    "counts": (
        "active_fraction",
        "dead_fraction",
        "is_alive",
        "is_silent",
        "silent_fraction",
        "spike_count",
    ),
    "layers": ("layer_data", "layer_names"),
    "measures": ("Measures", "measure"),
    "metrics": ("read_metrics",),
    "overview": ("summary",),
    "pipeline": ("analyze",),
    "rates": (
        "alive_density",
        "firing_rate",
        "rate_distribution",
        "spike_density",
        "spikes_per_step",
    ),
    "reconstruction": (
        "all_zero",
        "mean_image",
        "mean_squared_error",
        "reconstruction_errors",
        "sum_squared_error",
    ),
    "report": ("write_report",),
    "schema": ("SCHEMA_VERSION", "check_result", "open_result"),
    "tables": ("Table", "as_table"),
    "tutorial": ("example_result",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
