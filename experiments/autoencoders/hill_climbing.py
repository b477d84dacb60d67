"""Random hill climbing of a network whose hidden neurons are also auto-encoders (Bull 2024).

The network has sigmoid hidden neurons with biases and one linear output. Each hidden neuron also
reconstructs its own inputs from its output, a number, through decoder weights that belong to it.
A step changes one weight, and counts as one evaluation of the examples; it is kept if the error by
which it is judged does not rise. The task, whose error is the squared residual of the output, is
climbed alone, or in turns with another kind of step. Only the terms of an error that a weight
enters are computed again.

L. Bull, "Toward neuromic computing: neurons as autoencoders", arXiv:2403.02331.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bioae.random import stream

Numbers = NDArray[np.float64]
Step = tuple[int, float]

_WEIGHTS, _TASK, _MORE, _CODE, _ORDER, _SIGNS = range(6)  # keys of random numbers


@dataclass(frozen=True)
class Network:
    """The weights of a network.

    `hidden`: those of the hidden neurons, shape ``(neuron, input + 1)``; biases come last.
    `output`: those of the output, shape ``(neuron + 1,)``, the bias last.
    `decoder`: those by which each hidden neuron reconstructs its inputs, shape ``(neuron, input)``.
    """

    hidden: Numbers
    output: Numbers
    decoder: Numbers

    @classmethod
    def initialise(cls, inputs: int, neurons: int, seed: int) -> Self:
        """Draw normal weights, with the variance 1/inputs, and 1/neurons of the output.

        Biases start at 0.
        """
        generator = stream(seed, _WEIGHTS)
        hidden = generator.normal(size=(neurons, inputs)) / np.sqrt(inputs)
        output = generator.normal(size=neurons) / np.sqrt(neurons)
        decoder = generator.normal(size=(neurons, inputs)) / np.sqrt(inputs)
        return cls(np.pad(hidden, ((0, 0), (0, 1))), np.pad(output, (0, 1)), decoder)

    def activity(self, inputs: Numbers) -> Numbers:
        """Return the outputs of the hidden neurons, ``(neuron, example)``.

        `inputs`: shape ``(example, input)``.
        """
        return _sigmoid(self.hidden[:, :-1] @ inputs.T + self.hidden[:, -1:])

    def outputs(self, inputs: Numbers) -> Numbers:
        """Return the output, ``(example,)``; see `activity`."""
        found: Numbers = self.output[:-1] @ self.activity(inputs) + self.output[-1]
        return found

    def unexplained(self, inputs: Numbers, *, best: bool = False) -> Numbers:
        """Return the error of reconstruction of each hidden neuron, ``(neuron,)``.

        It is the sum of squared differences over inputs and examples, divided by the sum of squared
        inputs: 1 for a decoder of zeros.

        `inputs`: as in `activity`; `best`: whether with the decoder weights for which the error is
        smallest, not those at hand.
        """
        code = _code(self.activity(inputs))
        squares = np.sum(code**2, axis=1)[:, None]
        decoder = code @ inputs / squares if best else self.decoder
        changes = decoder**2 * squares - 2 * decoder * (code @ inputs)
        errors: Numbers = 1 + changes.sum(axis=1) / np.sum(inputs**2)
        return errors

    def unexplained_by_layer(self, inputs: Numbers) -> float:
        """Return the error of reconstruction of all hidden neurons by the best common decoder."""
        codes = _code(self.activity(inputs)).T
        rebuilt = codes @ np.linalg.lstsq(codes, inputs)[0]
        return float(np.sum((inputs - rebuilt) ** 2) / np.sum(inputs**2))


@dataclass(frozen=True)
class Climb:
    """A finished climb.

    `network`, `halfway`: the network after the last step, and after half of the steps; `kept`:
    whether each step between two of the task was kept, shape ``(step,)``.
    """

    network: Network
    halfway: Network
    kept: NDArray[np.bool_]


class Climber:
    """A hill climber with its data, initial weights, and the steps that it proposes.

    A step of the task changes any weight of hidden neurons or the output by a normal number. Every
    second step is of this kind in all climbs, and the climbs differ in the others. Those of
    `jitter` are not judged: equal numbers of evaluations are equal numbers of steps.

    `inputs`, `targets`: shapes ``(example, input)`` and ``(example,)``; `neurons`: the number of
    hidden neurons; `evaluations`: the number of steps in all, a multiple of 4; `size`: the standard
    deviation of a step; `seed`: the seed of weights and steps.
    """

    def __init__(
        self,
        inputs: Numbers,
        targets: Numbers,
        *,
        neurons: int,
        evaluations: int,
        size: float,
        seed: int,
    ) -> None:
        self.inputs, self.targets, self.seed = inputs, targets, seed
        self.network = Network.initialise(inputs.shape[1], neurons, seed)
        hidden = self.network.hidden.size
        half = evaluations // 2
        self.task, self.more, self.code = (
            _steps(half, hidden + others, size, stream(seed, key))
            for others, key in (
                (neurons + 1, _TASK),
                (neurons + 1, _MORE),
                (self.network.decoder.size, _CODE),
            )
        )

    def plain(self) -> Climb:
        """Climb the task alone: the steps between are of the task, too."""
        return self._climb(lambda state, number: state.step(*self.more[number]))

    def autoencoding(self, *, layer: bool = False, shuffled: bool = False) -> Climb:
        """Climb the task and, in turns, the reconstruction of single neurons, or of their layer.

        A step of reconstruction changes any weight of hidden neurons or their decoders. It is
        judged by the reconstruction of this neuron, whatever becomes of the task.

        `layer`: whether the reconstruction is the sum of those of all neurons, as in a conventional
        auto-encoder with one decoder; `shuffled`: whether each neuron reconstructs the inputs of
        another example, by a permutation of the examples that is drawn once.
        """
        goal = stream(self.seed, _ORDER).permutation(self.inputs) if shuffled else self.inputs
        rows = np.ascontiguousarray(goal.T)

        def between(state: _State, number: int) -> bool:
            place, change = self.code[number]
            return state.reconstruct(place, change, state.left(place, rows) if layer else rows)

        return self._climb(between)

    def jitter(self, kept: NDArray[np.bool_]) -> Climb:
        """Climb the task and, in turns, change hidden weights without judging the change.

        The steps are those of reconstruction, with random signs, where another climb kept them:
        `kept` is that of a climb by `autoencoding`.
        """
        signs = stream(self.seed, _SIGNS).choice([-1.0, 1.0], len(self.code)).tolist()

        def between(state: _State, number: int) -> bool:
            place, change = self.code[number]
            if moved := bool(kept[number]) and place < state.network.hidden.size:
                state.move(place, signs[number] * change)
            return moved

        return self._climb(between)

    def _climb(self, between: Callable[[_State, int], bool]) -> Climb:
        state = _State(deepcopy(self.network), self.inputs, self.targets)
        kept = np.zeros(len(self.task), np.bool_)
        halfway = state.network
        for number, (place, change) in enumerate(self.task):
            kept[number] = between(state, number)
            state.step(place, change)
            if number + 1 == len(self.task) // 2:
                halfway = deepcopy(state.network)
        return Climb(state.network, halfway, kept)


def _steps(count: int, weights: int, size: float, generator: np.random.Generator) -> list[Step]:
    """Draw the place of a weight and the number to add to it, for each step."""
    places = generator.integers(weights, size=count).tolist()
    return list(zip(places, (size * generator.normal(size=count)).tolist(), strict=True))


class _State:
    """A network on its way: potentials, activities and residuals of the examples."""

    def __init__(self, network: Network, inputs: Numbers, targets: Numbers) -> None:
        self.network = network
        self.rows = np.vstack([inputs.T, np.ones(len(inputs))])  # (input + 1, example)
        self.potential = network.hidden @ self.rows
        self.active = _sigmoid(self.potential)
        self.residual = network.outputs(inputs) - targets
        self.error = float(self.residual @ self.residual)

    def step(self, place: int, change: float) -> bool:
        """Take a step of the task, and return whether it is kept.

        `place`, `change`: the place of the weight among hidden weights and those of the output, and
        the number to add to it.
        """
        hidden, output = self.network.hidden, self.network.output
        if place >= hidden.size:
            neuron = place - hidden.size
            factor = self.active[neuron] if neuron < len(hidden) else 1.0
            kept = self._improved(self.residual + change * factor)
            if kept:
                output[neuron] += change
            return kept
        neuron, column = divmod(place, hidden.shape[1])
        potential = self.potential[neuron] + change * self.rows[column]
        active = _sigmoid(potential)
        kept = self._improved(self.residual + output[neuron] * (active - self.active[neuron]))
        if kept:
            hidden[neuron, column] += change
            self.potential[neuron], self.active[neuron] = potential, active
        return kept

    def move(self, place: int, change: float) -> None:
        """Change a weight of a hidden neuron."""
        neuron, column = divmod(place, self.network.hidden.shape[1])
        potential = self.potential[neuron] + change * self.rows[column]
        self._replace(neuron, column, change, potential, _sigmoid(potential))

    def reconstruct(self, place: int, change: float, goal: Numbers) -> bool:
        """Take a step of reconstruction, and return whether it is kept.

        `place`, `change`: the place of the weight among hidden weights and decoder weights, and the
        number to add to it; `goal`: the inputs to reconstruct, shape ``(input, example)``.
        """
        hidden, decoder = self.network.hidden, self.network.decoder
        if place >= hidden.size:
            neuron, column = divmod(place - hidden.size, decoder.shape[1])
            code = _code(self.active[neuron])
            weight = decoder[neuron, column]
            # The difference between the squared errors of two weights.
            rise = change * ((2 * weight + change) * (code @ code) - 2 * (goal[column] @ code))
            if rise <= 0:
                decoder[neuron, column] += change
            return bool(rise <= 0)
        neuron, column = divmod(place, hidden.shape[1])
        potential = self.potential[neuron] + change * self.rows[column]
        active = _sigmoid(potential)
        before, after = _code(self.active[neuron]), _code(active)
        weights = decoder[neuron]
        squares = (weights @ weights) * (after @ after - before @ before)
        rise = squares - 2 * ((weights @ goal) @ (after - before))
        if rise <= 0:
            self._replace(neuron, column, change, potential, active)
        return bool(rise <= 0)

    def left(self, place: int, goal: Numbers) -> Numbers:
        """Return the residual of a goal after the reconstructions by all neurons but a weight's."""
        hidden, decoder = self.network.hidden, self.network.decoder
        codes = _code(self.active)
        owner = place // hidden.shape[1]
        codes[owner if place < hidden.size else (place - hidden.size) // decoder.shape[1]] = 0
        residual: Numbers = goal - decoder.T @ codes
        return residual

    def _improved(self, residual: Numbers) -> bool:
        """Take over residuals whose sum of squares is not larger, and return whether it is."""
        error = float(residual @ residual)
        if error > self.error:
            return False
        self.residual, self.error = residual, error
        return True

    def _replace(
        self, neuron: int, column: int, change: float, potential: Numbers, active: Numbers
    ) -> None:
        """Change a hidden weight, whatever becomes of the task."""
        self.network.hidden[neuron, column] += change
        self.residual = self.residual + self.network.output[neuron] * (active - self.active[neuron])
        self.error = float(self.residual @ self.residual)
        self.potential[neuron], self.active[neuron] = potential, active


def _sigmoid(potential: Numbers) -> Numbers:
    return 0.5 + 0.5 * np.tanh(0.5 * potential)  # exp would overflow


def _code(active: Numbers) -> Numbers:
    """Return the outputs less 1/2, by which a decoder multiplies its weights."""
    return active - 0.5
