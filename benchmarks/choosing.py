"""Judge the rule that chooses from a front, on simulated movies it never saw.

    OMP_NUM_THREADS=1 nice python benchmarks/choosing.py --first 9000 --movies 6

Of one movie some tracks are labelled until there are cells enough; compact heads, and
formulas for either loss, are found from these labels alone on the code of the encoder
that ships. What the rule chose of every front is then judged on all interphases and
metaphases of a second movie, beside PySR's own rule, the formula of lowest loss, the
best of the front (which nobody can know) and the dense heads.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_cellsci import Project
from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.formulas import Expression
from napari_cellsci.heads.formula_members import latent_names

NAMES = ("interphase", "metaphase")
RULES = ("chosen", "PySR's rule", "lowest loss", "best of the front")


def project_of(folder: Path, seed: int) -> tuple[Project, Any]:
    """Return a project of two movies, and the class of every cell."""
    project: Any = None
    truths = []
    for k in range(2):
        config = SimulationConfig(
            frames=30, cells=30, size=400, cycle_length=60, seed=seed + 100 * k
        )
        sample = simulate(config).save(folder / f"sample{k}")
        given = {"image": sample / "movie.tif", "tracks": sample / "labels.tif"}
        if project is None:
            project = Project.create(folder / "project", name="m0", **given)
        else:
            project.add_movie(**given, name="m1")
        truths.append(pd.read_csv(sample / "truth.csv").assign(movie=f"m{k}"))
    keys = ["movie", "track_id", "t"]
    truth = pd.concat(truths).drop_duplicates(keys).set_index(keys)["class"]
    names = truth.reindex(pd.MultiIndex.from_frame(project.cells[keys]))
    return project, names.to_numpy(dtype=object)


def label(project: Project, names: Any, wanted: int, seed: int) -> None:
    """Label the cells of some tracks of the first movie, and a few metaphases more."""
    cells = project.cells
    mine = (cells["movie"] == "m0").to_numpy() & np.isin(names, NAMES)
    track = cells["track_id"].to_numpy()
    rng = np.random.default_rng(seed)
    dividing = np.unique(track[mine & (names == NAMES[1])])
    for number in rng.permutation(dividing)[:10]:
        rows = np.flatnonzero(mine & (track == number))
        for name, most in ((NAMES[1], 2), (NAMES[0], 3)):
            some = rng.permutation(rows[names[rows] == name])[:most]
            project.labels.set_many(some.tolist(), name)
    left = np.flatnonzero(mine & (names == NAMES[0]) & ~np.isin(track, dividing))
    done = len(project.labels.as_series())
    some = rng.permutation(left)[: max(wanted - done, 0)]
    project.labels.set_many(some.tolist(), NAMES[0])


def right(f: Any, y: Any) -> float:
    """Return the balanced accuracy of scores; without a value a cell is wrong."""
    hits = np.isfinite(f) & ((f >= 0) == y)
    return float(np.mean([hits[y].mean(), hits[~y].mean()]))


def judged(bundle: Any, columns: dict[str, Any], y: Any) -> list[list[float]]:
    """Return what each rule takes of every run: accuracies, then sizes."""
    found = []
    for note in bundle.heads.config["searches"]:
        front = note["front"]
        formulas = [Expression.parse(one["formula"]) for one in front]
        rates = [right(formula(columns), y) for formula in formulas]
        lowest = min(range(len(front)), key=lambda k: front[k]["loss"])
        picks = (note["chosen"], note["pysr"], lowest, int(np.argmax(rates)))
        found.append([*(rates[k] for k in picks), *(formulas[k].size for k in picks)])
    return found


def study(seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Return what came of one pair of movies."""
    with tempfile.TemporaryDirectory() as folder:
        project, names = project_of(Path(folder), seed)
        with project:
            label(project, names, given.labels, seed)
            common = {"encoder": "shipped", "seed": seed}
            dense = project.train_head(2, models=5, name="dense", **common)
            project.train_head(3, models=5, name="compact", **common)
            z = np.asarray(project.latents(dense.encoder), np.float64)
            second = (project.cells["movie"] == "m1").to_numpy()
            rows = np.flatnonzero(second & np.isin(names, NAMES))
            y = names[rows] == NAMES[1]
            columns = dict(zip(latent_names(z.shape[1]), z[rows].T, strict=True))
            scores = dense.heads.combined(dense.heads.scores(z[rows]))
            found: dict[str, Any] = {"dense": right(scores[:, 0], y)}
            for loss in ("hinge", "mse"):
                bundle = project.discover(
                    runs=given.runs,
                    engine="builtin",
                    loss=loss,
                    source="compact",
                    evaluations=given.evaluations,
                    seed=seed,
                    name=loss,
                )
                found[loss] = judged(bundle, columns, y)
                together = bundle.heads.combined(bundle.heads.scores(z[rows]))
                found[f"{loss} together"] = right(together[:, 0], y)
    return found


def main() -> None:
    """Study all pairs of movies and print means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=9000, help="seed of the first")
    parser.add_argument("--movies", type=int, default=6)
    parser.add_argument("--labels", type=int, default=150)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=300_000)
    given = parser.parse_args()
    every = []
    for seed in range(given.first, given.first + given.movies):
        every.append(study(seed, given))
        said = ", ".join(
            f"{name} {value:.3f}"
            for name, value in every[-1].items()
            if isinstance(value, float)
        )
        print(f"{seed}: {said}", flush=True)
    print(f"dense heads {np.mean([one['dense'] for one in every]):.4f}")
    for loss in ("hinge", "mse"):
        each = np.array([one[loss] for one in every])
        rates, sizes = each[..., :4], each[..., 4:]
        for k, rule in enumerate(RULES):
            spread = rates[..., k].mean(1).std()
            print(
                f"{loss:5s} {rule:17s} {rates[..., k].mean():.4f} ± {spread:.4f}, "
                f"size {sizes[..., k].mean():.1f}"
            )
        behind = rates[..., 3] - rates[..., 0]
        print(f"      behind the best of the front: {behind.mean():.4f}")
        together = [one[f"{loss} together"] for one in every]
        print(f"      all runs together {np.mean(together):.4f}", flush=True)


if __name__ == "__main__":
    main()
