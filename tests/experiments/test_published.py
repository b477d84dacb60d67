"""Published rows and quick forms: each criterion that holds can fail, and conditions differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.runner.experiment import Plan, available, load
from experiments.runner.page import MISSES
from experiments.runner.rows import Document, read_json
from experiments.runner.trial import Trial
from experiments.runner.verdict import judge

ROWS = Path(__file__).parents[2] / "docs" / "results" / "experiments"
PUBLISHED = [name for name in available() if (ROWS / f"{name}.json").exists()]

#: Values that contradict a criterion whose columns have the usual sizes, by its relation.
_EXTREMES = (-1e6, 0.0, 0.5, 1.0, 1e6)


def changed(document: Document, condition: str, column: str, values: list[float]) -> Document:
    """Return rows with other numbers in a column of a condition, one per seed, cyclically."""
    rows = [
        row.model_copy(update={"numbers": row.numbers | {column: values[row.seed % len(values)]}})
        if row.condition == condition
        else row
        for row in document.rows
    ]
    return document.model_copy(update={"rows": tuple(rows)})


def candidates(document: Document, conditions: tuple[str, ...], column: str) -> Iterator[Document]:
    """Yield the rows with wrong numbers, or numbers that conditions do not differ in."""
    for condition in conditions:
        for value in _EXTREMES:
            yield changed(document, condition, column, [value])
    same = document
    for condition in conditions:
        same = changed(same, condition, column, [0.1, 0.3, 0.2, 0.5, 0.4])
    yield same
    mixed = same
    for place, condition in enumerate(conditions):
        mixed = changed(mixed, condition, column, [0.1 * (-1) ** place, -0.1 * (-1) ** place])
    yield mixed


@pytest.mark.medium
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_criterion_that_holds_can_fail(name: str) -> None:
    document = read_json(Document, ROWS / f"{name}.json")
    plan = Plan(load(name), seeds=document.seeds)
    judgements = judge(plan, document).judgements
    holding = [each for each in judgements if each.holds]
    assert holding or any(each.missing for each in judgements)
    for judgement in holding:
        statistic = judgement.criterion.statistic
        verdicts = (
            judge(plan, other)
            for other in candidates(document, statistic.conditions, statistic.column)
        )
        failing = (
            not each.holds
            for verdict in verdicts
            for each in verdict.judgements
            if each.criterion == judgement.criterion
        )
        assert any(failing), str(judgement.criterion)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_miss_has_a_reason_on_the_page(name: str) -> None:
    document = read_json(Document, ROWS / f"{name}.json")
    plan = Plan(load(name), seeds=document.seeds)
    reasons = " ".join(plan.experiment.notes.partition(MISSES)[2].partition("\n## ")[0].split())
    judgements = judge(plan, document).judgements
    misses = [each.criterion.text for each in judgements if not (each.holds or each.missing)]
    assert [text for text in misses if f"*{text}*" not in reasons] == []
    assert bool(reasons) == bool(misses)


class _Caught(Exception):  # noqa: N818 - it ends a trial that would train for minutes
    pass


def tables_of(name: str, condition: str, folder: Path) -> dict[str, Any]:
    """Return the tables of a condition's training in the quick form, flat, without paths."""
    caught: dict[str, Any] = {}

    class Caught(Trial):
        def train(self, tables: Mapping[str, Any], *names: str, share: bool = False) -> Any:
            caught.update(tables)
            raise _Caught

        baseline = learn = train

    experiment = load(name)
    settings = experiment.conditions[condition].settings
    folders = folder / condition, folder / "shared"
    with pytest.raises(_Caught):
        experiment.run(Caught(condition, settings, 0, experiment.quick, *folders, "numpy"))
    found = dict(flat(caught))
    rules = {key: found.pop(key) for key in list(found) if key.startswith("network.synapses")}
    paths = {"data.name", "baseline.initial"}
    return {key: each for key, each in found.items() if key not in paths} | {
        "network.synapses": rules
    }


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables with their keys; layers by their names."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        value = {each["name"]: each for each in value}
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from flat(each, f"{key}.{name}".lstrip("."))
    else:
        yield key, value


HIDDEN = "network.layers.hidden"
TRAINED = {
    "training.per_neuron", "training.learning_rates.tau_m", "training.learning_rates.tau_adapt",
    "training.layers.hidden.trainable", "training.layers.hidden.bounds.tau_m",
}  # fmt: skip
ADAPTIVE = {
    f"{HIDDEN}.{key}" for key in ("parameters.beta", "parameters.tau_adapt", "spread.tau_adapt")
}
OWN_RULE, STEP = {"network.synapses"}, f"{HIDDEN}.parameters.h_plus"
SILENT = {f"regularisers.silent.{key}" for key in ("coefficient", "layers", "over", "warm_up")}
DELAYED = {"training.delays.output.weight", "training.learning_rates.weight_delay"}
VARIED = {f"training.variability.{key}" for key in ("scale", "distribution", "accumulate")}


