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
    from bioae.analysis.agreement import check_comparable, differing_spikes
    from bioae.analysis.bursting import BURSTING_THRESHOLD, bursting_fraction, is_bursting
    from bioae.analysis.change import firing_change, reconstruction_change
    from bioae.analysis.chi import synchrony
    from bioae.analysis.class_rates import rates_by_class
    from bioae.analysis.comparability import context_of
    from bioae.analysis.correlations import (
        correlation_matrix,
        mean_pairwise_correlation,
        temporal_correlation_matrix,
    )
    from bioae.analysis.correlograms import cross_correlogram
    from bioae.analysis.costs import cost
    from bioae.analysis.counts import (
        active_fraction,
        dead_fraction,
        is_alive,
        is_silent,
        silent_fraction,
        spike_count,
    )
    from bioae.analysis.definitions import DEFINITIONS, Definition
    from bioae.analysis.dimensionality import participation_ratio
    from bioae.analysis.distances import (
        isi_distance,
        kolmogorov_smirnov,
        spike_distance,
        spike_synchronization,
        van_rossum_distance,
        victor_purpura_distance,
        wasserstein_distance,
    )
    from bioae.analysis.effects import compare, compare_values, effects_table, neuron_values
    from bioae.analysis.exports import (
        layer_frame,
        neuron_frame,
        spike_frame,
        to_csv,
        to_neo,
        to_nwb,
        to_pandas,
    )
    from bioae.analysis.firing import (
        example_statistics,
        layer_statistics,
        neuron_statistics,
        statistics,
    )
    from bioae.analysis.information import count_information, latency_information
    from bioae.analysis.interval_moments import IntervalSums, interval_sums
    from bioae.analysis.intervals import (
        burst_index,
        interval_histogram,
        isi_distribution,
        mean_interval,
        refractory_violations,
    )
    from bioae.analysis.irregularity import isi_cv, isi_cv2, lv, lvr
    from bioae.analysis.latent_space import principal_plane, project
    from bioae.analysis.layers import layer_data, layer_names
    from bioae.analysis.measures import Measures, measure
    from bioae.analysis.metrics import read_metrics
    from bioae.analysis.overview import summary
    from bioae.analysis.pipeline import analyze
    from bioae.analysis.population_rates import population_rate
    from bioae.analysis.rate_fits import fit_rates
    from bioae.analysis.rate_moments import rate_statistics
    from bioae.analysis.rates import (
        alive_density,
        firing_rate,
        rate_distribution,
        spike_density,
        spikes_per_step,
    )
    from bioae.analysis.readout import linear_readout
    from bioae.analysis.receptive_fields import inverse_participation_ratio, spike_triggered_average
    from bioae.analysis.reconstruction import (
        all_zero,
        mean_absolute_error,
        mean_image,
        mean_squared_error,
        reconstruction_errors,
        sum_squared_error,
    )
    from bioae.analysis.reference import Reference, load_references, references
    from bioae.analysis.report import write_report
    from bioae.analysis.schema import SCHEMA_VERSION, check_result, open_result
    from bioae.analysis.separation import class_separation
    from bioae.analysis.sparseness import lifetime_sparseness, population_sparseness
    from bioae.analysis.spikes import blocks, raster
    from bioae.analysis.tables import Table, as_table
    from bioae.analysis.tiling import spike_time_tiling
    from bioae.analysis.transfer import transfer_curve
    from bioae.analysis.tutorial import example_result
    from bioae.analysis.variability import dispersion, fano_factor
    from bioae.analysis.verdicts import Verdict, layer_verdicts, verdict, verdict_table

__all__ = [
    "BURSTING_THRESHOLD",
    "DEFINITIONS",
    "SCHEMA_VERSION",
    "Definition",
    "IntervalSums",
    "Measures",
    "Reference",
    "Table",
    "Verdict",
    "active_fraction",
    "alive_density",
    "all_zero",
    "analyze",
    "as_table",
    "blocks",
    "burst_index",
    "bursting_fraction",
    "check_comparable",
    "check_result",
    "class_separation",
    "compare",
    "compare_values",
    "context_of",
    "correlation_matrix",
    "cost",
    "count_information",
    "cross_correlogram",
    "dead_fraction",
    "differing_spikes",
    "dispersion",
    "effects_table",
    "example_result",
    "example_statistics",
    "fano_factor",
    "firing_change",
    "firing_rate",
    "fit_rates",
    "interval_histogram",
    "interval_sums",
    "inverse_participation_ratio",
    "is_alive",
    "is_bursting",
    "is_silent",
    "isi_cv",
    "isi_cv2",
    "isi_distance",
    "isi_distribution",
    "kolmogorov_smirnov",
    "latency_information",
    "layer_data",
    "layer_frame",
    "layer_names",
    "layer_statistics",
    "layer_verdicts",
    "lifetime_sparseness",
    "linear_readout",
    "load_references",
    "lv",
    "lvr",
    "mean_absolute_error",
    "mean_image",
    "mean_interval",
    "mean_pairwise_correlation",
    "mean_squared_error",
    "measure",
    "neuron_frame",
    "neuron_statistics",
    "neuron_values",
    "open_result",
    "participation_ratio",
    "population_rate",
    "population_sparseness",
    "principal_plane",
    "project",
    "raster",
    "rate_distribution",
    "rate_statistics",
    "rates_by_class",
    "read_metrics",
    "reconstruction_change",
    "reconstruction_errors",
    "references",
    "refractory_violations",
    "silent_fraction",
    "spike_count",
    "spike_density",
    "spike_distance",
    "spike_frame",
    "spike_synchronization",
    "spike_time_tiling",
    "spike_triggered_average",
    "spikes_per_step",
    "statistics",
    "sum_squared_error",
    "summary",
    "synchrony",
    "temporal_correlation_matrix",
    "to_csv",
    "to_neo",
    "to_nwb",
    "to_pandas",
    "transfer_curve",
    "van_rossum_distance",
    "verdict",
    "verdict_table",
    "victor_purpura_distance",
    "wasserstein_distance",
    "write_report",
]

