"""How much memory a movie of 20 GB and a million crops take.

    OMP_NUM_THREADS=1 python benchmarks/memory.py [--frames 10240 --crops 1000000]

A stack larger than memory is opened, its cells are cut and encoded by the shipped
encoder; then an encoder takes gradient steps on a million crops that lie on the disk.
Each runs in a process of its own, which samples its private memory (what it does not
share with the page cache) and tells the largest. The files are sparse: noise is written
where cells are, and the rest of every frame reads as zeros.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from napari_cellsci.cells.crops import iter_crops
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.io.movies import open_movie
from napari_cellsci.project.bundles import Bundle, shipped_folder
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.train import train_encoder

_EDGE, _CELLS, _WINDOW = 1_024, 10, 64


def private() -> float:
    """Private memory of this process (GB)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1e6
    raise OSError("This system does not tell private memory.")


class Watch(threading.Thread):
    """Keeps the largest private memory seen."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._done = private(), threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, private())

    def stop(self) -> float:
        self._done.set()
        self.join()
        return max(self.peak, private())


def write_stack(path: Path, frames: int) -> pd.DataFrame:
    """Write a sparse raw TIFF of 2.1 MB a frame; return its cells."""
    import tifffile

    rng = np.random.default_rng(0)
    shape = (frames, _EDGE, _EDGE)
    stack = tifffile.memmap(
        path, shape=shape, dtype=np.uint16, metadata={"axes": "TYX"}
    )
    where = rng.integers(_WINDOW, _EDGE - _WINDOW, (_CELLS, 2))
    for frame in stack:
        for y, x in where:
            nucleus = rng.integers(100, 900, (24, 24), dtype=np.uint16)
            frame[y - 12 : y + 12, x - 12 : x + 12] = nucleus
    stack.flush()
    return pd.DataFrame(
        {
            "track_id": np.tile(np.arange(1, _CELLS + 1), frames),
            "t": np.repeat(np.arange(frames), _CELLS),
            "y": np.tile(where[:, 0], frames).astype(np.float64),
            "x": np.tile(where[:, 1], frames).astype(np.float64),
        }
    )


def crop_and_encode(path: Path) -> tuple[int, int]:
    """Cut and encode all cells of a stack; return its bytes and its cells."""
    cells = pd.read_csv(path.with_suffix(".csv"))
    movie = open_movie(path, axes="TYX")
    encoder = Bundle.load(shipped_folder()).encoder
    assert encoder is not None
    spec = CropSpec(fov_px=_WINDOW)
    encoded = 0
    for part in encoder.encode_batches(iter_crops(movie, cells, spec, batch=1_024)):
        encoded += len(part.mu)
    return path.stat().st_size, encoded


def train_from_disk(path: Path, steps: int) -> tuple[int, int]:
    """Train on crops on the disk; return their bytes and their number."""
    crops = np.load(path, mmap_mode="r")
    config = EncoderConfig.preset("good", steps=steps, device="cpu")
    train_encoder(crops, CropSpec(fov_px=_WINDOW), config)
    return path.stat().st_size, len(crops)


def write_crops(path: Path, crops: int) -> None:
    """Write a sparse file of crops, every hundredth of which is not zero."""
    rng = np.random.default_rng(0)
    shape = (crops, 1, _WINDOW, _WINDOW)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=shape)
    for row in range(0, crops, 100):
        out[row] = rng.integers(100, 900, shape[1:], dtype=np.uint16)
    out.flush()


def child(job: str, path: Path, steps: int) -> None:
    """Do one job in this process and tell what it took."""
    torch.set_num_threads(1)
    before, watch, start = private(), Watch(), time.perf_counter()
    watch.start()
    if job == "stack":
        size, n = crop_and_encode(path)
    else:
        size, n = train_from_disk(path, steps)
    taken = time.perf_counter() - start
    what = "cropped and encoded" if job == "stack" else f"{steps} steps on"
    print(
        f"{size / 1e9:.1f} GB, {n:,} cells: {what} in {taken:.0f} s, private memory at "
        f"most {watch.stop():.2f} GB ({before:.2f} GB before)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=10_240)
    parser.add_argument("--crops", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="with room for 30 GB")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), options.steps)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stack, crops = Path(folder) / "stack.tif", Path(folder) / "crops.npy"
        write_stack(stack, options.frames).to_csv(stack.with_suffix(".csv"))
        write_crops(crops, options.crops)
        for job, path in (("stack", stack), ("crops", crops)):
            again = [sys.executable, __file__, "--child", job, str(path)]
            subprocess.run([*again, "--steps", str(options.steps)], check=True)


if __name__ == "__main__":
    main()
