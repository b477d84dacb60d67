"""Brian2's example CUBA, its mean rate trained to 10 Hz by truncated gradients.

``python -m benchmarks.trained_rate`` hands the 4,000 neurons of the script over, trains the weights
of its excitatory and inhibitory synapses over a run of 1 s, and runs the trained network in C++. It
also compares the gradient along the strength of all excitatory or inhibitory weights with
differences of rates. It writes ``docs/results/trained_rate.json`` and the table of the page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import brian2 as b2
import numpy as np
import torch

from benchmarks.scripts import script
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import from_brian2, simulate, train
from bioae.exchange.brian2.objects import Converted
from bioae.files import write_text
from bioae.networks import Network
from bioae.trainers import Backward, LayerOptions, NetworkMirror, derivative

_COMMAND = "python -m benchmarks.trained_rate"
_TARGET, _WINDOW, _SECONDS = 10.0, 500, 1.0
_DERIVATIVE: dict[str, Any] = {"name": "fast_sigmoid", "slope": 100.0}
_TRAINING = {
    "rates": {"neurons": f"{_TARGET:g}*Hz"}, "derivative": _DERIVATIVE, "truncate": _WINDOW,
    "epochs": 20, "learning_rate": 0.02, "schedule": {"name": "cosine", "final": 0.05},
    "grid_bits": 20, "dtype": "float64", "threads": 1,
}  # fmt: skip
_WEIGHTS = {"excitatory": "neurons.to_ge", "inhibitory": "neurons.to_gi"}
_RELATIVE = 0.1


def main() -> None:
    """Train the network, and write the result."""
    options = parser(_COMMAND, __doc__).parse_args()
    stored = Stored(DOCS_RESULTS / "trained_rate.json", _COMMAND)
    b2.prefs.codegen.target = "numpy"
    for key in stored.pending([{"script": "CUBA"}], resume=options.resume):
        converted = from_brian2(script("CUBA")[0], duration=_SECONDS * b2.second)
        stored.add({**key, **measured(converted), **slopes(converted.network)})
        write_text(DOCS_RESULTS / "trained_rate-table.inc", table(stored.rows[-1]), overwrite=True)


def measured(converted: Converted) -> dict[str, Any]:
    """Return the rates and weights before and after training, its time, and differing spikes."""
    before, started = converted.network, time.process_time()
    settings = {"training": _TRAINING}
    trained = train(before, converted.data, settings=settings, progress=False)
    seconds = time.process_time() - started
    fired = [_spikes(trained.network, converted, target) for target in ("torch", "cpp_standalone")]
    first = _spikes(before, converted, "cpp_standalone")
    per_hz = before.config.placed[0].size * _SECONDS
    row: dict[str, Any] = {
        "epochs": len(trained.records), "processor_seconds": round(seconds, 1),
        "spikes": len(fired[1]), "differing": len(fired[0] ^ fired[1]),
        "rates": [round(len(each) / per_hz, 3) for each in (first, fired[1])],
        "course": [each["validation_mean_absolute_error"] for each in trained.records],
    }  # fmt: skip
    for kind, name in _WEIGHTS.items():
        after = trained.network.weights[name]
        sign = np.sign(before.weights[name][0])
        row[f"{kind}_kept_sign"] = bool((sign * after >= 0).all())
        row[f"{kind}_ratio"] = round(float(after.mean() / before.weights[name].mean()), 4)
    return row


def _spikes(network: Network, converted: Converted, target: Any) -> set[tuple[int, int]]:
    """Return the step and the neuron of each spike."""
    found = simulate(network, converted.data, target, progress=False)["/layers/neurons"]
    steps = np.rint(found.spike_time_ms.to_numpy() / 0.1).astype(int)
    return {*zip(steps.tolist(), found.spike_neuron.to_numpy().tolist(), strict=True)}


def slopes(network: Network) -> dict[str, Any]:
    """Return the change of the rate (Hz) with the relative strength of weights, in two ways."""
    rule = {k: each for k, each in _DERIVATIVE.items() if k != "name"}
    backward = Backward(derivative(_DERIVATIVE["name"], **rule), truncate=_WINDOW)
    mirror = NetworkMirror(network, LayerOptions(backward), compile="auto")
    _rate(mirror).backward()  # type: ignore[no-untyped-call]
    found = {}
    for kind, name in _WEIGHTS.items():
        weight = mirror.weights[name]
        assert weight.grad is not None
        gradient = float((weight.grad * weight).detach().sum())
        rates = []
        for factor in (1 + _RELATIVE, 1 - _RELATIVE):
            with torch.no_grad():
                changed = network.with_weights({name: factor * network.weights[name]})
                rates.append(float(_rate(NetworkMirror(changed, compile="auto"))))
        found[kind] = [round(each, 2) for each in (gradient, (rates[0] - rates[1]) / 2 / _RELATIVE)]
    return {"slopes": found}


def _rate(mirror: NetworkMirror) -> torch.Tensor:
    config = mirror.config
    activity = mirror(torch.zeros(config.steps, 1, *config.encoded_shape))
    rate: torch.Tensor = activity.layers["neurons"].counts.mean() / _SECONDS
    return rate


def table(row: Mapping[str, Any]) -> str:
    """Return the table of the page."""
    before, after = row["rates"]
    ratios = {each: row[f"{each}_ratio"] for each in _WEIGHTS}
    lines = [
        "| | before | after |", "| --- | ---: | ---: |",
        f"| mean rate in C++, Hz | {before:.2f} | {after:.2f} |",
        *(f"| mean {each} weight, relative | 1 | {ratio:.2f} |" for each, ratio in ratios.items()),
        *(f"| {each} weights have one sign | yes | {'yes' if row[f'{each}_kept_sign'] else 'no'} |"
          for each in _WEIGHTS),
    ]  # fmt: skip
    notes = (
        f"{row['epochs']} updates took {row['processor_seconds']:.0f} s of processor time, in one "
        f"thread. {row['differing']} of {row['spikes']:,} spikes of the trained network differ "
        "between PyTorch and C++."
    )
    pairs = " and ".join(
        f"{gradient:.1f} for {kind} weights (differences of rates: {difference:.1f})"
        for kind, (gradient, difference) in row["slopes"].items()
    )
    end = f"Before training, the gradient per relative change of all weights is {pairs}, in Hz."
    return "\n".join([*lines, "", f"{notes} {end}"]) + "\n"


if __name__ == "__main__":
    main()
