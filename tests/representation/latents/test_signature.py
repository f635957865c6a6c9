from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.representation import signature
from napari_cellsci.representation.pairs import closure, find_pairs, lag_covariances
from napari_cellsci.representation.signature import COMPONENTS
from napari_cellsci.representation.views import N_VIEWS, compose

Views = NDArray[np.float32]


def tracks(n: int, each: int = 5) -> NDArray[np.int64]:
    return np.arange(n) // each


def test_the_projectors_split_functions_of_the_views() -> None:
    parts = signature.projectors()
    np.testing.assert_allclose(parts.sum(0), np.eye(N_VIEWS), atol=1e-12)
    for one, a in enumerate(parts):
        for other, b in enumerate(parts):
            np.testing.assert_allclose(a @ b, a * (one == other), atol=1e-12)
    assert [round(np.trace(part)) for part in parts] == [1, 1, 1, 1, 2, 2]


def test_each_component_turns_as_its_representation_does() -> None:
    """Left translations act on each part by the matrices that the table promises."""
    parts = dict(zip(COMPONENTS, signature.projectors(), strict=True))
    signs = {
        # quarter turn, mirror of x, transposition
        "invariant": (1, 1, 1),
        "chiral": (1, -1, -1),
        "axes": (-1, 1, -1),
        "diagonals": (-1, -1, 1),
    }
    for place, g in enumerate((1, 4, 5)):
        moved = np.zeros((N_VIEWS, N_VIEWS))
        for h in range(N_VIEWS):
            moved[h, compose(g, h)] = 1
        for name, expected in signs.items():
            part = parts[name]
            np.testing.assert_allclose(moved @ part, expected[place] * part, atol=1e-12)
    mirrored = np.zeros((N_VIEWS, N_VIEWS))
    quarter = np.zeros((N_VIEWS, N_VIEWS))
    for h in range(N_VIEWS):
        mirrored[h, compose(4, h)] = 1
        quarter[h, compose(1, h)] = 1
    np.testing.assert_allclose(mirrored @ parts["x"], -parts["x"], atol=1e-12)
    np.testing.assert_allclose(mirrored @ parts["y"], parts["y"], atol=1e-12)
    np.testing.assert_allclose(
        quarter @ parts["x"], parts["y"] @ quarter @ parts["x"], atol=1e-12
    )


def test_known_latents_have_their_signature(views: Views) -> None:
    sums = signature.energies(views, tracks(len(views)))
    shares = sums.shares()
    np.testing.assert_allclose(shares.sum(0), 1)
    expected = ("invariant", "axes", "diagonals", "x", "y")
    for latent, name in enumerate(expected):
        assert shares[COMPONENTS.index(name), latent] > 0.999


def test_signs_under_each_view_are_those_of_the_paper(views: Views) -> None:
    follow = signature.correlations(views)
    assert (follow[:, 0] > 0.999).all()
    size, axes, diagonals, x, y = follow
    np.testing.assert_allclose(size, 1, atol=1e-3)
    np.testing.assert_allclose(axes, [1, -1, 1, -1, 1, -1, 1, -1], atol=1e-3)
    np.testing.assert_allclose(diagonals, [1, -1, 1, -1, -1, 1, -1, 1], atol=1e-3)
    np.testing.assert_allclose(x[[2, 4, 6]], [-1, -1, 1], atol=1e-3)
    np.testing.assert_allclose(y[[2, 4, 6]], [-1, 1, -1], atol=1e-3)


def test_shares_do_not_depend_on_scale_or_offset(views: Views) -> None:
    groups = tracks(len(views))
    plain = signature.energies(views, groups).shares()
    moved = signature.energies(views * 3 + 7, groups).shares()
    np.testing.assert_allclose(plain, moved, atol=1e-4)


def test_resampling_all_groups_once_changes_nothing(views: Views) -> None:
    sums = signature.energies(views, tracks(len(views)))
    once = np.ones((2, len(sums.count)))
    np.testing.assert_allclose(sums.shares(once), [sums.shares()] * 2)
    doubled = np.zeros((1, len(sums.count)))
    doubled[0, :7] = 2
    chosen = tracks(len(views)) < 7
    alone = signature.energies(views[chosen], tracks(int(chosen.sum()))).shares()
    np.testing.assert_allclose(sums.shares(doubled)[0], alone, atol=1e-9)


