"""``bioae parity``: compare the PyTorch mirror with Brian2, spike for spike."""

from __future__ import annotations

import json as json_format
from typing import Annotated, Any

from bioae.cli.options import Positive, Seed, Split, check_effect, whole
from bioae.simulation.backend import Target

#: The presentations that are compared by default.
_EXAMPLES = 4


def parity(
    model: str,
    /,
    *,
    target: Target | None = None,
    data: str | None = None,
    split: Split | None = None,
    neurons: Annotated[int, whole(2, 10**5)] | None = None,
    steps: Annotated[int, whole(2, 10**6)] | None = None,
    examples: Positive | None = None,
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
        The number of neurons of the random network, in two layers; 100 by default, 40 of a synapse
        model.
    steps
        The number of steps per presentation of the random network; 200 by default, 50 of a synapse
        model.
    examples
        The number of presentations, of the first examples in the data; 4 by default.
    seed
        The seed of weights and input.
    perturb
        Always compare Brian2 with itself, perturbed; by default only if too few spikes agree.
    neuron
        The neuron model of the network of a synapse model; lif by default.
    json
        Print one JSON object: of the first target that failed, or else of the last one tried.
    """
    from bioae.api import kind_of
    from bioae.api import parity as compared
    from bioae.cli.compared import summary, to_try
    from bioae.cli.presented import presented
    from bioae.cli.tables import print_wrapped
    from bioae.networks.artefact import network_of

    kind = kind_of(model)
    options: dict[str, Any] = {"seed": seed, "perturb": perturb}
    if kind == "network":
        check_effect(f"{model} is a trained network", neurons=neurons, steps=steps, neuron=neuron)
        options |= {"data": data}
        if split is not None:
            options["split"] = split
        if examples is not None:
            options["limit"] = examples
        elif data is not None:  # the first ones of perhaps fewer
            of_split = {} if split is None else {"split": options.pop("split")}
            options["data"] = presented(network_of(model).config, data, **of_split)[:_EXAMPLES]
    else:
        check_effect(f"{model} receives random input", data=data, split=split)
        options["examples"] = _EXAMPLES if examples is None else examples
        options |= {"neurons": neurons} if neurons else {}
        options |= {"steps": steps} if steps else {}
    if kind == "synapse":
        check_effect(f"{model} is a synapse model, which is not perturbed", perturb=perturb)
        options["neuron"] = neuron
    elif kind == "neuron":
        check_effect(f"{model} is a neuron model", neuron=neuron)
    tried = to_try(target)
    reports = [compared(model, target=each, **options) for each in tried.targets]
    if json:
        print(json_format.dumps(summary(reports), allow_nan=False))
    else:
        for report in reports:
            print(report)
        print_wrapped(str(tried), indent=2)
    return 0 if all(report.passed for report in reports) else 1
