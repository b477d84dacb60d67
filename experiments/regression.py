"""Regression of stress-strain histories by spiking networks, and conventional networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common.agreement import COLUMNS, OUTPUTS, in_both, no_difference
from experiments.common.energy import COSTS, costs, operations_of
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, largest, ratio, smallest
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bioae.datasets import Data
    from bioae.networks.network import Network

#: The layers whose spikes are suppressed in the control.
SILENCED = ("first", "middle")
#: Learning rates of long short-term memory and its spiking form, chosen for each by validation.
FASTER = {"lstm": 8e-3, "slstm": 3.2e-2}
#: A threshold that no neuron reaches.
_NEVER = 1e9


def examples(material: str, sizes: Mapping[str, Any], seed: int) -> tuple[Data, Data]:
    """Draw the training and the test set of a material."""
    from experiments import synthetic

    draw = getattr(synthetic, material)
    train = draw(sizes["train"], sizes["points"], seed=seed, split="train")
    return train, draw(sizes["test"], sizes["points"], seed=seed, split="test")


def pointwise(histories: Data, inputs: str) -> Data:
    """Return each point of histories as a separate example, of one point in time.

    `histories`: signals with targets (example, time, output); `inputs`: the channels:
    ``"present"``, the values at that point; ``"clock"``, the time, from 0 to 1; or ``"present and
    clock"``.
    """
    from bioae.datasets import Data

    values, targets = histories.as_float(), histories.targets
    assert targets is not None
    clock = np.broadcast_to(np.linspace(0, 1, values.shape[1])[:, None], (*values.shape[:2], 1))
    channels = {
        "present": values, "clock": clock,
        "present and clock": np.concatenate([values, clock], axis=-1),
    }[inputs]  # fmt: skip
    return Data.of_signals(
        channels.reshape(-1, 1, channels.shape[-1]),
        targets=targets.reshape(-1, targets.shape[-1]),
        name=histories.name,
        split=histories.split,
    )


def recipe(material: str, sizes: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Return the training configuration of a network of a material, without its data."""
    values = read("regression")
    network = values["network"] | {"input_shape": [channels], "steps": sizes["points"]}
    hidden = [each | {"units": sizes["hidden"]} for each in network["layers"][:-1]]
    network["layers"] = [*hidden, network["layers"][-1]]
    if material == "elasticity":  # one output per example, and nothing to remember
        network |= {"task": {"kind": "regression", "outputs": 1}, "decoder": {"kind": "mean"}}
        # Long time constants average a constant input; histories need short ones.
        for each in hidden:
            del each["recurrent"], each["recurrent_gain"]
            each["parameters"] = {**each["parameters"], "tau": "10*ms"}
    training = values["training"] | {
        "epochs": sizes["epochs"][material],
        "learning_rate": sizes["learning_rate"][material],
        "compile": sizes["compile"],
    }
    return values | {"network": network, "training": training}


def run(trial: Trial) -> Mapping[str, float]:
    """Train the condition's network or predictor, and measure it on the test set."""
    settings, sizes = trial.settings, trial.sizes
    train, test = examples(settings["material"], sizes, trial.seed)
    if settings["kind"] == "memoryless":
        return memoryless(trial, train, test)
    tables = recipe(settings["material"], sizes, train.shape[0])
    if settings["kind"] in ("lstm", "slstm"):
        return conventional(trial, tables, train, test)
    name = f"spiking-{settings['material']}"
    trained = trial.train(_with_data(trial, tables, train, test), name, share=True)
    network = silenced(trained.network) if settings["kind"] == "silenced" else trained.network
    return spiking(trial, network, test)


def silenced(network: Network) -> Network:
    """Return a network whose first two layers never fire: their thresholds are out of reach."""
    sizes = {layer.name: layer.size for layer in network.config.placed}
    never = {f"{name}.theta": np.full(sizes[name], _NEVER) for name in SILENCED}
    return network.with_weights(never)


