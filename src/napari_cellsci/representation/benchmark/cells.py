"""Crops of simulated cells whose size, elongation and place are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.crops import crop_movie
from napari_cellsci.cells.simulator import SimulationConfig, random_config, simulate
from napari_cellsci.cells.spec import PAPER_FOV_UM, CropSpec
from napari_cellsci.disk import whole_folder
from napari_cellsci.io.movies import open_movie
from napari_cellsci.representation.data import UNKNOWN
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

NAMED = ("area", "axes", "diagonals", "y", "x")
"""Factors a person looks for in single latents; `NEIGHBOURS` needs many."""
NEIGHBOURS = "neighbours"
CLASSES = ("interphase", "metaphase")
PHASES = ("interphase", "prometaphase", "metaphase")
"""Anaphase is left out: two plates have no one elongation."""

MICROSCOPE: dict[str, float] = {
    "pixel_size": 0.333,
    "blur": 0.3,
    "defocus": 0.15,
    "background": 0.06,
    "unevenness": 0.15,
    "signal": 300.0,
    "read_noise": 4.0,
    "gain": 2.0,
    "offset": 100.0,
    "saturation": 65_535,
    "nucleus_radius": 5.5,
    "size_spread": 0.15,
    "texture": 0.3,
    "texture_scale": 1.8,
    "localisation_error": 3.0,
}
"""All movies are of one microscope and one line of cells, so that what differs between
crops is what the factors say; tracks are off by 1 µm. Crowding, shapes, plates and
divisions differ from movie to movie."""


@dataclass(frozen=True, slots=True)
class KnownCells:
    """Cells of simulated movies with the truth about them.

    Attributes
    ----------
    crops : array (n, 1, S, S), float32
        Raw crops.
    truth : DataFrame
        One row per crop: ``group`` (movie and track as one number), ``label`` (its
        place in `CLASSES`, −1 for another phase), and the factors of `shape_factors`.
    spec : CropSpec
        How they were cut.
    """

    crops: NDArray[np.float32]
    truth: pd.DataFrame
    spec: CropSpec

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Movie and track of each cell (n,)."""
        return self.truth["group"].to_numpy(np.int64)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each cell (n,), −1 if it is neither."""
        return self.truth["label"].to_numpy(np.int64)

    def factors(self, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        """Return some factors by name."""
        return {name: self.truth[name].to_numpy(np.float64) for name in names}

    def save(self, folder: Path) -> None:
        """Write the cells into a new folder, whole or not at all.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        with whole_folder(folder) as part:
            np.save(part / "crops.npy", self.crops)
            self.truth.to_csv(part / "truth.csv", index=False)
            (part / "spec.json").write_text(json.dumps(self.spec.to_dict()))

    @classmethod
    def load(cls, folder: Path) -> KnownCells:
        """Read what `save` wrote; the crops stay on the disk."""
        crops = np.load(folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        truth = pd.read_csv(folder / "truth.csv")
        spec = CropSpec.from_dict(json.loads((folder / "spec.json").read_text()))
        return cls(crops, truth, spec)


def simulate_cells(
    first_seed: int,
    movies: int,
    size: int,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
    **knobs: Any,
) -> KnownCells:
    """Simulate movies (`random_config` with the `MICROSCOPE`) and cut their cells.

    Parameters
    ----------
    first_seed : int
        Seed of the first movie; the others follow.
    movies : int
        How many.
    size : int
        Edge of a crop (px); it shows the 21.3 µm of the paper whatever its size.
    on_event, token
        Progress by movies, and cancellation.
    **knobs
        More settings of all movies; see `SimulationConfig`.

    Raises
    ------
    Cancelled
        If the token asks for it.
    """
    spec = CropSpec(size=size, fov_um=PAPER_FOV_UM)
    crops, truths = [], []
    for done, seed in enumerate(range(first_seed, first_seed + movies), 1):
        config = random_config(seed, **{**MICROSCOPE, **knobs})
        some, truth = _cells_of(config, spec, token)
        crops.append(some)
        truths.append(truth)
        on_event(Progress("Simulating movies", done, movies))
    return KnownCells(np.concatenate(crops), pd.concat(truths, ignore_index=True), spec)


def shape_factors(
    truth: pd.DataFrame, pixel_size: float
) -> dict[str, NDArray[np.float64]]:
    """Return what is known of the shape and place of simulated cells.

    Parameters
    ----------
    truth : DataFrame
        As `SimulatedMovie.truth` has it.
    pixel_size : float
        µm per px of the movie.

    Returns
    -------
    dict of array (n,)
        ``area``: its natural logarithm, in µm²; ``axes`` and ``diagonals``:
        eccentricity × cos 2θ and × sin 2θ, θ from the y axis towards the x axis, so
        that tall cells have positive ``axes``; ``y``, ``x``: true centroid minus the
        middle of the crop, which is the tracked one rounded to whole pixels (µm);
        ``neighbours``: other nuclei in the crop.
    """
    aspect = np.maximum(truth["aspect"].to_numpy(np.float64), 1)
    eccentricity = np.sqrt(1 - 1 / aspect**2)
    angle = truth["angle"].to_numpy(np.float64)
    middle = {
        axis: np.round((truth[axis] + truth[f"offset_{axis}"]).to_numpy(np.float64))
        for axis in "yx"
    }
    return {
        "area": np.log(truth["area"].to_numpy(np.float64) * pixel_size**2),
        "axes": eccentricity * np.cos(2 * angle),
        "diagonals": eccentricity * np.sin(2 * angle),
        "y": (truth["y"].to_numpy(np.float64) - middle["y"]) * pixel_size,
        "x": (truth["x"].to_numpy(np.float64) - middle["x"]) * pixel_size,
        NEIGHBOURS: truth["neighbours"].to_numpy(np.float64),
    }


def _cells_of(
    config: SimulationConfig, spec: CropSpec, token: CancelToken | None
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Simulate one movie and cut its cells as a project would."""
    film = simulate(config, token=token)
    chosen = np.flatnonzero(film.truth["class"].isin(PHASES))
    truth, tracks = film.truth.iloc[chosen], film.tracks.iloc[chosen]
    source = open_movie(film.image, pixel_size=config.pixel_size)
    crops = crop_movie(source, tracks, spec, token=token).astype(np.float32)
    label = truth["class"].map({name: i for i, name in enumerate(CLASSES)})
    known = {
        "group": config.seed * 1_000_000 + truth["track_id"].to_numpy(np.int64),
        "label": label.fillna(UNKNOWN).to_numpy(np.int64),
        **shape_factors(truth, config.pixel_size),
    }
    return crops, pd.DataFrame(known)
