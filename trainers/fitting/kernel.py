"""A neuron that a recording drives, compiled: sums of losses and sensitivities, and free runs.

One pass over the recording gives the loss, its gradient and the Gauss-Newton or Fisher information;
memory does not grow with the recording.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bioae.trainers.fitting.source import DrivenSource, Request
from bioae.trainers.fitting.terms import LATENCY, Drive, Floats, Losses
from bioae.trainers.mirror.compiled.build import compile_cpp
from bioae.trainers.mirror.neuron import NeuronMirror


class _Driven(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in ("lanes", "trials", "samples", "settle")),
        *(
            (name, ctypes.c_double)
            for name in ("dt", "logit_shift", "weight", "log_own", "log_lapse")
        ),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "signal", "voltage", "spikes", "counted", "compared", "chance", "gap", "latency",
                "par", "seed", "loss", "gradient", "information", "out", "fired",
            )
        ),
    ]  # fmt: skip


class DrivenKernel:
    """A compiled neuron that a recording drives; the arguments are those of `DrivenSource`."""

    def __init__(
        self, neuron: NeuronMirror, initial: Mapping[str, Tensor], request: Request
    ) -> None:
        self.source = DrivenSource(neuron, initial, request)
        contract = bool(request.parameters)  # else every bit is that of Brian2
        self._library = compile_cpp(self.source.text, contract=contract)

    def sums(
        self,
        drive: Drive,
        values: Mapping[str, Floats],
        slopes: Mapping[tuple[str, str], Floats],
        *,
        settle: int = 0,
        weights: tuple[float, float] = (1.0, 1.0),
        lapse: float = 0.0,
    ) -> Losses:
        """Compare sets of parameters with a recording.

        `values`: the values of `initial`, and of the names of `terms`, by name: (set).
        `slopes`: their derivatives with respect to the free parameters, by pair of names: (set).
        `settle`: steps without input before the recording.
        `weights`: of the spikes, and of the voltage, with which the residuals are multiplied
            already.
        `lapse`: the probability that an interval between spikes is one at random.
        """
        sets, trials = len(values[self.source.names[0]]), len(drive.signal)
        lanes, count = sets * trials, len(self.source.request.parameters)
        loss, gradient = np.zeros((6, lanes)), np.zeros((lanes, count))
        information = np.zeros((lanes, count * (count + 1) // 2))
        found = {"loss": loss, "gradient": gradient, "information": information}
        self._run(drive, values, slopes, found, settle=settle, weight=weights[0], lapse=lapse)
        matrix = np.zeros((sets, count, count))
        rows, columns = np.tril_indices(count)
        summed = information.reshape(sets, trials, -1).sum(1)
        matrix[:, rows, columns] = matrix[:, columns, rows] = summed
        spikes, voltage, lost = loss[:3].reshape(3, sets, trials).sum(2)
        return Losses(
            weights[0] * spikes + voltage, gradient.reshape(sets, trials, count).sum(1), matrix,
            spikes, voltage / (weights[1] or 1.0), lost,
            np.moveaxis(loss[3:].reshape(3, sets, trials), 0, -1),
        )  # fmt: skip

    def records(
        self, drive: Drive, values: Mapping[str, Floats], *, settle: int = 0
    ) -> tuple[NDArray[np.bool_], Floats]:
        """Return the spikes and the potential of a free run (set, trial, time)."""
        shape = (len(values[self.source.names[0]]), *drive.signal.shape)
        potential, fired = np.empty(shape), np.empty(shape, np.uint8)
        self._run(drive, values, {}, {"out": potential, "fired": fired}, settle=settle)
        return fired.astype(bool), potential

    def _run(
        self,
        drive: Drive,
        values: Mapping[str, Floats],
        slopes: Mapping[tuple[str, str], Floats],
        outputs: Mapping[str, NDArray[Any]],
        *,
        settle: int,
        weight: float = 1.0,
        lapse: float = 0.0,
    ) -> None:
        trials, samples = drive.signal.shape
        inputs = {
            "signal": drive.signal, "voltage": drive.voltage,
            "chance": np.zeros(drive.signal.shape) if drive.chance is None else drive.chance,
            "gap": drive.missing,
            "latency": values.get(LATENCY),
            "par": [values[name] for name in self.source.names],
            "seed": [slopes[pair] for pair in self.source.seeds],
        }  # fmt: skip
        everywhere = np.ones(drive.signal.shape, bool)
        masks = {
            "spikes": drive.spikes,
            "counted": everywhere if drive.counted is None else drive.counted,
            "compared": everywhere if drive.compared is None else drive.compared,
        }
        arrays = {n: np.ascontiguousarray(each, float) for n, each in inputs.items()
                  if each is not None}  # fmt: skip
        arrays |= {n: np.ascontiguousarray(each, np.uint8) for n, each in masks.items()
                   if each is not None}  # fmt: skip
        call = _Driven(
            lanes=len(values[self.source.names[0]]) * trials, trials=trials, samples=samples,
            settle=settle, dt=drive.dt, logit_shift=np.log(drive.dt / 1e-3), weight=weight,
            log_own=np.log1p(-lapse), log_lapse=np.log(lapse) if lapse else -np.inf,
            **{name: each.ctypes.data for name, each in {**arrays, **outputs}.items()},
        )  # fmt: skip
        self._library.run(ctypes.byref(call))
