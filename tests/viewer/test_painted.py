from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_cellsci.viewer import painted
from napari_cellsci.viewer.colors import rgba
from napari_cellsci.viewer.session import Session


class Viewer:
    pass


@pytest.fixture
def viewer() -> Viewer:
    return Viewer()


@pytest.fixture
def session(viewer: Any, mitosis: Any, known_scores: Any) -> Session:
    session = Session(viewer)
    session.project = mitosis
    session.set_scores(known_scores(mitosis))
    return session


def test_signs_follow_label_then_prediction_and_name_strangers(
    session: Session, mitosis: Any
) -> None:
    assert session.scores is not None
    meta = int(
        np.flatnonzero((session.scores.prediction == 1) & ~session.scores.outside)[0]
    )
    stranger = int(np.flatnonzero(session.scores.outside)[0])
    signs = painted.symbols(session)
    assert signs[meta] == "triangle_up"
    assert signs[stranger] == "ring"
    mitosis.labels.set(meta, "interphase")
    mitosis.labels.set(stranger, "metaphase")
    signs = painted.symbols(session)
    assert (signs[meta], signs[stranger]) == ("disc", "triangle_up")


def test_only_labelled_cells_are_filled_with_their_classs_colour(
    session: Session, mitosis: Any
) -> None:
    mitosis.labels.set(4, "metaphase")
    filled = painted.fill(session)
    np.testing.assert_allclose(filled[4, :3], rgba(session.palette["metaphase"])[:3])
    assert (np.delete(filled, 4, axis=0)[:, 3] == 0).all()


def test_colours_mean_what_is_asked_for(session: Session, mitosis: Any) -> None:
    assert session.scores is not None
    np.testing.assert_allclose(
        painted.paint(session), session.scale.colors(session.scores.score)
    )
    session.show(color_by="prediction")
    names = [session.scores.names[c] for c in session.scores.prediction]
    expected = np.stack([rgba(session.palette[name]) for name in names])
    np.testing.assert_allclose(painted.paint(session), expected)
    session.show(color_by="label")
    mitosis.labels.set(0, "metaphase")
    np.testing.assert_allclose(
        painted.paint(session)[0], rgba(session.palette["metaphase"])
    )


def test_track_columns_map_to_the_same_colours_as_markers(session: Session) -> None:
    scales = painted.feature_scales(session)
    assert session.scores is not None
    np.testing.assert_allclose(
        scales["score"].map(session.scores.score), painted.paint(session)
    )
    codes = session.predicted_codes()
    session.show(color_by="prediction")
    np.testing.assert_allclose(
        scales["prediction"].map(codes.astype(float)), painted.paint(session)
    )
    np.testing.assert_allclose(
        scales["label"].map(np.array([-1.0]))[0], rgba("#8C8C8C"), atol=1e-6
    )


def frame_of(rows: list[int], ids: list[int] | None, y: Any = (), x: Any = ()) -> Any:
    arrays = [np.array(v, np.int64) for v in (rows, ids or [], y, x)]
    return painted.FrameCells(
        arrays[0], None if ids is None else arrays[1], arrays[2], arrays[3]
    )


@pytest.mark.parametrize("ndim", [3, 4])
def test_painted_masks_show_the_bin_of_each_cell_at_its_own_frame(ndim: int) -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 6, (4, 7, 9))
    ids = [[1, 3, 5], [2], [], [4, 1]]
    rows = [[0, 1, 2], [3], [], [4, 5]]
    by_row = np.array([10, 20, 30, 40, 50, 60], np.uint8)
    frames = [frame_of(r, i) for r, i in zip(rows, ids, strict=True)]
    layer = painted.PaintedMasks(masks, frames, ndim)
    expected = np.zeros(masks.shape, np.uint8)
    for t in range(4):
        for i, row in zip(ids[t], rows[t], strict=True):
            expected[t][masks[t] == i] = by_row[row]
        expected[t][~painted.outline_of(masks[t])] = 0
    assert not np.asarray(layer).any()
    layer.paint(by_row)
    expected = expected.reshape(layer.shape)
    assert layer.shape == (4, *[1] * (ndim - 3), 7, 9)
    np.testing.assert_array_equal(np.asarray(layer), expected)
    np.testing.assert_array_equal(layer[2], expected[2])
    np.testing.assert_array_equal(layer[3, ..., 2:5], expected[3, ..., 2:5])
    np.testing.assert_array_equal(layer[1:3], expected[1:3])
    np.testing.assert_array_equal(layer[..., ::2], expected[..., ::2])


def test_objects_are_found_under_centroids_where_they_have_no_names() -> None:
    masks = np.zeros((1, 6, 6), int)
    masks[0, 1:3, 1:3], masks[0, 4:, 4:] = 7, 9
    layer = painted.PaintedMasks(masks, [frame_of([0, 1], None, [1, 0], [2, 0])])
    layer.paint(np.array([50, 60], np.uint8))
    # The second cell lies on background: it paints nothing, least of all that.
    np.testing.assert_array_equal(layer[0], np.where(masks[0] == 7, 50, 0))


def test_outlines_are_two_pixels_wide_on_either_side() -> None:
    labels = np.zeros((20, 20), int)
    labels[4:16, 4:16] = 3
    edge = painted.outline_of(labels)
    inside = edge & (labels == 3)
    expected = np.zeros_like(inside)
    expected[4:16, 4:16] = True
    expected[6:14, 6:14] = False
    np.testing.assert_array_equal(inside, expected)


def test_recolouring_reads_no_frame_until_it_is_seen() -> None:
    class Counting:
        shape = (3, 4, 4)
        read = 0

        def __getitem__(self, t: int) -> Any:
            Counting.read += 1
            return np.indices((4, 4))[0] // 2 + 1

    layer = painted.PaintedMasks(Counting(), [frame_of([0], [1])] * 3)
    layer.paint(np.array([7], np.uint8))
    assert Counting.read == 0
    assert (layer[1][:2] == 7).all()
    assert Counting.read == 1
