from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellsci.cells.linking import find_objects, link_masks
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import Cancelled, CancelToken


def discs(places: list[list[tuple[int, int]]], size: int = 120) -> np.ndarray:
    """Draw discs of radius 5; labels are shuffled anew in every frame."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((size, size))
    masks = np.zeros((len(places), size, size), np.uint16)
    for frame, centres in zip(masks, places, strict=True):
        labels = rng.permutation(len(centres)) * 3 + 1
        for label, (y, x) in zip(labels, centres, strict=True):
            frame[(rows - y) ** 2 + (columns - x) ** 2 <= 25] = label
    return masks


def paths(table: pd.DataFrame) -> set[tuple[tuple[int, int, int], ...]]:
    """Tracks as tuples of (t, y, x), whatever their ids."""
    return {
        tuple((int(p.t), round(p.y), round(p.x)) for p in track.itertuples())
        for _, track in table.groupby("track_id")
    }


def test_movement_division_and_gaps_are_followed() -> None:
    still = (100, 20)
    masks = discs(
        [
            [(20, 20), (60, 60), still],
            [(24, 22), (60, 61), still],
            [(28, 24), (60, 56), (60, 67)],
            [(32, 26), (60, 54), (60, 70), still],
        ]
    )
    tracks = link_masks(masks, max_distance=10)
    assert tracks.masks is masks
    assert not tracks.masks_tracked
    table = tracks.table
    assert paths(table) == {
        ((0, 20, 20), (1, 24, 22), (2, 28, 24), (3, 32, 26)),
        ((0, 60, 60), (1, 60, 61)),
        ((2, 60, 56), (3, 60, 54)),
        ((2, 60, 67), (3, 60, 70)),
        ((0, 100, 20), (1, 100, 20), (3, 100, 20)),
    }
    mother = table.query("t == 1 and y == 60").track_id.item()
    daughters = sorted(table.query("t == 2 and y == 60").track_id)
    assert tracks.graph == {daughter: [mother] for daughter in daughters}
    assert set(table.query("parent > 0").track_id) == set(daughters)
    assert set(table.query("parent > 0").parent) == {mother}
    for row in table.itertuples():
        assert masks[row.t, round(row.y), round(row.x)] == row.label_id


def test_table_has_the_types_and_order_of_tracks() -> None:
    table = link_masks(discs([[(20, 20), (60, 60)]] * 3)).table
    assert list(table) == ["track_id", "t", "y", "x", "parent", "label_id"]
    assert [str(kind) for kind in table.dtypes] == [
        "int64",
        "int64",
        "float64",
        "float64",
        "int64",
        "int64",
    ]
    assert table.equals(table.sort_values(["track_id", "t"], ignore_index=True))
    assert sorted(set(table["track_id"])) == [1, 2]


def test_splits_and_gaps_can_be_switched_off() -> None:
    masks = discs(
        [
            [(60, 60), (20, 20)],
            [(60, 55), (60, 66)],
            [(60, 55), (60, 66), (20, 20)],
        ]
    )
    both = link_masks(masks, max_distance=12)
    neither = link_masks(masks, max_distance=12, splits=False, max_gap=0)
    assert both.n_tracks == 4
    assert len(both.graph) == 2
    assert neither.graph == {}
    assert neither.n_tracks == 4
    assert ((0, 20, 20), (2, 20, 20)) in paths(both.table)
    assert ((0, 20, 20),) in paths(neither.table)


def test_the_default_reach_is_the_diameter_of_the_objects() -> None:
    assert link_masks(discs([[(20, 20)], [(20, 29)]])).n_tracks == 1
    assert link_masks(discs([[(20, 20)], [(20, 32)]])).n_tracks == 2


@pytest.mark.parametrize("frames", [[2], [0, 1], [0, 4], []])
def test_empty_frames(frames: list[int]) -> None:
    masks = np.zeros((5, 30, 30), np.int32)
    masks[frames, 10:15, 10:15] = 8
    if not frames:
        with pytest.raises(InputError, match="no objects"):
            link_masks(masks)
        return
    table = link_masks(masks).table
    assert sorted(table["t"]) == frames
    assert (table["y"] == 12).all()


def test_a_binary_stack_is_cut_into_objects() -> None:
    masks = discs([[(20, 20), (60, 60)]] * 2)
    assert paths(link_masks(masks > 0).table) == paths(link_masks(masks).table)


def test_objects_have_the_centroids_of_their_pixels() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(-1, 4, (20, 30)) * 100
    found = find_objects(labels).set_index("label_id")
    assert found.index.tolist() == [100, 200, 300]
    for label, row in found.iterrows():
        where = np.argwhere(labels == label)
        assert row["area"] == len(where)
        np.testing.assert_allclose([row["y"], row["x"]], where.mean(axis=0))


@pytest.mark.parametrize("distance", [0, -3, np.nan, np.inf])
def test_distances_must_be_positive(distance: float) -> None:
    with pytest.raises(InputError, match="positive"):
        link_masks(discs([[(20, 20)]]), max_distance=distance)


def test_masks_of_other_axes_are_refused() -> None:
    with pytest.raises(InputError, match="axes"):
        link_masks(np.ones((5, 5), int))


@pytest.mark.parametrize("reads", [0, 3, 5, 9])
def test_linking_can_be_cancelled_midway(
    monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    from napari_cellsci.cells import linking

    masks = discs([[(20 + 3 * t, 20), (70, 70)] for t in range(4)])
    token, asked = CancelToken(), []
    real = linking._Watched.__getitem__

    def counted(self: Any, index: Any) -> Any:
        asked.append(index)
        if len(asked) > reads:
            token.cancel()
        return real(self, index)

    monkeypatch.setattr(linking._Watched, "__getitem__", counted)
    with pytest.raises(Cancelled):
        link_masks(masks, max_distance=10, token=token)
    assert len(asked) == reads + 1


def test_linking_can_be_cancelled() -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        link_masks(
            discs([[(20, 20)]] * 3), on_event=lambda _: token.cancel(), token=token
        )


def links(table: pd.DataFrame) -> set[tuple[int, int, int, int]]:
    ordered = table.sort_values(["track_id", "t"])
    after = ordered.groupby("track_id")[["t", "label_id"]].shift(-1)
    pairs = pd.concat([ordered[["t", "label_id"]], after], axis=1).dropna()
    return set(map(tuple, pairs.astype(int).to_numpy().tolist()))


def test_real_masks_are_linked_as_in_their_tracks(real_data: Any) -> None:
    import tifffile

    reference = pd.read_csv(real_data / "hela" / "tracks.csv")
    tracks = link_masks(tifffile.imread(real_data / "hela" / "masks.tif"))
    expected, found = links(reference), links(tracks.table)
    assert len(expected & found) >= 0.97 * len(expected)
    assert len(expected & found) >= 0.95 * len(found)
    parents = reference.query("parent > 0")["parent"].nunique()
    assert 0.7 * parents < len({p for [p] in tracks.graph.values()}) < 1.6 * parents
