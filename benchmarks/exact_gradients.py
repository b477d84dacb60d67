"""Gradients by exact spike times, compared with an event-driven reference.

``python -m benchmarks.exact_gradients`` draws networks of four neurons that four spike trains
drive, and the gradient of a smooth function of all spike times in a random direction of the
weights: by central differences of the reference, and by the mirror at several time steps. Networks
count in which both fire the same number of spikes at every step. Errors are relative; *order* is
the slope of the logarithm of their median over that of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.event_driven import Array, Dynamics, spike_times
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae.equations import NeuronModel
from bioae.files import write_text
from bioae.networks import Network, NetworkConfig
from bioae.random import stream
from bioae.showing import markdown_table
from bioae.trainers import NetworkMirror
from bioae.trainers.mirror.derivatives import Exact, SpikeDerivative
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer import Compile
from bioae.trainers.mirror.layer_parameters import LayerOptions

_COMMAND = "python -m benchmarks.exact_gradients"
_COUNT, _DURATION, _DIFFERENCE = 4, 0.03, 1e-5
#: Time steps in seconds.
STEPS = (5e-4, 2.5e-4, 1.25e-4, 6.25e-5, 3.125e-5)
_DRAWS = 100


@dataclass(frozen=True)
class Case:
    """A neuron model in both forms, and the range of its weights.

    Attributes
    ----------
    model
        The fields of the neuron model, whose potential is held while it is refractory.
    dynamics
        The same model for the reference.
    weights, recurrent
        The ranges of the weights, in the model's unit of weights and between neurons.
    unit
        The unit of weights in SI units.
    """

    model: dict[str, Any]
    dynamics: Dynamics
    weights: tuple[float, float]
    recurrent: tuple[float, float]
    unit: float = 1.0

    def refractory(self, time: float) -> Case:
        """Return the case with a refractory time in seconds; 0: none."""
        held, fields = ("(unless refractory)", {"refractory": f"{time!r}*second"})
        if not time:
            held, fields = "", {}
        equations = self.model["equations"].replace("HELD", held)
        more = {"description": "A model of the comparison.", "method": "euler"}
        model = {**more, **self.model, **fields, "equations": equations}
        return replace(self, model=model, dynamics=replace(self.dynamics, refractory=time))


def _leaky(x: Array, active: NDArray[np.bool_]) -> Array:
    v, current = x[:2]
    return np.array([np.where(active, (current - v) / 10e-3, 0), -current / 5e-3])


def _adaptive(x: Array, active: NDArray[np.bool_]) -> Array:
    return np.array([*_leaky(x, active), -x[2] / 50e-3])


def _exponential(x: Array, active: NDArray[np.bool_]) -> Array:
    v, current, w = x
    upstroke = 10e-9 * 2e-3 * np.exp(np.clip((v + 50e-3) / 2e-3, -50, 2))
    dv = (10e-9 * (-70e-3 - v) + upstroke - w + current) / 100e-12
    dw = (2e-9 * (v + 70e-3) - w) / 100e-3
    return np.array([np.where(active, dv, 0), -current / 5e-3, dw])


def _conductance(x: Array, active: NDArray[np.bool_]) -> Array:
    v, g = x
    dv = (10e-9 * (-60e-3 - v) + g * (0 - v)) / 200e-12
    return np.array([np.where(active, dv, 0), -g / 5e-3])


_CURRENT = "dI/dt = -I/(5*ms) : "

CASES = {
    "LIF": Case(
        {
            "equations": f"dv/dt = (I - v)/(10*ms) : 1 HELD\n{_CURRENT}1", "threshold": "v > 1",
            "reset": "v = 0", "input": "I",
        },
        Dynamics((0, 0), _leaky, lambda x: x[0] - 1, lambda x: x * [0, 1], 1),
        (0.8, 2.5), (-0.3, 0.5),
    ),
    "ALIF": Case(
        {
            "equations": f"dv/dt = (I - v)/(10*ms) : 1 HELD\n{_CURRENT}1\nda/dt = -a/(50*ms) : 1",
            "threshold": "v > 1 + a", "reset": "v = 0\na += 0.2", "input": "I",
            "surrogate": {"distance": "v - 1 - a", "scale": "1"},
        },
        Dynamics(
            (0, 0, 0), _adaptive, lambda x: x[0] - 1 - x[2], lambda x: x * [0, 1, 1] + [0, 0, 0.2],
            1,
        ),
        (0.8, 2.5), (-0.3, 0.5),
    ),
    "AdEx": Case(
        {
            "equations": """
