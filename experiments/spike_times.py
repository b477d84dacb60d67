"""ReLU networks compiled to spike times, jumps of spike times, and causal sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.random import named_stream
from experiments.common.agreement import COLUMNS, DIFFERING, Agreement, fewest_spikes, no_difference
from experiments.common.recipes import read
from experiments.runner.criteria import Rows, claim, control, largest, smallest, values_of
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.spike_response import SpikeTimeNetwork

Numbers = NDArray[np.float64]

#: The bits after the point of the compiled weights that run in Brian2, and of the usual grid.
BITS, USUAL_BITS = 24, 12

#: Steps per millisecond, and points per millisecond of the grids on which jumps are looked for.
STEPS = tuple(2**power for power in range(7))
GRIDS = (16, 64, 256, 1024)

#: The constructions: inputs spike at 0, at a time from 0.5 to 1.5, and at 2; the threshold is 1.
JUMP = {"jump": (1.0, -2.0, 3.0), "positive": (1.0, 2.0, 3.0)}
FIRST, LAST, OTHERS = 0.5, 1.5, (0.0, 2.0)


def recipe(inputs: int, hidden: tuple[int, ...], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training configuration of a ReLU network, without its data."""
    values = read("spike_times")
    units = {f"hidden{place}": size for place, size in enumerate(hidden, start=1)} | {"output": 1}
    layers = [{"kind": "dense", "name": name, "units": size} for name, size in units.items()]
    values["network"] |= {"input_shape": [1, 1, inputs], "layers": layers}
    values["training"] |= {"epochs": sizes["epochs"]}
    return values


def run(trial: Trial) -> Mapping[str, float]:
    """Compute a row: of a compiled network, of a neuron's jump, or of causal sets."""
    if "hidden" in trial.settings:
        return _compiled(trial)
    if trial.condition in JUMP:
        return _jump(trial)
    return _regions(trial)


def _compiled(trial: Trial) -> dict[str, float]:
    """Train a ReLU network, compile it, and run it from event to event and in Brian2."""
    from experiments.spike_response import compile_relu, relu_outputs
    from experiments.synthetic import genz

    sizes, inputs = trial.sizes, trial.settings["inputs"]
    train = genz(sizes["train"], inputs=inputs, seed=trial.seed)
    test = genz(sizes["test"], inputs=inputs, seed=trial.seed, split="test")
    tables = recipe(inputs, trial.settings["hidden"], sizes)
    trained = trial.baseline(tables | {"data": trial.data(train, test)})
    arrays = trained.network.arrays()
    names = [layer["name"] for layer in tables["network"]["layers"]]
    weights, biases = ([arrays[f"{n}.{kind}"] for n in names] for kind in ("weight", "bias"))
    values = test.as_float()[: sizes["examples"], 0, 0]
    expected = relu_outputs(weights, biases, values)

    def error(outputs: Numbers) -> Numbers:
        return np.asarray(np.abs(outputs - expected))

    window = sizes["window"]
    exact, network, coarse = (
        compile_relu(weights, biases, window=window, bits=bits) for bits in (None, BITS, USUAL_BITS)
    )
    row = {
        "r2": float(trained.summary["test_r2"]),
        "event_error": float(error(exact.run_events(values)).max()),
        "rounding_error": float(error(network.run_events(values)).max()),
        "rounding_error_12": float(error(coarse.run_events(values)).max()),
        "duration": exact.duration,
    }
    in_steps, errors = [], {}
    for steps in STEPS[: sizes["halvings"] + 1]:
        outputs, counts = _in_brian2(trial, network, values, steps)
        errors[steps] = row[f"error_{steps}"] = float(error(outputs).mean())
        in_steps.append(counts)
    row["slope"] = _slope(errors)
    row |= {name: sum(c[name] for c in in_steps) for name in (DIFFERING, "misplaced_spikes")}
    return row | {"spikes": min(counts["spikes"] for counts in in_steps)}


