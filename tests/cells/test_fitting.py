"""What normalisation learns from crops, against numpy and scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from napari_cellsci.cells.fitting import deviation_per_position, fit_spec
from napari_cellsci.cells.normalise import normalised
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import NAMED, Background, Dots, pipeline_from_text
from napari_cellsci.errors import InputError
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import Cancelled, CancelToken

SIZE = 32


def _cells(n=120, channels=1, seed=0, dtype="uint16"):
    """Bright-field-like discs of varying texture on even backgrounds, and dots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = np.hypot(y, x) < 9
    crops = rng.normal(800, 4, (n, channels, SIZE, SIZE))
    crops += rng.uniform(-100, 100, (n, channels, 1, 1)) * 0.02
    crops += disc * rng.normal(0, 60, crops.shape)
    dots = np.hypot(y - 3, x + 2) < 2.5
    crops[:, 1:] = np.exp(rng.normal(3, 0.2, crops[:, 1:].shape))
    crops[:, 1:] *= np.where(disc, 4, 1) * np.where(dots, 5, 1)
    return crops.astype(dtype)


def _spec(*names, **values):
    channels = tuple(range(len(names)))
    steps = tuple(pipeline_from_text(name) for name in names)
    return CropSpec(fov_px=SIZE, size=SIZE, channels=channels, steps=steps, **values)


def _bright_field(crops, cells):
    """Isaksson 2018, one image at a time."""
    out = np.empty(crops.shape)
    for i, image in enumerate(crops.astype(np.float64)):
        value = (image - np.median(image[~cells])) / max(image[cells].std(), 1e-6)
        out[i] = (np.clip(value, -3, 3) + 3) / 6
    return out


