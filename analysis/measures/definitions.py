"""Definitions of the numbers of a layer: one name, unit and text for files, tables and Python."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFINITIONS", "Definition", "anchor"]


class Definition(NamedTuple):
    """Definition of a statistic of a layer.

    Attributes
    ----------
    label
        Its name in tables.
    units
        Its unit, "1" if it has none.
    text
        Its definition, with source.
    undefined
        Why it is undefined, if it is.
    """

    label: str
    units: str
    text: str
    undefined: str = ""


_NO_INTERVALS = "no neuron has two intervals within presentations"
_NO_PAIRS = "no neuron has three spikes in one presentation"
_SILENT = "no neuron spikes"

#: The numbers of a layer, by their names in files, in the order of the tables.
DEFINITIONS: dict[str, Definition] = {
    "neurons": Definition("neurons", "1", "Neurons of the layer."),
    "examples": Definition("examples", "1", "Images that were presented, each repeat counted."),
    "spikes": Definition("spikes", "1", "Spikes of all neurons in all examples."),
    "rate_per_step_mean": Definition(
        "mean rate per step", "spikes/step", "Spikes per neuron, example and step; at most 1. The "
        "density of Hübotter et al. (2021), arXiv:2109.11045.",
    ),
    "rate_hz_mean": Definition(
        "mean rate", "Hz", "Spikes per neuron, example and second, with steps of dt. It is "
        "comparable with an animal's only if the neuron has time constants in seconds.",
    ),
    "rate_hz_median": Definition(
        "median rate", "Hz", "Median of the mean rate over examples, over all neurons, "
        "including dead ones.",
    ),
    "dead_fraction": Definition(
        "dead neurons", "1", "Fraction of neurons without a spike in any example."
    ),
    "bursting_fraction": Definition(
        "bursting neurons", "1", "Fraction of all neurons that fire more than bursting_threshold "
        "spikes per step (by default 0.5), averaged over the examples in which they fire at all. "
        "The burst index is about intervals instead.",
    ),
    "rate_per_step_mean_alive": Definition(
        "mean rate per step of alive neurons", "spikes/step", "Mean rate per step of the neurons "
        "that are not dead.", _SILENT,
    ),
    "active_fraction_mean": Definition(
        "active per example", "1", "Fraction of neurons that spike, averaged over examples."
    ),
    "silent_fraction": Definition(
        "silent examples", "1", "Fraction of examples in which no neuron of the layer spikes."
    ),
    "latency_ms_median": Definition(
        "response latency", "ms", "Time from a presentation's arrival at the layer to a neuron's "
        "first spike, median over the examples in which it spikes, and over the neurons that "
        "spike. It arrives at each layer a step after the one before it.", _SILENT,
    ),
    "isi_cv_mean": Definition(
        "ISI CV", "1", "Standard deviation over mean of a neuron's intervals between spikes, "
        "averaged over the neurons that have two intervals. Intervals never cross presentations "
        "and are pooled over them. 0: a clock, 1: a Poisson process; with few intervals too small "
        "(0.5 on average for two of a Poisson process), unlike CV2 and the local variation.",
        _NO_INTERVALS,
    ),
    "isi_cv2_mean": Definition(
        "CV2", "1", "Mean of 2|I − J|/(I + J) over a neuron's successive intervals I, J, averaged "
        "over neurons. Holt et al. (1996), J. Neurophysiol. 75:1806.", _NO_PAIRS,
    ),
    "lv_mean": Definition(
        "local variation", "1", "Mean of 3(I − J)²/(I + J)² over a neuron's successive "
        "intervals, averaged over neurons. Shinomoto et al. (2003), Neural Comput. 15:2823.",
        _NO_PAIRS,
    ),
    "lvr_mean": Definition(
        "revised local variation", "1", "The local variation, corrected for a refractory period of "
        "5 ms. Shinomoto et al. (2009), PLoS Comput. Biol. 5:e1000433.", _NO_PAIRS,
    ),
    "burst_index_mean": Definition(
        "burst index", "1", "Fraction of a neuron's intervals shorter than 6 ms, averaged over "
        "neurons. The limit is that of Harris et al. (2001), Neuron 32:141.",
        "no neuron spikes twice in one presentation",
    ),
    "fano_mean": Definition(
        "Fano factor", "1", "Variance (over n − 1) of a neuron's spike counts over examples, over "
        "their mean, averaged over the neurons that spike. Examples are different images, so it is "
        "no trial-to-trial variability; where each image is presented repeatedly, the variance is "
        "that over the repeats of an image. Fano (1947), Phys. Rev. 72:26.", _SILENT,
    ),
    "sparseness_lifetime": Definition(
        "lifetime sparseness", "1", "Treves-Rolls: (1 − a)/(1 − 1/n) with a = mean(r)²/mean(r²) "
        "over a neuron's counts r in n examples, averaged over the neurons that spike. 0: equal "
        "in all, 1: in one example only. Where each image is presented repeatedly, r is the mean "
        "over its repeats. Vinje & Gallant (2000), Science 287:1273.", _SILENT,
    ),
    "sparseness_population": Definition(
        "population sparseness", "1", "Treves-Rolls over the neurons' counts in one example, "
        "averaged over the examples with spikes. Willmore & Tolhurst (2001), Network 12:255.",
        _SILENT,
    ),
    "pairwise_correlation_mean": Definition(
        "pairwise correlation", "1", "Pearson correlation of two neurons' spike counts over "
        "examples, averaged over all pairs of neurons whose count varies. Most of it is signal "
        "correlation, from common responses to the images, not noise correlation.",
        "fewer than two neurons vary over the examples",
    ),
    "dimensionality": Definition(
        "dimensionality", "1", "Participation ratio (Σλ)²/Σλ² of the covariance of counts over "
        "examples: the effective number of directions of the variance.",
        "no count varies over the examples",
    ),
    "class_information_mean": Definition(
        "information on the class", "bit", "Mutual information of the image's class and a neuron's "
        "spike count, with the Miller-Madow correction for few examples, averaged over neurons.",
        "the examples have no labels",
    ),
    "rate_gini": Definition(
        "Gini coefficient of rates", "1", "Inequality of the rates of the neurons that spike. 0: "
        "all equal. Mizuseki & Buzsáki (2013), Cell Rep. 4:1010.", _SILENT,
    ),
    "lognormal_sigma": Definition(
        "s.d. of ln(rate)", "1", "Standard deviation of the natural logarithm of the rates of the "
        "neurons that spike: the width of the log-normal distribution fitted to them.",
        "fewer than three neurons spike, or all at one rate",
    ),
    "lognormal_ks": Definition(
        "log-normal misfit", "1", "Kolmogorov-Smirnov statistic: the largest distance between the "
        "distribution of the rates of the neurons that spike and the log-normal distribution "
        "fitted to them.", "fewer than three neurons spike, or all at one rate",
    ),
}  # fmt: skip


def anchor(name: str) -> str:
    """Return the HTML id of a number's definition."""
    return f"definition-{name.replace('_', '-')}"