def _in_brian2(
    trial: Trial, network: SpikeTimeNetwork, values: Numbers, steps: int
) -> tuple[Numbers, dict[str, float]]:
    """Return the outputs in Brian2 with so many steps per millisecond, and numbers of spikes."""
    ordinary = network.to_network(f"1*ms/{steps}")
    images = network.images(values, ordinary)
    result = trial.simulate(ordinary, images, f"steps-{steps}")
    few = images[: trial.sizes["mirrored"]]
    whole = len(few) == len(images)
    again = result if whole else trial.simulate(ordinary, few, f"few-{steps}")
    both = Agreement(ordinary, again, trial.mirror(ordinary, few))
    pairs = zip(network.read_times(result), network.spike_times(values, 1 / steps), strict=True)
    counts = {
        DIFFERING: both.spikes[DIFFERING],
        "misplaced_spikes": sum(int((found != expected).sum()) for found, expected in pairs),
        "spikes": fewest_spikes(ordinary, result),
    }
    return network.decode(result["output"].to_numpy(), ordinary), counts


def _jump(trial: Trial) -> dict[str, float]:
    """Move the second input of a neuron, and look for jumps of its spike time."""
    from experiments.spike_response import SpikeTimeLayer, SpikeTimeNetwork

    layer = SpikeTimeLayer(np.array([JUMP[trial.condition]]), np.ones(1))
    network = SpikeTimeNetwork((layer,), 8.0)
    gaps = {points: _largest_gap(network, points) for points in GRIDS}
    finest = GRIDS[-1]
    row = {f"gap_{points}": gap for points, gap in gaps.items()}
    row |= {"jump": gaps[finest], "exponent": _slope(gaps)}
    if trial.condition == "positive":
        row["drawn_gap"] = _drawn_gap(trial, finest) * finest
    steps = STEPS[trial.sizes["jump_halvings"]]
    outputs, counts = _in_brian2(trial, network, _moved(steps), steps)
    return row | counts | {"brian2_jump": float(np.abs(np.diff(outputs[:, 0])).max())}


def _moved(points: int) -> Numbers:
    """Return spike times of the inputs, of which the second moves on a grid (example, input)."""
    times = np.linspace(FIRST, LAST, round((LAST - FIRST) * points) + 1)
    return np.column_stack([np.full_like(times, OTHERS[0]), times, np.full_like(times, OTHERS[1])])


def _largest_gap(network: SpikeTimeNetwork, points: int) -> float:
    return float(np.abs(np.diff(network.run_events(_moved(points))[:, 0])).max())


def _drawn_gap(trial: Trial, points: int) -> float:
    """Return the largest gap of neurons with random positive weights, whose first input moves."""
    from experiments.spike_response import spike_times

    gaps = []
    for place in range(trial.sizes["neurons"]):
        draw = named_stream(trial.seed, "spike_times", "gap", str(place))
        inputs = int(draw.integers(2, 7))
        times = np.tile(3 * draw.random(inputs), (3 * points + 1, 1))
        times[:, 0] = np.linspace(0, 3, len(times))
        fired = spike_times(times, [draw.random(inputs) + 0.1], [1.0])[:, 0]
        gaps.append(float(np.abs(np.diff(fired)).max()))
    return max(gaps)


def _regions(trial: Trial) -> dict[str, float]:
    """Count the causal sets of neurons with positive weights, and check what they determine."""
    from experiments.spike_response import causal_sets, spike_times

    fractions, errors = [], []
    for inputs in range(2, trial.sizes["inputs"] + 1):
        draw = named_stream(trial.seed, "spike_times", "sets", str(inputs))
        weights = draw.random((1, inputs)) + 0.5
        spread = 2 * inputs * draw.random((trial.sizes["draws"], 1))
        times = spread * draw.random((trial.sizes["draws"], inputs))
        causal = causal_sets(times, weights, [1.0])[:, 0]
        fractions.append(len(np.unique(causal, axis=0)) / (2**inputs - 1))
        # Where no input is about to arrive, differences of spike times give the affine function.
        step = 1e-4
        fired = spike_times(times, weights, [1.0])
        inside = (np.abs(times - fired) > 2 * step).all(1)
        expected = causal * weights / (causal * weights).sum(1, keepdims=True)
        for place in range(inputs):
            moved = times + step * (np.arange(inputs) == place)
            slope = (spike_times(moved, weights, [1.0]) - fired)[:, 0] / step
            errors.append(float(np.abs(slope - expected[:, place])[inside].max()))
    return {"causal_sets": min(fractions), "gradient_error": max(errors)}