_MODULES = {
    "agreement": (
        "check_comparable",
        "differing_spikes",
    ),
    "bursting": (
        "BURSTING_THRESHOLD",
        "bursting_fraction",
        "is_bursting",
    ),
    "change": (
        "firing_change",
        "reconstruction_change",
    ),
    "chi": ("synchrony",),
    "class_rates": ("rates_by_class",),
    "comparability": ("context_of",),
    "correlations": (
        "correlation_matrix",
        "mean_pairwise_correlation",
        "temporal_correlation_matrix",
    ),
    "correlograms": ("cross_correlogram",),
    "costs": ("cost",),
    "counts": (
        "active_fraction",
        "dead_fraction",
        "is_alive",
        "is_silent",
        "silent_fraction",
        "spike_count",
    ),
    "definitions": (
        "DEFINITIONS",
        "Definition",
    ),
    "dimensionality": ("participation_ratio",),
    "distances": (
        "isi_distance",
        "kolmogorov_smirnov",
        "spike_distance",
        "spike_synchronization",
        "van_rossum_distance",
        "victor_purpura_distance",
        "wasserstein_distance",
    ),
    "effects": (
        "compare",
        "compare_values",
        "effects_table",
        "neuron_values",
    ),
    "exports": (
        "layer_frame",
        "neuron_frame",
        "spike_frame",
        "to_csv",
        "to_neo",
        "to_nwb",
        "to_pandas",
    ),
    "firing": (
        "example_statistics",
        "layer_statistics",
        "neuron_statistics",
        "statistics",
    ),
    "information": (
        "count_information",
        "latency_information",
    ),
    "interval_moments": ("IntervalSums", "interval_sums"),
    "intervals": (
        "burst_index",
        "interval_histogram",
        "isi_distribution",
        "mean_interval",
        "refractory_violations",
    ),
    "irregularity": (
        "isi_cv",
        "isi_cv2",
        "lv",
        "lvr",
    ),
    "latent_space": (
        "principal_plane",
        "project",
    ),
    "layers": (
        "layer_data",
        "layer_names",
    ),
    "measures": (
        "Measures",
        "measure",
    ),
    "metrics": ("read_metrics",),
    "overview": ("summary",),
    "pipeline": ("analyze",),
    "population_rates": ("population_rate",),
    "rate_fits": ("fit_rates",),
    "rate_moments": ("rate_statistics",),
    "rates": (
        "alive_density",
        "firing_rate",
        "rate_distribution",
        "spike_density",
        "spikes_per_step",
    ),
    "readout": ("linear_readout",),
    "receptive_fields": (
        "inverse_participation_ratio",
        "spike_triggered_average",
    ),
    "reconstruction": (
        "all_zero",
        "mean_absolute_error",
        "mean_image",
        "mean_squared_error",
        "reconstruction_errors",
        "sum_squared_error",
    ),
    "reference": (
        "Reference",
        "load_references",
        "references",
    ),
    "report": ("write_report",),
    "schema": (
        "SCHEMA_VERSION",
        "check_result",
        "open_result",
    ),
    "separation": ("class_separation",),
    "sparseness": (
        "lifetime_sparseness",
        "population_sparseness",
    ),
    "spikes": (
        "blocks",
        "raster",
    ),
    "tables": (
        "Table",
        "as_table",
    ),
    "tiling": ("spike_time_tiling",),
    "transfer": ("transfer_curve",),
    "tutorial": ("example_result",),
    "variability": (
        "dispersion",
        "fano_factor",
    ),
    "verdicts": (
        "Verdict",
        "layer_verdicts",
        "verdict",
        "verdict_table",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
