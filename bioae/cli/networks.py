"""``bioae networks``: list the trained networks that come with bioae, and show one."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator, Sequence
from textwrap import fill

from bioae.cli.options import Json

_WIDTH = 80


def list_networks(*, json: Json = False) -> None:
    """List the trained networks that come with bioae.

    The column test has the error (squared, summed over an image) or the accuracy on the test split,
    rate/step the spikes per neuron and step of the latent layer.
    """
    from bioae.networks.trained import available, card
    from bioae.networks.trained.describing import network_table, size_of

    if json:
        entries = [
            {"name": name, "bytes": size_of(name), **card(name).model_dump(exclude_none=True)}
            for name in available()
        ]
        print(json_format.dumps(entries))
        return
    for line in _aligned(network_table()):
        print(line)


def show_networks(name: str, /, *, json: Json = False) -> None:
    """Show a trained network's card, its layers, and its folder.

    Parameters
    ----------
    name
        A name from bioae networks list.
    """
    from bioae.networks.artefact import load
    from bioae.networks.trained import card
    from bioae.networks.trained.cards import FOLDER
    from bioae.networks.trained.describing import facts, layer_table, parameter_facts

    known = card(name)
    folder = FOLDER / name
    if json:
        print(
            json_format.dumps(
                {"name": name, **known.model_dump(exclude_none=True), "path": str(folder)}
            )
        )
        return
    print(f"{name}: {known.title}")
    network = load(folder).network
    for heading, text in (facts(known) | parameter_facts(network)).items():
        lines = fill(text, _WIDTH, initial_indent=f"{heading:17}", subsequent_indent=" " * 17)
        print(lines)
    print()
    for line in _aligned(layer_table(network.config, known)):
        print(line)
    print()
    print(folder)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: words to the left, and to the right the columns of numbers."""
    from bioae.networks.trained.describing import NUMBERS

    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [">" if heading in NUMBERS else "<" for heading in rows[0]]
    for row in rows:
        cells = zip(row, sides, widths, strict=True)
        yield "  ".join(f"{cell:{side}{width}}" for cell, side, width in cells).rstrip()
