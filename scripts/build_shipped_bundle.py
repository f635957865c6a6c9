#!/usr/bin/env python3
"""Build the classifier that ships with the package, from simulated movies alone.

    python scripts/build_shipped_bundle.py

Simulates movies of many imaginary microscopes (`random_config`) and trains one encoder
on all their cells; what the cells are plays no part in that. Six dense heads learn
interphase against metaphase of these movies, of some whose classes overlap, and of
some with the sample's settings. The result is judged on movies from unseen seeds, its
latents are named, and the bundle is written into the package with what was measured.
No real image is used.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
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
from napari_cellsci.project import Project
from napari_cellsci.project.bundles import Bundle, shipped_folder
from napari_cellsci.representation.benchmark.cells import (
    NAMED,
    NEIGHBOURS,
    PHASES,
    shape_factors,
)
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.explained import explained
from napari_cellsci.representation.train import train_encoder
from napari_cellsci.tasks import Event, Log, Step

CLASSES = ("interphase", "metaphase")
SPEC = CropSpec(fov_um=PAPER_FOV_UM)
TRAINING_SEEDS = 1_000
CONFUSING_SEEDS = 2_000
SAMPLE_SEEDS = 3_000
UNSEEN_SEEDS = 9_000
STAGE: dict[str, Any] = {
    "beta": 20.0,
    "symmetry": 8.0,
    "focus": 0.95,
    "learning_rate": 1.5e-3,
}
SHAPES: dict[str, Any] = {
    "steps": 2_000,
    "sigma_x": 0.6,
    "beta_warmup": 0.0,
    "coarse": 2.0,
    "surround": 8.0,
}
STAGES: tuple[dict[str, Any], ...] = (
    {"steps": 8_000, "sigma_x": 0.9},
    {"steps": 4_500, "sigma_x": 0.6, "beta_warmup": 0.0},
    {"steps": 2_500, "sigma_x": 0.6, "beta_warmup": 0.0, "learning_rate": 1.0e-3},
    {"steps": 2_500, "sigma_x": 0.6, "beta_warmup": 0.0, "learning_rate": 6.0e-4},
    {**SHAPES, "steps": 2_500, "coarse": 4.0, "surround": 0.0, "learning_rate": 1.2e-3},
    {**SHAPES, "learning_rate": 1.2e-3},
    {**SHAPES, "learning_rate": 6.0e-4},
)
"""Latents find what they stand for while pixels count for little, then get precise; in
the end shape counts most, and elongation becomes the cell's own."""
OOD_CELLS = 8_000
"""Cells by which the bundle knows what is usual."""
HEAD_CELLS = 110_000
"""Cells the heads learn from: all metaphases, the rest interphases."""
JUDGED_CELLS = 12_000
"""Cells by which it is said what the latents tell."""


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


def jittery(seed: int) -> SimulationConfig:
    """Draw a movie whose cells are found twice as badly: place is a factor, too."""
    config = random_config(seed)
    return replace(config, localisation_error=2 * config.localisation_error)


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


def train_stages(cells: Cells, options: argparse.Namespace) -> Encoder:
    """Train the encoder, stage after stage, on crops alone."""
    encoder = None
    for number, stage in enumerate(STAGES, 1):
        settings = {**STAGE, **stage, "seed": options.seed}
        settings["steps"] = max(1, round(options.steps * settings["steps"]))
        folder = options.runs and options.runs / f"stage-{number}"
        encoder = train_encoder(
            cells.crops,
            SPEC,
            EncoderConfig.preset("good", **settings),
            groups=cells.group,
            run_dir=folder,
            resume=folder is not None and folder.exists(),
            start_from=encoder,
            on_event=listen,
        )
    assert encoder is not None
    return encoder


def for_heads(cells: Cells, rng: np.random.Generator) -> np.ndarray:
    """Return all metaphases, and interphases up to `HEAD_CELLS` rows."""
    plates, others = (cells.of((name,)) for name in reversed(CLASSES))
    wanted = min(len(others), max(HEAD_CELLS - len(plates), len(plates)))
    return np.sort(np.concatenate([plates, rng.choice(others, wanted, replace=False)]))


