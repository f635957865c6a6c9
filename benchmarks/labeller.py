"""Labels needed with the queue and in random order, by a labeller who knows the truth.

    OMP_NUM_THREADS=1 nice python benchmarks/labeller.py --out labeller.json
    … --project FOLDER --labels CSV        # on cells of one's own
    … --crops NPZ --labels CSV --classes inter,meta

Cells of simulated movies with about 2% metaphases are encoded by the encoder that ships
(its heads are not used). As many further movies are judged on (of one's own
cells: half of the tracks, other ones in every repeat). The labeller is shown twenty
cells at a time, answers interphase or metaphase, and passes on cells of other phases,
which costs a look like any other. Three heads learn from all answers after each twenty;
those of all repeats learn as one batch.
What counts is the number of looks after which balanced accuracy on the held-out tracks
first reaches a goal and keeps it for the next round.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from napari_cellsci import Project
from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.heads.batched import BatchedMLP
from napari_cellsci.heads.evaluate import balanced_accuracy
from napari_cellsci.heads.training import train_batched
from napari_cellsci.labels.queue import Pool, stretch_frames, suggest
from napari_cellsci.project.bundles import shipped_bundle

BATCH, HEADS, STEPS = 20, 3, 800
GOALS = (0.95, 0.98)
NAMES = ("interphase", "metaphase")
OTHER = 2


def simulated(folder: Path, movies: int) -> dict[str, Any]:
    """Return latents (n, 8, D), classes, tracks and frames of simulated movies."""
    project: Any = None
    truths = []
    for seed in range(2 * movies):
        config = SimulationConfig(
            frames=40, cells=36, size=448, cycle_length=80, seed=100 + seed
        )
        sample = simulate(config).save(folder / f"sample{seed}")
        given = {"image": sample / "movie.tif", "tracks": sample / "labels.tif"}
        if project is None:
            project = Project.create(folder / "project", name="m0", **given)
        else:
            project.add_movie(**given, name=f"m{seed}")
        truth = pd.read_csv(sample / "truth.csv").assign(movie=f"m{seed}")
        truths.append(truth)
    first = [f"m{seed}" for seed in range(movies)]
    mine = project.cells["movie"].isin(first).to_numpy()
    return {**encoded(project, pd.concat(truths)), "mine": mine}


def encoded(project: Project, truth: pd.DataFrame) -> dict[str, Any]:
    """Return what the study needs of a project and a table of classes."""
    cells = project.cells
    if "movie" not in truth:
        truth = truth.assign(movie=cells["movie"].iloc[0])
    known = truth.drop_duplicates(["movie", "track_id", "t"])
    known = known.set_index(["movie", "track_id", "t"])["class"]
    keys = list(zip(cells["movie"], cells["track_id"], cells["t"], strict=True))
    names = known.reindex(keys).to_numpy(dtype=object)
    y = np.array([NAMES.index(n) if n in NAMES else OTHER for n in names])
    encoder = project.bundle("shipped").encoder
    views: Any = project.latents(encoder, views=True)
    interval = project.movies[0].frame_interval
    project_cells = {
        "latents": np.asarray(views[:], np.float32),
        "y": y,
        "track": cells.groupby(["movie", "track_id"], sort=False).ngroup().to_numpy(),
        "t": cells["t"].to_numpy(),
        "stretch": stretch_frames(interval),
        "unknown": pd.isna(names),
        "mine": np.zeros(len(cells), bool),
    }
    project.close()
    return project_cells


def from_crops(path: Path, truth: pd.DataFrame, names: list[str]) -> dict[str, Any]:
    """Return what the study needs of crops (n, C, 64, 64) and their classes, by row."""
    images = np.load(path)["images"][:, :1]
    encoder = shipped_bundle().encoder
    assert encoder is not None
    classes = truth["class"].to_numpy()
    y = np.array([names.index(n) if n in names else OTHER for n in classes])
    n = len(y)
    return {
        "latents": np.asarray(encoder.encode(images, views=True), np.float32),
        "y": y,
        "track": truth["cell_group"].to_numpy(),
        "t": truth["frame"].to_numpy(),
        "stretch": 1,
        "unknown": np.zeros(n, bool),
        "mine": np.zeros(n, bool),
    }


class Repeat:
    """One labeller with one half of the tracks, in one order."""

    def __init__(self, data: dict[str, Any], order: str, seed: int) -> None:
        self.data, self.order, self.seed = data, order, seed
        rng = np.random.default_rng(seed)
        tracks = rng.permutation(np.unique(data["track"]))
        half = np.isin(data["track"], tracks[: len(tracks) // 2])
        mine = data["mine"] if data["mine"].any() else half
        self.labels = np.full(len(mine), -1)
        self.closed = ~mine | data["unknown"]
        self.test = np.flatnonzero(~mine & (data["y"] != OTHER) & ~data["unknown"])
        self.random = rng.permutation(np.flatnonzero(~self.closed))
        self.probabilities: Any = None
        self.looks = 0
        self.curve: list[tuple[int, float]] = []

    @property
    def ready(self) -> bool:
        given = self.labels[self.labels >= 0]
        return bool((np.bincount(given, minlength=2)[:2] > 0).all())

    @property
    def over(self) -> bool:
        """Whether everything was shown."""
        return not ((self.labels < 0) & ~self.closed).any()

    def look(self, batch: int) -> None:
        """Show the next cells to the labeller."""
        if self.order == "random":
            rows = self.random[self.looks : self.looks + batch]
        else:
            data = self.data
            pool = Pool(
                latents=data["latents"][:, 0],
                track=data["track"],
                t=data["t"],
                labels=self.labels,
                names=NAMES,
                probabilities=self.probabilities,
                closed=self.closed,
                stretch=data["stretch"],
            )
            seed = self.seed + self.looks
            rows = np.array([p.row for p in suggest(pool, batch, seed)], int)
        self.looks += len(rows)
        answers = self.data["y"][rows]
        self.closed[rows[answers == OTHER]] = True
        self.labels[rows[answers != OTHER]] = answers[answers != OTHER]

    def judge(self, p: np.ndarray) -> None:
        self.probabilities = np.stack([1 - p, p], 1)
        said = (p[self.test] >= 0.5).astype(int)
        score = balanced_accuracy(self.data["y"][self.test], said)
        self.curve.append((self.looks, score))

    def needed(self, goal: float) -> float:
        """Return after how many looks a goal is reached and kept for a round."""
        for (looks, score), (_, then) in zip(
            self.curve,
            [*self.curve[1:], self.curve[-1]] if self.curve else [],
            strict=True,
        ):
            if score >= goal and then >= goal:
                return looks
        return float("inf")


def learn(data: dict[str, Any], repeats: list[Repeat], turn: int) -> None:
    """Train the heads of all repeats that know both classes, and judge them."""
    ready = [repeat for repeat in repeats if repeat.ready]
    if not ready:
        return
    rows = [np.flatnonzero(repeat.labels >= 0) for repeat in ready]
    used = np.unique(np.concatenate(rows))
    place = np.searchsorted(used, np.arange(used[-1] + 1))
    z = torch.from_numpy(data["latents"][used])
    each = [place[r] for r in rows for _ in range(HEADS)]
    seeds = [1000 * turn + k for k in range(len(each))]
    network = BatchedMLP((z.shape[2], 16, 16, 16, 1), seeds)
    train_batched(
        network,
        z,
        data["y"][used],
        each,
        seeds,
        n_classes=2,
        steps=STEPS,
        learning_rate=3e-3,
        label_smoothing=0.02,
    )
    plain = torch.from_numpy(np.ascontiguousarray(data["latents"][:, 0]))
    outputs = network.outputs(plain).numpy()[..., 0]
    for k, repeat in enumerate(ready):
        mean = outputs[k * HEADS : (k + 1) * HEADS].mean(0)
        repeat.judge(0.5 * (1 + np.tanh(0.5 * mean)))


def study(data: dict[str, Any], repeats: int, looks: int, batch: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for order in ("queue", "random"):
        runs = [Repeat(data, order, seed) for seed in range(repeats)]
        for turn in range(looks // batch):
            for run in runs:
                run.look(batch)
            learn(data, runs, turn)
            if all(run.over for run in runs):
                break
            done = sum(run.needed(GOALS[-1]) < np.inf for run in runs)
            best = [run.curve[-1][1] for run in runs if run.curve]
            middle = f"{np.median(best):.3f}" if best else "–"
            print(
                f"{order} {(turn + 1) * batch:5d} looks: {middle}, {done} done",
                flush=True,
            )
            if done == repeats:
                break
        found[order] = {
            "needed": {str(goal): [run.needed(goal) for run in runs] for goal in GOALS},
            "curves": [run.curve for run in runs],
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--movies", type=int, default=3)
    parser.add_argument("--looks", type=int, default=800)
    parser.add_argument("--batch", type=int, default=BATCH, help="looks per round")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--classes", default=",".join(NAMES))
    parser.add_argument("--keep", type=Path, help="where latents are kept (.npz)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.keep and options.keep.exists():
        kept = np.load(options.keep)
        data = {name: kept[name] for name in kept.files}
        data["stretch"] = int(data["stretch"])
    elif options.crops:
        table = pd.read_csv(options.labels)
        data = from_crops(options.crops, table, options.classes.split(","))
    elif options.project:
        data = encoded(Project.open(options.project), pd.read_csv(options.labels))
    else:
        with tempfile.TemporaryDirectory() as folder:
            data = simulated(Path(folder), options.movies)
    if options.keep and not options.keep.exists():
        np.savez(options.keep, **data)
    counts = np.bincount(data["y"][~data["unknown"]], minlength=3)
    share = counts[1] / counts.sum()
    rest = f"{counts[1]} metaphases ({share:.1%}), {counts[2]} of other phases"
    print(f"{counts.sum():,} cells, {rest}")
    found = study(data, options.repeats, options.looks, options.batch)
    for goal in map(str, GOALS):
        for order in ("queue", "random"):
            needed = np.array(found[order]["needed"][goal])
            reached = np.isfinite(needed)
            middle = np.median(needed) if reached.mean() > 0.5 else float("inf")
            low, high = np.quantile(needed, [0.25, 0.75], method="nearest")
            print(
                f"{goal} {order:7s} median {middle:.0f} [{low:.0f}–{high:.0f}], "
                f"reached in {reached.sum()} of {len(needed)}"
            )
    if options.out:
        options.out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
