"""Images that an auto-encoder's decoder generates, and their distance from real ones.

A density is fitted to the latent spike counts of training images ("ex-post density estimation",
Ghosh et al. 2020, arXiv:1903.12436). Counts that are drawn from it become evenly spaced spikes, the
decoder's input. Distances of images are those of 100 principal components of training images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.autoencoders.codes import cut, decoded, evenly_spaced, latent_trains
from experiments.runner.experiment import Column
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from bioae.datasets import Data
    from bioae.networks.network import Network

Numbers = NDArray[np.floating[Any]]

#: Sets of images that are compared with test images, and what they are.
SETS = {
    "mixture": "generated, counts from a mixture of Gaussians",
    "neurons": "generated, counts of each neuron from another training image",
    "reconstructed": "reconstructions of test images",
    "training": "training images",
    "pixels": "each pixel from another training image",
    "components": "Gaussian with the variances of 100 principal components",
}

GENERATION = {
    f"{measure}_{name}": Column(f"{text}: {what}")
    for measure, text in (("frechet", "Fréchet distance"), ("coverage", "coverage"))
    for name, what in SETS.items()
} | {"even_ratio": Column("error with latent spikes at even distances, by that as fired")}

#: The number of principal components.
COMPONENTS = 100


def generation(trial: Trial, network: Network, train: Data, test: Data) -> dict[str, float]:
    """Return the numbers of `GENERATION`, and draw generated digits into the trial's folder."""
    from PIL import Image

    encoder, decoder, _ = cut(network)
    rng, number, steps = np.random.default_rng(trial.seed), len(test), network.config.steps
    known, real = (each.as_float().reshape(len(each), -1) for each in (train, test))
    counts = _drawn(latent_trains(encoder, train).sum(-1).astype(float), number, rng)
    trains = {name: np.arange(steps) < each.round()[..., None] for name, each in counts.items()}
    fired = trains["reconstructed"] = latent_trains(encoder, test)
    shown = {k: decoded(decoder, evenly_spaced(each)).clip(0, 1) for k, each in trains.items()}
    centre = known.mean(0)
    axes = np.linalg.svd(known - centre, full_matrices=False)[2][:COMPONENTS].T
    deviations = ((known - centre) @ axes).std(0)  # components are uncorrelated
    sets = shown | {
        "training": known[:number],
        "pixels": rng.permuted(known, axis=0)[:number],
        "components": centre + rng.normal(size=(number, COMPONENTS)) * deviations @ axes.T,
    }
    rows = [each[:16].reshape(-1, *test.shape[-2:]) for each in (real, *shown.values())]
    picture = (255 * np.vstack([np.hstack([*each]) for each in rows])).round().astype(np.uint8)
    Image.fromarray(picture).save(trial.folder / "generated.png")
    both = shown["reconstructed"], decoded(decoder, fired)
    even, own = (float(((each - real) ** 2).sum()) for each in both)
    numbers = {"even_ratio": even / own}
    for name, each in sets.items():
        found = compared((each - centre) @ axes, (real - centre) @ axes)
        numbers |= {f"{key}_{name}": value for key, value in found.items()}
    return numbers


def _drawn(codes: Numbers, number: int, rng: np.random.Generator) -> dict[str, Numbers]:
    """Return counts (example, neuron) from each density that is fitted to `codes`."""
    from sklearn.mixture import GaussianMixture

    spread = codes + rng.uniform(-0.5, 0.5, codes.shape)  # whole numbers have no density
    seed, components = int(rng.integers(2**31)), min(20, len(codes) // 20)
    mixture = GaussianMixture(components, reg_covar=0.05, random_state=seed).fit(spread)
    return {
        "mixture": rng.permutation(mixture.sample(number)[0]),
        "neurons": rng.permuted(codes, axis=0)[:number],
    }


def compared(images: Numbers, real: Numbers, neighbours: int = 5) -> dict[str, float]:
    """Return Fréchet distance and coverage of two sets of points (example, component).

    The Fréchet distance (Heusel et al. 2017, arXiv:1706.08500) is that of Gaussians with the same
    moments. Coverage (Naeem et al. 2020, arXiv:2002.09797) is the fraction of real images that have
    an image no further than their fifth nearest real neighbour.
    """
    from scipy.spatial.distance import cdist

    means = [each.mean(0) for each in (images, real)]
    covariances = [np.cov(each.T) for each in (images, real)]
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    distance = ((means[0] - means[1]) ** 2).sum() + sum(map(np.trace, covariances)) - 2 * root
    radius = np.partition(cdist(real, real), neighbours, axis=1)[:, neighbours]
    covered = (cdist(real, images) <= radius[:, None]).any(1)
    return {"frechet": float(distance), "coverage": float(covered.mean())}
