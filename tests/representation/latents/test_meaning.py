from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_cellsci.representation.atlas import LatentAtlas
from napari_cellsci.representation.effects import Effects
from napari_cellsci.representation.meaning import describe_latents
from napari_cellsci.representation.motion import motions
from napari_cellsci.representation.vocabulary import FACTOR_PAIRS, FACTORS
from napari_cellsci.tasks import Cancelled, CancelToken

Views = NDArray[np.float32]
N = 300
GROUPS = np.arange(N) // 5
PLAIN = (
    "size",
    "elongation along the axes",
    "elongation along the diagonals",
    "offset in x",
    "offset in y",
)


def effects_of(painter: Any, latent: int = 5, **other: Any) -> Effects:
    """What a perfect encoder and decoder say."""
    zero = np.zeros((1, 5), np.float32)
    values: dict[str, Any] = {
        "kl": np.linspace(2, 1, latent),
        "variance": np.ones(latent),
        "centre": np.full(latent, 0.8),
        "even": 0.3,
        "own": np.full(latent, 0.9),
        "motions": tuple(motions(painter, d, zero) for d in range(latent)),
    }
    return Effects(**{**values, **other})


def described(
    views: Views, painter: Any, factors: Any = None, **other: Any
) -> LatentAtlas:
    effects = effects_of(painter, views.shape[2], **other)
    return describe_latents("hash", views, GROUPS, effects, factors)


def test_two_witnesses_give_names(views: Views, shown: Any, painter: Any) -> None:
    atlas = described(views, painter(), shown.factors)
    assert [info.index for info in atlas] == [0, 1, 2, 3, 4]
    assert tuple(info.name for info in atlas) == PLAIN
    assert [info.category for info in atlas][:3] == ["morphology"] * 3
    assert [info.category for info in atlas][3:] == ["position"] * 2
    assert atlas.low_high(0) == ("smaller", "larger")
    assert atlas.low_high(1) == ("wide", "tall")
    assert atlas.low_high(4) == ("up", "down")
    assert [atlas[d].partner for d in range(5)] == [None, 2, 1, 4, 3]
    assert all(info.agreement == 1 and info.stability == 1 for info in atlas)
    assert atlas.equivariance > 0.99
    assert atlas[0].correlations["area"].low > 0.9
    assert "agree in 100%" in atlas[0].note


def test_how_far_latents_vary_together(views: Views, shown: Any, painter: Any) -> None:
    assert np.isnan(described(views, painter()).total_correlation)
    noise = np.full(5, 0.2)
    atlas = described(views, painter(), noise=noise)
    c = np.cov(views[:, 0].T.astype(float), bias=True) + np.diag(noise)
    r = c / np.sqrt(np.outer(c.diagonal(), c.diagonal()))
    assert atlas.total_correlation == pytest.approx(-np.log(np.linalg.det(r)) / 2)
    twins = views.copy()
    twins[..., 1] = twins[..., 0]
    atlas = described(twins, painter(), noise=noise)
    assert atlas.total_correlation > 0.5
    assert type(atlas).from_json(atlas.to_json()) == atlas


def test_a_latent_upside_down_swaps_its_words(
    views: Views, shown: Any, painter: Any
) -> None:
    atlas = described(-views, painter(), shown.factors)
    assert tuple(info.name for info in atlas) == PLAIN
    assert atlas.low_high(0) == ("larger", "smaller")
    assert atlas.low_high(3) == ("right", "left")


def test_without_masks_there_are_readings_but_no_names(
    views: Views, painter: Any
) -> None:
    atlas = described(views, painter())
    assert atlas.names == {}
    assert [info.reading for info in atlas] == [f"like {name}" for name in PLAIN]
    assert atlas.low_high(0) == ("smaller", "larger")
    assert [info.category for info in atlas][3:] == ["position"] * 2
    assert "without masks" in atlas[0].note
    assert atlas.measured == ()


def test_words_by_the_decoder_and_by_masks_are_the_same(
    views: Views, shown: Any, painter: Any
) -> None:
    alone, measured = (
        described(views, painter()),
        described(views, painter(), shown.factors),
    )
    for d in range(5):
        assert alone.low_high(d) == measured.low_high(d)


def test_witnesses_that_disagree_give_no_name(
    views: Views, shown: Any, painter: Any
) -> None:
    factors = dict(shown.factors)
    factors["area"], factors["offset_x"] = factors["offset_x"], factors["area"]
    atlas = described(views, painter(), factors)
    assert atlas[0].name is None
    assert atlas[0].best == "offset_x"
    assert {info.index for info in atlas.disputed} == {0, 3}
    assert atlas[0].note == (
        f"It follows offset_x most closely "
        f"(ρ = {atlas[0].correlations['offset_x'].spearman:+.2f}), which would be x, "
        "but by its symmetry it is invariant (100% of its variance)."
    )
    assert atlas[3].name is None
    assert atlas[1].name == PLAIN[1]


