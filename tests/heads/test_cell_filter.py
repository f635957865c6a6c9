"""The cell filter: its numbers against independent references, its rule by force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.heads.usable.compare import (
    MethodReport,
    compare_filters,
    report_on,
)
from napari_cellsci.heads.usable.curve import (
    THRESHOLDS,
    Curve,
    area_under_roc,
    best_threshold,
    rates,
)
from napari_cellsci.heads.usable.judges import (
    METHODS,
    Sights,
    judge_from_state,
    train_judge,
)
from napari_cellsci.heads.usable.network import FilterConfig, FilterNet
from napari_cellsci.heads.usable.rule import SizeRule, find_rule
from napari_cellsci.tasks import Cancelled, CancelToken

SIZE = 16
QUICK = FilterConfig(runs=2, steps=25, batch=16, learning_rate=1e-3)


def cells(
    n: int = 60, channels: int = 1, seed: int = 0, gain: float = 1.0
) -> tuple[Sights, np.ndarray, np.ndarray]:
    """Return discs (usable) and speckle (junk) with sizes that tell them apart too."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 2
    usable = group % 3 > 0
    yy, xx = np.mgrid[-7.5:8.5, -7.5:8.5]
    disc = (xx**2 + yy**2 < 25).astype(float)
    images = rng.normal(0, 0.1, (n, channels, SIZE, SIZE))
    images[usable] += disc
    images[~usable] += rng.random((int((~usable).sum()), channels, SIZE, SIZE)) > 0.8
    sizes = np.where(usable[:, None], 20.0, 9.0) + rng.normal(0, 1, (n, 2))
    crops = (1000 + 500 * gain * images).astype(np.uint16)
    spec = CropSpec(size=SIZE, fov_px=SIZE, channels=tuple(range(channels)))
    return Sights(crops, spec, sizes), usable, group


probabilities = hnp.arrays(
    np.float64, st.integers(4, 30), elements=st.sampled_from([0.0, 0.1, 0.5, 0.94, 1.0])
)


@settings(deadline=None, max_examples=40)
@given(probabilities, st.randoms())
def test_curve_and_area_agree_with_sklearn(p: np.ndarray, chance: object) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    usable = np.array([chance.random() < 0.5 for _ in p])  # type: ignore[attr-defined]
    usable[:2] = True, False
    assert area_under_roc(p, usable) == pytest.approx(roc_auc_score(usable, p))
    fpr, tpr, thresholds = roc_curve(usable, p, drop_intermediate=False)
    ours = rates(p, usable, thresholds[1:])
    np.testing.assert_allclose(ours, [fpr[1:], tpr[1:]])


@settings(deadline=None, max_examples=40)
@given(probabilities)
def test_rates_only_fall_as_the_threshold_rises(p: np.ndarray) -> None:
    usable = np.arange(len(p)) % 2 == 0
    for share in rates(p, usable):
        assert share[0] == 1
        assert (np.diff(share) <= 0).all()


def test_area_without_one_of_the_classes_is_not_a_number() -> None:
    assert np.isnan(area_under_roc(np.array([0.1, 0.9]), np.array([True, True])))


def test_the_proposed_threshold_is_the_middle_of_the_best_stretch() -> None:
    p = np.array([0.1, 0.2, 0.8, 0.9])
    usable = np.array([False, False, True, True])
    chosen = best_threshold(*rates(p, usable))
    # Everything above 0.2 and up to 0.8 parts them.
    assert chosen == pytest.approx(0.5, abs=0.006)


def test_averaged_curves_tell_mean_and_spread() -> None:
    one = rates(np.array([0.2, 0.9]), np.array([False, True]))
    two = rates(np.array([0.7, 0.9]), np.array([False, True]))
    curve = Curve.of([one, two])
    here = curve.at(0.5)
    assert here["false_positives"] == 0.5
    assert here["false_positives_sd"] == 0.5
    assert here["true_positives"] == 1


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.int64, st.tuples(st.integers(2, 9), st.just(2)), elements=st.integers(1, 6)
    ),
    st.integers(0, 511),
    st.booleans(),
)
def test_the_size_rule_is_the_best_of_the_whole_grid(
    sizes: np.ndarray, bits: int, balanced: bool
) -> None:
    usable = np.array([(bits >> i) & 1 == 1 for i in range(len(sizes))])
    usable[:2] = True, False

    def gain(rule: SizeRule) -> float:
        passed = rule.passes(sizes)
        weights = (usable.sum(), (~usable).sum()) if balanced else (1, 1)
        return float(
            (passed & usable).sum() / weights[0] - (passed & ~usable).sum() / weights[1]
        )

    low, high = sizes.min(1), sizes.max(1)
    every = itertools.product(np.unique(low), np.unique(high), np.unique(high / low))
    best = max(gain(SizeRule(*map(float, bounds))) for bounds in every)
    assert gain(find_rule(sizes, usable, balanced=balanced)) == pytest.approx(best)


