from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.formulas.engines import Found, Status
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.formulas.published import PUBLISHED
from napari_cellsci.formulas.spec import Candidate
from napari_cellsci.heads.formula import FormulaConfig, discover_formulas
from napari_cellsci.heads.formula_members import FormulaMembers, median_of_defined
from napari_cellsci.heads.formula_torch import evaluate
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.table import head_sizes

NAMES = ("z3", "z17", "z21", "z29")


@dataclass
class Oracle:
    """An engine that knows some formulas and judges them like any other."""

    texts: list[str]
    asked: dict[str, Any] = field(default_factory=dict)
    name: str = "builtin"
    found: int | None = None
    blind: bool = False
    """Whether formulas are taken as they are, wherever they are defined."""

    def status(self) -> Status:
        return Status("ready", "")

    def search(self, x, y, spec, names, *, weights=None, **rest) -> Found:
        self.asked = {"x": x, "y": y, "spec": spec, "names": names, "w": weights}
        roots = [Expression.parse(text, names).root for text in self.texts]
        fronts = []
        for target, weight in zip(y, weights, strict=True):
            used = weight > 0
            if self.blind:
                fronts.append([Candidate(3, 0.5, Expression(root)) for root in roots])
                continue
            fronts.append(
                front_of(roots, x[used], target[used], weight[used], names, spec)
            )
        for k in range(len(fronts) if self.found is None else self.found, len(fronts)):
            fronts[k] = []
        return Found(fronts, self.found is not None, "oracle 1", 5, 0.1)


def cells(n: int = 600, classes: int = 2):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 5)).astype(np.float32)
    f = z[:, 3] * z[:, 1] - 0.2
    y = (f >= 0).astype(np.int64) if classes == 2 else np.digitize(z[:, 3], [-0.5, 0.5])
    return z, y, np.arange(n) // 3


def test_torch_equals_numpy_with_its_gradients() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=50) for name in NAMES}
    for formula in PUBLISHED:
        found = formula.expression
        leaves = {
            name: torch.tensor(values, requires_grad=True)
            for name, values in columns.items()
        }
        for guarded in (False, True):
            out = evaluate(found.root, leaves, leaves["z3"], guarded=guarded)
            values, slopes = found.gradient(columns)
            np.testing.assert_allclose(out.detach().numpy(), values, rtol=1e-10)
        out.sum().backward()
        for name in found.names:
            got = leaves[name].grad
            assert got is not None
            np.testing.assert_allclose(got.numpy(), slopes[name], rtol=1e-8, atol=1e-8)


def test_guarded_values_and_gradients_are_finite_anywhere() -> None:
    z = torch.tensor([-1.0, 0.0, 1e-30, 500.0], dtype=torch.float64, requires_grad=True)
    for text in ("log(z3)", "sqrt(z3)", "1/z3", "abs(z3) - z3/square(z3)", "exp(z3)"):
        root = Expression.parse(text).root
        out = evaluate(root, {"z3": z}, z, guarded=True)
        (slope,) = torch.autograd.grad(out.sum(), z)
        assert torch.isfinite(out).all(), text
        assert torch.isfinite(slope).all(), text
    constant = evaluate(Expression.parse("2.5").root, {}, z)
    assert constant.tolist() == [2.5] * 4


def members() -> FormulaMembers:
    texts = ["z1*z3 - 0.2", "log(z1)", "z3"]
    return FormulaMembers(tuple((Expression.parse(t),) for t in texts), 5)


def test_formulas_score_latents_and_leave_what_is_undefined() -> None:
    z, _, _ = cells()
    scores = members().scores(z)
    assert scores.shape == (3, 600, 1)
    np.testing.assert_allclose(scores[0, :, 0], z[:, 1] * z[:, 3] - 0.2, rtol=1e-5)
    assert (np.isnan(scores[1, :, 0]) == (z[:, 1] <= 0)).all()
    torch_scores = members().outputs(torch.from_numpy(z)).numpy()
    known = np.isfinite(scores)
    np.testing.assert_allclose(torch_scores[known], scores[known], rtol=1e-4, atol=1e-5)
    assert np.isfinite(torch_scores).all()
    with pytest.raises(InputError, match="read 5 latents"):
        members().scores(z[:, :4])


