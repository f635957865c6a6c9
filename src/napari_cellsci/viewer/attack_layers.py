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
"""Crop layers by key, with what they are called; two columns beside the movie."""
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
        return any(key in CROPS for key in self.keys)

    @property
    def shows_movie(self) -> bool:
        """Whether the attacked movie is shown."""
        return any(key.startswith("movie") for key in self.keys)

    def show_crops(self, pictures: Mapping[str, NDArray[np.float32] | None]) -> None:
        """Show crop-sized pictures (S, S) beside the movie, or update those there.

        Parameters
        ----------
        pictures : dict of str to array
            By the keys of `CROPS`; None is left out.
        """
        shown = {key: one for key, one in pictures.items() if one is not None}
        new = not self.shows_crops
        for key in CROPS:
            layer = self._find(key)
            if key not in shown:
                self._drop(layer)
            elif layer is not None and layer.data.shape == shown[key].shape:
                layer.data = shown[key]
            else:
                self._drop(layer)
                self._add_crop(key, shown[key], shown)
        if "difference" in shown:
            most = max(float(np.abs(shown["difference"]).max()), 1e-6)
            layer = self._find("difference")
            low, high = layer.contrast_limits_range
            if -most < low or most > high:
                layer.contrast_limits_range = (min(low, -most), max(high, most))
            layer.contrast_limits = (-most, most)
        if new and shown and self._session.viewer is not None:
            self._session.viewer.reset_view()  # they lie where nobody looked before

    def _add_crop(
        self,
        key: str,
        picture: NDArray[np.float32],
        shown: Mapping[str, NDArray[np.float32]],
    ) -> None:
        options: dict[str, Any] = {"colormap": "gray"}
        if key == "difference":
            options = {"colormap": DIVERGING, "contrast_limits": (-1.0, 1.0)}
        else:
            options["contrast_limits"] = contrast_of(shown.get("original", picture))
        self._add(key, CROPS[key], picture, {**options, **self._beside(key, picture)})

    def _beside(self, key: str, picture: NDArray[np.float32]) -> dict[str, Any]:
        """Return where a crop layer lies, right of the movie."""
        anchor = self._session.service(Navigator).anchor()
        row, column = _PLACES[key]
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
        """Take everything away."""
        self._remove(self.keys)
        self._stacks.clear()

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._drop(self._find(key))
