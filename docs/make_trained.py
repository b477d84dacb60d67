"""Describe the trained networks that come with bioae, and store a run as one of them.

python docs/make_trained.py                                write the tables of the page again
python docs/make_trained.py RUN NAME [options]             store RUN as NAME first

RUN is the folder of a finished `bioae train`. A new name needs --title and --limit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import marked
from shipping import Words, ship

from bioae.errors import BioaeError
from bioae.networks.artefact import load
from bioae.networks.trained import available, card
from bioae.networks.trained.cards import CARD, FOLDER
from bioae.networks.trained.describing import facts, layer_table, network_table, parameter_facts
from bioae.showing import markdown_table

PAGE = Path(__file__).with_name("trained-networks.md")


def filled(page: str) -> str:
    """Return the page with its tables made again."""
    parts = "\n\n".join([_markdown(network_table()), *map(_section, available())])
    return marked.filled(page, lambda _: parts)


def _section(name: str) -> str:
    known, network = card(name), load(FOLDER / name).network
    rows = [(name, known.title), *(facts(known) | parameter_facts(network)).items()]
    layers = layer_table(network.config, known)
    return f"### {name}\n\n{_markdown(rows)}\n\n{_markdown(layers)}"


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    return markdown_table(head, body)


def main(*words: str) -> None:
    """Store a run if one is named, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?", help="the folder of a finished training run")
    parser.add_argument("name", nargs="?", help="the name of the network")
    parser.add_argument("--title", help="the network in a few words")
    parser.add_argument("--limit", action="append", help="a sentence on a limit; may be repeated")
    parser.add_argument("--licence", help="the licence of the network")
    parser.add_argument("--seeds", type=Path, nargs="+", default=(), help="runs with other seeds")
    options = parser.parse_args(words)
    if options.run is not None:
        if options.name is None:
            parser.error("a run needs a name")
        try:
            ship(options.run, options.name, _words(options, parser), seeds=options.seeds)
        except BioaeError as error:
            parser.error(str(error))
    marked.write(PAGE, filled(PAGE.read_text(encoding="utf-8")))


def _words(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Words:
    """Return the words of the options; the others are those of the network that is replaced."""
    limits = tuple(options.limit) if options.limit else None
    words = {"title": options.title, "limits": limits, "licence": options.licence}
    words = {key: value for key, value in words.items() if value is not None}
    path = FOLDER / options.name / CARD
    if path.exists():
        words = vars(Words.of(path)) | words
    elif not {"title", "limits"} <= words.keys():
        parser.error("a new network needs --title and --limit")
    return Words(**words)


if __name__ == "__main__":
    main(*sys.argv[1:])
