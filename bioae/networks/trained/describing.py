"""Descriptions of shipped networks for readers: the list, the facts of a card, the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioae.networks.trained.cards import CARD, CONFIG, FOLDER, Card, available, card

if TYPE_CHECKING:
    from bioae.networks.config import NetworkConfig
    from bioae.networks.network import Network

#: The headings of columns of numbers, in both tables.
NUMBERS = frozenset({"latent", "rate/step", "size", "dead", "bursting"})

#: Short names of scores, for 80 columns.
_SCORES = {
    "sum_squared_error": "error",
    "mean_squared_error": "m.s. error",
    "mean_absolute_error": "m.a. error",
}


def network_table() -> list[tuple[str, ...]]:
    """Return the table of all shipped networks as text, its headings first."""
    rows: list[tuple[str, ...]] = [("name", "data", "task", "latent", "test", "rate/step", "size")]
    for name in available():
        each = card(name)
        score = _SCORES.get(each.test.score, each.test.score)
        latent, rate = each.network.latent_neurons, each.rate_per_step_mean
        rows.append(
            (
                name,
                each.data.name,
                each.network.task,
                "–" if latent is None else str(latent),
                f"{score} {each.test.value:.3g}",
                "–" if rate is None else f"{rate:.3f}",
                f"{size_of(name) / 1e3:.0f} kB",
            )
        )
    return rows


def size_of(name: str) -> int:
    """Return the bytes of the artefact of a shipped network."""
    files = (path for path in (FOLDER / name).iterdir() if path.name not in {CARD, CONFIG})
    return sum(path.stat().st_size for path in files)


def facts(each: Card) -> dict[str, str]:
    """Return the contents of a card as sentences, by heading."""
    size, training, test = each.network, each.training, each.test
    run = f"{training.presentations:,} presentations in {training.epochs} epoch"
    if training.epochs > 1:
        run += f"s, of which validation selected epoch {training.epoch}"
    seeds = "one seed"
    if test.spread is not None:
        seeds = f"standard deviation over {test.seeds} seeds: {test.spread:.2g}"
    score = test.score.replace("_", " ")
    score += " per image" if test.score == "sum_squared_error" else ""
    latent = "" if size.latent is None else f" ({size.latent_neurons} latent)"
    lines = {
        "data": f"{each.data.name}: {each.data.source}; {each.data.licence}",
        "network": f"{size.task}, {size.neurons:,} neurons{latent}, {size.parameters:,} parameters",
        "training": f"{run}, seed {training.seed}; repeated by {training.command} in its folder",
        "test split": f"{score} {test.value:.4g}, {test.examples:,} images, in PyTorch; {seeds}",
    }
    if each.sample is not None:
        lines["embedded digits"] = (
            f"{score} {each.sample.value:.4g} ± {each.sample.standard_error:.2g} (standard error "
            f"over {each.sample.examples} test digits), in Brian2 ({each.sample.target}); "
            f"{each.sample.differing} of {each.sample.spikes:,} spikes differ from PyTorch's"
        )
    return lines | {"limits": " ".join(each.limits), "licence": each.licence}


def parameter_facts(network: Network) -> dict[str, str]:
    """Return the parameters of neurons that a network does not take from models' files.

    They are text under a heading, as in `facts`; without any there is no heading.
    """
    from bioae.networks.own_parameters import own_texts

    own = {each.name: own_texts(each, network.weights) for each in network.config.placed}
    text = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in own.items() if texts)
    return {"parameters": text} if text else {}


def layer_table(config: NetworkConfig, each: Card) -> list[tuple[str, ...]]:
    """Return the layers and their firing on the test split as text, the headings first."""
    rows: list[tuple[str, ...]] = [
        ("layer", "kind", "shape", "neuron", "rate/step", "dead", "bursting"),
    ]
    for placed in config.placed:
        firing = each.test.layers.get(placed.name)
        numbers = ("–",) * 3
        if firing is not None:
            numbers = (
                f"{firing.rate_per_step_mean:.3f}",
                f"{firing.dead_fraction:.1%}",
                f"{firing.bursting_fraction:.1%}",
            )
        shape = "x".join(map(str, placed.shape))
        rows.append((placed.name, placed.kind, shape, placed.model.name, *numbers))
    return rows
