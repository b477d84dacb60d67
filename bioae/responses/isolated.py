"""One neuron by itself, under many drives at once: no network, no simulator, only its equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import constant_values, default_parameters, initial_state
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.lowering.lower import lower
from bioae.equations.model import NeuronModel
from bioae.equations.program import INHIBITION, INPUT
from bioae.errors import ModelError
from bioae.networks.schedule import SCHEDULES, ScheduleName
from bioae.noise import START_STEP, draw, settling_noise

__all__ = ["IsolatedNeuron"]


class IsolatedNeuron:
    """One neuron, started as a presentation starts it and stepped in the order of a schedule.

    Under several drives it is copied: the copies differ in their input, and share their noise.

    Parameters
    ----------
    model
        The neuron model.
    dt
        The time step in seconds.
    parameters
        Numbers in base units that replace the model's own, by name.
    schedule
        The order of things within a step.
    seed
        Seeds the model's own noise, if it has any.

    Raises
    ------
    ModelError
        If the model cannot be lowered, or has no parameter of such a name.
    """

    def __init__(
        self,
        model: NeuronModel,
        *,
        dt: float,
        parameters: Mapping[str, float] | None = None,
        schedule: ScheduleName = "brian2",
        seed: int = 0,
    ) -> None:
        self.program = lower(model)
        model.with_parameters(dict.fromkeys(parameters or {}, ""))  # refuses unknown names
        self.dt = dt
        self._seed = seed
        self._blocks = SCHEDULES[schedule].blocks
        self._step = 0
        self._stepper = Stepper(self.program, array_functions(np))
        given = {name: np.asarray(value, float) for name, value in (parameters or {}).items()}
        known = {**default_parameters(self.program), **given}
        size: dict[str, Any] = {"dt": dt, "n": 1}
        noise = settling_noise(self.program.draws, population=1, n=1)
        with np.errstate(all="ignore"):
            self.values: dict[str, Any] = {
                "dt": np.asarray(dt),
                "N": np.asarray(1.0),
                "i": np.zeros(1),
                "t": np.asarray(0.0),
                "_fired": np.zeros(1, dtype=bool),
                **known,
                **constant_values(self.program, known, **size),
                **initial_state(self.program, known, **size, noise=noise),
            }
        self.values |= self._noise(START_STEP)
        for name, expression in self._stepper.random_start.items():
            self.values[name] = np.broadcast_to(expression(self.values), (1,))

    def step(self, drive: ArrayLike = 0.0, *, fires: bool = True) -> NDArray[np.bool_]:
        """Run one step.

        Parameters
        ----------
        drive
            The sum of network weights that arrives, one number a copy (copy).
        fires
            Whether the neuron may fire; otherwise it stays as it is above its threshold.

        Returns
        -------
        NDArray
            Which copies fire (copy), or one value where all are still alike.
        """
        values, stepper = self.values, self._stepper
        values["t"] = np.asarray(self._step * self.dt)
        values |= self._noise(self._step)
        self._arrive(np.atleast_1d(np.asarray(drive, dtype=np.float64)))
        # Far above its threshold a neuron may overflow; what is returned is checked by the caller.
        with np.errstate(all="ignore"):
            stepper.prepare(values)
            for slot in self._blocks:
                match slot:
                    case "groups":
                        stepper.update(values)
                    case "thresholds":
                        self._threshold(fires=fires)
                        stepper.watch(values)
                    case "resets":
                        stepper.reset(values)
                        stepper.respond(values)
                    case _:
                        stepper.receive(values)
        self._step += 1
        return np.asarray(values["_fired"])

    def distance(self) -> NDArray[np.float64]:
        """Return how far the copies were above threshold when it was last tested (copy)."""
        return np.asarray(self._distance, dtype=np.float64)

    def check_finite(self, *, mend: str) -> None:
        """Raise a `ModelError` where a state is no longer a number."""
        wild = [n for n in self.program.states if not np.isfinite(self.values[n]).all()]
        if wild:
            raise ModelError(
                f"the neuron model {self.program.model.name!r} does not stay finite",
                found=", ".join(wild),
                mend=mend,
            )

    def _arrive(self, drive: NDArray[np.float64]) -> None:
        self.values[INPUT] = np.maximum(drive, 0.0) if self.program.inhibited else drive
        self.values[INHIBITION] = np.maximum(-drive, 0.0)

    def _threshold(self, *, fires: bool) -> None:
        values, stepper = self.values, self._stepper
        fired = stepper.condition(values)
        if fired is None:
            return
        self._distance = stepper.distance(values)
        values["_fired"] = fired if fires else np.zeros_like(fired)
        stepper.on_spike(values)

    def _noise(self, step: int) -> dict[str, NDArray[np.float64]]:
        return {
            name: draw(
                site.distribution,
                seed=self._seed,
                examples=[0],
                step=step,
                call=site.call,
                population=1,
                count=1,
            )[0]
            for name, site in self.program.draws.items()
        }
