from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network
from napari_cellsci.representation.traversals import (
    centre_disc,
    centre_share,
    effect_map,
    interpolate,
    traverse,
    traverse_many,
)


def test_a_strip_moves_one_latent_and_nothing_else(encoder: Encoder) -> None:
    strip = traverse(encoder, 2, low=-1, high=2, steps=4)
    z = np.zeros((4, 6), np.float32)
    z[:, 2] = [-1, 0, 1, 2]
    np.testing.assert_array_equal(strip, encoder.decode(z))
    assert strip.shape == (4, 1, 32, 32)
    assert strip.dtype == np.float32


def test_a_strip_starts_from_a_cell(encoder: Encoder) -> None:
    anchor = np.linspace(-1, 1, 6)
    strip = traverse(encoder, 0, anchor=anchor, low=-1, high=-1, steps=1)
    np.testing.assert_allclose(strip, encoder.decode(anchor[None]), atol=1e-6)


def test_strips_are_the_same_every_time(encoder: Encoder) -> None:
    first, again = traverse(encoder, 1), traverse(encoder, 1)
    np.testing.assert_array_equal(first, again)
    together = traverse_many(encoder, [3, 1])
    np.testing.assert_allclose(together[1], first, atol=1e-5)
    assert together.shape == (2, 7, 1, 32, 32)


def test_the_way_between_two_cells_has_both_ends(encoder: Encoder) -> None:
    start, end = np.zeros(6), np.ones(6)
    way = interpolate(encoder, start, end, 5)
    ends = encoder.decode(np.stack([start, (start + end) / 2, end]))
    np.testing.assert_allclose(way[[0, 2, 4]], ends, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda e: traverse(e, 6), "no latent z6"),
        (lambda e: traverse(e, -1), "no latent z-1"),
        (lambda e: effect_map(e, 9), "z0 to z5"),
        (lambda e: traverse(e, 0, anchor=np.zeros(5)), "6 latents"),
        (lambda e: traverse(e, 0, steps=0), "at least one picture"),
        (lambda e: interpolate(e, np.zeros(6), np.zeros(6), 1), "needs 2 pictures"),
        (lambda e: interpolate(e, np.zeros(6), np.zeros((1, 6)), 3), "6 latents"),
    ],
)
def test_what_cannot_be_decoded_is_refused(
    encoder: Encoder, call: object, sentence: str
) -> None:
    assert callable(call)
    with pytest.raises(InputError, match=sentence):
        call(encoder)


def test_an_effect_is_the_mean_change_over_anchors(encoder: Encoder) -> None:
    anchors = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    step = np.eye(6, dtype=np.float32)[4] * 1.5
    change = np.abs(encoder.decode(anchors + step) - encoder.decode(anchors - step))
    found = effect_map(encoder, 4, anchors, delta=1.5)
    np.testing.assert_allclose(found, change.mean(0), atol=1e-5)
    assert effect_map(encoder, 4).shape == (1, 32, 32)


def test_every_channel_has_its_own_effect(small: dict[str, object]) -> None:
    spec = CropSpec(size=32, fov_px=32, channels=(0, 1))
    config = EncoderConfig.from_dict(dict(small))
    encoder = Encoder(spec, config, new_network(config, 2, 32))
    assert effect_map(encoder, 0).shape == (2, 32, 32)
    assert traverse(encoder, 0).shape == (7, 2, 32, 32)


def test_the_centre_is_a_disc_of_twelve_in_sixty_four() -> None:
    disc = centre_disc(64)
    assert disc.sum() == pytest.approx(np.pi * 12**2, rel=0.02)
    assert centre_disc(32).sum() == pytest.approx(np.pi * 6**2, rel=0.03)
    np.testing.assert_array_equal(disc, disc.T[::-1])
    assert centre_disc(64, radius=100).all()


def test_the_share_of_the_centre() -> None:
    disc = centre_disc(32)
    assert centre_share(disc[None] * 2.0) == pytest.approx(1)
    assert centre_share(~disc[None] * 2.0) == 0
    even = np.ones((2, 32, 32))
    assert centre_share(even) == pytest.approx(disc.mean())
    half = np.zeros((32, 32))
    half[:16] = 1
    assert centre_share(even, half) == 0.5
    assert np.isnan(centre_share(np.zeros((1, 32, 32))))
