"""Networks at a prompt and in a notebook."""

from __future__ import annotations

from typing import Any

import pytest

import bioae
from bioae.networks.trained import card
from bioae.showing import Shown, Summary


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    trained = bioae.load("sae-mnist")
    network = trained.network
    return {
        "Trained on mnist; test_sum_squared_error ": trained,
        "Network: reconstruction, ": network,
        "NetworkConfig: reconstruction, ": network.config,
        "BrianNetwork: 2 presentations in one run": bioae.build(network, presentations=2),
    }


def test_texts_fit_a_prompt(shown: dict[str, Any]) -> None:
    for start, each in shown.items():
        heading, *lines = repr(each).splitlines()
        assert heading.startswith(start)
        assert str(each) == repr(each)
        assert 6 < len(lines) < 30
        assert max(map(len, lines)) <= 80
        assert any("latent" in line for line in lines)


def test_models_cards_and_parities_are_tables() -> None:
    each = {
        "NeuronModel lif: Leaky integrate-and-fire": (bioae.load_neuron("lif"), "parameters.tau"),
        "Card: ": (card("sae-mnist"), "network.latent_neurons"),
        "Parity of lif on numpy: passed": (
            bioae.parity("lif", neurons=10, steps=30, examples=1), "spike_agreement",
        ),
    }  # fmt: skip
    for start, (shown, key) in each.items():
        heading, *lines = repr(shown).splitlines()
        assert heading.startswith(start)
        assert any(line.split()[0] == key for line in lines if line.strip())
        assert max(map(len, lines)) <= 120  # the names of a card are long
        assert f">{key}<" in shown._repr_html_()


def test_objects_of_brian2_stay_short() -> None:
    built = bioae.build("sae-mnist")
    for each in (built.input, *built.populations.values(), *built.synapses.values()):
        assert len(repr(each)) < 500


def test_tables_of_notebooks_have_the_same_cells(shown: dict[str, Any]) -> None:
    for each in shown.values():
        assert len(each._repr_html_().split("<tr>")[1:]) == len(repr(each).splitlines()) - 1
        assert "decoder1" in each._repr_html_()


def test_names_are_escaped() -> None:
    class Odd(Shown):
        def _summary(self) -> Summary:
            return Summary("a < b", [("<i>",), ("x & y",)])

    assert Odd()._repr_html_().count("&lt;") == 2
    assert "x &amp; y" in Odd()._repr_html_()
    assert repr(Odd()).splitlines() == ["a < b", "  <i>", "  x & y"]
