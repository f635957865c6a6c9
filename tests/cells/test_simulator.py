from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_curve
from sklearn.tree import DecisionTreeClassifier

from napari_cellsci.cells.simulator import (
    SimulatedMovie,
    SimulationConfig,
    random_config,
    simulate,
)
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import Cancelled, CancelToken, Event, Progress

SMALL = SimulationConfig(frames=8, cells=10, size=160, cycle_length=8)
COARSE = SimulationConfig(pixel_size=0.666, size=256)
"""The sample movie through a coarser camera: the same cells, a quarter of the work."""


@pytest.fixture(scope="module")
def sample() -> SimulatedMovie:
    return simulate()


@pytest.fixture(scope="module")
def small() -> SimulatedMovie:
    return simulate(SMALL)


def test_same_seed_same_movie(small: SimulatedMovie) -> None:
    again = simulate(SMALL)
    assert np.array_equal(again.image, small.image)
    assert np.array_equal(again.labels, small.labels)
    pd.testing.assert_frame_equal(again.tracks, small.tracks)
    pd.testing.assert_frame_equal(again.truth, small.truth)
    assert again.graph == small.graph


def test_other_seed_other_movie(small: SimulatedMovie) -> None:
    other = simulate(dataclasses.replace(SMALL, seed=1))
    assert not np.array_equal(other.image, small.image)
    assert not np.allclose(other.truth.y.iloc[:10], small.truth.y.iloc[:10])


def test_camera_leaves_the_cells_alone(small: SimulatedMovie) -> None:
    other = simulate(dataclasses.replace(SMALL, signal=30, blur=0.6, offset=500))
    assert not np.array_equal(other.image, small.image)
    assert np.array_equal(other.labels, small.labels)
    pd.testing.assert_frame_equal(other.tracks, small.tracks)


def test_sample_is_as_promised(sample: SimulatedMovie) -> None:
    assert sample.image.shape == sample.labels.shape == (40, 512, 512)
    assert sample.image.dtype == sample.labels.dtype == np.uint16
    assert sample.truth.groupby("t").size().min() >= 40
    divided = {parent for [parent] in sample.graph.values()}
    assert len(divided) >= 30
    seen = sample.truth[sample.truth["class"] == "metaphase"]
    assert seen.track_id.nunique() >= 30
    assert seen.groupby("track_id").size().between(1, 4).all()
    assert (sample.truth.neighbours > 0).mean() >= 0.5


def test_tables_agree(sample: SimulatedMovie) -> None:
    tracks, truth = sample.tracks, sample.truth
    assert list(tracks) == ["track_id", "t", "y", "x", "parent"]
    assert list(truth)[:3] == ["track_id", "t", "class"]
    keys = tracks[["track_id", "t"]]
    assert keys.equals(truth[["track_id", "t"]])
    assert keys.equals(keys.sort_values(["track_id", "t"], ignore_index=True))
    assert not keys.duplicated().any()
    assert np.allclose(tracks.y, truth.y + truth.offset_y)
    assert np.allclose(tracks.x, truth.x + truth.offset_x)
    for offset in (truth.offset_y, truth.offset_x):
        assert abs(offset.mean()) < 0.15
        assert offset.std() == pytest.approx(sample.config.localisation_error, rel=0.1)
    assert tracks[["y", "x"]].to_numpy().min() >= 0
    assert tracks[["y", "x"]].to_numpy().max() <= sample.config.size - 1
    assert (truth.aspect >= 1).all()
    assert truth.angle.between(-np.pi / 2, np.pi / 2).all()


def test_neighbours_are_counted_in_the_crop_window(sample: SimulatedMovie) -> None:
    truth, tracks = sample.truth, sample.tracks
    now = truth.t == 20
    true, found = truth.loc[now, ["y", "x"]], tracks.loc[now, ["y", "x"]]
    away = np.abs(found.to_numpy()[:, None] - true.to_numpy()[None]).max(axis=2)
    inside = away <= sample.config.window_px / 2
    np.fill_diagonal(inside, False)
    assert np.array_equal(inside.sum(1), truth.neighbours[now])


