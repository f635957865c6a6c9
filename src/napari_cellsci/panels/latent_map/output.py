"""What leaves the map: a table, a figure, and the lines of Python that make it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.panels.latent_map.axes import SCORE, is_umap, latent_of
from napari_cellsci.panels.latent_map.marks import marks_of
from napari_cellsci.panels.latents.code import opening_lines
from napari_cellsci.viewer import map_colors
from napari_cellsci.viewer.colors import NEUTRAL

PCA_ROOM = "napari_cellsci.representation.embedding"

if TYPE_CHECKING:
    from napari_cellsci.figures.latent_map import DensityFigure, MapFigure
    from napari_cellsci.panels.latent_map.guests import Guests
    from napari_cellsci.panels.latent_map.service import MapService
    from napari_cellsci.panels.latents.service import Code
    from napari_cellsci.viewer.session import Session


def save_table(
    session: Session,
    service: MapService,
    xy: NDArray[np.float32],
    path: str,
    titles: tuple[str, str],
) -> None:
    """Write movie, track, time and place in the map of every cell as CSV.

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    import pandas as pd

    table = session.table
    if table is None:
        return
    first, second = titles
    second = second if second != first else f"{second} (y)"
    selected = np.zeros(session.n_cells, bool)
    selected[session.selected] = True
    columns = {
        "movie": np.asarray(table.movies, object)[table.movie],
        "track_id": table.track,
        "t": table.t,
        first: xy[:, 0],
        second: xy[:, 1],
        "label": _names(session, session.label_codes()),
    }
    if session.scores is not None:
        columns["prediction"] = _names(session, session.predicted_codes())
        columns["score"] = session.scores.score
    columns["selected"] = selected
    with whole_file(Path(path)) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False, float_format="%.6g")


def _names(session: Session, codes: NDArray[np.int64]) -> NDArray[np.object_]:
    names = np.array([*session.palette, ""], object)
    return names[np.where(codes < 0, len(names) - 1, codes)]


def save_figure(
    session: Session,
    service: MapService,
    code: Code,
    xy: NDArray[np.float32],
    path: str,
    titles: tuple[str, str],
    guests: Guests | None = None,
) -> None:
    """Write the map, and the classes along the latents once they were compared.

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    from napari_cellsci.figures.latent_map import save_map

    shown = _map_figure(session, service, xy, titles)
    if guests is not None:
        shown = replace(shown, guests=guests.xy, guest_names=guests.names)
    save_map(Path(path), shown, _density_figure(service, code))


def _map_figure(
    session: Session,
    service: MapService,
    xy: NDArray[np.float32],
    titles: tuple[str, str],
) -> MapFigure:
    from napari_cellsci.figures.latent_map import MapFigure

    by = map_colors.usable(session, service.choice.color)
    colors = map_colors.colors(session, by)
    marks = marks_of(session, by, xy, colors)
    palette = session.palette if by != "movie" else map_colors.movie_palette(session)
    key = [] if by in ("score", "time", "track") else list(palette.items())
    scale = None
    if by == "score":
        limit, ends = session.scale.limit, session.scale
        scale = (-limit, limit, [ends.negative, NEUTRAL, ends.positive], "score")
    elif by == "time" and session.table is not None:
        clock = session.clock()
        last = float(session.table.t.max(initial=0)) * clock.per_frame
        scale = (0.0, last, list(map_colors.VIRIDIS), f"time ({clock.unit})")
    track = None
    if session.current is not None and session.table is not None:
        track = xy[session.table.rows_of_track(session.current)]
    return MapFigure(xy, colors, marks.rows, titles, key, scale, track)


def _density_figure(service: MapService, code: Code) -> DensityFigure | None:
    from napari_cellsci.figures.latent_map import DensityFigure

    found = service.statistics
    if found is None or (found.densities.counts > 1).sum() < 2:
        return None
    return DensityFigure(
        [code.label(index) for index in range(code.size)],
        found.densities,
        found.separation,
        found.classes.names,
        found.classes.colors,
    )


def python_code(session: Session, code: Code, axes: tuple[str, str]) -> str:
    """Return the lines that make the coordinates of the map."""
    lines, imports = opening_lines(session, code), []
    for name, key in zip("xy", axes, strict=True):
        latent = latent_of(key)
        if latent is not None:
            lines.append(f"    {name} = z[:, {latent}]  # {code.label(latent)}")
        elif is_umap(key):
            lines.append(f"    {name} = project.umap(encoder)[:, {key[-1]}]")
        elif key == SCORE:
            lines.append(f"    {name} = project.score().table['score']")
        else:
            imports = [f"from {PCA_ROOM} import principal_components"]
            number = key.removeprefix("pc")
            made = "principal_components(z).project(z)"
            lines.append(f"    {name} = {made}[:, {number}]")
    return "\n".join([*imports, *lines]) + "\n"
