"""Problems of gradient descent: weights, examples, objective, batches, evaluation, assessment.

Randomness follows from the run's seed and the epoch's number. No generator has a state that a
checkpoint would have to store.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from bioae.datasets import Data
from bioae.errors import NetworkError
from bioae.networks.tasks import Rates, Task
from bioae.noise import Key
from bioae.runs.assessment import Assessment, baseline, read_layers
from bioae.runs.splits import Splits, encoder_seed, example_order
from bioae.trainers.training.calibration import SPIKES
from bioae.trainers.training.config import GradientConfig
from bioae.trainers.training.losses import loss_function, scores
from bioae.trainers.training.sections import OptimisationConfig
from bioae.trainers.training.stages import Stage
from bioae.trainers.training.terms import WEIGHT_SYMBOLS

#: Examples that a network is evaluated on.
Split: TypeAlias = Literal["validation", "test"]

#: The epoch whose random input the held-out examples receive every time; training counts from 1.
_VALIDATION = 0

#: The fewest examples of an assessment at the start.
_LEAST = 32

#: Relative change of the loss below which it counts as constant.
_STILL = 0.1


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Make PyTorch deterministic inside the block, with that many threads.

    An operation without a deterministic form raises a RuntimeError there.
    """
    # cuBLAS reads it on first use, and requires this value for deterministic runs.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    filling: Any = torch.utils.deterministic
    fill = filling.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Filling every new tensor guards against reading it unset, at the cost of a pass over memory.
    filling.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=warns)
        filling.fill_uninitialized_memory = fill
        torch.set_num_threads(before[1])