def test_weak_witnesses_give_no_name(views: Views, shown: Any, painter: Any) -> None:
    rng = np.random.default_rng(0)
    blurred = views + rng.normal(0, 1.2, views.shape).astype(np.float32)
    atlas = described(views, painter(), {"area": rng.normal(size=N)})
    assert atlas[0].name is None
    assert "too little for a name" in atlas[0].note
    atlas = described(blurred, painter(), shown.factors)
    assert atlas.names == {}
    assert "only" in atlas[0].note
    # Noise that all views share looks invariant, whatever the latent follows.
    noise = rng.normal(0, 3, (N, 1, 5)).astype(np.float32)
    atlas = described(views + noise, painter(), shown.factors)
    assert 1 not in atlas.names


def test_names_need_almost_all_resamples(
    views: Views, shown: Any, painter: Any
) -> None:
    """Two properties that compete for one latent leave it without a name."""
    rng = np.random.default_rng(3)
    factors = dict(shown.factors)
    spread = factors["area"].std()
    factors["brightness"] = factors["area"] + rng.normal(0, 0.4 * spread, N)
    factors["area"] = factors["area"] + rng.normal(0, 0.4 * spread, N)
    info = described(views, painter(), factors)[0]
    assert info.name is None
    assert 0.05 < info.agreement < 0.95
    assert "of the resamples only" in info.note


@pytest.mark.parametrize("degrees", [35.0, -30.0])
def test_a_turned_pair_is_named_by_its_angles(
    turned: Any, painter: Any, shown: Any, degrees: float
) -> None:
    atlas = described(turned(1, 2, degrees), painter(1, 2, degrees), shown.factors)
    for d, name in ((1, atlas[1].name), (2, atlas[2].name)):
        assert name is not None
        assert name.startswith("elongation at ")
        assert atlas[d].category == "morphology"
    first, second = (float(str(atlas[d].name)[14:-1]) for d in (1, 2))
    assert abs((first - second) % 90 - 45) < 3
    assert atlas[1].partner == 2
    assert atlas.low_high(1) == (
        f"long at {(first + 90) % 180:.0f}°",
        f"long at {first:.0f}°",
    )
    assert atlas[0].name == "size"


def test_the_angle_of_a_turned_pair_is_what_one_sees(
    turned: Any, painter: Any, shown: Any
) -> None:
    """At +35° of the plane z1 grows with tall cells that lean 17.5° to the left."""
    atlas = described(turned(1, 2, 35), painter(1, 2, 35), shown.factors)
    assert float(str(atlas[1].name)[14:-1]) == pytest.approx(90 + 17.5, abs=3)
    shifted = described(turned(3, 4, 30), painter(3, 4, 30), shown.factors)
    # z3 = cos·x + sin·y grows to the right and down: 30° below the horizontal.
    assert shifted[3].high is not None
    assert float(shifted[3].high[8:-1]) == pytest.approx(330, abs=3)
    assert str(shifted[3].name).startswith("offset at 15")


def test_a_turned_pair_without_masks_is_read_by_its_angles(
    turned: Any, painter: Any, shown: Any
) -> None:
    codes, drawn = turned(1, 2, 35), painter(1, 2, 35)
    alone, named = described(codes, drawn), described(codes, drawn, shown.factors)
    assert alone.names == {}
    reading = str(alone[1].reading)
    assert reading.startswith("like elongation at 10")
    assert "together with z2" in alone[1].note
    said = float(reading.split(" at ")[1].split("°")[0])
    assert said == pytest.approx(float(str(named[1].name)[14:-1]), abs=6)


def test_a_turned_pair_needs_its_properties(
    turned: Any, painter: Any, shown: Any
) -> None:
    factors = dict(shown.factors)
    del factors["elongation_diagonals"]
    atlas = described(turned(1, 2, 40), painter(1, 2, 40), factors)
    assert atlas[1].name is None
    assert "only together with z2" in atlas[1].note
    rng = np.random.default_rng(0)
    wrong = {**shown.factors, "elongation_diagonals": rng.normal(size=N)}
    assert described(turned(1, 2, 40), painter(1, 2, 40), wrong)[1].name is None


def test_what_lies_around_is_the_neighbourhoods(
    views: Views, painter: Any, shown: Any
) -> None:
    own = np.array([0.9, 0.1, 0.9, 0.1, 0.9])
    atlas = described(views, painter(), own=own)
    assert atlas[1].category == "neighbourhood"
    assert atlas[1].reading == (
        "changes sign under quarter turns, not under mirrors of an axis"
    )
    assert atlas.of_category("position") == (atlas[4],)
    # Where no object can be told, the effect map decides.
    unknown = np.full(5, np.nan)
    centre = np.array([0.9, 0.3, 0.9, 0.9, 0.35])
    atlas = described(views, painter(), own=unknown, centre=centre)
    assert [info.category for info in atlas] == [
        *("morphology", "neighbourhood", "morphology", "position", "neighbourhood")
    ]


