"""The Brian2 objects of a network, and how images come before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import xarray as xr
from brian2 import Network as Brian2Network
from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, TimedArray, second
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Images
from bioae.equations.program import INPUT
from bioae.errors import DataError
from bioae.networks.network import Network
from bioae.networks.schedule import Timing
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.code_runners import SpikeRecorder, ValueRecorder
from bioae.simulation.objects.pathways import AnySynapses
from bioae.simulation.objects.population import Population
from bioae.simulation.objects.presentation_clock import key_arrays
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets.activation import float32_allowed

__all__ = ["BrianNetwork"]


@dataclass
class BrianNetwork:
    """The Brian2 objects of a network; add your own to `network` before it runs.

    Attributes
    ----------
    network
        The `brian2.Network` of everything below.
    source
        The network that was built.
    presentations
        How many images one run presents.
    held
        What each input neuron holds in each presentation (presentation, neuron), see
        `bioae.networks.encoders`: set by `present`. The last row stays 0.
    input
        The input neurons.
    populations
        The layers' neurons, by name.
    readout
        The last layer's potential U, where the decoder reads it.
    synapses
        The pathways, by the name of their weights (``LAYER.weight``).
    spikes
        A `SpikeMonitor` for each layer, or a `SpikeRecorder` where `build` was asked for those.
    states
        A `StateMonitor` for each layer with recorded variables.
    decoded
        What the decoder has collected from the read-out, a row for each presentation.
    keys
        What the neurons' noise depends on: set by `present`; None where there is none.
    shown
        What `present` put before the input.
    """

    network: Brian2Network
    source: Network
    presentations: int
    held: TimedArray
    input: NeuronGroup
    populations: dict[str, Population]
    readout: Population | None
    synapses: dict[str, AnySynapses]
    spikes: dict[str, SpikeMonitor | SpikeRecorder]
    states: dict[str, StateMonitor] = field(default_factory=dict)
    decoded: ValueRecorder | None = None
    keys: NeuronGroup | None = None
    shown: Presentations | None = None

    @property
    def timing(self) -> Timing:
        """Where presentations lie in a run."""
        return self.source.config.timing

    @property
    def steps(self) -> int:
        """Steps of a run: until the last layer has seen the last presentation."""
        return self.timing.duration(self.presentations, len(self.populations))

    @property
    def duration(self) -> object:
        """The length of a run, a `brian2.Quantity`."""
        return self.steps * self.source.config.dt_seconds * second

    def present(
        self, images: Images | ArrayLike, *, examples: ArrayLike | None = None, seed: int = 0
    ) -> None:
        """Put images before the input, for the run that follows.

        Parameters
        ----------
        images
            A data set, or an array (example, channel, y, x) or (example, y, x) in [0, 1]; at most
            `presentations` of them.
        examples, seed
            As for `bioae.simulate`.

        Raises
        ------
        DataError
            If the images do not fit the network, or are too many.
        """
        shown = Presentations.of(self.source.config, images, examples=examples, seed=seed)
        if len(shown) > self.presentations:
            raise DataError(
                "there are more images than presentations",
                expected=f"at most {self.presentations}",
                found=str(len(shown)),
                mend="Build the network with more: build(network, presentations=...)",
            )
        self.shown = shown
        self.show(shown)

    def show(self, shown: Presentations, part: slice = slice(None)) -> None:
        """Put some of a set of images before the input, and set the key of the noise to theirs."""
        held = shown.held(part)
        self.held.values[: len(held)] = held
        self.held.values[len(held) :] = 0.0
        if self.keys is not None:
            for name, values in key_arrays(shown.key(part), self.presentations).items():
                self.keys.variables[name].set_value(values)

    def arrays(self, shown: Presentations, part: slice = slice(None)) -> dict[str, NDArray[Any]]:
        """Return what `show` would set, by the names that a standalone project knows it by.

        What is held ends with the last of these presentations: what is missing is 0.
        """
        arrays: dict[str, NDArray[Any]] = {f"{self.held.name}.values": shown.held(part)}
        if self.keys is not None:
            for name, values in key_arrays(shown.key(part), self.presentations).items():
                arrays[f"{self.keys.name}.{name}"] = values
        return arrays

    def result(self) -> xr.DataTree:
        """Return what the network did since `present`, as `bioae.simulate` returns it.

        Raises
        ------
        DataError
            If nothing was presented.
        """
        from bioae.simulation.objects.reading import read
        from bioae.simulation.run import result_of

        if self.shown is None:
            raise DataError("nothing was presented", mend="Call present(images) before the run")
        chunk = read(self, len(self.shown))
        dtype = str(next(iter(self.populations.values())).variables[INPUT].dtype)
        return result_of(self.source, self.shown, chunk, target=active_target(), dtype=dtype)

    def run(self, presentations: int | None = None, **options: object) -> None:
        """Run all presentations, or the first few; `options` are those of `brian2.Network.run`."""
        steps = self.timing.duration(presentations or self.presentations, len(self.populations))
        duration = steps * self.source.config.dt_seconds * second
        with float32_allowed():
            self.network.run(duration, **{"namespace": {}, **options})
