"""A fit before its search: the model that a recording drives, and its free parameters, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

import numpy as np
from brian2.units import Quantity
from brian2.units.fundamentalunits import get_dimensions, have_same_dimensions

from bioae.checks import one_of
from bioae.equations.declarations import parameter_values
from bioae.equations.driven import driven, place_of_input, potential, unit_of
from bioae.equations.library import NeuronLike, load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate, time_in_seconds
from bioae.errors import InputError, did_you_mean
from bioae.recordings import Recording
from bioae.trainers.fitting.terms import GAIN, LATENCY, OFFSET, WIDTH, Drive, FreeParameter
from bioae.unit_text import readable, unit_name

#: The parameters of the recording and of the noise, by the names that users give them.
OTHERS = {"gain": GAIN, "offset": OFFSET, "latency": LATENCY, "width": WIDTH}

#: Bounds of the width of the escape noise, in units of the scale of the distance to threshold.
_WIDTHS = (0.003, 1.0)

#: Times around a recorded spike in which the potential of a model with a reset does not count.
BEFORE_S, AFTER_S = 1e-3, 2e-3


#: The free parameters of a fit, see `bioae.fit`.
Free: TypeAlias = str | Sequence[str] | Mapping[str, Sequence[Any] | None] | None


class FitOptions(TypedDict, total=False):
    """Further options of a fit, see `bioae.fit`."""

    known: Mapping[str, Any]
    weights: tuple[float, float]
    voltage_noise: Quantity | str | None
    leave_out: Iterable[tuple[Any, Any]]
    coupled: bool
    coincidence: Quantity | str | None
    candidates: int | None
    evaluations: int


@dataclass(frozen=True)
class Problem:
    """A model and a recording, and what is free.

    Attributes
    ----------
    model
        The neuron model as given.
    driven
        The model that the recording drives, with the bounds of its free parameters.
    recording
        The recording.
    place
        The name that the input takes the place of; None: it arrives as spikes do.
    potential
        The variable that is compared with the voltage.
    free
        The free parameters.
    fixed
        The values of the names of `bioae.trainers.fitting.terms` that are not free.
    weights
        Of the losses of spikes and voltage.
    spikes
        Whether recorded spikes reset the neuron; they are compared if their weight is above 0.
    voltage
        Whether it is compared.
    windows
        The times in seconds that do not count.
    """

    model: NeuronModel
    driven: NeuronModel
    recording: Recording
    place: str | None
    potential: str
    free: tuple[FreeParameter, ...]
    fixed: Mapping[str, float]
    weights: tuple[float, float]
    spikes: bool
    voltage: bool
    windows: tuple[tuple[float, float], ...]

    def drive(self, recording: Recording | None = None) -> Drive:
        """Return a recording, by default that of the fit, as a kernel takes it."""
        recording = recording or self.recording
        dt, steps = float(recording.dt), recording.steps
        counted = np.ones(recording.input.shape, bool)
        for begin, end in self.windows:
            counted[:, round(begin / dt) : round(end / dt)] = False
        spikes = recording.spike_steps() if self.spikes else None
        compared = counted.copy()
        if self.model.reset and recording.spikes is not None:
            for row, train in zip(compared, recording.spikes, strict=True):
                for time in train:
                    first, last = round((time - BEFORE_S) / dt), round((time + AFTER_S) / dt)
                    row[max(first, 0) : min(last, steps) + 1] = False
        voltage = recording.voltage if self.voltage else None
        return Drive(recording.input, dt, spikes, counted, voltage, compared)

    @property
    def potential_unit(self) -> Quantity:
        """The unit of the potential."""
        return unit_of(self.model, self.potential)

    @property
    def compared_samples(self) -> int:
        """The number of samples of the voltage that count."""
        drive = self.drive()
        return int((np.isfinite(drive.voltage) & drive.compared).sum())  # type: ignore[arg-type]


def problem(
    neuron: NeuronLike,
    recording: Recording,
    free: Free,
    *,
    place: str | None,
    voltage: str | None,
    options: FitOptions,
) -> Problem:
    """Check the arguments of a fit, see `bioae.fit`."""
    model, known = load_neuron(neuron), _known(options)
    weights = options.get("weights", (1.0, 1.0))
    if lower(model).draws:
        raise InputError(
            "a model with noise cannot be fitted", where=model.name,
            hint="Leave its noise out: the `width` of the escape noise is fitted",
        )  # fmt: skip
    _check_recording(model, recording)
    spikes = recording.spikes is not None and model.threshold is not None
    compares = recording.voltage is not None and weights[1] > 0
    _check_compared(model, recording, spikes=spikes and weights[0] > 0, voltage=compares)
    variable = voltage or potential(model)
    if compares and not have_same_dimensions(recording.voltage_unit, unit_of(model, variable)):
        raise InputError(
            f"the recorded voltage does not have the unit of {variable!r}", where=recording.name,
            expected=unit_name(unit_of(model, variable)),
            found=unit_name(recording.voltage_unit),
        )  # fmt: skip
    bounds = _bounds(model, free)
    effective = _driving_unit(recording, known.get("gain", (bounds.get("gain") or (None,))[0]))
    place = place_of_input(model, effective, place)
    bounds = _named(model, bounds, place, effective) if free is None else bounds
    if spikes and "width" not in {*bounds, *known}:
        if weights[0] > 0:
            bounds["width"] = _WIDTHS
        else:  # they only reset the neuron
            known = {**known, "width": 1.0}
    units = {
        "gain": effective / recording.input_unit, "offset": effective,
        "latency": Quantity(1.0, dim=recording.dt.dim), "width": Quantity(1.0),
    }  # fmt: skip
    fixed = {
        OTHERS[name]: number_in(value, units[name], f"{name}") for name, value in known.items()
    }
    chosen: list[FreeParameter] = []
    texts: dict[str, tuple[str, str]] = {}
    values = parameter_values(model)
    for name, pair in bounds.items():
        unit = units[name] if name not in values else values[name]
        low, high = (number_in(each, unit, f"bounds of {name}") for each in pair)
        if not low < high:
            raise InputError(
                f"the bounds of {name!r} are not in order", expected="(low, high)",
                found=", ".join(map(str, pair)),
            )  # fmt: skip
        if name in values:
            chosen.append(FreeParameter(name, low, high, unit_name(unit)))
            base = unit_name(unit)
            texts[name] = (f"{low!r}*({base})", f"{high!r}*({base})")
        else:
            chosen.append(FreeParameter(OTHERS[name], low, high, unit_name(unit)))
    names = {each.name for each in chosen} | fixed.keys()
    if names & {GAIN, OFFSET}:  # both are in the equation
        fixed |= {n: v for n, v in ((GAIN, 1.0), (OFFSET, 0.0)) if n not in names}
    middle = {name: _text(each.value(np.asarray(0.5)), each.unit) for each in chosen
              if (name := each.name) in texts}  # fmt: skip
    within = model.with_parameters(middle).model_copy(update={"trainable": texts})
    dt = f"{float(recording.dt)!r}*second"
    if place is not None:
        within = driven(within, place, Quantity([0.0], dim=get_dimensions(effective)), dt=dt)
    windows = tuple(
        (time_in_seconds_or_zero(begin), time_in_seconds_or_zero(end))
        for begin, end in options.get("leave_out", ())
    )
    return Problem(
        model,
        within,
        recording,
        place,
        variable,
        tuple(chosen),
        fixed,
        weights,
        spikes,
        compares,
        windows,
    )


def with_values(model: NeuronModel, values: Mapping[str, float]) -> NeuronModel:
    """Return a model with values of its parameters in base units."""
    units = parameter_values(model)
    return model.with_parameters(
        {name: _text(value, unit_name(units[name])) for name, value in values.items()
         if name in units}
    )  # fmt: skip


def time_in_seconds_or_zero(time: Any) -> float:
    """Return a time, which may be 0, in seconds."""
    number = time if isinstance(time, str) else readable(time)
    if re.fullmatch(r"0(\.0*)?(\*\(?\w+\)?)?", str(number)):
        return 0.0
    return time_in_seconds(time, where="leave_out")


def _text(value: Any, unit: str) -> str:
    return repr(float(value)) if unit == "1" else f"{float(value)!r}*({unit})"


def _bounds(model: NeuronModel, free: Free) -> dict[str, tuple[Any, Any]]:
    """Return the bounds of the free parameters by name."""
    if free is None:
        free = [*model.trainable]
    if isinstance(free, str):
        free = [free]
    asked = dict(free) if isinstance(free, Mapping) else dict.fromkeys(free)
    known = [*model.parameters, *(name for name in OTHERS if name not in model.parameters)]
    bounds: dict[str, tuple[Any, Any]] = {}
    for name, pair in asked.items():
        if name not in known:
            raise InputError(
                f"the model has no parameter {name!r}", where=model.name,
                expected=f"some of {', '.join(known)}", hint=did_you_mean(str(name), known),
            )  # fmt: skip
        default = _WIDTHS if name == "width" else model.trainable.get(name)
        chosen = default if pair is None else pair
        if chosen is None:
            raise InputError(
                f"the free parameter {name!r} has no bounds", where=model.name,
                expected="a pair, or [trainable] in the model",
                hint=f'free={{"{name}": (low, high)}}',
            )  # fmt: skip
        if isinstance(chosen, str) or not hasattr(chosen, "__len__") or len(chosen) != 2:
            raise InputError(
                f"these are no bounds of {name!r}", expected="(low, high)", found=str(chosen)
            )
        bounds[name] = (chosen[0], chosen[1])
    if not bounds:
        raise InputError(
            "nothing is free", where=model.name, expected="names of parameters, with bounds",
            hint=f"Its parameters: {', '.join(model.parameters)}",
        )  # fmt: skip
    return bounds


def _known(options: FitOptions) -> Mapping[str, Any]:
    known = options.get("known", {})
    for name in known:
        one_of(name, "the name of a known value", [*OTHERS])
    return known


def _named(
    model: NeuronModel, bounds: dict[str, Any], place: str | None, unit: Quantity
) -> dict[str, Any]:
    """Leave out parameters that a driven model does not name, such as those of its synapses."""
    if place is not None:
        model = driven(model, place, Quantity([0.0], dim=unit.dim), dt="1*ms")
    texts = [model.equations, model.threshold, model.reset, model.refractory]
    names = re.findall(r"\w+", " ".join([*map(str, texts), *model.initial.values()]))
    return {name: pair for name, pair in bounds.items() if name in names}


def _driving_unit(recording: Recording, gain: Any) -> Quantity:
    """Return the unit of the input after its gain."""
    if gain is None:
        return Quantity(1.0, dim=get_dimensions(recording.input_unit))
    factor = evaluate(str(readable(gain)), where="bounds of gain")
    return Quantity(1.0, dim=get_dimensions(factor) * get_dimensions(recording.input_unit))


def number_in(value: Any, unit: Any, where: str) -> float:
    """Return a number or quantity, perhaps as text, in base units."""
    text = readable(value) if isinstance(value, Quantity | int | float | np.number) else value
    return float(evaluate(str(text), dimensions_of=unit, where=where))


def _check_recording(model: NeuronModel, recording: Any) -> None:
    if not isinstance(recording, Recording):
        raise InputError(
            "this is no recording", where="recording", expected="a bioae.Recording",
            found=type(recording).__name__, hint="bioae.Recording(input, dt=..., spikes=...)",
        )  # fmt: skip
    if model.dt is not None:
        largest = time_in_seconds(model.dt, where=f"{model.name}.toml, dt")
        if float(recording.dt) > largest * (1 + 1e-9):
            raise InputError(
                "the recording's step is longer than the model allows", where=recording.name,
                expected=f"at most {model.dt}", found=readable(recording.dt),
                hint=f'recording.resampled("{model.dt}")',
            )  # fmt: skip


def _check_compared(model: NeuronModel, recording: Recording, spikes: bool, voltage: bool) -> None:
    if recording.spikes is not None and model.threshold is None and not voltage:
        raise InputError(
            "the model cannot fire", where=model.name, expected="a threshold",
            found="spikes to fit", hint="Give the model a threshold, or the recording a voltage",
        )  # fmt: skip
    if not spikes and not voltage:
        raise InputError(
            "there is nothing to fit", where=recording.name,
            expected="spikes, or a voltage, of a weight above 0",
        )  # fmt: skip
    if spikes and not voltage and recording.spikes and not any(map(len, recording.spikes)):
        raise InputError(
            "the recording has no spike", where=recording.name,
            expected="at least one for the likelihood of spikes",
            hint="Fit its voltage, or another recording",
        )  # fmt: skip
    if spikes and recording.spikes:
        _check_intervals(model, recording)


def _check_intervals(model: NeuronModel, recording: Recording) -> None:
    """Reject spikes that are closer than the model's refractory time, in whole steps as Brian2."""
    try:
        time = float(
            evaluate(model.refractory or "", parameter_values(model), where=recording.name)
        )
    except InputError:
        return  # a condition, or none
    shortest = int(time / float(recording.dt) + 1e-3)
    for trial, fired in enumerate(recording.spike_steps()):
        found = int(np.diff(np.flatnonzero(fired)).min(initial=recording.steps))
        if found < shortest:
            raise InputError(
                "two spikes are closer than the model's refractory time",
                where=f"{recording.name}, trial {trial}", expected=f"{model.refractory} or more",
                found=f"{found * float(recording.dt) * 1e3:.4g} ms",
                hint="Shorten `refractory` in the model",
            )  # fmt: skip
