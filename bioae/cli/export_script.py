"""``bioae export-script``: a plain Brian2 script of a trained network."""

from __future__ import annotations

from pathlib import Path

from bioae.cli.options import Positive, Seed


def export_script(
    model: str,
    /,
    *,
    out: Path,
    data: str | None = None,
    limit: Positive | None = None,
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
    limit
        The number of examples, starting with the first; 4 by default.
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
    shown = data or DEFAULT_DATA
    print(to_script(network, out, shown, seed=seed, overwrite=overwrite, limit=limit))
