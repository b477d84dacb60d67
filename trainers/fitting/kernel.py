"""A neuron that a recording drives, compiled: sums of losses and sensitivities, and free runs.

One pass over the recording gives the loss, its gradient and the Gauss-Newton or Fisher information;
memory does not grow with the recording.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from bioae.trainers.fitting.source import DrivenSource, Request
from bioae.trainers.fitting.terms import LATENCY, Drive, Floats
from bioae.trainers.mirror.compiled.build import compile_cpp
from bioae.trainers.mirror.neuron import NeuronMirror


class Sums(NamedTuple):
    """Sums over the steps of a recording, for sets of parameters.

    Attributes
    ----------
    spikes, voltage
        The negative log-likelihood of the spikes, and half the sum of squared residuals (set).
    lost
        The recorded spikes in refractoriness, which do not count (set).
    gradient
        The gradient of both, weighted (set, parameter).
    information
        The information matrix (set, parameter, parameter).
    """

    spikes: Floats
    voltage: Floats
    lost: Floats
    gradient: Floats
    information: Floats


class _Driven(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in ("lanes", "trials", "samples", "settle")),
        *((name, ctypes.c_double) for name in ("dt", "logit_shift", "weight")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "signal", "voltage", "spikes", "counted", "compared", "latency", "par", "seed",
                "loss", "gradient", "information", "out", "fired",
            )
        ),
    ]  # fmt: skip


class DrivenKernel:
    """A compiled neuron that a recording drives.

    Parameters
    ----------
    neuron
        The mirror of the driven model; its resets are detached: they happen at recorded spikes.
    initial
        Its parameters, constants and initial states, see `NeuronMirror.constants`.
    request
        The contents.

    Raises
    ------
    Unsupported
        If the model contains an operation that is not compiled, or compilation fails.
    """

    def __init__(
        self, neuron: NeuronMirror, initial: Mapping[str, Tensor], request: Request
    ) -> None:
        self.source = DrivenSource(neuron, initial, request)
        contract = bool(request.parameters)  # else every bit is that of Brian2
        self._library = compile_cpp(self.source.text, contract=contract)

    def run(
        self,
        drive: Drive,
        values: Mapping[str, Floats],
        slopes: Mapping[tuple[str, str], Floats],
        *,
        settle: int = 0,
        weight: float = 1.0,
    ) -> Any:
        """Run sets of parameters over a recording.

        Parameters
        ----------
        drive
            The recording.
        values
            The values of `initial`, and of the names of this module, by name: (set).
        slopes
            Their derivatives with respect to the free parameters, by pair of names: (set).
        settle
            Steps without input before the recording.
        weight
            The weight of the spikes in the gradient and the information.

        Returns
        -------
        Sums
            If there are free parameters; else the spikes (set, trial, time) and the potential.
        """
        sets = len(values[self.source.names[0]])
        trials, samples = drive.signal.shape
        lanes, count = sets * trials, len(self.source.request.parameters)
        keep: list[Any] = []

        def address(array: Any, dtype: Any = np.float64) -> Any:
            if array is None:
                return None
            keep.append(np.ascontiguousarray(array, dtype))
            return keep[-1].ctypes.data

        free = not count
        out = np.empty((lanes, samples)) if free else None
        fired = np.empty((lanes, samples), np.uint8) if free else None
        loss, gradient = np.zeros((3, lanes)), np.zeros((lanes, count))
        information = np.zeros((lanes, count * (count + 1) // 2))
        counted, compared = (
            np.ones(drive.signal.shape, np.uint8) if mask is None else mask
            for mask in (drive.counted, drive.compared)
        )
        call = _Driven(
            lanes, trials, samples, settle, drive.dt, np.log(drive.dt / 1e-3), weight,
            address(drive.signal), address(drive.voltage), address(drive.spikes, np.uint8),
            address(counted, np.uint8), address(compared, np.uint8), address(values.get(LATENCY)),
            address([values[name] for name in self.source.names]),
            address([slopes[pair] for pair in self.source.seeds]),
            *(each.ctypes.data for each in (loss, gradient, information)),
            *(None if each is None else each.ctypes.data for each in (out, fired)),
        )  # fmt: skip
        self._library.run(ctypes.byref(call))
        if free:
            shape = (sets, trials, samples)
            return fired.astype(bool).reshape(shape), out.reshape(shape)  # type: ignore[union-attr]
        summed = information.reshape(sets, trials, -1).sum(1)
        matrix = np.zeros((sets, count, count))
        rows, columns = np.tril_indices(count)
        matrix[:, rows, columns] = matrix[:, columns, rows] = summed
        spikes, voltage, lost = loss.reshape(3, sets, trials).sum(2)
        return Sums(spikes, voltage, lost, gradient.reshape(sets, trials, count).sum(1), matrix)
