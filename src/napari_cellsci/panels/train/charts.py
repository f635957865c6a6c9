"""Which curves a run has, and what good ones look like; knows no widgets."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project.run_log import RunLog
from napari_cellsci.viewer.colors import OKABE_ITO

Floats = NDArray[np.float64]
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, YELLOW = OKABE_ITO[:7]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart: the metric's key, what it is called, its colour."""

    key: str
    title: str
    color: str
    main: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves that belong together.

    Attributes
    ----------
    key, title : str
    unit : str
        Of the vertical axis.
    good : str
        What good looks like, in one line.
    lines : tuple of Line
    each : str
        A metric with one curve for every model, instead of `lines`.
    changes : bool
        Whether drops and growths of connections are marked.
    log : bool
        Whether the vertical axis is logarithmic at first.
    """

    key: str
    title: str
    unit: str
    good: str
    lines: tuple[Line, ...] = ()
    each: str = ""
    changes: bool = False
    log: bool = False


_ENCODER = (
    Chart(
        "recon",
        "Picture",
        "error per pixel",
        "Good: both fall and stay together. Held-out cells worse than those trained on "
        "means too few crops.",
        (
            Line("val_mse", "held-out cells", VERMILION),
            Line("mse", "cells trained on", BLUE, main=False),
        ),
        log=True,
    ),
    Chart(
        "terms",
        "Information",
        "nats",
        "Good: information rises and levels off, total correlation falls towards 0. "
        "All near 0 means nothing is learnt.",
        (
            Line("mi", "mutual information", BLUE),
            Line("tc", "total correlation", VERMILION),
            Line("dw", "dimension-wise KL", GREEN),
            Line("gaussian_tc", "Gaussian TC, held-out", ORANGE),
            Line("val_kl", "KL, held-out", PURPLE),
            Line("kl", "KL", SKY, main=False),
        ),
    ),
    Chart(
        "active",
        "Latents",
        "latents in use",
        "Good: a handful to a dozen, and steady. 0 means collapse; all of them means "
        "too little pressure.",
        (Line("active", "active latents", GREEN),),
    ),
    Chart(
        "variety",
        "Variety",
        "of reconstructions / of crops",
        "Good: rises towards 1. Near 0 all reconstructions are the same cell.",
        (Line("variety", "held-out cells", ORANGE),),
    ),
    Chart(
        "loss",
        "Objective",
        "nats per crop",
        "Good: falls, ever more slowly. A rise at first is β warming up.",
        (
            Line("loss", "objective", BLUE),
            Line("recon", "reconstruction", GREEN),
            Line("asymmetry", "asymmetry", PURPLE),
            Line("heed", "heed of surroundings", SKY),
            Line("label_loss", "labels", VERMILION),
            Line("beta", "β", YELLOW, main=False),
        ),
    ),
)
_GAN = (
    Chart(
        "game",
        "Game",
        "nats",
        "Good: neither loss goes to 0. Near 1.4, the discriminator only guesses; near "
        "0, it always knows and the generator learns nothing.",
        (
            Line("loss_d", "discriminator", VERMILION),
            Line("loss_g", "generator", BLUE),
        ),
    ),
    Chart(
        "right",
        "Discriminator",
        "share it guesses right",
        "Good: between 0.5 and 0.95. Both at 1 for long means that the game is over: "
        "raise roth.",
        (
            Line("drawn_right", "drawn cells", BLUE),
            Line("real_right", "real cells", VERMILION),
        ),
    ),
    Chart(
        "code",
        "Code",
        "½ squared error of the code",
        "Good: falls far below what guessing gives, a sixth for each latent: the code "
        "can be read off the cells that are drawn.",
        (Line("code_error", "drawn cells", GREEN),),
        log=True,
    ),
    Chart(
        "terms",
        "Information",
        "nats",
        "Good: both rise and level off. Drawn high and held-out low means that real "
        "cells are not among those it draws.",
        (
            Line("mi", "kept by drawn cells, at least", BLUE),
            Line("val_kl", "held-out cells", PURPLE),
            Line("gaussian_tc", "Gaussian TC, held-out", ORANGE, main=False),
        ),
    ),
    Chart(
        "variety",
        "Variety",
        "of drawn cells / of real ones",
        "Good: close to 1. Near 0 all drawn cells are the same one: the generator has "
        "collapsed.",
        (Line("variety", "drawn cells", ORANGE),),
    ),
    Chart(
        "recon",
        "Picture",
        "error per pixel",
        "Good: falls below 1, far above what VAEs reach. An InfoGAN is not taught to "
        "redraw cells; look at the pictures instead.",
        (Line("val_mse", "held-out cells", VERMILION),),
        log=True,
    ),
    Chart(
        "penalty",
        "Gradients",
        "squared gradient of the discriminator",
        "Good: stays bounded. A steady rise comes before a game that tips over.",
        (
            Line("penalty", "squared gradients", SKY),
            Line("roth", "their weight", YELLOW, main=False),
        ),
        log=True,
    ),
)
_HEADS = (
    Chart(
        "accuracy",
        "Accuracy",
        "held-out cells right",
        "Good: every model climbs and stays up. One that stays low is outvoted.",
        each="held_out",
    ),
    Chart(
        "loss",
        "Loss",
        "cross-entropy",
        "Good: falls, then levels off. Bumps after connections move are usual.",
        (Line("loss", "mean of models", BLUE),),
        log=True,
    ),
    Chart(
        "weights",
        "Weights",
        "active weights",
        "Good: falls to a few dozen while accuracy stays. Marks: connections dropped "
        "▾ and grown ▴.",
        each="weights",
        changes=True,
    ),
)
_LOOKED = ("val_mse", "val_kl", "gaussian_tc", "active", "variety")
_OF_GAN = "loss_d"
"""A metric that only GANs have."""
_SEARCH = Chart(
    "cloud",
    "Trials",
    "balanced accuracy",
    "Good: points at the top left. The line joins those that nothing beats; hollow "
    "ones were stopped early.",
)


_OF_KIND = {"encoder": _ENCODER, "heads": _HEADS, "search": (_SEARCH,)}


def charts_of(kind: str, log: RunLog | None = None) -> tuple[Chart, ...]:
    """Return the charts of a kind of run; those a run has nothing for are left out.

    Searches for formulas, ablations and predictions of a channel have none.
    """
    every = _OF_KIND.get(kind, ())
    if log is not None and _OF_GAN in log.curves:
        every = _GAN
    if log is None or not log.curves or kind == "search":
        return every
    return tuple(chart for chart in every if _has(chart, log))


def _has(chart: Chart, log: RunLog) -> bool:
    if chart.key == "weights":
        curves = log.each.get("weights", [])
        return bool(log.changes) or any(len(set(c.y)) > 1 for c in curves)
    if chart.each:
        return bool(log.each.get(chart.each))
    return any(line.key in log.curves for line in chart.lines)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A curve as it is drawn."""

    title: str
    color: str
    x: Floats
    y: Floats
    main: bool = True