def spiking(trial: Trial, network: Network, test: Data) -> dict[str, float]:
    """Run Brian2 and the mirror, both in float64, and measure Brian2's outputs and rates."""
    both = in_both(trial, network, test)
    rates = both.result["layers/middle"]["spike_count"].mean("example") / network.config.steps
    total = operations_of(network, both.result, test, trial.seed).sum("layer")
    steps = {name: float(each) / network.config.steps for name, each in total.items()}
    products = steps["neuron_updates"] + steps["multiply_accumulates"]
    firing = sum(layer.size for layer in network.config.placed if layer.can_fire)
    trained = sum(each.size for each in network.weights.values())
    return {
        **errors(both.result["output"].to_numpy(), test),
        "middle_rate": float(rates.mean()),
        "busiest": float(rates.max()),
        **both.spikes,
        **both.outputs,
        **costs(trained, steps["neuron_updates"], firing, steps["accumulates"], products),
    }


def conventional(
    trial: Trial, tables: Mapping[str, Any], train: Data, test: Data
) -> dict[str, float]:
    """Train long short-term memory of the same layers, or its spiking form, and measure it."""
    cell, material = trial.settings["kind"], trial.settings["material"]
    shared = ("epochs", "batch_size", "optimiser", "schedule", "threads")
    usual = trial.sizes["learning_rate"]["lstm"]
    rate = {"learning_rate": trial.settings.get("learning_rate", usual)}
    training = {key: tables["training"][key] for key in shared} | rate
    tables = {**tables, "baseline": {"kind": "recurrent", "cell": cell}, "training": training}
    tables = _with_data(trial, tables, train, test)
    network = trial.baseline(tables, f"{cell}-{material}", share=True).network
    if trial.settings.get("silenced"):
        for layer in SILENCED:
            network.module.arrays[f"{layer}.threshold"].data.fill_(_NEVER)
    return {**errors(network.predict(test), test), **gated(network, test)}


def gated(network: Any, test: Data) -> dict[str, float]:
    """Return the costs of long short-term memory in either form, and the rates of the spiking one.

    Each unit takes three products per step for its cell and its output.
    """
    arrays, layers = network.arrays(), network.activations(test)
    spikes = {name: layers[name] for name in SILENCED if f"{name}.threshold" in arrays}
    recurrent = [each for name, each in arrays.items() if name.endswith(".recurrent")]
    units = sum(each.shape[1] for each in recurrent)
    products, accumulates = 3 * units + sum(each.size for each in recurrent), 0.0
    for source, name in zip(("", *layers), layers, strict=False):
        if source in spikes:
            accumulates += len(arrays[f"{name}.weight"]) * spikes[source].sum(-1).mean()
        else:
            products += arrays[f"{name}.weight"].size
    trained = sum(each.size for each in arrays.values())
    numbers = costs(trained, 2 * units, units * bool(spikes), accumulates, products)
    if spikes:
        rates = spikes["middle"].mean(axis=(0, 1))
        quietest = min(int(each.sum()) for each in spikes.values())
        numbers |= {"middle_rate": rates.mean(), "busiest": rates.max(), "spikes": quietest}
    return numbers


def memoryless(trial: Trial, train: Data, test: Data) -> dict[str, float]:
    """Train a multilayer perceptron of single points, and measure it."""
    sizes, inputs = trial.sizes, trial.settings["inputs"]
    seen, unseen = pointwise(train, inputs), pointwise(test, inputs)
    layers: list[dict[str, Any]] = [
        {"kind": "dense", "name": name, "units": sizes["hidden"]}
        for name in ("first", "middle", "third")
    ]
    tables = {
        "baseline": {"kind": "feedforward"},
        "data": {"validation": 0.2},
        "network": {
            "input_shape": list(seen.shape), "steps": 1,
            "task": {"kind": "regression", "outputs": 1},
            "encoder": {"kind": "frames"}, "decoder": {"kind": "mean"},
            "layers": [*layers, {"kind": "dense", "name": "output", "units": 1}],
        },
        "training": {
            "epochs": sizes["epochs"]["memoryless"], "batch_size": 128,
            "learning_rate": sizes["learning_rate"]["memoryless"],
            "optimiser": "adamw", "schedule": "cosine", "threads": 1,
        },
    }  # fmt: skip
    fitted = trial.baseline(_with_data(trial, tables, seen, unseen))
    return errors(fitted.network.predict(unseen), unseen)


