from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.representation.activity import nats
from napari_cellsci.representation.effects import measure_effects
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.surroundings import (
    cell_region,
    kept_share,
    objects_in,
    without_surroundings,
)
from napari_cellsci.tasks import Cancelled, CancelToken, Progress

SIZE = 32


@pytest.fixture
def scene() -> np.ndarray:
    """A cell in the middle and a neighbour at the border (5, 1, 32, 32)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    crops = np.full((5, 1, SIZE, SIZE), 100.0)
    crops += np.random.default_rng(0).normal(0, 2, crops.shape)
    crops[:, 0, np.hypot(y - 15.5, x - 15.5) < 6] += 100
    for place, crop in enumerate(crops):
        crop[0, np.hypot(y - 4 * place, x - 30) < 4] += 120
    return crops


def test_pixels_tell_the_cell_from_the_others(scene: np.ndarray) -> None:
    found = objects_in(scene)
    assert found is not None
    own, others = found
    assert own[:, 15, 15].all()
    assert (own.sum((1, 2)) > 100).all()
    assert not (own & others).any()
    assert others.any((1, 2)).all()
    assert not others[:, 10:22, 10:22].any()


def test_of_several_channels_the_clear_one_is_used(scene: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(size=scene.shape)
    found = objects_in(np.concatenate([noise, scene], axis=1))
    assert found is not None
    np.testing.assert_array_equal(found[0], objects_in(scene)[0])  # type: ignore[index]


def test_where_nothing_stands_out_no_object_is_claimed() -> None:
    rng = np.random.default_rng(0)
    assert objects_in(rng.normal(size=(20, 1, SIZE, SIZE))) is None
    assert objects_in(np.zeros((4, 1, SIZE, SIZE))) is None
    assert objects_in(np.zeros((0, 1, SIZE, SIZE))) is None


def test_only_the_surroundings_are_erased(scene: np.ndarray) -> None:
    found = objects_in(scene)
    assert found is not None
    own, others = found
    alone = without_surroundings(scene, own, others)
    np.testing.assert_array_equal(alone[:, 0][own], scene.astype(np.float32)[:, 0][own])
    assert alone[:, 0][others].max() < 110
    untouched = without_surroundings(scene, own, np.zeros_like(others))
    np.testing.assert_array_equal(untouched, scene.astype(np.float32))


def test_a_cell_that_fills_the_crop_can_still_be_told(scene: np.ndarray) -> None:
    own = np.ones((1, SIZE, SIZE), bool)
    own[0, 0, 0] = False
    others = ~own
    assert np.isfinite(without_surroundings(scene[:1], own, others)).all()


def test_the_region_reaches_a_little_beyond_the_cell(scene: np.ndarray) -> None:
    found = objects_in(scene)
    assert found is not None
    region = cell_region(found[0])
    assert region is not None
    assert found[0].mean(0).sum() < region.sum() < 2.5 * found[0].mean(0).sum()
    assert region.max() == 1
    assert region[0, 0] == 0
    assert cell_region(np.zeros((3, 8, 8), bool)) is None


def test_the_kept_share_is_a_squared_correlation() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(size=(50, 3)).astype(np.float32)
    after = before.copy()
    after[:, 0] = -2 * before[:, 0] + 1
    after[:, 1] = rng.normal(size=50)
    after[:, 2] = 4
    found = kept_share(before, after)
    assert found[0] == pytest.approx(1)
    expected = np.corrcoef(before[:, 1], after[:, 1])[0, 1] ** 2
    assert found[1] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found[2])


def test_nats_are_those_of_the_posterior(encoder: Encoder, crops: Any) -> None:
    rows = np.arange(0, 96, 2)
    mu, logvar = encoder.network.encoder(encoder.normalise(crops[rows]))
    mu, logvar = mu.double().numpy(), logvar.double().numpy()
    expected = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1).mean(0)
    np.testing.assert_allclose(nats(encoder, crops, rows), expected, rtol=1e-4)
    assert not nats(encoder, crops, rows[:0]).any()


def test_effects_of_an_encoder(encoder: Encoder, crops: Any) -> None:
    mu = encoder.encode(crops)
    said: list[Progress] = []
    everything = np.ones(6)
    found = measure_effects(
        encoder,
        crops,
        mu,
        variance=everything,
        on_event=lambda event: said.append(event),  # type: ignore[arg-type]
    )
    chosen = found.active
    np.testing.assert_array_equal(chosen, found.kl >= 0.05)
    assert np.isfinite(found.centre[chosen]).all()
    assert np.isnan(found.own[~chosen]).all()
    assert all(bool(part) == on for part, on in zip(found.motions, chosen, strict=True))
    assert 0 < found.even < 1
    assert {event.what for event in said} >= (
        {"Mapping effects"} if chosen.any() else set()
    )
    whole = np.ones((len(crops), 32, 32), bool)
    given = measure_effects(encoder, crops, mu, (whole, ~whole), variance=everything)
    np.testing.assert_allclose(given.own[chosen], 1, atol=1e-5)
    np.testing.assert_allclose(given.centre[chosen], 1, atol=1e-5)


def test_effects_can_be_cancelled(encoder: Encoder, crops: Any) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        measure_effects(encoder, crops, encoder.encode(crops), token=token)


def test_effects_of_several_channels(small: dict[str, Any], crops: Any) -> None:
    from napari_cellsci.representation.config import EncoderConfig
    from napari_cellsci.representation.networks import new_network

    config = EncoderConfig(**small)
    spec = CropSpec(size=32, fov_px=32, channels=(0, 1))
    encoder = Encoder(spec, config, new_network(config, 2, 32))
    both = np.concatenate([crops, crops[::-1]], axis=1)
    found = measure_effects(encoder, both, encoder.encode(both), variance=np.ones(6))
    assert found.kl.shape == (6,)