def test_divisions(sample: SimulatedMovie) -> None:
    truth = sample.truth.groupby("track_id")
    first, last = truth.t.min(), truth.t.max()
    assert ((last - first + 1) == truth.size()).all()
    parents = pd.Series({child: mother for child, [mother] in sample.graph.items()})
    assert (parents.value_counts() == 2).all()
    assert (first[parents.index].to_numpy() == last[parents].to_numpy() + 1).all()
    tabled = sample.tracks.groupby("track_id").parent.first()
    assert tabled[tabled > 0].to_dict() == parents.to_dict()
    starts, ends = truth["class"].first(), truth["class"].last()
    assert (starts[parents.index] == "anaphase").all()
    assert ends[parents.unique()].isin(["metaphase", "anaphase"]).all()
    assert (last[~last.index.isin(parents)] == sample.config.frames - 1).all()


def test_stages_follow_one_another(sample: SimulatedMovie) -> None:
    allowed = {
        ("interphase", "prometaphase"),
        ("prometaphase", "metaphase"),
        ("metaphase", "anaphase"),
        ("anaphase", "interphase"),
    }
    for _, track in sample.truth.groupby("track_id"):
        stages = track["class"].to_numpy()
        steps = itertools.pairwise(stages)
        assert {step for step in steps if step[0] != step[1]} <= allowed


def _best_threshold(y: np.ndarray, values: np.ndarray) -> float:
    false, true, _ = roc_curve(y, values)
    balanced = (true + 1 - false) / 2
    return float(max(balanced.max(), 1 - balanced.min()))


@pytest.mark.parametrize("seed", [0, 1])
def test_neither_size_nor_shape_alone_tells_the_classes(seed: int) -> None:
    truth = simulate(dataclasses.replace(COARSE, seed=seed)).truth
    two = truth[truth["class"].isin(["interphase", "metaphase"])]
    y = (two["class"] == "metaphase").to_numpy()
    both = np.log(two[["area", "aspect"]].to_numpy())
    assert _best_threshold(y, both[:, 0]) <= 0.95
    assert _best_threshold(y, both[:, 1]) <= 0.95
    models = (
        LogisticRegression(C=100, class_weight="balanced"),
        DecisionTreeClassifier(max_depth=3, class_weight="balanced", random_state=0),
    )
    together = [
        balanced_accuracy_score(y, m.fit(both, y).predict(both)) for m in models
    ]
    assert max(together) >= 0.98


def test_without_overlap_size_alone_is_enough() -> None:
    truth = simulate(dataclasses.replace(COARSE, overlap=0, en_face=0)).truth
    two = truth[truth["class"].isin(["interphase", "metaphase"])]
    assert _best_threshold(two["class"] == "metaphase", np.log(two.area)) > 0.99


def _crowding(confounder: float) -> tuple[float, float]:
    """Mean neighbours of metaphases and of interphase cells, over three movies."""
    coarse = dataclasses.replace(COARSE, pixel_size=1.0, size=170)
    configs = [
        dataclasses.replace(coarse, confounder=confounder, seed=s) for s in range(3)
    ]
    truth = pd.concat([simulate(config).truth for config in configs])
    mean = truth.groupby("class").neighbours.mean()
    return mean["metaphase"], mean["interphase"]


def test_confounder_links_mitosis_to_crowding() -> None:
    sparse, calm = _crowding(0.9)
    assert sparse < 0.5 * calm
    same, calm = _crowding(0.0)
    assert same == pytest.approx(calm, abs=0.35)  # about three standard errors
    crowded, calm = _crowding(-0.9)
    assert crowded > calm + 0.3


def test_truth_is_what_the_labels_show(sample: SimulatedMovie) -> None:
    truth = sample.truth.set_index(["t", "track_id"])
    rows = []
    for t in range(0, 40, 4):
        for region in regionprops(sample.labels[t]):
            true = truth.loc[(t, region.label)]
            if not 0.97 < true.visible < 1.03:
                continue  # cut by the frame or partly behind a neighbour
            ratio = region.axis_major_length / region.axis_minor_length
            turn = (region.orientation - true.angle + np.pi / 2) % np.pi - np.pi / 2
            y, x = region.centroid
            rows.append(
                [
                    region.area / true.area,
                    ratio / true.aspect,
                    turn,
                    y - true.y,
                    x - true.x,
                    true.aspect,
                ]
            )
    area, ratio, turn, dy, dx, aspect = np.array(rows).T
    assert len(rows) > 400
    assert np.abs(area - 1).mean() < 0.01
    assert np.abs(ratio - 1).mean() < 0.02
    assert np.abs(ratio - 1).max() < 0.15
    assert np.abs(turn[aspect > 1.3]).mean() < 0.02
    assert np.abs(turn[aspect > 1.3]).max() < 0.15
    assert max(np.abs(dy).mean(), np.abs(dx).mean()) < 0.1


