"""Standalone devices whose generated sources contain no values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from brian2 import prefs
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import get_device

_WORDS = {"true": 1, "false": 0}


def active_target() -> str:
    """Return the name of Brian2's active target."""
    device = get_device()
    if not isinstance(device, CPPStandaloneDevice):  # which brian2cuda's is, too
        return str(prefs["codegen.target"])
    return f"{device.code_object_class().generator_class.class_name}_standalone"


class ValueFreeDevice(CPPStandaloneDevice):  # type: ignore[misc]
    """A C++ standalone device that reads from files the values that Brian2 writes into sources.

    Brian2 writes arrays to files, but single numbers (a parameter that all neurons share, the
    length of a run) into ``main.cpp``: another number gives another source, which must be compiled
    again. Here single numbers are elements of two more arrays in files, one of them of integers.
    """

    main_queue: list[tuple[str, Any]]

    def build(self, *args: Any, **options: Any) -> None:
        """Write a project; as `CPPStandaloneDevice.build`."""
        numbers = _Numbers()
        self.main_queue = [_without_numbers(entry, numbers) for entry in self.main_queue]
        for name, values in numbers.arrays().items():
            self.static_arrays[name] = values
        super().build(*args, **options)


class _Numbers:
    """Single numbers, by their indices in two arrays."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {
            "_static_array_reals": [],
            "_static_array_wholes": [],
        }

    def refer(self, text: str) -> str:
        """Return the C++ expression that reads a number, or the text if it is not a number."""
        try:
            number = _WORDS[text] if text in _WORDS else _number(text)
        except ValueError:  # a constant of C++, such as INFINITY
            return text
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            return text
        name = f"_static_array_{'wholes' if isinstance(number, int) else 'reals'}"
        self._values[name].append(number)
        return f"{name}[{len(self._values[name]) - 1}]"

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays that are not empty, by name."""
        dtypes = (np.float64, np.int64)
        typed = zip(self._values.items(), dtypes, strict=True)
        return {name: np.array(values, dtype) for (name, values), dtype in typed if values}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _without_numbers(entry: tuple[str, Any], numbers: _Numbers) -> tuple[str, Any]:
    """Return an entry of the main queue with its numbers replaced by elements of arrays."""
    kind, arguments = entry
    if kind == "set_by_single_value":
        array, item, value = arguments
        return kind, (array, item, numbers.refer(value))
    if kind == "set_by_constant":
        array, value, dynamic = arguments
        size = f"{array}.size()" if dynamic else f"_num_{array}"
        number = numbers.refer(str(int(value)) if isinstance(value, bool) else repr(value))
        if "[" in number:
            return "insert_code", f"for (int i=0; i<{size}; i++) {array}[i] = {number};"
    if kind == "run_network":
        network, lines = arguments
        duration = re.compile(rf"^({re.escape(network.name)}\.run\()([^,]+)(?=,)")
        return kind, (
            network,
            [
                duration.sub(lambda match: match[1] + numbers.refer(match[2]), line)
                for line in lines
            ],
        )
    return entry
