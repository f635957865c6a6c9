from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.cells.simulator import SimulationConfig
from napari_cellsci.cells.simulator.camera import expose, illumination, through_optics
from napari_cellsci.cells.simulator.shapes import (
    half_axes,
    outline,
    polygon_moments,
    polygons,
)
from napari_cellsci.cells.simulator.texture import FIELD, STEP, band_noise


@pytest.mark.parametrize("light", [0.0, 0.2, 3.0])
def test_noise_law(light: float) -> None:
    config = SimulationConfig(signal=120, background=0.1, gain=1.7, read_noise=5)
    shape = (500, 500)
    ones = np.ones(shape, np.float32)
    grey = expose(light * ones, 0.8 * ones, config, np.random.default_rng(0))
    electrons = 120 * 0.8 * (light + 0.1)
    variance = 1.7**2 * (electrons + 25) + 1 / 12
    assert grey.mean() == pytest.approx(100 + 1.7 * electrons, abs=0.15)
    assert grey.var() == pytest.approx(variance, rel=0.02)


def test_saturation_and_offset() -> None:
    config = SimulationConfig(saturation=255, offset=20, gain=1, signal=100)
    ones = np.ones((64, 64), np.float32)
    rng = np.random.default_rng(0)
    assert (expose(9 * ones, ones, config, rng) == 255).all()
    assert expose(0 * ones, ones, config, rng).mean() == pytest.approx(26, abs=1)


def test_optics_keep_the_light() -> None:
    sharp, soft = np.zeros((2, 128, 128), np.float32)
    sharp[64, 64], soft[40, 40] = 100, 50
    image = through_optics(sharp, soft, SimulationConfig(blur=0.5))
    assert image.sum() == pytest.approx(150, rel=1e-3)
    y = np.arange(128) - 64
    spread = (image[50:79, 50:79].sum(1) * y[50:79] ** 2).sum() / image[
        50:79, 50:79
    ].sum()
    assert spread == pytest.approx((0.5 / 0.333) ** 2, rel=0.05)


def test_illumination_falls_as_told() -> None:
    field = illumination(np.random.default_rng(0), 100, 0.3)
    assert field.max() == pytest.approx(1)
    assert field.min() == pytest.approx(0.7)


@settings(deadline=None, max_examples=25)
@given(
    ratio=st.floats(1, 5),
    angle=st.floats(-1.5, 1.5),
    bend=st.floats(-0.3, 0.3),
    power=st.floats(2, 3),
    seed=st.integers(0, 10_000),
)
def test_moments_against_a_raster(
    ratio: float, angle: float, bend: float, power: float, seed: int
) -> None:
    """Area is exactly as asked; the rest agrees with counting pixels of the outline."""
    from skimage.draw import polygon2mask

    waves = 0.03 * np.random.default_rng(seed).standard_normal((1, 24))
    q = outline(waves, np.array([power]))
    area = np.array([9000.0])
    y, x = polygons(
        np.array([[200.3, 199.6]]),
        half_axes(area, np.array([ratio])),
        np.array([angle]),
        np.array([bend]),
        q,
    )
    moments = polygon_moments(y, x)
    mask = polygon2mask((400, 400), np.stack([y[0], x[0]], axis=1))
    rows, columns = np.nonzero(mask)
    assert moments.area[0] == pytest.approx(9000, rel=0.005)
    assert moments.area[0] == pytest.approx(mask.sum(), rel=0.01)
    assert moments.y[0] == pytest.approx(rows.mean(), abs=0.2)
    assert moments.x[0] == pytest.approx(columns.mean(), abs=0.2)
    cov = np.cov(np.stack([rows, columns]))
    scale = np.trace(cov)
    assert moments.yy[0] == pytest.approx(cov[0, 0], abs=0.02 * scale)
    assert moments.xx[0] == pytest.approx(cov[1, 1], abs=0.02 * scale)
    assert moments.yx[0] == pytest.approx(cov[0, 1], abs=0.02 * scale)


@settings(deadline=None, max_examples=20)
@given(ratio=st.floats(1.1, 5), angle=st.floats(-1.5, 1.5))
def test_axes_of_an_ellipse(ratio: float, angle: float) -> None:
    q = outline(np.zeros((1, 24)), np.array([2.0]))
    axes = half_axes(np.array([500.0]), np.array([ratio]))
    y, x = polygons(np.zeros((1, 2)), axes, np.array([angle]), np.zeros(1), q)
    aspect, found = polygon_moments(y, x).axes()
    assert aspect[0] == pytest.approx(ratio, rel=1e-3)
    assert found[0] == pytest.approx(angle, abs=1e-3)


def test_two_plates_have_the_moments_of_their_union() -> None:
    q = outline(np.zeros((2, 24)), np.array([2.0, 2.0]))
    axes = half_axes(np.full(2, 100.0), np.ones(2))
    y, x = polygons(
        np.array([[0.0, -10.0], [0.0, 10.0]]), axes, np.zeros(2), np.zeros(2), q
    )
    both = polygon_moments(y, x).grouped(np.zeros(2, int), 1)
    assert both.area[0] == pytest.approx(200, rel=1e-3)
    assert (both.y[0], both.x[0]) == pytest.approx((0, 0), abs=1e-6)
    assert both.xx[0] == pytest.approx(100 + both.yy[0], rel=1e-3)


def test_texture_has_its_wavelength() -> None:
    field = band_noise(np.random.default_rng(0), 2.0)
    assert field.mean() == pytest.approx(0, abs=1e-3)
    assert field.std() == pytest.approx(1, abs=1e-3)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(*np.meshgrid(*2 * (np.fft.fftfreq(FIELD, STEP),)))
    assert 1 / np.average(frequency, weights=power) == pytest.approx(2.0, rel=0.4)
