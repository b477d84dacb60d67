"""Run a trained network on images, and return how it fired."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Images
from bioae.errors import InputError
from bioae.networks.layers import Background
from bioae.networks.network import Network, NetworkConfig
from bioae.simulation.objects.pathways import Connectivity
from bioae.simulation.objects.reading import Chunk, join
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.layer_spikes import LayerSpikes, layer_dataset
from bioae.simulation.results.parts import Parts, missing
from bioae.simulation.results.result import build_result, root_dataset, versions
from bioae.simulation.targets.activation import Dtype, Target, check_target
from bioae.simulation.workers.chunk_runners import chunk_size
from bioae.simulation.workers.job import Crew, Job, Processes

__all__ = ["Progress", "Run", "result_of", "simulate"]

#: Called with how many images are done, and of how many.
Progress = Callable[[int, int], None]


def simulate(
    network: Network,
    images: Images | ArrayLike,
    *,
    target: Target = "cpp_standalone",
    examples: ArrayLike | None = None,
    seed: int = 0,
    dtype: Dtype = "float64",
    record: Collection[str] = (),
    spread: Mapping[str, float] | None = None,
    background: Background = None,
    delay: str | None = None,
    connectivity: Connectivity = "shared",
    chunk: int | None = None,
    workers: int = 1,
    cluster: str | None = None,
    parts: Path | str | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Run a network in Brian2 on images.

    Parameters
    ----------
    network
        The network.
    images
        A data set, or an array (example, channel, y, x) or (example, y, x) in [0, 1].
    target
        ``"numpy"``, ``"cython"``, ``"cpp_standalone"`` or ``"cuda_standalone"``.
    examples
        The number of each image (example); its place in the data set by default. Random input
        and the noise of neurons depend on the seed and on this number, and on nothing else.
    seed
        Seeds random input, and the noise of neurons.
    dtype
        The type of state variables.
    record
        Variables to record at the end of each step, in the layers that have them.
    spread
        Coefficients of variation of neurons' parameters, drawn from the seed; see
        `Network.with_spread`.
    background
        Noise that every layer receives; see `Network.with_background`.
    delay
        How long spikes travel from layer to layer; see `Network.with_delay`.
    connectivity
        ``"shared"`` keeps each weight once; ``"unrolled"`` makes a `brian2.Synapses` synapse of
        each connection, which takes far more memory and time. Connections with delays of their own
        are always unrolled. Results do not depend on it.
    chunk
        How many images a run presents; chosen to bound memory by default. Results do not depend
        on it.
    workers
        How many processes share the chunks. Results do not depend on it.
    cluster
        The address of a Dask cluster whose workers run the chunks instead, such as
        ``"tcp://127.0.0.1:8786"``. Results do not depend on it.
    parts
        A folder to keep each chunk in as soon as it is done, where there are several. A run that
        finds chunks of its own there leaves them out; the folder stays when the run is done, for
        the caller to remove once the result is safe.
    progress
        Called after each chunk.

    Returns
    -------
    xarray.DataTree
        See `docs/result.md`.

    Raises
    ------
    DataError
        If the images do not fit the network.
    TargetError
        If the target is missing what it needs, or the cluster does not answer.
    InputError
        If `workers` or `chunk` is below 1, or workers are asked for beside a cluster.
    OutputError
        If the folder of parts is another run's, or cannot be written.
    """
    run = Run.of(
        network, images, target=target, examples=examples, seed=seed, dtype=dtype, record=record,
        spread=spread, background=background, delay=delay, connectivity=connectivity, chunk=chunk,
        workers=workers, cluster=cluster,
    )  # fmt: skip
    kept = None if parts is None else Parts(Path(parts), run.identity)
    finished = [] if kept is None else kept.finished(len(run.shown))
    done = {} if kept is None else {part.start: kept.chunk(part) for part in finished}
    for part, each in run.chunks(finished, progress):
        done[part.start] = each
        if kept is not None and part != slice(0, len(run.shown)):
            kept.add(part, each)
    return run.result(join([done[start] for start in sorted(done)]))


