"""A fit before its search: the model that a recording drives, and its free parameters, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from brian2.units import Quantity
from brian2.units.fundamentalunits import get_dimensions, have_same_dimensions
from numpy.typing import NDArray

from bioae.checks import instance, one_of
from bioae.equations.declarations import parameter_values
from bioae.equations.driven import driven, place_of_input, potential, unit_of
from bioae.equations.library import NeuronLike, load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel, mentions
from bioae.equations.quantities import evaluate, time_in_seconds
from bioae.errors import InputError, did_you_mean
from bioae.recordings import Recording
from bioae.trainers.fitting.settings import Settings, number_in
from bioae.trainers.fitting.terms import (
    CORRECTION,
    GAIN,
    LATENCY,
    OFFSET,
    WIDTH,
    Drive,
    Floats,
    FreeParameter,
)
from bioae.unit_text import readable, unit_name

#: The parameters of the recording and of the noise, by the names that users give them.
OTHERS = {
    "gain": GAIN, "offset": OFFSET, "latency": LATENCY, "width": WIDTH, "kalman_gain": CORRECTION,
}  # fmt: skip
#: The names that users give them, by their own names.
_USERS = {name: user for user, name in OTHERS.items()}

#: Bounds of the width of the escape noise, in units of the scale of the distance to threshold. A
#: search starts near the upper one, see `fitting.py`.
_WIDTHS = (1e-6, 1.0)
#: The bounds of free parameters that need none from the user.
_RANGES = {"width": _WIDTHS, "kalman_gain": (0.0, 1.0)}

#: The values of parameters of the noise.
_LIMITS = {WIDTH: (5e-324, np.inf, "above 0"), CORRECTION: (0.0, 1.0, "within 0 and 1")}
_ANY = (-np.inf, np.inf, "")

#: Steps after which a potential without samples is unknown.
_MANY = 10**6

#: Times around a recorded spike in which the potential of a model with a reset does not count.
BEFORE_S, AFTER_S = 1e-3, 2e-3


#: The free parameters of a fit, see `bioae.fit`.
Free: TypeAlias = str | Sequence[str] | Mapping[str, Sequence[Any] | None] | None


@dataclass(frozen=True)
class Problem:
    """A model and a recording, and what is free."""

    #: The neuron model as given, and the one that the recording drives.
    model: NeuronModel
    driven: NeuronModel
    recording: Recording
    #: The name that the input takes the place of; None: it arrives as spikes do.
    place: str | None
    #: The variable that is compared with the voltage.
    potential: str
    free: tuple[FreeParameter, ...]
    #: The values of the names of `bioae.trainers.fitting.terms` that are not free.
    fixed: Mapping[str, float]
    #: Of the losses of spikes and voltage.
    weights: tuple[float, float]
    #: Whether recorded spikes reset the neuron; they are compared if their weight is above 0.
    spikes: bool
    #: Whether it is compared.
    voltage: bool
    #: The times in seconds that do not count.
    windows: tuple[tuple[float, float], ...]

    @property
    def names(self) -> list[str]:
        """The names that users give the free parameters."""
        return [_USERS.get(each.name, each.name) for each in self.free]

    def driving(self, recording: Recording) -> Drive:
        """Return the input of a recording as a kernel takes it; another unit is an InputError."""
        own = self.recording
        instance(recording, "recording", Recording)
        if not have_same_dimensions(recording.input_unit, own.input_unit):
            raise InputError(
                "the input has another unit than that of the fit", where=recording.name,
                expected=unit_name(own.input_unit), found=unit_name(recording.input_unit),
            )  # fmt: skip
        if not np.isclose(float(recording.dt), float(own.dt), rtol=1e-9, atol=0):
            raise InputError(
                "the recording has another time step than that of the fit", where=recording.name,
                expected=readable(own.dt), found=readable(recording.dt),
                hint=f'recording.resampled("{readable(own.dt)}")',
            )  # fmt: skip
        return Drive(recording.input, float(recording.dt))

    def drive(self) -> Drive:
        """Return the recording of the fit as a kernel takes it."""
        recording, dt = self.recording, float(self.recording.dt)
        counted = np.ones(recording.input.shape, bool)
        for begin, end in self.windows:
            counted[:, round(begin / dt) : round(end / dt)] = False
        spikes = recording.spike_steps() if self.spikes else None
        compared = counted & self.between_spikes(recording)
        if self.voltage:
            compared &= np.isfinite(recording.voltage)  # type: ignore[arg-type]
        return self.driving(recording)._replace(
            spikes=spikes, counted=counted,
            chance=None if spikes is None else _by_chance(spikes, counted),
            voltage=recording.voltage if self.voltage else None,
            compared=compared, missing=_missing(compared) if self.voltage else None,
        )  # fmt: skip

    def between_spikes(self, recording: Recording) -> NDArray[np.bool_]:
        """Return where the potential of a recording is compared, for its spikes (trial, time)."""
        between, dt = np.ones(recording.input.shape, bool), float(recording.dt)
        if self.model.reset and recording.spikes is not None:
            for row, train in zip(between, recording.spikes, strict=True):
                for time in train:
                    first, last = round((time - BEFORE_S) / dt), round((time + AFTER_S) / dt)
                    row[max(first, 0) : last + 1] = False
        return between

    @property
    def potential_unit(self) -> Quantity:
        """The unit of the potential."""
        return unit_of(self.model, self.potential)


def _missing(compared: NDArray[np.bool_]) -> Floats:
    """Return the samples that are missing before each one, at first many (trial, time)."""
    steps = np.arange(compared.shape[1])
    last = np.maximum.accumulate(np.where(compared, steps, -_MANY), axis=1)
    since = steps - np.pad(last[:, :-1], ((0, 0), (1, 0)), constant_values=-_MANY)
    return np.asarray(since / (np.median(since[compared]) if compared.any() else 1.0) - 1.0)


def _by_chance(spikes: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Floats | None:
    """Return the cumulative negative log-likelihood of spikes at random times (trial, time).

    Without a spike that counts there is none: silence is not by chance.
    """
    if not (spikes & counted).any():
        return None
    rate = min((spikes & counted).sum() / counted.sum(), 0.5)
    each = np.where(spikes, -np.log(rate), -np.log1p(-rate))
    return np.asarray(np.cumsum(np.where(counted, each, 0.0), axis=1))


def problem(
    neuron: NeuronLike,
    recording: Recording,
    free: Free,
    *,
    place: str | None,
    voltage: str | None,
    settings: Settings,
) -> Problem:
    """Check the arguments of a fit, see `bioae.fit`."""
    model = load_neuron(neuron)
    _check_recording(model, recording)
    last = max((end for _, end in settings.windows), default=0.0)
    if last > float(recording.duration) + float(recording.dt):
        raise InputError(
            "a window ends after what is fitted", where="leave_out",
            expected=f"at most {float(recording.duration):g} s", found=f"{last:g} s",
        )  # fmt: skip
    weights = settings.weights
    spikes = recording.spikes is not None and model.threshold is not None
    compares = recording.voltage is not None and weights[1] > 0
    likely = spikes and weights[0] > 0
    _check_compared(model, recording, spikes=likely, voltage=compares)
    variable = _potential(model, recording, voltage, compares=compares)
    known = _known(model, settings.known)
    bounds = _bounds(model, free)
    gain = None if "gain" in model.parameters else bounds.get("gain", (known.get(GAIN),))[0]
    effective = _driving_unit(recording, gain)
    place = place_of_input(model, effective, place)
    within = model
    if place is not None:
        dt, zero = f"{float(recording.dt)!r}*second", Quantity([0.0], dim=get_dimensions(effective))
        within = driven(model, place, zero, dt=dt)
    if free is None:
        bounds = _named(within, bounds)
    units = {
        GAIN: effective / recording.input_unit, OFFSET: effective,
        LATENCY: Quantity(1.0, dim=recording.dt.dim), WIDTH: Quantity(1.0),
        CORRECTION: Quantity(1.0),
    }  # fmt: skip
    chosen = [_parameter(model, units, name, pair) for name, pair in bounds.items()]
    chosen = [_in_steps(within, each, float(recording.dt)) for each in chosen]
    if spikes:
        _check_intervals(model, recording, chosen)
    if likely and WIDTH not in {*known, *(each.name for each in chosen)}:
        chosen.append(FreeParameter(WIDTH, *_WIDTHS, unit="1"))
    fixed = {name: number_in(each, units[name], _USERS[name]) for name, each in known.items()}
    names = {each.name for each in chosen}
    _check_fixed(fixed, names)
    if spikes and not likely:  # they only reset the neuron
        fixed.setdefault(WIDTH, 1.0)
    if (names | fixed.keys()) & {GAIN, OFFSET}:  # both are in the equation
        fixed |= {n: v for n, v in ((GAIN, 1.0), (OFFSET, 0.0)) if n not in {*names, *fixed}}
    return Problem(
        model=model, driven=within, recording=recording, place=place, potential=variable,
        free=tuple(chosen), fixed=fixed, weights=weights, spikes=spikes, voltage=compares,
        windows=settings.windows,
    )  # fmt: skip


def _potential(
    model: NeuronModel, recording: Recording, voltage: str | None, *, compares: bool
) -> str:
    """Return the variable that is compared with the recorded voltage."""
    variable = potential(model) if voltage is None else voltage
    unit = unit_of(model, variable)
    if variable not in lower(model).states:
        raise InputError(
            f"{variable!r} is a parameter, and no potential", where="voltage",
            expected="a variable of the model",
        )  # fmt: skip
    if compares and not have_same_dimensions(recording.voltage_unit, unit):
        raise InputError(
            f"the recorded voltage does not have the unit of {variable!r}", where=recording.name,
            expected=unit_name(unit), found=unit_name(recording.voltage_unit),
        )  # fmt: skip
    return variable


def _parameter(
    model: NeuronModel, units: Mapping[str, Any], name: str, pair: tuple[Any, Any]
) -> FreeParameter:
    """Return a free parameter with its bounds in base units."""
    values = parameter_values(model)
    unit = values[name] if name in values else units[OTHERS[name]]
    low, high = (number_in(each, unit, f"bounds of {name}") for each in pair)
    own = name if name in values else OTHERS[name]
    least, most, expected = _LIMITS.get(own, _ANY)
    if not (least <= low < high <= most and np.isfinite([low, high]).all()):
        raise InputError(
            f"the bounds of {name!r} do not fit", found=", ".join(map(str, pair)),
            expected=f"(low, high), {expected}" if expected else "(low, high)",
        )  # fmt: skip
    followers = [n for n, text in model.parameters.items() if n != name and mentions(name, text)]
    if name in values and followers:
        raise InputError(
            f"{', '.join(followers)} would not follow the free parameter {name!r}",
            where=f"{model.name}.toml, [parameters]",
            hint=f"Write the expression of {name} into the equations",
        )  # fmt: skip
    return FreeParameter(own, low, high, unit_name(unit))


def with_values(model: NeuronModel, values: Mapping[str, float]) -> NeuronModel:
    """Return a model with values of its parameters in base units."""
    units = parameter_values(model)
    return model.with_parameters(
        {name: _text(value, unit_name(units[name])) for name, value in values.items()
         if name in units}
    )  # fmt: skip


def _text(value: Any, unit: str) -> str:
    return repr(float(value)) if unit == "1" else f"{float(value)!r}*({unit})"


def _bounds(model: NeuronModel, free: Free) -> dict[str, tuple[Any, Any]]:
    """Return the bounds of the free parameters by name."""
    if free is None:
        free = [*model.trainable]
    if isinstance(free, str):
        free = [free]
    instance(free, "free", Iterable, hint='Such as {"tau": ("5*ms", "50*ms")}')
    asked = dict(free) if isinstance(free, Mapping) else dict.fromkeys(free)
    known = [*model.parameters, *(name for name in OTHERS if name not in model.parameters)]
    bounds: dict[str, tuple[Any, Any]] = {}
    for name, pair in asked.items():
        if name not in known:
            raise InputError(
                f"the model has no parameter {name!r}", where=model.name,
                expected=f"some of {', '.join(known)}", hint=did_you_mean(str(name), known),
            )  # fmt: skip
        own = name in model.parameters
        default = model.trainable.get(name) if own else _RANGES.get(name)
        chosen: Any = default if pair is None else pair
        if chosen is None:
            raise InputError(
                f"the free parameter {name!r} has no bounds", where=model.name,
                expected="a pair, or [trainable] in the model",
                hint=f'free={{"{name}": (low, high)}}',
            )  # fmt: skip
        ends = [*chosen] if np.iterable(chosen) and not isinstance(chosen, str | Mapping) else []
        if len(ends) != 2:
            raise InputError(
                f"these are no bounds of {name!r}", expected="(low, high)", found=str(chosen)
            )
        bounds[name] = (ends[0], ends[1])
    if not bounds:
        raise InputError(
            "nothing is free", where=model.name, expected="names of parameters, with bounds",
            hint=f"Its parameters: {', '.join(model.parameters)}",
        )  # fmt: skip
    return bounds


def _known(model: NeuronModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return known values by the names of `bioae.trainers.fitting.terms`."""
    names = [name for name in OTHERS if name not in model.parameters]
    for name in given:
        one_of(name, "a name in known", names)
    return {OTHERS[name]: each for name, each in given.items()}


