"""Every knob of the simulated movies, and random settings of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from napari_cellsci.cells.spec import PAPER_FOV_UM
from napari_cellsci.errors import InputError

_RANGES: dict[str, tuple[float, float]] = {
    "frames": (1, 100_000),
    "cells": (1, 100_000),
    "size": (32, 16_384),
    "pixel_size": (0.02, 5.0),
    "frame_interval": (0.1, 86_400),
    "cycle_length": (4, 1e9),
    "nucleus_radius": (0.5, 50.0),
    "size_spread": (0.0, 0.5),
    "overlap": (0.0, 1.0),
    "irregularity": (0.0, 0.3),
    "plate_length": (0.3, 1.5),
    "plate_ratio": (1.2, 6.0),
    "raggedness": (0.0, 3.0),
    "en_face": (0.0, 1.0),
    "unsplit_anaphase": (0.0, 1.0),
    "density": (0.01, 0.9),
    "motility": (0.0, 20.0),
    "confounder": (-1.0, 1.0),
    "localisation_error": (0.0, 100.0),
    "texture": (0.0, 2.0),
    "texture_scale": (0.3, 10.0),
    "nucleoli": (0.0, 1.0),
    "rim": (0.0, 1.0),
    "compaction": (0.0, 2.0),
    "brightness_spread": (0.0, 1.5),
    "blur": (0.0, 5.0),
    "defocus": (0.0, 1.0),
    "haze": (0.0, 1.0),
    "signal": (0.1, 1e6),
    "background": (0.0, 10.0),
    "unevenness": (0.0, 0.95),
    "read_noise": (0.0, 1e4),
    "gain": (1e-4, 1e4),
    "offset": (0.0, 60_000),
    "saturation": (1, 65_535),
    "debris": (0.0, 1000.0),
    "junk": (0.0, 10.0),
    "seed": (0, math.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """What a simulated movie shows; the defaults give the sample movie.

    Lengths of nuclei are in µm, so that a change of ``pixel_size`` alone shows the same
    cells through another objective. Geometry, movement and camera draw from separate
    streams of random numbers: a change of the camera leaves the cells as they were.

    Parameters
    ----------
    frames : int
        Number of frames.
    cells : int
        Nuclei in the first frame; they divide, so later frames hold more.
    size : int
        Edge of the square frame (px).
    pixel_size : float
        Edge of a pixel (µm). 0.333 makes a 64 px crop 21.3 µm wide.
    frame_interval : float
        Time between frames (s); written to files, it changes nothing else.
    cycle_length : float
        Mean length of interphase (frames): the larger, the rarer mitosis.
    nucleus_radius : float
        Radius of a disc with the area of a mid-interphase nucleus (µm).
    size_spread : float
        Standard deviation over cells of the logarithm of the area.
    overlap : float
        How far the classes overlap in each single property, 0 to 1: at 1 young
        interphase nuclei are as small as plates and many grown ones as elongated; at 0
        daughters are born large and nuclei stay round.
    irregularity : float
        Relative amplitude of the dents and bulges of interphase outlines.
    plate_length : float
        Length of metaphase plates, in diameters of the mid-interphase nucleus.
    plate_ratio : float
        Median length over width of metaphase plates seen edge on.
    raggedness : float
        How frayed the outline of mitotic chromosomes is and how much of their threads
        shows, relative to what is usual.
    en_face : float
        Fraction of metaphase plates seen face on, as a ring or disc.
    unsplit_anaphase : float
        Fraction of divisions whose first anaphase frame is still one object, on the
        mother's track.
    density : float
        Fraction of a colony's area that nuclei cover: how much cells crowd.
    motility : float
        Root-mean-square displacement along each axis (µm per frame).
    confounder : float
        Link between mitosis and crowding: the fraction of mitoses whose neighbours are
        pushed out of the crop window; negative, pulled into it; 0, no link.
    localisation_error : float
        Standard deviation of the tracks' centroids about the true ones (px).
    texture : float
        Strength of the chromatin texture of interphase nuclei.
    texture_scale : float
        Dominant wavelength of that texture (µm).
    nucleoli : float
        Depth of the dark nucleoli.
    rim : float
        Extra brightness along the nuclear envelope.
    compaction : float
        Exponent of (DNA / area) in the brightness: how much brighter plates are.
    brightness_spread : float
        Standard deviation over families of cells of the logarithm of the brightness.
    blur : float
        Standard deviation of the point-spread function (µm).
    defocus : float
        Mean fraction of a nucleus's light that lies out of focus.
    haze : float
        Glow of the cytoplasm of mitotic cells, relative to interphase nuclei.
    signal : float
        Electrons per pixel from a mid-interphase nucleus of mean brightness.
    background : float
        Light between the nuclei, relative to ``signal``.
    unevenness : float
        How far the illumination falls from its brightest to its darkest place.
    read_noise : float
        Standard deviation of the camera's read-out noise (electrons).
    gain : float
        Grey levels per electron.
    offset : float
        Grey level of no light.
    saturation : int
        Largest grey level the camera can write.
    debris : float
        Mean number of untracked specks, fibres and blobs in a frame.
    junk : float
        Tracked debris, as a fraction of ``cells``; its class in the truth is "junk".
    seed : int
        Seed of every random number.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    frames: int = 40
    cells: int = 48
    size: int = 512
    pixel_size: float = 0.333
    frame_interval: float = 240.0
    cycle_length: float = 42.0
    nucleus_radius: float = 4.6
    size_spread: float = 0.10
    overlap: float = 1.0
    irregularity: float = 0.05
    plate_length: float = 0.85
    plate_ratio: float = 2.9
    raggedness: float = 1.0
    en_face: float = 0.01
    unsplit_anaphase: float = 0.25
    density: float = 0.2
    motility: float = 0.4
    confounder: float = 0.7
    localisation_error: float = 1.5
    texture: float = 0.30
    texture_scale: float = 1.8
    nucleoli: float = 0.5
    rim: float = 0.15
    compaction: float = 0.6
    brightness_spread: float = 0.25
    blur: float = 0.30
    defocus: float = 0.15
    haze: float = 0.06
    signal: float = 300.0
    background: float = 0.06
    unevenness: float = 0.15
    read_noise: float = 4.0
    gain: float = 2.0
    offset: float = 100.0
    saturation: int = 65_535
    debris: float = 1.0
    junk: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _RANGES[field.name]
            if not low <= value <= high:
                raise InputError(
                    f"The simulation's {field.name} must lie between {low:g} and "
                    f"{high:g}, not {value}."
                )

    @property
    def radius_px(self) -> float:
        """Radius of a mid-interphase nucleus (px)."""
        return self.nucleus_radius / self.pixel_size

    @property
    def window_px(self) -> float:
        """Edge of the paper's crop window, 21.3 µm, in this movie (px)."""
        return PAPER_FOV_UM / self.pixel_size

    def rng(self, stream: str) -> np.random.Generator:
        """Return the generator of one named, independent stream of random numbers."""
        return np.random.default_rng([int(self.seed), *stream.encode()])
