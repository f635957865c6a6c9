"""A simulated movie with its tracks and its truth, in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellsci.cells.simulator.config import SimulationConfig
from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.io.write import write_movie_tif


@dataclass(frozen=True, slots=True)
class SimulatedMovie:
    """What `simulate` returns.

    Attributes
    ----------
    image : ndarray of uint16, shape (T, Y, X)
        Grey levels.
    labels : ndarray of uint16 or uint32, shape (T, Y, X)
        Label of each pixel, equal to the track id; 0 between nuclei. Where nuclei
        touch, the pixel belongs to the one whose middle is nearer; in fields far too
        full, a nucleus wholly behind others has no pixel left.
    tracks : pandas.DataFrame
        ``track_id, t, y, x, parent`` sorted by (track_id, t); y and x (px) carry the
        localisation error; parent 0 = none.
    graph : dict
        Daughter → [mother], the form of napari's Tracks layer.
    truth : pandas.DataFrame
        One row per row of `tracks`, in the same order:

        ``track_id``, ``t``; ``class``: interphase, prometaphase, metaphase, anaphase
        or junk; ``y``, ``x``: true centroid (px); ``area``: px², of the whole outline
        even where the frame's edge or a neighbour hides part of it; ``aspect``: long
        over short axis of the ellipse with the same second moments (≥ 1); ``angle``:
        of its long axis, from the y axis towards the x axis, radians in
        (−π/2, π/2], as ``skimage.measure.regionprops`` has it; ``offset_y``,
        ``offset_x``: tracked minus true centroid (px); ``neighbours``: other nuclei
        whose true centroid lies in the 21.3 µm square (64 px at 0.333 µm) around the
        tracked centroid; ``brightness``: mean light, 1 for a mean mid-interphase
        nucleus; ``age``: frames since birth; ``cycle``: age in interphase, 0 to 1,
        NaN elsewhere; ``visible``: labelled pixels over ``area``.

        Anaphase belongs to the daughters, one plate each, except in the fraction
        ``unsplit_anaphase`` of divisions, whose first anaphase frame is one object of
        two plates at the end of the mother's track. Daughters are young interphase as
        soon as anaphase ends.
    config : SimulationConfig
        The settings that made it.
    """

    image: np.ndarray
    labels: np.ndarray
    tracks: pd.DataFrame
    graph: dict[int, list[int]]
    truth: pd.DataFrame
    config: SimulationConfig

    def save(self, folder: str | Path) -> Path:
        """Write movie.tif, labels.tif, tracks.csv and truth.csv; return the folder.

        Both images carry the pixel size and movie.tif the frame interval. ``truth.csv``
        is also a file of labels: its first columns are ``track_id, t, class``.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder} cannot be made: {error.strerror}.") from error
        config = self.config
        write_movie_tif(
            folder / "movie.tif", self.image, config.pixel_size, config.frame_interval
        )
        self._write_labels(folder / "labels.tif")
        for name, table in (("tracks", self.tracks), ("truth", self.truth)):
            with whole_file(folder / f"{name}.csv") as part:
                table.to_csv(part, index=False, float_format="%.4f")
        return folder

    def _write_labels(self, path: Path) -> None:
        """Write the labels compressed, which shrinks them a hundredfold."""
        import tifffile

        per_cm = 1e4 / self.config.pixel_size
        with whole_file(path) as part:
            tifffile.imwrite(
                part,
                self.labels,
                photometric="minisblack",
                compression="zlib",
                metadata={"axes": "TYX"},
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
            )
