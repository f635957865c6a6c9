"""Tracks layers coloured by score, ours and those the user opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.viewer import painted, scene
from napari_cellsci.viewer.geometry import Affine

if TYPE_CHECKING:
    from napari.layers import Tracks

    from napari_cellsci.viewer.session import Session, Shown

_PROBE = "cellsci_order"


class TrackColors:
    """Colours the vertices of one tracks layer at a time.

    napari sorts the rows of a tracks layer by track and time, and permutes features
    that are assigned later in the same way; the permutation is learned once per layer.
    A NaN would blank the whole layer, so columns have none.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: tuple[int, int, int] | None = None
        self._cells: NDArray[np.int64] = np.empty(0, np.int64)
        self._back: NDArray[np.int64] = np.empty(0, np.int64)

    @staticmethod
    def data(
        shown: Shown, ndim: int
    ) -> tuple[NDArray[np.float64], dict[int, list[int]]]:
        """Return the tracks of a movie as napari wants them, and their graph."""
        table, rows = shown.table, shown.rows
        rows = rows[np.lexsort((table.t[rows], table.track[rows]))]
        points = scene.points_of(table, rows, ndim)
        present = set(table.track[rows].tolist())
        graph = {
            int(child): [int(p) for p in parents if p in present]
            for child, parents in shown.info.graph.items()
            if child in present
        }
        graph = {child: parents for child, parents in graph.items() if parents}
        return np.column_stack([table.track[rows], points]), graph

    def recolor(self, layer: Tracks | None) -> None:
        """Colour a layer's vertices by what the session displays."""
        session, shown = self._session, self._session.shown
        if layer is None or shown is None or not layer.visible:
            return
        self._learn(layer, shown)
        cells = self._cells
        columns = {
            "score": self._scores(),
            "prediction": session.predicted_codes().astype(np.float32),
            "label": session.label_codes().astype(np.float32),
        }
        features = layer.features.drop(columns=[_PROBE], errors="ignore").copy()
        for name, values in columns.items():
            neutral = 0 if name == "score" else -1
            mine = np.where(cells >= 0, values[np.maximum(cells, 0)], neutral)
            features[name] = mine.astype(np.float32)
        layer.features = features.iloc[self._back].reset_index(drop=True)
        layer.colormaps_dict = {
            **layer.colormaps_dict,
            **painted.feature_scales(session),
        }
        by = session.display.color_by
        layer.color_by = "label" if by == "score" and session.scores is None else by

    def _scores(self) -> NDArray[np.float32]:
        scores = self._session.scores
        if scores is None:
            return np.zeros(self._session.n_cells, np.float32)
        return np.nan_to_num(scores.score)

    def _learn(self, layer: Tracks, shown: Shown) -> None:
        """Find the cell of every vertex, and how to undo the layer's permutation."""
        key = (id(layer), id(layer.data), id(shown.table))
        if key == self._known:
            return
        n = len(layer.data)
        existing = layer.features
        layer.features = {**_columns(existing), _PROBE: np.arange(n)}
        order = layer.features[_PROBE].to_numpy()
        self._back = np.argsort(order)
        layer.features = existing.iloc[self._back].reset_index(drop=True)
        self._cells = self._find_cells(layer, shown)
        self._known = key

    def _find_cells(self, layer: Tracks, shown: Shown) -> NDArray[np.int64]:
        table, rows = shown.table, shown.rows
        data = np.asarray(layer.data)
        t = np.rint(self._frames(layer, data[:, 1])).astype(np.int64)
        key = _pair(table.track[rows], table.t[rows])
        order = np.argsort(key)
        wanted = _pair(data[:, 0].astype(np.int64), t)
        at = np.clip(np.searchsorted(key[order], wanted), 0, max(len(rows) - 1, 0))
        if not len(rows):
            return np.full(len(data), -1, np.int64)
        found = rows[order[at]]
        return np.where(key[order[at]] == wanted, found, -1)

    def _frames(self, layer: Tracks, t: NDArray[Any]) -> NDArray[np.float64]:
        """Return times of a tracks layer as frames of the movie's image."""
        from napari_cellsci.viewer.navigation import Navigator

        anchor = self._session.service(Navigator).anchor()
        if anchor is None:
            return np.asarray(t, dtype=np.float64)
        there = Affine.to_world(anchor).restricted((0,)).inverse()
        there = there.after(Affine.to_world(layer).restricted((0,)))
        return there(np.asarray(t, dtype=np.float64)[:, np.newaxis])[:, 0]


def _pair(track: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.int64]:
    return track * (1 << 24) + t


def _columns(features: Any) -> dict[str, NDArray[Any]]:
    return {name: features[name].to_numpy() for name in features.columns}
