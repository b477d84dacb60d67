"""``bioae export-script``: a plain Brian2 script of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bioae.cli.options import Positive, Seed, Sizes, Split

if TYPE_CHECKING:
    from bioae.datasets import DataOptions


def export_script(
    model: str,
    /,
    *,
    out: Path,
    data: str | None = None,
    split: Split = "test",
    limit: Positive | None = None,
    examples: Sizes = (),
    seed: Seed = 0,
    overwrite: bool = False,
) -> None:
    """Write a trained network as a plain Brian2 script, with its weights.

    It runs without bioae, and prints how many of its spikes differ from those of bioae.

    Parameters
    ----------
    model
        The trained network: a folder, a .zip file, or a name from bioae networks list.
    out
        The folder of the script and of its arrays.
    data
        The data that it presents: sample, the default, mnist, fashion-mnist, or a path.
    split
        The part of the data set.
    limit
        The number of examples, starting with the first; 4 by default.
    examples
        The positions of the examples in the data set, such as 3,17.
    seed
        The seed of random input and noise, which are recorded.
    overwrite
        Replace an earlier script.
    """
    from bioae.api import to_script
    from bioae.cli.presented import DEFAULT_DATA, check_default
    from bioae.networks.artefact import load

    network = load(model).network
    if data is None:
        check_default(network.config)
    options: DataOptions = {"split": split, "limit": limit, "examples": examples or None}
    print(to_script(network, out, data or DEFAULT_DATA, seed=seed, overwrite=overwrite, **options))
