"""A training run as a network of the package: its artefact in float32, its card, its configuration.

Every number of the card comes from the files of the run, from its data, or is measured here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from bioae import Network, analysis, parity, simulate
from bioae.datasets import DATA_SETS, load
from bioae.equations import available as neuron_models
from bioae.errors import ArtefactError, DataError, InputError, NetworkError
from bioae.files import atomic_output
from bioae.networks import artefact
from bioae.networks.trained.cards import CARD, CONFIG, FOLDER, Card, read_card
from bioae.runs.folder import METRICS, MODEL, TEST
from bioae.runs.splits import held_out
from bioae.simulation.backend import Target
from bioae.trainers import TrainingConfig

#: The most bytes of an artefact in the package.
LARGEST = 10**6

#: Digits whose spikes are compared at once.
_COMPARED = 50

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Words:
    """The parts of a card that a person writes: title, limits, and the licence of the network."""

    title: str
    limits: tuple[str, ...]
    licence: str = "CeCILL-2.1"

    @classmethod
    def of(cls, path: Path) -> Words:
        """Return those of an existing card."""
        known = read_card(path)
        return cls(known.title, known.limits, known.licence)


def ship(
    run: Path,
    name: str,
    words: Words,
    *,
    seeds: Sequence[Path] = (),
    target: Target = "cpp_standalone",
    folder: Path = FOLDER,
) -> Path:
    """Store the network of a run under a name, in place of an earlier one.

    Parameters
    ----------
    run
        The folder of a finished run, see `bioae.train`.
    name
        The name.
    words
        The parts of the card that are not measured.
    seeds
        Runs of the same configuration with other seeds.
    target
        The target of the measurement on the embedded digits.
    folder
        The folder of all networks.

    Raises
    ------
    InputError
        If the run is not finished, cannot be repeated from its configuration, its weights are not
        on the grid, its network is too large, or the name does not fit.
    """
    if not _NAME.fullmatch(name) or name in neuron_models():
        raise InputError(
            "this is no name for a network",
            expected="lower-case letters, digits and dashes, and no neuron model's name",
            found=name,
        )
    config = _repeatable(TrainingConfig.read(run / CONFIG), run)
    trained = artefact.load(run / MODEL)
    network = stored_network(trained.network, config.training.grid_bits)
    written = measured_card(run, config, network, words, seeds=seeds, target=target)
    card = Card.model_validate(written)
    with atomic_output(folder / name, overwrite=True) as temporary:
        artefact.save(network, temporary, training=trained.training, metrics=trained.metrics)
        _check_size(temporary)
        content = card.model_dump(exclude_none=True)
        (temporary / CARD).write_text(tomli_w.dumps(_listed(content)), encoding="utf-8")
        (temporary / CONFIG).write_text(config.to_toml(), encoding="utf-8")
        if artefact.load(temporary).network.sha256 != trained.network.sha256:
            raise ArtefactError("the stored network is not that of the run", where=str(run))
    return folder / name


def stored_network(network: Network, grid_bits: int | None) -> Network:
    """Return a network with its weights in float32, which holds them exactly.

    Neuron parameters, a few numbers that are on no grid, stay as they are.

    Parameters
    ----------
    network
        The network.
    grid_bits
        The grid of its weights: multiples of 2**-grid_bits.

    Raises
    ------
    NetworkError
        If a weight is not on the grid, or float32 does not hold it.
    """
    if grid_bits is None:
        raise NetworkError("the weights are on no grid", hint="Train with grid_bits = 12")
    rounded = network.quantised(grid_bits).weights
    own = {n for each in network.config.placed for n in (*each.weight_shapes, *each.bias_shapes)}
    weights: dict[str, NDArray[Any]] = {}
    for name, values in network.weights.items():
        weights[name] = values.astype(np.float32) if name in own else values
        if name in own and not (values == rounded[name]).all():
            raise NetworkError(
                f"the weights {name!r} are not on their grid", expected=f"2^-{grid_bits}"
            )
        if not (weights[name] == values).all():
            raise NetworkError(
                f"float32 does not hold the weights {name!r}",
                expected=f"less than {2 ** (24 - grid_bits)} at a grid of 2^-{grid_bits}",
                found=f"{np.abs(values).max():g}",
            )
    return replace(network, weights=weights)


def measured_card(
    run: Path,
    config: TrainingConfig,
    network: Network,
    words: Words,
    *,
    seeds: Sequence[Path] = (),
    target: Target = "cpp_standalone",
) -> dict[str, Any]:
    """Return the contents of a card; the arguments are those of `ship`."""
    test = json.loads((run / TEST).read_text(encoding="utf-8"))
    placed = {each.name: each for each in network.config.placed}
    latent = network.config.latent
    known = DATA_SETS[config.data.name]
    card = {
        "title": words.title,
        "licence": words.licence,
        "limits": words.limits,
        "data": {"name": known.name, "source": known.source, "licence": known.licence},
        "network": {
            "task": network.config.task.kind,
            "neurons": sum(each.size for each in placed.values()),
            "parameters": sum(int(np.size(values)) for values in network.weights.values()),
        },
        "training": {
            "command": f"bioae train {CONFIG} --out run",
            "seed": config.training.seed,
            "epochs": _epochs(run),
            "epoch": test["epoch"],
            "presentations": _epochs(run) * _examples(config),
        },
        "test": _test(config, test, seeds),
    }
    if latent is not None:
        card["network"] |= {"latent": latent, "latent_neurons": placed[latent].size}
    if known.source == DATA_SETS["sample"].source:  # the embedded digits are a part of it
        card["sample"] = _on_sample(network, target)
    return card


def _repeatable(config: TrainingConfig, run: Path) -> TrainingConfig:
    """Return a configuration with its neuron models in full."""
    if config.training.init is not None:
        raise NetworkError(
            "a run that starts from another one cannot be repeated from its configuration",
            where=str(run),
            hint="Train in one run: [[training.stages]]",
        )
    if config.data.name not in DATA_SETS:
        raise DataError(
            "this data set has no name by which others find it",
            where=str(run),
            expected=f"one of {', '.join(DATA_SETS)}",
            found=config.data.name,
        )
    return config.with_network(config.network.self_contained())


def _epochs(run: Path) -> int:
    return len((run / METRICS).read_text(encoding="utf-8").splitlines())


def _examples(config: TrainingConfig) -> int:
    """Return the number of images that an epoch presents."""
    images = load(config.data.name, "train", config.data.train)
    return len(held_out(images, config.data.validation, config.training.seed)[0])


def _test(config: TrainingConfig, test: Mapping[str, Any], seeds: Sequence[Path]) -> dict[str, Any]:
    score, *_ = config.network.task.scores
    values = [test[f"test_{score}"], *(_of_seed(other, config, score) for other in seeds)]
    firing = {
        name: {
            key: each[key] for key in ("rate_per_step_mean", "dead_fraction", "bursting_fraction")
        }
        for name, each in test["test_layers"].items()
    }
    result: dict[str, Any] = {
        "examples": len(load(config.data.name, "test", config.data.test)),
        "score": score,
        "value": values[0],
        "seeds": len(values),
        "layers": firing,
    }
    return result | ({"spread": stdev(values)} if seeds else {})


def _of_seed(run: Path, config: TrainingConfig, score: str) -> float:
    """Return the score of a run that differs in nothing but its seed."""
    other = _repeatable(TrainingConfig.read(run / CONFIG), run)
    mappings = [each.to_mapping() for each in (other, config)]
    chosen = [mapping["training"].pop("seed") for mapping in mappings]
    if mappings[0] != mappings[1] or chosen[0] == chosen[1]:
        raise NetworkError("the runs do not differ in their seed alone", where=str(run / CONFIG))
    return float(json.loads((run / TEST).read_text(encoding="utf-8"))[f"test_{score}"])


def _on_sample(network: Network, target: Target) -> dict[str, Any]:
    """Measure the embedded test digits in Brian2, and compare their spikes with the mirror's."""
    digits = load("sample", "test")
    values = _scores(network, simulate(network, digits, target))
    # A comparison records every state, which takes gigabytes for all digits at once.
    parts = [digits[start : start + _COMPARED] for start in range(0, len(digits), _COMPARED)]
    compared = [parity(network, part, target=target) for part in parts]
    return {
        "examples": len(values),
        "target": target,
        "value": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / len(values) ** 0.5),
        "spikes": sum(each.spikes for each in compared),
        "differing": sum(each.differing for each in compared),
    }


def _scores(network: Network, result: Any) -> NDArray[np.float64]:
    """Return the first score of the task for each image (example,)."""
    if network.config.task.target == "labels":
        return np.asarray(analysis.predicted_class(result) == result["label"], np.float64)
    return np.asarray(analysis.sum_squared_error(result))


def _check_size(path: Path) -> None:
    size = sum(file.stat().st_size for file in path.iterdir())
    if size > LARGEST:
        raise ArtefactError(
            "the network is too large for the package",
            expected=f"at most {LARGEST:,} bytes",
            found=f"{size:,}",
        )


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