def test_many_sizes_are_tried_on_a_grid_as_wide_as_they() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.uniform(5, 60, (500, 2))
    usable = (sizes.min(1) > 15) & (sizes.max(1) < 50)
    rule = find_rule(sizes, usable)
    assert (rule.passes(sizes) == usable).mean() > 0.97
    assert "times the shorter" in rule.words


def test_the_network_has_the_published_layers() -> None:
    network = FilterNet(1, 64)
    count = sum(p.numel() for p in network.parameters())
    assert count == (9 * 20 + 20) + (9 * 20 * 50 + 50) + (12_800 * 500 + 500) + 501
    x = torch.randn(3, 1, 64, 64)
    relu = torch.nn.functional.relu
    pool = torch.nn.functional.max_pool2d
    network.eval()
    h = pool(relu(network.second(pool(relu(network.first(x)), 2))), 2)
    plain = network.last(relu(network.dense(h.flatten(1)))).squeeze(1)
    torch.testing.assert_close(network(x), plain)


@pytest.mark.parametrize("channels", [1, 6])
def test_each_filter_tells_discs_from_speckle_of_unseen_groups(channels: int) -> None:
    sights, usable, group = cells(channels=channels)
    reports = compare_filters(sights, usable, group, METHODS, QUICK)
    assert [report.method for report in reports] == list(METHODS)
    for report in reports:
        assert report.balanced_accuracy.mean() > 0.9
        assert report.confusion.sum() == 2 * 12
        again = MethodReport.from_dict(report.to_dict())
        assert again.to_dict() == report.to_dict()
        assert 0 <= report.threshold <= 1


def test_filters_hold_for_cells_prepared_differently() -> None:
    """Other noise and a third of the brightness; only what is learned travels."""
    sights, usable, _ = cells()
    other, truth, _ = cells(seed=5, gain=0.3)
    for method in ("cnn", "logistic"):
        judge = train_judge(method, sights, usable, QUICK, 0)
        p = judge.probability(other, on_event=print, token=None)
        assert ((p >= 0.5) == truth).mean() > 0.9, method


@pytest.mark.parametrize("method", METHODS)
def test_a_filter_survives_being_written(method: str) -> None:
    sights, usable, _ = cells(24)
    judge = train_judge(method, sights, usable, QUICK, 0)  # type: ignore[arg-type]
    again = judge_from_state(
        method,  # type: ignore[arg-type]
        sights.spec,
        judge.meta(),
        judge.state_dict(),
    )
    p = judge.probability(sights, on_event=print, token=None)
    np.testing.assert_array_equal(
        again.probability(sights, on_event=print, token=None), p
    )


def test_labels_of_one_class_are_refused_in_a_sentence() -> None:
    sights, usable, group = cells(24)
    with pytest.raises(InputError, match=r"^Only 0 cell\(s\) are labelled junk"):
        compare_filters(sights, np.ones_like(usable), group, ["size"], QUICK)


def test_the_size_rule_needs_sizes() -> None:
    sights, usable, group = cells(24)
    blind = Sights(sights.crops, sights.spec)
    with pytest.raises(InputError, match="sizes of the cells are not known"):
        compare_filters(blind, usable, group, ["size"], QUICK)


def test_it_stops_when_asked() -> None:
    sights, usable, group = cells(24)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        compare_filters(sights, usable, group, ["cnn"], QUICK, token=token)


def test_numbers_of_a_report_by_hand() -> None:
    y = np.array([0, 0, 1, 1, 1])
    report = report_on("cnn", [(y, np.array([0.1, 0.6, 0.4, 0.9, 0.95]))])
    assert report.accuracy.tolist() == [0.6]
    assert report.balanced_accuracy[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert report.confusion.tolist() == [[1, 1], [1, 2]]
    assert report.curve.false_positives[THRESHOLDS == 0.5].tolist() == [0.5]


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"runs": 0}, "at least once"),
        ({"test": 1.0}, "between 0 and 1"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings_: dict, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        FilterConfig(**settings_)
