from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.viewer.scores import ScoreColumns, by_label

CLASSES = ("interphase", "metaphase")


def columns(**values: list[object]) -> ScoreColumns:
    n = len(next(iter(values.values())))
    table = pd.DataFrame(
        {
            "score": np.zeros(n),
            "score_sd": np.zeros(n),
            "probability": np.full(n, 0.99),
            "prediction": ["metaphase"] * n,
            "ood": np.zeros(n),
            **values,
        }
    )
    return ScoreColumns.from_table(table, n, CLASSES, 0.95)


def test_cells_without_a_score_stay_unscored() -> None:
    table = pd.DataFrame(
        {
            "score": [1.0],
            "score_sd": [0.1],
            "probability": [0.9],
            "prediction": ["metaphase"],
            "ood": [0.2],
        },
        index=[2],
    )
    scores = ScoreColumns.from_table(table, 4, CLASSES, 0.95)
    assert scores.scored.tolist() == [False, False, True, False]
    assert scores.prediction.tolist() == [-1, -1, 1, -1]
    assert scores.verdict(0) == ""
    assert scores.verdict(2) == "metaphase"


def test_uncertain_means_low_probability_or_models_on_both_sides() -> None:
    scores = columns(
        score=[3.0, 3.0, -3.0, 3.0, 3.0],
        score_sd=[0.1, 0.1, 0.1, 4.0, 0.1],
        probability=[0.99, 0.6, 0.02, 0.99, 0.99],
        prediction=["metaphase", "metaphase", "interphase", "metaphase", "blank"],
    )
    assert scores.uncertain.tolist() == [False, True, False, True, False]
    assert scores.blank.tolist() == [False, False, False, False, True]


def test_a_call_against_the_odds_is_uncertain() -> None:
    scores = columns(
        score=[0.1, -0.1, 0.1, 2.0],
        score_sd=[0.0, 0.0, 0.0, np.nan],
        probability=[0.04, 0.04, np.nan, 0.95],
        prediction=["metaphase", "interphase", "metaphase", "metaphase"],
    )
    assert scores.certainty.round(2).tolist() == pytest.approx([0.04, 0.96, 0.5, 0.95])
    assert scores.uncertain.tolist() == [True, False, True, False]


def test_out_of_distribution_starts_at_the_threshold() -> None:
    scores = columns(ood=[0.94, 0.95, 1.0, np.nan])
    assert scores.outside.tolist() == [False, True, True, False]


def test_the_table_counts_every_label_and_how_it_is_called() -> None:
    scores = columns(
        score=[-3.0, 3, 3, 3, 3, 3],
        probability=[0.01, 0.99, 0.99, 0.6, 0.99, 0.99],
        prediction=["interphase"] + ["metaphase"] * 5,
        ood=[0, 0, 0, 0, 0.99, 0],
    )
    labels = pd.Series(
        ["interphase", "metaphase", "prometaphase", "prometaphase", "prometaphase"],
        index=[0, 1, 2, 3, 4],
    )
    found = {row.label: row for row in by_label(scores, labels)}
    assert list(found) == ["interphase", "metaphase", "prometaphase"]
    assert found["interphase"].called == (1, 0)
    other = found["prometaphase"]
    assert (other.n, other.called) == (3, (0, 3))
    assert (other.uncertain, other.outside, other.sure) == (1, 1, 1)


def test_a_daughter_called_metaphase_is_uncertain_however_sure_the_heads_are() -> None:
    table = pd.DataFrame(
        {
            "score": [5.0, 5.0, -5.0],
            "score_sd": np.zeros(3),
            "probability": [0.99, 0.99, 0.01],
            "prediction": ["metaphase", "metaphase", "interphase"],
            "ood": np.zeros(3),
        }
    )
    newborn = np.array([False, True, True])
    scores = ScoreColumns.from_table(table, 3, CLASSES, 0.95, newborn)
    assert scores.just_divided.tolist() == [False, True, False]
    assert scores.uncertain.tolist() == [False, True, False]
    three = ScoreColumns.from_table(table, 3, (*CLASSES, "anaphase"), 0.95, newborn)
    assert not three.just_divided.any()


def of_four(**values: list[float]) -> ScoreColumns:
    n = len(values["probability"])
    table = pd.DataFrame(
        {
            "score": np.full(n, 2.0),
            "score_sd": np.zeros(n),
            "prediction": ["anaphase"] * n,
            "ood": np.zeros(n),
            **values,
        }
    )
    names = (*CLASSES, "anaphase", "debris")
    return ScoreColumns.from_table(table, n, names, 0.95)


def test_of_many_classes_the_best_must_leave_the_next_behind() -> None:
    scores = of_four(
        probability=[0.7, 0.7, 0.49, 0.95, 0.91, 0.6],
        runner_up=[0.07, 0.2, 0.02, 0.05, np.nan, np.nan],
    )
    # One candidate; two; less likely than all others; as with two classes; unknown.
    assert scores.uncertain.tolist() == [False, True, True, False, False, True]
    without = of_four(probability=[0.89, 0.91])
    assert without.uncertain.tolist() == [True, False]


@pytest.mark.parametrize("p", [0.04, 0.3, 0.5, 0.89, 0.91, 0.99])
def test_with_two_classes_the_rule_is_a_limit_on_the_probability(p: float) -> None:
    scores = columns(probability=[p, 1 - p], prediction=["metaphase", "interphase"])
    assert scores.uncertain.tolist() == [p < 0.9, p < 0.9]
