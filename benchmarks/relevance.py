"""Do sparse heads read the latents that matter, and only these?

    python benchmarks/relevance.py OUT ENCODER [ENCODER …] [--models 10]

Each ENCODER is a folder with an encoder, of one channel (`cellsci benchmark-latents`
leaves those of its finals in ``encoders/``), or a bundle. Cells of simulated movies
are encoded, once with the simulator's link between mitosis and crowding (0.7) and once
without; as many interphases as metaphases are kept. On two thirds of the movies every
route trains its heads; the others judge.

relevant     a latent whose values, shuffled among the judging cells, cost dense heads
             more than 0.5% of their accuracy (mean of ten heads)
morphology   a latent of whose variance the factors of the truth explain mostly, and
             most of that by area, eccentricity × cos 2θ and eccentricity × sin 2θ;
             place: by the offset; else neighbourhood
best subset  the reference: latents are added one by one, each the one with which dense
             heads are best on training movies left out, while this gains 0.5%

Every result is a file in OUT: run the command again to go on. Takes about two minutes
of one core for each encoder, and writes ``relevance.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_cellsci.heads.dense import DenseConfig, train_dense
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.heads.latent_members import LatentMembers
from napari_cellsci.heads.sparse import MODES, SparseConfig, train_sparse
from napari_cellsci.heads.sparse_members import SparseMembers
from napari_cellsci.heads.splits import folds_by_group
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.representation.benchmark.cells import (
    NEIGHBOURS,
    KnownCells,
    simulate_cells,
)
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.storage import write_atomically

SEED, MOVIES = 20_000, 24
COST = 0.005
SHAPE, PLACE = ("area", "axes", "diagonals"), ("y", "x")
ROUTES = ("dense", "best-subset", *MODES)
CONFOUNDERS = (0.7, 0.0)
HEADER = (
    "route",
    "accuracy %",
    "of the dense heads' %",
    "weights",
    "latents",
    "relevant: precision / recall",
    "relevant shape: precision / recall",
    "heads of 10 that read no neighbourhood",
)
_SHUFFLES = 10
_CANDIDATES = 3
"""Heads by which a candidate of the best subset is judged."""
_EXPLAINED = 0.1
"""R² of a latent below which it is said to follow none of the known factors."""


@dataclass(frozen=True)
class Split:
    """Latents of as many interphases as metaphases, by movies.

    Attributes
    ----------
    views : array (n, 8, D)
    y, groups : array (n,)
    """

    views: np.ndarray
    y: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Setting:
    """One encoder on cells with one confounder.

    Attributes
    ----------
    train, test : Split
    kinds : list of str
        Of each latent: "morphology", "place", "neighbourhood" or "inactive".
    """

    train: Split
    test: Split
    kinds: list[str]

    def accuracy(self, scores: np.ndarray) -> np.ndarray:
        """Return the accuracy of each head (K,) from its scores (K, n, 1)."""
        return ((scores[..., 0] >= 0) == self.test.y).mean(1)


def load_encoder(folder: Path) -> Encoder:
    try:
        return Encoder.load(folder)
    except Exception:  # What is no encoder may be a bundle; that says what it is not.
        encoder = Bundle.load(folder).encoder
        if encoder is None:
            raise
        return encoder


def cells_of(out: Path, size: int, confounder: float) -> KnownCells:
    folder = out / "cells" / f"{size}-{confounder:g}"
    if not folder.is_dir():
        knobs = {"frames": 16, "cells": 32, "confounder": confounder}
        simulate_cells(SEED, MOVIES, size, **knobs).save(folder)
    return KnownCells.load(folder)


def new_setting(encoder: Encoder, cells: KnownCells) -> Setting:
    views = encoder.encode(cells.crops, views=True)
    movies = cells.groups // 1_000_000
    late = movies >= SEED + MOVIES * 2 // 3
    train, test = (even(views, cells, rows) for rows in (~late, late))
    return Setting(train, test, kinds_of(views[:, 0], cells, encoder.active))


def even(views: np.ndarray, cells: KnownCells, allowed: np.ndarray) -> Split:
    """Keep all metaphases and as many interphases."""
    rng = np.random.default_rng(0)
    of = [np.flatnonzero(allowed & (cells.labels == label)) for label in (0, 1)]
    least = min(map(len, of))
    rows = np.sort(np.concatenate([rng.choice(r, least, replace=False) for r in of]))
    return Split(views[rows], cells.labels[rows], cells.groups[rows])


def kinds_of(z: np.ndarray, cells: KnownCells, active: np.ndarray) -> list[str]:
    """Say of what each latent speaks, by the truth of the simulator."""
    groups = {"morphology": SHAPE, "place": PLACE, "neighbourhood": (NEIGHBOURS,)}
    factors = {kind: cells.factors(names) for kind, names in groups.items()}
    kinds = []
    for d in range(z.shape[1]):
        if not active[d]:
            kinds.append("inactive")
            continue
        told = {
            kind: explained(np.column_stack(list(known.values())), z[:, d], cells)
            for kind, known in factors.items()
        }
        every = np.column_stack(
            [v for known in factors.values() for v in known.values()]
        )
        total = explained(every, z[:, d], cells)
        best = max(told, key=lambda kind: told[kind])
        clear = total > _EXPLAINED and told[best] > total / 2
        kinds.append(best if clear else "neighbourhood")
    return kinds


def explained(x: np.ndarray, y: np.ndarray, cells: KnownCells) -> float:
    """Return the R² of one latent from some factors, on movies left out."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.metrics import r2_score

    movies = cells.groups // 1_000_000
    rows = np.random.default_rng(0).permutation(len(y))[:6_000]
    late = rows[movies[rows] >= SEED + MOVIES * 2 // 3]
    early = rows[movies[rows] < SEED + MOVIES * 2 // 3]
    trees = HistGradientBoostingRegressor(max_iter=60, early_stopping=False)
    trees.fit(x[early], y[early])
    return float(r2_score(y[late], trees.predict(x[late])))


def dense(setting: Setting, models: int, seed: int) -> dict[str, Any]:
    """Train dense heads and find which latents they need."""
    train = setting.train
    config = DenseConfig(models=models, seed=seed)
    heads = train_dense(train.views, train.y, train.groups, config)
    z = setting.test.views[:, 0].copy()
    accuracy = setting.accuracy(heads.scores(z))
    cost, rng = np.zeros(z.shape[1]), np.random.default_rng(0)
    for d in range(z.shape[1]):
        shuffled = z.copy()
        for _ in range(_SHUFFLES):
            shuffled[:, d] = rng.permutation(z[:, d])
            cost[d] += (accuracy - setting.accuracy(heads.scores(shuffled))).mean()
    cost /= _SHUFFLES
    return {
        "accuracy": accuracy.tolist(),
        "weights": [weights_of(heads)] * models,
        "inputs": [list(range(z.shape[1]))] * models,
        "cost": cost.tolist(),
        "relevant": np.flatnonzero(cost > COST).tolist(),
    }


def weights_of(heads: HeadSet) -> int:
    """Count the weights of a dense head."""
    assert isinstance(heads.members, LatentMembers)
    return sum(a * b for a, b in pairwise(heads.members.network.sizes))


def best_subset(setting: Setting, models: int, seed: int) -> dict[str, Any]:
    """Add latents one by one while training movies left out gain."""
    train = setting.train
    fit, check = folds_by_group(train.groups // 1_000_000, train.y, 3, seed)[0]
    free = [d for d, kind in enumerate(setting.kinds) if kind != "inactive"]
    chosen: list[int] = []
    reached = 0.5
    while free:
        gains = [_judged(train, [*chosen, d], fit, check, seed) for d in free]
        if max(gains) < reached + COST:
            break
        reached = max(gains)
        chosen.append(free.pop(int(np.argmax(gains))))
    config = DenseConfig(models=models, seed=seed)
    heads = train_dense(train.views[..., chosen], train.y, train.groups, config)
    accuracy = setting.accuracy(heads.scores(setting.test.views[:, 0][:, chosen]))
    return {
        "accuracy": accuracy.tolist(),
        "weights": [weights_of(heads)] * models,
        "inputs": [sorted(chosen)] * models,
    }


def _judged(
    train: Split, chosen: list[int], fit: np.ndarray, check: np.ndarray, seed: int
) -> float:
    config = DenseConfig(models=_CANDIDATES, min_steps=600, epochs=5, seed=seed)
    z = train.views[..., chosen]
    heads = train_dense(z[fit], train.y[fit], train.groups[fit], config)
    found = heads.scores(z[check, 0])[..., 0].mean(0) >= 0
    return float((found == train.y[check]).mean())


def sparse(mode: str) -> Callable[[Setting, int, int], dict[str, Any]]:
    """Return the route of one mode of scheme 3."""

    def route(setting: Setting, models: int, seed: int) -> dict[str, Any]:
        train = setting.train
        config = SparseConfig(mode=mode, models=models, seed=seed)
        heads = train_sparse(train.views, train.y, train.groups, config)
        members = heads.members
        assert isinstance(members, SparseMembers)
        return {
            "accuracy": setting.accuracy(heads.scores(setting.test.views)).tolist(),
            "weights": members.active_weights.tolist(),
            "inputs": [np.flatnonzero(row).tolist() for row in members.used_inputs],
        }

    return route


def route_of(name: str) -> Callable[[Setting, int, int], dict[str, Any]]:
    return {"dense": dense, "best-subset": best_subset}.get(name) or sparse(name)


def study(out: Path, folders: list[Path], models: int) -> list[dict[str, Any]]:
    """Run what is not there yet; return all records."""
    records = []
    for folder in folders:
        encoder = load_encoder(folder)
        for confounder in CONFOUNDERS:
            name = f"{folder.name}-{encoder.hash[:6]}-{confounder:g}"
            files = {r: out / "runs" / f"{name}-{r}.json" for r in ROUTES}
            if not all(file.is_file() for file in files.values()):
                cells = cells_of(out, encoder.spec.size, confounder)
                setting = new_setting(encoder, cells)
            for route, file in files.items():
                if not file.is_file():
                    print(f"{name}: {route}", flush=True)
                    known = {"encoder": folder.name, "confounder": confounder}
                    record = {**known, "route": route, "kinds": setting.kinds}
                    record |= route_of(route)(setting, models, 0)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    write_atomically(file, json.dumps(record, indent=1).encode())
                records.append(json.loads(file.read_text()))
    return records


def overlap(found: list[int], true: set[int]) -> tuple[float, float]:
    """Return precision and recall."""
    right = len(set(found) & true)
    return right / max(len(found), 1), right / max(len(true), 1)


def row_of(records: list[dict[str, Any]], of: dict[tuple[str, float], Any]) -> str:
    """Return one line of the table: all encoders, one route, one confounder."""
    values: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        values.setdefault(name, []).append(value)

    for record in records:
        reference = of[record["encoder"], record["confounder"]]
        relevant = set(reference["relevant"])
        shape = {d for d in relevant if record["kinds"][d] == "morphology"}
        base = float(np.mean(reference["accuracy"]))
        heads = zip(
            record["accuracy"], record["weights"], record["inputs"], strict=True
        )
        clean = 0
        for accuracy, weights, inputs in heads:
            add("accuracy", 100 * accuracy)
            add("kept", 100 * accuracy / base)
            add("weights", weights)
            add("inputs", len(inputs))
            for kind, true in (("relevant", relevant), ("morphology", shape)):
                precision, recall = overlap(inputs, true)
                add(f"{kind} p", precision)
                add(f"{kind} r", recall)
            kinds = {record["kinds"][d] for d in inputs}
            clean += "neighbourhood" not in kinds
        add("clean", 10 * clean / len(record["inputs"]))
    cells = [
        f"{np.mean(values[name]):.{digits}f} ± {np.std(values[name]):.{digits}f}"
        for name, digits in (
            ("accuracy", 1),
            ("kept", 1),
            ("weights", 0),
            ("inputs", 1),
        )
    ]
    cells += [
        f"{np.mean(values[f'{kind} p']):.2f} / {np.mean(values[f'{kind} r']):.2f}"
        for kind in ("relevant", "morphology")
    ]
    cells.append(f"{np.mean(values['clean']):.1f}")
    return " | ".join(cells)


def table(records: list[dict[str, Any]]) -> str:
    of = {(r["encoder"], r["confounder"]): r for r in records if r["route"] == "dense"}
    lines = []
    for confounder in CONFOUNDERS:
        lines += [
            f"Mitosis and crowding linked: {confounder:g}",
            "",
            f"| {' | '.join(HEADER)} |",
            "|" + "---|" * len(HEADER),
        ]
        for route in ROUTES:
            some = [
                r
                for r in records
                if (r["route"], r["confounder"]) == (route, confounder)
            ]
            lines.append(f"| {route} | {row_of(some, of)} |")
        lines.append("")
    for (encoder, confounder), record in of.items():
        named = [f"z{d} {record['kinds'][d]}" for d in record["relevant"]]
        lines.append(f"- {encoder}, {confounder:g}: {', '.join(named) or 'none'}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("encoders", type=Path, nargs="+")
    parser.add_argument("--models", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(study(options.out, options.encoders, options.models))
    (options.out / "relevance.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
