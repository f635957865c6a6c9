"""Normalisation is chosen per channel and seen before anything is cut."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import NAMED, pipelines_of
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._theme import theme_of
from napari_cellsci.panels.cells.normalise_box import (
    TITLES,
    HistogramPlot,
    round_numbers,
)
from napari_cellsci.panels.cells.normalising import Histogram, NormalisingView
from napari_cellsci.panels.cells.panel import CellsPanel

SIZE = 32


def _crops(n=60):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = np.hypot(y, x) < 9
    crops = rng.normal(800, 5, (n, 2, SIZE, SIZE)) + disc * rng.normal(
        0, 60, (n, 2, SIZE, SIZE)
    )
    crops[:, 1] = np.exp(rng.normal(3, 0.2, crops[:, 1].shape)) * np.where(disc, 5, 1)
    return crops.clip(0).astype(np.uint16)


def _view(*names, crops=None):
    steps = pipelines_of(names)
    spec = CropSpec(fov_px=SIZE, size=SIZE, channels=(0, 1), steps=steps)
    return NormalisingView.of(_crops() if crops is None else crops, spec)


def test_before_and_after_are_what_training_would_see():
    view = _view("brightfield", "fluorescence")
    assert not view.trouble
    assert [one.limits for one in view.channels] == [(0, 1), (0, 1)]
    for one in view.channels:
        assert one.before.counts.sum() == one.after.counts.sum() == 60 * SIZE**2
        assert one.after.edges[[0, -1]].tolist() == [0, 1]
        assert one.raw.shape == one.made.shape == (6, 1, SIZE, SIZE)
    assert "positions" in view.channels[0].words
    assert "components at" in view.channels[1].words


def test_what_cannot_be_fitted_is_said():
    flat = np.full((9, 2, SIZE, SIZE), 7, np.uint8)
    view = _view("brightfield", "zscore", crops=flat)
    assert not view.channels
    assert "choose another normalisation" in view.trouble


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.5, 1]),
        (-4, 4, [-4, 0, 4]),
        (-3, 3, [-2.5, 0, 2.5]),
        (137, 1712, [500, 1000, 1500]),
    ],
)
def test_few_round_numbers_stand_below_a_histogram(low, high, marks):
    assert round_numbers(low, high) == marks


def test_every_named_normalisation_is_offered():
    assert set(NAMED) <= set(TITLES)


@pytest.mark.gui
@pytest.mark.parametrize("width", [90, 170, 400])
def test_numbers_below_a_histogram_do_not_touch(qtbot, width):
    plot = HistogramPlot(theme_of(None))
    qtbot.addWidget(plot)
    edges = np.linspace(33_250, 34_900, 41)
    plot.show_histogram(Histogram(np.ones(40, int), edges))
    plot.resize(width, plot.height())
    plot._write_marks()
    [marks] = plot.getAxis("bottom")._tickLevels
    pixel = width / (1.12 * (edges[-1] - edges[0]))
    places = [value * pixel for value, _ in marks]
    wide = plot.fontMetrics().horizontalAdvance("33500")
    assert marks
    assert all(np.diff(places) > wide)


def test_grey_levels_of_a_camera_keep_their_digits():
    crops = _crops()[:, :1] + np.uint16(33_000)
    spec = CropSpec(
        fov_px=SIZE, size=SIZE, channels=(0,), steps=pipelines_of(("fluorescence",))
    )
    words = NormalisingView.of(crops, spec).channels[0].words
    assert "33,799" in words
    assert "e+" not in words


@pytest.fixture
def panel(dock, viewer, mitosis_files, tmp_path):
    found = dock(CellsPanel)
    found.path.setText(str(tmp_path / "made"))
    found._on_path()
    common = {"scale": (4, 0.333, 0.333), "units": ("minute", "um", "um")}
    table = np.genfromtxt(mitosis_files / "tracks.csv", delimiter=",", names=True)
    tracks = np.stack([table[n] for n in ("track_id", "t", "y", "x")], axis=1)
    movie = tifffile.imread(mitosis_files / "movie.tif")
    found.combos["Image"].value = viewer.add_image(movie, name="nuclei", **common)
    found.combos["Tracks"].value = viewer.add_tracks(tracks, name="tracks", **common)
    return found


def _previewed(qtbot, panel):
    panel._start_preview()
    qtbot.waitUntil(lambda: not panel.preview_job.state.busy, timeout=30_000)


@pytest.mark.gui
def test_the_preview_follows_the_choice_and_the_project_has_it(qtbot, panel):
    _previewed(qtbot, panel)
    box = panel.normalise
    assert box.chosen == ("zscore",)
    assert "normalise" not in panel.python_code()
    box.combos[0].setCurrentIndex(list(TITLES).index("fluorescence"))
    assert panel._preview_timer.isActive()
    _previewed(qtbot, panel)
    assert "Components at" in box.views[0].words.text()
    assert all(strip.images for strip in box.views[0].strips)
    assert "normalise='fluorescence'" in panel.python_code()
    panel.run()
    qtbot.waitUntil(lambda: not panel.service.job.state.busy, timeout=60_000)
    assert panel.service.job.state is JobState.DONE
    assert panel.session.project.spec.normalised_by == "fluorescence"


@pytest.mark.gui
def test_channels_have_a_choice_each(panel):
    panel.normalise.combos[0].setCurrentIndex(1)
    panel.channels.setText("0, 2")
    panel._on_choice()
    box = panel.normalise
    assert [view.title.text() for view in box.views] == ["Channel 0", "Channel 2"]
    assert box.chosen == ("brightfield", "brightfield")
    box.combos[1].setCurrentIndex(2)
    assert box.arguments() == {"normalise": "brightfield,fluorescence"}
    panel.channels.setText("0")
    panel._on_choice()
    assert box.chosen == ("brightfield",)


@pytest.mark.gui
def test_images_are_brought_to_size_as_chosen(panel, tmp_path):
    box = panel.normalise
    path = tmp_path / "cells.npy"
    np.save(path, _crops(8)[:, :, :20])
    panel.images.tick.setChecked(True)
    panel.images.choose(str(path))
    box.sizing.setCurrentIndex(2)
    box.combos[0].setCurrentIndex(3)
    given = panel.images.given()
    assert given.arguments()["sizing"] == "constant"
    assert given.arguments()["normalise"] == "log+zscore"
    assert "sizing" not in given.arguments(adds=True)
    assert '--sizing "constant"' in panel.command_line()


def test_clipped_pixels_are_told():
    crops = _crops()
    crops[:, 1] = 0
    crops[:, 1, 8:24, 8:24] = 900 + np.arange(60)[:, None, None]
    dots = _view("zscore", "fluorescence", crops=crops).channels[1]
    clipped = dots.after.counts[0] / dots.after.counts.sum()
    assert clipped == 0.75
    assert "clipped: 75% below" in dots.words
    assert "clipped" not in _view("brightfield", "zscore").channels[1].words
