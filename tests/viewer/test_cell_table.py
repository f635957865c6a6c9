from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellsci.viewer.cell_table import CellTable

CELLS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 6)),
    min_size=1,
    max_size=40,
    unique=True,
)


def table_of(cells: list[tuple[str, int, int]]) -> pd.DataFrame:
    rng = np.random.default_rng(len(cells))
    frame = pd.DataFrame(cells, columns=["movie", "track_id", "t"])
    return frame.assign(y=rng.uniform(0, 50, len(cells)), x=rng.uniform(0, 50))


@settings(deadline=None)
@given(CELLS)
def test_every_cell_is_found_and_nothing_else(
    cells: list[tuple[str, int, int]],
) -> None:
    table = CellTable(table_of(cells))
    for movie in "abc":
        for track in range(6):
            for t in range(7):
                wanted = (movie, track, t)
                row = cells.index(wanted) if wanted in cells else None
                assert table.find(*wanted) == row


@settings(deadline=None)
@given(CELLS)
def test_frames_and_tracks_hold_their_cells(cells: list[tuple[str, int, int]]) -> None:
    table = CellTable(table_of(cells))
    for row, (movie, track, t) in enumerate(cells):
        frame = {i for i, c in enumerate(cells) if c[0] == movie and c[2] == t}
        assert set(table.rows_at(movie, t).tolist()) == frame
        mine = [i for i, c in enumerate(cells) if c[:2] == (movie, track)]
        mine.sort(key=lambda i: cells[i][2])
        assert table.rows_of_track(row).tolist() == mine
        for other in range(7):
            wanted = (movie, track, other)
            assert table.at_time(row, other) == (
                cells.index(wanted) if wanted in cells else None
            )


def test_the_nearest_cell_is_one_of_the_frame_and_within_reach() -> None:
    cells = pd.DataFrame(
        {
            "movie": "a",
            "track_id": [1, 2, 3],
            "t": [0, 0, 1],
            "y": [10.0, 20, 11],
            "x": [10.0, 20, 11],
        }
    )
    table = CellTable(cells)
    assert table.nearest("a", 0, (12, 12), 8) == 0
    assert table.nearest("a", 1, (12, 12), 8) == 2
    assert table.nearest("a", 0, (40, 40), 8) is None
    assert table.nearest("a", 5, (12, 12), 8) is None
    assert table.nearest("b", 0, (12, 12), 8) is None


def test_missing_objects_and_planes_are_known_as_missing() -> None:
    cells = table_of([("a", 1, 0), ("a", 1, 1)])
    assert CellTable(cells).z is None
    assert CellTable(cells).label.tolist() == [0, 0]
    with_some = cells.assign(label_id=[3, np.nan], z=[np.nan, np.nan])
    assert CellTable(with_some).label.tolist() == [3, 0]
    assert CellTable(with_some).z is None


def test_time_since_division_is_told_by_tracks_with_a_parent() -> None:
    cells = pd.DataFrame(
        {
            "movie": ["a"] * 6 + ["b"],
            "track_id": [1, 2, 2, 2, 3, 4, 2],
            "t": [0, 5, 3, 4, 3, 9, 7],
            "parent": [0, 1, 1, 1, 3, 1, 0],
        }
    ).assign(y=0.0, x=0.0)
    assert CellTable(cells).since_division.tolist() == [-1, 2, 0, 1, -1, 0, -1]
    without = CellTable(cells.drop(columns="parent"))
    assert without.since_division.tolist() == [-1] * 7
    assert len(CellTable(cells.iloc[:0]).since_division) == 0
