"""NK landscapes against a brute-force loop and closed forms."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.synthetic import NEIGHBOURHOODS, NKLandscape, nk_landscape
from experiments.synthetic.nk import Neighbourhood

SHAPES = [(1, 0), (6, 0), (6, 2), (6, 5), (8, 3)]


@cache
def genotypes(loci: int) -> NDArray[np.int64]:
    """Return all genotypes, in the order of the binary numbers whose lowest digit comes first."""
    return np.arange(2**loci)[:, None] >> np.arange(loci) & 1


def mutants(loci: int) -> NDArray[np.int64]:
    """Return the places of the genotypes that differ in one locus, (genotype, locus)."""
    return np.arange(2**loci)[:, None] ^ (1 << np.arange(loci))


def by_loops(landscape: NKLandscape, genotype: tuple[int, ...]) -> float:
    total = 0.0
    for locus, table in enumerate(landscape.tables):
        index = 0
        for place, other in enumerate(landscape.neighbours[locus]):
            index += genotype[other] * 2**place
        total += table[index]
    return total / len(genotype)


@pytest.mark.parametrize("neighbourhood", NEIGHBOURHOODS)
@pytest.mark.parametrize(("loci", "epistasis"), SHAPES)
def test_fitness_is_that_of_a_loop(loci: int, epistasis: int, neighbourhood: Neighbourhood) -> None:
    landscape = nk_landscape(loci, epistasis, seed=3, neighbourhood=neighbourhood)
    every = list(itertools.product((0, 1), repeat=loci))
    expected = [by_loops(landscape, genotype) for genotype in every]
    np.testing.assert_allclose(landscape.fitness(every), expected, rtol=1e-14)
    assert len(set(expected)) == 2**loci


@pytest.mark.medium
@pytest.mark.parametrize("neighbourhood", NEIGHBOURHOODS)
@pytest.mark.parametrize("epistasis", [0, 2, 5, 7])
def test_moments_and_the_correlation_of_mutants(
    epistasis: int, neighbourhood: Neighbourhood
) -> None:
    """Weinberger (1990): correlation 1 - (K + 1)/N, mean 1/2 and variance 1/(12 N)."""
    loci, landscapes = 8, 1500
    drawn = (
        nk_landscape(loci, epistasis, seed=seed, neighbourhood=neighbourhood)
        for seed in range(landscapes)
    )
    fitness = np.stack([each.fitness(genotypes(loci)) for each in drawn])
    variance = 1 / (12 * loci)
    assert fitness.mean() == pytest.approx(0.5, abs=4 * np.sqrt(variance / landscapes))
    assert np.mean((fitness - 0.5) ** 2) == pytest.approx(variance, rel=0.1)
    products = (fitness[:, :, None] - 0.5) * (fitness[:, mutants(loci)] - 0.5)
    assert products.mean() / variance == pytest.approx(1 - (epistasis + 1) / loci, abs=0.05)


def test_a_sample_has_different_genotypes_and_their_fitness() -> None:
    landscape = nk_landscape(6, 2, seed=2)
    assert repr(landscape) == "NKLandscape(N=6, K=2, seed=2)"
    drawn = landscape.sample(64)
    assert drawn.name == "nk-6-2-2"
    assert drawn.as_float().shape == (64, 1, 6)
    alleles = (drawn.as_float()[:, 0] + 1) / 2
    assert len(np.unique(alleles, axis=0)) == 64
    assert drawn.targets is not None
    np.testing.assert_array_equal(drawn.targets[:, 0], landscape.fitness(alleles))
    share = nk_landscape(20, 2, seed=2).sample(5000).as_float().mean(axis=(0, 1))
    assert np.abs(share).max() < 4 / np.sqrt(5000)  # both alleles are equally frequent
