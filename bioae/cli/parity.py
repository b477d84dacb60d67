"""``bioae parity``: compare the PyTorch mirror with Brian2, spike for spike."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from bioae.cli.options import Positive, Seed, Split, check_effect, whole
from bioae.cli.presented import presented
from bioae.simulation.backend import Target

if TYPE_CHECKING:
    from bioae.datasets import Data
    from bioae.networks import NetworkConfig
    from bioae.trainers.parity import Parity, RuleParity

__all__ = ["parity"]


def parity(
    model: str,
    /,
    *,
    target: Target | None = None,
    data: str | None = None,
    split: Split | None = None,
    neurons: Annotated[int, whole(2, 10**5)] | None = None,
    steps: Annotated[int, whole(2, 10**6)] | None = None,
    examples: Positive = 4,
    seed: Seed = 0,
    perturb: bool = False,
    neuron: str | None = None,
    json: bool = False,
) -> int:
    """Compare the PyTorch mirror with Brian2, spike for spike.

    A neuron model is compared in a small random network with recurrent connections; a trained
    network is compared on held-out digits, random signals, or your data. Every spike must agree,
    unless the model computes functions of the state, such as exp, whose last bits differ between
    libraries. In that case each step must agree if it starts from Brian2's state, and so must 0.999
    of the spikes over the whole run. The latter is not required of a chaotic network: one on which
    Brian2 disagrees with itself once the weights are perturbed in the last bits.

    A synapse model is compared in a small random network of two layers that learn, one of them with
    recurrent connections. Spikes and weights must agree.

    Parameters
    ----------
    model
        A neuron model's or a synapse model's name or TOML file; or a trained network's folder, .zip
        file, or name. The name of a model comes first, then a path that exists.
    target
        Brian2's target; by default numpy, and cpp_standalone if there is a C++ compiler.
    data
        The data of a trained network: sample, mnist, fashion-mnist, or a path. By
        default sample, or random signals.
    split
        The part of the data set; test by default.
    neurons
        The number of neurons of the random network, in two layers; 100 by default.
    steps
        The number of steps per presentation of the random network; 200 by default.
    examples
        The number of presentations, of the first examples in the data.
    seed
        The seed of weights and input.
    perturb
        Always compare Brian2 with itself, perturbed; by default only if too few spikes agree.
    neuron
        The neuron model of the network of a synapse model; lif by default.
    json
        Print one JSON object: of the first target that failed, or else of the last one tried.
    """
    from bioae.cli.compared import summary, to_try
    from bioae.cli.tables import print_wrapped
    from bioae.extras import need_torch
    from bioae.networks.trained.loading import kind_of

    need_torch("bioae parity")
    tried = to_try(target)
    options: dict[str, Any] = {"examples": examples, "seed": seed, "perturb": perturb}
    reports: Sequence[Parity]
    kind = kind_of(model)
    if kind == "network":
        check_effect(f"{model} is a trained network", neurons=neurons, steps=steps, neuron=neuron)
        reports = _of_network(model, tried.targets, data, split, **options)
    else:
        check_effect(f"{model} receives random input", data=data, split=split)
        options |= {"neurons": neurons or 100, "steps": steps or 200}
        if kind == "synapse":
            reports = _of_synapse(model, tried.targets, neuron, **options)
        else:
            check_effect(f"{model} is a neuron model", neuron=neuron)
            reports = _of_model(model, tried.targets, **options)
    if json:
        print(json_format.dumps(summary(reports), allow_nan=False))
    else:
        for report in reports:
            _print(report)
        print_wrapped(str(tried), indent=2)
    return 0 if all(report.passed for report in reports) else 1


def _of_network(
    model: str,
    targets: Sequence[Target],
    data: str | None,
    split: Split | None,
    *,
    examples: int,
    seed: int,
    perturb: bool,
) -> list[Parity]:
    from bioae.networks.trained import load
    from bioae.trainers.parity import compare

    network = load(model).network
    shown = _shown_to(network.config, data, split, examples=examples, seed=seed)
    return [
        compare(network, shown, target=target, name=model, seed=seed, perturb=perturb)
        for target in targets
    ]


def _of_model(model: str, targets: Sequence[Target], **options: Any) -> list[Parity]:
    from bioae.equations import load_neuron
    from bioae.trainers.parity import model_parities

    return model_parities(load_neuron(model), targets, **options)


def _of_synapse(
    model: str, targets: Sequence[Target], neuron: str | None, *, perturb: bool, **options: Any
) -> Sequence[Parity]:
    from bioae.equations import load_neuron, load_synapse
    from bioae.trainers.parity.rules import rule_parities

    check_effect(f"{model} is a synapse model, which is not perturbed", perturb=perturb)
    neuron_model = load_neuron(neuron or "lif")
    return rule_parities(load_synapse(model), targets, neuron=neuron_model, **options)


def _shown_to(
    config: NetworkConfig, data: str | None, split: Split | None, *, examples: int, seed: int
) -> Data:
    """Return examples; by default digits, or for a network of signals random ones."""
    from bioae.trainers.parity.networks import random_signals

    if data is None and config.in_time:
        check_effect("without --data the input is random signals", split=split)
        return random_signals(config, examples, seed)
    # Without labels and targets, which need not be those of the network's task.
    shown = presented(config, data, split=split or "test", limit=examples, check_targets=False)
    return replace(shown, labels=None, targets=None)


def _print(report: Parity) -> None:
    from bioae.cli.tables import print_wrapped

    print_wrapped(f"{report.model}: mirror compared with Brian2 ({report.target}), float64")
    for line in _lines(report):
        print_wrapped(line, start="  ", indent=4)


def _lines(report: Parity) -> Iterator[str]:
    from bioae.trainers.parity import RuleParity

    if isinstance(report, RuleParity):
        yield from _lines_of_rule(report)
        return
    activity = "change; it never fires, so states are compared" if report.silent else "fire"
    yield (
        f"{report.spikes:,} spikes of {report.neurons:,} neurons in {report.examples} "
        f"presentations of {report.steps} steps; "
        f"{report.active_fraction:.0%} of the neurons {activity}"
    )
    yield f"differing (neuron, step) pairs: {report.differing}"
    yield f"fraction of spikes that agree: {report.spike_agreement:.6g}"
    yield f"agreement step by step: {report.one_step:.6g}, {report.excused} within rounding"
    if report.excused > report.explained:
        yield f"more than the {report.explained} within rounding that chance explains"
    yield f"largest difference of a state: {report.max_state_error:.3g} (base units)"
    if report.self_agreement is not None:
        kind = "chaotic" if report.chaotic else "not chaotic"
        yield f"Brian2 with itself, perturbed: {report.self_agreement:.6g}, {kind}"
    yield f"required: {_requirement(report)}; {'passed' if report.passed else 'FAILED'}"


def _lines_of_rule(report: RuleParity) -> Iterator[str]:
    yield (
        f"{report.spikes:,} spikes of {report.neurons:,} neurons ({report.neuron}) in "
        f"{report.examples} presentations of {report.steps} steps; {report.active_fraction:.0%} of "
        f"the neurons fire, {report.changed:.0%} of {report.weights:,} learned numbers change"
    )
    yield f"differing (neuron, step) pairs: {report.differing}"
    yield f"differing weights, summed over presentations: {report.differing_weights}"
    yield f"largest difference of a weight: {report.max_state_error:.3g}"
    if report.exchanged is not None:
        yield f"exchanged connections: {report.exchanged:,}"
    if not report.spikes:
        yield "no spikes: nothing was compared"
    elif not report.changed:
        yield "no weight changed: no learning was compared"
    required = (
        "exact" if report.exact else "equal in each presentation, up to rounding in libraries"
    )
    yield f"required: {required}; {'passed' if report.passed else 'FAILED'}"


def _requirement(report: Parity) -> str:
    if report.exact:
        return "exact"
    if report.chaotic:
        return "equal step by step, up to rounding in libraries"
    return "equal step by step, up to rounding in libraries, and 0.999 of the spikes"