def test_bright_field_equals_its_formula():
    crops = _cells(dtype="float32")
    spec = fit_spec(_spec("brightfield"), crops)
    step = spec.steps[0][0]
    spread = crops[:, 0].astype(np.float64).std(axis=0)
    np.testing.assert_allclose(step.spread, spread, rtol=1e-5)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    assert (step.cells == (np.hypot(y, x) < 9)).all()
    expected = _bright_field(crops[:, 0], step.cells)
    np.testing.assert_allclose(normalised(crops, spec)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(normalise(crops, spec)[:, 0], expected, atol=1e-6)


def test_deviation_does_not_depend_on_how_crops_come():
    crops = _cells(50)[:, 0] + 1e6
    for cuts in ([], [1], [7, 30]):
        found = deviation_per_position(np.split(crops, cuts))
        np.testing.assert_allclose(found, crops.std(axis=0), rtol=1e-9)


def test_fluorescence_equals_its_formula():
    crops = _cells(40, channels=2)[:, 1:]
    spec = fit_spec(_spec("fluorescence"), crops)
    step = spec.steps[0][1]
    logs = np.log(np.maximum(crops.astype(np.float64), 1))
    independent = GaussianMixture(3, random_state=1, n_init=4).fit(logs.reshape(-1, 1))
    brightest = independent.means_.argmax()
    assert step.means[-1] == pytest.approx(independent.means_.max(), abs=0.05)
    sd = np.sqrt(independent.covariances_[brightest, 0, 0])
    assert step.deviations[-1] == pytest.approx(sd, abs=0.05)
    assert list(step.means) == sorted(step.means)
    assert sum(step.weights) == pytest.approx(1, abs=1e-5)
    value = (logs - step.means[-1]) / step.deviations[-1]
    expected = (np.clip(value, -3, 3) + 3) / 6
    np.testing.assert_allclose(normalised(crops, spec), expected, atol=1e-6)
    np.testing.assert_allclose(normalise(crops, spec), expected, atol=1e-6)


def test_components_are_ordered_whatever_the_seed():
    crops = _cells(40, channels=2)[:, 1:]
    for seed in range(3):
        pipeline = NAMED["fluorescence"]
        pipeline = (pipeline[0], Dots(seed=seed), *pipeline[2:])
        spec = replace(_spec("fluorescence"), steps=(pipeline,))
        spec = fit_spec(spec, crops, pixels=20_000)
        means = spec.steps[0][1].means
        assert list(means) == sorted(means)
        assert means[-1] == pytest.approx(3 + np.log(20), abs=0.2)


@pytest.mark.parametrize(
    "names", [("brightfield",), ("brightfield", *["fluorescence"] * 5)]
)
def test_one_and_six_channels(names):
    crops = _cells(40, len(names))
    spec = fit_spec(_spec(*names), crops, pixels=20_000)
    found = normalise(crops, spec)
    assert found.shape == crops.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    for channel in range(len(names)):
        alone = spec.with_channels((channel,))
        one = normalise(crops[:, channel : channel + 1], alone)
        np.testing.assert_array_equal(one[:, 0], found[:, channel])


def test_channels_of_different_kinds():
    crops = _cells(60, 2)
    spec = fit_spec(_spec("zscore", "fluorescence"), crops)
    found = normalise(crops, spec).numpy()
    plain = normalise(crops[:, :1], CropSpec(fov_px=SIZE, size=SIZE)).numpy()
    np.testing.assert_allclose(found[:, :1], plain, atol=2e-5)
    np.testing.assert_allclose(found, normalised(crops, spec), atol=1e-6)


def test_bright_field_does_not_see_an_offset_of_the_camera():
    crops = _cells(40, dtype="float64")
    spec = fit_spec(_spec("brightfield"), crops)
    offset = np.random.default_rng(0).uniform(-500, 500, (len(crops), 1, 1, 1))
    before, after = normalised(crops, spec), normalised(crops + offset, spec)
    np.testing.assert_allclose(after, before, atol=1e-6)
    moved = normalised(crops + 300, fit_spec(_spec("brightfield"), crops + 300))
    np.testing.assert_allclose(moved, before, atol=1e-6)


def test_fitting_happens_once():
    crops = _cells(40)
    spec = fit_spec(_spec("brightfield"), crops)
    assert fit_spec(spec, _cells(40, seed=9)) is spec
    assert fit_spec(_spec("brightfield"), crops) == spec
    plain = CropSpec(fov_px=SIZE, size=SIZE)
    assert fit_spec(plain, crops) is plain
    rows = np.arange(20)
    assert fit_spec(_spec("brightfield"), crops, rows) == fit_spec(
        _spec("brightfield"), crops[:20]
    )


def test_unfitted_steps_do_not_pass_for_fitted():
    for use in (normalise, normalised):
        with pytest.raises(InputError, match="not been fitted"):
            use(_cells(4), _spec("brightfield"))


def test_a_given_threshold_is_used():
    crops = _cells(60)
    step = fit_spec(_spec("brightfield:20"), crops).steps[0][0]
    assert step.found == step.threshold == 20
    with pytest.raises(InputError, match=r"threshold 1e\+06 leaves .* channel 0 vary"):
        fit_spec(_spec("brightfield:1000000"), crops)


@pytest.mark.parametrize("name", ["brightfield", "fluorescence"])
def test_crops_without_cells_are_refused_in_a_sentence(name):
    flat = np.full((30, 1, SIZE, SIZE), 100, np.uint16)
    with pytest.raises(InputError, match="choose another normalisation") as told:
        fit_spec(_spec(name), flat)
    assert "channel 0" in str(told.value).lower()


def test_constant_crops_are_finite():
    spec = fit_spec(_spec("brightfield", "fluorescence"), _cells(60, 2))
    for value in (0, 1, 65535):
        found = normalise(np.full((1, 2, SIZE, SIZE), value, np.uint16), spec)
        assert torch.isfinite(found).all()
        assert float(found[0, 0].max()) == 0.5
        assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_broken_pixels_are_named():
    crops = _cells(20, dtype="float32")
    spec = fit_spec(_spec("brightfield"), crops)
    crops[7, 0, 3, 3] = np.nan
    with pytest.raises(InputError, match="crop 7 is NaN"):
        normalise(crops, spec)
    with pytest.raises(InputError, match="crop 107 is NaN"):
        normalise(crops, spec, rows=np.arange(100, 120))
    with pytest.raises(InputError, match="crop 7 is NaN"):
        fit_spec(_spec("brightfield"), crops)


def test_types_and_offsets_agree_with_the_reference():
    crops = _cells(30, 2)
    spec = fit_spec(_spec("brightfield", "fluorescence"), crops)
    expected = normalised(crops, spec)
    for dtype in ("int32", "float32", "float64", ">u2", "uint64"):
        np.testing.assert_allclose(
            normalise(crops.astype(dtype), spec), expected, atol=1e-6
        )
    np.testing.assert_allclose(
        normalise(torch.from_numpy(crops), spec), expected, atol=1e-6
    )


def test_clipping_twice_is_clipping_once():
    crops = _cells(20)
    once = fit_spec(_spec("background+clip"), crops)
    twice = fit_spec(_spec("background+clip+clip"), crops)
    np.testing.assert_array_equal(normalise(crops, once), normalise(crops, twice))


def test_steps_are_fitted_to_what_comes_before_them():
    crops = _cells(60, 2)[:, 1:]
    spec = fit_spec(_spec("log+background+clip"), crops)
    step = spec.steps[0][1]
    assert isinstance(step, Background)
    logs = np.log(crops[:, 0].astype(np.float64))
    np.testing.assert_allclose(step.spread, logs.std(axis=0), rtol=1e-5)


def test_a_cancelled_fit_stops():
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        fit_spec(_spec("brightfield"), _cells(4), token=token)
