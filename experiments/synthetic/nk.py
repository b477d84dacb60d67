"""NK landscapes (Kauffman & Levin 1987): functions of binary genotypes of adjustable ruggedness.

The fitness of a genotype of N loci is the mean of the contributions of its loci. The contribution
of a locus depends on its own allele and on those of K other loci, drawn at random: it is looked up
in a table of 2^(K+1) numbers, drawn uniformly from [0, 1). The landscape is additive at K = 0, and
fitnesses of different genotypes are independent at K = N - 1. Over landscapes, fitness has the mean
1/2 and the variance 1/(12 N), and its correlation between genotypes that differ in one locus is 1 -
(K + 1)/N (Weinberger 1990).

S. Kauffman, S. Levin, "Towards a general theory of adaptive walks on rugged landscapes", Journal of
Theoretical Biology 128 (1987). E. Weinberger, "Correlated and uncorrelated fitness landscapes and
how to tell the difference", Biological Cybernetics 63 (1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.data import Data
from bioae.random import stream

#: Streams of random numbers, far from those of a network's weights, which are small numbers.
_TABLES, _NEIGHBOURS, _GENOTYPES = range(2**41, 2**41 + 3)


@dataclass(frozen=True, eq=False)
class NKLandscape:
    """A landscape; make it with `nk_landscape`.

    `neighbours`: the loci on which the contribution of each locus depends, shape ``(locus, K +
        1)``; the first is the locus itself.
    `tables`: the contributions by the alleles of these loci, shape ``(locus, 2^(K+1))``. The index
        is a binary number whose lowest digit is the allele of the locus itself.
    """

    neighbours: NDArray[np.int64]
    tables: NDArray[np.float64]
    seed: int

    @property
    def loci(self) -> int:
        """The number of loci, N."""
        return len(self.neighbours)

    @property
    def epistasis(self) -> int:
        """The number of other loci on which a contribution depends, K."""
        return int(self.neighbours.shape[1]) - 1

    def fitness(self, genotypes: ArrayLike) -> NDArray[np.float64]:
        """Return the mean of the contributions of the loci, shape ``(genotype,)``.

        `genotypes`: alleles 0 and 1, shape ``(genotype, locus)``.
        """
        digits = np.asarray(genotypes, np.int64)[:, self.neighbours]
        index = digits @ (1 << np.arange(self.epistasis + 1))
        means: NDArray[np.float64] = self.tables[np.arange(self.loci), index].mean(axis=1)
        return means

    def sample(self, count: int) -> Data:
        """Draw different genotypes uniformly, as signals with one point in time.

        Their channels are the loci, -1 for the allele 0 and 1 for the allele 1; their targets are
        the fitnesses, shape ``(example, 1)``. Parts of one sample have no genotype in common.

        `count`: the number of genotypes, at most 2^N.
        """
        generator = stream(self.seed, _GENOTYPES)
        numbers = generator.choice(2**self.loci, count, replace=False)
        alleles = numbers[:, None] >> np.arange(self.loci) & 1
        return Data.of_signals(
            2.0 * alleles[:, None, :] - 1,
            targets=self.fitness(alleles)[:, None],
            name=f"nk-{self.loci}-{self.epistasis}-{self.seed}",
        )


def nk_landscape(loci: int, epistasis: int, *, seed: int) -> NKLandscape:
    """Draw a landscape.

    `loci`: the number of loci, N: 1 to 62.
    `epistasis`: the number of other loci on which the contribution of a locus depends, K: less than
        N, and at most 20. They are drawn for each locus, uniformly and without repetition.
    """
    steps = np.tile(np.arange(1, loci), (loci, 1))
    steps = stream(seed, _NEIGHBOURS).permuted(steps, axis=1)
    steps = np.hstack([np.zeros((loci, 1), np.int64), steps[:, :epistasis]])
    neighbours = (np.arange(loci)[:, None] + steps) % loci
    tables = stream(seed, _TABLES).random((loci, 2 ** (epistasis + 1)))
    return NKLandscape(neighbours, tables, seed)