def _check_fixed(fixed: Mapping[str, float], free: set[str]) -> None:
    if both := sorted(free & fixed.keys()):
        raise InputError(
            f"{_USERS[both[0]]!r} is both free and known", where="known",
            hint="Leave it out of one of them",
        )  # fmt: skip
    for name, value in fixed.items():
        least, most, expected = _LIMITS.get(name, _ANY)
        if not least <= value <= most:
            raise InputError(
                f"{_USERS[name]!r} does not fit", where="known", expected=expected, found=str(value)
            )


def _named(model: NeuronModel, bounds: dict[str, Any]) -> dict[str, Any]:
    """Leave out parameters that a driven model does not name, such as those of its synapses."""
    texts = (model.equations, model.threshold, model.reset, model.refractory)
    text = " ".join([*map(str, texts), *model.initial.values()])
    return {name: pair for name, pair in bounds.items() if mentions(name, text)}


def _driving_unit(recording: Recording, gain: Any) -> Quantity:
    """Return the unit of the input after its gain."""
    if gain is None:
        return Quantity(1.0, dim=get_dimensions(recording.input_unit))
    factor = evaluate(str(readable(gain)), where="bounds of gain")
    return Quantity(1.0, dim=get_dimensions(factor) * get_dimensions(recording.input_unit))