def drawn(chart: Chart, log: RunLog) -> list[Drawn]:
    """Return the curves of a chart of one run."""
    if not chart.each:
        return [
            Drawn(line.title, line.color, *_points(line.key, log), line.main)
            for line in chart.lines
            if line.key in log.curves
        ]
    curves = [curve.arrays for curve in log.each.get(chart.each, [])]
    found = [
        Drawn(f"model {k}", BLUE, x, y, main=False) for k, (x, y) in enumerate(curves)
    ]
    if curves and len({len(x) for x, _ in curves}) == 1:
        x = curves[0][0]
        middle = np.array([y for _, y in curves])
        known = ~np.isnan(middle)
        n = known.sum(0)
        mean = np.where(
            n > 0, np.where(known, middle, 0).sum(0) / np.maximum(n, 1), np.nan
        )
        found.append(Drawn("mean", VERMILION, x, mean))
    return found


def _points(key: str, log: RunLog) -> tuple[Floats, Floats]:
    """Return the points of a curve; of what is looked at now and then, each look once.

    Between two looks a run tells the last look's values again.
    """
    x, y = log.curves[key].arrays
    if key not in _LOOKED or not len(x):
        return x, y
    fresh = np.concatenate([[True], y[1:] != y[:-1]])
    for look in log.looks:
        fresh |= x == look.step
    fresh[-1] = True
    return x[fresh], y[fresh]


def compared(chart: Chart, logs: Sequence[tuple[str, RunLog]]) -> list[Drawn]:
    """Return the main curve of a chart for each of several runs, a colour for each."""
    found = []
    for place, (name, log) in enumerate(logs):
        own = [curve for curve in drawn(chart, log) if curve.main]
        if own:
            first = own[0] if not chart.each else own[-1]
            color = OKABE_ITO[place % len(OKABE_ITO)]
            found.append(Drawn(name, color, first.x, first.y))
    return found


def smoothed(y: Floats, width: int) -> Floats:
    """Return the running mean of noisy values; NaN stays NaN."""
    if width < 2 or len(y) < 3 * width or np.isnan(y).any():
        return y
    kernel = np.ones(width) / width
    padded = np.concatenate([np.repeat(y[0], width - 1), y])
    return np.convolve(padded, kernel, "valid")


def front(trials: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return trials that no other beats in accuracy and number of weights."""
    best: list[dict[str, float]] = []
    for trial in sorted(trials, key=_by_size):
        if trial.get("stopped"):
            continue
        if not best or trial["accuracy"] > best[-1]["accuracy"]:
            best.append(trial)
    return best


def _by_size(trial: dict[str, float]) -> tuple[float, float]:
    return trial["weights"], -trial["accuracy"]


def write_curves(path: Path, log: RunLog) -> None:
    """Write every curve of a run as CSV: step, metric, model, value."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "metric", "model", "value"])
        for name, curve in log.curves.items():
            for x, y in zip(curve.x, curve.y, strict=True):
                writer.writerow([f"{x:g}", name, "", repr(y)])
        for name, curves in log.each.items():
            for k, curve in enumerate(curves):
                for x, y in zip(curve.x, curve.y, strict=True):
                    writer.writerow([f"{x:g}", name, k, repr(y)])
        for trial in log.trials:
            for name, value in trial.items():
                if name != "number":
                    writer.writerow([trial["number"], name, "", repr(value)])
