#!/usr/bin/env python3
"""Build the classifier that ships with the package, from simulated movies alone.

    python scripts/build_shipped_bundle.py

Simulates movies of many imaginary microscopes (`random_config`), trains one encoder on
all their cells and ten dense heads on interphase against metaphase of these and of
movies whose classes overlap, judges the result on movies from unseen seeds, and writes
the bundle into the package together with what was measured. No real image is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from napari_cellsci import __version__
from napari_cellsci.cells.crops import crop_movie
from napari_cellsci.cells.simulator import SimulationConfig, random_config, simulate
from napari_cellsci.cells.spec import PAPER_FOV_UM, CropSpec
from napari_cellsci.explain.ood import OodReference
from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.io.movies import open_movie
from napari_cellsci.project.bundles import Bundle, shipped_folder
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import Event, Log, Step

CLASSES = ("interphase", "metaphase")
SPEC = CropSpec(fov_um=PAPER_FOV_UM)
TRAINING_SEEDS = 1_000
CONFUSING_SEEDS = 2_000
UNSEEN_SEEDS = 9_000
OOD_CELLS = 8_000
"""Cells by which the bundle knows what is usual."""


@dataclass(frozen=True)
class Cells:
    """Crops of many movies with the truth about them."""

    crops: np.ndarray
    truth: pd.DataFrame

    @property
    def group(self) -> np.ndarray:
        """Movie and track of each cell as one number."""
        return (self.truth["movie"] * 1_000_000 + self.truth["track_id"]).to_numpy()

    def of(self, classes: tuple[str, ...]) -> np.ndarray:
        """Rows whose class is one of `classes`."""
        return np.flatnonzero(self.truth["class"].isin(classes))


def cut(config: SimulationConfig, movie: int) -> Cells:
    """Simulate one movie and cut its cells as a project would."""
    film = simulate(config)
    source = open_movie(film.image, pixel_size=config.pixel_size)
    crops = crop_movie(source, film.tracks, SPEC)
    # One type for all movies; what the camera wrote is kept to 1 part in 10⁷.
    crops = crops.astype(np.float32)
    return Cells(crops, film.truth.assign(movie=movie))


def sample(seed: int) -> SimulationConfig:
    """Return the sample movie's settings under another seed."""
    return SimulationConfig(seed=seed)


def confusing(seed: int) -> SimulationConfig:
    """Draw a movie of small nuclei whose classes overlap as far as they can."""
    rng = np.random.default_rng([seed, 1])
    return random_config(
        seed,
        overlap=rng.uniform(0.8, 1.0),
        nucleus_radius=rng.uniform(4.2, 6.0),
        pixel_size=rng.uniform(0.25, 0.42),
        blur=rng.uniform(0.2, 0.5),
    )


def simulate_many(
    first_seed: int,
    movies: int,
    draw: Callable[[int], SimulationConfig] = random_config,
) -> Cells:
    """Simulate movies of consecutive seeds, each from another microscope."""
    parts = []
    for seed in range(first_seed, first_seed + movies):
        parts.append(cut(draw(seed), seed))
        say(f"movie {seed}: {len(parts[-1].truth)} cells")
    return together(parts)


def together(parts: Sequence[Cells]) -> Cells:
    """Join cells of several movies."""
    return Cells(
        np.concatenate([p.crops for p in parts]),
        pd.concat([p.truth for p in parts], ignore_index=True),
    )