def errors(output: NDArray[np.float64], test: Data) -> dict[str, float]:
    """Return the normalised and the relative error of outputs, see `EXPERIMENT`."""
    assert test.targets is not None
    target = test.targets.reshape(output.shape)
    squares = float(np.mean((output - target) ** 2))
    return {
        "error": squares / float(target.var()),
        "relative_error": float(np.sqrt(squares / np.mean(target**2))),
    }


def _with_data(trial: Trial, tables: Mapping[str, Any], train: Data, test: Data) -> dict[str, Any]:
    """Return tables with the data, which are written to a file."""
    material, inputs = trial.settings["material"], trial.settings.get("inputs", "history")
    name = f"{material}-{inputs.replace(' ', '-')}"
    return changed(tables, {"data": trial.data(train, test, name, share=True)})


def draw_errors(rows: Rows) -> Figure:
    """Normalised error on the test set, and rate of the middle layer: seeds and their mean."""
    titles = {"error": "normalised error", "middle_rate": "middle layer, spikes per step"}
    return dots(rows, titles, log=["error"])


_MATERIALS = {
    "elasticity": "linear elasticity", "ramberg-osgood": "Ramberg-Osgood",
    "plasticity": "plasticity",
}  # fmt: skip


def _conditions() -> dict[str, Condition]:
    found: dict[str, Condition] = {}

    def add(
        name: str, text: str, material: str, kind: str, *, quick: bool = False, first: int = 0,
        **more: Any,
    ) -> None:  # fmt: skip
        settings = {"material": material.replace("-", "_"), "kind": kind, **more}
        silent = kind not in ("spiking", "slstm") or "silenced" in more
        seeds = 3 if material == "ramberg-osgood" else None
        found[name] = Condition(
            text, settings, seeds, quick, may_be_silent=silent, first_seed=first
        )

    silenced = "the same without spikes of the first two layers"
    for each, text in _MATERIALS.items():
        add(each, f"{text}, spiking network", each, "spiking", quick=each != "ramberg-osgood")
        add(f"{each}-silenced", silenced, each, "silenced", quick=each == "plasticity")
    for each in ("ramberg-osgood", "plasticity"):
        add(f"{each}-lstm", f"{_MATERIALS[each]}, long short-term memory", each, "lstm")
    add("plasticity-slstm", "plasticity, spiking long short-term memory", "plasticity", "slstm")
    add("plasticity-slstm-silenced", silenced, "plasticity", "slstm", silenced=True)
    for form, learning_rate in FASTER.items():
        text = f"the same as `plasticity-{form}`, learning rate {learning_rate:g}"
        add(f"plasticity-{form}-faster", text, "plasticity", form, first=200,
            learning_rate=learning_rate)  # fmt: skip
    text = "Ramberg-Osgood, multilayer perceptron of the present strain and the yield stress"
    add("ramberg-osgood-memoryless", text, "ramberg-osgood", "memoryless", inputs="present")
    for each, inputs, what in (
        ("memoryless", "present", "strain alone"), ("clock", "clock", "time alone"),
        ("memoryless-clock", "present and clock", "strain and time"),
    ):  # fmt: skip
        text, quick = f"plasticity, multilayer perceptron of {what}", inputs == "present"
        add(f"plasticity-{each}", text, "plasticity", "memoryless", quick=quick, inputs=inputs)
    return found


def _of_kind(*kinds: str) -> tuple[str, ...]:
    return tuple(name for name, each in _CONDITIONS.items() if each.settings["kind"] in kinds)


_CONDITIONS = _conditions()

