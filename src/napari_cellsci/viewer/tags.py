"""Layers of ours are known by a uuid in their metadata, never by their name."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from napari.layers import Layer

Role: TypeAlias = Literal[
    "image", "tracks", "masks", "markers", "outlines", "labels", "ring"
]
ROLES: tuple[Role, ...] = get_args(Role)
KEY = "napari_cellsci"


def uid(project: object, movie: str, role: Role) -> str:
    """Return the uuid of the layer with a role for one movie of a project.

    Parameters
    ----------
    project : path
        Folder of the project.
    movie : str
    role : str
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cellsci:{project}#{movie}#{role}"))


def tag(layer: Layer, project: object, movie: str, role: Role) -> None:
    """Mark a layer; other metadata stay."""
    mine: dict[str, Any] = {"uuid": uid(project, movie, role), "role": role}
    layer.metadata = {**layer.metadata, KEY: {**mine, "movie": movie}}


def find(viewer: Any, project: object, movie: str, role: Role) -> Layer | None:
    """Return the first layer so marked, or None."""
    wanted = uid(project, movie, role)
    for layer in viewer.layers:
        if layer.metadata.get(KEY, {}).get("uuid") == wanted:
            return layer
    return None


def is_layer_of(layer: Layer, project: object, movie: str) -> bool:
    """Say whether a layer shows something of a movie of a project."""
    known = layer.metadata.get(KEY, {}).get("uuid")
    return known in {uid(project, movie, role) for role in ROLES}


def movie_of(layer: Layer) -> str | None:
    """Return the movie a layer belongs to, None if it is not ours."""
    name = layer.metadata.get(KEY, {}).get("movie")
    return None if name is None else str(name)


def role_of(layer: Layer) -> Role | None:
    """Return the role of a layer, None if it is not ours."""
    role: Role | None = layer.metadata.get(KEY, {}).get("role")
    return role
