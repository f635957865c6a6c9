"""Cropping and encoding a movie against encoding alone.

    OMP_NUM_THREADS=1 python benchmarks/encoding.py

The encoder works on one thread while the crops are cut on another core. The baseline is
the same encoder over the same crops, cut and normalised beforehand and lying in memory.
The movie is an uncompressed TIFF read through the page cache. All forms run in turn,
several rounds; rates are those of the fastest round and ratios are of these.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from crops import make_cells, write_movie
from torch import Tensor

from napari_cellsci.cells.crops import crop_movie, iter_crops
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.io.movies import Movie
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import new_fabric
from napari_cellsci.representation.vae_run import VAERun

_CROPS = 1_024
"""Crops that are cut at a time."""
_BATCH = 64
"""Crops that are encoded at a time, as the encoder does by itself."""


def new_encoder(preset: str, spec: CropSpec, crops: np.ndarray) -> Encoder:
    config = EncoderConfig.preset(preset, device="cpu")
    run = VAERun(crops, spec, config, new_fabric(config))
    return Encoder(spec, config, run.network)


def whole(movie: Movie, cells: pd.DataFrame, encoder: Encoder) -> Callable[[], None]:
    """Return what a project does: cut, hand over, encode."""

    def work() -> None:
        batches = iter_crops(movie, cells, encoder.spec, batch=_CROPS)
        for _ in encoder.encode_batches(batches):
            pass

    return work


def resident(x: Tensor, encoder: Encoder) -> Callable[[], None]:
    @torch.inference_mode()
    def work() -> None:
        for batch in x.split(_BATCH):
            encoder.latent_mean(batch)

    return work


def fastest(jobs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Run the jobs in turn; return the seconds of the clock that each took at best.

    Not processor time as elsewhere: what two cores share is the point here.
    """
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--edge", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        movie = write_movie(Path(folder), options.frames, options.edge)
        cells = make_cells(movie, options.cells)
        for preset in ("good", "paper"):
            for window in (64, 33, 48, 96, 128):
                spec = CropSpec(fov_px=window)
                crops = crop_movie(movie, cells, spec)
                encoder = new_encoder(preset, spec, crops[:512])
                x = encoder.normalise(crops)
                jobs = {
                    "resident": resident(x, encoder),
                    "whole": whole(movie, cells, encoder),
                }
                taken = fastest(jobs, options.rounds)
                rate = {name: len(cells) / best for name, best in taken.items()}
                print(
                    f"{preset:5s} windows of {window:3d} px: crop and encode"
                    f" {rate['whole']:7,.0f}, encode alone {rate['resident']:7,.0f}"
                    f" crops/s, ratio {rate['whole'] / rate['resident']:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
