"""Models and time steps that pages print are those of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from brian2 import SpikeMonitor, StateMonitor, prefs
from builders import dense, described

import bioae
from bioae.networks.schedule import ScheduleName

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("schedule", ["paper", "brian2"])
def test_the_steps_in_timing_md_are_those_of_a_run(
    schedule: ScheduleName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    monkeypatch.setitem(prefs, "codegen.loop_invariant_optimisations", False)
    page = (ROOT / "docs/timing.md").read_text(encoding="utf-8")
    block = page.split(f"<!-- steps: {schedule} -->\n```text\n")[1].split("```")[0]
    printed = {name: row for name, *row in (line.split() for line in block.splitlines())}
    run = steps_of_a_run(schedule)
    assert len(printed["step"]) == len(run["layer1"])
    assert {name: printed[name] for name in run} == run


def steps_of_a_run(schedule: ScheduleName) -> dict[str, list[str]]:
    """Return the presentation and step of each population in each step, as text."""
    config = described(
        dense("layer1", 2), dense("layer2", 2), input_shape=[1, 1, 2], steps=3, schedule=schedule,
        encoder={"kind": "bernoulli", "rate": 1.0},
    )  # fmt: skip
    built = bioae.build(bioae.Network.initialise(config), presentations=2)
    clocks = {
        name: StateMonitor(
            population, ["bioae_presentation", "bioae_step"], record=[0], clock=population.clock
        )
        for name, population in built.populations.items()
    }
    emitted = SpikeMonitor(built.input)
    built.network.add(*clocks.values(), emitted)
    built.present(np.ones((2, 1, 1, 2)))
    built.run()
    rows = {
        name: [
            "·" if not 0 <= presentation < 2 else "L" if step < 0 else f"{presentation}:{step}"
            for presentation, step in zip(
                clock.bioae_presentation[0], clock.bioae_step[0], strict=True
            )
        ]
        for name, clock in clocks.items()
    }
    period = built.timing.period
    on = np.bincount(np.rint(emitted.t / built.input.clock.dt).astype(int), minlength=built.steps)
    shown = [f"{step // period}:{step % period}" if n else "·" for step, n in enumerate(on)]
    return {"input": shown, **rows}
