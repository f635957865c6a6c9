"""The overlay: markers, tracks and outlines by score, and the selected cell's ring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_cellsci.errors import InputError
from napari_cellsci.io.tracks import is_binary
from napari_cellsci.viewer import adapters, painted, scene, tags
from napari_cellsci.viewer.colors import SELECTED
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.picking import Picker
from napari_cellsci.viewer.track_colors import TrackColors

if TYPE_CHECKING:
    from napari.layers import Labels, Layer, Points
    from napari.viewer import Viewer

    from napari_cellsci.viewer.session import Display, Session, Shown

MARKER_BORDER = 0.16
RING_SIZE = 2.1
RING_BORDER = 0.07
MOST_RINGS = 2_000
"""Of more selected cells only those of the present frame are ringed."""
TAIL_FRAMES = 8
FEW = 100
"""So many markers are repainted one by one, more of them all at once."""
_TEXT = {
    "string": "{score:+.1f}",
    "size": 8,
    "color": "white",
    "anchor": "upper_left",
}
TEXT_OFFSET = 0.6
"""How far beside a marker its number starts (diameters), so that no sign is hidden."""


class Overlay:
    """Draws the session on the viewer; one per session, made by `Session.service`.

    Layers of ours are found by the uuid in their metadata. One the user deletes stays
    away until it is asked for again.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._picker = session.service(Picker)
        self._navigator = session.service(Navigator)
        self._picker.look_up = self.row_at
        self._tracks = TrackColors(session)
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)
        self._painted: painted.PaintedMasks | None = None
        self._objects: tuple[Any, NDArray[np.int64] | None] | None = None
        self._drawn: WeakKeyDictionary[Points, tuple[Any, Any]] = WeakKeyDictionary()
        self._ringed: NDArray[np.int64] | None = None
        self._displayed = session.display
        self._working = self._stale = False
        # The movie follows when the panels have shown what was asked of them; of cells
        # that are run through only the last is ringed.
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.catch_up)
        self.trouble: str | None = None
        session.project_changed.connect(self.rebuild)
        session.movie_changed.connect(self.rebuild)
        session.scores_changed.connect(self._on_scores)
        session.labels_changed.connect(self._on_labels)
        session.classes_changed.connect(self.recolor)
        session.display_changed.connect(self._on_display)
        session.current_changed.connect(self._on_current)
        session.selection_changed.connect(self._on_current)
        self._navigator.frame_changed.connect(self._on_frame)
        viewer = session.viewer
        if viewer is not None:
            viewer.layers.events.removed.connect(self._on_removed)
        self.rebuild()

    def layer(self, role: tags.Role) -> Any:
        """Return our layer with a role for the shown movie, or None."""
        shown, viewer = self._session.shown, self._session.viewer
        if shown is None or viewer is None:
            return None
        return tags.find(viewer, shown.project.path, shown.name, role)

    @property
    def anchor(self) -> Layer | None:
        """The image layer of the shown movie."""
        layer: Layer | None = self.layer("image")
        return layer

    @property
    def has_outlines(self) -> bool:
        """Whether the shown movie has masks that can be outlined."""
        shown = self._session.shown
        return shown is not None and self._masks(shown)[0] is not None

    def row_at(self, t: int, y: float, x: float) -> int | None:
        """Return the cell whose mask lies at a place (px) of a frame of the movie."""
        return None if self._painted is None else self._painted.row_at(t, y, x)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        before, self._working = self._working, True
        try:
            yield
        finally:
            self._working = before

    def rebuild(self) -> None:
        """Show the session's movie with everything the display asks for."""
        shown, viewer = self._session.shown, self._session.viewer
        if viewer is None:
            return
        with self._at_work():
            self._put_away(viewer)
            self._painted = self._objects = self._ringed = None
            self._rows = np.empty(0, np.int64)
            if shown is None:
                return
            self._rows = shown.rows
            self._show_image(viewer, shown)
            self._show_all(viewer, shown)
        self._navigator.sync()
        self.recolor()
        self._stale = False
        self._draw_rings()

    def _put_away(self, viewer: Viewer) -> None:
        """Hide what belongs to other movies (a hidden layer is never removed)."""
        ours = {id(self.layer(role)) for role in tags.ROLES}
        for layer in viewer.layers:
            if tags.movie_of(layer) is not None and id(layer) not in ours:
                layer.visible = False

    def _show_image(self, viewer: Viewer, shown: Shown) -> None:
        self.trouble = None
        if self.anchor is not None:
            self.anchor.visible = True
            return
        try:
            scene.add_movie(viewer, shown.project, shown.name)
        except InputError as error:
            self.trouble = str(error)

    def _show_all(self, viewer: Viewer, shown: Shown) -> None:
        display = self._session.display
        for role, wanted in (
            ("outlines", display.outlines),
            ("tracks", display.tracks),
            ("markers", display.markers),
            ("ring", True),
        ):
            self._show_role(viewer, shown, role, wanted)
        self._raise(viewer)
        for role in ("image", "masks", "tracks", "outlines", "markers"):
            self._picker.attach(self.layer(role))  # type: ignore[arg-type]

    def _show_role(self, viewer: Viewer, shown: Shown, role: str, wanted: bool) -> None:
        layer = self.layer(role)  # type: ignore[arg-type]
        if layer is not None:
            layer.visible = wanted
        elif wanted:
            getattr(self, f"_add_{role}")(viewer, shown)

    def _raise(self, viewer: Viewer) -> None:
        """Put our drawings above the pictures, and make the markers active."""
        for role in ("outlines", "tracks", "markers", "ring"):
            layer = self.layer(role)  # type: ignore[arg-type]
            if layer is not None and viewer.layers[-1] is not layer:
                viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
        markers = self.layer("markers")
        if markers is not None:
            viewer.layers.selection.active = markers

    def _ndim(self) -> int:
        return 3 if self.anchor is None else int(self.anchor.ndim)

    def _tag(self, layer: Layer, shown: Shown, role: tags.Role) -> None:
        tags.tag(layer, shown.project.path, shown.name, role)
        if role != "tracks":
            layer.editable = False

    def _add_markers(self, viewer: Viewer, shown: Shown) -> None:
        ndim = self._ndim()
        layer: Points = viewer.add_points(
            scene.points_of(shown.table, self._rows, ndim),
            ndim=ndim,
            name=_title("cells", shown),
            size=self._session.display.marker_size,
            face_color="transparent",
            border_color="white",
            border_width=MARKER_BORDER,
            blending="translucent_no_depth",
            **scene.placed_on(self.anchor, ndim),
        )
        self._tag(layer, shown, "markers")

    def _add_ring(self, viewer: Viewer, shown: Shown) -> None:
        ndim = self._ndim()
        layer: Points = viewer.add_points(
            np.zeros((0, ndim)),
            ndim=ndim,
            name=_title("selected cell", shown),
            size=self._session.display.marker_size * RING_SIZE,
            face_color="transparent",
            border_color=SELECTED,
            border_width=RING_BORDER,
            blending="translucent_no_depth",
            **scene.placed_on(self.anchor, ndim),
        )
        self._tag(layer, shown, "ring")

    def _add_tracks(self, viewer: Viewer, shown: Shown) -> None:
        ndim = self._ndim()
        if not shown.table.has_times(shown.rows):
            return  # cells that were seen once leave no tracks
        data, graph = self._tracks.data(shown, ndim)
        layer = viewer.add_tracks(
            data,
            graph=graph,
            name=_title("tracks", shown),
            tail_length=TAIL_FRAMES,
            tail_width=2,
            blending="translucent_no_depth",
            opacity=0.8,
            **scene.placed_on(self.anchor, ndim),
        )
        self._tag(layer, shown, "tracks")

    def _add_outlines(self, viewer: Viewer, shown: Shown) -> None:
        masks, ids = self._masks(shown)
        if masks is None:
            return
        ndim = self._ndim()
        frames = painted.frames_of(shown.table, shown.name, masks.shape, ids)
        self._painted = painted.PaintedMasks(masks, frames, ndim)
        layer: Labels = viewer.add_labels(
            self._painted,
            name=_title("outlines", shown),
            multiscale=False,
            opacity=0.9,
            blending="translucent_no_depth",
            **scene.placed_on(self.anchor, ndim),
        )
        self._tag(layer, shown, "outlines")

    def _masks(self, shown: Shown) -> tuple[Any, NDArray[np.int64] | None]:
        """Return the masks of the shown movie and, if known, every row's object."""
        if self._objects is None:
            self._objects = self._find_masks(shown)
        return self._objects

    def _find_masks(self, shown: Shown) -> tuple[Any, NDArray[np.int64] | None]:
        own = self.layer("masks")
        if own is None or is_binary(own.data):  # the project holds them numbered
            masks = shown.project.masks(shown.name)
        else:
            masks = own.data
        if masks is not None and len(masks.shape) == 4:
            masks = adapters.flat(masks)
        if shown.table.label[self._rows].any():
            return masks, shown.table.label
        return masks, shown.table.track if shown.info.masks_tracked else None

    def recolor(self) -> None:
        """Give every layer the colours of the session's display."""
        self._recolor_markers()
        self._tracks.recolor(self.layer("tracks"))
        self._recolor_outlines()

    def _recolor_markers(self) -> None:
        layer: Points | None = self.layer("markers")
        if layer is None or not len(self._rows):
            return
        session, rows = self._session, self._rows
        signs, faces = painted.symbols(session)[rows], painted.fill(session)[rows]
        known = self._drawn.get(layer, (None, None))
        with self._at_work():
            # Reading these back from the layer would cost more than setting them.
            if not np.array_equal(signs, known[0]):
                layer.symbol = signs
            if not np.array_equal(faces, known[1]):
                layer.face_color = faces
            layer.border_color = painted.paint(session, rows)
            self._write_text(layer)
        self._drawn[layer] = (signs, faces)

    def _write_text(self, layer: Points) -> None:
        session = self._session
        wanted = session.display.text and session.scores is not None
        if wanted and session.scores is not None:
            layer.features = {"score": np.nan_to_num(session.scores.score[self._rows])}
            beside = np.zeros(layer.ndim)
            beside[-1] = TEXT_OFFSET * session.display.marker_size
            if layer.text.values.size == 0 or not layer.text.visible:
                layer.text = {**_TEXT, "visible": True, "translation": beside}
            elif not np.array_equal(layer.text.translation, beside):
                layer.text.translation = beside
        elif layer.text.visible:
            layer.text.visible = False

    def _recolor_outlines(self) -> None:
        layer: Labels | None = self.layer("outlines")
        if layer is None or self._painted is None:
            return
        from napari.utils.colormaps import CyclicLabelColormap

        by_row, colors = painted.bins(self._session)
        self._painted.paint(by_row)
        colors[0] = 0
        # 255 colours for 8-bit labels: a direct colormap would compile for seconds.
        layer.colormap = CyclicLabelColormap(colors=colors, background_value=0)
        layer.refresh(extent=False, thumbnail=False)

    def _on_scores(self) -> None:
        self.recolor()

    def _repaint_markers(self, rows: NDArray[np.int64]) -> None:
        """Give the markers of a few cells their colours; the others are as they were.

        Setting the arrays anew would have napari check and copy those of all cells.
        """
        layer: Points | None = self.layer("markers")
        if layer is None or layer not in self._drawn:
            return
        places = np.searchsorted(self._rows, rows)
        inside = places < len(self._rows)
        inside[inside] = self._rows[places[inside]] == rows[inside]
        places, rows = places[inside], rows[inside]
        if not len(places):
            return
        signs = painted.symbols(self._session, rows)
        faces = painted.fill(self._session, rows)
        symbol = type(layer.symbol[0])
        with self._at_work():
            layer.symbol[places] = [symbol(sign) for sign in signs]
            layer.face_color[places] = faces
            layer.border_color[places] = painted.paint(self._session, rows)
        known = self._drawn[layer]
        known[0][places], known[1][places] = signs, faces
        self._stale = True
        self._soon.start()

    def _on_labels(self, rows: NDArray[np.int64]) -> None:
        if len(rows) <= FEW:
            self._repaint_markers(rows)
        else:
            self._recolor_markers()
        if self._session.display.color_by == "label":
            self._tracks.recolor(self.layer("tracks"))
            self._recolor_outlines()

    def _on_display(self) -> None:
        viewer, shown = self._session.viewer, self._session.shown
        before, now = self._displayed, self._session.display
        self._displayed = now
        if viewer is None or shown is None or self._working:
            return
        with self._at_work():
            if _visible(before) != _visible(now):
                self._show_all(viewer, shown)
            if before.marker_size != now.marker_size:
                self._resize(now.marker_size)
        self.recolor()

    def _resize(self, size: float) -> None:
        for role, factor in (("markers", 1.0), ("ring", RING_SIZE)):
            layer = self.layer(role)  # type: ignore[arg-type]
            if layer is not None:
                layer.current_size = size * factor
                if len(layer.data):
                    layer.size = size * factor

    def _on_current(self) -> None:
        self._soon.start()

    def _on_frame(self) -> None:
        self._stale = False  # napari has drawn, or is about to draw, every layer anew
        self._soon.start()

    def catch_up(self) -> None:
        """Show now what else is shown in the next turn of the event loop.

        That is the frame of the cell gone to, rings, and markers of new labels.
        """
        self._navigator.arrive()
        self._soon.stop()
        layer = self.layer("markers")
        if self._stale and layer is not None:
            layer.refresh(extent=False, thumbnail=False)
        self._stale = False
        self._draw_rings()

    def _draw_rings(self) -> None:
        """Ring the current cell's track, and every selected cell."""
        layer: Points | None = self.layer("ring")
        session, shown = self._session, self._session.shown
        if layer is None or shown is None:
            return
        table, rows = shown.table, session.selected
        if session.current is not None:
            rows = np.union1d(rows, table.rows_of_track(session.current))
        rows = rows[table.movie[rows] == table.code(shown.name)]
        if len(rows) > MOST_RINGS:
            rows = rows[table.t[rows] == self._navigator.frame]
        if np.array_equal(rows, self._ringed):
            return  # another frame of the same track
        self._ringed = rows
        # No ring lies outside of the markers: nobody has to measure all layers again.
        with self._at_work(), layer.events.data.blocker():
            layer.data = scene.points_of(table, rows, layer.ndim)

    def _on_removed(self, event: Any) -> None:
        role = tags.role_of(event.value)
        if self._working or role not in ("markers", "tracks", "outlines"):
            return
        if role == "outlines":
            self._painted = None
        with self._at_work():
            self._session.show(**{role: False})


def _title(what: str, shown: Shown) -> str:
    many = len(shown.table.movies) > 1
    return f"{what} of {shown.name}" if many else what


def _visible(display: Display) -> tuple[bool, ...]:
    return display.markers, display.tracks, display.outlines