def even(cells: Cells, rng: np.random.Generator) -> np.ndarray:
    """Rows for the encoder: rare phases as often as a quarter of interphase each."""
    rows = [cells.of(("interphase",))]
    for phase in ("prometaphase", "metaphase", "anaphase"):
        rows.append(rng.choice(cells.of((phase,)), len(rows[0]) // 4))
    return np.sort(np.concatenate(rows))


def heads_of(encoder: Encoder, cells: Cells, seed: int) -> tuple[Any, OodReference]:
    """Train ten heads on all cells of both classes; fit what is usual."""
    rows = cells.of(CLASSES)
    y = (cells.truth["class"].to_numpy()[rows] == CLASSES[1]).astype(np.int64)
    views = encoder.encode(cells.crops[rows], views=True)
    config = DenseConfig(
        models=10,
        hidden=(64, 64, 32),
        epochs=40,
        batch=256,
        dropout=0.1,
        folds=1,
        seed=seed,
    )
    heads = train_dense(views, y, cells.group[rows], config, class_names=CLASSES)
    some = np.sort(np.random.default_rng(seed).choice(len(rows), OOD_CELLS, False))
    around = encoder.encode(cells.crops[:: max(1, len(cells.crops) // OOD_CELLS)])
    ood = OodReference.fit(
        views[some],
        encoder.reconstruction_error(cells.crops[rows[some]]),
        y[some],
        cells.group[rows[some]],
        background=around,
        seed=seed,
    )
    return heads, ood


def judge(bundle: Bundle, cells: Cells) -> dict[str, Any]:
    """Measure the bundle on movies it has never seen."""
    table = bundle.predict(cells.crops)
    phase, movie = cells.truth["class"].to_numpy(), cells.truth["movie"].to_numpy()
    rows = cells.of(CLASSES)
    y = (phase == CLASSES[1]).astype(np.int64)
    called = (table["prediction"] == CLASSES[1]).to_numpy().astype(np.int64)
    per_movie = [
        balanced_accuracy(y[mine], called[mine])
        for m in np.unique(movie)
        if np.unique(y[mine := rows[movie[rows] == m]]).size == 2
    ]
    return {
        "cells": len(rows),
        "movies": len(per_movie),
        "balanced_accuracy": float(balanced_accuracy(y[rows], called[rows])),
        "balanced_accuracy_worst_movie": float(min(per_movie)),
        "called_metaphase": {
            name: float(called[phase == name].mean()) for name in np.unique(phase)
        },
        "out_of_distribution": {
            name: float(table["ood"][phase == name].mean()) for name in np.unique(phase)
        },
    }


def say(message: str) -> None:
    """Report to whoever runs the script."""
    print(f"{time.strftime('%H:%M:%S')}  {message}", flush=True)


def listen(event: Event) -> None:
    """Print a line of training now and then."""
    if isinstance(event, Log):
        say(event.message)
    if isinstance(event, Step) and event.step % 200 == 0:
        shown = "  ".join(f"{k} {v:.3g}" for k, v in event.metrics.items())
        say(f"step {event.step}/{event.total}  {shown}")


def main() -> None:
    """Build, judge and write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--movies", type=int, default=100)
    parser.add_argument("--confusing", type=int, default=50)
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--beta", type=float, default=5.0)
    parser.add_argument("--sigma-x", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unseen", type=int, default=20)
    parser.add_argument("--runs", type=Path, help="folder of checkpoints, to resume")
    parser.add_argument("--out", type=Path, default=shipped_folder())
    options = parser.parse_args()
    torch.set_num_threads(1)

    cells = simulate_many(TRAINING_SEEDS, options.movies)
    rows = even(cells, np.random.default_rng(options.seed))
    config = EncoderConfig.preset(
        "good",
        steps=options.steps,
        beta=options.beta,
        sigma_x=options.sigma_x,
        seed=options.seed,
    )
    encoder = train_encoder(
        cells.crops[rows],
        SPEC,
        config,
        groups=cells.group[rows],
        run_dir=options.runs,
        resume=options.runs is not None and options.runs.exists(),
        on_event=listen,
    )
    cells = together(
        [cells, simulate_many(CONFUSING_SEEDS, options.confusing, confusing)]
    )
    heads, ood = heads_of(encoder, cells, options.seed)
    record = {
        "trained_on": f"{options.movies} simulated movies, seeds from {TRAINING_SEEDS}",
        "command": "python scripts/build_shipped_bundle.py",
        "settings": {
            k: v for k, v in vars(options).items() if k not in ("out", "runs")
        },
        "version": __version__.split("+")[0],
        "torch": torch.__version__.split("+")[0],
        "encoder": asdict(config),
    }
    bundle = Bundle(
        name="mitosis",
        spec=SPEC,
        classes=CLASSES,
        heads=heads,
        ood=ood,
        encoder=encoder,
        record=record,
    )
    record["unseen"] = judge(bundle, simulate_many(UNSEEN_SEEDS, options.unseen))
    record["sample"] = judge(bundle, simulate_many(UNSEEN_SEEDS, 4, sample))
    say(json.dumps({name: record[name] for name in ("unseen", "sample")}, indent=2))
    bundle.save(options.out)
    size = sum(f.stat().st_size for f in options.out.rglob("*") if f.is_file())
    say(f"wrote {options.out} ({size / 1e6:.2f} MB)")


if __name__ == "__main__":
    sys.exit(main())