@pytest.mark.parametrize(
    ("name", "condition", "reference", "keys"),
    [
        ("srnn", "fixed", "trained", TRAINED),
        ("srnn", "lif", "fixed", ADAPTIVE),
        ("srnn", "feedforward", "trained", {f"{HIDDEN}.recurrent", f"{HIDDEN}.recurrent_gain"}),
        ("srnn", "fixed-long", "fixed", {f"{HIDDEN}.spread.tau_adapt"}),
        ("srnn", "lif-40", "lif", {"network.steps"}),
        ("srnn", "trained-350", "trained", {f"{HIDDEN}.spread.tau_adapt"}),
        ("neural_variability", "variability", "sgd", VARIED),
        ("neural_variability", "accumulating", "variability", VARIED),
        ("neural_variability", "weight-decay", "sgd", {"regularisers.l2"}),
        ("neural_variability", "autoencoder-variability", "autoencoder", VARIED),
        ("neural_variability", "forgetting-0.02", "forgetting-sgd", VARIED),
        ("convolutional_structure", "relu-short-clone", "relu-short", set()),
        ("convolutional_structure", "erf-fast", "erf", {"training.learning_rate"}),
        ("convolutional_structure", "autoencoder-clone", "autoencoder", set()),
        ("local_encoder", "frozen", "exc-100", {*OWN_RULE, "data.train"}),
        ("local_encoder", "shuffled", "exc-100", set()),
        ("rewiring", "fixed", "rewired", OWN_RULE),
        ("spiking_vae", "vae", "small", {"network.layers.latent.background", "training.frozen"}),
        ("delays", "random", "equal", {"network.layers.output.delay"}),
        ("delays", "trained", "equal", DELAYED),
        ("delays", "drawn", "random", DELAYED),
        ("yin_yang", "frozen", "exact", {"training.frozen"}),
        ("latency_mnist", "frozen", "exact", {"training.frozen", *SILENT}),
        ("rewiring", "random", "rewired", OWN_RULE),
        ("rewiring", "all", "rewired", {*OWN_RULE, "learning.rule", STEP, f"{HIDDEN}.weight"}),
    ],
)
def test_conditions_differ_as_they_say(
    name: str, condition: str, reference: str, keys: set[str], tmp_path: Path
) -> None:
    one, other = (tables_of(name, each, tmp_path) for each in (condition, reference))
    assert len(one) > 8
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    assert differing <= keys
    assert bool(differing) == bool(keys)


#: A number of a condition that contradicts the claim, or betrays a control.
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "bcpnn": [("learned", "radius", 10.5), ("untrained", "accuracy", 0.8)],
    "classification": [("spiking", "accuracy", 0.0), ("spiking", "differing_outputs", 1)],
    "convolutional_structure": [("relu-short", "median", 0.0)],
    "delays": [("trained", "accuracy", 0.3), ("shuffled", "accuracy", 0.9)],
    "demo": [("paper", "pathological", 0.0), ("regularised", "spikes", 0)],
    "csdp": [("learned", "differing_weights", 1e-3), ("frozen", "goodness_accuracy", 1.0)],
    "eprop": [("eprop", "differing_weights", 1), ("leaky", "differing_spikes", 1)],
    "hubotter2021": [
        ("dense", "differing_spikes", 1),
        ("sparse", "density", 0.9),
        ("mean-image", "error", 1.0),
    ],
    "latency_mnist": [("exact", "accuracy", 0.3), ("surrogate", "differing_spikes", 1)],
    "local_encoder": [("exc-100", "accuracy", -2.0), ("exc-100", "differing_weights", 1)],
    "memristive": [("levels-32", "and_gap", -5.0), ("analogue", "differing_spikes", 1)],
    "neural_variability": [("variability", "memorised", 1.0)],
    "neurons_as_autoencoders": [("k0-plain", "error", 1.0), ("k0-autoencoding", "decoded", 1.0)],
    "radlif": [("radlif", "critical_gain", 1.5)],
    "regression": [("elasticity", "differing_spikes", 1)],
    "rewiring": [("fixed", "moved", 0.1), ("rewired", "differing_numbers", 1.0)],
    "sparse_code": [("spiking", "density", 0.9), ("spiking", "differing_spikes", 1)],
    "spiking_vae": [("digits", "density", 0.9), ("vae", "differing_spikes", 1)],
    "spike_times": [("shallow", "event_error", 1e-3), ("jump", "jump", 0.0)],
    "srnn": [("trained", "accuracy", 0.5), ("untrained", "accuracy", 0.9)],
    "temporal_code": [("shipped", "even_ratio", 1.0), ("short", "kept", 0.1)],
    "yin_yang": [("exact", "accuracy", 0.3), ("linear", "accuracy", 0.9)],
}


def run(name: str, *options: str) -> int:
    """Run the quick form, and return the status."""
    return main([name, "--quick", "--target", "numpy", *options])


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_quick_forms_hold(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, experiment = tmp_path / "out", load(name)
    assert run(name, "--out", str(folder)) == 0
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    rows = {row["condition"]: row["numbers"] for row in document["rows"]}
    assert set(rows) == {key for key, each in experiment.conditions.items() if each.quick}
    assert all(set(numbers) <= set(experiment.columns) for numbers in rows.values())
    differing = [each["differing_spikes"] for each in rows.values() if "differing_spikes" in each]
    assert differing == [0] * len(differing)
    assert differing or "differing_spikes" not in experiment.columns
    for figure in experiment.figures:
        assert (folder / f"figures/{name}-{figure}.svg").read_text().endswith("-->\n")

    for number, (condition, column, value) in enumerate(WRONG[name]):
        changed = deepcopy(document)
        (row,) = (each for each in changed["rows"] if each["condition"] == condition)
        assert row["numbers"][column] != value
        row["numbers"][column] = value
        known = tmp_path / f"known{number}.json"
        known.write_text(json.dumps(changed))
        capsys.readouterr()
        # The rows are taken over, so that nothing is trained.
        assert run(name, "--rows", str(known), "--out", str(tmp_path / str(number))) == 1
        out = capsys.readouterr().out
        assert ": misses" in out or "silent: " in out
