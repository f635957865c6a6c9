"""Cropping a tracked movie against the two ways one would write it first.

    OMP_NUM_THREADS=1 python benchmarks/crops.py

Baselines: a loop over the cells that reads each cell's frame, pads and slices (and
resizes with torch); and a vectorised form that reads each frame once, pads it, and
gathers all its cells through a sliding window (and resizes them in one batch with
torch). All read the same uncompressed TIFF file through the page cache, write into the
same array in the order of the cells, and give the same crops. All forms run in turn,
several rounds; rates are those of the fastest round and ratios are of these. The loop
runs on a part of the cells.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import torch
from numpy.lib.stride_tricks import sliding_window_view

from napari_cellsci.cells.crops import crop_dtype, crop_movie
from napari_cellsci.cells.normalise import zscore
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.io.movies import Movie, open_movie

SIZE = 64


def write_movie(folder: Path, frames: int, edge: int) -> Movie:
    rng = np.random.default_rng(0)
    noise = rng.normal(33_500, 300, (frames, edge, edge)).astype(np.uint16)
    tifffile.imwrite(folder / "movie.tif", noise, metadata={"axes": "TYX"})
    return open_movie(folder / "movie.tif")


def make_cells(movie: Movie, n: int) -> pd.DataFrame:
    """Tracks as long as the movie, sorted by track and time as in a project."""
    rng = np.random.default_rng(1)
    tracks = n // movie.n_frames
    start = rng.uniform(0, np.array(movie.shape), (tracks, 1, 2))
    walk = rng.normal(0, 2, (tracks, movie.n_frames, 2)).cumsum(axis=1)
    yx = np.clip(start + walk, 0, np.array(movie.shape) - 1).reshape(-1, 2)
    times = np.tile(np.arange(movie.n_frames), tracks)
    return pd.DataFrame({"t": times, "y": yx[:, 0], "x": yx[:, 1]})


def pad(frame: np.ndarray, window: int) -> np.ndarray:
    fill = np.rint(frame.mean(dtype=np.float64))
    return np.pad(frame, window, constant_values=fill.astype(frame.dtype))


def resize(windows: np.ndarray) -> np.ndarray:
    """Resize (n, w, w) to the crop's size; whole numbers in, whole numbers out."""
    if windows.shape[-1] == SIZE:
        return windows
    source = torch.from_numpy(windows.astype(np.float32))[:, None]
    shape = (SIZE, SIZE)
    interpolate = torch.nn.functional.interpolate
    resized = interpolate(source, size=shape, mode="bilinear", antialias=True)
    return np.rint(resized[:, 0].numpy()).astype(windows.dtype)


def corners(yx: np.ndarray, window: int) -> np.ndarray:
    return np.floor(yx + 0.5).astype(int) - window // 2 + window


def crop_in_a_loop(
    movie: Movie, cells: pd.DataFrame, window: int, out: np.ndarray
) -> None:
    for row, cell in enumerate(cells.itertuples()):
        padded = pad(movie.frame(int(cell.t))[0], window)
        y, x = corners(np.array([cell.y, cell.x]), window)
        out[row, 0] = resize(padded[None, y : y + window, x : x + window])[0]


def crop_vectorised(
    movie: Movie, cells: pd.DataFrame, window: int, out: np.ndarray
) -> None:
    yx = cells[["y", "x"]].to_numpy()
    for t, rows in cells.groupby("t").indices.items():
        windows = sliding_window_view(
            pad(movie.frame(int(t))[0], window), (window, window)
        )
        y, x = corners(yx[rows], window).T
        out[rows, 0] = resize(windows[y, x])


def rate(work: Callable[[], object], n: int) -> float:
    start = time.perf_counter()
    work()
    return n / (time.perf_counter() - start)


def compare(movie: Movie, cells: pd.DataFrame, window: int, rounds: int) -> None:
    spec = CropSpec(size=SIZE, fov_px=window)
    shape = (len(cells), 1, SIZE, SIZE)
    ours, theirs = (np.zeros(shape, crop_dtype(movie.dtype, spec, None)) for _ in "ab")
    few = cells.iloc[: len(cells) // 40]
    forms: dict[str, tuple[Callable[[], object], int]] = {
        "crop_movie": (lambda: crop_movie(movie, cells, spec, out=ours), len(cells)),
        "vectorised": (
            lambda: crop_vectorised(movie, cells, window, theirs),
            len(cells),
        ),
        "loop": (lambda: crop_in_a_loop(movie, few, window, theirs), len(few)),
    }
    best = dict.fromkeys(forms, 0.0)
    for _ in range(rounds):
        for name, (work, n) in forms.items():
            best[name] = max(best[name], rate(work, n))
    apart = np.abs(ours.astype(int) - theirs).max()
    print(f"\n{window} px -> {SIZE} px (largest difference of a pixel: {apart})")
    for name, value in best.items():
        ratio = best["crop_movie"] / value
        print(f"  {name:12} {value:>10,.0f} crops/s   crop_movie is {ratio:.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--edge", type=int, default=1_024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        movie = write_movie(Path(folder), options.frames, options.edge)
        cells = make_cells(movie, options.cells)
        for window in (64, 33, 48, 96, 128):
            compare(movie, cells, window, options.rounds)
        raw = crop_movie(movie, cells.iloc[:2_000], CropSpec(fov_px=SIZE))
    fastest = max(rate(lambda: zscore(raw), len(raw)) for _ in range(options.rounds))
    print(f"\nz-score, numpy reference: {fastest:,.0f} crops/s")


if __name__ == "__main__":
    main()