def targets_of(
    task: Task | Rates,
    examples: Data,
    steps: int,
    *,
    dtype: torch.dtype,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return the targets of examples as numbers of a type; classes stay whole numbers."""
    target = torch.from_numpy(task.target_of(examples, steps))
    return target.to(device, None if target.dtype == torch.int64 else dtype)


class Batch(NamedTuple):
    """Examples as a network receives them, with their targets, and the key of its noise."""

    #: The output of the encoder (time, example, ...), or the values (example, ...).
    drive: Tensor
    #: The targets of the task: images, numbers (example, ...), or classes (example,).
    targets: Tensor
    key: Key


class DescentProblem(ABC):
    """A network, the examples to train it on, and its objective."""

    config: GradientConfig
    data: Splits

    @property
    @abstractmethod
    def weights(self) -> Mapping[str, nn.Parameter]:
        """The tensors that are trained, by a name such as ``LAYER.weight``."""

    @property
    @abstractmethod
    def synaptic(self) -> Collection[str]:
        """The names of `weights` that are weights of connections."""

    @property
    def connections(self) -> dict[str, Tensor]:
        """The weights of connections, by name."""
        return {name: self.weights[name] for name in self.synaptic}

    @property
    def parameters(self) -> Collection[str]:
        """The names of `weights` that are neuron parameters."""
        return ()

    @property
    def absent(self) -> Mapping[str, Tensor]:
        """The places of `weights` without a connection (true), by name; their weights stay 0."""
        return {}

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the run."""
        return self.config.stages

    @property
    def task(self) -> Task | Rates:
        """The task of the training."""
        return self.config.task

    @abstractmethod
    def batch(self, data: Data, seed: int) -> Batch:
        """Return examples as the network receives them.

        Random input depends on the seed and on the number of each example.
        """

    @abstractmethod
    def run(self, batch: Batch) -> Any:
        """Run the network on a batch, as training does.

        The result has the `output` (example, ...), of the shape that the task gives it, and
        `layers`, the activity of each layer, by name.
        """

    def evaluated(self, batch: Batch) -> Any:
        """Run the network on a batch, as an evaluation does."""
        return self.run(batch)

    @abstractmethod
    def added(self, outputs: Any, batch: Batch, stage: Stage, elapsed: float) -> dict[str, Tensor]:
        """Return the terms that the loss adds to the error of the outputs of `run` on a batch.

        `elapsed` is the time since the regularisers of the stage came into force, in epochs.
        """

    def terms(self, batch: Batch, stage: Stage, elapsed: float) -> dict[str, Tensor]:
        """Return the loss of a batch, and the terms that it sums."""
        outputs = self.run(batch)
        error = loss_function(self.config.loss)(outputs.output, batch.targets)
        terms = self.added(outputs, batch, stage, elapsed)
        loss = torch.stack([error, *terms.values()]).sum()
        return {"loss": loss, self.task.kind: error, **terms}

    @abstractmethod
    def tallies(self) -> Mapping[str, Any]:
        """Return an empty tally for each layer of which an evaluation gives figures.

        Its method `add` includes the activity of the layer in a batch, and `figures` returns the
        figures by name.
        """

    @abstractmethod
    def as_stored(self) -> AbstractContextManager[None]:
        """Return a context with the weights that are stored at the end."""

    @abstractmethod
    def constrain(self) -> None:
        """Project the weights into their bounds, after an update."""

    @abstractmethod
    def result(self, summary: Mapping[str, Any]) -> Any:
        """Return the trained network with its metrics, as stored."""

    @abstractmethod
    def save(self, out: Path, result: Any, summary: Mapping[str, Any]) -> None:
        """Write the trained network into the folder of a run."""

    def waking(self, layer: str) -> str | None:
        """Return a setting by which the silent neurons of a layer are trained, if none is set."""
        return None

    def cause(self, loss: Callable[[], Tensor]) -> Any:
        """Return the cause of a loss that is not finite, if it is known, with a `hint`.

        `loss` computes the loss again.
        """
        return None


def evaluate(problem: DescentProblem, split: Split = "validation") -> dict[str, Any]:
    """Evaluate a network on held-out examples, with its weights as they are stored.

    Returns ``SPLIT_SCORE`` for each score of the task, ``SPLIT_sum_squared_error`` (per image,
    pixels in [0, 1]) of an auto-encoder; and ``layers``, or ``test_layers`` for the test split: the
    figures of the problem's tallies, by the layers' names.
    """
    settings = problem.config.training
    data: Data = getattr(problem.data, split)
    size = settings.evaluation_batch_size or settings.batch_size
    seed = encoder_seed(settings.seed, _VALIDATION)
    tallies, found, targets = problem.tallies(), [], []
    with problem.as_stored(), torch.no_grad():
        for start in range(0, len(data), size):
            batch = problem.batch(data[start : start + size], seed)
            outputs = problem.evaluated(batch)
            found.append(outputs.output.cpu())
            targets.append(batch.targets.cpu())
            for name, tally in tallies.items():
                tally.add(outputs.layers[name])
    return {
        **{f"{split}_{n}": each for n, each in scores(problem.task, found, targets).items()},
        "layers" if split == "validation" else f"{split}_layers": {
            name: tally.figures() for name, tally in tallies.items()
        },
    }


def first_batches(problem: DescentProblem, stage: Stage) -> list[Batch]:
    """Return the first batch of training as the network receives it, or the first 32 examples."""
    settings, examples = stage.settings, problem.data.train
    size = min(settings.batch_size, settings.evaluation_batch_size or settings.batch_size)
    order = example_order(settings.seed, 1, len(examples))[: max(size, _LEAST)]
    seed = encoder_seed(settings.seed, 1)
    parts = (order[start : start + size] for start in range(0, len(order), size))
    return [problem.batch(examples[part], seed) for part in parts]


@torch.no_grad()
def assess_start(problem: DescentProblem, stage: Stage, *, drawn: bool) -> Assessment:
    """Return the assessment of a network on the first examples of its training.

    `drawn` says whether its weights are drawn, rather than those of a trained network.
    """
    data, network, batches = problem.data, problem.config.network, first_batches(problem, stage)
    tallies, outputs = problem.tallies(), []
    with problem.as_stored():
        for batch in batches:
            activity = problem.run(batch)
            outputs.append(activity.output)
            for name, tally in tallies.items():
                tally.add(activity.layers[name])
    output, targets = torch.cat(outputs), torch.cat([batch.targets for batch in batches])
    found = Assessment(
        baseline(problem.task, data.train, data.validation, network.steps),
        layers=read_layers(network, {name: tally.figures() for name, tally in tallies.items()}),
        constant=bool((output == output[0]).all() and (targets != targets[0]).any()),
    )
    if found.obstacle is not None:
        found = replace(found, reached=_reaches(problem, stage, batches[0], found))
    if found.faulty is None:
        return found
    silent = found.faulty in found.silent
    spikes = found.layers[found.faulty].get("rate_per_step_mean", 0.0) * network.steps
    encoder = network.encoder
    if silent and encoder.amount and encoder.mean_drive(network.steps) < 1:
        return replace(found, suggestion=f"a larger {encoder.amount} in encoder")
    advice = [problem.waking(found.faulty) if silent else None]
    if spikes < SPIKES if silent else spikes > SPIKES:  # or few neurons fire for all others
        advice.append(_other_settings(problem, drawn=drawn))
    return replace(found, suggestion=", or ".join(filter(None, advice)) or None)


def _other_settings(problem: DescentProblem, *, drawn: bool) -> str | None:
    """Return calibrated weights, if drawn, and a derivative that reaches silent neurons.

    A setting that the run has already is left out.
    """
    training = problem.config.training
    if not isinstance(training, OptimisationConfig):  # of a conventional network
        return None
    keys = ['initialise = "calibrated"'] if drawn and training.initialise == "drawn" else []
    keys += ['derivative = "arctan"'] if training.derivative.name == "membrane" else []
    return f"{' and '.join(keys)} in [training]" if keys else None


def _reaches(problem: DescentProblem, stage: Stage, batch: Batch, found: Assessment) -> bool:
    """Return whether a batch would change weights of the first dead layer, or of the first."""
    first = next(iter(problem.synaptic), "").rpartition(".")[0]
    layer = found.dead[0] if found.dead else first
    names = [name for name in problem.synaptic if name.startswith(f"{layer}.")]
    weights = [problem.weights[n] for n in names if problem.weights[n].requires_grad]
    if not weights:
        return False
    with torch.enable_grad():
        terms = problem.terms(batch, stage, 0.0)
        active = [each for n, each in terms.items() if n not in {"loss", *WEIGHT_SYMBOLS}]
        loss = torch.stack(active).sum()
        gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
    return any(bool(each.any()) for each in gradients)


def assess_end(
    problem: DescentProblem, start: Assessment | None, records: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any], former: Mapping[str, Any] | None,
) -> Assessment:  # fmt: skip
    """Return the assessment of a trained network by its metrics, and those of its start.

    Without the latter its weights were drawn.
    """
    data, task, network = problem.data, problem.task, problem.config.network
    score = f"validation_{next(iter(task.scores))}"
    split, held = ("test", data.test) if data.test is not None else ("validation", data.validation)
    found = Assessment(
        baseline(task, data.train, held, network.steps),
        summary[f"{split}_{next(iter(task.scores))}"],
        read_layers(network, summary["test_layers" if split == "test" else "layers"]),
        former=None if former is None else former[score],
        kept=summary[score],
    )
    faulty, suggestion, stage = found.faulty, None, problem.stages[-1]
    other: str | None = None
    silent = faulty in found.silent
    before, after = (records[place].get("loss", 0.0) for place in (0, -1))
    still = len(records) > 1 and abs(after - before) <= _STILL * abs(before)
    if found.worsened:
        suggestion = stage.key("learning_rate", stage.settings.learning_rate / 10)
        other = _other_settings(problem, drawn=False)
    elif start and start.suggestion and (start.faulty, faulty in start.silent) == (faulty, silent):
        suggestion = start.suggestion
    elif faulty and silent and (waking := problem.waking(faulty)):
        suggestion = waking
    elif faulty and (found.obstacle is None or faulty in found.dead or still):
        term = "beta2 = { target = 0.02," if silent else "lambda2 = {"
        suggestion = f'{term} coefficient = 0.01, layers = ["{faulty}"] }} in [regularisers]'
    elif found.obstacle is not None:
        rate = stage.settings.learning_rate
        suggestion = stage.key("learning_rate", rate * 10 if still else rate / 10)
        if faulty is None and best_record(task, records) is records[-1]:  # it still improves
            suggestion = stage.key("epochs", 4 * (stage.end - stage.start))
        if faulty is None and former is None:
            other = _other_settings(problem, drawn=True)
    return replace(found, suggestion=", or ".join(filter(None, [suggestion, other])) or None)


def best_record(task: Task | Rates, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the metrics of the epoch with the best score on the validation split."""
    name, direction = next(iter(task.scores.items()))
    choose = max if direction == "higher" else min
    return choose(records, key=lambda metrics: metrics[f"validation_{name}"])


def torch_device(name: str) -> torch.device:
    """Return a PyTorch device of this machine, or raise a NetworkError."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except Exception as error:  # of many kinds: some back ends have no module in this PyTorch
        raise NetworkError(
            "the device cannot be used", where="training.device",
            expected="a PyTorch device of this machine, such as cpu or cuda",
            found=f"{name!r}: {str(error).splitlines()[0]}",
            hint="For a GPU install its driver and a PyTorch for it (pytorch.org/get-started)",
        ) from error  # fmt: skip
    return device