def test_every_label_is_a_tracked_cell(sample: SimulatedMovie) -> None:
    for t in (0, 17, 39):
        present = set(np.unique(sample.labels[t])) - {0}
        assert present == set(sample.truth.track_id[sample.truth.t == t])


def test_nuclei_are_brighter_than_the_background(sample: SimulatedMovie) -> None:
    image, labels = sample.image[10], sample.labels[10]
    dark = np.median(image[labels == 0])
    means = pd.Series(image[labels > 0]).groupby(labels[labels > 0]).mean()
    truth = sample.truth[sample.truth.t == 10].set_index("track_id")
    assert (means > 1.2 * dark).all()
    plates = means[truth.index[truth["class"] == "metaphase"]].mean()
    assert plates > 1.4 * means[truth.index[truth["class"] == "interphase"]].mean()


@pytest.mark.parametrize("size", [96, 300])
def test_sizes(size: int) -> None:
    movie = simulate(SimulationConfig(frames=3, cells=5, size=size))
    assert movie.image.shape == (3, size, size)
    assert movie.truth.groupby("t").size().min() == 5


def test_pixel_size_keeps_the_cells() -> None:
    fine = simulate(SMALL).truth
    coarse = simulate(dataclasses.replace(SMALL, pixel_size=0.666, size=80)).truth
    assert np.array_equal(coarse["class"], fine["class"])
    assert np.allclose(coarse.area * 4, fine.area, rtol=1e-3)


def test_one_cell_one_frame() -> None:
    movie = simulate(SimulationConfig(frames=1, cells=1, size=64))
    assert len(movie.tracks) == 1
    assert movie.graph == {}


def test_tracked_junk(small: SimulatedMovie) -> None:
    movie = simulate(dataclasses.replace(SMALL, junk=0.5))
    junk = movie.truth[movie.truth["class"] == "junk"]
    assert junk.track_id.nunique() == 5
    assert not set(junk.track_id) & (set(movie.graph) | set(small.truth.track_id))
    assert len(junk) == 5 * SMALL.frames
    assert (junk.visible > 0).mean() > 0.9
    cells = movie.truth[movie.truth["class"] != "junk"]
    assert np.allclose(cells[["y", "x"]], small.truth[["y", "x"]])


def test_confident_ranges() -> None:
    with pytest.raises(InputError, match="frames must lie between 1"):
        SimulationConfig(frames=0)
    with pytest.raises(InputError, match="confounder"):
        SimulationConfig(confounder=1.5)
    with pytest.raises(InputError, match="blur"):
        SimulationConfig(blur=float("nan"))


def test_every_knob_is_explained_and_bounded() -> None:
    text = SimulationConfig.__doc__ or ""
    for field in dataclasses.fields(SimulationConfig):
        assert field.name in text
        with pytest.raises(InputError):
            SimulationConfig(**{field.name: -1e12})


def test_progress_and_cancel() -> None:
    events: list[Event] = []
    simulate(SMALL, on_event=events.append)
    assert events[-1] == Progress("Simulating", SMALL.frames, SMALL.frames)
    token = CancelToken()

    def stop(event: Event) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        simulate(SMALL, on_event=stop, token=token)


def test_random_configs_vary_and_run() -> None:
    configs = [random_config(seed, frames=2, cells=6) for seed in range(12)]
    assert random_config(3) == random_config(3)
    for name in ("nucleus_radius", "pixel_size", "blur", "signal", "texture", "seed"):
        assert len({getattr(config, name) for config in configs}) == 12
    assert {config.saturation for config in configs} == {255, 4095, 65_535}
    assert random_config(0, size=128, junk=1.0).size == 128
    for config in configs[:6]:
        movie = simulate(config)
        assert np.ptp(movie.image) > 5
        assert movie.image.max() <= config.saturation