def heads_of(encoder: Encoder, cells: Cells, seed: int) -> tuple[Any, OodReference]:
    """Train six heads on cells of both classes; fit what is usual."""
    rows = for_heads(cells, np.random.default_rng(seed))
    y = (cells.truth["class"].to_numpy()[rows] == CLASSES[1]).astype(np.int64)
    views = encoder.encode(cells.crops[rows], views=True)
    config = DenseConfig(
        models=6,
        hidden=(256, 128, 64),
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


def judge_latents(
    encoder: Encoder, cells: Cells, draw: Callable[[int], SimulationConfig]
) -> dict[str, Any]:
    """Measure what single latents and pairs tell of cells the encoder has not seen."""
    rows = cells.of(PHASES)
    some = np.random.default_rng(0).permutation(len(rows))[:JUDGED_CELLS]
    rows = rows[np.sort(some)]
    truth = cells.truth.iloc[rows]
    factors = pd.concat(
        pd.DataFrame(shape_factors(part, draw(int(movie)).pixel_size), part.index)
        for movie, part in truth.groupby("movie")
    ).loc[truth.index]
    known = {name: factors[name].to_numpy() for name in (*NAMED, NEIGHBOURS)}
    told = explained(encoder.encode(cells.crops[rows]), known, cells.group[rows])
    return {
        name: {
            "all": round(told.all[name], 3),
            "single": [int(told.single[name].latent), round(told.single[name].r2, 3)],
            "pair": [
                [int(d) for d in told.pair[name].latents],
                round(told.pair[name].r2, 3),
            ],
            "importance_of_pair": round(
                float(told.importance[name][list(told.pair[name].latents)].sum()), 3
            ),
        }
        for name in known
    }


def names_of(bundle: Bundle) -> dict[int, str]:
    """Name the latents as the plugin does, on a movie with masks."""
    film = simulate(sample(UNSEEN_SEEDS - 1))
    with tempfile.TemporaryDirectory() as folder:
        with Project.create(
            Path(folder) / "sample",
            image=film.image,
            tracks=film.tracks,
            masks=film.labels,
            pixel_size=film.config.pixel_size,
        ) as project:
            atlas = project.latent_atlas(bundle.encoder)
        for info in atlas.active:
            say(f"{info.label}: {info.category}, KL {info.kl:.2f}")
        return dict(atlas.names)


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
    parser.add_argument("--movies", type=int, default=300)
    parser.add_argument("--confusing", type=int, default=50)
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--steps", type=float, default=1.0, help="of the usual number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unseen", type=int, default=20)
    parser.add_argument("--runs", type=Path, help="folder of checkpoints, to resume")
    parser.add_argument("--out", type=Path, default=shipped_folder())
    options = parser.parse_args()
    torch.set_num_threads(1)

    cells = simulate_many(TRAINING_SEEDS, options.movies, jittery)
    encoder = train_stages(cells, options)
    cells = together(
        [
            cells,
            simulate_many(CONFUSING_SEEDS, options.confusing, confusing),
            simulate_many(SAMPLE_SEEDS, options.samples, sample),
        ]
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
        "encoder": asdict(encoder.config),
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
    for name, unseen, draw in (
        ("unseen", simulate_many(UNSEEN_SEEDS, options.unseen), random_config),
        ("sample", simulate_many(UNSEEN_SEEDS, 4, sample), sample),
    ):
        record[name] = judge(bundle, unseen)
        record[name]["latents"] = judge_latents(encoder, unseen, draw)
        say(json.dumps({name: record[name]}, indent=2))
    bundle = replace(bundle, latent_names=names_of(bundle))
    bundle.save(options.out)
    size = sum(f.stat().st_size for f in options.out.rglob("*") if f.is_file())
    say(f"wrote {options.out} ({size / 1e6:.2f} MB)")


if __name__ == "__main__":
    sys.exit(main())