EXPERIMENT = Experiment(
    title="Regression of stress-strain histories",
    source="Henkes, Eshraghian & Wessels (2022), "
    "[arXiv:2210.03515](https://arxiv.org/abs/2210.03515); data, networks and thresholds are ours",
    claim="Spiking networks learn the stress of materials from their strain. For a plastic "
    "material, which needs a memory of the history, their error is at most twice that of long "
    "short-term memory, and that of spiking long short-term memory at most ten times.",
    source_says="Henkes et al. say that spiking networks, for materials with a history spiking "
    "long short-term memory, regress stress accurately, and can save memory and energy. Here both "
    "are counted, and no criterion judges them; the threshold of accuracy is ours.",
    source_part="accuracy on plasticity",
    conditions=_CONDITIONS,
    columns={
        "error": Column("normalised error: mean squared error, divided by the variance of targets"),
        "relative_error": Column("root mean squared error, divided by that of a prediction of 0"),
        "middle_rate": Column("rate of the middle layer", "spikes per neuron and step"),
        "busiest": Column("rate of its busiest neuron", "spikes per step"),
        **COLUMNS,
        **OUTPUTS,
        **COSTS,
    },
    run=run,
    sizes={
        "train": 1000, "test": 500, "points": 50, "hidden": 64, "compile": "auto",
        "epochs": {
            "elasticity": 20, "ramberg_osgood": 60, "plasticity": 100, "memoryless": 10,
        },
        "learning_rate": {
            "elasticity": 4e-3, "ramberg_osgood": 8e-3, "plasticity": 8e-3, "lstm": 4e-3,
            "memoryless": 2e-3,
        },
    },
    quick={
        "train": 240, "test": 15, "points": 20, "hidden": 24, "compile": False,
        "epochs": {"elasticity": 4, "ramberg_osgood": 5, "plasticity": 6, "memoryless": 5},
        "learning_rate": {
            "elasticity": 8e-3, "ramberg_osgood": 8e-3, "plasticity": 1.6e-2, "lstm": 8e-3,
            "memoryless": 4e-3,
        },
    },
    criteria=(
        claim("relative error, elasticity", largest("relative_error", "elasticity"), "<=", 0.05,
              0.4),
        claim("error, plasticity", largest("error", "plasticity"), "<=", 0.1, 0.8),
        claim("error, Ramberg-Osgood", largest("error", "ramberg-osgood"), "<=", 0.1),
        claim("error, plasticity, relative to long short-term memory",
              ratio("error", "plasticity", "plasticity-lstm"), "<=", 2.0, in_quick=False),
        claim("error, plasticity, spiking long short-term memory",
              largest("error", "plasticity-slstm"), "<=", 0.1, source=True),
        claim("error, plasticity, spiking long short-term memory relative to the conventional one",
              ratio("error", "plasticity-slstm", "plasticity-lstm"), "<=", 10.0, in_quick=False),
        claim("the same, with a learning rate chosen for each",
              ratio("error", "plasticity-slstm-faster", "plasticity-lstm-faster"), "<=", 10.0,
              in_quick=False),
        *(
            claim(f"rate of the middle layer, {text}", largest("middle_rate", name), "<", 1.0)
            for name, text in _MATERIALS.items()
        ),
        *no_difference(_MATERIALS),
        control("error without memory, plasticity",
                smallest("error", "plasticity-memoryless"), ">=", 0.8, 0.5),
        control("error with a clock alone", smallest("error", "plasticity-clock"), ">", 0.1),
        control("error with strain and clock",
                smallest("error", "plasticity-memoryless-clock"), ">", 0.1),
        control("error without memory, Ramberg-Osgood",
                largest("error", "ramberg-osgood-memoryless"), "<=", 0.1),
        control("relative error without spikes of two layers, elasticity",
                smallest("relative_error", "elasticity-silenced"), ">", 0.05, 0.4),
        *(
            control(f"error without spikes of two layers, {_MATERIALS[name]}",
                    smallest("error", f"{name}-silenced"), ">", 0.1, 0.8)
            for name in ("ramberg-osgood", "plasticity")
        ),
        control("error without spikes of two layers, spiking long short-term memory",
                smallest("error", "plasticity-slstm-silenced"), ">", 0.1),
    ),
    groups={
        "Spiking networks": _of_kind("spiking", "silenced"),
        "Long short-term memory": _of_kind("lstm", "slstm"),
        "Perceptrons": _of_kind("memoryless"),
    },
    figures={"errors": draw_errors},
)  # fmt: skip