def test_the_median_is_of_what_is_defined() -> None:
    table = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])[..., None]
    found = median_of_defined(table)
    assert found[0, 0] == 2.0
    assert np.isnan(found[1, 0])


def test_formulas_are_checked_when_they_are_read() -> None:
    meta = members().meta()
    back = FormulaMembers.from_state(meta, {})
    assert back == members()
    assert back.select([2]).meta()["inputs"] == [[3]]
    for change in (
        {"formulas": [["__import__('os')"]]},
        {"formulas": [["z9"]]},
        {"expression_size": [1, 1, 1]},
        {"formulas": [["z1"], ["z1", "z2"]]},
    ):
        with pytest.raises(BundleError):
            FormulaMembers.from_state({**meta, **change}, {})


def test_runs_leave_tracks_out_and_choose_on_others() -> None:
    z, y, groups = cells()
    oracle = Oracle(["1.0", "z3", "z1*z3 - 0.2", "z1*z3 - 0.2 + 0.001*z4"])
    heads = discover_formulas(
        z, y, groups, FormulaConfig(runs=4), inputs=[1, 3, 4], engine=oracle
    )
    assert heads.scheme == 4
    assert heads.n_members == 4
    shown = {f.pretty() for (f,) in heads.members.formulas}
    assert shown == {"z1 · z3 − 0.2"}
    assert heads.report.balanced_accuracy == 1.0
    assert heads.report.n_cells == 600
    assert heads.config["forms"] == [["z1 · z3 + c", 4]]
    assert oracle.asked["names"] == ["z1", "z3", "z4"]
    assert set(np.unique(oracle.asked["y"])) == {-1, 1}
    used = oracle.asked["w"] > 0
    for own in used:
        # Neither the cells of the part left out nor those it chooses on.
        assert 0.5 < own.mean() < 0.7
        assert not set(groups[own]) & set(groups[~own])
    # Balanced: both classes pull as hard.
    own = oracle.asked["w"][0]
    assert own[y == 1].sum() == pytest.approx(own[y == 0].sum(), rel=1e-5)
    sizes = head_sizes(heads)
    assert sizes.paper.tolist() == [5] * 4
    assert sizes.weights.tolist() == [1] * 4
    assert sizes.inputs is not None
    assert np.flatnonzero(sizes.inputs[0]).tolist() == [1, 3]


def test_heads_read_back_and_combine_by_the_median() -> None:
    z, y, groups = cells()
    oracle = Oracle(["z1*z3 - 0.2", "log(z1)"])
    heads = discover_formulas(z, y, groups, FormulaConfig(runs=2), engine=oracle)
    back = HeadSet.from_state(heads.meta(), heads.state_dict())
    np.testing.assert_array_equal(back.scores(z), heads.scores(z))
    combined = back.combined(back.scores(z))
    np.testing.assert_allclose(combined, np.median(back.scores(z), axis=0), rtol=1e-6)
    assert back.probability(combined).shape == (600,)


def test_one_wild_formula_does_not_make_all_others_disagree() -> None:
    z, y, groups = cells()
    oracle = Oracle(["z1*z3 - 0.2"])
    heads = discover_formulas(z, y, groups, FormulaConfig(runs=1), engine=oracle)
    rng = np.random.default_rng(0)
    scores = rng.normal(2.0, 0.5, (301, 40))
    usual = heads.spread(scores)
    np.testing.assert_allclose(usual, 0.5, rtol=0.3)  # that of a normal distribution
    scores[:5] *= 1e6
    np.testing.assert_allclose(heads.spread(scores), usual, rtol=0.1)
    scores[:7, 0] = scores[:, 1] = np.nan
    assert np.isfinite(heads.spread(scores)).tolist() == [True, False] + 38 * [True]


def test_undefined_cells_count_as_wrong() -> None:
    z, y, groups = cells()
    oracle = Oracle(["log(z1) + 9"], blind=True)
    heads = discover_formulas(z, y, groups, FormulaConfig(runs=2), engine=oracle)
    right = (y == 1) & (z[:, 1] > np.exp(-9))
    assert heads.config["undefined"] == int((z[:, 1] <= 0).sum())
    assert heads.report.accuracy == pytest.approx(right.mean())


