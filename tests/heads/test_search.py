"""The search: objective, early stops, several sittings, several processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellsci.errors import InputError
from napari_cellsci.heads.labelled import LabelledLatents
from napari_cellsci.heads.search import (
    SearchConfig,
    SearchResult,
    TrialResult,
    search_sparse,
)
from napari_cellsci.heads.studies import SharedStudy
from napari_cellsci.heads.trials import TrialBench, _surely_worse
from napari_cellsci.tasks import Cancelled, CancelToken, Done, Progress

optuna = pytest.importorskip("optuna")

SMALL = {
    "trials": 6,
    "runs": 2,
    "steps": 120,
    "at_once": 3,
    "startup": 3,
    "hidden": (8, 8),
    "sparsity": (0.5, 0.8),
    "interval": (5, 12),
}


def data(n: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    group = np.arange(n) // 3
    y = (group % 2).astype(np.int64)
    z = rng.normal(size=(n, 2, 6))
    z[:, :, 1] += 1.5 * y[:, None]
    return z.astype(np.float32), y, group


def known() -> LabelledLatents:
    return LabelledLatents.check(*data(), 2)


def settings_of(result: SearchResult) -> list[dict]:
    return [dict(trial.settings) for trial in result.trials]


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'study.db'}"


def journal(folder: Path) -> str:
    return f"journal:{folder / 'study.log'}"


def test_value_is_mean_accuracy_plus_mean_sparsity() -> None:
    result = search_sparse(*data(), SearchConfig(**SMALL))
    assert len(result.trials) == 6
    n = 6 * 8 + 8 * 8 + 8
    for trial in result.trials:
        assert trial.value == pytest.approx(
            np.mean(trial.accuracy) + 1 - np.mean(trial.weights) / n
        )
        assert 0.5 <= trial.settings["sparsity"] <= 0.8
        assert 5 <= trial.settings["interval"] <= 12
        assert 0.7 <= trial.settings["alpha"] <= 0.9
        assert "l1_prox" not in trial.settings
        assert sorted(trial.pruned) == ["bias", "leaf", "zero"]
        assert len(trial.milestones) == 2
    complete = [trial for trial in result.trials if not trial.stopped]
    assert result.best.value == max(trial.value for trial in complete)
    json.dumps(result.to_dict())


def test_a_batch_equals_its_trials_alone() -> None:
    config = SearchConfig(**SMALL)
    settings = [
        {"sparsity": 0.6, "interval": 7, "alpha": 0.8},
        {"sparsity": 0.75, "interval": 10, "alpha": 0.7, "l1_prox": 0.2},
    ]
    together = TrialBench(known(), config).run(settings)
    for trial, own in zip(together, settings, strict=True):
        (alone,) = TrialBench(known(), config).run([own])
        assert alone.weights == trial.weights
        assert alone.accuracy == pytest.approx(trial.accuracy, abs=0.1)


def interrupt(study: SharedStudy) -> None:
    with study.batch() as batch:
        assert len(batch.settings) == 3
        raise KeyboardInterrupt


def test_gone_on_with_equals_uninterrupted(tmp_path: Path) -> None:
    config = SearchConfig(**SMALL, pareto=False)
    whole = search_sparse(*data(), config)
    token, seen = CancelToken(), []

    def listen(event: object) -> None:
        seen.append(event)
        if isinstance(event, Progress) and event.done == 3:
            token.cancel()

    url = journal(tmp_path)
    with pytest.raises(Cancelled):
        search_sparse(*data(), config, storage=url, on_event=listen, token=token)
    # A batch that was under way when its process stopped is given back.
    study = SharedStudy(config, url, "sparse heads", known().fingerprint)
    with pytest.raises(KeyboardInterrupt):
        interrupt(study)
    assert study.taken == 3
    result = search_sparse(*data(), config, storage=url)
    assert settings_of(result) == settings_of(whole)
    assert [t.value for t in result.trials] == [t.value for t in whole.trials]
    more = search_sparse(*data(), SearchConfig(**{**SMALL, "trials": 8}), storage=url)
    assert settings_of(more)[:6] == settings_of(whole)
    assert len(more.trials) == 8


def test_a_batch_whose_process_died_is_taken_up_again(tmp_path: Path) -> None:
    config, url = SearchConfig(**SMALL), journal(tmp_path)
    code = (
        "import os, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import test_search as t\n"
        "study = t.SharedStudy(t.SearchConfig(**t.SMALL), sys.argv[2], "
        "'sparse heads', t.known().fingerprint)\n"
        "with study.batch():\n"
        "    os._exit(9)\n"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, here, url], check=False)
    assert done.returncode == 9
    result = search_sparse(*data(), config, storage=url)
    assert settings_of(result) == settings_of(search_sparse(*data(), config))


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_two_share_one_study(tmp_path: Path, kind: str) -> None:
    url = sqlite(tmp_path) if kind == "sqlite" else journal(tmp_path)
    config = SearchConfig(**SMALL)
    args = (config, url, "sparse heads", known().fingerprint)
    one, other = SharedStudy(*args), SharedStudy(*args)
    bench = TrialBench(known(), config)
    with one.batch() as first, other.batch() as second:
        assert len(first.settings) == len(second.settings) == 3
        assert first.settings != second.settings
        assert one.taken == other.taken == 6
        with one.batch() as nothing:
            assert nothing.settings == []
        first.results = bench.run(first.settings)
        second.results = bench.run(second.settings)
    assert len(one.result().trials) == 6


def test_early_stops_compare_runs_in_pairs() -> None:
    rival = np.array([1.9, 1.5, 1.8, 1.6, 1.7])
    noise = np.array([0.01, -0.01, 0.02, -0.02, 0.0])
    values = np.stack([rival - 0.05 + noise, rival + noise, rival + 0.1, rival])
    assert _surely_worse(values, rival).tolist() == [True, False, False, False]
    one = values[:, :1]
    assert not _surely_worse(one, rival[:1]).any()


def test_hopeless_trials_are_stopped_and_do_not_win() -> None:
    config = SearchConfig(**{**SMALL, "runs": 4})
    settings = [
        {"sparsity": 0.5, "interval": 6, "alpha": 0.8},
        {"sparsity": 0.6, "interval": 6, "alpha": 0.8},
    ]
    bench = TrialBench(known(), config)
    rival = [[2.0, 2.01, 2.02, 2.0]] * 2
    assert all(trial.stopped for trial in bench.run(settings, rival))
    assert not any(trial.stopped for trial in bench.run(settings))


def test_pareto(tmp_path: Path) -> None:
    config = SearchConfig(**SMALL, pareto=True)
    result = search_sparse(*data(), config, storage=journal(tmp_path))
    front = [(trial.mean_weights, trial.mean_accuracy) for trial in result.front]
    assert front == sorted(front)
    assert [a for _, a in front] == sorted(a for _, a in front)
    for trial in result.trials:
        assert any(
            w <= trial.mean_weights and a >= trial.mean_accuracy for w, a in front
        )


def test_a_study_of_something_else_is_refused(tmp_path: Path) -> None:
    url = journal(tmp_path)
    search_sparse(*data(), SearchConfig(**SMALL), storage=url)
    with pytest.raises(InputError, match=r"other settings or data \(runs\)"):
        search_sparse(*data(), SearchConfig(**{**SMALL, "runs": 3}), storage=url)
    with pytest.raises(InputError, match=r"\(data\)"):
        search_sparse(*data(120), SearchConfig(**SMALL), storage=url)
    with pytest.raises(InputError, match="cannot be used"):
        search_sparse(*data(), SearchConfig(**SMALL), storage="nowhere://x")


def test_l1_joins_the_space_when_asked() -> None:
    result = search_sparse(
        *data(), SearchConfig(**{**SMALL, "trials": 3}, l1_prox=(0.1, 0.4))
    )
    assert all(0.1 <= trial.settings["l1_prox"] <= 0.4 for trial in result.trials)


def test_held_out_cells_are_not_looked_at() -> None:
    single = LabelledLatents.check(*data(), 2, folds=1, test=0.2)
    bench = TrialBench(single, SearchConfig(**SMALL, folds=1, test=0.2))
    seen = set(bench._rows) | set(bench._judged)
    assert not seen & set(single.parts[0][1])
    tracks = data()[2]
    assert not set(tracks[bench._rows]) & set(tracks[bench._judged])


@pytest.mark.parametrize(
    "options",
    [{"trials": 0}, {"runs": 0}, {"sparsity": (0.97, 0.95)}, {"alpha": (0.5, 1.5)}],
)
def test_settings_out_of_range_are_told(options: dict) -> None:
    with pytest.raises(InputError, match="search"):
        SearchConfig(**options)


def test_events() -> None:
    seen: list[object] = []
    search_sparse(*data(), SearchConfig(**SMALL), on_event=seen.append)
    counts = [event.done for event in seen if isinstance(event, Progress)]
    assert counts == [0, 3, 6]
    assert isinstance(seen[-1], Done)


def test_a_result_survives_json() -> None:
    bench = TrialBench(known(), SearchConfig(**SMALL))
    (trial,) = bench.run([{"sparsity": 0.6, "interval": 7, "alpha": 0.8}])
    assert TrialResult.from_dict(json.loads(json.dumps(trial.to_dict()))) == trial
    assert torch.get_num_threads() >= 1
