"""Human labels as a layer of their own: a sign per labelled cell, and who gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellsci.viewer import scene, tags
from napari_cellsci.viewer.colors import colors_of_codes
from napari_cellsci.viewer.label_keys import LabelKeys
from napari_cellsci.viewer.painted import CLASS_SYMBOLS
from napari_cellsci.viewer.picking import Picker

if TYPE_CHECKING:
    from napari.layers import Points

    from napari_cellsci.viewer.session import Session, Shown

SIZE = 0.5
"""Diameter of a sign (parts of a marker's)."""


class LabelLayer:
    """Shows the labels of the shown movie; made by `Session.service`.

    The layer is found by the uuid in its metadata. One the user deletes stays away
    until it is asked for again.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shown = False
        self._working = False
        for signal in (
            session.project_changed,
            session.movie_changed,
            session.labels_changed,
            session.classes_changed,
        ):
            signal.connect(self.draw)
        if session.viewer is not None:
            session.viewer.layers.events.removed.connect(self._on_removed)

    def show(self, shown: bool) -> None:
        """Show the layer, or hide it."""
        self.shown = shown
        self.draw()

    def draw(self, *_: object) -> None:
        """Bring the layer up to date."""
        session = self._session
        viewer, movie = session.viewer, session.shown
        if viewer is None or movie is None:
            return
        layer: Any = tags.find(viewer, movie.project.path, movie.name, "labels")
        if not self.shown:
            if layer is not None:
                layer.visible = False
            return
        self._working = True
        try:
            layer = layer or self._add(movie)
            layer.visible = True
            self._fill(layer, movie)
        finally:
            self._working = False

    def _add(self, movie: Shown) -> Points:
        viewer = self._session.viewer
        assert viewer is not None
        image = tags.find(viewer, movie.project.path, movie.name, "image")
        ndim = 3 if image is None else image.ndim
        active = viewer.layers.selection.active
        many = len(movie.table.movies) > 1
        title = f"labels of {movie.name}" if many else "labels"
        layer: Points = viewer.add_points(
            np.zeros((0, ndim)),
            ndim=ndim,
            name=title,
            size=SIZE * self._session.display.marker_size,
            border_color="black",
            border_width=0.08,
            blending="translucent_no_depth",
            **scene.placed_on(image, ndim),
        )
        tags.tag(layer, movie.project.path, movie.name, "labels")
        layer.editable = False
        self._session.service(Picker).attach(layer)
        self._session.service(LabelKeys).install()
        if active is not None:
            viewer.layers.selection.active = active
        return layer

    def _fill(self, layer: Points, movie: Shown) -> None:
        session = self._session
        codes = session.label_codes()
        rows = movie.rows[codes[movie.rows] >= 0]
        layer.data = scene.points_of(movie.table, rows, layer.ndim)
        names = np.array(tuple(session.palette), dtype=object)
        origins = [movie.project.labels.origin(row) for row in rows.tolist()]
        layer.features = pd.DataFrame(
            {
                "class": names[codes[rows]],
                "track_id": movie.table.track[rows],
                "annotator": [action.who if action else "" for action in origins],
                "when": [action.at if action else "" for action in origins],
                "how": [action.how if action else "" for action in origins],
            }
        )
        if len(rows):
            signs = np.array(CLASS_SYMBOLS, dtype=object)
            layer.symbol = signs[codes[rows] % len(signs)]
            layer.face_color = colors_of_codes(
                codes[rows], tuple(session.palette.values())
            )

    def _on_removed(self, event: Any) -> None:
        if not self._working and tags.role_of(event.value) == "labels":
            self.shown = False
