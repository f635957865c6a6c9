"""Attacked cells as layers: updated in place, taken away together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.viewer import tags
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.scene import contrast_of, placed_on

if TYPE_CHECKING:
    from napari_cellsci.project.attacked_movie import AttackedMovie
    from napari_cellsci.viewer.session import Session

ROLE = "attack"
CROP_HEIGHT = 0.31
"""Height of a crop layer as a part of the movie's: three fit beside it."""
GAP = 1.04
DIVERGING = "PiYG"
CROPS = {
    "original": "original",
    "attacked": "attacked",
    "difference": "difference",
    "drawn_before": "reconstruction",
    "drawn_after": "reconstruction, attacked",
}
"""Crop layers by key, with what they are called; those of further channels have their
number behind it. Two columns beside the movie for every channel."""
_PLACES = {
    "original": (0, 0),
    "attacked": (1, 0),
    "difference": (2, 0),
    "drawn_before": (0, 1),
    "drawn_after": (1, 1),
}


class AttackedStack:
    """The frames of an attacked movie, made where they are looked at.

    Parameters
    ----------
    shown : AttackedMovie
    channel : int
    ndim : int
        3 for (t, y, x); each further axis gets a single slot after t.
    difference : bool
        Whether to give what was added, instead of the attacked movie.
    """

    def __init__(
        self, shown: AttackedMovie, channel: int, ndim: int, difference: bool
    ) -> None:
        self._shown, self._channel, self._difference = shown, channel, difference
        frames, _, height, width = shown.shape
        self.shape = (frames, *[1] * (ndim - 3), height, width)
        self.dtype = np.dtype(np.float32)
        self.factor = 1.0

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def plane(self, t: int) -> NDArray[np.float32]:
        """Return one frame (Y, X)."""
        make = self._shown.difference if self._difference else self._shown.frame
        return make(t, self.factor)[self._channel]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        keys = key if isinstance(key, tuple) else (key,)
        first, rest = keys[0], keys[1:]
        if first is Ellipsis:
            first, rest = slice(None), ()
        times = np.arange(len(self))[first]
        between = (1,) * (self.ndim - 3)
        if np.ndim(times) == 0:
            picture = self.plane(int(times)).reshape(*between, *self.shape[-2:])
            return picture[rest] if rest else picture
        stack = np.stack([self.plane(int(t)) for t in times])
        stack = stack.reshape(len(times), *between, *self.shape[-2:])
        return stack[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype)