@dataclass(frozen=True, eq=False)
class Run:
    """A network before images, and who runs it; see `simulate`.

    Attributes
    ----------
    job
        What every worker builds.
    shown
        The images.
    attrs
        What is said of the run beside what its network says.
    chunk, workers, cluster
        How the images are shared out.
    """

    job: Job
    shown: Presentations
    attrs: Mapping[str, str]
    chunk: int | None
    workers: int
    cluster: str | None

    @classmethod
    def of(
        cls,
        network: Network,
        images: Images | ArrayLike,
        *,
        target: Target = "cpp_standalone",
        examples: ArrayLike | None = None,
        seed: int = 0,
        dtype: Dtype = "float64",
        record: Collection[str] = (),
        spread: Mapping[str, float] | None = None,
        background: Background = None,
        delay: str | None = None,
        connectivity: Connectivity = "shared",
        chunk: int | None = None,
        workers: int = 1,
        cluster: str | None = None,
    ) -> Run:
        """Check what is to be run, before any work is done; the arguments are those of `simulate`.

        Raises
        ------
        DataError, TargetError, InputError
            As `simulate`.
        """
        if cluster is None:
            check_target(target)
        _check_sharing(workers, chunk, cluster)
        network = _varied(network, spread, background, delay, seed=seed)
        shown = Presentations.of(network.config, images, examples=examples, seed=seed)
        job = Job(network, 1, target, dtype, tuple(record), connectivity)
        said = ", ".join(f"{name}={value:g}" for name, value in (spread or {}).items())
        return cls(job, shown, {"spread": said} if said else {}, chunk, workers, cluster)

    @property
    def identity(self) -> dict[str, str]:
        """What the run's chunks depend on."""
        job = self.job
        return {
            "network": job.network.sha256,
            "images": self.shown.sha256,
            "seed": str(self.shown.seed),
            "target": job.target,
            "dtype": job.dtype,
            "recorded": ", ".join(sorted(job.record)),
            "connectivity": job.connectivity,
            **{f"version of {package}": number for package, number in versions().items()},
        }

    def chunks(
        self, finished: Sequence[slice], progress: Progress | None
    ) -> Iterator[tuple[slice, Chunk]]:
        """Run what is not finished, and yield its parts as they are done."""
        size = self.chunk or chunk_size(self.job.network.config, self.job.record)
        done = sum(part.stop - part.start for part in finished)
        with _crew(self.workers, self.cluster) as crew:
            size = max(1, min(size, -(-len(self.shown) // crew.workers)))
            left = missing(len(self.shown), finished, size)
            job = replace(self.job, presentations=size)
            with closing(crew.run(job, self.shown, left)) as running:
                for part, chunk in running:
                    yield part, chunk
                    done += part.stop - part.start
                    if progress is not None:
                        progress(done, len(self.shown))

    def result(self, chunk: Chunk, part: slice = slice(None)) -> xr.DataTree:
        """Return the result of some of the images."""
        job, shown = self.job, self.shown[part]
        result = result_of(job.network, shown, chunk, target=job.target, dtype=job.dtype)
        result.attrs.update(self.attrs)
        return result

    def root(self, reconstruction: NDArray[np.float64], part: slice) -> xr.Dataset:
        """Return the root of the result of some of the images."""
        job, shown = self.job, self.shown[part]
        described = _described(job.network, shown, target=job.target, dtype=job.dtype)
        root = root_dataset(reconstruction=reconstruction, **described)
        return root.assign_attrs(self.attrs)

    def layer(self, layer: LayerSpikes, part: slice) -> xr.Dataset:
        """Return the group of a layer of the result of some of the images."""
        config = self.job.network.config
        examples = self.shown.examples[part]
        return layer_dataset(layer, examples, config.dt_seconds * 1e3, config.steps)


def _check_sharing(workers: int, chunk: int | None, cluster: str | None) -> None:
    for name, value in (("workers", workers), ("chunk", chunk)):
        if value is not None and value < 1:
            raise InputError(f"{name} does not fit", expected="1 or more", found=str(value))
    if cluster is not None and workers != 1:
        raise InputError(
            "workers and a cluster exclude each other",
            found=f"workers {workers}, cluster {cluster}",
            mend="A cluster has workers of its own: give one of the two",
        )


@contextmanager
def _crew(workers: int, cluster: str | None) -> Iterator[Crew]:
    if cluster is None:
        yield Processes(workers)
        return
    from bioae.simulation.workers.dask_cluster import connected

    with connected(cluster) as crew:
        yield crew


def result_of(
    network: Network, shown: Presentations, chunk: Chunk, *, target: str, dtype: str
) -> xr.DataTree:
    """Build the result of a network on images, whatever ran it."""
    return build_result(
        layers=chunk.layers,
        reconstruction=chunk.reconstruction,
        **_described(network, shown, target=target, dtype=dtype),
    )


def _described(
    network: Network, shown: Presentations, *, target: str, dtype: str
) -> dict[str, Any]:
    """Return what a result says beside what the network did."""
    config = network.config
    models = {placed.model.name: placed.model for placed in config.placed}
    return {
        "images": shown.images(),
        "example": shown.examples,
        "dt_ms": config.dt_seconds * 1e3,
        "steps": config.steps,
        "target": target,
        "seed": shown.seed,
        "neuron_model": "\n".join(model.to_toml() for model in models.values()),
        "network_sha256": network.sha256,
        "label": shown.labels,
        "attrs": {"schedule": config.schedule, "dtype": dtype, **_settings(config)},
    }


def _varied(
    network: Network,
    spread: Mapping[str, float] | None,
    background: Background,
    delay: str | None,
    *,
    seed: int,
) -> Network:
    if spread:
        network = network.with_spread(spread, seed=seed)
    if background is not None:
        network = network.with_background(background)
    return network if delay is None else network.with_delay(delay)


def _settings(config: NetworkConfig) -> dict[str, str]:
    """Return what the layers set besides their neurons: one text, or one a layer if they differ."""
    found = {}
    for name in ("weight", "background", "delay"):
        values = {layer.name: getattr(layer, name) for layer in config.layers}
        texts = {
            layer: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for layer, value in values.items()
            if value is not None
        }
        alike = len(texts) == len(values) and len(set(texts.values())) == 1
        text = next(iter(texts.values()), "") if alike else "; ".join(map(": ".join, texts.items()))
        if text:
            found[name] = text
    return found
