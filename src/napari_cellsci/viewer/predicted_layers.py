"""What a channel of the selected cell should look like, and what is left, as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.tags import KEY

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_cellsci.project.channel_prediction import ChannelPrediction
    from napari_cellsci.viewer.session import Session

PARTS = ("seen", "predicted", "residual")
HIGH_PART = 0.3
"""Height of a picture as a part of the movie's."""
_ROLE = "channel "


def show_predicted(
    session: Session, row: int, name: str | None = None
) -> tuple[Image, ...]:
    """Show a cell's channel, what is predicted of it, and the residual, by the movie.

    The layers of the cell shown before are filled anew.

    Parameters
    ----------
    session : Session
    row : int
        The cell.
    name : str, optional
        Of the channel model; by default the newest.

    Raises
    ------
    InputError
        If no channel was predicted yet.
    """
    viewer, project = session.viewer, session.project
    if viewer is None or project is None:
        return ()
    found = project.channel_prediction(name)
    predicted, seen = (part[0] for part in project.predicted_pictures(found, [row]))
    pictures = (seen, predicted, seen - predicted)
    titles = _titles(found)
    return tuple(
        _put(session, viewer, PARTS[place], titles[place], picture, place)
        for place, picture in enumerate(pictures)
    )


def _titles(found: ChannelPrediction) -> tuple[str, ...]:
    of, to = found.model.source, found.model.target
    return (
        f"channel {to} of the cell",
        f"channel {to} predicted from {of}",
        f"channel {to}, residual",
    )


def _put(
    session: Session,
    viewer: Any,
    part: str,
    title: str,
    picture: NDArray[np.float32],
    place: int,
) -> Image:
    limits = _limits(part, picture)
    for layer in viewer.layers:
        if layer.metadata.get(KEY, {}).get("role") == _ROLE + part:
            layer.data, layer.name, layer.contrast_limits = picture, title, limits
            return layer
    layer = viewer.add_image(
        picture,
        name=title,
        contrast_limits=limits,
        colormap="twilight_shifted" if part == "residual" else "gray",
        interpolation2d="nearest",
        metadata={KEY: {"role": _ROLE + part}},
        **_where(session, picture.shape[-1], place),
    )
    return layer


def _limits(part: str, picture: NDArray[np.float32]) -> tuple[float, float]:
    if part == "residual":  # 0 is the middle of its colours
        most = max(float(np.abs(picture).max()), 1e-6)
        return -most, most
    low, high = float(picture.min()), float(picture.max())
    return low, high if high > low else low + 1e-6


def _where(session: Session, size: int, place: int) -> dict[str, Any]:
    """Return where a picture stands: one below the other, to the right of the movie."""
    anchor = session.service(Navigator).anchor()
    if anchor is None:
        return {"translate": (place * size * 1.05, 0)}
    height, width = (int(n) for n in anchor.data.shape[-2:])
    edge = height * HIGH_PART / size
    scale = np.asarray(anchor.scale, float)[-2:]
    corner = np.array([place * size * edge * 1.05, width * 1.03]) * scale
    return {
        "scale": scale * edge,
        "translate": np.asarray(anchor.translate, float)[-2:] + corner,
        "units": anchor.units[-2:],
    }