class AttackLayers:
    """Shows an attack in the viewer of a session; made by `Session.service`.

    A layer the user deletes is made anew when it is shown again.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stacks: list[AttackedStack] = []
        self._looked: tuple[Any, float] | None = None
        session.project_changed.connect(self.remove)

    def _find(self, key: str) -> Any:
        viewer = self._session.viewer
        for layer in () if viewer is None else viewer.layers:
            mine = layer.metadata.get(tags.KEY, {})
            if mine.get("role") == ROLE and mine.get("key") == key:
                return layer
        return None

    @property
    def keys(self) -> list[str]:
        """What is shown, by key."""
        viewer = self._session.viewer
        layers = () if viewer is None else viewer.layers
        return [
            str(layer.metadata[tags.KEY]["key"])
            for layer in layers
            if layer.metadata.get(tags.KEY, {}).get("role") == ROLE
        ]

    @property
    def shows_crops(self) -> bool:
        """Whether crops are shown beside the movie."""
        return any(key.split()[0] in CROPS for key in self.keys)

    @property
    def shows_movie(self) -> bool:
        """Whether the attacked movie is shown."""
        return any(key.startswith("movie") for key in self.keys)

    def show_crops(self, pictures: Mapping[str, NDArray[np.float32] | None]) -> None:
        """Show crop-sized pictures beside the movie, or update those there.

        Parameters
        ----------
        pictures : dict of str to array (C, S, S)
            By the keys of `CROPS`; None is left out. Every channel is a layer.
        """
        shown = {
            key if channel == 0 else f"{key} {channel}": plane
            for key, picture in pictures.items()
            if picture is not None
            for channel, plane in enumerate(picture)
        }
        first = not self.shows_crops
        for key in self.keys:
            if key.split()[0] in CROPS and key not in shown:
                self._drop(self._find(key))
        for key, plane in shown.items():
            layer = self._find(key)
            if layer is not None and layer.data.shape == plane.shape:
                layer.data = plane
            else:
                self._drop(layer)
                self._add_crop(key, shown)
            if key.startswith("difference"):
                self._widen(self._find(key), plane)
        if first and shown:
            self._look_at_all()

    @staticmethod
    def _widen(layer: Any, change: NDArray[np.float32]) -> None:
        """Let a difference be drawn symmetrically up to its largest value."""
        if layer is None:
            return
        most = max(float(np.abs(change).max()), 1e-6)
        low, high = layer.contrast_limits_range
        if -most < low or most > high:
            layer.contrast_limits_range = (min(low, -most), max(high, most))
        layer.contrast_limits = (-most, most)

    def _look_at_all(self) -> None:
        """Show movie and crops: these lie where nobody looked before."""
        viewer = self._session.viewer
        if viewer is None:
            return
        camera = viewer.scene.camera
        self._looked = tuple(camera.center), float(camera.zoom)
        viewer.reset_view()

    def _look_back(self) -> None:
        """Show what was looked at before there were crops."""
        viewer = self._session.viewer
        if viewer is not None and self._looked is not None:
            camera = viewer.scene.camera
            camera.center, camera.zoom = self._looked
        self._looked = None

    def _add_crop(self, key: str, shown: Mapping[str, NDArray[np.float32]]) -> None:
        kind, _, number = key.partition(" ")
        channel = int(number or 0)
        name = CROPS[kind] + (f", channel {channel}" if self._several(shown) else "")
        options: dict[str, Any] = {"colormap": "gray"}
        if kind == "difference":
            options = {"colormap": DIVERGING, "contrast_limits": (-1.0, 1.0)}
        else:
            like = shown.get(f"original {channel}" if channel else "original")
            plane = shown[key] if like is None else like
            options["contrast_limits"] = contrast_of(plane)
        row, column = _PLACES[kind]
        columns = 2 if "drawn_before" in shown else 1
        place = self._beside(shown[key], row, column + channel * columns)
        self._add(key, name, shown[key], {**options, **place})

    @staticmethod
    def _several(shown: Mapping[str, Any]) -> bool:
        return any(" " in key for key in shown)

    def _beside(
        self, picture: NDArray[np.float32], row: int, column: int
    ) -> dict[str, Any]:
        """Return where a crop layer lies, right of the movie."""
        anchor = self._session.service(Navigator).anchor()
        size = picture.shape[-1]
        if anchor is None:
            return {"translate": (row * size * GAP, column * size * GAP)}
        height, width = (int(n) for n in anchor.data.shape[-2:])
        factor = height * CROP_HEIGHT / size
        scale = np.asarray(anchor.scale, float)[-2:]
        start = np.asarray(anchor.translate, float)[-2:]
        edge = size * factor * GAP
        place = np.array([row * edge, width * 1.03 + column * edge])
        return {
            "scale": scale * factor,
            "translate": start + place * scale,
            "units": tuple(anchor.units)[-2:],
            "axis_labels": tuple(anchor.axis_labels)[-2:],
        }

    def show_movie(self, shown: AttackedMovie) -> None:
        """Show an attacked movie and what was added to it, on top of the original."""
        self.remove_movie()
        anchor = self._session.service(Navigator).anchor()
        ndim = 3 if anchor is None else int(anchor.ndim)
        first = int(shown.frames[0])
        for difference, words in ((False, "attacked"), (True, "difference")):
            for channel in range(shown.shape[1]):
                stack = AttackedStack(shown, channel, ndim, difference)
                self._stacks.append(stack)
                plane = stack.plane(first)
                many = shown.shape[1] > 1
                name = f"{words}: {shown.name}" + (f" {channel}" if many else "")
                options: dict[str, Any] = {"colormap": "gray"}
                if difference:
                    most = max(float(np.abs(plane).max()), 1e-6)
                    options = {
                        "colormap": DIVERGING,
                        "contrast_limits": (-most, most),
                        "visible": False,
                    }
                else:
                    options["contrast_limits"] = contrast_of(plane)
                    if anchor is not None and channel == 0:
                        options["contrast_limits"] = tuple(anchor.contrast_limits)
                key = f"movie {words} {channel}"
                place = placed_on(anchor, ndim)
                self._add(
                    key,
                    name,
                    stack,
                    {**options, **place, "multiscale": False},
                    below=True,
                )

    def scale_movie(self, factor: float) -> None:
        """Let the perturbations in the movie be `factor` times as large."""
        for stack in self._stacks:
            stack.factor = factor
        for key in self.keys:
            if key.startswith("movie"):
                self._find(key).refresh(extent=False, thumbnail=False)

    def _add(
        self,
        key: str,
        name: str,
        data: Any,
        options: Mapping[str, Any],
        below: bool = False,
    ) -> None:
        viewer = self._session.viewer
        if viewer is None:
            return
        active = viewer.layers.selection.active
        layer = viewer.add_image(data, name=name, **options)
        layer.metadata = {**layer.metadata, tags.KEY: {"role": ROLE, "key": key}}
        anchor = self._session.service(Navigator).anchor()
        if below and anchor in viewer.layers:
            # Right above the movie, so that markers and rings stay on top.
            viewer.layers.move(len(viewer.layers) - 1, viewer.layers.index(anchor) + 1)
        if active in viewer.layers:
            viewer.layers.selection.active = active

    def _drop(self, layer: Any) -> None:
        viewer = self._session.viewer
        if layer is not None and viewer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)

    def remove_movie(self) -> None:
        """Take the attacked movie away."""
        self._remove([key for key in self.keys if key.startswith("movie")])
        self._stacks.clear()

    def remove(self) -> None:
        """Take everything away, and look where one looked before."""
        self._remove(self.keys)
        self._look_back()
        self._stacks.clear()

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._drop(self._find(key))