def test_a_triangle_is_no_position(views: Views, painter: Any) -> None:
    """It turns like a position, but what it does to the picture is no shift."""
    still = tuple({"x": 0.0, "y": 0.0} for _ in range(5))
    atlas = described(views, painter(), motions=still)
    assert atlas[3].category == "morphology"
    assert atlas[3].reading == "turns with the picture, along x"


def test_neighbours_are_named_from_tracks_alone(
    views: Views, painter: Any, shown: Any
) -> None:
    factors = {"neighbours": shown.area, "neighbours_x": shown.x}
    own = np.full(5, 0.05)
    atlas = described(views, painter(), factors, own=own)
    assert atlas.names == {0: "neighbours", 3: "neighbours in x"}
    assert {info.category for info in atlas} == {"neighbourhood"}
    assert "without masks" in atlas[1].note


def test_inactive_latents_come_last_and_say_nothing(
    views: Views, painter: Any, shown: Any
) -> None:
    kl = np.array([0.01, 3, 0.4, 0.5, 2])
    variance = np.array([1, 1, 0.001, 1, 1])
    atlas = described(views, painter(), shown.factors, kl=kl, variance=variance)
    assert [info.index for info in atlas] == [1, 4, 3, 2, 0]
    assert [info.index for info in atlas.inactive] == [2, 0]
    for info in atlas.inactive:
        assert info.category == "inactive"
        assert info.name is None
        assert not info.shares
        assert not info.correlations


def test_one_latent_and_none_active(views: Views, painter: Any, shown: Any) -> None:
    atlas = described(views[:, :, :1], painter(), shown.factors)
    assert len(atlas) == 1
    assert atlas[0].name == "size"
    atlas = described(views, painter(), shown.factors, kl=np.zeros(5))
    assert atlas.active == ()
    assert len(atlas.inactive) == 5
    assert np.isnan(atlas.equivariance)


def test_many_latents(views: Views, shown: Any) -> None:
    rng = np.random.default_rng(0)
    wide = np.concatenate(
        [views, rng.normal(size=(N, 8, 123)).astype(np.float32)], axis=2
    )
    none: dict[str, float] = {}
    effects = Effects(
        kl=np.linspace(2, 1, 128),
        variance=np.ones(128),
        centre=np.full(128, 0.8),
        even=0.3,
        own=np.full(128, 0.9),
        motions=tuple(none for _ in range(128)),
    )
    atlas = describe_latents("hash", wide, GROUPS, effects, shown.factors)
    assert len(atlas) == 128
    assert set(atlas.names) == set(range(5))


def test_few_cells_are_not_enough(views: Views, painter: Any, shown: Any) -> None:
    factors = {name: values[:20] for name, values in shown.factors.items()}
    effects = effects_of(painter())
    atlas = describe_latents("hash", views[:20], GROUPS[:20], effects, factors)
    assert atlas.measured == ()
    assert atlas.names == {}


def test_properties_with_gaps_and_of_no_use(
    views: Views, painter: Any, shown: Any
) -> None:
    factors = {name: values.copy() for name, values in shown.factors.items()}
    factors["area"][::4] = np.nan
    factors["solidity"] = np.full(N, np.nan)
    factors["brightness"] = np.ones(N)
    factors["perimeter"] = factors["area"]
    factors["brightness_2"] = np.random.default_rng(0).normal(size=N)
    atlas = described(views, painter(), factors)
    assert atlas[0].name == "size"
    assert set(atlas.measured) == {*shown.factors, "brightness_2"}


def test_the_same_data_give_the_same_atlas(
    views: Views, painter: Any, shown: Any
) -> None:
    first = described(views, painter(), shown.factors)
    assert first.to_json() == described(views, painter(), shown.factors).to_json()


def test_it_can_be_cancelled(views: Views, painter: Any) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        describe_latents("hash", views, GROUPS, effects_of(painter()), token=token)


def test_every_word_of_the_vocabulary_is_consistent() -> None:
    for pair in FACTOR_PAIRS:
        for factor, component in zip(pair.factors, pair.family, strict=True):
            assert FACTORS[factor].component == component
    elongation, offset = FACTOR_PAIRS[:2]
    assert elongation.angle(1, 0) == 90  # tall
    assert elongation.angle(-1, 0) == 0  # wide
    assert elongation.angle(0, 1) == 135  # falling diagonal
    assert elongation.angle(0, -1) == 45
    assert offset.angle(1, 0) == 0
    assert offset.angle(0, -1) == 90  # up: y grows downwards
    assert offset.words(90) == ("towards 270°", "towards 90°")
    assert elongation.name(135) == "elongation at 135°"
