"""The benchmark of objectives: its cells, its choice, and that it goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops_table

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.errors import InputError, ProjectError
from napari_cellsci.representation.benchmark import runs
from napari_cellsci.representation.benchmark.cells import (
    NAMED,
    NEIGHBOURS,
    KnownCells,
    shape_factors,
    simulate_cells,
)
from napari_cellsci.representation.benchmark.judge import named_score, phase_accuracy
from napari_cellsci.representation.benchmark.methods import (
    METHODS,
    choose_methods,
    method_named,
)
from napari_cellsci.representation.benchmark.plan import Plan
from napari_cellsci.representation.benchmark.report import (
    COLUMNS,
    as_text,
    factor_table,
    finals_table,
    markdown,
    score_table,
)
from napari_cellsci.representation.benchmark.runs import (
    Results,
    choose_finalists,
    read_results,
    run_benchmark,
    some_labels,
)
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.explained import explained
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Log, Step

TINY = Plan(
    movies=3,
    unseen=2,
    frames=5,
    cells=16,
    steps=4,
    final_steps=6,
    seeds=2,
    finalists=1,
    methods=("beta-tcvae-20", "symmetry-8-beta-20"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    out = tmp_path_factory.mktemp("benchmark") / "out"
    return out, run_benchmark(out, TINY)


@pytest.fixture(scope="module")
def cells(finished: tuple[Path, Results]) -> KnownCells:
    return KnownCells.load(finished[0] / "cells" / "train")


def test_factors_are_those_that_masks_show() -> None:
    film = simulate(
        SimulationConfig(frames=3, cells=12, size=300, density=0.1, pixel_size=0.25)
    )
    names = ("label", "area", "eccentricity", "orientation", "centroid")
    frames = [
        pd.DataFrame(regionprops_table(labels, properties=names)).assign(t=t)
        for t, labels in enumerate(film.labels)
    ]
    seen = pd.concat(frames).rename(columns={"label": "track_id"})
    both = film.truth.assign(**film.tracks[["y", "x"]].add_prefix("tracked_"))
    both = both.merge(seen, on=["track_id", "t"], suffixes=("", "_seen"))
    both = both[both["visible"].between(0.97, 1.03)]
    assert len(both) > 15
    found = shape_factors(both, 0.25)
    e, turn = both["eccentricity"], 2 * both["orientation"]
    expected = {
        "area": np.log(both["area_seen"] * 0.25**2),
        "axes": e * np.cos(turn),
        "diagonals": e * np.sin(turn),
        "y": (both["centroid-0"] - both["tracked_y"].round()) * 0.25,
        "x": (both["centroid-1"] - both["tracked_x"].round()) * 0.25,
    }
    assert tuple(expected) == NAMED
    for name, values in expected.items():
        assert np.corrcoef(found[name], values)[0, 1] > 0.97, name
        assert np.abs(found[name] - values).mean() < 0.15, name


def test_cells_are_cut_as_a_project_would(cells: KnownCells) -> None:
    assert cells.crops.shape == (len(cells), 1, 32, 32)
    assert cells.spec.fov_um == pytest.approx(21.3, abs=0.1)
    assert 100 < len(cells) < 1_000
    assert set(np.unique(cells.labels)) <= {-1, 0, 1}
    assert {0, 1} <= set(np.unique(cells.labels))
    known = cells.factors((*NAMED, NEIGHBOURS))
    assert all(np.isfinite(values).all() for values in known.values())
    assert len(np.unique(cells.groups // 1_000_000)) == 3


def test_other_movies_judge(finished: tuple[Path, Results]) -> None:
    out, _ = finished
    train, unseen = (
        set(KnownCells.load(out / "cells" / part).groups // 1_000_000)
        for part in ("train", "unseen")
    )
    assert not train & unseen


def test_every_run_is_a_file_of_its_own(finished: tuple[Path, Results]) -> None:
    out, results = finished
    assert [r["method"] for r in results.screening] == list(TINY.methods)
    assert len(results.finals) == 2
    assert len({(r["method"], r["seed"]) for r in results.finals}) == 2
    names = {p.stem for p in (out / "screening").iterdir()}
    assert names == {f"{method}-0" for method in TINY.methods}
    record = json.loads((out / "finals" / f"{_first(results)}-1.json").read_text())
    assert record["steps"] == 6
    assert set(COLUMNS) <= set(record["scores"])
    assert EncoderConfig.from_dict(record["config"]).seed == 1
    encoder = Encoder.load(out / "encoders" / f"{_first(results)}-1")
    assert encoder.hash == record["encoder"]
    assert not list((out / "running").iterdir())
    assert set(results.likeness) == {r["method"] for r in results.finals}


def _first(results: Results) -> str:
    return str(results.finals[0]["method"])


def test_results_are_read_back(finished: tuple[Path, Results]) -> None:
    out, results = finished
    again = read_results(out)
    assert again.plan == TINY
    by_name = {r["method"]: r for r in results.screening}
    assert {r["method"]: r for r in again.screening} == by_name
    assert again.likeness == pytest.approx(results.likeness)


def test_a_stopped_benchmark_goes_on_and_ends_the_same(
    finished: tuple[Path, Results], tmp_path: Path
) -> None:
    out, token = tmp_path / "out", CancelToken()
    runs_begun = 0

    def stop_within_the_second_run(event: Event) -> None:
        nonlocal runs_begun
        runs_begun += isinstance(event, Log)
        if runs_begun == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        run_benchmark(out, TINY, on_event=stop_within_the_second_run, token=token)
    assert len(list((out / "screening").iterdir())) == 1
    begun = list((out / "running").iterdir())
    assert [b.name for b in begun] == ["screening-symmetry-8-beta-20-0"]
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Log):
            said.append(event.message)

    results = run_benchmark(out, resume=True, on_event=listen)
    assert said[0].startswith("Run 2 of 4: symmetry-8-beta-20")
    plain, resumed = (
        [(r["encoder"], r["scores"]) for r in (*found.screening, *found.finals)]
        for found in (finished[1], results)
    )
    assert plain == resumed
    # Nothing is left to do.
    assert run_benchmark(out, resume=True).to_dict() == results.to_dict()


def test_a_folder_is_begun_once_and_resumed_as_begun(
    finished: tuple[Path, Results], tmp_path: Path
) -> None:
    out, _ = finished
    with pytest.raises(ProjectError, match="not empty"):
        run_benchmark(out, TINY)
    with pytest.raises(InputError, match="was started with movies 3, not 40"):
        run_benchmark(out, Plan(), resume=True)
    with pytest.raises(InputError, match="no benchmark"):
        run_benchmark(tmp_path, resume=True)


def test_methods_can_be_added_and_earlier_finalists_stay(
    finished: tuple[Path, Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished[0], out)
    fewer = replace(TINY, methods=TINY.methods[:1])
    with pytest.raises(InputError, match="was started with methods"):
        run_benchmark(out, fewer, resume=True)
    more = replace(TINY, methods=(*TINY.methods, "surround-8-beta-20-coarse"))
    scored = runs.judge

    def judge(encoder: Encoder, cells: KnownCells) -> dict[str, Any]:
        better = 9.0 if encoder.config.surround else 0.0
        found = scored(encoder, cells)
        return {**found, "named": found["named"] + better}

    monkeypatch.setattr(runs, "judge", judge)
    results = run_benchmark(out, more, resume=True)
    assert {r["method"] for r in results.screening} == set(more.methods)
    assert list(dict.fromkeys(r["method"] for r in results.finals)) == [
        "surround-8-beta-20-coarse",
        _first(finished[1]),
    ]
    assert runs.stored_plan(out) == more
    assert results.to_dict()["finals"][2:] == finished[1].finals


def test_what_is_tried_on_top_of_symmetry_and_focus() -> None:
    configs = [m.config(32, 9, 0) for m in choose_methods(["coarse", "surround"])]
    assert {(c.symmetry, c.focus) for c in configs} == {(8.0, 0.95)}
    assert {(c.coarse, c.surround, c.beta) for c in configs} == {
        *((2, 0, 20), (2, 0, 60), (0, 8, 20), (2, 8, 20))
    }


def test_training_that_fails_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_cellsci.errors import TrainingError

    def collapse(*_: object, **__: object) -> Encoder:
        raise TrainingError("The encoder has learnt nothing.")

    monkeypatch.setattr(runs, "train_encoder", collapse)
    plan = Plan.from_dict({**TINY.to_dict(), "methods": ["beta-tcvae-20"]})
    results = run_benchmark(tmp_path / "out", plan)
    assert results.screening[0]["failed"] == "The encoder has learnt nothing."
    assert results.finals == []
    assert "failed" in as_text(score_table(results.screening))
    assert "learnt nothing" in markdown(results)


def test_the_report_names_every_run(finished: tuple[Path, Results]) -> None:
    _, results = finished
    text = markdown(results)
    for method in TINY.methods:
        assert method in text
    assert "±" in as_text(finals_table(results))
    assert [row[0] for row in factor_table(results)[1:]] == [
        row[0] for row in finals_table(results)[1:]
    ]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 2  # of scores and of factors


def record(method: str, named: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {"method": method, "route": method_named(method).route}
    return made if named is None else {**made, "scores": {"named": named}}


def test_finalists_are_the_best_of_the_best_routes() -> None:
    screening = [
        record("paper", 0.3),
        record("beta-tcvae-10", 0.6),
        record("beta-tcvae-20", 0.7),
        record("symmetry-8-beta-20", 0.5),
        record("symmetry-2-beta-20", None),
        record("quantised-12x5", 0.1),
    ]
    chosen = [method.name for method in choose_finalists(screening, 3)]
    assert chosen == ["beta-tcvae-20", "symmetry-8-beta-20", "paper"]
    assert choose_finalists(screening, 0) == []


def test_all_methods_can_be_configured_and_cover_the_routes() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    for method in METHODS:
        config = method.config(64, 10, 3)
        assert (config.steps, config.seed, config.sigma_x) == (10, 3, 1.0)
    assert {m.config(32, 9, 0).sigma_x for m in METHODS} == {0.5}
    beta_vae = method_named("beta-vae-5").config(64, 1, 0)
    assert beta_vae.alpha == beta_vae.beta == beta_vae.gamma == 5
    estimators = {m.config(32, 9, 0).estimator for m in choose_methods(["beta-tcvae"])}
    assert estimators == {"loo", "mss", "mws"}
    assert {m.route for m in METHODS} >= {"paper", "symmetry", "quantised", "joint"}


def test_methods_are_chosen_by_route_or_name() -> None:
    chosen = [m.name for m in choose_methods(["paper", "quantised"])]
    assert chosen[0] == "paper"
    assert len(chosen) > 2
    with pytest.raises(InputError, match="no method 'vae'"):
        choose_methods(["vae"])


def test_labels_are_told_by_track(cells: KnownCells) -> None:
    told = some_labels(cells, 0.4)
    assert told is not None
    assert some_labels(cells, 0) is None
    kept = told != -1
    assert np.array_equal(told[kept], cells.labels[kept])
    for track in np.unique(cells.groups[kept]):
        mine = cells.groups == track
        assert np.array_equal(told[mine], cells.labels[mine])
    labelled = len(np.unique(cells.groups[kept])) / len(np.unique(cells.groups))
    assert 0.2 < labelled < 0.6


def test_named_is_one_for_factors_in_pairs_of_their_own() -> None:
    v = np.random.default_rng(0).normal(size=(1_500, 3))
    apart = explained(v, {"a": v[:, 0], "b": v[:, 1] + v[:, 2]})
    spread_out = explained(v, {"a": v.sum(1)})
    assert named_score(apart) > 0.93
    assert named_score(spread_out) < 0.55


def test_phases_that_lie_apart_are_told() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(-1, 2, 400)
    z = rng.normal(size=(400, 3)) + 4 * y[:, None] * [1, 0, 0]
    z[:, 2] = 7
    tracks = np.arange(400) // 4
    assert phase_accuracy(z, y, tracks) > 0.9
    assert phase_accuracy(z, np.minimum(y, 0), tracks) is None
    assert phase_accuracy(z, y, np.zeros(400, int)) is None


def test_cells_survive_the_disk(tmp_path: Path) -> None:
    made = simulate_cells(5, 1, 16, frames=2, cells=6)
    made.save(tmp_path / "cells")
    loaded = KnownCells.load(tmp_path / "cells")
    np.testing.assert_array_equal(loaded.crops, made.crops)
    pd.testing.assert_frame_equal(loaded.truth, made.truth)
    assert loaded.spec == made.spec


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"size": 40}, "multiple of 16"),
        ({"movies": 9_000}, "At most 8000"),
        ({"methods": ("vae",)}, "no method 'vae'"),
    ],
)
def test_plans_out_of_range_are_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Plan(**asked)


def test_training_reports_steps_but_keeps_its_sentences(tmp_path: Path) -> None:
    heard: list[Event] = []
    plan = Plan.from_dict(
        {**TINY.to_dict(), "methods": ["joint-20-beta-20"], "steps": 20, "finalists": 0}
    )
    run_benchmark(tmp_path / "out", plan, on_event=heard.append)
    told = [e.metrics["label_loss"] for e in heard if isinstance(e, Step)]
    assert np.isfinite(told).all()
    assert len(told) == 2
    assert [e.message for e in heard if isinstance(e, Log)] == [
        "Run 1 of 1: joint-20-beta-20, seed 0, 20 steps."
    ]
