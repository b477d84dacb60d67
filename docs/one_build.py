"""Simulate many networks in one build, and compare many neuron models with Brian2 that way.

`make_parity.py` and tests use it: one project compiles far sooner than a project per network, and
one module of Cython far sooner than a module per code object.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import xarray as xr
from brian2.codegen.runtime.cython_rt.extension_manager import cython_extension_manager
from brian2.utils.logger import catch_logs
from numpy.typing import ArrayLike

from bioae import Backend, Network, NeuronModel, build, simulate
from bioae.api import engine_of
from bioae.datasets import Data
from bioae.simulation.backend import STANDALONE, Target
from bioae.simulation.targets.activation import activated, check_target
from bioae.simulation.targets.compiling import compile_project
from bioae.trainers.parity import Parity, parity_network
from bioae.trainers.parity.comparison import Comparison, recorded

# In Brian2's code for Cython: the function, and the template that runs while a network is built.
_MAIN, _CREATES = "def main(_namespace):", "synapses_create"


@dataclass(frozen=True, eq=False)
class Simulation:
    """Arguments of `bioae.simulate`."""

    network: Network
    images: Data | ArrayLike
    seed: int = 0
    record: Collection[str] = ()


def simulate_several(
    simulations: Sequence[Simulation], *, target: Target = "cpp_standalone"
) -> list[xr.DataTree]:
    """Run networks one after another, each on all of its images at once, in float64.

    Parameters
    ----------
    simulations
        The networks with their images.
    target
        The Brian2 target.

    Returns
    -------
    list of xarray.DataTree
        The results as `bioae.simulate` returns them, in order.
    """
    check_target(target)
    if target == "cython":
        return _in_joined_modules(simulations)
    if target not in STANDALONE:
        return [
            simulate(each.network, each.images, Backend(target, record=each.record), seed=each.seed)
            for each in simulations
        ]
    for each in simulations:  # lowered before the target's device is active
        _ = [(placed.program, placed.readout_program) for placed in each.network.config.placed]
    with (
        activated(target) as device,
        catch_logs(),
        tempfile.TemporaryDirectory(prefix="bioae-", ignore_cleanup_errors=True) as folder,
    ):
        networks = [
            _presented(each, prefix=f"net{number}_") for number, each in enumerate(simulations)
        ]
        compile_project(device, Path(folder))
        device.run(with_output=False)
        return [built.result() for built in networks]


def _presented(simulation: Simulation, prefix: str = "") -> Any:
    """Build a network for the active target, and present all images to it."""
    count = len(simulation.images)  # type: ignore[arg-type]
    built = build(simulation.network, count, record=simulation.record, prefix=prefix)
    built.present(simulation.images, seed=simulation.seed)
    built.run()
    return built


def _in_joined_modules(simulations: Sequence[Simulation]) -> list[xr.DataTree]:
    """Run networks on the target cython twice: to note their code, and with it compiled."""
    joined = _JoinedExtensions()
    with patch.object(cython_extension_manager, "create_extension", joined.note):
        for each in simulations:
            with activated("cython"):
                _presented(each)
    joined.compile()
    results = []
    with patch.object(cython_extension_manager, "create_extension", joined.extension):
        for each in simulations:
            with activated("cython"):
                results.append(_presented(each).result())
    return results


class _JoinedExtensions:
    """Code objects of Cython that share modules: those with the same imports and helpers."""

    def __init__(self) -> None:
        self._compiled = cython_extension_manager.create_extension
        self._functions: dict[str, Any] = {}
        self._modules: dict[tuple[str, str], list[str]] = {}
        self._options: dict[str, dict[str, Any]] = {}

    def note(self, code: str, **options: Any) -> Any:
        """Return a module that does nothing, in place of the one that `compile` makes later."""
        owner = options.pop("owner_name")
        if _CREATES in owner:
            return self._compiled(code, **options)
        if code not in self._functions:
            self._functions[code] = None
            self._options[repr(options)] = options
            helpers = code.partition(_MAIN)[0]
            self._modules.setdefault((helpers, repr(options)), []).append(code)
        return SimpleNamespace(main=lambda _: None)

    def compile(self) -> None:
        """Compile all code that was noted."""
        for (helpers, options), codes in self._modules.items():
            mains = [
                f"def main{number}(_namespace):{code.partition(_MAIN)[2]}"
                for number, code in enumerate(codes)
            ]
            text = "\n\n".join([helpers, *mains])
            module = self._compiled(text, **self._options[options])
            for number, code in enumerate(codes):
                self._functions[code] = getattr(module, f"main{number}")

    def extension(self, code: str, **options: Any) -> Any:
        """Return a compiled function as a module."""
        if _CREATES in options["owner_name"]:
            return self._compiled(code, **options)
        return SimpleNamespace(main=self._functions[code])


def survey(
    models: Iterable[NeuronModel],
    *,
    target: Target = "numpy",
    neurons: int = 100,
    steps: int = 200,
    examples: int = 4,
    seed: int = 0,
    perturb: bool = False,
) -> list[Parity]:
    """Compare the two sides on a small random network of each neuron model.

    Parameters
    ----------
    models
        The neuron models.
    target, neurons, steps, examples, seed, perturb
        See `bioae.parity`.

    Returns
    -------
    list of Parity
        In the models' order.

    Raises
    ------
    ModelError
        If no input makes half of the neurons of a model fire.
    """
    models = list(models)
    networks = [
        parity_network(model, neurons=neurons, steps=steps, examples=examples, seed=seed)
        for model in models
    ]
    results = simulate_several(
        [Simulation(n, images, seed, recorded(n)) for n, images in networks], target=target
    )
    return [
        Comparison(network, images, engine_of, name=model.name, seed=seed).with_result(
            result, perturb=perturb
        )
        for model, (network, images), result in zip(models, networks, results, strict=True)
    ]
