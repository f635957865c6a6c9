from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_cellsci.representation.motion import FLOWS, flows, leading_flow, motions

ZERO = np.zeros((1, 5), np.float32)


@pytest.mark.parametrize(
    ("latent", "flow"),
    [(0, "size"), (1, "axes"), (2, "diagonals"), (3, "x"), (4, "y")],
)
def test_every_flow_is_told_with_its_sign(painter: Any, latent: int, flow: str) -> None:
    parts = motions(painter(), latent, ZERO)
    assert leading_flow(parts) == flow
    assert parts[flow] > 0.5
    others = [abs(value) for name, value in parts.items() if name != flow]
    assert max(others) < 0.05


def test_the_sign_follows_the_latent(painter: Any) -> None:
    turned = painter(3, 4, 180)
    assert motions(turned, 3, ZERO)["x"] < -0.5
    assert motions(turned, 4, ZERO)["y"] < -0.5


def test_a_mixture_has_parts_of_both(painter: Any) -> None:
    parts = motions(painter(3, 4, 45), 3, ZERO)
    assert abs(parts["x"]) == pytest.approx(abs(parts["y"]), rel=0.05)
    assert abs(parts["x"]) > 0.3


def test_only_the_region_counts(painter: Any) -> None:
    class Beside:
        """A shift of the object, and a blob that comes and goes in a corner."""

        def decode(self, z: np.ndarray) -> np.ndarray:
            pictures = painter().decode(z)
            pictures[:, 0, :6, :6] += 3 * z[:, 3, None, None]
            return pictures

    region = np.zeros((32, 32))
    region[8:24, 8:24] = 1
    beside: Any = Beside()
    assert abs(motions(beside, 3, ZERO)["x"]) < 0.3
    assert motions(beside, 3, ZERO, region)["x"] > 0.8


def test_no_effect_is_no_flow() -> None:
    class Still:
        def decode(self, z: np.ndarray) -> np.ndarray:
            return np.zeros((len(z), 2, 16, 16), np.float32)

    still: Any = Still()
    parts = motions(still, 1, ZERO)
    assert set(parts) == set(FLOWS)
    assert set(parts.values()) == {0.0}
    assert leading_flow(parts) is None
    assert leading_flow({}) is None


def test_contrast_alone_is_no_flow(painter: Any) -> None:
    class Brighter:
        def decode(self, z: np.ndarray) -> np.ndarray:
            return painter().decode(z * 0) * (1 + 0.2 * z[:, :1, None, None])

    brighter: Any = Brighter()
    parts = motions(brighter, 0, ZERO)
    assert max(map(abs, parts.values())) < 0.01


def test_of_two_channels_the_one_that_flows_counts(painter: Any) -> None:
    """The object grows in one channel, and the other channel only gets noisier."""
    noise = np.random.default_rng(0).normal(size=(1, 1, 32, 32))

    class Both:
        def decode(self, z: np.ndarray) -> np.ndarray:
            other = noise * (1 + 0.05 * z[:, :1, None, None])
            return np.concatenate([other, painter().decode(z)], axis=1)

    both: Any = Both()
    assert motions(both, 0, ZERO)["size"] > 0.5


def test_flows_move_each_channel() -> None:
    picture = np.zeros((1, 2, 8, 8))
    picture[0, 1] = np.arange(8)
    found = flows(picture)
    assert found.shape == (6, 1, 2, 8, 8)
    np.testing.assert_allclose(found[0, 0, 1], -1)
    np.testing.assert_allclose(found[:, 0, 0], 0)