def _slope(values: Mapping[int, float]) -> float:
    """Return the slope of values against the spacing, one over the key, in log-log axes."""
    spacing = 1 / np.array([*values], float)
    return float(np.polyfit(np.log(spacing), np.log([*values.values()]), 1)[0])


def draw_errors(rows: Rows) -> Figure:
    """Mean error of the outputs in Brian2 by the time step: seeds, and a line of slope 1."""
    from bioae.analysis.plots.style import INK, colour_of, new_figure

    figure = new_figure(3.6, 2.8)
    axes = figure.subplots()
    for place, name in enumerate(_NETWORKS):
        errors = {n: values_of(rows, f"error_{n}", name) for n in STEPS}
        known = {n: each for n, each in errors.items() if len(each) and np.isfinite(each).all()}
        if not known:
            continue
        dt, lines = 1 / np.array([*known]), np.array([*known.values()])
        axes.loglog(dt, lines, "o-", color=colour_of(place), markersize=4, linewidth=1)
        axes.plot([], [], "o-", color=colour_of(place), markersize=4, label=name)
        axes.loglog(dt, lines.mean() / dt.mean() * dt, ":", color=INK, linewidth=1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    axes.set_xlabel("dt (ms)")
    axes.set_ylabel("mean error")
    return figure


def draw_jump(rows: Rows) -> Figure:
    """Spike time by that of the second input, and largest gap by the spacing of the grid."""
    from bioae.analysis.plots.style import colour_of, new_figure
    from experiments.spike_response import spike_times

    figure = new_figure(6.4, 2.6)
    left, right = figure.subplots(1, 2)
    inputs = _moved(GRIDS[1])
    for place, name in enumerate(JUMP):
        style = {"color": colour_of(place), "markersize": 3, "label": f"w = {JUMP[name]}"}
        fired = spike_times(inputs, [JUMP[name]], [1.0])[:, 0]
        left.plot(inputs[:, 1], fired, "o", **style)
        gaps = [values_of(rows, f"gap_{points}", name)[:1] for points in GRIDS]
        right.loglog(1 / np.array(GRIDS), gaps, "o-", **style)
    left.set_xlabel("spike time of the second input (ms)")
    left.set_ylabel("spike time (ms)")
    right.set_xlabel("spacing of the grid (ms)")
    right.set_ylabel("largest gap (ms)")
    left.legend()
    return figure


_NETWORKS = {"shallow": (4, (16,)), "deep": (8, (32, 32))}

EXPERIMENT = Experiment(
    title="Spike times that compute ReLU networks, and jump",
    source="Singh, Fono & Kutyniok 2023, arXiv:2308.08218; the compilation and its time codes are "
    "ours",
    claim="Networks of neurons with a linear spike response compute trained ReLU networks by the "
    "times of single spikes: exactly from event to event, and in Brian2 with an error in "
    "proportion to the time step. One such neuron computes a function that jumps, and has one "
    "affine piece for each of the 2^d - 1 causal sets of its d inputs.",
    source_says="Singh et al. prove that networks of such neurons emulate every ReLU network, "
    "realise functions that jump, and have a number of linear regions per neuron that grows "
    "exponentially with its inputs. Here examples of each are computed.",
    conditions={
        name: Condition(
            f"ReLU network {'-'.join(map(str, (inputs, *hidden, 1)))}, compiled",
            {"inputs": inputs, "hidden": hidden}, quick=name == "shallow",
        )
        for name, (inputs, hidden) in _NETWORKS.items()
    }
    | {
        "jump": Condition("a neuron of the weights 1, -2, 3", seeds=1),
        "positive": Condition("a neuron of the weights 1, 2, 3, and random positive ones"),
        "regions": Condition("neurons of 2 to 6 positive weights", may_be_silent=True),
    },
    columns={
        "r2": Column("R^2 of the ReLU network, test split"),
        "event_error": Column("largest error from event to event"),
        "rounding_error": Column("the same, weights rounded to multiples of 2^-24"),
        "rounding_error_12": Column("the same, weights rounded to multiples of 2^-12"),
        **{
            f"error_{n}": Column(f"mean error in Brian2, dt = 1/{n} ms", shown=n in (1, 8, 64))
            for n in STEPS
        },
        "slope": Column("log-log slope of the error in Brian2 against dt"),
        "misplaced_spikes": Column("spike times that are not the exact ones in whole steps"),
        "jump": Column("largest gap between neighbours, 1/1024 ms apart", "ms"),
        "brian2_jump": Column("largest gap in Brian2", "ms"),
        "exponent": Column("log-log slope of the largest gap against the spacing"),
        "drawn_gap": Column("largest gap of random positive weights, by the spacing"),
        **{f"gap_{n}": Column(f"largest gap, 1/{n} ms apart", "ms", shown=False) for n in GRIDS},
        "causal_sets": Column("fraction of the 2^d - 1 causal sets that occur, of the worst d"),
        "gradient_error": Column("largest error of a slope, of what the causal set determines"),
        "duration": Column("duration of a presentation", "ms"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "train": 2000, "test": 200, "epochs": 20, "examples": 100, "mirrored": 8, "window": 32.0,
        "halvings": 6, "jump_halvings": 6, "neurons": 200, "inputs": 6, "draws": 50_000,
    },
    quick={
        "train": 400, "test": 60, "epochs": 30, "examples": 8, "mirrored": 10, "window": 16.0,
        "halvings": 3, "jump_halvings": 3, "neurons": 5, "inputs": 4, "draws": 4000,
    },
    seeds=3,
    criteria=(
        *(
            criterion
            for name in _NETWORKS
            for criterion in (
                claim(f"error from event to event, {name}",
                      largest("event_error", name), "<=", 1e-10, source=True),
                claim(f"slope of the error in Brian2, {name}", smallest("slope", name), ">=", 0.9,
                      0.7),
                claim(f"slope of the error in Brian2, {name}", largest("slope", name), "<=", 1.1,
                      1.3),
            )
        ),
        claim("jump", smallest("jump", "jump"), ">=", 1.4, source=True),
        claim("jump in Brian2", smallest("brian2_jump", "jump"), ">=", 1.4),
        claim("causal sets", smallest("causal_sets", "regions"), ">=", 1.0, source=True),
        claim("error of the slopes", largest("gradient_error", "regions"), "<=", 1e-6, source=True),
        *no_difference((*_NETWORKS, *JUMP)),
        *(
            claim(f"spikes in Brian2 that are not the exact ones in whole steps, {name}",
                  largest("misplaced_spikes", name), "<=", 0.0)
            for name in (*_NETWORKS, *JUMP)
        ),
        *(
            control(f"R^2 of the ReLU network, {name}", smallest("r2", name), ">=", 0.9, 0.5)
            for name in _NETWORKS
        ),
        control("exponent of the largest gap, positive weights",
                smallest("exponent", "positive"), ">=", 0.9),
        control("largest gap by the spacing, random positive weights",
                largest("drawn_gap", "positive"), "<=", 1.001),
        control("exponent of the largest gap, jump", largest("exponent", "jump"), "<=", 0.1),
    ),
    groups={
        "Compiled networks": tuple(_NETWORKS),
        "Single neurons": (*JUMP, "regions"),
    },
    figures={"errors": draw_errors, "jump": draw_jump},
)  # fmt: skip