def test_covariances_add_up_to_the_whole(views: Views) -> None:
    parts = signature.covariances(views)
    flat = views.reshape(-1, views.shape[2])
    np.testing.assert_allclose(
        parts.sum(0), np.cov(flat, rowvar=False, bias=True), atol=1e-5
    )


def test_constant_latents_have_no_shares() -> None:
    views = np.full((20, 8, 2), 3, np.float32)
    assert np.isnan(signature.energies(views, tracks(20)).shares()).all()
    assert np.isnan(signature.correlations(views)).all()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="8 views"):
        signature.coordinates(np.zeros((3, 5), np.float32))


def test_a_code_that_turns_is_told_from_noise(views: Views) -> None:
    groups = tracks(len(views))
    assert signature.equivariance(views, groups) > 0.999
    noise = np.random.default_rng(0).normal(size=views.shape).astype(np.float32)
    assert signature.equivariance(noise, groups) < 0.1
    assert np.isnan(signature.equivariance(views[:8], groups[:8]))
    assert np.isnan(signature.equivariance(views[:, :, :0], groups))


@pytest.mark.parametrize("degrees", [20, 35, 45, 70, -35])
def test_a_pair_turned_against_the_axes_is_found(turned: Any, degrees: float) -> None:
    found = find_pairs(turned(1, 2, degrees), range(5))
    pair = next(pair for pair in found if pair.family == ("axes", "diagonals"))
    assert set(pair.latents) == {1, 2}
    assert pair.purity > 0.99
    assert pair.turned == (abs(np.cos(np.radians(degrees))) ** 2 < 0.89)
    # The first latent is the one nearer to the axes.
    nearest = degrees if abs(degrees) <= 45 else degrees - np.sign(degrees) * 90
    assert abs(pair.turn) == pytest.approx(abs(nearest), abs=1.5)


def test_a_plain_pair_is_not_turned(views: Views) -> None:
    found = {pair.family: pair for pair in find_pairs(views, range(5))}
    assert found["axes", "diagonals"].latents == (1, 2)
    assert found["x", "y"].latents == (3, 4)
    assert not any(pair.turned for pair in found.values())
    assert abs(found["x", "y"].turn) < 2


def test_skewed_pairs_are_found_too(views: Views) -> None:
    """The two directions need not be at right angles."""
    mix = np.eye(5)
    mix[1:3, 1:3] = [[1, 0.4], [0.8, 1]]
    found = find_pairs((views @ mix).astype(np.float32), [1, 2])
    assert found[0].purity > 0.99
    assert found[0].turned


def test_each_finds_its_own_partner(views: Views) -> None:
    """Of two offsets, x and y of the same belong together."""
    rng = np.random.default_rng(0)
    other = views[rng.permutation(len(views))]
    four = np.concatenate([views[:, :, 3:], other[:, :, 3:]], axis=2)[
        :, :, [0, 3, 1, 2]
    ]
    found = find_pairs(four, range(4))
    assert {frozenset(pair.latents) for pair in found} == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }


def test_likeness_decides_between_equals(views: Views) -> None:
    """Elongations of the cell and of its surroundings are alike in symmetry."""
    rng = np.random.default_rng(0)
    other = views[rng.permutation(len(views))]
    four = np.concatenate([views[:, :, 1:3], other[:, :, 1:3]], axis=2)
    for order in ([0, 1, 2, 3], [0, 3, 2, 1]):
        where = np.array([[0.9], [0.9], [0.1], [0.1]])[order]
        found = find_pairs(four[:, :, order], range(4), where)
        pairs = {frozenset(order[d] for d in pair.latents) for pair in found}
        assert pairs == {frozenset({0, 1}), frozenset({2, 3})}


def test_a_plane_that_turns_into_another_is_not_closed(views: Views) -> None:
    lags = lag_covariances(views, (1, 4))
    whole = np.cov(views.reshape(-1, 5), rowvar=False, bias=True)

    def closed(p: int, q: int) -> float:
        both = np.ix_([p, q], [p, q])
        return closure(whole[both], lags[:, both[0], both[1]])

    assert closed(3, 4) > 0.99
    assert closed(1, 2) > 0.99
    assert closed(0, 3) < 0.6


def test_there_is_no_pair_of_two_that_follow_the_same(views: Views) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, views.shape)
    twice = np.stack([views[:, :, 1], (views + noise)[:, :, 1]], axis=2)
    assert find_pairs(twice.astype(np.float32), [0, 1]) == []
    assert find_pairs(views, [0]) == []
    assert find_pairs(views[:1], range(5)) == []
