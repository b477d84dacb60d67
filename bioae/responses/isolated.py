"""Isolated neurons, stepped on arrays without Brian2: many drives at once, or a step of drive."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from brian2 import Equations
from brian2.units import Quantity
from numpy.typing import ArrayLike, NDArray

from bioae.checks import instance, number, one_of
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.declarations import parameter_values
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.program import INHIBITION, INPUT, LAYER_SPIKES, Program
from bioae.equations.quantities import constants, evaluate, text_of, time_in_seconds
from bioae.errors import InputError, ModelError
from bioae.networks.schedule import SCHEDULES, ScheduleName
from bioae.noise import START_STEP, Key, draw, settling_noise

if TYPE_CHECKING:
    import xarray as xr

#: The unit of time of a drive.
Per: TypeAlias = Literal["step", "ms"]
Parameters: TypeAlias = Mapping[str, float]

_SECOND = constants()["second"]
_DEFAULT_DT = "0.1*ms"
#: A time in seconds in which a neuron's state hardly changes.
_INSTANT = 1e-8
#: The steps per time constant below which a time step changes a neuron.
_FEWEST = 5


class IsolatedNeuron:
    """A neuron that starts like a presentation and is stepped in the order of a schedule.

    Its first step is at the time 0. A presentation in Brian2's order of a step begins a step
    before, so that its spikes come a step earlier than these.

    Under several drives there is a copy per drive; copies differ in their input and share their
    noise.

    `dt`: the time step in seconds; `parameters`: numbers in base units that replace the model's
    own, by name; `schedule`: the order of operations within a step.

    Raises `ModelError` if the model cannot be lowered, has no parameter of such a name, or a value
    does not fit.
    """

    def __init__(
        self,
        model: NeuronModel,
        *,
        dt: float,
        parameters: Parameters | None = None,
        schedule: ScheduleName = "brian2",
    ) -> None:
        self.program = lower(model)
        one_of(schedule, "schedule", tuple(SCHEDULES))
        parameters = parameters or {}
        instance(parameters, "parameters", Mapping)
        model.with_parameters(dict.fromkeys(parameters, ""))  # refuses unknown names
        self.dt = dt
        self._blocks = SCHEDULES[schedule].blocks
        self._step = 0
        self._stepper = Stepper(self.program, array_functions(np))
        changed = {
            name: np.asarray(number(value, f"the parameter {name!r}"))
            for name, value in parameters.items()
        }
        if changed:  # a file with these values is refused where they do not fit
            own = parameter_values(model)
            texts = {n: str(text_of(Quantity(v, dim=own[n].dim))) for n, v in changed.items()}
            lower(model.with_parameters(texts))
        known = {**default_parameters(self.program), **changed}
        start = Start(self.program, dt, 1)
        noise = settling_noise(self.program.draws, population=1, n=1)
        with np.errstate(all="ignore"):
            self.values: dict[str, Any] = {
                "dt": np.asarray(dt), "N": np.asarray(1.0), "i": np.zeros(1), "t": np.asarray(0.0),
                "_fired": np.zeros(1, dtype=bool), **known,
                **start.constants(known),
                **start.state(known, noise=noise),
            }  # fmt: skip
        self.values |= self._noise(START_STEP)
        with np.errstate(all="ignore"):
            for name, expression in self._stepper.random_start.items():
                self.values[name] = np.broadcast_to(expression(self.values), (1,))

    def copied(self) -> IsolatedNeuron:
        """Return a neuron in the same state."""
        found = copy.copy(self)
        found.values = dict(self.values)
        return found

    def step(self, drive: ArrayLike = 0.0, *, fires: bool = True) -> NDArray[np.bool_]:
        """Run one step.

        `drive`: the sum of network weights that arrives, one number per copy (copy); `fires`:
        whether the neuron may fire; otherwise a potential above threshold is not reset.

        Returns spikes (copy), or a single value where all copies are still the same.
        """
        values, stepper = self.values, self._stepper
        values["t"] = np.asarray(self._step * self.dt)
        values |= self._noise(self._step)
        arriving = np.atleast_1d(np.asarray(drive, dtype=np.float64))
        values |= dict.fromkeys(self.program.arriving, np.zeros_like(arriving))
        values[INPUT] = np.maximum(arriving, 0.0) if self.program.inhibited else arriving
        values[INHIBITION] = np.maximum(-arriving, 0.0)
        # Far above its threshold a neuron may overflow; callers check the result.
        with np.errstate(all="ignore"):
            stepper.prepare(values)
            for slot in self._blocks:
                match slot:
                    case "groups":
                        stepper.update(values)
                    case "thresholds":
                        fired = stepper.condition(values)
                        if fired is not None:
                            values["_fired"] = fired if fires else np.zeros_like(fired)
                            stepper.on_spike(values)
                        stepper.watch(values)
                    case "resets":
                        stepper.reset(values)
                        stepper.respond(values)
                    case _:
                        # Alone, it is its layer.
                        values[LAYER_SPIKES] = np.asarray(values["_fired"], np.float64)
                        stepper.receive(values)
        self._step += 1
        return np.asarray(values["_fired"])

    def check_fires(self) -> None:
        """Raise a ModelError if the model has no threshold."""
        if self.program.threshold is None:
            raise ModelError(
                f"the neuron model {self.program.model.name!r} never fires",
                expected="a model with a threshold",
            )

    def check_finite(self) -> None:
        """Raise a ModelError if a state is no longer a finite number."""
        wild = [n for n in self.program.states if not np.isfinite(self.values[n]).all()]
        if wild:
            raise ModelError(
                f"the neuron model {self.program.model.name!r} does not stay finite",
                found=", ".join(wild), hint="Use a smaller dt, or a smaller drive",
            )  # fmt: skip

    def _noise(self, step: int) -> dict[str, NDArray[np.float64]]:
        options = {"step": step, "population": 1, "count": 1}
        return {
            name: draw(site.distribution, Key(0, [0]), call=site.call, **options)[0]
            for name, site in self.program.draws.items()
        }


def time_step(model: NeuronModel, dt: str | Quantity | None = None) -> float:
    """Return the time step in seconds: `dt`, or the model's own, or 0.1 ms.

    Raises
    ------
    InputError
        If it is not a time, or longer than the model allows.
    """
    lower(model)  # refuses what is not a neuron model
    if dt is None:
        return time_in_seconds(model.dt or _DEFAULT_DT, where="dt")
    step = time_in_seconds(dt, where="dt")
    if model.dt is not None and step > time_in_seconds(model.dt, where="dt") * (1 + 1e-9):
        raise InputError(
            f"the time step is too long for the neuron model {model.name!r}", where="dt",
            expected=f"at most {model.dt}", found=str(dt),
        )  # fmt: skip
    return step


def steps_of(text: str | Quantity, dt: float, name: str, *, least: int = 1) -> int:
    """Return a time in steps, rounded to the nearest.

    Raises `InputError` if it is shorter than `least` steps, or not finite.
    """
    steps = float(evaluate(text, dimensions_of=_SECOND, where=name)) / dt
    if not least - 0.5 <= steps < np.inf:
        raise InputError(
            "the time is out of range", where=name, expected=f"{least} steps or more",
            found=str(text),
        )  # fmt: skip
    return max(round(steps), least)


def drive_scale(per: Per, dt: float) -> float:
    """Return the factor that turns a drive into one per step."""
    one_of(per, "per", get_args(Per))
    return dt * 1e3 if per == "ms" else 1.0


def drive_attributes(per: Per) -> dict[str, str]:
    """Return the long name and the unit of a drive."""
    unit = "1/ms" if per == "ms" else "1"
    return {"long_name": f"network weight per {per}", "units": unit}


def step_response(
    model: NeuronModel,
    drive: float,
    *,
    dt: str | None = None,
    before: str = "50*ms",
    during: str = "200*ms",
    after: str = "50*ms",
    per: Per = "step",
    parameters: Parameters | None = None,
) -> xr.Dataset:
    """Return the time course of a neuron's states and spikes under a step of drive.

    Parameters
    ----------
    drive
        The drive while it is on, in network weights.
    before, during, after
        The times for which the drive is off, on, and off again.
    model, dt, per, parameters
        As for `bioae.responses.rate_curve`; the model may have no threshold.

    Returns
    -------
    xarray.Dataset
        Along ``time`` in ms, at the end of each step: ``drive``, ``spike`` (bool), and
        ``state_VAR`` of each of the model's variables, with its unit.

    Raises
    ------
    ModelError
        If a state does not stay finite.
    """
    step = time_step(model, dt)
    lengths = [
        steps_of(text, step, name, least=0)
        for name, text in (("before", before), ("during", during), ("after", after))
    ]
    course = np.repeat([0.0, number(drive, "drive"), 0.0], lengths)
    neuron = IsolatedNeuron(model, dt=step, parameters=parameters)
    states = neuron.program.states
    names = [name for name in states if name not in ("lastspike", "not_refractory")]
    spikes, traces = np.zeros(len(course), dtype=bool), np.zeros((len(course), len(names)))
    for n, arriving in enumerate(course * drive_scale(per, step)):
        spikes[n] = neuron.step(arriving).any()
        traces[n] = [np.ravel(neuron.values[name])[0] for name in names]
    neuron.check_finite()
    time = np.arange(len(course)) * step * 1e3
    from xarray import Dataset

    return Dataset(
        {
            "drive": ("time", course, drive_attributes(per)),
            "spike": ("time", spikes, {"long_name": "spikes"}),
            **{
                f"state_{name}": ("time", trace, {"long_name": name, "units": states[name].unit})
                for name, trace in zip(names, traces.T, strict=True)
            },
        },
        coords={"time": ("time", time, {"long_name": "time", "units": "ms"})},
        attrs={"dt_ms": step * 1e3},
    )


def step_error(model: NeuronModel, weight: float, dt: str) -> float:
    """Return the error that a time step makes in the response to a spike of a weight.

    It is the largest difference, over variables of differential equations, from the course with a
    quarter of the step, both relative to their ranges. It is 0 for models with noise.
    """
    step, names = time_step(model, dt), Equations(model.equations).diff_eq_names
    if lower(model).draws or not names:
        return 0.0
    # An odd number of steps, at which diverging steps that alternate have another sign.
    after, courses = f"{(max(round(0.02 / step), 10) | 1) * step!r}*second", []
    for parts in (1, 4):
        each = f"{step / parts!r}*second"
        try:
            found = step_response(model, weight, dt=each, before="0*ms", during=each, after=after)
        except ModelError:  # it does not stay finite
            return math.inf
        course = np.array([found[f"state_{name}"][::parts] for name in names])
        courses.append((course - course[:, :1]) / np.maximum(np.ptp(course, 1), 1e-300)[:, None])
    return float(np.abs(courses[0] - courses[1]).max())


def time_constant(model: NeuronModel) -> float:
    """Return a neuron's fastest time constant in seconds, infinite where nothing changes in time.

    It is that of the differential equations, linearised at the initial state: the reciprocal of the
    largest eigenvalue by magnitude.
    """
    rest = IsolatedNeuron(model, dt=time_step(model)).values  # refuses what cannot be lowered
    names = sorted(Equations(model.equations).diff_eq_names)
    initial = {key: text for key, text in model.initial.items() if key != "settle"}
    neuron = IsolatedNeuron(model.model_copy(update={"initial": initial}), dt=_INSTANT)
    neuron.values |= {name: rest[name] for name in neuron.program.states}

    def after(name: str, change: float) -> NDArray[np.float64]:
        changed = neuron.copied()
        changed.values[name] = changed.values[name] + change
        changed.step(fires=False)
        return np.array([np.ravel(changed.values[each])[0] for each in names])

    rates = np.zeros((len(names), len(names)))
    for row, name in enumerate(names):
        change = 1e-4 * max(abs(float(np.ravel(rest[name])[0])), 1e-10)
        rates[row] = (after(name, change) - after(name, -change)) / (2 * change)
        rates[row, row] -= 1
    parts = np.abs(np.linalg.eigvals(np.nan_to_num(rates)))
    # Input that lasts one step, whatever its length (dI/dt = -I/dt), has no time constant.
    fastest = parts[parts < 0.9].max(initial=0) / _INSTANT
    return float(1 / fastest) if fastest > 0 else math.inf


def unset(program: Program) -> dict[str, str]:
    """Return lines on variables, by name, that nothing sets, or that only add up what arrives."""
    received, lines = program.model.received, {}
    blocks = [program.prepare, program.update, program.regularly, program.on_spike, program.reset]
    blocks += [event.statements for event in program.events.values()]
    set_here = {statement.target for block in blocks for statement in block}
    for name in sorted(program.states.keys() - set_here):
        if name in received:
            lines[name] = f"{name!r} adds up its input without end: nothing lowers it"
        elif name not in {*program.written, *program.model.initial_state}:
            lines[name] = f"nothing sets {name!r}, which stays 0"
    return lines


def step_warning(model: NeuronModel, dt: float) -> str | None:
    """Return a line on a model whose fastest time constant is under five steps (in seconds).

    There is none on models with the key `dt`, which state their step.
    """
    if model.dt is not None:
        return None
    try:
        fastest = time_constant(model) * 1e3
    except InputError:  # a model that cannot run is refused where it should
        return None
    if fastest >= _FEWEST * dt * 1e3 * (1 - 1e-6):
        return None
    return (
        f"the fastest time constant of {model.name}, {fastest:.3g} ms, is under {_FEWEST} steps of "
        f"{dt * 1e3:g} ms (the default of Brian2 is 0.1 ms); write "
        f'dt = "{fastest / _FEWEST:.2g}*ms" in the model'
    )
