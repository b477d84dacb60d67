"""``python -m experiments``: rows, verdicts and statuses, with a toy experiment."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runner.experiment import available

# Each run asks git for the commit.
pytestmark = pytest.mark.medium

Run = Callable[..., Any]
Write = Callable[..., None]
Start = Callable[..., subprocess.Popen[str]]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder that are no locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }


def exports(folder: Path) -> dict[str, bytes]:
    """Return what is made of the numbers of rows; the rest names times."""
    found = {name: data for name, data in contents(folder).items() if name.endswith("csv")}
    assert set(found) == {"toy.csv"}
    return found


def test_the_whole_job(run: Run, write: Write, here: Path) -> None:
    done = run("toy")
    assert done.status == 0, done
    assert done.out.splitlines() == [
        "claim: our score: 0.875 ± 0.125 (n = 3), threshold >= 0.75: holds",
        "control: score of chance: 0.375 ± 0.125 (n = 3), threshold <= 0.5: holds",
        "claim: difference: 0.500 ± 0 (n = 3), threshold > 0.25: holds",
        "Source's claim: none, the claim is ours.",
        "Our marks: 2 of 2.",
        "Page: bioae-experiments/toy/toy.md",
    ]
    assert "chance, seed 2 (row 6 of 6)" in done.err
    folder = here / "bioae-experiments/toy"
    rows = list(csv.DictReader((folder / "toy.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert rows[0] == {"condition": "ours", "seed": "0", "score": "0.75", "spikes": "10"}
    page = (folder / "toy.md").read_text()
    assert "**Our marks: 2 of 2.** Controls: 1 of 1.\n" in page
    assert "| 0.875 ± 0.125 (n = 3) | ≥ 0.75 | holds |" in page
    provenance = json.loads((folder / "toy.json").read_text())["rows"][0]["provenance"]
    assert {"versions", "commit", "machine", "seconds"} == set(provenance)


WORSE = ('"ours": Condition("ours", {"score": 0.75})', '"ours": Condition("ours", {"score": 0.5})')
WINNING = ('Condition("chance", {"score": 0.25})', 'Condition("chance", {"score": 0.625})')
SILENT = ('{"score": 0.25})', '{"score": 0.25, "spikes": 0})')
SAID = ("seeds=3", 'seeds=3, source_says="So."'), ('">=", 0.75)', '">=", 0.75, source=True)')
UNDEFINED = ("score = trial", "score = float('nan') * trial")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (WORSE, "claim: our score: 0.625 ± 0.125 (n = 3), threshold >= 0.75: misses"),
        (WINNING, "control: score of chance: 0.750 ± 0.125 (n = 3), threshold <= 0.5: misses"),
        (SILENT, "silent: chance, seed 1"),
        (UNDEFINED, "claim: our score: – (n = 3), threshold >= 0.75: undefined"),
    ],
)
def test_failures(change: tuple[str, str], line: str, run: Run, write: Write, here: Path) -> None:
    write(change, *SAID)
    done = run("toy")
    assert done.status == 1
    assert line in done.out.splitlines()
    assert "Source's claim: does not hold." in done.out
    status = run("toy", "--status")
    assert status.status == 1
    assert line in status.out.splitlines()


def test_rows_of_one_condition(run: Run, write: Write, here: Path) -> None:
    assert "ours: 0 of 3 rows; missing seeds: 0, 1, 2\n" in run("toy", "--status").out
    assert list(here.iterdir()) == []
    done = run("toy", "--condition", "chance", "--seeds", 2, "--out", "out")
    assert done.status == 1
    assert "control: score of chance: 0.312 ± 0.0884 (n = 2), threshold <= 0.5: holds" in done.out
    assert "claim: our score: – (n = 0), threshold >= 0.75: rows missing: 2" in done.out
    assert "Our marks: 0 of 2; rows missing for 2 (2 of 3 planned seeds run)." in done.out
    before = contents(here)
    status = run("toy", "--status", "--out", "out")
    assert (status.status, status.err) == (1, "")
    assert "ours: 0 of 3 rows; missing seeds: 0, 1, 2\nchance: 2 of 3 rows; missing seeds: 2\n" in (
        status.out
    )
    assert contents(here) == before

    assert run("toy", "--resume", "--out", "out").status == 0
    calls = [path.read_text() for path in sorted(here.rglob("calls"))]
    assert calls == ["x"] * 6
    # Fewer seeds than there are rows, and more.
    assert "(n = 1)" in run("toy", "--status", "--seeds", 1, "--out", "out").out
    assert "rows missing: 1" in run("toy", "--status", "--seeds", 4, "--out", "out").out


def test_list(run: Run, write: Write, here: Path) -> None:
    done = run("list")
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[lines.index("toy A toy (2 conditions, 6 rows)") + 1] == "Ours is better."
    starts = [line.split(" ", 1)[0] for line in done.out.splitlines()]
    assert [name for name in starts if name] == available()


def refused(done: Any) -> str:
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("bioae: error: ")
    assert done.err.count("\n") == 1
    return str(done.err)


def test_bad_input_is_refused_in_a_line(run: Run, write: Write, here: Path) -> None:
    (here / "file").write_text("mine")
    (here / "mine").mkdir()
    (here / "mine" / "notes.txt").write_text("mine")
    before = contents(here)
    for words, message in (
        (("tox",), f"expected list, or one of {', '.join(available())}"),
        (("runner",), "there is no experiment 'runner'"),
        (("../toy",), "there is no experiment '../toy'"),
        (("toy", "--condition", "mine"), "no condition 'mine'; expected one of ours, chance"),
        (("toy", "--seeds", 0), "Must be >= 1"),
        (("toy", "--target", "cuda"), "Choose from"),
        (("toy", "--out", "file"), "expected a folder; found a file"),
        (("toy", "--out", "mine"), "this is not the folder of an experiment"),
        (("toy", "--out", "mine", "--overwrite"), "this is not the folder of an experiment"),
        (("toy", "--out", "mine", "--status"), "this is not the folder of an experiment"),
        (("toy", "--resume", "--overwrite"), "--overwrite: no effect, because --resume keeps"),
        (("toy", "--status", "--resume"), "--resume: no effect, because --status runs nothing"),
        (("list", "--quick", "--out", "out"), "no effect, because list runs nothing"),
        (
            ("toy", "--status", "--rows", "a.json"),
            "--rows: no effect, because --status runs nothing",
        ),
        (("toy", "--rows", "no/such.json"), "no/such.json"),
    ):
        assert message in refused(run(*words)), words
        assert contents(here) == before


def test_rows_are_kept_unless_they_may_be_replaced(run: Run, write: Write, here: Path) -> None:
    assert run("toy", "--out", "out").status == 0
    (here / "out/toy.notes.txt").write_text("mine")
    before = contents(here)
    line = refused(run("toy", "--out", "out"))
    assert "out: the folder holds rows already, which were kept. Continue it with --resume" in line
    for options, message in (
        (("--quick", "--resume"), "the rows are of another run: quick differs"),
        (("--quick", "--status"), "the rows are of another run: quick differs"),
        (("--target", "cython", "--resume"), "target differs; expected cpp_standalone"),
    ):
        assert message in refused(run("toy", "--out", "out", *options))
    assert contents(here) == before
    assert run("toy", "--out", "out", "--quick", "--overwrite").status == 0
    rows = (here / "out/toy.csv").read_text().splitlines()
    assert rows == ["condition,seed,score,spikes", "ours,0,0.75,10", "chance,0,0.25,10"]
    assert "test of the program" in (here / "out/toy.md").read_text()
    assert (here / "out/toy.notes.txt").read_text() == "mine"
    assert len(list((here / "out/rows").rglob("*.json"))) == 2


def test_rows_of_another_definition_are_not_mixed(run: Run, write: Write, here: Path) -> None:
    assert run("toy").status == 0
    write(('Condition("chance", {', 'Condition("luck", {'))
    assert run("toy", "--resume").status == 0  # settings count
    write(('sizes={"spread": 1.0}', 'sizes={"spread": 2.0}'))
    line = "another run: sizes.spread differs; expected 1.0; found 2.0. Use the options"
    for option in ("--resume", "--status"):
        assert line in refused(run("toy", option))


def test_rows_of_an_older_recipe(run: Run, write: Write, modules: Path, here: Path) -> None:
    recipe = modules / "toy.toml"
    recipe.write_text("[training]\nepochs = 3\n")
    assert run("toy", "--seeds", 1).status == 0
    recipe.write_text("# A comment.\n[training]\nepochs = 3 # and another\n")
    assert run("toy", "--seeds", 1, "--resume").status == 0
    recipe.write_text("[training]\nepochs = 4\n")
    assert "the rows are of another run: recipe differs" in refused(run("toy", "--resume"))
    recipe.unlink()
    assert "the rows are of another run: recipe differs" in refused(run("toy", "--status"))


def test_a_column_that_is_not_declared_is_a_defect(run: Run, write: Write, here: Path) -> None:
    write(('return {"score"', 'return {"scores": 1, "score"'))
    done = run("toy")
    assert done.status == 70
    assert "found scores" in done.err


@pytest.mark.parametrize("damage", ["{}", '{"condition": "ours"', "moved"])
def test_damaged_rows_are_computed_again(damage: str, run: Run, write: Write, here: Path) -> None:
    run("toy", "--out", "out")
    straight = exports(here / "out")
    row = here / "out/rows/ours/1.json"
    row.write_text((here / "out/rows/ours/2.json").read_text() if damage == "moved" else damage)
    line = "out/rows/ours/1.json: this row cannot be read, and counts as missing\n"
    status = run("toy", "--status", "--out", "out")
    assert "ours: 2 of 3 rows; missing seeds: 1\n" in status.out
    assert status.err == line
    again = run("toy", "--resume", "--out", "out")
    assert again.status == 0
    assert " ".join(again.err.split()).startswith(line.rstrip())
    assert run("toy", "--status", "--out", "out").err == ""
    assert exports(here / "out") == straight


WAITING = """    import pathlib, time
    while trial.seed == 1 and not pathlib.Path("go").exists(): time.sleep(0.01)
    score = trial"""


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_a_stopped_run_is_resumed_to_the_same_bytes(
    sent: signal.Signals, run: Run, write: Write, start: Start, here: Path
) -> None:
    write(("    score = trial", WAITING))
    process = start("toy", "--out", "out")
    while not (here / "out/runs/ours/1/calls").exists():
        assert process.poll() is None, process.communicate()
    process.send_signal(sent)
    out, err = process.communicate()
    if sent == signal.SIGTERM:
        assert (process.returncode, out) == (130, "")
        message = "bioae: interrupted; continue with the same command and --resume"
        assert err.splitlines()[-1] == message
    assert sorted(path.name for path in (here / "out/rows").rglob("*.json")) == ["0.json"] * 2
    (here / "go").touch()
    assert run("toy", "--out", "out", "--resume").status == 0
    assert (here / "out/runs/ours/0/calls").read_text() == "x"
    assert run("toy", "--out", "straight").status == 0
    assert exports(here / "out") == exports(here / "straight")


def test_rows_of_another_run_are_taken_over(run: Run, write: Write, here: Path) -> None:
    assert run("toy", "--condition", "chance", "--out", "first").status == 1
    known = ("--rows", "first/toy.json", "--out", "second")
    assert run("toy", *known).status == 0
    assert len(list(here.glob("first/**/calls"))) == 3
    assert sorted(path.parts[-3] for path in here.glob("second/**/calls")) == ["ours"] * 3
    rows = {
        name: [row for row in json.loads((here / name / "toy.json").read_text())["rows"]
               if row["condition"] == "chance"]
        for name in ("first", "second")
    }  # fmt: skip
    assert rows["first"] == rows["second"]
    assert len(rows["first"]) == 3
    before = contents(here / "second")
    line = refused(run("toy", "--quick", *known, "--overwrite"))
    assert "first/toy.json: the rows are of another run: quick differs; expected True" in line
    assert contents(here / "second") == before


def test_criteria_count_as_stated_until_their_rows_begin(
    run: Run, write: Write, here: Path
) -> None:
    def told(folder: str) -> list[bool]:
        lines = run("toy", "--status", "--out", folder).out.splitlines()
        return ["changed after some of its rows" in line for line in lines if ", threshold" in line]

    assert run("toy", "--condition", "ours", "--out", "first").status == 1
    chance, ours = ('"chance"), "<=", 0.5', '"chance"), "<=", 0.625'), ('">=", 0.75', '">=", 0.5')
    write(chance)
    assert run("toy", "--out", "first", "--resume").status == 0
    assert told("first") == [False, False, False]
    write(chance, ours)
    (here / "third/runs/ours/0").mkdir(parents=True)  # begun, and killed
    shutil.copy(here / "first/experiment.json", here / "third")
    known = ("--rows", "first/toy.json", "--condition", "chance")
    for folder, options in (("first", ["--resume"]), ("second", known), ("third", ["--resume"])):
        assert run("toy", *options, "--out", folder).status == 0
        assert told(folder) == [True, False, False]