def test_several_classes_have_a_formula_each() -> None:
    z, y, groups = cells(classes=3)
    oracle = Oracle(["-z3 - 0.5", "0.25 - square(z3)", "z3 - 0.5", "1.0"])
    heads = discover_formulas(z, y, groups, FormulaConfig(runs=2), 3, engine=oracle)
    assert heads.members.formulas[0] == tuple(
        Expression.parse(t) for t in ("-z3 - 0.5", "0.25 - square(z3)", "z3 - 0.5")
    )
    assert heads.n_outputs == 3
    assert heads.report.balanced_accuracy > 0.9
    assert oracle.asked["y"].shape[0] == 6


def test_the_scores_of_a_network_can_be_followed() -> None:
    z, y, groups = cells()
    config = FormulaConfig(runs=2, loss="mse")
    with pytest.raises(InputError, match="follows the scores"):
        discover_formulas(z, y, groups, config, engine=Oracle(["z3"]))
    targets = (3 * z[:, 1] * z[:, 3] - 0.6)[:, None]
    oracle = Oracle(["z3", "3*z1*z3 - 0.6"])
    heads = discover_formulas(z, y, groups, config, targets=targets, engine=oracle)
    assert heads.members.formulas[0][0].pretty() == "3 · z1 · z3 − 0.6"


def test_stopped_searches_keep_what_they_have() -> None:
    z, y, groups = cells()
    config = FormulaConfig(runs=4)
    kept = discover_formulas(
        z, y, groups, config, engine=Oracle(["z1*z3 - 0.2"], found=2)
    )
    assert kept.n_members == 2
    assert kept.config["stopped"]
    with pytest.raises(InputError, match="stopped before it found"):
        discover_formulas(z, y, groups, config, engine=Oracle(["z3"], found=0))


def test_settings_and_labels_are_checked() -> None:
    z, y, groups = cells()
    with pytest.raises(InputError, match="at least one latent"):
        discover_formulas(z, y, groups, inputs=[], engine=Oracle(["z3"]))
    with pytest.raises(InputError, match="one track"):
        discover_formulas(z, y, np.zeros(600), engine=Oracle(["z3"]))
    with pytest.raises(InputError, match="Search at least once"):
        FormulaConfig(runs=0)
    with pytest.raises(InputError, match="needs room"):
        FormulaConfig(maxsize=2)
    assert FormulaConfig().spec("builtin").evaluations == 2_000_000
    assert FormulaConfig(seconds=3).spec("builtin").evaluations is None


def test_with_few_labels_all_but_the_unseen_help_to_choose() -> None:
    z, y, groups = cells(60)
    texts = ["1.0", "z3", "z1*z3 - 0.2"]
    heads = discover_formulas(z, y, groups, FormulaConfig(runs=5), engine=Oracle(texts))
    assert [f.pretty() for (f,) in heads.members.formulas] == ["z1 · z3 − 0.2"] * 5
    assert heads.report.balanced_accuracy == 1.0


def test_formulas_that_tell_all_apart_have_no_needless_scale() -> None:
    z, _, groups = cells()
    y = (z[:, 3] < 0).astype(np.int64)
    config = FormulaConfig(runs=2)
    for text in ("-3720/z3", "-21300*z3"):
        heads = discover_formulas(z, y, groups, config, engine=Oracle([text, "1.0"]))
        assert {str(f) for (f,) in heads.members.formulas} == {"-z3"}
        assert heads.report.balanced_accuracy == 1.0
    # Scores that are to be followed have a scale, and so have labels that contradict.
    given = {"targets": -3.0 * z[:, 3:4]}
    mse = FormulaConfig(runs=2, loss="mse")
    heads = discover_formulas(z, y, groups, mse, engine=Oracle(["-3*z3"]), **given)
    assert {str(f) for (f,) in heads.members.formulas} == {"-3.0 * z3"}
    y[::40] = 1 - y[::40]
    heads = discover_formulas(z, y, groups, config, engine=Oracle(["-3*z3"]))
    assert {str(f) for (f,) in heads.members.formulas} == {"-3.0 * z3"}