dv/dt = (10*nS*(-70*mV - v + 2*mV*exp(clip((v + 50*mV)/(2*mV), -50, 2))) - w + I)/C : volt HELD
dI/dt = -I/(5*ms) : amp
dw/dt = (2*nS*(v + 70*mV) - w)/(100*ms) : amp""",
            "threshold": "v > -46*mV", "reset": "v = -70*mV\nw += 20*pA", "input": "I",
            "weight": "0.2*nA", "parameters": {"C": "100*pF"}, "initial": {"v": "-70*mV"},
            "surrogate": {"distance": "v + 46*mV", "scale": "20*mV"},
        },
        Dynamics(
            (-70e-3, 0, 0), _exponential, lambda x: x[0] + 46e-3,
            lambda x: x * [0, 1, 1] + [-70e-3, 0, 20e-12], 1,
        ),
        (0.8, 2.5), (-0.3, 0.5), 0.2e-9,
    ),
    "conductance": Case(
        {
            "equations": """
dv/dt = (10*nS*(-60*mV - v) + g*(0*mV - v))/(200*pF) : volt HELD
dg/dt = -g/(5*ms) : siemens""",
            "threshold": "v > -50*mV", "reset": "v = -60*mV", "input": "g", "weight": "5*nS",
            "initial": {"v": "-60*mV"},
            "surrogate": {"distance": "v + 50*mV", "scale": "10*mV"},
        },
        Dynamics(
            (-60e-3, 0), _conductance, lambda x: x[0] + 50e-3, lambda x: x * [0, 1] + [-60e-3, 0], 1
        ),
        (0.7, 1.6), (0, 0.2), 5e-9,
    ),
}  # fmt: skip


class Draw(NamedTuple):
    """A network of a case, its input, and a direction of its weights."""

    weights: Array
    recurrent: Array
    arrivals: list[Array]
    to_weights: Array
    to_recurrent: Array


def draw(case: Case, seed: int, *, recurrent: bool) -> Draw:
    """Draw a network; arrivals are at whole milliseconds, which are multiples of all steps."""
    random = stream(seed, 0)
    shape = (_COUNT, _COUNT)
    wired = recurrent * (1 - np.eye(_COUNT))
    arrivals = [np.unique(random.integers(1, 15, 2)) * 1e-3 for _ in range(_COUNT)]
    return Draw(
        random.uniform(*case.weights, shape), wired * random.uniform(*case.recurrent, shape),
        arrivals, random.standard_normal(shape), wired * random.standard_normal(shape),
    )  # fmt: skip


def reference(case: Case, drawn: Draw) -> tuple[list[int], float]:
    """Return the numbers of spikes and the derivative, by a central difference.

    No number if the difference adds or removes a spike.
    """
    counts, losses = [], []
    for sign in (-1, 1):
        changed = [
            case.unit * (weights + sign * _DIFFERENCE * direction)
            for weights, direction in ((drawn[0], drawn[3]), (drawn[1], drawn[4]))
        ]
        fired = spike_times(case.dynamics, changed[0], changed[1], drawn.arrivals, _DURATION)
        counts.append([len(times) for times in fired])
        losses.append(sum(float(_score(times).sum()) for times in fired))
    same = counts[0] if counts[0] == counts[1] else []
    return same, (losses[1] - losses[0]) / (2 * _DIFFERENCE)


def mirrored(
    case: Case,
    drawn: Draw,
    dt: float,
    rule: SpikeDerivative,
    *,
    compiled: Compile = True,
    **options: Any,
) -> tuple[list[int], float]:
    """Return the numbers of spikes and the derivative of the mirror with a time step."""
    steps = round(_DURATION / dt)
    layer = {"kind": "dense", "name": "only", "shape": [1, 1, _COUNT], "recurrent": True}
    model = NeuronModel.from_mapping("compared", case.model, where="compared.toml")
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, _COUNT], "steps": steps, "dt": f"{dt!r}*second", "neuron": model,
            "layers": [layer], "decoder": {"kind": "mean"},
        },
        where="compared",
    )  # fmt: skip
    network = Network(config, {"only.weight": drawn.weights, "only.recurrent": drawn.recurrent})
    mirror = NetworkMirror(
        network, LayerOptions(Backward(rule, **options)), dtype=torch.float64, compile=compiled
    )
    drive = torch.zeros(steps, 1, 1, 1, _COUNT, dtype=torch.float64)
    for k, times in enumerate(drawn.arrivals):
        # What a step delivers changes the states at its end.
        drive[np.round(times / dt).astype(int) - 1, 0, 0, 0, k] = 1
    spikes = mirror(drive).layers["only"].spikes.view(steps, _COUNT)
    times = dt * torch.arange(1, steps + 1, dtype=torch.float64)
    (spikes * _score(times)[:, None]).sum().backward()  # type: ignore[no-untyped-call]
    gradients = {name: each.grad.numpy() for name, each in mirror.weights.items()}
    along = (gradients["only.weight"] * drawn.to_weights).sum()
    along += (gradients["only.recurrent"] * drawn.to_recurrent).sum()
    return spikes.detach().sum(0).int().tolist(), float(along)


def _score(times: Any) -> Any:
    """Return the smooth function of spike times that is differentiated."""
    library: Any = torch if isinstance(times, torch.Tensor) else np
    return library.sin(2 * np.pi * times / 0.03)


def errors(case: Case, steps: Sequence[float], *, recurrent: bool) -> Iterator[Errors]:
    """Yield the relative errors at all steps of each network in which both fire as often."""
    seed = 0
    while True:
        drawn = draw(case, seed, recurrent=recurrent)
        counts, expected = reference(case, drawn)
        found = []
        for dt in steps:
            fired, derivative = mirrored(case, drawn, dt, Exact())
            if fired != counts or not counts:
                break
            found.append(abs(derivative / expected - 1))
        else:
            yield Errors(seed, sum(counts), np.array(found))
        seed += 1


class Errors(NamedTuple):
    """A network's seed, its number of spikes, and its relative error at each step."""

    seed: int
    spikes: int
    relative: Array


