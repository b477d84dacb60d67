"""The engine of the target "torch": the mirror runs a network, and lets it learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bioae.errors import InputError, NetworkError
from bioae.networks.plasticity import check_averaged, check_chain
from bioae.simulation.engine import Arrays, Engine, Learner, Runner, Updates
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.mirror.recording import layer_spikes
from bioae.trainers.plasticity.network import NetworkLearner

#: Presentations that run at once.
_CHUNK = 64


class MirrorEngine(Engine):
    """A network in PyTorch, in this process."""

    def check(self) -> None:
        """Check that the options are those of PyTorch."""
        if self.backend.workers != 1:
            raise InputError(
                "PyTorch runs in one process, with separate threads", where="workers", expected="1",
                found=str(self.backend.workers),
            )  # fmt: skip
        if self.backend.connectivity != "shared":
            raise InputError(
                "the mirror always shares weights", where="connectivity", expected="shared",
                found=self.backend.connectivity,
            )  # fmt: skip

    @property
    def chunk_size(self) -> int:
        """The number of presentations that run at once."""
        return _CHUNK

    @contextmanager
    def runner(self, presentations: int) -> Iterator[Runner]:
        """Derive the mirror, and run chunks on it within a block."""
        dtype = getattr(torch, self.backend.dtype)
        mirror = NetworkMirror(self.network, dtype=dtype).eval()
        yield _MirrorRunner(mirror, tuple(self.backend.record), self.carried)

    @contextmanager
    def learner(self, presentations: int, updates: Updates) -> Iterator[Learner]:
        """Derive the mirror, and let it learn within a block."""
        optimises = updates.optimiser is not None
        config = self.network.config
        check_chain(config.populations, config.clock, carry_over=config.carry_over)
        if updates.teaching:
            raise NetworkError(
                "weights are normalised and examples presented again in Brian2 only",
                where="torch", expected="cpp_standalone, cython or numpy",
            )  # fmt: skip
        check_averaged(self.network.config.placed, updates.batch_size, optimiser=optimises)
        yield NetworkLearner(self.network, self.backend.dtype, updates)


class _MirrorRunner(Runner):
    def __init__(self, mirror: NetworkMirror, record: tuple[str, ...], carried: Arrays) -> None:
        self._mirror, self._record = mirror, record
        self._carried = {name: torch.from_numpy(values) for name, values in carried.items()}

    @torch.no_grad()
    def __call__(self, presented: Presentations, part: slice) -> Chunk:
        drive = torch.from_numpy(presented.drive(part))
        key, start = presented.key(part), self._carried
        activity = self._mirror(drive, record=self._record, key=key, start=start)
        self._carried = activity.final
        layers = tuple(
            layer_spikes(placed, activity.layers[placed.name])
            for placed in self._mirror.config.placed
        )
        carried = {name: values.numpy() for name, values in activity.final.items()}
        return Chunk(layers, activity.output.double().numpy(), carried=carried)
