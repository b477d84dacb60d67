"""Progress bars: where they are shown, when they appear, and what they say."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from builders import pictures, two_layers
from refusals import refused

import bioae
from bioae import progress, simulate
from bioae.errors import InputError
from bioae.progress import activity, counted
from bioae.runs import Report
from bioae.runs.run import reported
from bioae.simulation.workers import job

DIGITS = np.random.default_rng(0).random((3, 28, 28))


class Screen(io.StringIO):
    """Standard error that is looked at, or not."""

    def __init__(self, *, watched: bool) -> None:
        super().__init__()
        self.watched = watched

    def isatty(self) -> bool:
        return self.watched

    def lines(self) -> list[str]:
        """Return everything that was drawn, and not removed in the same moment."""
        parts = re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-Za-z]", self.getvalue())
        return [part for part in parts if part.strip()]

    def wait_for(self, text: str) -> str:
        for _ in range(6000):
            for line in self.lines():
                if text in line:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"{text!r} is not in {self.lines()}")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    # pytest replaces sys.stderr itself before each phase of a test.
    screen = Screen(watched=True)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=screen, modules=sys.modules))
    monkeypatch.setenv("COLUMNS", "100")
    return screen


def test_a_bar_is_drawn_before_anything_is_finished_and_names_the_activity(screen: Screen) -> None:
    with counted("Brian2", 20, unit="examples") as report:
        assert "0/20" in screen.wait_for("Brian2:")
        with activity("compiling"):
            assert "0/20" in screen.wait_for("Brian2, compiling:")
        time.sleep(0.15)  # between two drawings
        report(5)
        assert re.match("Brian2: .* 5/20 .*examples", screen.wait_for(" 25%"))
    assert screen.getvalue().endswith("\r")  # removed at the end


@pytest.mark.parametrize("show", [None, True, False])
def test_bars_are_shown_on_a_terminal_or_if_asked_for(show: bool | None, screen: Screen) -> None:
    screen.watched = False
    with counted("Brian2", 20, show):
        if show:
            screen.wait_for("0/20")
        else:
            time.sleep(0.1)
    assert bool(screen.lines()) == bool(show)


def test_bars_are_shown_on_a_terminal_without_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream, modules=sys.modules))
        with counted("Brian2", 20) as report:
            time.sleep(0.15)
            report(5)
        shown = os.read(master, 4096)
        while b"5/20" not in shown:  # a terminal may give it in pieces
            shown += os.read(master, 4096)


def test_bars_are_shown_in_a_notebook(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.watched = False
    kernel = ModuleType("IPython")
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr(progress, "_tqdm", lambda: __import__("tqdm").tqdm)
    with counted("Brian2", 20):
        assert screen.wait_for("0/20").startswith("Brian2:")


def test_training_shows_no_number_before_there_is_one(screen: Screen) -> None:
    with reported(None, 0, 20) as report:
        assert "nan" not in screen.wait_for("training:")
        time.sleep(0.15)
        report(Report(1, 2, 1, 20, 12.5))
        assert "validation" not in screen.wait_for("loss=12.50")
        time.sleep(0.15)
        report(Report(2, 2, 11, 20, 11.25, 34.5678))
        line = screen.wait_for("validation=34.57")
    assert re.match("epoch 2/2: .*loss=11.25", line)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("run", "label"),
    [
        (lambda: bioae.simulate("sae-mnist", DIGITS, "numpy"), "NumPy"),
        (lambda: simulate("sae-mnist", DIGITS, "torch"), "PyTorch"),
        (lambda: bioae.analysis.statistics(bioae.analysis.example_result()), "statistics"),
        (lambda: bioae.analyze(bioae.analysis.example_result(), out="out"), "figures"),
    ],
)
def test_long_calls_have_a_bar(
    run: Callable[[], object],
    label: str,
    screen: Screen,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(str(tmp_path))
    run()
    assert any(line.startswith(label) for line in screen.lines()), screen.lines()


@pytest.mark.medium
def test_a_function_takes_the_place_of_the_bar(screen: Screen) -> None:
    seen: list[tuple[int, int]] = []
    bioae.simulate(
        "sae-mnist", DIGITS, bioae.Backend("numpy", chunk=2), progress=lambda *at: seen.append(at)
    )
    assert seen == [(2, 3), (3, 3)]
    assert not screen.lines()


@pytest.mark.parametrize(
    "call",
    [
        lambda wrong: bioae.simulate("sae-mnist", DIGITS, "numpy", progress=wrong),
        lambda wrong: bioae.simulate_to("r.nc", "sae-mnist", DIGITS, "numpy", progress=wrong),
        lambda wrong: simulate("sae-mnist", DIGITS, "torch", progress=wrong),
        lambda wrong: bioae.train("missing.toml", out="out", progress=wrong),
    ],
)
def test_what_is_no_progress(call: Callable[[object], object]) -> None:
    with refused(InputError, "'yes'", where="progress"):
        call("yes")


@pytest.mark.medium
def test_a_bar_advances_within_a_chunk(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[int] = []
    further = progress.Bar.reach_further

    def reach_further(bar: progress.Bar, more: int) -> None:
        reached.append(more)
        further(bar, more)

    monkeypatch.setattr(job, "_REPORT_SECONDS", 0.0)
    monkeypatch.setattr(progress.Bar, "reach_further", reach_further)
    network, images = two_layers(), pictures(5, 4, 4)
    shown = bioae.simulate(network, images, bioae.Backend("numpy", chunk=3), progress=True)
    assert set(reached) == {0, 1, 2, 3}
    second = reached.index(0, reached.index(3))
    assert reached == [*sorted(reached[:second]), *sorted(reached[second:])]
    assert max(reached[second:]) == 2  # the third presentation is padding
    reached.clear()
    assert shown.equals(
        bioae.simulate(network, images, bioae.Backend("numpy", chunk=3), progress=False)
    )
    with counted("outer", 10, True):  # a silent simulation leaves another bar as it is
        bioae.simulate(network, images, "numpy", progress=False)
    assert not reached