def order(steps: Sequence[float], medians: Array) -> float:
    """Return the slope of the logarithm of errors over that of steps."""
    return float(np.polyfit(np.log(steps), np.log(medians), 1)[0])


def main() -> None:
    """Measure each case, and write each row as soon as it is known."""
    options = parser(_COMMAND, __doc__).parse_args()
    torch.set_num_threads(1)
    stored = Stored(DOCS_RESULTS / "exact_gradients.json", _COMMAND)
    keys = [
        {"model": name, "recurrent": recurrent, "refractory_ms": time}
        for name in CASES
        for recurrent in (False, True)
        for time in (0, 2)
    ]
    for key in stored.pending(keys, resume=options.resume):
        case = CASES[key["model"]].refractory(key["refractory_ms"] * 1e-3)
        several = errors(case, STEPS, recurrent=key["recurrent"])
        found = [next(several) for _ in range(_DRAWS)]
        medians = np.median([each.relative for each in found], axis=0)
        row = {
            **key, "spikes": sum(each.spikes for each in found), "drawn": found[-1].seed + 1,
            "errors": {
                f"{dt * 1e3:g} ms": float(f"{error:.4g}")
                for dt, error in zip(STEPS, medians, strict=True)
            },
            "order": round(order(STEPS, medians), 3),
        }  # fmt: skip
        stored.add(row)
        print(row, flush=True)
        write_text(
            DOCS_RESULTS / "exact_gradients-table.inc", table(stored.rows) + "\n", overwrite=True
        )


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of the page."""
    steps = [f"{dt * 1e3:g} ms" for dt in STEPS]
    head = ["model", "recurrent", "refractory", "spikes", *steps, "order"]
    return markdown_table(
        head,
        [
            [
                row["model"], "yes" if row["recurrent"] else "no", f"{row['refractory_ms']} ms",
                str(row["spikes"]), *(f"{error:.3f}" for error in row["errors"].values()),
                f"{row['order']:.2f}",
            ]
            for row in rows
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
