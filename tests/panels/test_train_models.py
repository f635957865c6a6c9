"""What the Train panel knows without a window: goals, charts, sentences."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellsci.panels.train import standing, words
from napari_cellsci.panels.train.charts import (
    charts_of,
    compared,
    drawn,
    front,
    smoothed,
    write_curves,
)
from napari_cellsci.panels.train.compared import comparison, rows_of
from napari_cellsci.panels.train.goals import EACH, GOALS, Setup, goal_of
from napari_cellsci.panels.train.help import parameters_of
from napari_cellsci.panels.train.setup_page import ALL, cells_of
from napari_cellsci.project.run_estimate import Estimate
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo

METRICS = {"val_mse": 0.2, "mse": 0.3, "mi": 4.0, "tc": 0.5, "active": 5.0, "loss": 9.0}


def told(folder: Path, *events: dict[str, Any]) -> RunLog:
    """Return the log of a run that tells something every second."""
    folder.mkdir(exist_ok=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with (folder / "events.jsonl").open("a") as file:
        for second, event in enumerate(events):
            at = (start + timedelta(seconds=second)).isoformat()
            file.write(json.dumps({"at": at, **event}) + "\n")
    log = RunLog(folder)
    log.update()
    return log


def step(n: int, total: int = 100, **metrics: float) -> dict[str, Any]:
    return {"event": "Step", "step": n, "total": total, "metrics": metrics}


def info(folder: Path, state: RunState, **changes: Any) -> RunInfo:
    request = RunRequest("train_encoder", {"preset": "quick", "batch": 64})
    run = RunInfo(
        "20260101-000000-encoder-abcd",
        "encoder",
        "first",
        state,
        None,
        {"request": request.to_dict()},
        "2026-01-01T00:00:00+00:00",
        None,
        folder,
    )
    return replace(run, **changes)


@pytest.mark.parametrize("goal", GOALS, ids=[goal.key for goal in GOALS])
def test_every_preset_asks_for_something_that_exists(goal: Any) -> None:
    for preset in goal.presets:
        usual = goal.usual(preset.key)
        assert set(preset.settings) <= set(usual)
        setup = Setup(goal.key, preset.key, encoder="e" if goal.on_latents else None)
        request = setup.request()
        assert request.verb == goal.verb
        asked = Setup.of(request)
        assert asked.request() == request
        assert asked.goal == goal.key
    help_ = parameters_of(goal.config_class)
    shown = set(goal.config_class.__dataclass_fields__) - set(goal.hidden)
    assert [name for name in sorted(shown) if not help_.get(name)] == []


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), max_size=30))
def test_nothing_beats_the_front_and_it_beats_the_rest(
    pairs: list[tuple[float, int]],
) -> None:
    trials = [{"accuracy": a, "weights": float(w)} for a, w in pairs]
    best = front(trials)
    for trial in trials:
        assert any(
            b["accuracy"] >= trial["accuracy"] and b["weights"] <= trial["weights"]
            for b in best
        )
    for one, other in pairwise(best):
        assert one["weights"] < other["weights"]
        assert one["accuracy"] < other["accuracy"]


def test_charts_show_what_a_run_has_told(tmp_path: Path) -> None:
    log = told(tmp_path, *(step(n, **METRICS) for n in (10, 20, 30)))
    charts = {chart.key: chart for chart in charts_of("encoder", log)}
    assert list(charts) == ["recon", "terms", "active", "loss"]
    curves = drawn(charts["terms"], log)
    assert [curve.title for curve in curves] == [
        "mutual information",
        "total correlation",
    ]
    np.testing.assert_array_equal(curves[0].x, [10, 20, 30])
    side_by_side = compared(charts["recon"], [("a", log), ("b", log)])
    assert [curve.title for curve in side_by_side] == ["a", "b"]
    assert side_by_side[0].color != side_by_side[1].color
    assert [chart.key for chart in charts_of("search")] == ["cloud"]
    for kind in ("encoder", "heads", "search"):
        assert all(chart.good.startswith("Good: ") for chart in charts_of(kind))


GAME = {
    "loss_d": 1.0,
    "loss_g": 0.9,
    "code_error": 0.4,
    "variety": 0.7,
    "mi": 2.0,
    "real_right": 0.8,
    "drawn_right": 0.7,
    "active": 4.0,
    "val_mse": 1.1,
}


def test_a_game_has_charts_of_its_own(tmp_path: Path) -> None:
    log = told(tmp_path, *(step(n, **GAME) for n in (10, 20)))
    charts = charts_of("encoder", log)
    keys = [chart.key for chart in charts]
    assert keys == ["game", "right", "code", "terms", "variety", "recon"]
    assert all(chart.good.startswith("Good: ") for chart in charts)
    assert len(drawn(charts[0], log)) == 2
    done = info(tmp_path, RunState.DONE, config={"config": {"kind": "infogan"}})
    assert words.kind_of(done) == "InfoGAN"
    assert words.result_words(done, log) == "variety 0.70, 4 latents"


def test_a_game_that_tips_over_is_told_early(tmp_path: Path) -> None:
    fine = told(tmp_path / "fine", *(step(n, **GAME) for n in range(40, 70)))
    assert not standing.collapse_warning(fine)
    for name, bad, said in (
        ("same", {"variety": 0.01}, "draw"),
        ("mute", {"active": 0.0}, "raise information"),
        ("sure", {"real_right": 1.0, "drawn_right": 1.0}, "always right"),
    ):
        steps = (step(n, **{**GAME, **bad}) for n in range(40, 70))
        assert said in standing.collapse_warning(told(tmp_path / name, *steps))
    settings = {"config": {"kind": "infogan", "roth": 2.0, "learning_rate": 2e-4}}
    ended = {"event": "Ended", "state": "failed", "trouble": "collapsed"}
    failed = info(tmp_path, RunState.FAILED, config=settings)
    card = standing.of_run(failed, told(tmp_path / "end", ended), None)
    assert "one and the same cell" in card.reason
    assert card.deed == "retry"
    assert card.changes == {"roth": 4.0, "roth_end": 0.4, "learning_rate": 1e-4}


@pytest.mark.parametrize("key", ["encoder", "bvae", "infogan"])
def test_a_kind_of_encoder_is_a_goal(key: str) -> None:
    goal = goal_of(key)
    setup = Setup(key, "quick", {"batch": 32})
    request = setup.request()
    assert request.arguments.get("kind", "tcvae") == goal.usual("quick")["kind"]
    assert Setup.of(request) == setup
    asked = set(goal.config_class.__dataclass_fields__) - set(goal.hidden)
    assert ("roth" in asked) == (key == "infogan")
    assert ("estimator" in asked) == (key == "encoder")
    assert "learning_rate" in asked


def test_each_model_has_its_curve_and_all_a_mean(tmp_path: Path) -> None:
    each = {"held_out": [0.5, 1.0, None], "weights": [9, 9, 9]}
    log = told(tmp_path, {**step(1, loss=1.0), "each": each}, step(2, loss=0.5))
    accuracy, loss = charts_of("heads", log)
    assert (accuracy.key, loss.key) == ("accuracy", "loss")  # weights never changed
    curves = drawn(accuracy, log)
    assert [curve.title for curve in curves] == [
        "model 0",
        "model 1",
        "model 2",
        "mean",
    ]
    assert curves[-1].y.tolist() == [0.75]


def test_a_search_for_formulas_has_a_result_and_no_curves(tmp_path: Path) -> None:
    config = {"scheme": 4, "models": 5}
    run = info(tmp_path, RunState.DONE, kind="heads", config=config)
    log = told(tmp_path, step(4, 5, held_out=0.875))
    assert words.is_formula(run)
    assert words.kind_of(run) == "formulas"
    assert words.short_state(run, log) == "87.5% held out"
    for kind in ("formulas", "ablation", "channel"):
        assert charts_of(kind, log) == ()
    table = info(tmp_path, RunState.DONE, kind="ablation", config={})
    said = standing.of_run(table, told(tmp_path / "table"), None)
    assert said.text.endswith(" is done.")
    assert not said.reason


def test_smoothing_keeps_length_level_and_gaps() -> None:
    flat = np.full(60, 3.0)
    np.testing.assert_allclose(smoothed(flat, 15), flat)
    gaps = np.where(np.arange(60) == 30, np.nan, 1.0)
    np.testing.assert_array_equal(smoothed(gaps, 15), gaps)


def test_curves_are_written_with_every_value(tmp_path: Path) -> None:
    log = told(tmp_path / "run", step(10, **METRICS), step(20, **METRICS))
    write_curves(tmp_path / "curves.csv", log)
    with (tmp_path / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(METRICS)
    assert {"step": "20", "metric": "tc", "model": "", "value": "0.5"} in rows


def test_sentences_tell_how_a_run_stands(tmp_path: Path) -> None:
    log = told(
        tmp_path,
        {"event": "Started", "resumed": False},
        step(1_200, 2_000, **METRICS),
        {"event": "Checkpoint", "step": 1_200, "path": ""},
    )
    say = {
        state: words.state_sentence(info(tmp_path, state), log) for state in RunState
    }
    assert say[RunState.CANCELLED] == "Cancelled at step 1,200, checkpoint kept."
    assert say[RunState.CANCELLING] == "Cancelling…"
    assert say[RunState.RUNNING] == "Running, step 1,200 of 2,000."
    assert "process is gone, checkpoint kept" in say[RunState.INTERRUPTED]
    assert say[RunState.DONE] == "Done in 2 s."
    assert words.title_of(info(tmp_path, RunState.DONE)) == "first"
    assert words.title_of(info(tmp_path, RunState.DONE, name=None)) == "Encoder abcd"


def test_the_card_says_what_to_do_next(tmp_path: Path) -> None:
    log = told(tmp_path, step(50, **METRICS))
    done = standing.of_run(info(tmp_path, RunState.DONE), log, "first")
    assert (done.kind, done.deed) == ("good", "heads")
    ended = {
        "event": "Ended",
        "state": "failed",
        "trouble": "memory",
        "details": "Traceback",
    }
    failed_log = told(tmp_path / "failed", step(50, **METRICS), ended)
    failed = standing.of_run(
        info(tmp_path, RunState.FAILED, message="Too little memory."), failed_log, None
    )
    assert failed.kind == "error"
    assert (failed.deed, failed.changes) == ("retry", {"batch": 32})
    assert failed.words == "Run with batch 32"
    assert failed.details == "Traceback"
    killed = standing.of_run(info(tmp_path, RunState.INTERRUPTED), log, None)
    assert killed.reason.endswith("was switched off. Then run it again.")
    (tmp_path / "checkpoint.json").write_text("{}")
    killed = standing.of_run(info(tmp_path, RunState.INTERRUPTED), log, None)
    assert killed.reason.endswith("was switched off. Then go on where it stopped.")
    cancelled = standing.of_run(info(tmp_path, RunState.CANCELLED), log, None)
    assert "not touched" in cancelled.reason


def test_a_collapse_is_told_early(tmp_path: Path) -> None:
    bad = {**METRICS, "active": 0.0, "variety": 0.01}
    log = told(tmp_path / "bad", step(10, **bad), step(60, **bad))
    said = standing.of_run(info(tmp_path, RunState.RUNNING), log, None)
    assert said.kind == "warning"
    assert "lower β" in said.reason
    same = {**METRICS, "variety": 0.01}
    assert "look the same" in standing.collapse_warning(
        told(tmp_path / "same", step(60, **same))
    )
    fine = {**METRICS, "variety": 0.6}
    assert not standing.collapse_warning(told(tmp_path / "fine", step(60, **fine)))
    assert not standing.collapse_warning(told(tmp_path / "early", step(6, **bad)))


def test_the_card_says_where_the_project_stands_before_a_run() -> None:
    few = {"interphase": 9, "metaphase": 0}
    enough = {"interphase": 9, "metaphase": 4}
    assert "No cells" in standing.of_setup(0, {}, 0, None, "").text
    assert "train an encoder" in standing.of_setup(5, few, 0, None, "").reason
    assert (
        "label some cells of metaphase" in standing.of_setup(5, few, 1, None, "").reason
    )
    assert "train heads" in standing.of_setup(5, enough, 2, None, "").reason
    large = Estimate(60.0, 0.1, 9 * 2**30, 4 * 2**30, 100)
    said = standing.of_setup(5, enough, 2, large, "")
    assert said.kind == "warning"
    assert "9.0 GB of 4.0 GB free" in said.reason
    assert standing.of_setup(5, few, 1, None, "odd").kind == "warning"


def test_estimates_are_told_with_their_uncertainty() -> None:
    said = words.estimate_words(Estimate(600.0, 0.1, 900 * 2**20, 0, 100))
    assert said.startswith("About 9 min 00 s to 11 min 00 s")
    assert "900 MB" in said


def test_runs_are_compared_by_what_differs(tmp_path: Path) -> None:
    one = info(tmp_path, RunState.DONE, config={"config": {"beta": 1.0, "batch": 8}})
    two = replace(
        one,
        name="second",
        config={"config": {"beta": 4.0, "batch": 8}},
        state=RunState.FAILED,
    )
    log = told(tmp_path, step(10, **METRICS))
    found = comparison([(one, log), (two, log)])
    assert found.columns == ["", "first", "second"]
    assert ["beta", "1", "4"] in found.rows
    assert ["state", "done", "failed"] in found.rows
    assert not any(row[0] == "batch" for row in found.rows)
    assert "beta: 1" in rows_of(one, log)


def test_cells_of_one_class_or_each_class_are_offered_where_there_are_enough() -> None:
    assert [c.key for c in cells_of({"a": 7, "b": 0})[0]] == [ALL]
    assert len(cells_of({"a": 7, "b": 0})) == 1
    every, own = cells_of({"a": 80, "b": 8, "c": 3})
    assert [c.key for c in (*every, *own)] == [ALL, "a", "b", "c", EACH]
    assert [bool(c.why_not) for c in own] == [False, False, True, False]
    assert own[-1].tip == "One encoder after another: a, b"
    lone = cells_of({"a": 80, "b": 3})[1]
    assert "two classes" in lone[-1].why_not
    setup = Setup("bvae", "quick", of_class="b")
    assert Setup.of(setup.request()) == setup
    assert Setup("bvae", of_class=EACH).each_class
    assert not Setup("heads2", of_class=EACH).each_class
    assert "of_class" not in Setup("heads2", of_class="b").request().arguments


def test_the_name_of_another_goal_is_not_kept() -> None:
    setup = Setup(name="mine", settings={"beta": 3.0})
    assert setup.request().arguments["name"] == "mine"
    assert setup.with_goal("heads2").request().arguments == {"scheme": 2, "seed": 0}
    assert setup.with_preset("quick").settings == {}
    assert goal_of("heads3").fixed == {"scheme": 3}
