"""Puts lineage, motion, looks and camera together into a movie with known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_cellsci.cells.simulator.blobs import Blobs
from napari_cellsci.cells.simulator.camera import expose, illumination, through_optics
from napari_cellsci.cells.simulator.config import SimulationConfig
from napari_cellsci.cells.simulator.debris import make_debris
from napari_cellsci.cells.simulator.lineage import (
    INTERPHASE,
    JUNK,
    METAPHASE,
    PROMETAPHASE,
    STAGES,
    Lineage,
    grow_lineage,
)
from napari_cellsci.cells.simulator.motion import move
from napari_cellsci.cells.simulator.movie import SimulatedMovie
from napari_cellsci.cells.simulator.nuclei import describe_nuclei, place
from napari_cellsci.cells.simulator.render import Canvas, draw
from napari_cellsci.cells.simulator.texture import Textures, make_textures
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

_COLUMNS = (
    *("track_id", "t", "class", "y", "x", "area", "aspect", "angle"),
    *("offset_y", "offset_x", "neighbours", "brightness", "age", "cycle", "visible"),
)
_HALO = 1.35  # radius of a rounded-up mitotic cell, in radii of its nucleus


def simulate(
    config: SimulationConfig | None = None,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> SimulatedMovie:
    """Simulate a movie of dividing nuclei, with tracks, labels and truth.

    Parameters
    ----------
    config : SimulationConfig, optional
        The knobs; the default makes the sample movie.
    on_event : callable
        Hears one `Progress` per frame.
    token : CancelToken, optional
        Stops between frames.

    Raises
    ------
    Cancelled
        If `token` was cancelled.
    """
    config = SimulationConfig() if config is None else config
    lineage = grow_lineage(config)
    nuclei = describe_nuclei(lineage, config)
    yx = move(lineage, nuclei.radius, nuclei.blobs.angle, config, token)
    truth = _table(lineage, config)
    blobs = _everything(place(nuclei, lineage, yx, config.radius_px), lineage, config)
    image, labels, shapes = _film(blobs, truth, config, on_event, token)
    truth = truth.assign(**shapes)
    truth["visible"] = _visible(truth, labels)
    tracks = _track(truth, config)
    truth["offset_y"], truth["offset_x"] = tracks.y - truth.y, tracks.x - truth.x
    truth["neighbours"] = count_neighbours(tracks, truth, config.window_px)
    parents = np.concatenate([[0], lineage.parent, np.zeros(_n_junk(config), np.int64)])
    tracks["parent"] = parents[tracks.track_id]
    return SimulatedMovie(
        image, labels, tracks, lineage.graph(), truth[list(_COLUMNS)], config
    )


def _n_junk(config: SimulationConfig) -> int:
    return round(config.junk * config.cells)


def _table(lineage: Lineage, config: SimulationConfig) -> pd.DataFrame:
    """Rows of the truth that the lineage decides, then those of tracked junk."""
    inside = lineage.stage == INTERPHASE
    cells = pd.DataFrame(
        {
            "track_id": lineage.track,
            "t": lineage.t,
            "stage": lineage.stage,
            "age": lineage.age,
            "cycle": np.where(inside, lineage.progress, np.nan),
        }
    )
    frames, n = np.arange(config.frames), _n_junk(config)
    junk = pd.DataFrame(
        {
            "track_id": np.repeat(np.arange(n) + lineage.n_tracks + 1, config.frames),
            "t": np.tile(frames, n),
            "stage": JUNK,
            "age": np.tile(frames, n),
            "cycle": np.nan,
        }
    )
    table = pd.concat([cells, junk], ignore_index=True) if n else cells
    table["class"] = np.array(STAGES, dtype=object)[table.pop("stage")]
    return table


def _everything(nuclei: Blobs, lineage: Lineage, config: SimulationConfig) -> Blobs:
    """Nuclei, the glow of mitotic cells, debris and tracked junk."""
    rng = config.rng("debris")
    rows = np.flatnonzero(np.isin(lineage.stage[nuclei.row], (PROMETAPHASE, METAPHASE)))
    room = np.pi * (_HALO * config.radius_px) ** 2
    halo = nuclei.take(rows)
    flat = np.zeros(len(rows))
    own = halo.light / np.maximum(halo.light.mean(), 1e-9) if len(rows) else flat
    halo = halo.take(
        np.arange(len(rows)),
        row=flat.astype(np.int64) - 1,
        area=flat + room,
        ratio=flat + 1.05,
        bend=flat,
        light=config.haze * own,
        strands=flat,
        hole=flat,
        flatness=flat + 2,
    )
    halo.waves[:] *= 0.5
    debris = make_debris(rng, int(rng.poisson(config.debris)), config)
    junk = make_debris(
        config.rng("junk"), _n_junk(config), config, first_row=len(lineage.t)
    )
    parts = [nuclei, halo if config.haze else None, debris, junk]
    return Blobs.joined([part for part in parts if part is not None])


def _film(
    blobs: Blobs,
    truth: pd.DataFrame,
    config: SimulationConfig,
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Draw and expose every frame; also the moments of every row's outline."""
    shape = (config.frames, config.size, config.size)
    track = truth.track_id.to_numpy()
    image = np.empty(shape, np.uint16)
    labels = np.empty(shape, np.uint16 if track.max() < 2**16 else np.uint32)
    shapes = {
        name: np.empty(len(truth))
        for name in ("area", "y", "x", "aspect", "angle", "brightness")
    }
    textures = make_textures(config.rng("texture"), config.texture_scale)
    field = illumination(config.rng("field"), config.size, config.unevenness)
    camera = config.rng("camera")
    order = np.argsort(blobs.t, kind="stable")
    bounds = np.searchsorted(blobs.t[order], np.arange(config.frames + 1))
    for t in range(config.frames):
        if token is not None:
            token.raise_if_cancelled()
        now = blobs.take(order[bounds[t] : bounds[t + 1]])
        canvas = Canvas.blank(config.size)
        _draw_frame(canvas, now, track, textures, config, shapes)
        light = through_optics(canvas.sharp, canvas.soft, config)
        image[t] = expose(light, field, config, camera)
        labels[t] = canvas.labels
        on_event(Progress("Simulating", t + 1, config.frames))
    return image, labels, shapes


