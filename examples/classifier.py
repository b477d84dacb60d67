"""Train a spiking classifier of digits, run it in Brian2, and print its accuracy.

    python examples/classifier.py

Everything runs on the embedded digits, in less than a minute. docs/tasks.md explains tasks.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr

import bioae
from bioae import analysis


def main(out: str = "classifier") -> xr.DataTree:
    config = Path(__file__).with_name("train_classifier.toml")
    trained = bioae.train(config, out=out, overwrite=True)
    digits = bioae.datasets.load("sample", "test")  # held out
    result = bioae.simulate(trained.network, digits, "numpy")

    found = analysis.accuracy(result)
    fraction, low, high = (float(found[name]) for name in ("accuracy", "low", "high"))
    print(f"accuracy in Brian2: {fraction:.3f}, 95 % interval {low:.3f} to {high:.3f}")
    print(analysis.confusion_matrix(result)["count"].to_pandas())  # (true, predicted)
    print(analysis.rates_by_class(result, "output").to_pandas().round())  # (class, neuron) in Hz
    return result


if __name__ == "__main__":
    main()
