"""A strip as a layer of the movie's viewer, with a slider for the latent's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels.latents.service import Code
from napari_cellsci.representation.traversals import traverse
from napari_cellsci.viewer.navigation import Navigator

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

STEPS = 25
"""Pictures of the layer: fine enough for a slider."""
HIGH_PART = 0.35
"""Height of the picture as a part of the movie's."""
AXIS = "latent"


def add_strip(
    session: Session,
    code: Code,
    latent: int,
    anchor: NDArray[np.float32] | None,
    channel: int | None = None,
) -> Any:
    """Add a strip to the viewer, to the right of the movie; return its layer.

    The layer has one more axis than the movie, the latent's value over its reach, and
    is there at every frame.

    Parameters
    ----------
    session : Session
    code : Code
    latent : int
    anchor : array (D,), optional
        Latents to start from; zero by default.
    channel : int, optional
        One channel; by default the first, others as layers of their own.
    """
    viewer = session.viewer
    if viewer is None:
        return None
    pictures = traverse(code.encoder, latent, anchor=anchor, steps=STEPS)
    channels = range(pictures.shape[1]) if channel is None else [channel]
    layers = [
        _add(session, code, latent, pictures[:, c], place, len(channels))
        for place, c in enumerate(channels)
    ]
    viewer.layers.selection.active = layers[0]
    return layers[0]


def _add(
    session: Session,
    code: Code,
    latent: int,
    pictures: NDArray[np.float32],
    place: int,
    of: int,
) -> Any:
    viewer: Any = session.viewer
    anchor = session.service(Navigator).anchor()
    reach = code.encoder.reach
    step = 2 * reach / (STEPS - 1)
    size = pictures.shape[-1]
    name = code.label(latent)
    name = name if of == 1 else f"{name} channel {place}"
    if anchor is None:
        return viewer.add_image(
            pictures, name=name, scale=(step, 1, 1), translate=(-reach, 0, 0)
        )
    ndim = anchor.ndim
    shape = [int(n) for n in anchor.data.shape[-ndim:]]
    edge = shape[-2] * HIGH_PART / size
    between = pictures.reshape(STEPS, *(1,) * (ndim - 2), size, size)
    stack = np.broadcast_to(between, (STEPS, *shape[:-2], size, size))
    beside = np.zeros(ndim)
    beside[-1] = shape[-1] * 1.03
    beside[-2] = place * size * edge * 1.05
    scale = np.asarray(anchor.scale, float).copy()
    translate = np.asarray(anchor.translate, float) + beside * scale
    scale[-2:] *= edge
    return viewer.add_image(
        stack,
        name=name,
        scale=(step, *scale),
        translate=(-reach, *translate),
        units=("pixel", *anchor.units),
        axis_labels=(AXIS, *anchor.axis_labels),
        multiscale=False,
    )