def _draw_frame(
    canvas: Canvas,
    blobs: Blobs,
    track: np.ndarray,
    textures: Textures,
    config: SimulationConfig,
    shapes: dict[str, np.ndarray],
) -> None:
    ids = np.where(blobs.row >= 0, track[blobs.row], 0)
    moments = draw(canvas, blobs, ids, textures, config.pixel_size)
    tracked = np.flatnonzero(blobs.row >= 0)
    rows, group = np.unique(blobs.row[tracked], return_inverse=True)
    whole = moments.take(tracked).grouped(group, len(rows))
    shapes["area"][rows], shapes["y"][rows], shapes["x"][rows] = (
        whole.area,
        whole.y,
        whole.x,
    )
    shapes["aspect"][rows], shapes["angle"][rows] = whole.axes()
    light = np.bincount(group, blobs.light[tracked] * blobs.area[tracked])
    shapes["brightness"][rows] = light / np.bincount(group, blobs.area[tracked])


def _visible(truth: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    seen = np.empty(len(truth))
    track, time = truth.track_id.to_numpy(), truth.t.to_numpy()
    for t, frame in enumerate(labels):
        rows = np.flatnonzero(time == t)
        counts = np.bincount(frame.ravel(), minlength=int(track.max()) + 1)
        seen[rows] = counts[track[rows]]
    return np.asarray(seen / truth.area.to_numpy())


def _track(truth: pd.DataFrame, config: SimulationConfig) -> pd.DataFrame:
    """Track table: the true centroids, mislocalised, kept inside the frame."""
    error = config.rng("tracks").normal(0, config.localisation_error, (len(truth), 2))
    found = np.clip(truth[["y", "x"]].to_numpy() + error, 0, config.size - 1)
    return truth[["track_id", "t"]].assign(y=found[:, 0], x=found[:, 1])


def count_neighbours(
    tracks: pd.DataFrame, truth: pd.DataFrame, window: float
) -> np.ndarray:
    """Count other nuclei with their true centroid in each cell's crop window (px)."""
    from scipy.spatial import cKDTree

    count = np.zeros(len(truth), np.int64)
    nucleus = (truth["class"] != "junk").to_numpy()
    true, found = truth[["y", "x"]].to_numpy(), tracks[["y", "x"]].to_numpy()
    for rows in truth.groupby("t").indices.values():
        tree = cKDTree(true[rows][nucleus[rows]])
        count[rows] = tree.query_ball_point(
            found[rows], window / 2, p=np.inf, return_length=True
        )
        own = np.abs(found[rows] - true[rows]).max(axis=1) <= window / 2
        count[rows] -= own & nucleus[rows]
    return count
