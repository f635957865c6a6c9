from __future__ import annotations

import numpy as np
import pytest

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.explain.codebook import open_codebook, read_network
from napari_cellsci.explain.topology import Topology
from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    spec = CropSpec(size=64, fov_px=64, channels=(0,))
    config = EncoderConfig(latent=4, filters=(4, 4, 8, 8), hidden=16, device="cpu")
    return Encoder(spec, config, new_network(config, 1, 64))


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal([0, 1, -1, 2], 1, (5000, 4)).astype(np.float32)


def atlas_of(encoder: Encoder) -> LatentAtlas:
    def info(index: int, **words: str) -> LatentInfo:
        return LatentInfo(
            index=index,
            kl=1.0,
            variance=1.0,
            active=True,
            category="morphology",
            **words,  # type: ignore[arg-type]
        )

    named = info(2, name="size", low="smaller", high="larger")
    return LatentAtlas(encoder.hash, (named, info(0), info(1), info(3)))


def test_pictures_run_along_each_latent_from_the_medians(
    encoder: Encoder, latents: np.ndarray
) -> None:
    book = open_codebook(encoder, latents)
    assert book.strips.shape == (4, 7, 1, 64, 64)
    assert book.values[[0, -1]].tolist() == [-3, 3]
    np.testing.assert_allclose(book.usual, [0, 1, -1, 2], atol=0.06)
    z = np.tile(book.usual, (7, 1)).astype(np.float32)
    z[:, 3] = book.values
    np.testing.assert_allclose(book.strips[3], encoder.decode(z), atol=1e-5)
    assert book.sample.shape == (3000, 4)
    assert book.label(2) == "z2"
    assert book.ends_of(2) == ("low", "high")


def test_names_come_from_the_atlas(encoder: Encoder, latents: np.ndarray) -> None:
    book = open_codebook(encoder, latents[:50], atlas_of(encoder))
    assert book.label(2) == "size z2"
    assert book.ends_of(2) == ("smaller", "larger")
    assert book.label(1) == "z1"
    assert len(book.sample) == 50


def test_a_network_is_read_with_its_inputs_in_order_of_strength(
    encoder: Encoder, latents: np.ndarray
) -> None:
    book = open_codebook(encoder, latents)
    weight = np.array([[0.5, 0.0, 0.0, -2.0]])
    topology = Topology((weight,), (weight != 0,), (np.zeros(1),))
    reading = read_network(topology, book)
    assert list(reading.strongest) == [3, 0]
    assert reading.effect(1) is None
    strongest = reading.effect(3)
    assert strongest is not None
    assert strongest.direction == "down"
    # High values of z3 lower the score: it stands to the left of z0.
    assert [node.number for node in reading.layout.layer(0)] == [3, 0]


def three_outputs() -> Topology:
    """z0 speaks for the first class, −z0 for the second, both ends of z3 for none."""
    first = np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 0, 0.2]])
    return Topology((first,), (first != 0,), (np.zeros(3),))


def test_every_class_has_effects_of_its_own(
    encoder: Encoder, latents: np.ndarray
) -> None:
    book = open_codebook(encoder, latents)
    reading = read_network(three_outputs(), book)
    assert len(reading.by_output) == 3
    found = [reading.looking_at(k).effect(0) for k in range(3)]
    assert [one.direction for one in found if one] == ["up", "down", "middle"]
    assert reading.leanings(0) == (1, 0)
    assert reading.leanings(2) == (None, None)
    assert list(reading.strongest) == [0, 3]
    for effects in reading.by_output:
        assert sum(effect.share for effect in effects) == pytest.approx(1)


def test_what_all_outputs_have_in_common_has_no_effect(
    encoder: Encoder, latents: np.ndarray
) -> None:
    book, net = open_codebook(encoder, latents), three_outputs()
    common = net.weights[0] + np.array([0.0, 5.0, 0, 0])
    shifted = Topology((common,), (common != 0,), (np.full(3, 7.0),))
    effect = read_network(shifted, book).effect(1)
    assert effect is not None
    assert effect.strength == pytest.approx(0, abs=1e-9)
    same = read_network(net, book).effect(0)
    other = read_network(shifted, book).effect(0)
    assert same is not None
    assert other is not None
    np.testing.assert_allclose(other.curve_y, same.curve_y, atol=1e-9)


def test_a_large_network_is_drawn_as_one_class_sees_it(
    encoder: Encoder, latents: np.ndarray
) -> None:
    book, rng = open_codebook(encoder, latents), np.random.default_rng(0)
    shapes = [(6, latents.shape[1]), (3, 6)]
    weights = tuple(rng.normal(size=shape) for shape in shapes)
    masks = tuple(np.ones(shape, bool) for shape in shapes)
    net = Topology(weights, masks, (np.zeros(6), np.zeros(3)))
    whole = read_network(net, book, most=12)
    one = whole.towards(1, most=12)
    assert whole.layout.output is None
    assert (one.output, one.layout.output) == (1, 1)
    first = one.effects[0].index
    assert first in {node.number for node in one.layout.layer(0)}
    small = read_network(three_outputs(), book)
    assert small.towards(2).layout is small.layout
