"""A network on data as a plain Brian2 script, which fires the same spikes without bioae."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from brian2.utils.stringtools import word_substitute
from jinja2 import StrictUndefined, Template
from numpy.typing import NDArray

from bioae.equations.arrays.start import Start
from bioae.equations.lowering.noise import BACKGROUND, BACKGROUND_DRAW
from bioae.exchange.brian2.neurons import PlainNeurons
from bioae.files import atomic_output, check_only
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import check_weights_alone
from bioae.noise import draw, population_number
from bioae.simulation.objects.pathways import DELAY, Pathway
from bioae.simulation.objects.presentation_clock import STEP, PresentationClock
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk

_FILES = _SCRIPT, _WEIGHTS, _INPUTS = "run.py", "weights.npz", "inputs.npz"
_TEMPLATE = Path(__file__).with_name("templates") / "script.py.jinja"

#: Line length, as of Black.
_WIDTH = 88

#: The usual statement of synapses, as the script's function has it.
_USUAL = "arrived_post += weight"

#: The input's name, which no layer can have.
_INPUT = "INPUT"

#: The outputs (presentation, neuron) by decoder, from the potential U (neuron, presentation, step).
_DECODED = {
    "max": "U.max(-1).T", "last": "U[..., -1].T", "mean": "U.mean(-1).T",
    "trajectory": "U.transpose(1, 2, 0).reshape(PRESENTATIONS, -1)",
}  # fmt: skip


def write_script(
    network: Network,
    presented: Presentations,
    run: Callable[[], Chunk],
    out: Path,
    *,
    overwrite: bool,
) -> Path:
    """Write the script of a network on data, see `bioae.to_script`; `run` simulates it in bioae."""
    check_only(out, *_FILES)
    script = _Script(network, presented)
    text = script.text(run)
    with atomic_output(out, overwrite=overwrite) as temporary:
        temporary.mkdir()
        (temporary / _SCRIPT).write_text(text, encoding="utf-8")
        np.savez_compressed(temporary / _WEIGHTS, **script.weights)
        np.savez_compressed(temporary / _INPUTS, **script.inputs)
    return out / _SCRIPT


class _Script:
    """The text of a script, and its arrays: weights and inputs."""

    def __init__(self, network: Network, presented: Presentations) -> None:
        self.network, self.presented, self.config = network, presented, network.config
        self.weights: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.groups: dict[str, PlainNeurons] = {}
        self.pathways: list[str] = []

    def text(self, run: Callable[[], Chunk]) -> str:
        """Return the script, and set its arrays."""
        config, decoder = self.config, self.config.decoder
        check_weights_alone(config.placed, "export-script")
        for placed in config.placed:
            self._add_neurons(placed)
        for placed in config.placed:
            self._add_pathways(placed)
        self._encode()
        chunk = run()
        self._record(chunk)
        decoded = _DECODED.get(decoder.kind) if decoder.reads_potential else None
        if decoded is not None:
            self.inputs["output"] = chunk.output.reshape(len(self.presented), -1)
            decoded += f" / {decoder.scale or config.default_scale!r}"
        template = Template(
            _TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        )  # fmt: skip
        rendered: str = template.render(
            script=self, config=config, timing=config.timing, version=version("bioae"),
            examples=_quoted(self.presented.data.name), decoded=decoded,
            dt=ast.unparse(ast.parse(config.dt)), size=math.prod(config.encoded_shape),
            slots=json.dumps(config.timing.schedule.slots), lines=self._lines(),
        )  # fmt: skip
        return rendered

    def _lines(self) -> list[str]:
        """Return the lines of neuron models, and of their groups with what is not in common."""
        models: dict[tuple[str, ...], list[str]] = {}
        for key, neurons in self.groups.items():
            model = tuple(f"{name}={_quoted(text)}" for name, text in neurons.texts.items())
            models.setdefault(model, []).append(key)
        lines, populations, names = [], {}, set[str]()
        for texts, keys in models.items():
            name = self.groups[keys[0]].program.model.name
            name = f"{name} of {keys[0]}" if name in names else name
            names.add(name)
            common = set.intersection(*({*self.groups[key].namespace.items()} for key in keys))
            items = [f"{each}={value}" for each, value in sorted(common)]
            namespace = _call("namespace=dict", items, _WIDTH - 5).replace("\n", "\n    ")
            lines.append(_call(f"models[{_quoted(name)}] = dict", [*texts, namespace], 0))
            for key in keys:
                neurons = self.groups[key]
                items = [_quoted(key), str(neurons.size), str(neurons.depth), _quoted(name)]
                own = sorted(neurons.namespace.items() - common)
                items += [f"{each}={value}" for each, value in own]
                populations[key] = _call("population", items)
        return [*lines, "", *(populations[key] for key in self.groups)]

    def _encode(self) -> None:
        """Record the encoded examples, as graded events or as spikes."""
        timing = self.config.timing
        drive = self.presented.drive().reshape(timing.steps, len(self.presented), -1)
        drive = np.pad(drive, ((0, timing.period - timing.steps), (0, 0), (0, 0)))
        rows = drive.swapaxes(0, 1).reshape(-1, drive.shape[2])
        if self.config.encoder.graded:
            self.inputs["drive"] = np.pad(rows, ((0, 1), (0, 0)))
        else:
            step, neuron = np.nonzero(rows)
            self.inputs |= {"i": neuron.astype(np.int32), "step": step.astype(np.int32)}

    def _record(self, chunk: Chunk) -> None:
        """Record the spikes that bioae fired."""
        for layer in chunk.layers:
            place = np.repeat(np.arange(layer.counts.size), layer.counts.ravel())
            spikes = np.stack([*np.divmod(place, self.config.steps), layer.neuron])
            self.inputs[f"{layer.name}.spikes"] = spikes.astype(np.int32)

    def _add_neurons(self, placed: PlacedLayer) -> None:
        """Add a layer's neurons and its read-out; of neurons that never fire the read-out alone."""
        name, programs = placed.name, {placed.name: (placed.program, False)}
        if self._is_read(placed):
            key = f"{name}__readout" if placed.can_fire else name
            programs[key] = placed.readout_program, True
        for key, (program, readout) in programs.items():
            neurons = PlainNeurons(
                program, self.network.parameters(placed, readout=readout), placed.size,
                placed.depth, population_number(placed.number, readout=readout),
                biases=self.network.biases(placed), dt=self.config.dt_seconds,
            )  # fmt: skip
            self.groups[key] = neurons
            self.weights |= {f"{key}/{name}": values for name, values in neurons.arrays.items()}
            if neurons.background:
                self.inputs[f"{key}.background"] = self._background(placed, neurons)

    def _is_read(self, placed: PlacedLayer) -> bool:
        """Return whether the decoder reads a layer's potential U."""
        return self.config.decoder.reads_potential and placed is self.config.placed[-1]

    def _add_pathways(self, placed: PlacedLayer) -> None:
        """Add a layer's synapses."""
        known, delayed = self.network.connection_weights(placed), self.network.delays(placed)
        dt = self.config.dt_seconds
        clock = PresentationClock(self.config.timing, 1, dt, draws=False, prefix="")
        for each in placed.projections:
            name, weights, delays = each.name, known[each.name], delayed[each.name]
            separate = placed.separate_inhibition and each.target is None
            pathway = Pathway(name, each, separate, self.network.weights, weights, delays, clock)
            i, j, place = each.connections(self.network.weights)
            weight = weights.astype(np.float64).ravel()[place]
            if not weight.any() or (each.own and not placed.can_fire):
                continue
            synapses: dict[str, Any] = {"i": i.astype(np.int32), "j": j.astype(np.int32)}
            synapses["weight"] = weight
            if delays.any():
                synapses["delay"] = np.broadcast_to(delays, weights.shape).ravel()[place] * dt
            self.weights |= {f"{name}.{key}": each[weight != 0] for key, each in synapses.items()}
            source = _INPUT if each.source == ENCODER else each.source
            factors = self._factors(placed, pathway)
            for target in (key for key in self.groups if key.partition("__")[0] == placed.name):
                if each.target and each.target not in self.groups[target].program.model.targets:
                    continue  # a read-out, which receives the usual input only
                on_pre = self.groups[target].on_pre(factors, each.target)
                items = [source, target, name, *([on_pre] if on_pre != _USUAL else [])]
                self.pathways.append(_call("connect", map(_quoted, items)))

    def _factors(self, placed: PlacedLayer, pathway: Pathway) -> list[str]:
        """Return the factors of a weight: a graded event, and conditions on an arriving spike."""
        timing = self.config.timing
        lead_in, period = timing.schedule.lead_in, timing.period
        step = f"(t_in_timesteps + {-timing.start(placed.depth) % period}) % {period}"
        names = {f"{STEP}_post": f"{step} - {lead_in}" if lead_in else step}
        names[DELAY] = "timestep(delay, dt)"
        read = self._is_read(placed)
        stop = timing.arriving(pathway.projection.lag, own=pathway.projection.own).stop
        # Spikes that arrive after the last threshold change only the potential at the end.
        at_end = timing.schedule.at_once and pathway.delay.min() + stop == timing.steps - 1
        conditions = [e for e in pathway.conditions if read or not at_end or ">=" in e]
        code = (word_substitute(each, names).replace("= 0 + ", "= ") for each in conditions)
        factors = [f"int({each.replace('+ -', '- ')})" for each in code]
        if pathway.projection.source == ENCODER and self.config.encoder.graded:
            late = " - delay" * bool(pathway.delay.any()) + " - dt" * (not timing.schedule.at_once)
            factors.insert(0, f"drive(t{late}, i)")
        return factors

    def _background(self, placed: PlacedLayer, neurons: PlainNeurons) -> NDArray[np.float64]:
        """Return the background input in network weights (step of the run, neuron)."""
        program, timing, noise = placed.program, self.config.timing, placed.layer.background
        scale = Start(program, neurons.dt, neurons.size).constants(neurons.parameters)
        site, key = program.draws[BACKGROUND_DRAW], self.presented.key()
        drawn = np.empty((len(self.presented), timing.period, placed.size))
        for row in range(timing.period):
            step = row - timing.schedule.lead_in
            place = {"step": step, "call": site.call, "population": neurons.number}
            drawn[:, row] = draw(site.distribution, key, **place, count=placed.size)
        values: NDArray[Any] = scale[BACKGROUND] * drawn
        if isinstance(noise, tuple):
            values = noise[0] * (drawn < scale[BACKGROUND])
        before = np.zeros((timing.start(placed.depth), placed.size))
        return np.concatenate([before, values.reshape(-1, placed.size)])


def _quoted(text: str) -> str:
    """Return a text as Python code; one of several lines as they are, if nothing needs escapes."""
    plain = text.count("\n") > 1 and not {'"', "\\"} & {*text}
    return f'"""\n{text}\n"""' if plain else json.dumps(text)


def _call(head: str, items: Iterable[str], width: int = _WIDTH) -> str:
    """Return a call, laid out as Black does."""
    joined = ", ".join(items := [*items])
    if len(head) + len(joined) + 2 <= width:
        return f"{head}({joined})"
    if len(joined) + 4 <= width:
        return f"{head}(\n    {joined}\n)"
    return "\n".join([f"{head}(", *(f"    {item}," for item in items), ")"])