def _check_recording(model: NeuronModel, recording: Any) -> None:
    hint = "bioae.Recording(input, dt=..., spikes=...)"
    instance(recording, "recording", Recording, hint=hint)
    if lower(model).draws:
        raise InputError(
            "a model with noise cannot be fitted", where=model.name,
            hint="Leave its noise out: the `width` of the escape noise is fitted",
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
    if voltage and model.reset and recording.spikes is None:
        raise InputError(
            "the voltage of a model with a reset needs the spikes, at which it is reset",
            where=recording.name, expected="spikes", found="a voltage alone",
            hint="Recording(..., spikes=...), or a column `spikes`: 0 everywhere if there are none",
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


def _in_steps(model: NeuronModel, parameter: FreeParameter, dt: float) -> FreeParameter:
    """Return a time on which only the refractory time depends with its step."""
    texts = (model.equations, model.threshold or "", model.reset or "", *model.initial.values())
    own = mentions(parameter.name, model.refractory or "") and parameter.unit == "second"
    elsewhere = any(mentions(parameter.name, text) for text in texts)
    return replace(parameter, step=dt) if own and not elsewhere else parameter


def _check_intervals(
    model: NeuronModel, recording: Recording, free: Sequence[FreeParameter]
) -> None:
    """Reject spikes that are closer than the refractory time, in whole steps as Brian2."""
    text, dt = model.refractory or "", float(recording.dt)
    values, own = parameter_values(model), [each for each in free if mentions(each.name, text)]
    values |= {each.name: each.high * evaluate(each.unit, where=each.name) for each in own}
    try:
        time = float(evaluate(text, values, where=recording.name))
    except InputError:
        return  # a condition, or none
    shortest = [np.diff(np.flatnonzero(row)).min(initial=recording.steps)
                for row in recording.spike_steps()]  # fmt: skip
    trial = int(np.argmin(shortest))
    if shortest[trial] < int(time / dt + 1e-3):
        raise InputError(
            "the refractory time can be longer than the shortest interval of the spikes",
            where=f"{recording.name}, trial {trial}",
            expected=f"at most {shortest[trial] * dt * 1e3:.4g} ms", found=f"{time * 1e3:.4g} ms",
            hint=f"Lower the bound of {own[0].name}" if own else "Shorten `refractory`",
        )  # fmt: skip
